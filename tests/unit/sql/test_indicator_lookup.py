"""Incremental indicators in SQL: their types, conditions on ranges, and the one lookup of a fact."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import sqlglot

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import (
    IndicatorFacts,
    indicator_kind,
    indicator_type,
    is_finer_than_kept,
    literal,
    lookup_statement,
    range_condition,
    read_lookup,
    type_problem,
    unsupported_reason,
)
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import SmallStar, calculation, described_sources, table_dataset

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
        ("snowflake", "number(18,0)", _INTEGER),
        ("snowflake", "number(18,1)", None),
        ("snowflake", "fixed", _INTEGER),
        ("snowflake", "timestamp_ntz(9)", _TIMESTAMP),
        ("snowflake", "timestamp_tz(9)", _INSTANT),
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


def _source(dialect: Dialect | str, kind: str = "timestamp") -> DatasetSource:
    return described_sources(dialect, sales=f"at {kind}")["sales"]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("kind", list(IndicatorKind))
def test_the_lookup_can_be_said_everywhere(dialect: Dialect, kind: IndicatorKind) -> None:
    """And reads back as it was, with every bound as a typed literal."""
    rows = RowRange(column="at", kind=kind)
    text = render(lookup_statement(rows, _source(dialect), above=(-5, 10), up_to=(10,)), dialect)

    read = sqlglot.parse_one(text, read=dialect.sqlglot_name)

    assert render(read, dialect) == text
    bound = render(literal(kind, 10, dialect), dialect)
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


def test_a_bound_has_no_time_zone_whatever_a_session_takes_timestamp_for() -> None:
    """Snowflake's TIMESTAMP_TYPE_MAPPING decides what TIMESTAMP is."""
    dialect = find_dialect("snowflake")

    assert render(literal(_TIMESTAMP, 10, dialect), dialect) == "CAST('1970-01-01 00:00:00.000010' AS TIMESTAMPNTZ)"


def test_the_answer_of_a_lookup_of_a_driver_that_gives_numbers_in_other_forms() -> None:
    """Decimals, floating numbers, and texts of them."""
    answer = read_lookup(_INTEGER, [(Decimal(0), None, "12"), (1.0, None, "3.0"), (Decimal(2), "5", Decimal(7))])

    assert answer == IndicatorFacts(greatest=12, nulls=3, above={5: 7})


def test_the_answer_of_a_lookup() -> None:
    """Greatest value, rows without one, counts by bound, greatest up to a moment that a row has reached."""
    answer = read_lookup(
        _INTEGER, [(0, None, "12"), (1, None, "3"), (2, "5", "7"), (3, "5", "8"), (4, "9", "8"), (4, "0", None)]
    )

    assert answer == IndicatorFacts(greatest=12, nulls=3, above={5: 7}, up_to={5: 8}, newest={9: 8})


@pytest.mark.parametrize(("value", "is_readable"), [("infinity", False), (None, True), ("2020-01-01 00:00:00", True)])
def test_a_greatest_value_that_is_no_moment_is_not_readable(value: str | None, is_readable: bool) -> None:
    assert read_lookup(_TIMESTAMP, [(0, None, value)]).is_readable is is_readable


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("3", "5", "5", "8", "NULL"), IndicatorFacts(greatest=8, nulls=1, above={5: 1}, up_to={5: 3, 2: 0})),
        (("3", "NULL"), IndicatorFacts(greatest=None, nulls=1, above={5: 0}, up_to={5: 1, 2: 0})),
        ((), IndicatorFacts(greatest=None, nulls=0, above={5: 0}, up_to={5: 0, 2: 0})),
    ],
    ids=["rows above the bound", "no rows above it", "no rows"],
)
def test_one_query_tells_all_of_an_indicator(star: SmallStar, rows: tuple[str, ...], expected: IndicatorFacts) -> None:
    star.add("sales", "number", *rows)

    assert _lookup(star, "number", _INTEGER, above=(5,), up_to=(5, 2)) == expected


def test_rows_of_ranges_are_counted_by_themselves(star: SmallStar) -> None:
    star.add("sales", "number", "3", "5", "5", "8", "NULL")
    ranges = [RowRange(column="number", kind=_INTEGER, after=after, through=5) for after in (None, -2, 3)]
    statement = lookup_statement(ranges[0], star.sources()["sales"], within=ranges)

    assert read_lookup(_INTEGER, star.rows(statement)).within == {(None, 5): 3, (-2, 5): 3, (3, 5): 2}


def test_the_newest_row_is_looked_for_above_the_least_bound(star: SmallStar) -> None:
    star.add("sales", "number", "1", "3", "6", "9")

    assert _lookup(star, "number", _INTEGER, above=(5, 2), moments=(2, 4, 8)).newest == {4: 3, 8: 6}
    assert _lookup(star, "number", _INTEGER, above=(5,), moments=(4, 8)).newest == {8: 6}
    assert _lookup(star, "number", _INTEGER, moments=(2, 4, 8)).newest == {2: 1, 4: 3, 8: 6}


