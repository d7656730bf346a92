"""Decides which aggregates can be built by increments, and what a batch does to the segments of each.

This takes two steps, since only the warehouse knows the indicator's values. `prospect` says what must be looked up, in
one lookup per fact and batch. `decide` makes the ranges from the values.

Source: AtScale, "About Incremental Rebuilds"; "Setting Properties to Allow Incremental Rebuilds" (who is incremental).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import (
    GracePeriod,
    Indicator,
    IndicatorKind,
    IndicatorUnit,
    RowRange,
    parse_grace_period,
    render_bound,
    settled_bound,
)
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice, bounds_of
from airflow_atscale_aggs.engine.aggregates.provenance import (
    Checksum,
    SourceState,
    add_checksums,
    changed_columns,
    changed_rows,
    replaced_table,
)
from airflow_atscale_aggs.engine.aggregates.segment import Increment, Segment
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.planning.segment_lengths import choose_merged, cut, steps_of_length
from airflow_atscale_aggs.engine.planning.slices import find_reach, join_ranges, range_of
from airflow_atscale_aggs.engine.planning.windows import GracePeriods, UnknownUnit, clock_in, unit_of
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import (
    IndicatorFacts,
    indicator_kind,
    indicator_type,
    type_problem,
)
from airflow_atscale_aggs.engine.sql.sources import Sources

JOINS_PREVENT = "aggregate.create.joins.allowPreventIncremental.enabled"


@dataclass(frozen=True, slots=True)
class _IndicatorColumn:
    """The column of a fact that is its indicator, with its type as the warehouse spells it."""

    name: str
    data_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBuild:
    """The instance of an aggregate that serves.

    Attributes:
        increment: of its step; None where it is one table.
        segments: in order of their ranges; the last one is unsettled.
        are_there: all tables of the segments are in the warehouse.
        damage: what is wrong with one of these tables; empty where no damage is known.
        moved: how the settings of the session or the tables behind its names have changed since; empty: they have not.
        named: slices of its fact that were named as changed, and that it was not built with.
        seen: settled segments whose tables were looked at before they are merged, where others were not.
    """

    deployment_id: str
    increment: Increment | None
    segments: tuple[Segment, ...] = ()
    are_there: bool = True
    damage: str = ""
    moved: str = ""
    named: tuple[NamedSlice, ...] = ()
    seen: tuple[Segment, ...] = ()

    def may_merge(self, settings: Settings) -> tuple[Segment, ...]:
        """The settled segments that an increment would merge if no slice were named; none where it is one table."""
        settled = [segment for segment in self.segments if segment.is_settled]
        if self.increment is None or not settled:
            return ()
        length = steps_of_length(self.increment.indicator, settings)
        return choose_merged(settled, settled[-1].through, settings, length)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementsInput:
    """Everything that a decision depends on.

    Attributes:
        now: when the batch is begun.
        named: facts of which the request names slices. Of them nothing else is looked at than what is named, and the
            window.
        grace_periods: overrides by dataset.
        last: by (definition id, fact).
        states: what the sources are now, by (definition id, fact).
    """

    build_type: BuildType
    deployment_id: str
    now: datetime
    datasets: Mapping[str, Dataset]
    sources: Sources
    settings: Settings
    grace_periods: Mapping[str, str] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    last: Mapping[tuple[str, str], LastBuild] = field(default_factory=dict)
    states: Mapping[tuple[str, str], SourceState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """An aggregate of a fact with an indicator, as known before the indicator's values are looked up.

    Attributes:
        model_grace: decides what is settled.
        grace: decides how far back is read; other than the model's when it is overridden.
        full_reason: why all segments are made anew; empty as long as there is no such reason.
        kept: settled segments that stay.
        start: rows above this bound are read again; None when all rows are.
        state: the sources as they are now; None when nobody looked.
        anew: settled segments that are made anew, because slices of them were named as changed.
        is_window_named: a slice above ``start`` was named.
        is_narrow: the facts behind ``kept`` are not looked at: who asks for the batch has named what has changed.
        settled_checksum: of the fact rows behind ``kept``; None where not all are known, or nobody compares them.
    """

    part: FactPart
    column: str
    data_type: str
    kind: IndicatorKind
    model_grace: GracePeriod
    grace: GracePeriod
    last: LastBuild | None
    full_reason: str
    kept: tuple[Segment, ...] = ()
    start: int | None = None
    state: SourceState | None = None
    anew: tuple[Segment, ...] = ()
    is_window_named: bool = False
    is_narrow: bool = False
    settled_checksum: Checksum | None = None

    @property
    def kept_ranges(self) -> tuple[RowRange, ...]:
        """The ranges of the fact rows that an increment does not read; those that touch are one."""
        return join_ranges(range_of(segment, self._rows) for segment in self.kept)

    @property
    def anew_ranges(self) -> tuple[RowRange, ...]:
        """The ranges of the settled segments that are made anew; those that touch are one."""
        return join_ranges(range_of(segment, self._rows) for segment in self.anew)

    @property
    def _rows(self) -> RowRange:
        return RowRange(column=self.column, kind=self.kind)

    @property
    def hashed_columns(self) -> tuple[str, ...] | None:
        """The columns by which checksums of the settled segments that stay were made; None where they differ."""
        columns = {None if segment.checksum is None else segment.checksum.columns for segment in self.kept}
        return columns.pop() if len(columns) == 1 else None

    @property
    def base(self) -> _Base | None:
        """The last build that an increment adds to; None when all segments are made anew."""
        if self.last is None or self.last.increment is None or self.start is None:
            return None
        return _Base(self.last.segments, self.last.increment, self.start)


@dataclass(frozen=True, slots=True)
class _Base:
    """All segments of the last build, what made them, and the bound above which everything is read again."""

    segments: tuple[Segment, ...]
    increment: Increment
    start: int


def prospect(definition: AggregateDefinition, part: FactPart, given: IncrementsInput) -> Prospect | FullTable:
    """What must be looked up to decide about one aggregate, or why it is built as one table."""
    dataset = given.datasets.get(part.fact)
    if dataset is None or dataset.incremental is None:
        return FullTable(reason=f"dataset `{part.fact}` has no `incremental` in the model")
    if (never := _why_never(definition, part, given)) is not None:
        return never
    column, written = dataset.incremental.column, dataset.incremental.grace_period
    source, grace = given.sources[part.fact], parse_grace_period(written)
    problem = type_problem(source, column)
    if grace is None:
        problem = f"the grace period `{written}` of dataset `{part.fact}` is not of the form 12h"
    data_type = "" if problem else indicator_type(source, column)
    kind = indicator_kind(data_type, source.dialect)
    if grace is None or kind is None:
        return FullTable(reason=problem)
    last, state = given.last.get((definition.id, part.fact)), given.states.get((definition.id, part.fact))
    candidate = Prospect(
        part=part,
        column=column,
        data_type=data_type,
        kind=kind,
        model_grace=grace,
        grace=parse_grace_period(given.grace_periods.get(part.fact, "")) or grace,
        last=last,
        full_reason=_why_full(last, _IndicatorColumn(column, data_type), state, given),
        state=state,
    )
    return candidate if candidate.full_reason else _apply_grace_period(candidate, given)


def _why_never(definition: AggregateDefinition, part: FactPart, given: IncrementsInput) -> FullTable | None:
    """Why an aggregate of a fact with an indicator is built as one table anyway; None when it is not."""
    if not given.settings.incremental:
        return FullTable(reason="aggregate.incrementalUpdate.enabled is off")
    if len(definition.parts) > 1:
        return FullTable(
            reason=f"it has metrics of several facts: {', '.join(other_part.fact for other_part in definition.parts)}"
        )
    if not part.has_only_rollups():
        exact = ", ".join(f"`{measure.column}`" for measure in part.measures if not measure.rolls_up)
        return FullTable(reason=f"exact distinct values of {exact} cannot be combined from segments")
    joined = sorted({step.to_dataset for bound in part.attributes for step in bound.steps})
    mutable = [name for name in joined if name in given.datasets and not given.datasets[name].immutable]
    if not mutable:
        return None
    names = ", ".join(f"`{name}`" for name in mutable)
    reason = f"it joins {names}, not `immutable` in the model: what changes there would not reach older segments"
    if given.settings.joins_may_prevent_incremental:
        return FullTable(reason=reason)
    return FullTable(reason=f"{reason}, and {JOINS_PREVENT} is off", is_refused=True)


def _why_full(
    last: LastBuild | None, indicator: _IndicatorColumn, state: SourceState | None, given: IncrementsInput
) -> str:
    """Why all segments must be made anew, by what the registry knows; empty when there is no reason."""
    if given.build_type is BuildType.FULL:
        return "a full rebuild was asked for"
    if last is None:
        return "it has not been built before"
    if last.increment is None or not last.segments:
        return "it was built as one table the last time"
    return _why_not_on_top(last, last.increment, indicator, given) or _why_not_alike(last.increment, state)


def _why_not_on_top(last: LastBuild, before: Increment, indicator: _IndicatorColumn, given: IncrementsInput) -> str:
    """Why an increment cannot add to the segments of the last build; empty when it can."""
    if last.deployment_id != given.deployment_id:
        return "the model was edited since it was built"
    was = before.indicator
    if _IndicatorColumn(was.column, was.data_type) != indicator:
        return (
            f"the indicator was `{was.column}` of type {was.data_type.upper()} and is now `{indicator.name}` "
            f"of type {indicator.data_type.upper()}"
        )
    if not last.are_there:
        return "tables of its segments are not in the warehouse any more"
    if last.moved or last.damage:
        return last.moved or last.damage
    days = given.settings.full_rebuild_after_days
    if days and given.now - before.full_at >= timedelta(days=days):
        return f"its last full rebuild is {days} days ago or more (aggregate.incrementalUpdate.fullRebuildAfterDays)"
    return ""


def _why_not_alike(before: Increment, state: SourceState | None) -> str:
    """Why new segments would not match the old ones: the sources have changed. Empty when they have not."""
    if state is None:
        return ""
    if before.sources is None:
        return "it was built by a version that did not note what its columns are"
    if changed := changed_columns(before.sources, state):
        return changed
    if replaced := replaced_table(before.sources, state):
        return f"table `{replaced}` is not the one that it was built from, or was truncated or written anew"
    return ""


def _apply_grace_period(candidate: Prospect, given: IncrementsInput) -> Prospect:
    """The prospect with the settled segments that the grace period does not reach."""
    last = candidate.last
    if last is None or last.increment is None:
        return candidate
    settled = [segment for segment in last.segments if segment.is_settled]
    if last.increment.indicator.unit is IndicatorUnit.PLAIN and candidate.grace.suffix:
        return replace(candidate, full_reason=f"a grace period of {candidate.grace} says nothing about plain numbers")
    if candidate.grace != candidate.model_grace:
        newest = last.increment.newest
        newest = last.segments[-1].through if newest is None else newest
        reach = _settled_bound(last.increment.indicator, candidate.grace, newest, given)
        settled = [segment for segment in settled if segment.through <= reach]
    if not settled:
        return replace(candidate, full_reason="the grace period reaches back to the first row")
    slices = {named: bounds_of(named, candidate.kind, last.increment.indicator.unit) for named in last.named}
    if unknown := [str(named) for named, bounds in slices.items() if bounds is None]:
        return replace(candidate, full_reason=f"`{unknown[0]}` was named, which is no range of `{candidate.column}`")
    reached = find_reach(settled, [bounds for bounds in slices.values() if bounds is not None])
    is_narrow = bool(slices) and candidate.part.fact in given.named
    return replace(
        candidate,
        kept=reached.kept,
        anew=reached.anew,
        is_window_named=reached.is_window_named,
        is_narrow=is_narrow,
        settled_checksum=None if is_narrow else add_checksums(segment.checksum for segment in reached.kept),
        start=settled[-1].through,
    )


def decide(candidate: Prospect, lookup: IndicatorFacts, given: IncrementsInput) -> Decision:
    """Decide what is done to the segments of one aggregate.

    Args:
        lookup: of its fact; ``above`` has its start, and ``up_to`` where rows below were counted.
    """
    if lookup.nulls:
        return FullTable(
            reason=f"`{candidate.column}` is NULL in {counted(lookup.nulls, 'row')} of `{candidate.part.fact}`"
        )
    if not lookup.is_readable:
        return FullTable(reason=f"the greatest `{candidate.column}` of `{candidate.part.fact}` is no finite value")
    greatest = lookup.greatest
    if greatest is None:
        return FullTable(reason=f"`{candidate.part.fact}` holds no rows")
    unit = _unit(candidate, lookup, given)
    if isinstance(unit, UnknownUnit):
        return FullTable(reason=unit.reason)
    indicator = Indicator(column=candidate.column, data_type=candidate.data_type, kind=candidate.kind, unit=unit)
    clock = _clock(candidate, given)
    newest = lookup.newest.get(clock[unit]) if unit in clock else greatest
    settled = None if newest is None else _settled_bound(indicator, candidate.model_grace, newest, given)
    base = candidate.base
    reason = candidate.full_reason or ("" if base is None else _why_full_after_all(candidate, base, lookup, indicator))
    length = steps_of_length(indicator, given.settings)
    segmented = Segmented(
        indicator=indicator,
        grace=candidate.grace,
        full_reason=reason,
        full_at=given.now,
        ranges=_cut_settled(_ranges(candidate, None, settled, greatest), length, lookup.least),
        is_first=candidate.last is None,
        newest=newest,
        sources=candidate.state,
    )
    if reason or base is None:
        return segmented
    return _increment(candidate, base, lookup, replace(segmented, full_at=base.increment.full_at), settled, given)


def _settled_bound(indicator: Indicator, grace: GracePeriod, newest: int, given: IncrementsInput) -> int:
    zone = ZoneInfo(given.settings.indicator_time_zone)
    return settled_bound(indicator, grace, greatest=newest, now=given.now, zone=zone)


def _increment(
    candidate: Prospect,
    base: _Base,
    lookup: IndicatorFacts,
    segmented: Segmented,
    settled: int | None,
    given: IncrementsInput,
) -> Segmented:
    greatest, newest = lookup.greatest, base.segments[-1]
    is_all_settled = len(candidate.kept) + len(candidate.anew) == len(base.segments) - 1
    through = newest.through if greatest is None or greatest <= base.start else greatest
    is_as_before = is_all_settled and lookup.above[base.start] == newest.fact_rows and through <= newest.through
    # Who names what has changed, and names nothing of the window, leaves it alone as long as no row has come or gone.
    is_window_kept = is_as_before and bool(candidate.anew) and not candidate.is_window_named
    length = steps_of_length(segmented.indicator, given.settings)
    merged = () if is_window_kept else choose_merged(candidate.kept, base.start, given.settings, length)
    seen = () if candidate.last is None else candidate.last.seen
    if candidate.is_narrow and not all(segment in seen for segment in merged):
        # Damage to tables that nobody has looked at would be hidden in a new one.
        merged = ()
    kept = tuple(segment for segment in candidate.kept if segment not in merged)
    window = () if is_window_kept else _ranges(candidate, base.start, settled, max(through, base.start))
    anew = [range_of(segment, segmented.ranges[0]) for segment in candidate.anew]
    return replace(
        segmented,
        ranges=_cut_settled(window, length, None),
        newest=base.increment.newest if segmented.newest is None else segmented.newest,
        kept=(*kept, newest) if is_window_kept else kept,
        merged=merged,
        may_be_unchanged=is_as_before and not candidate.anew,
        last=base.segments,
        late=_late(candidate, lookup),
        anew=tuple(piece for rows in anew for piece in cut(rows, length, lookup.least)),
        replaced=candidate.anew,
        named=() if candidate.last is None else candidate.last.named,
        counts=tuple(_count(lookup, rows) for rows in candidate.anew_ranges),
    )


def _ranges(candidate: Prospect, start: int | None, settled: int | None, through: int) -> tuple[RowRange, ...]:
    """The ranges to be read: the settled part, if there is one, then the unsettled part.

    Without a bound all is unsettled.
    """
    rows = RowRange(column=candidate.column, kind=candidate.kind, after=start, through=through)
    if settled is None or (start is not None and settled <= start) or settled >= through:
        return (rows,)
    return (replace(rows, through=settled), replace(rows, after=settled))


def _cut_settled(ranges: tuple[RowRange, ...], length: int | None, least: int | None) -> tuple[RowRange, ...]:
    """The ranges with the settled ones cut; the unsettled one is the last."""
    return (*(piece for rows in ranges[:-1] for piece in cut(rows, length, least)), *ranges[-1:])


def _unit(candidate: Prospect, lookup: IndicatorFacts, given: IncrementsInput) -> IndicatorUnit | UnknownUnit:
    """What a step of the indicator stands for."""
    base, clock = candidate.base, _clock(candidate, given)
    if base is not None and clock and not lookup.newest and base.increment.indicator.unit in clock:
        # There are no rows above the last segments except rows in the future.
        return base.increment.indicator.unit
    return unit_of(
        candidate.column,
        candidate.kind,
        GracePeriods(candidate.model_grace, candidate.grace),
        lookup,
        clock,
        given.settings,
    )


def _clock(candidate: Prospect, given: IncrementsInput) -> Mapping[IndicatorUnit, int]:
    return clock_in(candidate.kind, candidate.model_grace, given.now, given.settings)


def moments(candidate: Prospect, given: IncrementsInput) -> tuple[int, ...]:
    """The moments up to which the greatest indicator must be looked up, the same for all prospects of one fact."""
    return tuple(sorted(set(_clock(candidate, given).values())))


def _why_full_after_all(candidate: Prospect, base: _Base, lookup: IndicatorFacts, indicator: Indicator) -> str:
    """Why all segments must be made anew, by the indicator's values; empty when there is no reason."""
    before, start = base.increment.indicator, base.start
    if before.unit is not indicator.unit:
        return f"`{candidate.column}` was read in {before.unit} and is now in {indicator.unit}"
    expected, counted = _expected_rows(candidate), _counted_rows(candidate, lookup)
    what = f"rows of `{candidate.part.fact}` with `{candidate.column}` up to {render_bound(candidate.kind, start)}"
    what += ", outside of what was named," if candidate.anew else ""
    if expected is not None and counted is not None and counted < expected:
        return (
            f"{expected - counted:,} of the {expected:,} {what} are gone: it was truncated or reloaded, or rows older "
            "than "
            "the grace period were deleted"
        )
    if lookup.above[start] == 0 and base.segments[-1].fact_rows != 0 and (expected is None or counted is None):
        return f"all newer rows of `{candidate.part.fact}` are gone, and nobody knows whether the older ones are there"
    old_checksum = candidate.settled_checksum
    new_checksum = None if old_checksum is None else lookup.checksums.get((candidate.kept_ranges, old_checksum.columns))
    changed = "" if old_checksum is None or new_checksum is None else changed_rows(old_checksum, new_checksum)
    return f"{what} {changed}" if changed else ""


