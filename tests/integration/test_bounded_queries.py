"""Hostile queries of somebody who may ask one model only, or the warehouse's tables as well: none does any harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, OutOfReachError, QueryError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from tests.support.stars import tiny_star

_CANARY = "canary-of-a-secret"
_ROWS = RowBounds(1000, 10**7)
_MODEL_ONLY = QueryBounds(
    sees=lambda record: record.name == "tiny_sales", reads_tables=False, is_guarded=True, rows=_ROWS
)
_TABLES = QueryBounds(is_guarded=True, rows=_ROWS)
_ON_MODEL = 'SELECT "City", "Amount" FROM tiny.tiny_sales'

_STATEMENTS = (
    "DROP TABLE secret",
    "DELETE FROM secret",
    "UPDATE secret SET word = 'gone'",
    "INSERT INTO secret VALUES ('more')",
    "CREATE TABLE stolen AS SELECT * FROM secret",
    "CREATE VIEW stolen AS SELECT * FROM secret",
    "ALTER TABLE secret RENAME TO gone",
    "TRUNCATE secret",
    "COPY secret TO '{folder}/stolen.csv'",
    "COPY (SELECT 1) TO PROGRAM 'touch {folder}/stolen'",
    "EXPORT DATABASE '{folder}/stolen'",
    "PRAGMA database_list",
    "ATTACH '{folder}/stolen.db' AS stolen",
    "SET enable_external_access = true",
    "SET default_transaction_read_only = off",
    "CALL pragma_version()",
    "DO $$ BEGIN DELETE FROM secret; END $$",
    "{model}; DROP TABLE secret",
    "{model};; DELETE FROM secret;",
    "{model} -- ;\n; DELETE FROM secret",
    "{model} /* */ ; /* ; */ DELETE FROM secret",
    "SELECT 1; COMMIT; DROP TABLE secret; --",
    "WITH gone AS (DELETE FROM secret RETURNING *) SELECT * FROM gone",
    "WITH gone AS (DELETE FROM secret RETURNING *), m AS ({model}) SELECT m.* FROM m, gone",
    "SELECT * INTO stolen FROM secret",
    "EXPLAIN ANALYZE DELETE FROM secret",
)
_FUNCTIONS = (
    "SELECT * FROM read_csv('{folder}/canary.csv')",
    "SELECT * FROM read_text('{folder}/canary.csv')",
    "SELECT * FROM '{folder}/canary.csv'",
    'SELECT * FROM "{folder}/canary.csv"',
    "FROM '{folder}/canary.csv'",
    "SELECT m.*, f.* FROM ({model}) AS m, read_csv('{folder}/canary.csv') AS f",
    'SELECT m.*, f.* FROM ({model}) AS m, "{folder}/canary.csv" AS f',
    "{model} WHERE \"City\" IN (SELECT column0 FROM read_csv('{folder}/canary.csv'))",
    "{model} WHERE \"City\" = (SELECT content FROM read_text('{folder}/canary.csv'))",
    "SELECT \"City\", pg_read_file('{folder}/canary.csv') FROM tiny.tiny_sales",
    "SELECT pg_read_file('{folder}/canary.csv')",
    "SELECT pg_catalog.pg_read_file('{folder}/canary.csv') FROM ({model}) AS m",
    "SELECT m.*, pg_read_file('{folder}/canary.csv') FROM ({model}) AS m",
    "SELECT lo_import('{folder}/canary.csv')",
    "SELECT query_to_xml('DELETE FROM secret', true, true, '')",
    "SELECT * FROM query('DROP TABLE secret')",
    "SELECT * FROM query_table('secret')",
    "SELECT table_to_xml('secret', true, true, '') FROM ({model}) AS m",
    "SELECT nextval('counter') FROM ({model}) AS m",
    "SELECT setval('counter', 100)",
    "SELECT set_config('statement_timeout', '0', false)",
    'SELECT pg_sleep(0), "City" FROM tiny.tiny_sales',
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "SELECT current_setting('data_directory')",
    "SELECT getenv('HOME')",
    "SELECT delete_secrets()",
    "SELECT public.delete_secrets() FROM ({model}) AS m",
    "SELECT 'secret'::regclass FROM ({model}) AS m",
)
_TABLES_BESIDE = (
    "SELECT word FROM secret",
    "SELECT word FROM public.secret",
    "SELECT word FROM main.secret",
    "TABLE secret",
    "FROM secret",
    'SELECT m."City", s.word FROM ({model}) AS m, secret AS s',
    'SELECT m."City", s.word FROM tiny.tiny_sales AS m JOIN secret AS s ON TRUE',
    '{model} WHERE "City" IN (SELECT word FROM secret)',
    "{model} UNION ALL SELECT word, 1 FROM secret",
    'WITH s AS (SELECT word FROM secret) {model} WHERE "City" IN (SELECT word FROM s)',
    "WITH secret AS (SELECT word FROM secret) SELECT * FROM secret, ({model}) AS m",
    'SELECT (SELECT MAX(word) FROM secret), "Amount" FROM tiny.tiny_sales',
    "{model} ORDER BY (SELECT MAX(word) FROM secret)",
    "{model} LIMIT (SELECT COUNT(*) FROM secret)",
    'SELECT "City", "Amount" FROM hidden.hidden_sales',
    'SELECT "City", "Amount" FROM hidden_sales',
    'SELECT h.* FROM ({model}) AS m, (SELECT "City" FROM hidden.hidden_sales) AS h',
    "SELECT * FROM sales",
    "SELECT * FROM aggs.by_city",
    "SELECT table_name FROM information_schema.tables",
    "SELECT relname FROM pg_class",
    "SELECT t.table_name FROM ({model}) AS m, information_schema.tables AS t",
    "SELECT has_table_privilege('secret', 'select') FROM ({model}) AS m",
    "SELECT to_regclass('secret') FROM ({model}) AS m",
)


@pytest.fixture
def shared(empty_workspace: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """Two models of one star, a table that is nobody's business, a function that deletes it, and a file beside."""
    (tmp_path / "canary.csv").write_text(f"{_CANARY}\n")
    tiny_star.run_sql(
        empty_workspace,
        *tiny_star.SETUP_SQL,
        "CREATE TABLE secret (word VARCHAR(100))",
        f"INSERT INTO secret VALUES ('{_CANARY}')",
        "CREATE SEQUENCE counter",
    )
    if empty_workspace.warehouse.dialect.name == "postgres":
        tiny_star.run_sql(
            empty_workspace,
            "CREATE FUNCTION delete_secrets() RETURNS int LANGUAGE sql AS 'DELETE FROM secret RETURNING 1'",
        )
    for name in ("tiny", "hidden"):
        folder = tiny_star.write_model(tmp_path / name)
        for file in ("model", "catalog"):
            text = (folder / f"{file}.yml").read_text()
            (folder / f"{file}.yml").write_text(text.replace("unique_name: tiny", f"unique_name: {name}"))
        deploy(empty_workspace, folder, now=utc_now())
    yield empty_workspace
    with empty_workspace.warehouse.session() as session:
        assert session.fetch_all("SELECT word FROM secret") == [(_CANARY,)]
        assert session.fetch_all("SELECT nextval('counter')") == [(1,)]
        assert "stolen" not in session.tables("")
    assert [file.name for file in tmp_path.iterdir() if "stolen" in file.name] == []