@pytest.mark.parametrize(
    ("kind", "values", "indicator", "greatest"),
    [
        ("timestamp", ("'1970-01-01 00:00:01.000002'", "'1970-01-01'"), _TIMESTAMP, 1_000_002),
        ("timestamptz", ("'1970-01-01 02:00:01+02'", "'1970-01-01 00:00:00+00'"), _INSTANT, 1_000_000),
        ("timestamp", ("'-infinity'", "'infinity'"), _TIMESTAMP, None),
    ],
)
def test_moments_are_microseconds_since_1970(
    star: SmallStar, kind: str, values: tuple[str, ...], indicator: IndicatorKind, greatest: int | None
) -> None:
    star.add("sales", f"moment:{kind}", *values)

    answer = _lookup(star, "moment", indicator)

    assert (answer.greatest, answer.is_readable) == (greatest, greatest is not None)


def _lookup(
    star: SmallStar,
    column: str,
    kind: IndicatorKind,
    *,
    above: tuple[int, ...] = (),
    up_to: tuple[int, ...] = (),
    moments: tuple[int, ...] = (),
) -> IndicatorFacts:
    """What one look at the sales says of their indicator."""
    statement = lookup_statement(
        RowRange(column=column, kind=kind), star.sources()["sales"], above=above, up_to=up_to, moments=moments
    )
    return read_lookup(kind, star.rows(statement))


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("bigquery", "UNIX_MICROS(MAX(`f`.`at`))"),
        ("databricks", "UNIX_MICROS(MAX(`f`.`at`))"),
        ("duckdb", 'MAX("f"."at")'),
    ],
)
def test_instants_are_read_as_numbers_where_their_text_has_no_offset(dialect: str, expected: str) -> None:
    source = _source(dialect, "timestamptz")

    text = render(lookup_statement(RowRange(column="at", kind=_INSTANT), source), source.dialect)

    assert f"CAST({expected} AS " in text


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (RowRange(column="at", kind=_INTEGER), None),
        (RowRange(column="at", kind=_INTEGER, after=-3), '"f"."at" > -3'),
        (RowRange(column="at", kind=_INTEGER, through=7), '"f"."at" <= 7'),
        (RowRange(column="at", kind=_INTEGER, after=0, through=7), '"f"."at" > 0 AND "f"."at" <= 7'),
        (
            RowRange(column="at", kind=_TIMESTAMP, after=1),
            """"f"."at" > CAST('1970-01-01 00:00:00.000001' AS TIMESTAMP)""",
        ),
        (
            RowRange(column="at", kind=_INSTANT, through=-1),
            """"f"."at" <= CAST('1969-12-31 23:59:59.999999+00:00' AS TIMESTAMPTZ)""",
        ),
    ],
    ids=str,
)
def test_a_range_is_a_condition_on_the_column_itself(rows: RowRange, expected: str | None) -> None:
    """Its lower bound is left out and its upper bound is in. Only typed literals let warehouses skip partitions."""
    source = _source("duckdb")

    condition = range_condition(rows, source, "f")

    assert (condition and render(condition, source.dialect)) == expected


@pytest.mark.parametrize(
    ("column", "data_type", "words"),
    [
        ("d", None, "`d` of dataset `sales` has type DATE; supported are Long, Integer, Decimal(38,0) on Snowflake"),
        ("at", "timestamp", ""),
        ("at", None, "`at` of dataset `sales` has a type that neither the warehouse nor the model tells"),
        ("gone", None, "column `gone` of dataset `sales` (sales.yml:1) is not in the warehouse"),
    ],
)
def test_why_a_column_cannot_be_an_indicator(column: str, data_type: str | None, words: str) -> None:
    """The warehouse does not tell the type of a calculation; the model must."""
    problem = type_problem(_with_calculation(data_type)["sales"], column)

    assert (words in problem) if words else problem == ""


def _with_calculation(data_type: str | None) -> Sources:
    """Sales with a date, and a calculated timestamp of a type that the model tells or not."""
    dataset = table_dataset("sales", ["d"])
    own = {**dataset.columns, "at": calculation("at", "CAST(d AS TIMESTAMP)", data_type)}
    return Sources(
        {"sales": replace(dataset, columns=own)}, {(None, None, "sales"): {"d": "date"}}, find_dialect("duckdb")
    )


def test_the_type_of_an_indicator_is_the_warehouses_or_the_models() -> None:
    source = _with_calculation("Timestamp")["sales"]

    assert [indicator_type(source, column) for column in ("d", "at")] == ["date", "timestamp"]
    with pytest.raises(DefinitionError, match="column `gone`"):
        indicator_type(source, "gone")


def test_what_can_be_done_about_an_unsupported_indicator_is_said() -> None:
    reason = unsupported_reason("sales", "at", "date")

    assert reason.endswith("Name another column, or add a calculated one with a data_type")
