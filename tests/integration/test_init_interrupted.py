"""Ctrl-C while `init` looks at tables: it ends at once, says so, stops the warehouse's work, and leaves no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.terminal import Conversation

_SOON = 10
"""Seconds; the statement itself takes hours."""

_SLOW = {
    "duckdb": "CREATE VIEW z_slow AS SELECT COUNT(*) AS n, MAX(a.range + b.range) AS m "
    "FROM range(9000000) AS a, range(9000000) AS b",
    "postgresql": "CREATE VIEW z_slow AS SELECT pg_sleep(7200) IS NULL AS n",
}


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def slow(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a warehouse with a table, and a view that takes hours to look at."""
    is_postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if is_postgres else f"duckdb:///{tmp_path / 'w.duckdb'}"
    warehouse = open_warehouse(url)
    with warehouse.session() as session:
        session.execute("CREATE TABLE sales AS SELECT 1 AS shop_id, 2 AS amount")
        session.execute(_SLOW[url.partition(":")[0].partition("+")[0]])
    warehouse.close()
    return str(url)


def _command(url: str, folder: Path) -> list[str]:
    program = "from airflow_atscale_aggs.cli.main import main; main()"
    return [sys.executable, "-c", program, "init", str(folder), "--yes", "--warehouse", url]


def _statements_of(url: str) -> Sequence[object]:
    """What others still run on PostgreSQL; DuckDB's work ends with its process."""
    if not url.startswith("postgres"):
        return ()
    warehouse = open_warehouse(url)
    try:
        with warehouse.session() as session:
            return session.fetch_all(
                "SELECT query FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() "
                "AND pid <> pg_backend_pid() AND query LIKE '%z_slow%'"
            )
    finally:
        warehouse.close()


def test_ctrl_c_in_a_terminal_ends_a_long_statement(slow: str, tmp_path: Path) -> None:
    with Conversation(_command(slow, tmp_path / "models" / "m"), folder=tmp_path) as init:
        init.wait_for("1/2 sales: 1 row")
        time.sleep(0.2)
        pressed = time.monotonic()
        init.write("\x03")
        init.wait_for("Interrupted. Nothing was written.")
        assert init.close() == 130
        assert time.monotonic() - pressed < _SOON
        assert "Traceback" not in init.seen

    assert not (tmp_path / "models").exists()
    assert _statements_of(slow) == [] or not slow.startswith("postgres")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_a_pipe(slow: str, tmp_path: Path, sent: signal.Signals) -> None:
    """As a scheduler or a CI job sends it."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATSCALE_AGGS")}
    with subprocess.Popen(
        _command(slow, tmp_path / "m"), stderr=subprocess.PIPE, text=True, env=variables, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "1/2 sales: 1 row\n"
        time.sleep(0.2)
        process.send_signal(sent)
        rest = process.communicate(timeout=_SOON)[1]

    assert (process.returncode, rest) == (130, "Interrupted. Nothing was written.\n")
    assert not (tmp_path / "m").exists()


_DEAF = """
import os, time
from airflow_atscale_aggs.cli.interruption import Interruptible

def never():
    while True:
        time.sleep(60)

with Interruptible(never, lambda: os._exit(130), patience=0.2):
    words = ["begun"]
    while True:
        try:
            # Said where the signal is caught, since it may follow at once.
            while words:
                print(words.pop(), flush=True)
            never()
        except KeyboardInterrupt:
            pass
"""


def test_a_warehouse_that_answers_to_nothing_is_not_waited_for() -> None:
    """Neither cancelling nor closing comes to an end."""
    with subprocess.Popen([sys.executable, "-c", _DEAF], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=_SOON) == 130
