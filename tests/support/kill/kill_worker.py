"""Runs batch builds in processes of their own, and kills them.

Started once with everything imported, it forks one child per job, so that a job costs what the batch costs. Jobs come
as JSON lines on standard input, answers go as JSON lines to standard output. Every statement that the child sends to
the warehouse or to the registry, and every commit of the registry, is a point before and a point after; at the chosen
one the child kills itself with SIGKILL, or the statement is reported as failed. ``kill_after_sql`` is a point by
content: after the first statement of the warehouse that contains it.

    {"registry": URL, "warehouse": URL, "aggregate_schema": "aggs", "model": "tiny_sales",
     "kill_at": 17, "fail_at": null, "kill_after_ms": null, "kill_after_sql": "", "resume": null, "jobs": 1,
     "build_type": "full"}
    {"signal": 9, "points": 17, "error": ""}

A job with ``"deploy": FOLDER`` deploys a model instead of building one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite
import sqlglot.dialects.duckdb
import sqlglot.dialects.postgres  # noqa: F401
from sqlalchemy import event

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import (
    AtScaleAggsError,
    BatchFailedError,
    PermanentWarehouseError,
    RegistryUnavailableError,
    TransientWarehouseError,
)
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
from airflow_atscale_aggs.engine.warehouse import duckdb as _duckdb  # noqa: F401
from airflow_atscale_aggs.engine.warehouse import postgres as _postgres  # noqa: F401
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

NO_POINT = -1


class Trap:
    """Counts points; at one of them the process dies, or the statement is said to have failed."""

    def __init__(self, job: dict[str, Any], report: Callable[[int], None]) -> None:
        self._kill_at, self._fail_at = job.get("kill_at") or NO_POINT, job.get("fail_at") or NO_POINT
        self._kill_after_sql = job.get("kill_after_sql", "")
        self._report = report
        self.points = 0

    def point(self, failure: Exception) -> None:
        """One more point; raises ``failure`` at the chosen one."""
        self.points += 1
        if self.points == self._kill_at:
            self._die()
        if self.points == self._fail_at:
            raise failure

    def _die(self) -> None:
        self._report(self.points)
        os.kill(os.getpid(), signal.SIGKILL)

    def set_in_warehouse(self) -> None:
        """Points around every statement of every warehouse session, BEGIN and COMMIT included."""
        for name in ("execute", "fetch_all"):
            setattr(DbApiSession, name, self._around(getattr(DbApiSession, name)))

    def _around(self, original: Callable[[DbApiSession, str], Any]) -> Callable[[DbApiSession, str], Any]:
        def with_points(session: DbApiSession, sql: str) -> Any:
            # Every third failure is one that the same SQL would meet again.
            kind = PermanentWarehouseError if self._fail_at % 3 == 0 else TransientWarehouseError
            failure = kind(session.dialect.name, sql, "the test says so")
            self.point(failure)
            answer = original(session, sql)
            self.point(failure)
            if self._kill_after_sql and self._kill_after_sql in sql:
                self._die()
            return answer

        return with_points

    def set_in_registry(self) -> None:
        """Points around every statement of the registry and around every commit."""
        broken = sqlalchemy.exc.OperationalError("a statement", None, Exception("the test says so"))
        original = RegistryDatabase.writing

        @contextlib.contextmanager
        def writing(database: RegistryDatabase) -> Iterator[sqlalchemy.Connection]:
            with original(database) as connection:
                yield connection
                self.point(broken)
            # A commit that took effect and whose answer was lost.
            self.point(RegistryUnavailableError(database.name, "the test says so"))

        patched: Any = RegistryDatabase
        patched.writing = writing
        for moment in ("before_cursor_execute", "after_cursor_execute"):
            event.listen(sqlalchemy.Engine, moment, lambda *_: self.point(broken))


def main() -> None:
    """Answer jobs until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a forked child; how it ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _run_child(job, writing)
    os.close(writing)
    if job.get("kill_after_ms") is not None:
        _kill_after(pid, job["kill_after_ms"])
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    ending = json.loads(text) if text else {"points": 0, "error": ""}
    return {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **ending}


def _kill_after(pid: int, milliseconds: float) -> None:
    """Kill the child when the time is over, unless it has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        if not waiting.poll(milliseconds):
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(descriptor)


def _run_child(job: dict[str, Any], descriptor: int) -> None:
    def tell(points: int, error: str = "") -> None:
        os.write(descriptor, json.dumps({"points": points, "error": error}).encode())

    trap = Trap(job, tell)
    trap.set_in_warehouse()
    trap.set_in_registry()
    error = ""
    try:
        _deploy(job) if job.get("deploy") else _build_and_sweep(job)
    except AtScaleAggsError as failure:
        error = f"{type(failure).__name__}: {failure}"
    tell(trap.points, error)
    os._exit(0)


def _deploy(job: dict[str, Any]) -> None:
    """Make the registry if it is not there, and register the model."""
    with open_workspace(registry=job["registry"], warehouse=job["warehouse"]) as workspace:
        deploy(workspace, Path(job["deploy"]), now=utc_now())


def _build_and_sweep(job: dict[str, Any]) -> None:
    """What a person or a scheduler would do: build, or finish the batch that failed, then sweep."""
    with open_workspace(
        registry=job["registry"], warehouse=job["warehouse"], aggregate_schema=job["aggregate_schema"]
    ) as workspace:
        try:
            run_batch(
                workspace,
                job["model"],
                build_type=BuildType(job.get("build_type", "full")),
                owner=process_owner(),
                resume=job.get("resume"),
                jobs=job.get("jobs", 1),
            )
        except BatchFailedError:
            sweep(workspace, dry_run=False, now=utc_now())
            raise
        sweep(workspace, dry_run=False, now=utc_now())


if __name__ == "__main__":
    main()
