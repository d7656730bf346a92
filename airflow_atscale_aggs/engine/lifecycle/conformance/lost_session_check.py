"""Check of a warehouse: sessions that are lost right after they have made the table of an aggregate."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from airflow_atscale_aggs.engine.errors import BatchFailedError, TransientWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, judge
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import OWNER, CheckContext, describe_findings
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import MODEL
from airflow_atscale_aggs.engine.lifecycle.conformance.reader_checks import QUESTION
from airflow_atscale_aggs.engine.lifecycle.conformance.stored_answers import find_difference
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse


class _CutSession:
    """A session whose connection is lost right after it has made a table, as long as that is wanted."""

    def __init__(self, session: Any, is_cutting: threading.Event) -> None:
        self._session, self._is_cutting = session, is_cutting

    def execute(self, sql: str) -> Any:
        """Run a statement, and lose the connection when it has made a table."""
        written = self._session.execute(sql)
        if self._is_cutting.is_set() and sql.lstrip().upper().startswith(("CREATE TABLE", "SELECT")):
            self._session.close()
            raise TransientWarehouseError(self._session.dialect.name, "", "the check has ended the session")
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class _CutWarehouse:
    """A warehouse whose sessions are lost during builds."""

    def __init__(self, warehouse: DbApiWarehouse) -> None:
        self._warehouse, self.is_cutting = warehouse, threading.Event()

    @contextlib.contextmanager
    def session(self, *, may_remember: bool = False) -> Iterator[Any]:
        """A session that may be lost."""
        with self._warehouse.session(may_remember=may_remember) as session:
            yield _CutSession(session, self.is_cutting)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)


def check_lost_session(context: CheckContext) -> list[Capability]:
    """Whether a batch that loses its sessions changes nothing that serves, is finished later, and leaves nothing."""
    workspace, wrongs = context.workspace, list[str]()
    cut = _CutWarehouse(context.scratch.warehouse)
    broken: Any = Workspace(workspace.registry, cut, workspace.settings)
    # What this warehouse cannot build was told before, and says nothing of lost sessions.
    workspace.registry.settings.put(None, "aggregates.batch.max.failures", str(len(context.failed)))
    with QueryRouter(workspace) as router:
        before = router.answer(QUESTION).rows
        cut.is_cutting.set()
        try:
            run_batch(broken, MODEL, owner=OWNER)
            wrongs.append("A batch whose sessions were all lost was activated.")
        except BatchFailedError as error:
            cut.is_cutting.clear()
            difference = find_difference(router.answer(QUESTION).rows, before)
            if difference:
                wrongs.append(f"While the batch stood still, the old aggregates gave another answer: {difference}.")
            run_batch(workspace, MODEL, owner=OWNER, resume=error.batch_id)
    verified = verify(workspace, MODEL, level=VerificationLevel.TOTALS)
    wrongs += describe_findings(verified)[0]
    swept = sweep(workspace, dry_run=False, now=utc_now())
    wrongs += [f"`{one.table}` could not be dropped: {one.error}." for one in swept.tables if one.error]
    wrongs += _strays(context)
    detail = "the old aggregates served on, the batch was resumed, and nothing was left"
    return [judge("a session that is lost during a build", wrongs, detail)]


def _strays(context: CheckContext) -> list[str]:
    """Tables that are named as ours and that nobody wrote down."""
    with context.workspace.warehouse.session() as session:
        existing = {name for name in session.tables(context.scratch.schema) if is_instance_table(name)}
    strays = existing - context.workspace.read.tables.names()
    return [f"A table is there that nobody wrote down: `{min(strays)}`."] if strays else []
