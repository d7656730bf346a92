"""The check of a warehouse on those that we can run: what works there, and that nothing is left behind."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg
import pytest
from sail_server import shared_session

from airflow_atscale_aggs.cli.check_warehouse_verb import _interrupted_once
from airflow_atscale_aggs.cli.output import say
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_warehouse import DEFAULT_SCHEMA, check_warehouse
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.conftest import PostgresDatabase
from tests.support.command_line import run_command, start_command

_NO_SKETCHES = {"sketches of distinct counts", "sketches of percentiles"}
_ON_CLICKHOUSE = {*_NO_SKETCHES, "what SQL means", "readers of views"}
"""Sums beyond their range wrap, and views are switched one after the other: a reader may see that, or not."""

_ON_SAIL = {"what SQL means", "readers of views", "sketches of percentiles"}
"""Its sums of BIGINT wrap, and it switches views one after the other: a reader may see that, or not."""


def _differences(url: str) -> set[str]:
    """What works with a difference; the rest works, and nothing is left."""
    warehouse = open_warehouse(url)
    report = check_warehouse(warehouse)
    assert [found for found in report.capabilities if found.verdict is Verdict.FAILS] == []
    assert len(report.capabilities) == 21
    with warehouse.session() as session:
        assert not session.has_schema(DEFAULT_SCHEMA)
    warehouse.close()
    return {found.name for found in report.capabilities if found.verdict is Verdict.DIFFERS}


@pytest.mark.postgres
def test_postgres(postgres_url: str) -> None:
    assert _differences(postgres_url) == _NO_SKETCHES


def test_clickhouse(tmp_path: Path) -> None:
    assert {*_NO_SKETCHES, "what SQL means"} <= _differences(f"chdb://{tmp_path}/data") <= _ON_CLICKHOUSE


def test_sail(sail_address: str) -> None:
    assert {"what SQL means", "sketches of percentiles"} <= _differences(shared_session(sail_address)) <= _ON_SAIL


def test_sessions_of_sail_that_share_no_catalog_are_told(sail_address: str) -> None:
    warehouse = open_warehouse(sail_address)
    report = check_warehouse(warehouse)
    warehouse.close()
    (found,) = [found for found in report.capabilities if found.name == "tables and rows"]

    assert found.verdict is Verdict.FAILS
    assert "session_id" in found.detail


def test_the_verb_prints_a_table_and_ends_with_0_on_duckdb(tmp_path: Path) -> None:
    code, out, err = run_command(tmp_path, "check-warehouse", "duckdb:///w.duckdb", "--schema", "scratch")

    assert code == 0
    assert "queries answered from aggregates" in out
    assert "works with a difference" in out
    assert "[5/9] queries ..." in err
    assert "duckdb (run in CI, v" in err
    assert "of 21 capabilities 19 work, 2 with a difference, 0 not" in err
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        assert connection.execute("SELECT * FROM duckdb_schemas() WHERE schema_name = 'scratch'").fetchall() == []


def test_the_verb_prints_one_document_and_ends_with_1_where_something_does_not_work(tmp_path: Path) -> None:
    """A collation that takes texts for equal is found by the queries. A password is hidden wherever it is said."""
    url = f"duckdb:///{tmp_path}/w.duckdb?default_collation=nocase&http_proxy_password=cities"
    code, out, err = run_command(tmp_path, "check-warehouse", url, "--json")
    document = json.loads(out)

    assert (code, err, document["works"]) == (1, "", False)
    found = {capability["name"]: capability for capability in document["capabilities"]}
    assert found["what SQL means"]["verdict"] == "works with a difference"
    assert found["queries answered from the facts"]["verdict"] == "does not work"
    assert "`*** that differ in case" in found["queries answered from the facts"]["detail"]
    assert (document["dialect"], document["proven"]) == ("duckdb", "run in CI")


def test_the_verb_says_what_is_wrong_with_a_warehouse_that_does_not_answer(tmp_path: Path) -> None:
    """No secret is in the message."""
    url = "postgresql+psycopg://me:hunter22@127.0.0.1:1/db"
    code, _, err = run_command(tmp_path, "check-warehouse", url)

    assert code == 1
    assert "127.0.0.1" in err
    assert "hunter22" not in err


@pytest.mark.postgres
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_check_drops_everything(
    postgres_database: PostgresDatabase, tmp_path: Path, number: signal.Signals
) -> None:
    """What was there before stays."""
    with postgres_database("interrupted") as url:
        dsn = urlsplit(url)._replace(scheme="postgresql").geturl()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA mine")
            connection.execute("CREATE TABLE mine.precious AS SELECT 1 AS a")
            process = start_command(tmp_path, "check-warehouse", url)
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "by_month_and_city from" in line:
                    break
            os.kill(process.pid, number)
            for line in process.stderr:
                if "dropped ..." in line:
                    # Somebody who has no patience.
                    os.kill(process.pid, number)
                    break
            said += process.communicate(timeout=60)
            schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^inf|^public'")

            # The second signal may find that everything is done.
            assert process.returncode in {130, -number}, "".join(said)
            assert schemas.fetchall() == [("mine",)]
            assert connection.execute("SELECT a FROM mine.precious").fetchall() == [(1,)]


def test_a_signal_in_the_middle_of_a_message_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is without patience may send it while a line is being written."""
    reading, writing = os.pipe()

    class Interrupted(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def fileno(self) -> int:
            return writing

        def write(self, data: Any) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            return len(data)

    with _interrupted_once() as came:
        came.set()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(Interrupted())))
            say("[1/9] what SQL means ...")

    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "What was made is being dropped; wait a little.\n"


def test_a_schema_with_something_in_it_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE TABLE mine.precious AS SELECT 1 AS a")

    code, _, err = run_command(tmp_path, "check-warehouse", "duckdb:///w.duckdb", "--schema", "mine")

    assert code == 1
    assert err.startswith("Error: duckdb: schema `mine` is not empty (precious)")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        assert connection.execute("SELECT a FROM mine.precious").fetchall() == [(1,)]
