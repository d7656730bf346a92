"""Which settings of a session decide what an aggregate stores, and which calculations may be refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sqlglot

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Dataset, TableColumns, TableKey
from airflow_atscale_aggs.engine.sql.dependence import can_fail, find_needed_settings
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.session_settings import Reach
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.stars.small_star import CITY, attribute, calculation, join, measures, part

_CALCULATIONS, _TEXTS, _ROWS = "calculations", "texts", "rows"


def _sources(
    dialect: str, tables: dict[str, str], calculated: dict[str, str] | None = None, kind: str = "table"
) -> Sources:
    """Tables as in ``{"sales": "shop_id integer"}``; calculations belong to the sales."""
    datasets: dict[str, Dataset] = {}
    physical: dict[TableKey, Mapping[str, str]] = {}
    for name, columns in tables.items():
        typed = dict(column.split(" ", 1) for column in columns.split(", "))
        own = calculated if name == "sales" else None
        datasets[name] = Dataset(
            name=name, table=name, columns={key: calculation(key, sql) for key, sql in (own or {}).items()}
        )
        physical[None, None, name] = TableColumns(typed, ("", "", name), kind)
    return Sources(datasets, physical, find_dialect(dialect))


def _reaches(names: tuple[str, ...], sources: Sources) -> set[str]:
    """What the settings of these names can change. All of one reach are needed, or none."""
    settings = sources.dialect.session_settings
    assert settings is not None
    reaches = {settings.reach[name] for name in names}
    assert set(names) == {name for name, reach in settings.reach.items() if reach in reaches}
    assert list(names) == sorted(names)
    return {str(reach) for reach in reaches}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("integer", set()),
        ("decimal(9,2)", set()),
        ("double", set()),
        ("date", set()),
        ("timestamp", set()),
        ("varchar", {_TEXTS}),
        ("timestamp with time zone", {_TEXTS}),
        ("uuid", {_TEXTS}),
    ],
)
def test_a_number_or_a_date_of_a_table_is_the_same_in_every_session(kind: str, expected: set[str]) -> None:
    """Which texts are equal may depend on the session; of other types it is not known whether they are compared so."""
    sources = _sources("duckdb", {"sales": f"amount integer, x {kind}"})

    needed = find_needed_settings(part(attribute("x", "sales", "x", "x")), sources)

    assert _reaches(needed, sources) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("n + 1", set()),
        ("CASE WHEN n > 5 AND d IS NOT NULL THEN 1 ELSE 0 END", set()),
        ("EXTRACT(YEAR FROM d)", set()),
        ("CAST(n AS DOUBLE PRECISION)", set()),
        ("COALESCE(NULLIF(f, 0), 1)", set()),
        ("UPPER(t)", {_TEXTS}),
        ("t || 'x'", {_TEXTS}),
        ("CASE WHEN n = 1 THEN 'one' END", {_TEXTS}),
        ("CAST(n AS VARCHAR)", {_TEXTS}),
        ("CAST(d AS VARCHAR)", {_CALCULATIONS, _TEXTS}),
        ("CAST(f AS VARCHAR)", {_CALCULATIONS, _TEXTS}),
        ("d > '2020-01-01'", {_CALCULATIONS, _TEXTS}),
        ("CAST(z AS DATE)", {_CALCULATIONS, _TEXTS}),
        ("n / 2", {_CALCULATIONS, _TEXTS}),
        ("TO_CHAR(d, 'YYYY')", {_CALCULATIONS, _TEXTS}),
        ("CURRENT_TIMESTAMP", {_CALCULATIONS, _TEXTS}),
        ("ROUND(f)", {_CALCULATIONS, _TEXTS}),
        ("CAST(n AS INTERVAL)", {_CALCULATIONS, _TEXTS}),
    ],
)
def test_a_calculation_depends_on_the_session_unless_it_is_plain(sql: str, expected: set[str]) -> None:
    """Texts beside dates or floating numbers are casts that settings decide; what is not known may be anything."""
    tables = {"sales": "amount integer, n integer, f double, d date, t varchar, z timestamp with time zone"}
    sources = _sources("duckdb", tables, {"c": sql})

    needed = find_needed_settings(part(attribute("c", "sales", "c", "c")), sources)

    assert _reaches(needed, sources) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("integer", "integer", set()),
        ("integer", "bigint", set()),
        ("integer", "double", set()),
        ("date", "timestamp", set()),
        ("varchar", "varchar", {_TEXTS}),
        ("timestamp with time zone", "timestamp with time zone", {_TEXTS}),
        ("varchar", "integer", {_CALCULATIONS, _TEXTS}),
        ("date", "timestamp with time zone", {_CALCULATIONS, _TEXTS}),
        ("date", "integer", {_CALCULATIONS, _TEXTS}),
    ],
)
def test_a_join_depends_on_the_session_where_it_must_cast(left: str, right: str, expected: set[str]) -> None:
    sources = _sources("duckdb", {"sales": f"shop_id {left}, amount integer", "shop": f"shop_id {right}, city integer"})

    assert _reaches(find_needed_settings(part(CITY), sources), sources) == expected


@pytest.mark.parametrize(
    ("kind", "expected"), [("integer", set()), ("timestamp with time zone", {_CALCULATIONS, _TEXTS})]
)
def test_a_join_on_a_calculation_depends_on_the_session_where_the_other_side_is_an_instant(
    kind: str, expected: set[str]
) -> None:
    """The type of the calculation is not known: a date against an instant would be cast."""
    sources = _sources(
        "duckdb", {"sales": "n integer, amount integer", "shop": f"id {kind}, city integer"}, {"c": "n + 1"}
    )
    city = attribute("city", "shop", "city", "city", join("unique_key", "sales", "c", "shop", "id"))

    assert _reaches(find_needed_settings(part(city), sources), sources) == expected


@pytest.mark.parametrize(
    ("kind", "has_row_security", "expected"),
    [
        ("table", False, set()),
        ("table", True, {_ROWS}),
        ("view", False, {_CALCULATIONS, _ROWS}),
        ("foreign", False, {_CALCULATIONS, _ROWS}),
    ],
)
def test_what_stands_behind_a_view_is_not_known(kind: str, has_row_security: bool, expected: set[str]) -> None:
    """It may calculate, and it may ask who reads it. PostgreSQL has no setting for texts alone."""
    sources = _sources("postgres", {"sales": "amount integer"}, kind=kind)
    table = sources["sales"].table
    assert table is not None
    table.has_row_security = has_row_security

    assert _reaches(find_needed_settings(part(), sources), sources) == expected


def test_a_timestamp_is_an_instant_where_the_warehouse_says_so() -> None:
    """The same calculation is plain on DuckDB, whose TIMESTAMP has no zone."""
    tables = {"sales": "amount integer, at timestamp, civil datetime"}
    by_day = part(attribute("c", "sales", "c", "c"))

    needed = {
        (dialect, column): find_needed_settings(by_day, _sources(dialect, tables, {"c": f"CAST({column} AS DATE)"}))
        for dialect in ("duckdb", "bigquery")
        for column in ("at", "civil")
    }

    assert {place: names for place, names in needed.items() if names} == {("bigquery", "at"): ("time_zone",)}


def test_measures_count_as_well_as_attributes() -> None:
    sources = _sources("duckdb", {"sales": "amount varchar"})

    assert Reach.TEXTS in _reaches(find_needed_settings(part(measures=measures("minimum")), sources), sources)


def test_a_column_that_is_not_there_is_refused() -> None:
    sources = _sources("duckdb", {"sales": "amount integer"}, {"c": "gone + 1"})

    with pytest.raises(DefinitionError, match="column `gone`"):
        find_needed_settings(part(attribute("c", "sales", "c", "c")), sources)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a", False),
        ("a + 1 > b", False),
        ("CASE WHEN a IS NULL THEN 'x' ELSE UPPER(b) END", False),
        ("COALESCE(a, 0) * 2", False),
        ("CAST(a AS DATE)", True),
        ("a / b", True),
        ("a % b", True),
        ("TO_DATE(a, 'YYYY')", True),
        ("SQRT(a)", True),
        ("1 + (CASE WHEN b THEN CAST(a AS INTEGER) END)", True),
    ],
)
def test_a_calculation_that_the_warehouse_may_refuse_for_some_value(sql: str, expected: bool) -> None:
    """By a cast, a division, or a function that is not known."""
    assert can_fail(sqlglot.parse_one(sql, read="postgres")) is expected
