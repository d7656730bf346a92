"""Finds out why and when a run was started. This decides whether an earlier batch answers it.

Airflow makes one run of several asset events. Events that come while another run of the DAG is active are folded into
the next run, and its ``run_after`` is the time of the first of them; the later ones are not even among the events that
the run is told of (apache/airflow #56050). All of them are there when the run starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

_ASKED_FOR_AT_RUN_AFTER = frozenset({"manual", "scheduled", "operator_triggered"})
"""Types of runs of which each stands for one request, made at the run's ``run_after``."""


def moment_of_request(
    *,
    run_type: str,
    run_after: datetime,
    began_at: datetime,
    events: Sequence[datetime] = (),
    is_first: bool = True,
    clear_number: int = 0,
) -> datetime:
    """The moment after which a batch must begin to answer a run.

        the run                                              is answered by a batch that was begun after
        of a person, a clock or another DAG                  it was asked for (``run_after``)
        of asset events, a backfill, any other kind          its plan began, and its newest event
        that was cleared                                     its plan began
        whose DAG loads facts before the plan                its plan began

    Args:
        run_type: Airflow's name of it.
        began_at: when the plan task looked for the first time.
        events: times of the asset events that the run is told of.
        is_first: nothing that loads facts runs before the plan in its DAG.
        clear_number: how often the run was cleared.
    """
    stands_for_one = run_type in _ASKED_FOR_AT_RUN_AFTER and not events
    if is_first and stands_for_one and not clear_number:
        return run_after
    return max(run_after, began_at, *events)


def moment_of_run(context: Context, *, began_at: datetime, is_first: bool) -> datetime:
    """`moment_of_request` of the run that a task belongs to."""
    run = context["dag_run"]
    # The task runner's enumeration and plain texts are both seen here.
    run_type = getattr(run, "run_type", "manual")
    return moment_of_request(
        run_type=str(getattr(run_type, "value", run_type)),
        run_after=run.run_after,
        began_at=began_at,
        events=[event.timestamp for event in events_of_run(context) if hasattr(event, "timestamp")],
        is_first=is_first,
        clear_number=getattr(run, "clear_number", 0) or 0,
    )


def moment_of_newest_event(context: Context) -> datetime:
    """The moment of the newest event that a run was started for. An aggregate is fresh enough if it was built after it.

    The start of its data interval, where it has one; else the newest of its ``run_after`` and of the events of its
    assets until it started.
    """
    run = context["dag_run"]
    if run.data_interval_start is not None:
        return run.data_interval_start
    events = [*events_of_run(context), *(later_events(context) or ())]
    stamps: list[datetime] = [event.timestamp for event in events if hasattr(event, "timestamp")]
    started_at = run.start_date
    return max([run.run_after, *(at for at in stamps if started_at is None or at <= started_at)])


def events_of_run(context: Context) -> list[Any]:
    """The asset events that a run is told of."""
    return [event for _, events in _by_asset(context) for event in events]


def later_events(context: Context) -> list[Any] | None:
    """Events of the run's assets that it is not told of: those since its newest one; None when nobody can tell."""
    given: Mapping[Any, Sequence[Any]] = context.get("triggering_asset_events") or {}
    if len(_by_asset(context)) < len(given):
        return None
    later: list[Any] = []
    for asset, events in _by_asset(context):
        if not events:
            continue
        name, uri = getattr(asset, "name", None), getattr(asset, "uri", None)
        since = max((event.timestamp for event in events if hasattr(event, "timestamp")), default=None)
        if name is None or uri is None or since is None:
            return None
        try:
            later += _events_since(name, uri, since)
        except Exception:  # noqa: BLE001 - a batch too many is better than one too few
            return None
    return later


def _events_since(name: str, uri: str, since: datetime) -> list[Any]:
    from airflow.sdk.execution_time.context import InletEventsAccessor  # noqa: PLC0415 - only in tasks

    return list(InletEventsAccessor(asset_name=name, asset_uri=uri).after(since.isoformat()))


def _by_asset(context: Context) -> list[tuple[Any, Sequence[Any]]]:
    """Events by asset; those under an alias stand under their asset, too."""
    given: Mapping[Any, Sequence[Any]] = context.get("triggering_asset_events") or {}
    return [(key, events) for key, events in given.items() if type(key).__name__ != "AssetAlias"]
