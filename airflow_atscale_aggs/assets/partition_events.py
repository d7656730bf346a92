"""Partitioned asset events (Airflow 3.2 and later): the partition key of an event names what has changed in a dataset.

Airflow starts one run for each downstream key. So several runs may wait for the batch that is under way. The one that
begins first names the partitions of all events that have come by then, and the others find theirs answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.assets.run_events import events_of_run, later_events

if TYPE_CHECKING:
    from airflow.sdk import Context

_PERIODS = {"hour": 13, "day": 10, "month": 7}
"""How many characters of a moment say in which hour, day or month it is."""


def partition_key_of(event: Any) -> str:
    """The partition key of an asset event or of a run; empty where it has none."""
    return getattr(event, "partition_key", None) or ""


def partition_events(context: Context) -> list[Any]:
    """The events with a partition key that a run stands for: those that it is told of, and those that came later.

    None where the run is told of no such event.
    """
    told = [event for event in events_of_run(context) if partition_key_of(event)]
    later = (later_events(context) or []) if told else []
    return [*told, *(event for event in later if partition_key_of(event))]


def partition_signal(event: Any) -> str:
    """The identity of an event with a partition key: the same key may come again, and stands for another change."""
    return f"partition:{event.asset.name}:{partition_key_of(event)}:{event.timestamp.isoformat()}"


def changed_by_events(
    events: Iterable[Any], datasets: Mapping[str, str], partition_period: str
) -> tuple[tuple[str, str], ...]:
    """Pairs of dataset and range, as `read_slices` takes them, each once.

    Args:
        events: with partition keys.
        datasets: dataset by name of the asset; an asset that is not in it is called as its dataset.
        partition_period: ``hour``, ``day`` or ``month`` where keys are moments at which such a period begins, as those
            of a cron timetable are; empty: a key covers what it leaves open.
    """
    named = [(datasets.get(event.asset.name, event.asset.name), partition_key_of(event)) for event in events]
    return tuple(dict.fromkeys((dataset, _range_of(key, partition_period)) for dataset, key in named))


def changed_by_run(context: Context, datasets: Mapping[str, str], partition_period: str) -> tuple[tuple[str, str], ...]:
    """The same for a run that somebody has started with a partition key, or a backfill of partitions has.

    It names a range of all these datasets.
    """
    key = partition_key_of(context["dag_run"])
    if not key:
        return ()
    return tuple((dataset, _range_of(key, partition_period)) for dataset in dict.fromkeys(datasets.values()))


def _range_of(key: str, partition_period: str) -> str:
    return key.strip()[: _PERIODS[partition_period]] if partition_period else key.strip()


def check_period(partition_period: str) -> str:
    """The period, if it is one. Raises ValueError."""
    if partition_period and partition_period not in _PERIODS:
        known = ", ".join(_PERIODS)
        raise ValueError(f"partition_period is `{partition_period}`, and must be one of {known}, or empty.")
    return partition_period
