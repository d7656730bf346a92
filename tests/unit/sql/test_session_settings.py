"""Settings that decide what a stored value is: DuckDB has them all, can read and can set them."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.session_settings import (
    DUCKDB_SETTINGS,
    POSTGRES_SETTINGS,
    REDSHIFT_SETTINGS,
    SEARCH_PATH,
    TRINO_SETTINGS,
    Reach,
)
from airflow_atscale_aggs.engine.sql.text_literals import text_literal


def test_duckdb_tells_the_settings_that_it_has() -> None:
    """A setting of older versions only is left out."""
    names = ", ".join(map(text_literal, DUCKDB_SETTINGS.reach))

    rows = duckdb.connect().execute(DUCKDB_SETTINGS.read.format(names=names)).fetchall()

    assert DUCKDB_SETTINGS.reach.keys() - {row[0] for row in rows} <= {"old_implicit_casting"}


@pytest.mark.parametrize(
    ("name", "value", "query", "before", "after"),
    [
        ("integer_division", "true", "SELECT 7 / 2", 3.5, 3),
        ("default_collation", "NOCASE", "SELECT x = 'A' FROM (SELECT CAST('a' AS VARCHAR) AS x)", False, True),
        ("default_null_order", "nulls_first", "SELECT FIRST(x ORDER BY x) FROM (VALUES (1), (NULL)) AS t(x)", 1, None),
    ],
)
def test_a_setting_that_is_written_changes_what_a_value_is(
    name: str, value: str, query: str, before: object, after: object
) -> None:
    assert DUCKDB_SETTINGS.reach[name] is (Reach.TEXTS if name == "default_collation" else Reach.CALCULATIONS)
    connection = duckdb.connect()
    assert connection.execute(query).fetchall() == [(before,)]

    connection.execute(DUCKDB_SETTINGS.write.format(word=name, name=text_literal(name), value=text_literal(value)))

    assert connection.execute(query).fetchall() == [(after,)]
    ((shown,),) = connection.execute(f"SELECT {DUCKDB_SETTINGS.value.format(name=text_literal(name))}").fetchall()
    assert shown.casefold() == value.casefold()


def test_only_the_role_of_a_session_decides_which_rows_it_sees() -> None:
    by_reach = {
        reach: [name for name, own in POSTGRES_SETTINGS.reach.items() if own is reach]
        for reach in (Reach.ROWS, Reach.TEXTS)
    }

    assert POSTGRES_SETTINGS.reach[SEARCH_PATH] is Reach.CALCULATIONS
    assert by_reach == {Reach.ROWS: ["current_user"], Reach.TEXTS: []}
    assert POSTGRES_SETTINGS.fixed == {"current_user"}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_what_is_fixed_or_held_is_a_setting_that_is_read(dialect: Dialect) -> None:
    settings = dialect.session_settings
    assert settings is not None

    assert settings.fixed <= settings.reach.keys()
    assert settings.literals.keys() <= settings.reach.keys()


@pytest.mark.parametrize(
    ("read", "dialect", "names"),
    [
        (REDSHIFT_SETTINGS.read, "redshift", list(REDSHIFT_SETTINGS.reach)),
        (TRINO_SETTINGS.read, "trino", ["TimeZone"]),
    ],
)
def test_a_statement_without_places_has_a_row_of_each_setting(read: str, dialect: str, names: list[str]) -> None:
    selects = sqlglot.parse_one(read, read=dialect).find_all(sqlglot.exp.Select)

    assert sorted(select.expressions[0].name for select in selects) == sorted(names)
