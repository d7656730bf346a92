"""Compares a request with the request of an earlier batch: does that batch answer it, and may it be resumed for it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

CLOCK_SKEW = timedelta(seconds=1)
"""The clocks of two machines may differ by this. In doubt a batch too many is begun, never one too few."""

_OF_REQUEST = "request:"


def signal_of_request(request_id: str) -> str:
    """The identity under which a request of a person or a program is remembered with the batch that answers it."""
    return f"{_OF_REQUEST}{request_id}"


def is_request(signal: str) -> bool:
    """True for what `signal_of_request` gives.

    A request stands for the wish of that moment. So it is answered by a batch that was begun later, as any other run
    of a person, and never by the mere fact that it was answered before: a run that is cleared asks anew.
    """
    return signal.startswith(_OF_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a batch is to do.

    Attributes:
        aggregates: names of those to build; empty: all of the model.
        grace_periods: durations by dataset, instead of the model's.
        slices_through: number of the last slice that had been named by then.
    """

    build_type: BuildType
    aggregates: tuple[str, ...] = ()
    grace_periods: Mapping[str, str] = field(default_factory=dict)
    slices_through: int = 0


def is_begun_after(begun_at: datetime, requested_at: datetime) -> bool:
    """True when a batch certainly began after the request, so that it has read everything that was loaded before."""
    return begun_at >= requested_at + CLOCK_SKEW


def covers(batch: Asked, request: Asked) -> bool:
    """True when a batch that has ended did all that is asked for."""
    is_as_wide = not batch.aggregates or (request.aggregates and set(request.aggregates) <= set(batch.aggregates))
    # It is not known how far back another increment has read.
    is_as_deep = batch.build_type is BuildType.FULL or (
        batch.build_type is request.build_type and not request.grace_periods
    )
    return bool(is_as_wide and is_as_deep and batch.slices_through >= request.slices_through)


def difference(batch: Asked, request: Asked) -> str:
    """Why a batch is not what is asked for now; empty when it is."""
    if batch.build_type is not request.build_type:
        return f"it is {_describe_type(batch.build_type)}, and {_describe_type(request.build_type)} is asked for"
    if set(batch.aggregates) != set(request.aggregates):
        return f"it builds {_describe_names(batch.aggregates)}, and {_describe_names(request.aggregates)} are asked for"
    if dict(batch.grace_periods) != dict(request.grace_periods):
        return f"its grace periods are {_describe_periods(batch)}, and {_describe_periods(request)} are asked for"
    if batch.slices_through < request.slices_through:
        return "it was begun before a range was named that has changed"
    return ""


def _describe_type(build_type: BuildType) -> str:
    return "a full rebuild" if build_type is BuildType.FULL else "an incremental build"


def _describe_names(aggregates: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(aggregates)) or "all aggregates"


def _describe_periods(asked: Asked) -> str:
    return ", ".join(f"{dataset}: {period}" for dataset, period in sorted(asked.grace_periods.items())) or "the model's"
