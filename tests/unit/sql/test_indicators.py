"""Indicators in SQL: types, literals, the lookup, on every dialect."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, Incremental, SqlVariant
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, Dialect, find_dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import (
    indicator_kind,
    is_finer_than_kept,
    literal,
    lookup_statement,
    read_lookup,
    type_problem,
)
from airflow_atscale_aggs.engine.sql.sources import DatasetSource
from airflow_atscale_aggs.engine.sql.statements import render

_INTEGER, _TIMESTAMP, _INSTANT = IndicatorKind.INTEGER, IndicatorKind.TIMESTAMP, IndicatorKind.INSTANT


@pytest.mark.parametrize(
    ("dialect", "data_type", "expected"),
    [
        ("duckdb", "bigint", _INTEGER),
        ("duckdb", "integer", _INTEGER),
        ("duckdb", "timestamp", _TIMESTAMP),
        ("duckdb", "timestamp_ns", _TIMESTAMP),
        ("duckdb", "timestamp with time zone", _INSTANT),
        ("duckdb", "hugeint", None),
        ("duckdb", "ubigint", None),
        ("duckdb", "date", None),
        ("duckdb", "double", None),
        ("duckdb", "decimal(38,0)", None),
        ("postgres", "timestamp without time zone", _TIMESTAMP),
        ("postgres", "timestamp(3) with time zone", _INSTANT),
        ("postgres", "numeric", None),
        ("postgres", "time without time zone", None),
        ("snowflake", "number", _INTEGER),
        ("snowflake", "decimal(38, 0)", _INTEGER),
        ("snowflake", "number(38,2)", None),
        ("snowflake", "timestamp_ntz", _TIMESTAMP),
        ("snowflake", "timestamp_ltz", _INSTANT),
        ("bigquery", "int64", _INTEGER),
        ("bigquery", "timestamp", _INSTANT),
        ("bigquery", "datetime", _TIMESTAMP),
        ("databricks", "long", _INTEGER),
        ("databricks", "timestamp", _INSTANT),
        ("databricks", "timestamp_ntz", _TIMESTAMP),
        ("tsql", "datetime2", _TIMESTAMP),
        ("tsql", "datetimeoffset", _INSTANT),
        ("trino", "timestamp(9)", _TIMESTAMP),
        ("trino", "varchar", None),
        ("trino", "", None),
    ],
)
def test_types_that_can_be_an_indicator(dialect: str, data_type: str, expected: IndicatorKind | None) -> None:
    """AtScale: Long, Integer, Decimal(38,0) on Snowflake, Timestamp, DateTime."""
    assert indicator_kind(data_type, find_dialect(dialect)) is expected


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("timestamp_ns", True),
        ("timestamp(9)", True),
        ("timestamp(12)", True),
        ("timestamp(6)", False),
        ("bigint", False),
    ],
)
def test_digits_that_drivers_cut_off(data_type: str, expected: bool) -> None:
    """Python keeps microseconds."""
    assert is_finer_than_kept(data_type) is expected


def _source(dialect: Dialect, kind: str = "timestamp") -> DatasetSource:
    dataset = Dataset(name="sales", table="sales", columns={}, incremental=Incremental(column="at", grace_period="1d"))
    return DatasetSource(dataset, {(None, None, "sales"): {"at": kind}}, dialect)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("kind", list(IndicatorKind))
def test_the_lookup_can_be_said_everywhere(dialect: Dialect, kind: IndicatorKind) -> None:
    """And reads back as it was, with every bound as a typed literal."""
    rows = RowRange(column="at", kind=kind)
    text = render(lookup_statement(rows, _source(dialect), above=(-5, 10), up_to=(10,)), dialect)

    read = sqlglot.parse_one(text, read=dialect.sqlglot_name)

    assert render(read, dialect) == text
    bound = render(literal(kind, 10), dialect)
    assert [text.count(f"{sign} {bound}") for sign in (">", "<=")] == [1, 1]
    assert ("CAST(" in bound) is (kind is not _INTEGER)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (_TIMESTAMP, """TO_CHAR(MAX("f"."at"), 'YYYY-MM-DD HH24:MI:SS.FF9')"""),
        (_INSTANT, """TO_CHAR(MAX("f"."at"), 'YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM')"""),
        (_INTEGER, """CAST(MAX("f"."at") AS VARCHAR)"""),
    ],
)
def test_no_digit_of_the_greatest_value_is_lost_to_a_session(kind: IndicatorKind, expected: str) -> None:
    """Snowflake writes milliseconds unless it is told; rows of the last one would stand above their own bound."""
    dialect = find_dialect("snowflake")
    text = render(lookup_statement(RowRange(column="at", kind=kind), _source(dialect)), dialect)

    assert expected in text


def test_the_answer_of_a_lookup() -> None:
    """Greatest value, rows without one, counts by bound; what is no finite value is said to be none."""
    found = read_lookup(_INTEGER, [(0, None, "12"), (1, None, "3"), (2, "5", "7"), (3, "5", "8")])

    assert (found.greatest, found.nulls, found.above, found.up_to) == (12, 3, {5: 7}, {5: 8})
    assert not read_lookup(_TIMESTAMP, [(0, None, "infinity")]).is_readable
    assert read_lookup(_TIMESTAMP, [(0, None, None)]).is_readable


def test_a_calculated_column_needs_a_type() -> None:
    """The warehouse does not tell the type of a calculation; the model must."""
    for data_type, expected in (("timestamp", ""), (None, "has a type that neither the warehouse nor the model tells")):
        column = Column(
            name="at", data_type=data_type, variants=(SqlVariant(dialect=None, sql="CAST(d AS TIMESTAMP)"),)
        )
        dataset = Dataset(name="sales", table="sales", columns={"at": column})
        source = DatasetSource(dataset, {(None, None, "sales"): {"d": "date"}}, find_dialect("duckdb"))
        problem = type_problem(source, "at")
        assert (expected in problem) if expected else problem == ""
