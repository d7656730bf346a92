"""Emits metrics to where Airflow's own go: StatsD, Datadog or OpenTelemetry, as its section ``[metrics]`` says.

    name                                          kind      tags          emitted by
    atscale_aggs.batches.{begun,answered}         counter   model         plan
    atscale_aggs.batches.{live,failed}            counter   model         activate
    atscale_aggs.batch.duration                   timer     model         activate: from the batch's begin
    atscale_aggs.builds.{done,failed}             counter   model         build, for each attempt
    atscale_aggs.build.duration                   timer     model         build
    atscale_aggs.build.rows                       counter   model         build: rows of the tables made
    atscale_aggs.late_rows                        gauge     model, fact   plan, where increments count them
    atscale_aggs.queries.{hits,misses,fallbacks}  counter   model         queries of tasks and of the REST API
    atscale_aggs.query.duration                   timer     model         queries of tasks and of the REST API
    atscale_aggs.oldest_aggregate.age             gauge     model         the check of freshness, in seconds

No metric ever fails a task or a request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.build.batch import BegunBatch
    from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
    from airflow_atscale_aggs.engine.lifecycle.query.router import Answer
    from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord

PREFIX = "atscale_aggs"
_log = logging.getLogger(__name__)


def emit_begun(model: str, begun: BegunBatch) -> None:
    """A run has begun its batch, or found that another one answers it; and the late rows of increments."""
    if begun.is_coalesced or not begun.is_resumed:
        _emit("incr", f"batches.{'answered' if begun.is_coalesced else 'begun'}", model=model)
    for fact, rows in late_rows(begun.instances).items():
        _emit("gauge", "late_rows", rows, model=model, fact=fact)


def emit_live(model: str, batch: BatchRecord) -> None:
    """A batch has gone live."""
    _emit("incr", "batches.live", model=model)
    if batch.finished_at is not None:
        _emit("timing", "batch.duration", batch.finished_at - batch.created_at, model=model)


def emit_failed(model: str) -> None:
    """A batch ended with more failed aggregates than are allowed."""
    _emit("incr", "batches.failed", model=model)


def emit_build(model: str, event: BuildEvent) -> None:
    """An attempt has ended; events of other kinds emit nothing."""
    if event.kind == "failed":
        _emit("incr", "builds.failed", model=model)
    if event.kind == "done":
        _emit("incr", "builds.done", model=model)
        _emit("incr", "build.rows", event.rows or 0, model=model)
        _emit("timing", "build.duration", timedelta(seconds=event.seconds or 0), model=model)


def emit_query(answer: Answer, seconds: float, *, is_in_server: bool = False) -> None:
    """A query was answered. One that no model has to do with emits nothing.

    Args:
        seconds: from the question to the answer.
        is_in_server: this is Airflow's API server and no task; Airflow has Stats of their own there.
    """
    stats = _stats_of_server if is_in_server else _stats_of_tasks
    plan = answer.plan
    model = next((snapshot.record.name for snapshot in plan.snapshots if snapshot.record.id == plan.model_id), "")
    if not plan.sources:
        return
    outcome = "fallbacks" if answer.fallback_reason else "hits" if plan.uses_aggregates else "misses"
    _emit("incr", f"queries.{outcome}", find_stats=stats, model=model)
    _emit("timing", "query.duration", timedelta(seconds=seconds), find_stats=stats, model=model)


def emit_age(model: str, age: timedelta) -> None:
    """The age of the model's oldest aggregate that serves."""
    _emit("gauge", "oldest_aggregate.age", age.total_seconds(), model=model)


def late_rows(instances: Sequence[InstanceRecord]) -> Mapping[str, int]:
    """By fact: the rows that came later than the grace period allows; only facts of which somebody counted them."""
    by_fact: dict[str, int] = {}
    for step in (instance.step for instance in instances):
        if step.increment is not None and step.increment.late is not None:
            by_fact[step.fact] = max(by_fact.get(step.fact, 0), step.increment.late)
    return by_fact


def _stats_of_tasks() -> ModuleType:
    """Airflow's Stats, as tasks may use it. Imported late, since it reads files."""
    from airflow.sdk.observability import stats

    return stats


def _stats_of_server() -> ModuleType:
    """Airflow's Stats, as its API server has begun it."""
    from airflow.observability import stats

    return stats


def _emit(
    kind: str, name: str, *values: Any, find_stats: Callable[[], ModuleType] = _stats_of_tasks, **tags: str
) -> None:
    try:
        stats = find_stats()
        # Backends refuse a name or tag with other characters, and log that as an error.
        safe = {key: stats.normalize_name_for_stats(tag, log_warning=False) for key, tag in tags.items() if tag}
        getattr(stats, kind)(f"{PREFIX}.{name}", *values, tags=safe)
    except Exception:  # noqa: BLE001 - a backend may be anybody's class, and no metric is worth a batch
        _log.debug("The metric %s was not emitted.", name, exc_info=True)
