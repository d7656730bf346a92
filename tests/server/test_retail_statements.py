"""Statements of BI clients over the wire, on a model of several facts, equal the facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import Served, running
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars.retail_model import MODEL_FOLDER, SCHEMA
from tests.support.stars.tpc_data import generate, load_duckdb

_OWN = Path(__file__).parent / "statements" / "retail.sql"
_COLLECTED = Path(__file__).parents[3] / "shared" / "trials" / "clients.sql"

_OF_THE_SESSION = {"version", "infoschema"}
"""Statements that PostgreSQL answers, since they are about no model."""

_OF_TABLES = {"blend_table"}
"""Statements that need tables of the warehouse as well, which no client may read."""


def _statements(file: Path) -> dict[str, str]:
    """By the name above each."""
    blocks = ("\n" + file.read_text(encoding="utf-8")).split("\n-- ")[1:]
    named = (block.partition("\n") for block in blocks)
    return {name.strip(): sql.strip() for name, _, sql in named if sql.strip()}


@pytest.fixture(scope="module")
def retail(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Served]:
    """Our own retail model with its aggregates."""
    folder = tmp_path_factory.mktemp("retail")
    load_duckdb(generate("tpcds", "0.01", folder), folder / "warehouse.duckdb", SCHEMA)
    registry, warehouse = f"sqlite:///{folder / 'registry.sqlite'}", f"duckdb:///{folder / 'warehouse.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        deploy(workspace, MODEL_FOLDER, now=utc_now())
        run_batch(workspace, "retail", owner="test", jobs=2)
        with running(workspace, postgres_server, ServerOptions(port=0, without_password=True)) as started:
            yield started


def _connect(served: Served) -> psycopg.Connection[Any]:
    return psycopg.connect(f"host={served.host} port={served.port} dbname=retail_demo user=analyst", autocommit=True)


def _plain(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows whose times are texts: midnight is the same as its day, since warehouses differ in what they make of it."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            value = value.replace(tzinfo=None)
            return value.date().isoformat() if value.time() == time() else value.isoformat()
        return value.isoformat() if isinstance(value, date) else value

    return [tuple(map(plain, row)) for row in rows]


def _differences(served: Served, statements: dict[str, str]) -> dict[str, str]:
    """What differs from the facts, as texts and as binary values."""
    differing = {}
    with _connect(served) as connection, QueryRouter(served.workspace) as router:
        for name, sql in statements.items():
            wanted = router.answer(sql, use_aggregates=False).rows
            for is_binary in (False, True):
                try:
                    rows = connection.cursor(binary=is_binary).execute(sql).fetchall()
                    differing[f"{name}, binary {is_binary}"] = same_rows(_plain(rows), _plain(wanted))
                except psycopg.Error as error:
                    differing[f"{name}, binary {is_binary}"] = str(error)
    return {name: told for name, told in differing.items() if told}


def test_they_are_answered_as_the_facts_say(retail: Served) -> None:
    statements = _statements(_OWN)

    assert len(statements) >= 40
    assert _differences(retail, statements) == {}


def test_those_that_were_collected_from_clients_are_answered(retail: Served) -> None:
    """The file is no part of the project: its statements are those of products."""
    if not _COLLECTED.is_file():
        pytest.skip(f"the statements collected from clients are not at {_COLLECTED}")
    statements = _statements(_COLLECTED)
    samples = {name: sql for name, sql in statements.items() if "* FROM retail LIMIT" in sql}
    others = {name: sql for name, sql in statements.items() if name not in {*samples, *_OF_THE_SESSION, *_OF_TABLES}}

    assert _differences(retail, others) == {}
    with _connect(retail) as connection:
        for sql in samples.values():
            # Any rows are right, but all have the columns that the client was told.
            assert len(connection.execute(sql).fetchall()) == 100
        for name in _OF_THE_SESSION & set(statements):
            assert connection.execute(statements[name]).fetchall()
        for name in _OF_TABLES & set(statements):
            with pytest.raises(psycopg.errors.UndefinedTable, match="out of your reach"):
                connection.execute(statements[name])


@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
def test_a_star_has_the_columns_of_its_rows(retail: Served, is_binary: bool) -> None:
    """No row has the metrics of several facts: a sample shows one, with or without parameters."""
    with _connect(retail) as connection:
        cursor = connection.cursor(binary=is_binary)
        whole = cursor.execute('SELECT * FROM retail ORDER BY "Sold Day", "Article", "Second" LIMIT 5').fetchall()
        names = [column.name for column in cursor.description or ()]
        sql = 'SELECT * FROM retail WHERE "Sold Year" > %s ORDER BY "Sold Day", "Article", "Second" LIMIT 5'
        bound = cursor.execute(sql, [0]).fetchall()
        assert [column.name for column in cursor.description or ()] == names
        cursor.execute("SELECT * FROM retail LIMIT 0")
        every = [column.name for column in cursor.description or ()]

    assert "Store Revenue" in names
    assert "Web Revenue" not in names
    assert set(names) < set(every)
    assert len(whole) == len(bound) == 5
    assert all(len(row) == len(names) for row in whole)