def test_nobody_makes_the_warehouse_do_more_than_read(shared: Workspace, tmp_path: Path) -> None:
    """Not even those who may read every table; and no refusal says what stands in a file or a table."""
    for written in (*_STATEMENTS, *_FUNCTIONS):
        sql = written.format(model=_ON_MODEL, folder=tmp_path)
        for bounds in (_MODEL_ONLY, _TABLES):
            for ask in (answer, explain):
                for dialect in ("postgres", shared.warehouse.dialect.sqlglot_name, "mysql", "tsql"):
                    with pytest.raises(AtScaleAggsError) as raised:
                        ask(shared, sql, bounds=bounds, dialect=dialect)
                    assert isinstance(raised.value, QueryError), (sql, dialect, raised.value)
                    assert _CANARY not in str(raised.value)


def test_who_may_ask_one_model_reads_nothing_else(shared: Workspace, tmp_path: Path) -> None:
    for written in _TABLES_BESIDE:
        sql = written.format(model=_ON_MODEL, folder=tmp_path)
        for dialect in ("postgres", shared.warehouse.dialect.sqlglot_name):
            for ask in (answer, explain):
                with pytest.raises(QueryError) as raised:
                    ask(shared, sql, bounds=_MODEL_ONLY, dialect=dialect)
                assert _CANARY not in str(raised.value)
                for name in ("hidden_sales", "secret"):
                    assert name in sql or name not in str(raised.value)


def test_what_is_there_and_what_is_not_are_refused_alike(shared: Workspace) -> None:
    """So that nobody finds out names of tables and models by trying."""
    sentences = set()
    for name in ("secret", "nothing", "hidden.hidden_sales", "hidden_sales", "hidden.nothing"):
        with pytest.raises(OutOfReachError) as raised:
            answer(shared, f'SELECT "City" FROM {name}', bounds=_MODEL_ONLY)
        sentences.add(str(raised.value).replace(name, "…"))

    assert len(sentences) == 1


def test_honest_queries_are_answered(shared: Workspace) -> None:
    on_model = answer(shared, _ON_MODEL, bounds=_MODEL_ONLY)
    on_tables = answer(
        shared, "SELECT city, SUM(amount) FROM sales JOIN shop USING (shop_id) GROUP BY 1 ORDER BY 1", bounds=_TABLES
    )
    beside = answer(shared, f"SELECT m.*, s.word FROM ({_ON_MODEL}) AS m, secret AS s", bounds=_TABLES)

    assert sorted(on_model.rows, key=str) == sorted(on_tables.rows, key=str)
    assert {row[2] for row in beside.rows} == {_CANARY}
    shown = answer(shared, "SELECT table_name FROM information_schema.tables", bounds=_TABLES)
    assert {"tiny_sales", "hidden_sales", "secret"} <= {row[0] for row in shown.rows}
