"""Types by the names that warehouses and SML give them, and the type of a sum."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.sql.functions.types import (
    BIGINT,
    DOUBLE,
    FLOATING_NUMERIC,
    INTEGER,
    REAL,
    TEXT,
    UNKNOWN,
    WHOLE_NUMERIC,
    Kind,
    SqlType,
    find_type,
    wider,
)

_SMALLINT = SqlType(Kind.SMALLINT)


def _numeric(scale: int | None) -> SqlType:
    return SqlType(Kind.NUMERIC, scale=scale)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("INTEGER", INTEGER),
        (" int ", INTEGER),
        ("long", BIGINT),
        ("utinyint", _SMALLINT),
        ("usmallint", INTEGER),
        ("uinteger", BIGINT),
        ("HUGEINT", WHOLE_NUMERIC),
        ("double precision", DOUBLE),
        ("float", REAL),
        ("DECIMAL(12,2)", _numeric(2)),
        ("numeric( 12 , 2 )", _numeric(2)),
        ("decimal(5)", _numeric(0)),
        ("NUMERIC", _numeric(None)),
        ("character varying", TEXT),
        ("varchar(20)", TEXT),
        ("ENUM('a', 'b')", TEXT),
        ("string", TEXT),
        ("datetime", SqlType(Kind.TIMESTAMP)),
        ("TIMESTAMP WITH TIME ZONE", SqlType(Kind.TIMESTAMPTZ)),
        ("timestamp_ns", UNKNOWN),
        ("uuid", UNKNOWN),
        ("integer[]", UNKNOWN),
        ("decimal(5,2)[]", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_type_by_its_name(name: str, kind: SqlType) -> None:
    assert find_type(name) == kind


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (_SMALLINT, _SMALLINT, _SMALLINT),
        (_SMALLINT, BIGINT, BIGINT),
        (INTEGER, _numeric(2), _numeric(2)),
        (_numeric(2), _numeric(4), _numeric(4)),
        (_numeric(2), _numeric(None), _numeric(None)),
        (_numeric(2), FLOATING_NUMERIC, FLOATING_NUMERIC),
        (REAL, REAL, REAL),
        (REAL, INTEGER, DOUBLE),
        (REAL, DOUBLE, DOUBLE),
        (_numeric(2), REAL, DOUBLE),
    ],
)
def test_a_sum_has_the_wider_type(left: SqlType, right: SqlType, kind: SqlType) -> None:
    assert wider(left, right) == kind
    assert wider(right, left) == kind
