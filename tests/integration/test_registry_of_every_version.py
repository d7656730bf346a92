"""A registry of each schema that there ever was, as the release of its time has written it, is upgraded and used.

`tests/cases/registry/versions` holds, for each schema, the registry and the warehouse that a program of that schema has
left: SQL for SQLite and for DuckDB. The incremental star was deployed and built; from the schema that knows such things
on, queries were asked, an increment was added, aggregates were judged, and a user was made. Then the program was killed
in the middle of a batch: one aggregate is done, the next one is being built, the others wait.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Connection, MetaData, event, insert, select, text
from sqlalchemy.engine import Engine

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.migrations import run
from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE
from tests.support.registry_content import check_standings
from tests.support.stars import incremental_star as star

_FOLDER = Path(__file__).parents[1] / "cases" / "registry" / "versions"
_VERSIONS = sorted(run.known_versions())
_BY_CITY = 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1'
_MOVED = {("atscale_aggs_instances", "step"): ("atscale_aggs_steps", "document")}
"""Where the values of a column went, for columns that are no more."""

_SETTINGS_RECORDED = "0008"
"""From this schema on it is known under which settings of a session aggregates were built.

What was built, or planned, by an older one does not answer. The next batch does.
"""

_IS_LONG = "FUZZ_EXAMPLES" in os.environ
_MOVING = {"0001", "0006", "0008", "0010"}
"""The oldest schema; the one with segments; those before steps, standings, and figures of judgements were moved."""

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Kept:
    """What a program of a schema has left: the URLs of both databases, and the registry's rows by table."""

    registry: str
    warehouse: str
    rows: Rows


def _script(name: str) -> str:
    return gzip.decompress((_FOLDER / f"{name}.sql.gz").read_bytes()).decode()


def _rows(connection: Connection) -> Rows:
    tables = MetaData()
    tables.reflect(connection)
    return {
        table.name: [row._asdict() for row in connection.execute(select(table))]
        for table in tables.sorted_tables
        if table.name != VERSION_TABLE
    }


def _keep(version: str, folder: Path) -> Kept:
    """The files of a schema."""
    registry, warehouse = folder / "registry.sqlite", folder / "w.duckdb"
    with closing(sqlite3.connect(registry)) as connection:
        connection.executescript(_script(version))
    with duckdb.connect(str(warehouse)) as opened:
        opened.execute("SET TimeZone = 'UTC'")
        opened.execute(_script(f"{version}.warehouse"))
    database = RegistryDatabase(f"sqlite:///{registry}")
    with database.reading() as reading:
        rows = _rows(reading)
    database.dispose()
    return Kept(f"sqlite:///{registry}", f"duckdb:///{warehouse}", rows)


