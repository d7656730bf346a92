"""Writes the decisions about increments as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, IndicatorUnit, moment_of, render_bound
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.planning.increments import (
    Decision,
    FullTable,
    IncrementsInput,
    Segmented,
)
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting
from airflow_atscale_aggs.engine.sql.indicator_lookup import is_finer_than_kept

LATE_ROWS = "came later than the grace period of"
"""By these words a note about late rows is known."""


def notes_of(
    decisions: Mapping[str, Decision], given: IncrementsInput, fact_by_name: Mapping[str, str]
) -> tuple[str, ...]:
    """Sentences about the decisions: full builds and their reasons, units, late rows, precision.

    Args:
        decisions: by name of the aggregate.
        fact_by_name: fact of each aggregate.
    """
    notes: dict[str, list[str]] = {}
    for name, decision in decisions.items():
        if given.build_type is BuildType.INCREMENTAL:
            reason = decision.reason if isinstance(decision, FullTable) else decision.full_reason
            if reason and not (isinstance(decision, FullTable) and decision.is_refused):
                notes.setdefault(f"Built in full: {{}}: {reason}.", []).append(name)
    notes_of_increments = [text.replace("{}", ", ".join(names), 1) for text, names in notes.items()]
    for name, decision in decisions.items():
        if isinstance(decision, Segmented):
            notes_of_increments += _describe_indicator(fact_by_name[name], decision, given)
    return tuple(dict.fromkeys(notes_of_increments))


def _describe_indicator(fact: str, decision: Segmented, given: IncrementsInput) -> list[str]:
    """Sentences about a fact's indicator."""
    sentences = []
    indicator, grace = decision.indicator, decision.grace
    if indicator.kind is IndicatorKind.INTEGER and grace.suffix:
        how = "declared" if given.settings.indicator_unit is not IndicatorUnitSetting.INFER else "inferred"
        steps = grace.seconds * indicator.unit.per_second
        sentences.append(
            f"Indicator `{indicator.column}` of {fact}: epoch {indicator.unit} ({how} from "
            f"{decision.ranges[-1].through if decision.newest is None else decision.newest}); a grace period of "
            f"{grace} is {steps:,} of them."
        )
    if is_finer_than_kept(indicator.data_type):
        sentences.append(
            f"Indicator `{indicator.column}` of {fact} has digits beyond microseconds, which are not kept: bounds are "
            "rounded "
            "up to whole microseconds."
        )
    greatest = decision.ranges[-1].through
    if greatest is not None and _is_far_ahead(decision, greatest, given):
        sentences.append(
            f"The greatest `{indicator.column}` of {fact} is {render_bound(indicator.kind, greatest)}, in the future. "
            "The window "
            "stays where the other rows are; those in the future are read with every increment until their time comes."
        )
    if decision.late and decision.late > 0:
        start = decision.ranges[0].after
        bound = "" if start is None else render_bound(indicator.kind, start)
        sentences.append(
            f"{counted(decision.late, 'row')} of {fact} {LATE_ROWS} {grace} allows, with "
            f"`{indicator.column}` up "
            f"to {bound}. Increments do not read that far back; a full rebuild does."
        )
    return sentences


def _is_far_ahead(decision: Segmented, greatest: int, given: IncrementsInput) -> bool:
    """Whether the greatest value lies in the future by more than the grace period.

    Less than that may be a wrong clock.
    """
    unit, kind = decision.indicator.unit, decision.indicator.kind
    if unit is IndicatorUnit.PLAIN:
        return False
    reach = decision.grace.seconds * unit.per_second
    if kind is IndicatorKind.INTEGER and not decision.grace.suffix:
        reach = decision.grace.number
    moment = moment_of(kind, unit, given.now, ZoneInfo(given.settings.indicator_time_zone))
    return greatest > moment + reach
