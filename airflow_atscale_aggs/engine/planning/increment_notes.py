"""What was decided about increments, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, IndicatorUnit, moment_of, render_bound
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.planning.increments import (
    Decision,
    FullTable,
    IncrementsInput,
    Segmented,
    counted_rows,
)
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting
from airflow_atscale_aggs.engine.sql.indicator_lookup import is_finer_than_kept


def notes_of(decisions: Mapping[str, Decision], given: IncrementsInput, facts: Mapping[str, str]) -> tuple[str, ...]:
    """What was decided, for people: what is full and why, units, late rows, precision.

    Args:
        decisions: by name of the aggregate.
        facts: fact of each aggregate.
    """
    notes: dict[str, list[str]] = {}
    for name, decision in decisions.items():
        if given.build_type is BuildType.INCREMENTAL:
            reason = decision.reason if isinstance(decision, FullTable) else decision.full_reason
            if reason and not (isinstance(decision, FullTable) and decision.is_refused):
                notes.setdefault(f"Built in full: {{}}: {reason}.", []).append(name)
    told = [text.replace("{}", ", ".join(names), 1) for text, names in notes.items()]
    for name, decision in decisions.items():
        if isinstance(decision, Segmented):
            told += _told(facts[name], decision, given)
    return tuple(dict.fromkeys(told))


def _told(fact: str, made: Segmented, given: IncrementsInput) -> list[str]:
    """Sentences about a fact's indicator."""
    told = []
    indicator, grace = made.indicator, made.grace
    if indicator.kind is IndicatorKind.INTEGER and grace.suffix:
        how = "declared" if given.settings.indicator_unit is not IndicatorUnitSetting.INFER else "inferred"
        steps = grace.seconds * indicator.unit.per_second
        told.append(
            f"Indicator `{indicator.column}` of {fact}: epoch {indicator.unit} ({how} from "
            f"{made.ranges[-1].through if made.newest is None else made.newest}); a grace period of {grace} is {steps:,} of them."
        )
    if is_finer_than_kept(indicator.data_type):
        told.append(
            f"Indicator `{indicator.column}` of {fact} has digits beyond microseconds, which are not kept: bounds are rounded "
            "up to whole microseconds."
        )
    greatest = made.ranges[-1].through
    if greatest is not None and _is_far_ahead(made, greatest, given):
        told.append(
            f"The greatest `{indicator.column}` of {fact} is {render_bound(indicator.kind, greatest)}, in the future. The window "
            "stays where the other rows are; those in the future are read with every increment until their time comes."
        )
    if made.late and made.late > 0:
        start = made.ranges[0].after
        bound = "" if start is None else render_bound(indicator.kind, start)
        told.append(
            f"{counted_rows(made.late)} of {fact} came later than the grace period of {grace} allows, with `{indicator.column}` up "
            f"to {bound}. Increments do not read that far back; a full rebuild does."
        )
    return told


def _is_far_ahead(made: Segmented, greatest: int, given: IncrementsInput) -> bool:
    """Whether there are rows later than the clock by more than the grace period; less than that may be the clock's fault."""
    unit, kind = made.indicator.unit, made.indicator.kind
    if unit is IndicatorUnit.PLAIN:
        return False
    reach = made.grace.seconds * unit.per_second
    if kind is IndicatorKind.INTEGER and not made.grace.suffix:
        reach = made.grace.number
    moment = moment_of(kind, unit, given.now, ZoneInfo(given.settings.indicator_time_zone))
    return greatest > moment + reach
