"""A server of the PostgreSQL protocol in front of a small star."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.server.catalog_server import catalog_server_of
from airflow_atscale_aggs.server.serve import Server, ServerOptions
from tests.conftest import PostgresDatabase
from tests.support.stars import tiny_star


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        workspace: what stands behind it.
        warehouse: where that is in PostgreSQL, a connection string of its server; empty elsewhere.
    """

    host: str
    port: int
    workspace: Workspace
    warehouse: str = ""

    @property
    def conninfo(self) -> str:
        return f"host={self.host} port={self.port} dbname=tiny user=analyst"


@contextmanager
def running(workspace: Workspace, catalog_server: str, options: ServerOptions) -> Iterator[Served]:
    """Serves in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server(workspace, catalog_server_of(catalog_server), options)
    try:
        host, port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        yield Served(host, port, workspace)
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def served(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: str,
    postgres_database: PostgresDatabase,
) -> Iterator[Served]:
    """The tiny star with its aggregates, on each warehouse."""
    folder = tmp_path_factory.mktemp("served")
    with postgres_database(f"served_{request.param}") as url:
        warehouse = f"duckdb:///{folder / 'w.duckdb'}" if request.param == "duckdb" else url
        registry = f"sqlite:///{folder / 'registry.sqlite'}"
        with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
            tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
            deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
            run_batch(workspace, "tiny_sales", owner="test")
            with running(workspace, postgres_server, ServerOptions(port=0, without_password=True)) as started:
                yield replace(started, warehouse=url.replace("+psycopg", ""))
