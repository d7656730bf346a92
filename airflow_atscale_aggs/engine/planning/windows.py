"""Where the window of an increment lies: what the indicator counts in, and which of its values are not in the future.

A row with an indicator in the future says nothing about how far the data have come: a mistyped year would close the window
over rows that are still on their way. The window ends at the newest value that the clock of the batch has reached; rows
beyond stand in the unsettled segment until their time comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow_atscale_aggs.engine.aggregates.indicator import (
    GracePeriod,
    IndicatorKind,
    IndicatorUnit,
    infer_unit,
    moment_of,
)
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting, Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts

_TIMES = (IndicatorUnit.SECONDS, IndicatorUnit.MILLISECONDS, IndicatorUnit.MICROSECONDS)
_UNIT_KEY = "aggregate.incrementalUpdate.indicatorUnit"


@dataclass(frozen=True, slots=True)
class UnknownUnit:
    """Nobody knows what a step of the indicator stands for; says why."""

    reason: str


def clock_in(kind: IndicatorKind, grace: GracePeriod, now: datetime, settings: Settings) -> Mapping[IndicatorUnit, int]:
    """The moment at which a batch is begun, as the indicator writes it, for each unit that it may be in.

    Plain numbers know no time: there is none for them.

    Args:
        grace: the model's; one without a unit of time is in the indicator's own steps.
    """
    zone = ZoneInfo(settings.indicator_time_zone)
    if kind is not IndicatorKind.INTEGER:
        return {IndicatorUnit.MICROSECONDS: moment_of(kind, IndicatorUnit.MICROSECONDS, now, zone)}
    if settings.indicator_unit is IndicatorUnitSetting.INFER:
        units: tuple[IndicatorUnit, ...] = _TIMES if grace.suffix else ()
    else:
        units = tuple(unit for unit in _TIMES if unit == settings.indicator_unit.value)
    return {unit: moment_of(kind, unit, now, zone) for unit in units}


def unit_of(
    column: str,
    kind: IndicatorKind,
    graces: tuple[GracePeriod, GracePeriod],
    looked_up: IndicatorFacts,
    clock: Mapping[IndicatorUnit, int],
    settings: Settings,
) -> IndicatorUnit | UnknownUnit:
    """What a step of the indicator stands for.

    It is told by the values that are not in the future: of several units, the one in which the data have come furthest.

    Args:
        graces: the model's, and the one in force.
    """
    if kind is not IndicatorKind.INTEGER:
        return IndicatorUnit.MICROSECONDS
    model_grace, declared = graces[0], settings.indicator_unit
    if declared is not IndicatorUnitSetting.INFER:
        unit = IndicatorUnit(declared.value)
        suffixed = next((grace for grace in graces if unit is IndicatorUnit.PLAIN and grace.suffix), None)
        if suffixed is None:
            return unit
        return UnknownUnit(f"{_UNIT_KEY} is plain, and the grace period {suffixed} is a time; write a bare number")
    if not model_grace.suffix:
        return IndicatorUnit.PLAIN
    reached = {
        unit: newest / unit.per_second
        for unit, moment in clock.items()
        if (newest := looked_up.newest.get(moment)) is not None and infer_unit(newest) is unit
    }
    if reached:
        return max(reached, key=lambda unit: reached[unit])
    greatest = looked_up.greatest
    inferred = None if greatest is None else infer_unit(greatest)
    return inferred or UnknownUnit(
        f"the unit of `{column}` is not known: {greatest} is no epoch time, so that a grace period of {model_grace} says "
        f"nothing. Write a bare number, or set {_UNIT_KEY}"
    )
