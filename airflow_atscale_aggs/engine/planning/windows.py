"""Finds the window of an increment: the unit of the indicator, and the newest value that is not in the future.

A row with an indicator in the future does not show how far the data have come. A mistyped year would settle rows that
have not arrived yet. So the window ends at the newest value that the clock of the batch has reached. Later rows stay in
the unsettled segment until their time comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow_atscale_aggs.engine.aggregates.indicator import (
    GracePeriod,
    IndicatorKind,
    IndicatorUnit,
    infer_unit,
    moment_of,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting, Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts

_TIMES = (IndicatorUnit.SECONDS, IndicatorUnit.MILLISECONDS, IndicatorUnit.MICROSECONDS)
_UNIT_KEY = "aggregate.incrementalUpdate.indicatorUnit"


@dataclass(frozen=True, slots=True)
class UnknownUnit:
    """The unit of the indicator is not known; the reason."""

    reason: str


def clock_in(kind: IndicatorKind, grace: GracePeriod, now: datetime, settings: Settings) -> Mapping[IndicatorUnit, int]:
    """The moment at which a batch begins, as a value of the indicator, for each unit that it may have.

    Plain numbers are no times, so there is no moment for them.

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


@dataclass(frozen=True, slots=True)
class GracePeriods:
    """The grace period that the model declares, and the one in force for a batch."""

    declared: GracePeriod
    in_force: GracePeriod


def unit_of(
    column: str,
    kind: IndicatorKind,
    graces: GracePeriods,
    lookup: IndicatorFacts,
    clock: Mapping[IndicatorUnit, int],
    settings: Settings,
) -> IndicatorUnit | UnknownUnit:
    """What a step of the indicator stands for.

    Values that are not in the future decide. If they fit several units, the unit with the latest data counts.
    """
    if kind is not IndicatorKind.INTEGER:
        return IndicatorUnit.MICROSECONDS
    model_grace, declared = graces.declared, settings.indicator_unit
    if declared is not IndicatorUnitSetting.INFER:
        unit = IndicatorUnit(declared.value)
        suffixed = next(
            (grace for grace in (model_grace, graces.in_force) if unit is IndicatorUnit.PLAIN and grace.suffix), None
        )
        if suffixed is None:
            return unit
        return UnknownUnit(f"{_UNIT_KEY} is plain, and the grace period {suffixed} is a time; write a bare number")
    if not model_grace.suffix:
        return IndicatorUnit.PLAIN
    reached = {
        unit: newest / unit.per_second
        for unit, moment in clock.items()
        if (newest := lookup.newest.get(moment)) is not None and infer_unit(newest) is unit
    }
    if reached:
        return max(reached, key=lambda unit: reached[unit])
    greatest = lookup.greatest
    inferred = None if greatest is None else infer_unit(greatest)
    return inferred or UnknownUnit(
        f"the unit of `{column}` is not known: {greatest} is no epoch time, so that a grace period of {model_grace} "
        "says "
        f"nothing. Write a bare number, or set {_UNIT_KEY}"
    )
