"""Families of column types, and which of them a calculation method can measure."""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.sql.column_types import (
    DUCKDB_UNMEASURED,
    POSTGRES_UNMEASURED,
    explain_unmeasurable,
    has_more_digits,
    is_number,
    is_text,
    is_time,
    is_whole,
)


@pytest.mark.parametrize(
    ("kind", "families"),
    [
        ("varchar(20)", "text"),
        ("character varying", "text"),
        ("string", "text"),
        ("enum('a', 'b')", "text"),
        ("name", "text"),
        ("integer", "whole number"),
        ("int8", "whole number"),
        ("bigserial", "whole number"),
        ("uinteger", "whole number"),
        ("hugeint", "whole number"),
        ("long", "whole number"),
        ("decimal(9,2)", "number"),
        ("number(38,0)", "number"),
        ("numeric", "number"),
        ("double precision", "number"),
        ("real", "number"),
        ("money", "number"),
        ("date", "time"),
        ("datetime2", "time"),
        ("timestamp with time zone", "time"),
        ("interval", ""),
        ("time", ""),
        ("boolean", ""),
        ("uuid", ""),
        ("point", ""),
        ("", ""),
    ],
)
def test_the_families_of_a_type(kind: str, families: str) -> None:
    """An interval begins like an integer and is none; a time of day is no moment."""
    tests = {"text": is_text, "whole": is_whole, "number": is_number, "time": is_time}

    assert " ".join(name for name, test in tests.items() if test(kind)) == families


@pytest.mark.parametrize(
    ("method", "kind", "expected"),
    [
        ("sum", "integer", ""),
        ("average", "decimal(9,2)", ""),
        ("minimum", "varchar", ""),
        ("maximum", "date", ""),
        ("percentile", "timestamp", ""),
        ("sum", "", ""),
        ("count distinct", "json", ""),
        ("count non-null", "int4range", ""),
        ("sum", "text", "it holds texts (text), of which there is no `sum`"),
        ("percentile", "varchar(9)", "it holds texts (varchar(9)), of which there is no `percentile`"),
        ("average", "date", "it holds dates or times (date), of which there is no `average`"),
        ("sum distinct", "timestamp", "it holds dates or times (timestamp), of which there is no `sum distinct`"),
        ("sum", "uuid", "there is no `sum` of its type (uuid)"),
        ("var_pop", "integer[]", "there is no `var_pop` of its type (integer[])"),
        ("sum", "int4range", "there is no `sum` of its type (int4range)"),
        ("minimum", "int4range", "there is no `minimum` of its type (int4range)"),
        ("stddev_pop", "interval", "there is no `stddev_pop` of its type (interval)"),
    ],
)
def test_why_no_warehouse_can_measure_a_type(method: str, kind: str, expected: str) -> None:
    """What is unknown is tried by the warehouse."""
    assert explain_unmeasurable(method, kind) == expected


@pytest.mark.parametrize(
    ("method", "kind", "on_postgres", "on_duckdb"),
    [
        ("minimum", "boolean", False, True),
        ("sum", "boolean", False, True),
        ("percentile", "boolean", False, False),
        ("average", "money", False, True),
        ("sum", "money", True, True),
        ("maximum", "uuid", False, True),
        ("minimum", "json", False, True),
        ("minimum", "bit(3)", False, True),
        ("percentile", "date", False, True),
        ("sum", "interval", True, False),
        ("sum", "time without time zone", True, False),
        ("minimum", "interval", True, True),
    ],
)
def test_what_one_warehouse_has_and_another_has_not(method: str, kind: str, on_postgres: bool, on_duckdb: bool) -> None:
    explanations = [explain_unmeasurable(method, kind, row) for row in (POSTGRES_UNMEASURED, DUCKDB_UNMEASURED)]

    refusal = f"there is no `{method}` of its type ({kind})"
    assert explanations == ["" if is_there else refusal for is_there in (on_postgres, on_duckdb)]


_DUCKDB_TYPES = (
    *("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "uinteger", "ubigint", "uhugeint"),
    *("decimal(9,2)", "float", "double", "boolean", "varchar", "enum('a', 'b')", "date", "timestamp", "timestamp_ns"),
    *("timestamp with time zone", "time", "time with time zone", "interval", "uuid", "blob", "json"),
    *("integer[]", "varchar[]", "integer[3]", "struct(a integer)", "map(integer, integer)"),
)
_AGGREGATES = {"sum": "SUM(x)", "sum distinct": "SUM(DISTINCT x)", "minimum": "MIN(x)", "maximum": "MAX(x)"}


def test_duckdb_computes_what_is_not_refused_and_nothing_else() -> None:
    connection = duckdb.connect()
    explained, refused = set(), set()
    for kind in _DUCKDB_TYPES:
        for method, aggregate in _AGGREGATES.items():
            if explain_unmeasurable(method, kind, DUCKDB_UNMEASURED):
                explained.add((method, kind))
            try:
                connection.execute(f"SELECT {aggregate} FROM (SELECT CAST(NULL AS {kind}) AS x)")
            except duckdb.BinderException:
                refused.add((method, kind))

    assert explained == refused
    assert ("sum", "date") in refused


@pytest.mark.parametrize(
    ("kind", "digits", "expected"),
    [
        ("TIMESTAMP(12)", 9, True),
        ("timestamp(9)", 9, False),
        ("timestamp_ns", 6, True),
        ("timestamp_ns", 9, False),
        ("datetime2(7)", 6, True),
        ("timestamp with time zone", 6, False),
        ("varchar(20)", 6, False),
    ],
)
def test_digits_of_a_second_are_those_in_the_type(kind: str, digits: int, expected: bool) -> None:
    assert has_more_digits(kind, digits) is expected
