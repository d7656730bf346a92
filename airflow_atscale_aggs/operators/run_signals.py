"""Collects the completion signals that started a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.assets.partition_events import partition_key_of, partition_signal
from airflow_atscale_aggs.assets.run_events import events_of_run, later_events
from airflow_atscale_aggs.hooks.run_conf import signal_ids_of_conf, signal_ids_of_event

if TYPE_CHECKING:
    from airflow.sdk import Context


def signals_of_run(context: Context) -> tuple[str, ...]:
    """Identities of the completion signals behind a run: from its asset events and from ``signals`` in its conf."""
    ids = [*signal_ids_of_conf((context["dag_run"].conf or {}).get("signals"))]
    ids += [identity for event in events_of_run(context) for identity in signal_ids_of_event(event.extra)]
    return tuple(dict.fromkeys(ids))


def is_signals_only(context: Context, signals: Iterable[str]) -> bool:
    """True when nothing but the given signals asks for a batch, as far as Airflow tells.

    Events that the run is not told of ask for one as well.
    """
    given = set(signals)
    later = later_events(context) if given else None
    if later is None:
        return False
    ids = [_signals_of(event) for event in (*events_of_run(context), *later)]
    return all(of_event and set(of_event) <= given for of_event in ids)


def _signals_of(event: Any) -> tuple[str, ...]:
    """What is said by an event: completion signals, and the partition that it names."""
    named = (partition_signal(event),) if partition_key_of(event) else ()
    return (*signal_ids_of_event(event.extra), *named)
