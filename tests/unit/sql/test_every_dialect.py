"""Every statement that the engine composes can be said in every dialect, and reads back as what was meant."""

from __future__ import annotations

import duckdb
import psycopg
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, Dialect
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.composed_statements import COARSE, comparisons, physical, statements, target_and_source


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_what_is_rendered_parses_back_to_the_same(dialect):
    """Rendering, parsing and rendering again ends where it began, tree and text."""
    for name, statement in statements(dialect).items():
        text = render(statement, dialect)

        read = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        again = render(read, dialect)
        assert again == text, name
        assert sqlglot.parse_one(again, read=dialect.sqlglot_name) == read, name


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_identifier_is_quoted(dialect):
    for name, statement in statements(dialect).items():
        read = sqlglot.parse_one(render(statement, dialect), read=dialect.sqlglot_name)

        assert [node.name for node in read.find_all(exp.Identifier) if not node.quoted] == [], name


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_comparisons_can_be_said_too(dialect):
    """Rendered with the plan, read back as they were; every identifier quoted, the token in a table's name."""
    for name, text in comparisons(dialect).items():
        read = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        assert render(read, dialect) == text, name
        assert [node.name for node in read.find_all(exp.Identifier) if not node.quoted] == [], name
        tables = [node.name for node in read.find_all(exp.Table)]
        assert text.count(TARGET_ATTEMPT) == sum(TARGET_ATTEMPT in table for table in tables), name
        assert name.endswith("facts") or TARGET_ATTEMPT in text, name


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_attempt_tokens_stand_inside_quoted_names(dialect):
    for name, statement in statements(dialect).items():
        if not name.startswith(("from facts", "derived", "drop", "count")):
            continue
        text = render(statement, dialect)

        tables = [node.name for node in sqlglot.parse_one(text, read=dialect.sqlglot_name).find_all(exp.Table)]

        assert any(TARGET_ATTEMPT in table for table in tables), name
        assert text.count(TARGET_ATTEMPT) == sum(TARGET_ATTEMPT in table for table in tables), name


def _setup_and_all(dialect: Dialect) -> list[str]:
    """Statements that make the star and then run everything composed, tokens replaced."""
    setup = ["CREATE SCHEMA retail", "CREATE SCHEMA aggs"]
    for (_, schema, name), types in physical().items():
        columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
        setup.append(f'CREATE TABLE "{schema}"."{name}" ({columns})')
    composed = statements(dialect)
    made = {name: render(one, dialect).replace(TARGET_ATTEMPT, "1") for name, one in composed.items()}
    fine, drop = made["from facts: fine"], made["drop"]
    target, source = (render(one, dialect).replace(TARGET_ATTEMPT, "1") for one in target_and_source(dialect))
    setup.append(fine.replace(target, source))
    builds = [text for name, text in made.items() if name.startswith(("from facts", "derived"))]
    views = [text for name, text in made.items() if name.startswith("view")]
    built = [statement for text in builds for statement in (drop, text)]
    return [*setup, *built, drop, fine, made["count"], *views, *views, made["proof"]]


def _comparisons_of(name: str, dialect: Dialect) -> list[str]:
    """What compares one of the aggregates, with the attempt that `_setup_and_all` leaves."""
    return [
        text.replace(TARGET_ATTEMPT, "1") for key, text in comparisons(dialect).items() if key.startswith(f"{name}:")
    ]


def test_everything_runs_on_duckdb():
    with duckdb.connect() as connection:
        for statement in _setup_and_all(DIALECTS["duckdb"]):
            connection.execute(statement)
        for statement in _comparisons_of("fine", DIALECTS["duckdb"]):
            connection.execute(statement)

        assert connection.execute('SELECT COUNT(*) FROM "aggs"."agg_sales_fine"').fetchone() == (0,)


@pytest.mark.postgres
def test_everything_runs_on_postgres(postgres_url):
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in _setup_and_all(DIALECTS["postgres"]):
            connection.execute(statement)
        for statement in _comparisons_of("fine", DIALECTS["postgres"]):
            connection.execute(statement)

        assert connection.execute('SELECT COUNT(*) FROM "aggs"."agg_sales_fine"').fetchone() == (0,)


@pytest.mark.postgres
def test_derived_measures_have_the_types_of_those_from_facts_on_postgres(postgres_url):
    """SUM of INTEGER is BIGINT there, but SUM of BIGINT is NUMERIC."""
    dialect = DIALECTS["postgres"]
    measures = set(stored_columns(COARSE).measures.values())
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in _setup_and_all(dialect):
            connection.execute(statement)
        connection.execute('DROP VIEW "aggs"."agg_sales_fine"')
        types = []
        for name in ("from facts: coarse", "derived: coarse"):
            composed = statements(dialect)
            connection.execute(render(composed["drop"], dialect).replace(TARGET_ATTEMPT, "1"))
            connection.execute(render(composed[name], dialect).replace(TARGET_ATTEMPT, "1"))
            found = connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name LIKE 'as_agg_e0bc4492%'"
            )
            types.append({column: kind for column, kind in found if column in measures})

    assert types[0] == types[1]
    assert types[0]["sum_qty"] == "bigint"