def _expected_rows(candidate: Prospect) -> int | None:
    counts = [segment.fact_rows for segment in candidate.kept]
    return None if None in counts else sum(count for count in counts if count is not None)


def _counted_rows(candidate: Prospect, lookup: IndicatorFacts) -> int | None:
    """The fact rows that an increment does not read, as they are now; None when nobody counted them."""
    counts = [_count(lookup, rows) for rows in candidate.kept_ranges]
    return None if None in counts else sum(count for count in counts if count is not None)


def _count(lookup: IndicatorFacts, rows: RowRange) -> int | None:
    if (rows.after, rows.through) in lookup.within:
        return lookup.within[rows.after, rows.through]
    below = 0 if rows.after is None else lookup.up_to.get(rows.after)
    through = None if rows.through is None else lookup.up_to.get(rows.through)
    return None if below is None or through is None else through - below


def _late(candidate: Prospect, lookup: IndicatorFacts) -> int | None:
    expected, counted = _expected_rows(candidate), _counted_rows(candidate, lookup)
    return None if expected is None or counted is None else counted - expected


def refusal(decision: FullTable) -> DefinitionError:
    """The error for an aggregate that a setting does not let be built."""
    return DefinitionError("", decision.reason, "Mark the dataset `immutable`, or switch the setting on.")
