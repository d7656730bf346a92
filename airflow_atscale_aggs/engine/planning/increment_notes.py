"""Writes the decisions about increments as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from airflow_atscale_aggs.engine.aggregates.indicator import (
    IndicatorKind,
    IndicatorUnit,
    moment_of,
    render_bound,
)
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.provenance import add_checksums
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.planning.increments import IncrementsInput
from airflow_atscale_aggs.engine.planning.slices import is_within, join_ranges
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting
from airflow_atscale_aggs.engine.sql.indicator_lookup import is_finer_than_kept

_AS_MANY = "; as many rows as before"

_LARGE_SHARE = 0.2

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
            f"{decision.window.through if decision.newest is None else decision.newest}); a grace period of "
            f"{grace} is {steps:,} of them."
        )
    if is_finer_than_kept(indicator.data_type):
        sentences.append(
            f"Indicator `{indicator.column}` of {fact} has digits beyond microseconds, which are not kept: bounds are "
            "rounded "
            "up to whole microseconds."
        )
    greatest = decision.window.through
    if greatest is not None and _is_far_ahead(decision, greatest, given):
        sentences.append(
            f"The greatest `{indicator.column}` of {fact} is {render_bound(indicator.kind, greatest)}, in the future. "
            "The window "
            "stays where the other rows are; those in the future are read with every increment until their time comes."
        )
    sentences += _describe_named(fact, decision)
    if not given.settings.max_segment_length and _is_good_share(decision):
        sentences.append(
            f"What was named of {fact} lies in long segments, which hold more than a fifth of its rows. "
            "aggregate.incrementalUpdate.maxSegmentLength bounds their length, so that a named range costs less."
        )
    if decision.late and decision.late > 0:
        start = decision.window.after
        bound = "" if start is None else render_bound(indicator.kind, start)
        sentences.append(
            f"{counted(decision.late, 'row')} of {fact} {LATE_ROWS} {grace} allows, with "
            f"`{indicator.column}` up "
            f"to {bound}. Increments do not read that far back; a full rebuild does."
        )
    return sentences


def _describe_named(fact: str, decision: Segmented) -> list[str]:
    """What was named as changed, and what is found to have changed there: one sentence for each range that is read."""
    names = ", ".join(dict.fromkeys(str(named) for named in decision.named))
    checksums = dict(zip(decision.made, decision.checksums, strict=False))
    sentences = []
    for rows, count in zip(join_ranges(decision.anew), decision.counts, strict=True):
        replaced = [segment for segment in decision.replaced if is_within(segment, rows)]
        now = add_checksums(checksums.get(piece) for piece in decision.anew if is_within(piece, rows))
        before = add_checksums(segment.checksum for segment in replaced)
        found = _describe_counts([segment.fact_rows for segment in replaced], count)
        if found == _AS_MANY and before is not None and now is not None and before.columns:
            found += ", nothing is found to have changed there" if before == now else ", with other values"
        sentences.append(f"`{fact}` was named as changed ({names}): segments of {rows} are made anew{found}.")
    return sentences


def _is_good_share(decision: Segmented) -> bool:
    """Whether the segments that are made anew hold a good share of all fact rows, as far as these were counted."""
    everything, replaced = (
        sum(segment.fact_rows or 0 for segment in some) for some in (decision.last, decision.replaced)
    )
    return replaced > _LARGE_SHARE * everything


def _describe_counts(before: Sequence[int | None], now: int | None) -> str:
    """How many fact rows there are in comparison with before; empty when nobody counted them."""
    known = [rows for rows in before if rows is not None]
    if now is None or len(known) < len(before):
        return ""
    difference = now - sum(known)
    if not difference:
        return _AS_MANY
    direction = "more" if difference > 0 else "fewer"
    return f"; {counted(now, 'row')}, {abs(difference):,} {direction} than when they were built"


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
