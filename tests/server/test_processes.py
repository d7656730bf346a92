"""Several processes of `serve` side by side need nothing but the same registry."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from socket import create_connection
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.server.frames import CANCEL_REQUEST
from airflow_atscale_aggs.server.passwords import make_verifier
from tests.conftest import PostgresDatabase
from tests.support.serve_process import ServeProcess, serve_process
from tests.support.stars import tiny_star

pytestmark = pytest.mark.postgres

_TOTAL = 'SELECT SUM("Amount") FROM tiny_sales'
_SLOW = "SELECT pg_sleep(120)"


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, postgres_database: PostgresDatabase
) -> Iterator[tuple[Workspace, ServeProcess, ServeProcess]]:
    """Two processes, started at the same time, and the workspace that they serve."""
    folder = tmp_path_factory.mktemp("pair")
    with (
        postgres_database("pair") as url,
        open_workspace(registry=url, warehouse=url, aggregate_schema="aggs") as workspace,
        contextlib.ExitStack() as stack,
    ):
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        arguments = ["--registry", url, "--warehouse", url, "--schema", "aggs"]
        started: list[ServeProcess] = []

        def start(number: int) -> None:
            started.append(stack.enter_context(serve_process(arguments, postgres_server, folder / f"log{number}")))

        threads = [threading.Thread(target=start, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield workspace, started[0], started[1]
        assert [process.complaints() for process in started] == [[], []]


def _connect(process: ServeProcess, user: str = "ann") -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=process.host, port=process.port, dbname="tiny", user=user, password="secret", autocommit=True
    )


def test_a_user_who_is_added_signs_in_at_each(pair: tuple[Workspace, ServeProcess, ServeProcess]) -> None:
    workspace, *processes = pair
    for process in processes:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            _connect(process)

    workspace.registry.users.put("ann", make_verifier("secret").encode(), None, now=utc_now())

    totals = []
    for process in processes:
        with _connect(process) as connection:
            totals.append(connection.execute(_TOTAL).fetchall())
    assert totals[0] == totals[1]


def test_a_cancel_request_reaches_its_own_process(pair: tuple[Workspace, ServeProcess, ServeProcess]) -> None:
    """Another one knows no such session, and cancels nobody else's."""
    workspace, here, there = pair
    workspace.registry.users.put("ann", make_verifier("secret").encode(), None, now=utc_now())
    states: dict[str, str | None] = {}

    def ask(name: str, connection: psycopg.Connection[Any]) -> None:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(_SLOW)
        states[name] = caught.value.sqlstate

    with _connect(here) as mine, _connect(there) as others:
        threads = [
            threading.Thread(target=ask, args=("mine", mine)),
            threading.Thread(target=ask, args=("others", others)),
        ]
        for thread in threads:
            thread.start()
        time.sleep(1)
        # The key of one process, sent to the other one and to nobody: number and secret are told in the beginning.
        wrong = struct.pack("!II", mine.pgconn.backend_pid, 1)
        for process in (here, there):
            with create_connection((process.host, process.port)) as request:
                request.sendall(struct.pack("!II", 16, CANCEL_REQUEST) + wrong)
                assert request.recv(1) == b""
        time.sleep(1)
        assert states == {}
        mine.cancel_safe()
        threads[0].join(30)
        assert states == {"mine": "57014"}
        others.cancel_safe()
        threads[1].join(30)
        assert states == {"mine": "57014", "others": "57014"}


def test_a_deployment_and_a_batch_are_seen_by_both(
    pair: tuple[Workspace, ServeProcess, ServeProcess], tmp_path: Path
) -> None:
    workspace, *processes = pair
    workspace.registry.users.put("ann", make_verifier("secret").encode(), None, now=utc_now())
    folder = tiny_star.write_model(tmp_path / "other")
    model = next(folder.rglob("*model*.yml"))
    model.write_text(model.read_text().replace("unique_name: tiny_sales", "unique_name: later_sales"))
    tiny_star.run_sql(workspace, "UPDATE sales SET amount = amount * 3")
    with workspace.warehouse.session() as session:
        right = session.fetch_all("SELECT SUM(amount) FROM sales")

    deploy(workspace, folder, now=utc_now())
    run_batch(workspace, "tiny_sales", owner="test")

    for process in processes:
        for sql in (_TOTAL, _TOTAL.replace("tiny_sales", "later_sales")):
            end = time.monotonic() + 30
            while (found := _answer(process, sql)) != right:
                assert time.monotonic() < end, (sql, found)
                time.sleep(0.5)


def _answer(process: ServeProcess, sql: str) -> list[tuple[Any, ...]] | str:
    with _connect(process) as connection:
        try:
            return connection.execute(sql).fetchall()
        except psycopg.errors.UndefinedTable as error:
            return str(error)
