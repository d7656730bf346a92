"""Families of types, and columns that seem unique."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.discovery.table_profiles import Family, family_of
from tests.support.stars.table_rows import profile_of


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("INTEGER", Family.WHOLE),
        ("UBIGINT", Family.WHOLE),
        ("int unsigned", Family.WHOLE),
        ("NUMBER(38,0)", Family.WHOLE),
        ("decimal(7,2)", Family.DECIMAL),
        ("numeric", Family.DECIMAL),
        ("double precision", Family.FLOATING),
        ("character varying(20)", Family.TEXT),
        ("date", Family.DATE),
        ("timestamp without time zone", Family.TIMESTAMP),
        ("DATETIME", Family.TIMESTAMP),
        ("boolean", Family.BOOLEAN),
        ("uuid", Family.UUID),
        ("STRUCT(a INTEGER)", Family.OTHER),
        ("INTEGER[]", Family.OTHER),
        ("interval", Family.OTHER),
    ],
)
def test_types_are_known_by_family(kind: str, family: Family) -> None:
    assert family_of(kind) is family


def test_a_column_with_few_nulls_and_no_value_twice_seems_unique() -> None:
    table = profile_of("t", {"a": [*range(99), None], "b": [1, 1, *range(2, 100)], "c": [1, *[None] * 99]})

    assert [column.name for column in table.in_order if table.seems_unique(column)] == ["a"]
