"""Partitioned asset events (Airflow 3.2 and later): the partition key of an event names what has changed in a dataset.

Airflow starts one run for each downstream key. So several runs may wait for the batch that is under way. The one that
begins first names the partitions of all events that have come by then, and the others find theirs answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.assets.run_events import events_of_run, later_events

if TYPE_CHECKING:
    from airflow.sdk import Context

_WEEK = re.compile(r"(\d{4}-\d\d-\d\d) \(W\d\d\)")
_MONTH = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?(?!\d)")
_QUARTER = re.compile(r"(\d{4})-Q([1-4])")
"""What Airflow's mappers of weeks, months and quarters make of a moment."""


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
        partition_period: ``hour``, ``day``, ``week``, ``month``, ``quarter`` or ``year`` where keys are moments at
            which such a period begins, as those of a cron timetable are; empty: a key covers what it leaves open. The
            keys of Airflow's mappers of weeks and quarters, ``2026-01-05 (W02)`` and ``2026-Q1``, cover these in any
            case.
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
    key = key.strip()
    if week := _WEEK.fullmatch(key):
        key, partition_period = week[1], "week"
    elif quarter := _QUARTER.fullmatch(key):
        key, partition_period = f"{quarter[1]}-{3 * int(quarter[2]) - 2:02}", "quarter"
    return _RANGES[partition_period](key)


def _week_from(day: str) -> str:
    """The seven days that begin with one; a text that is no day stays, and is refused as a range by name."""
    try:
        return f"{day}..{date.fromisoformat(day) + timedelta(days=6)}"
    except (ValueError, OverflowError):
        return day


def _months_from(moment: str, count: int) -> str:
    """So many months that begin with that of a moment; a text that is none stays."""
    match = _MONTH.match(moment)
    if match is None:
        return moment
    first = int(match[2] or 1)
    years, place = divmod(first + count - 2, 12)
    return f"{match[1]}-{first:02}..{int(match[1]) + years:04}-{place + 1:02}"


_RANGES: Mapping[str, Callable[[str], str]] = {
    "": lambda key: key,
    "hour": lambda key: key[:13],
    "day": lambda key: key[:10],
    "week": lambda key: _week_from(key[:10]),
    "month": lambda key: key[:7],
    "quarter": lambda key: _months_from(key, 3),
    "year": lambda key: _months_from(key, 12),
}
"""What a key names, by period: so many characters of a moment say in which hour, day or month it is."""


def check_period(partition_period: str) -> str:
    """The period, if it is one. Raises ValueError."""
    if partition_period not in _RANGES:
        known = ", ".join(filter(None, _RANGES))
        raise ValueError(f"partition_period is `{partition_period}`, and must be one of {known}, or empty.")
    return partition_period