def _copy_to_postgres(kept: Kept, version: str, url: str, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The same rows in PostgreSQL, in the tables that the migrations up to that schema make there."""
    database = RegistryDatabase(url)
    with monkeypatch.context() as patched, database.writing() as connection:
        patched.setattr(run, "SCHEMA_VERSION", version)
        run.run_migrations(connection)
        tables = MetaData()
        tables.reflect(connection)
        for table in reversed(tables.sorted_tables):
            if kept.rows.get(table.name):
                connection.execute(table.delete())
        for table in tables.sorted_tables:
            if kept.rows.get(table.name):
                connection.execute(insert(table), kept.rows[table.name])
        if kept.rows.get("atscale_aggs_queries"):
            counter = "pg_get_serial_sequence('atscale_aggs_queries', 'id')"
            connection.execute(text(f"SELECT setval({counter}, (SELECT max(id) FROM atscale_aggs_queries))"))
    database.dispose()
    return Kept(url, kept.warehouse, kept.rows)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """The URL of a registry's database in PostgreSQL; empty for SQLite."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""


@pytest.fixture
def kept(version: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What a program of a schema has left, in both databases."""
    files = _keep(version, tmp_path)
    return _copy_to_postgres(files, version, place, monkeypatch) if place else files


def _lost(before: Rows, now: Rows) -> list[str]:
    """Values that are no longer there, each as its table, column and row."""
    lost = []
    for table, rows in before.items():
        for column in rows[0] if rows else ():
            new_table, new_column = _MOVED.get((table, column), (table, column))
            if now[new_table] and new_column not in now[new_table][0]:
                new_table, new_column = table, column
            left = [row.get(new_column) for row in now[new_table]]
            lost += [f"{table}.{column}: {row[column]!r}" for row in rows if row[column] not in left]
        if len(now[table]) < len(rows):
            lost.append(f"{table} has {len(now[table])} of {len(rows)} rows")
    return lost


def _is_answered_from_aggregates(workspace: Workspace) -> bool:
    """Whether an aggregate answers; the answer is that of the facts either way."""
    with QueryRouter(workspace) as router:
        answer, on_facts = router.answer(_BY_CITY), router.answer(_BY_CITY, use_aggregates=False)
    assert sorted(map(str, answer.rows)) == sorted(map(str, on_facts.rows))
    return answer.plan.uses_aggregates


def _finish(workspace: Workspace) -> None:
    """The batch that was killed ends."""
    waiting = workspace.read.batches.open_of(workspace.read.models.get(star.MODEL).id)
    assert waiting is not None
    report = run_batch(workspace, star.MODEL, owner=star.OWNER, resume=waiting.id)
    assert report.batch.status is BatchStatus.DONE
    star.check_views(workspace)


def _add_an_increment(workspace: Workspace) -> None:
    """More facts come, the next batch is built, and its aggregates answer."""
    star.load(workspace, star.Sale(at=star.START + 3600, day=3, amount=77))
    report = run_batch(workspace, star.MODEL, owner=star.OWNER, build_type=BuildType.INCREMENTAL)
    assert report.batch.status is BatchStatus.DONE
    star.check_views(workspace)
    assert _is_answered_from_aggregates(workspace)


def _cases(*versions: str) -> pytest.MarkDecorator:
    """Versions on both databases. On PostgreSQL those whose upgrade moves data, unless all are asked for."""
    on_postgres = [version for version in versions if _IS_LONG or version in _MOVING]
    cases = [pytest.param(version, "sqlite", id=f"{version}-sqlite") for version in versions]
    marks = pytest.mark.postgres
    cases += [pytest.param(version, "postgres", id=f"{version}-postgres", marks=marks) for version in on_postgres]
    return pytest.mark.parametrize(("version", "place"), cases, indirect=["place"])


@_cases(*_VERSIONS)
def test_a_registry_of_any_version_is_upgraded_and_goes_on(kept: Kept, version: str, place: str) -> None:
    """All that it knew it knows, queries are answered, its batch that was killed ends, and the next one is built.

    `make fuzz` runs the long form: every version on PostgreSQL too, and the whole story with each of them.
    """
    assert upgrade_registry(kept.registry) == SCHEMA_VERSION

    with open_workspace(registry=kept.registry, warehouse=kept.warehouse, aggregate_schema="aggs") as workspace:
        with workspace.registry.database.reading() as connection:
            assert _lost(kept.rows, _rows(connection)) == []
        check_standings(workspace.registry)
        if _IS_LONG or not place:
            assert _is_answered_from_aggregates(workspace) == (version >= _SETTINGS_RECORDED)
            _finish(workspace)
            assert _is_answered_from_aggregates(workspace) == (version >= _SETTINGS_RECORDED)
        if _IS_LONG or (version in _MOVING and not place):
            _add_an_increment(workspace)
        if _IS_LONG or not place:
            check_standings(workspace.registry)


def _in_another_process(action: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    """A process that does something and ends with 0. It takes no connection along: none is open."""
    process = multiprocessing.get_context("fork").Process(target=action)
    process.start()
    return process


def _upgrade_and_die(url: str, statement: str) -> None:
    """Upgrade a registry until a statement, and be killed before it."""

    @event.listens_for(Engine, "before_cursor_execute")
    def die(connection: Any, cursor: Any, sql: str, *more: Any) -> None:
        if statement in sql:
            os.kill(os.getpid(), signal.SIGKILL)

    upgrade_registry(url)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@_cases("0008")
def test_an_upgrade_that_was_killed_has_changed_nothing(kept: Kept, version: str) -> None:
    """Wherever it was killed: the registry is that of before, and the next upgrade makes it whole."""
    for statement in ("INSERT INTO atscale_aggs_standings", "CREATE TABLE atscale_aggs_query_days", "SET version_num"):
        killed = _in_another_process(lambda until=statement: _upgrade_and_die(kept.registry, until))  # type: ignore[misc]
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        database = RegistryDatabase(kept.registry)
        with database.reading() as connection:
            assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == version
            assert _rows(connection) == kept.rows
        database.dispose()

    assert upgrade_registry(kept.registry) == SCHEMA_VERSION
    with closing(RegistryDatabase(kept.registry).engine.connect()) as connection:
        assert _lost(kept.rows, _rows(connection)) == []


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@_cases("0006")
def test_two_processes_may_upgrade_at_once(kept: Kept) -> None:
    """One waits for the other; both end well, and nothing is there twice."""
    processes = [_in_another_process(lambda: upgrade_registry(kept.registry)) for _ in range(3)]
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    database = RegistryDatabase(kept.registry)
    with database.reading() as connection:
        now = _rows(connection)
    database.dispose()
    assert _lost(kept.rows, now) == []
    assert [len(now[table]) for table in kept.rows] == [len(rows) for rows in kept.rows.values()]
    assert len(now["atscale_aggs_identity"]) == 1
