"""Which run of a DAG drives which batch, and which batch or run answers a request.

A request has an id. Its run has the id at the end of its name and among the signals of its conf, and the batch that
answers it remembers the signal: so whoever asked finds the run first, and then the batch, by the same id.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.planning.requests import signal_of_request
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from airflow_atscale_aggs.hooks.airflow_addresses import run_url
from airflow_atscale_aggs.hooks.xcom_keys import COALESCED
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.model_dags import PLAN_TASK

_AIRFLOW = "airflow:"
_OF_REQUESTS = "rest__"
"""How names of runs begin that were started for requests."""

_NEVER_ENDED = (TaskInstanceState.SKIPPED, TaskInstanceState.REMOVED)
"""States of a plan that was stopped before it could begin a batch."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A run of a DAG that builds a model."""

    dag_id: str
    run_id: str

    @property
    def owner(self) -> str:
        """Who drives the batches of the run, as `operators.base.batch_owner` says it.

        >>> BatchRun("batch_build_retail", "manual__1").owner
        'airflow:batch_build_retail/manual__1'
        """
        return f"{_AIRFLOW}{self.dag_id}/{self.run_id}"

    @property
    def url(self) -> str:
        """Its page in Airflow."""
        return run_url(self.dag_id, self.run_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRun:
    """A run that was started for a request and has begun no batch so far.

    Attributes:
        conf: of the run: what was asked for.
        user: who asked for it.
        is_stopped: somebody has stopped it, or its time was over, so that its plan has not failed by itself.
    """

    request_id: str
    run: BatchRun
    state: DagRunState
    conf: Mapping[str, Any]
    user: str
    requested_at: datetime
    finished_at: datetime | None
    is_stopped: bool = False

    @property
    def has_failed(self) -> bool:
        """Whether it has begun no batch since something went wrong."""
        return self.state is DagRunState.FAILED and not self.is_stopped

    @property
    def is_over(self) -> bool:
        """Whether it has ended, so that it will begin none."""
        return self.state in {DagRunState.SUCCESS, DagRunState.FAILED}


def run_of_owner(owner: str) -> BatchRun | None:
    """The run that drives a batch, from the batch's owner; None where no run of Airflow does.

    >>> run_of_owner("airflow:batch_build_retail/manual__1")
    BatchRun(dag_id='batch_build_retail', run_id='manual__1')
    >>> run_of_owner("host:17:3")
    """
    dag_id, slash, run_id = owner.removeprefix(_AIRFLOW).partition("/")
    return BatchRun(dag_id, run_id) if owner.startswith(_AIRFLOW) and slash else None


def run_id_of_request(request_id: str, now: datetime) -> str:
    """The name of the run of a request: when it was asked for, and its id."""
    return f"{_OF_REQUESTS}{now.isoformat(timespec='seconds')}__{request_id}"


def find_batch(place: Place, batch_or_request_id: str) -> BatchRecord | RequestedRun:
    """A batch by its id or by the id of a request that it answers; else the run of the request, which begins it.

    Raises:
        ProblemError: 404: there is neither that the visitor may read; 403: he may not do what he asks for with it.
    """
    try:
        batch: BatchRecord | None = place.read.batches.get(batch_or_request_id)
    except NotRegisteredError:
        model_ids = [model.id for model in place.models]
        batch = place.read.batches.of_signal(model_ids, signal_of_request(batch_or_request_id))
    if batch is not None:
        place.check(batch.model_id, "batch", batch_or_request_id)
        return batch
    found = find_run_of_request([dag.dag_id for dag in place.dags], batch_or_request_id)
    if found is None:
        raise place.missing("batch", batch_or_request_id)
    return found


def answer_of_run(run: BatchRun) -> tuple[str, ...]:
    """Ids of the batches of other runs that have answered a run, as its plans have noted."""
    query = select(XComModel.value).where(
        XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id, XComModel.key == COALESCED
    )
    with create_session() as session:
        values = [XComModel.deserialize_value(row) for row in session.execute(query)]
    return tuple(value for value in values if isinstance(value, str))


def find_run_of_request(dag_ids: Collection[str], request_id: str) -> RequestedRun | None:
    """The run that was started for a request, among those of some DAGs; None when there is none."""
    if not _is_id(request_id) or not dag_ids:
        return None
    query = (
        select(DagRun)
        .where(DagRun.dag_id.in_(sorted(set(dag_ids))), DagRun.run_id.endswith(f"__{request_id}", autoescape=True))
        .order_by(DagRun.id.desc())
        .limit(1)
    )
    with create_session() as session:
        run = session.scalar(query)
        return None if run is None else _requested(run, request_id, _failed_plans([run], session))


def runs_of_requests(dag_ids: Collection[str], most: int) -> list[RequestedRun]:
    """The newest runs of some DAGs that were started for requests, newest first; also those that batches answer."""
    if not dag_ids:
        return []
    query = (
        select(DagRun)
        .where(DagRun.dag_id.in_(sorted(set(dag_ids))), DagRun.run_id.startswith(_OF_REQUESTS, autoescape=True))
        .order_by(DagRun.id.desc())
        .limit(most)
    )
    with create_session() as session:
        found = [(run, run.run_id.rpartition("__")[2]) for run in session.scalars(query)]
        failed = _failed_plans([run for run, _ in found], session)
        return [_requested(run, request_id, failed) for run, request_id in found if _is_id(request_id)]


def _failed_plans(runs: Sequence[DagRun], session: Session) -> set[tuple[str, str]]:
    """(DAG, run) of those runs that have failed by themselves: their plan, or what goes before it."""
    run_ids = [run.run_id for run in runs if run.state == DagRunState.FAILED]
    if not run_ids:
        return set()
    query = select(TaskInstance.dag_id, TaskInstance.run_id).where(
        TaskInstance.dag_id.in_({run.dag_id for run in runs}),
        TaskInstance.run_id.in_(run_ids),
        TaskInstance.operator == PLAN_TASK,
        TaskInstance.state.not_in(_NEVER_ENDED),
    )
    return {(row[0], row[1]) for row in session.execute(query)}


def _requested(run: DagRun, request_id: str, failed: Collection[tuple[str, str]]) -> RequestedRun:
    return RequestedRun(
        request_id=request_id,
        run=BatchRun(run.dag_id, run.run_id),
        state=DagRunState(run.state),
        conf=dict(run.conf or {}),
        user=run.triggering_user_name or "",
        requested_at=run.run_after,
        finished_at=run.end_date,
        is_stopped=run.state == DagRunState.FAILED and (run.dag_id, run.run_id) not in failed,
    )


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
