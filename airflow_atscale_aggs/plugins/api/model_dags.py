"""Finds the DAGs that build a model over a connection, in what Airflow keeps of the DAG files.

A DAG builds a model when it has a task `PlanBatchBuildOperator`. Its `model` and its `aggs_conn_id` are among the
task's template fields, so that they stand in the serialized DAG. Where one of them is a template, nobody knows it
before a run, and the task counts for nothing.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook

PLAN_TASK = "PlanBatchBuildOperator"
"""The type of the task that begins a batch."""

_LOOK_AGAIN = 5.0
"""Seconds for which what was found is used; a new DAG is seen after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDag:
    """A DAG that builds one model over one connection.

    Attributes:
        model: its name or id, as the DAG file has it.
        task_prefix: what stands before the names of its tasks: empty, or the task group and a point.
        is_own: it does nothing else, as the DAGs of `batch_build_dag`.
    """

    dag_id: str
    connection: str
    model: str
    task_prefix: str = ""
    is_own: bool = True

    @property
    def plan_task_id(self) -> str:
        """The task that begins the batch."""
        return f"{self.task_prefix}plan"

    @property
    def build_task_id(self) -> str:
        """The mapped task that builds aggregates."""
        return f"{self.task_prefix}build"

    @property
    def activate_task_id(self) -> str:
        """The task that activates the batch."""
        return f"{self.task_prefix}activate"


def find_model_dags(document: Mapping[str, Any]) -> Iterator[ModelDag]:
    """The models that a serialized DAG builds.

    Args:
        document: as Airflow serializes a DAG: ``{"dag": {"dag_id": …, "tasks": […]}}``.
    """
    dag = document.get("dag", {})
    tasks = [task.get("__var", task) for task in dag.get("tasks", ())]
    plans = [task for task in tasks if task.get("task_type") == PLAN_TASK]
    for task in plans:
        model = task.get("model")
        connection = task.get("aggs_conn_id", AggregatesHook.default_conn_name)
        if not _is_plain(model) or not _is_plain(connection):
            continue
        prefix = str(task["task_id"]).removesuffix("plan")
        is_own = len(plans) == 1 and not prefix and "batch_build" not in str(task["task_id"])
        yield ModelDag(dag_id=str(dag["dag_id"]), connection=connection, model=model, task_prefix=prefix, is_own=is_own)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "{{" not in value and "{%" not in value


class ModelDags:
    """The DAGs that build models, of the whole Airflow. Safe to share between threads.

    Only DAGs that have changed since the last look are read again.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found_by_hash: dict[str, tuple[ModelDag, ...]] = {}
        self._all: tuple[ModelDag, ...] = ()
        self._looked_at: float | None = None

    def all(self) -> tuple[ModelDag, ...]:
        """Those of all DAGs that Airflow still finds in its DAG files."""
        with self._lock:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= _LOOK_AGAIN:
                self._all = self._look()
                self._looked_at = now
            return self._all

    def forget(self) -> None:
        """Look again at the next question."""
        with self._lock:
            self._looked_at = None

    def _look(self) -> tuple[ModelDag, ...]:
        from airflow.models.dag import DagModel
        from airflow.models.serialized_dag import SerializedDagModel as Serialized
        from airflow.utils.session import create_session
        from sqlalchemy import func, select

        newest = select(Serialized.dag_id, func.max(Serialized.created_at).label("at")).group_by(Serialized.dag_id)
        last = newest.subquery()
        rows = (
            select(Serialized.id, Serialized.dag_hash)
            .join(last, (Serialized.dag_id == last.c.dag_id) & (Serialized.created_at == last.c.at))
            .join(DagModel, DagModel.dag_id == Serialized.dag_id)
            .where(~DagModel.is_stale)
        )
        found: dict[str, tuple[ModelDag, ...]] = {}
        with create_session() as session:
            hashes = {row.dag_hash: row.id for row in session.execute(rows)}
            for dag_hash, key in hashes.items():
                known = self._found_by_hash.get(dag_hash)
                if known is None:
                    serialized = session.get(Serialized, key)
                    known = () if serialized is None else tuple(_read(serialized.data))
                found[dag_hash] = known
        self._found_by_hash = found
        return tuple(
            sorted((dag for dags in found.values() for dag in dags), key=lambda dag: (not dag.is_own, dag.dag_id))
        )


def _read(data: Any) -> Iterator[ModelDag]:
    document = json.loads(data) if isinstance(data, (str, bytes)) else data
    return find_model_dags(document or {})
