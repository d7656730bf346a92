"""Every statement that the engine composes runs on DuckDB and on PostgreSQL.

That the other dialects can say them is shown by `tests/unit/sql/test_dialects.py`.
"""

from __future__ import annotations

import psycopg
import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.composed_statements import COARSE, comparisons, physical, statements, target_and_source
from tests.support.stars.throwaway_database import Database, duckdb_in_memory, postgres_at


def _all_statements(dialect: Dialect) -> list[str]:
    """Statements that make the star and then run everything composed, tokens replaced."""
    setup = ["CREATE SCHEMA retail", "CREATE SCHEMA aggs"]
    for (_, schema, name), types in physical().items():
        columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
        setup.append(f'CREATE TABLE "{schema}"."{name}" ({columns})')
    texts = {
        name: render(statement, dialect).replace(TARGET_ATTEMPT, "1") for name, statement in statements(dialect).items()
    }
    fine, drop = texts["from facts: fine"], texts["drop"]
    target, source = (render(place, dialect).replace(TARGET_ATTEMPT, "1") for place in target_and_source(dialect))
    setup.append(fine.replace(target, source))
    builds = [text for name, text in texts.items() if name.startswith(("from facts", "derived"))]
    views = [text for name, text in texts.items() if name.startswith("view")]
    builds_and_drops = [statement for text in builds for statement in (drop, text)]
    return [*setup, *builds_and_drops, drop, fine, texts["count"], *views, *views, texts["proof"]]


def _comparisons_of(name: str, dialect: Dialect) -> list[str]:
    """What compares one of the aggregates, with the attempt that `_all_statements` leaves."""
    return [
        text.replace(TARGET_ATTEMPT, "1") for key, text in comparisons(dialect).items() if key.startswith(f"{name}:")
    ]


def _run_everything(database: Database) -> None:
    for statement in _all_statements(database.dialect):
        database.fetch_all(statement)
    for statement in _comparisons_of("fine", database.dialect):
        database.fetch_all(statement)

    assert database.fetch_all('SELECT COUNT(*) FROM "aggs"."agg_sales_fine"') == [(0,)]


def test_everything_runs_on_duckdb() -> None:
    with duckdb_in_memory() as database:
        _run_everything(database)


@pytest.mark.postgres
def test_everything_runs_on_postgres(postgres_url: str) -> None:
    with postgres_at(postgres_url) as database:
        _run_everything(database)


@pytest.mark.postgres
def test_derived_measures_have_the_types_of_those_from_facts_on_postgres(postgres_url: str) -> None:
    """SUM of INTEGER is BIGINT there, but SUM of BIGINT is NUMERIC."""
    dialect = find_dialect("postgres")
    measures = set(stored_columns(COARSE).measures.values())
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in _all_statements(dialect):
            connection.execute(statement)
        connection.execute('DROP VIEW "aggs"."agg_sales_fine"')
        types = []
        for name in ("from facts: coarse", "derived: coarse"):
            composed = statements(dialect)
            connection.execute(render(composed["drop"], dialect).replace(TARGET_ATTEMPT, "1"))
            connection.execute(render(composed[name], dialect).replace(TARGET_ATTEMPT, "1"))
            columns = connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name LIKE 'as_agg_e0bc4492%'"
            )
            types.append({column: kind for column, kind in columns if column in measures})

    assert types[0] == types[1]
    assert types[0]["sum_qty"] == "bigint"
