"""Full or by increments: which aggregates can be incremental at all, and what this batch does to the segments of each.

Decided in two steps, since only the warehouse knows the indicator's values: `prospects` says what must be looked up, one
lookup per fact and batch, and `decide` makes the ranges of it.

Source: AtScale, "About Incremental Rebuilds"; "Setting Properties to Allow Incremental Rebuilds" (who is incremental).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from airflow_atscale_aggs.engine.aggregates.provenance import (
    Checksum,
    SourceState,
    add_checksums,
    changed_columns,
    changed_rows,
    replaced_table,
)
from airflow_atscale_aggs.engine.aggregates.segment import Increment, Segment, run_to_merge
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.planning.windows import UnknownUnit, clock_in, unit_of
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import (
    IndicatorFacts,
    indicator_kind,
    indicator_type,
    type_problem,
)
from airflow_atscale_aggs.engine.sql.sources import Sources

JOINS_PREVENT = "aggregate.create.joins.allowPreventIncremental.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBuild:
    """The instance of an aggregate that serves.

    Attributes:
        increment: of its step; None where it is one table.
        segments: in order of their ranges; the last one is unsettled.
        are_there: all tables of the segments are in the warehouse.
        damage: what is wrong with a table of them; empty where nothing is known.
        moved: in which way settings of the session, or what its tables' names mean, were other ones; empty: they were not.
    """

    deployment_id: str
    increment: Increment | None
    segments: tuple[Segment, ...] = ()
    are_there: bool = True
    damage: str = ""
    moved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementsInput:
    """What is decided upon.

    Attributes:
        now: when the batch is begun.
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
    last: Mapping[tuple[str, str], LastBuild] = field(default_factory=dict)
    states: Mapping[tuple[str, str], SourceState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """An aggregate of a fact with an indicator, before the indicator's values are known.

    Attributes:
        model_grace: decides what is settled.
        grace: decides how far back is read; other than the model's when it is overridden.
        full_reason: why all segments are made anew; empty when it is not known yet that they must be.
        kept: settled segments that stay.
        start: everything above is read again; None when all is.
        state: what its sources are now; None when nobody looked.
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

    @property
    def checksum_of_kept(self) -> Checksum | None:
        """Of the fact rows behind the settled segments that stay; None where not all are known."""
        return add_checksums(one.checksum for one in self.kept)

    @property
    def base(self) -> _Base | None:
        """What an increment is put on top of; None when all segments are made anew."""
        if self.last is None or self.last.increment is None or self.start is None:
            return None
        return _Base(self.last.segments, self.last.increment, self.start)


@dataclass(frozen=True, slots=True)
class _Base:
    """All segments of the last build, what made them, and the bound above which everything is read again."""

    segments: tuple[Segment, ...]
    increment: Increment
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FullTable:
    """Built as one table, and why; ``is_refused``: a setting does not let it be built at all."""

    reason: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """Built in segments.

    Attributes:
        full_reason: why all are made anew; empty for an increment.
        ranges: of the segments to be made from the facts, the unsettled one last.
        kept: settled segments that stay.
        merged: settled segments that become one.
        may_be_unchanged: nothing speaks for a change of what the last unsettled segment holds.
        last: all segments of the last build.
        late: fact rows below what is read that were not there when it was built; None when nobody counted.
        is_first: it has never been built.
        newest: greatest indicator that is not in the future; None where there is none.
        sources: what its segments are made from; None when nobody looked.
        checksums: of the fact rows of each range, None where there is none; none at all before they are asked for.
    """

    indicator: Indicator
    grace: GracePeriod
    full_reason: str
    full_at: datetime
    ranges: tuple[RowRange, ...]
    kept: tuple[Segment, ...] = ()
    merged: tuple[Segment, ...] = ()
    may_be_unchanged: bool = False
    last: tuple[Segment, ...] = ()
    late: int | None = None
    is_first: bool = False
    newest: int | None = None
    sources: SourceState | None = None
    checksums: tuple[Checksum | None, ...] = ()

    @property
    def covered(self) -> RowRange:
        """The range of the fact rows that are read."""
        return replace(self.ranges[-1], after=self.ranges[0].after)


Decision = FullTable | Segmented


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
    found = Prospect(
        part=part,
        column=column,
        data_type=data_type,
        kind=kind,
        model_grace=grace,
        grace=parse_grace_period(given.grace_periods.get(part.fact, "")) or grace,
        last=last,
        full_reason=_why_full(last, (column, data_type), state, given),
        state=state,
    )
    return found if found.full_reason else _reaching_back(found, given)


def _why_never(definition: AggregateDefinition, part: FactPart, given: IncrementsInput) -> FullTable | None:
    """Why an aggregate of a fact with an indicator is one table all the same."""
    if not given.settings.incremental:
        return FullTable(reason="aggregate.incrementalUpdate.enabled is off")
    if len(definition.parts) > 1:
        return FullTable(reason=f"it has metrics of several facts: {', '.join(one.fact for one in definition.parts)}")
    if not part.has_only_rollups():
        exact = ", ".join(f"`{one.column}`" for one in part.measures if not one.rolls_up)
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
    last: LastBuild | None, indicator: tuple[str, str], state: SourceState | None, given: IncrementsInput
) -> str:
    """Why all segments must be made anew, as far as the registry knows."""
    if given.build_type is BuildType.FULL:
        return "a full rebuild was asked for"
    if last is None:
        return "it has not been built before"
    if last.increment is None or not last.segments:
        return "it was built as one table the last time"
    return _why_not_on_top(last, last.increment, indicator, given) or _why_not_alike(last.increment, state)


def _why_not_on_top(last: LastBuild, before: Increment, indicator: tuple[str, str], given: IncrementsInput) -> str:
    """Why the segments of the last build cannot be added to."""
    if last.deployment_id != given.deployment_id:
        return "the model was edited since it was built"
    was = before.indicator
    if (was.column, was.data_type) != indicator:
        return (
            f"the indicator was `{was.column}` of type {was.data_type.upper()} and is now `{indicator[0]}` "
            f"of type {indicator[1].upper()}"
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
    """Why segments made from the sources as they were do not go with segments made from them as they are."""
    if state is None:
        return ""
    if before.sources is None:
        return "it was built by a version that did not note what its columns are"
    if changed := changed_columns(before.sources, state):
        return changed
    if replaced := replaced_table(before.sources, state):
        return f"table `{replaced}` is not the one that it was built from, or was truncated or written anew"
    return ""


def _reaching_back(found: Prospect, given: IncrementsInput) -> Prospect:
    """With the settled segments that the grace period leaves alone."""
    last = found.last
    if last is None or last.increment is None:
        return found
    kept = [one for one in last.segments if one.is_settled]
    if last.increment.indicator.unit is IndicatorUnit.PLAIN and found.grace.suffix:
        return replace(found, full_reason=f"a grace period of {found.grace} says nothing about plain numbers")
    if found.grace != found.model_grace:
        newest = last.increment.newest
        newest = last.segments[-1].through if newest is None else newest
        reach = _settled_bound(last.increment.indicator, found.grace, newest, given)
        kept = [one for one in kept if one.through <= reach]
    if not kept:
        return replace(found, full_reason="the grace period reaches back to the first row")
    return replace(found, kept=tuple(kept), start=kept[-1].through)


def decide(found: Prospect, looked_up: IndicatorFacts, given: IncrementsInput) -> Decision:
    """What is done to the segments of one aggregate.

    Args:
        looked_up: of its fact; ``above`` has its start, and ``up_to`` where rows below were counted.
    """
    if looked_up.nulls:
        return FullTable(reason=f"`{found.column}` is NULL in {counted_rows(looked_up.nulls)} of `{found.part.fact}`")
    if not looked_up.is_readable:
        return FullTable(reason=f"the greatest `{found.column}` of `{found.part.fact}` is no finite value")
    greatest = looked_up.greatest
    if greatest is None:
        return FullTable(reason=f"`{found.part.fact}` holds no rows")
    unit = _unit(found, looked_up, given)
    if isinstance(unit, UnknownUnit):
        return FullTable(reason=unit.reason)
    indicator = Indicator(column=found.column, data_type=found.data_type, kind=found.kind, unit=unit)
    clock = _clock(found, given)
    newest = looked_up.newest.get(clock[unit]) if unit in clock else greatest
    settled = None if newest is None else _settled_bound(indicator, found.model_grace, newest, given)
    base = found.base
    reason = found.full_reason or ("" if base is None else _why_full_after_all(found, base, looked_up, indicator))
    made = Segmented(
        indicator=indicator,
        grace=found.grace,
        full_reason=reason,
        full_at=given.now,
        ranges=_ranges(found, None, settled, greatest),
        is_first=found.last is None,
        newest=newest,
        sources=found.state,
    )
    if reason or base is None:
        return made
    return _increment(found, base, looked_up, replace(made, full_at=base.increment.full_at), settled, given)


def _settled_bound(indicator: Indicator, grace: GracePeriod, newest: int, given: IncrementsInput) -> int:
    zone = ZoneInfo(given.settings.indicator_time_zone)
    return settled_bound(indicator, grace, greatest=newest, now=given.now, zone=zone)


def _increment(
    found: Prospect,
    base: _Base,
    looked_up: IndicatorFacts,
    made: Segmented,
    settled: int | None,
    given: IncrementsInput,
) -> Segmented:
    greatest, newest = looked_up.greatest, base.segments[-1]
    is_all_kept = len(found.kept) == len(base.segments) - 1
    through = newest.through if greatest is None or greatest <= base.start else greatest
    run = run_to_merge(found.kept, given.settings.max_static_segments)
    return replace(
        made,
        ranges=_ranges(found, base.start, settled, max(through, base.start)),
        newest=base.increment.newest if made.newest is None else made.newest,
        kept=found.kept[: len(found.kept) - run],
        merged=found.kept[len(found.kept) - run :],
        may_be_unchanged=is_all_kept and looked_up.above[base.start] == newest.fact_rows and through <= newest.through,
        last=base.segments,
        late=_late(found, looked_up),
    )


def _ranges(found: Prospect, start: int | None, settled: int | None, through: int) -> tuple[RowRange, ...]:
    """The settled part of what is read, if there is any, and the unsettled one; all is unsettled where no bound is."""
    rows = RowRange(column=found.column, kind=found.kind, after=start, through=through)
    if settled is None or (start is not None and settled <= start) or settled >= through:
        return (rows,)
    return (replace(rows, through=settled), replace(rows, after=settled))


def _unit(found: Prospect, looked_up: IndicatorFacts, given: IncrementsInput) -> IndicatorUnit | UnknownUnit:
    """What a step of the indicator stands for."""
    base, clock = found.base, _clock(found, given)
    if base is not None and clock and not looked_up.newest and base.increment.indicator.unit in clock:
        # Nothing above the last segments but rows in the future.
        return base.increment.indicator.unit
    return unit_of(found.column, found.kind, (found.model_grace, found.grace), looked_up, clock, given.settings)


def _clock(found: Prospect, given: IncrementsInput) -> Mapping[IndicatorUnit, int]:
    return clock_in(found.kind, found.model_grace, given.now, given.settings)


def moments(found: Prospect, given: IncrementsInput) -> tuple[int, ...]:
    """The moments up to which the greatest indicator must be looked up, the same for all prospects of one fact."""
    return tuple(sorted(set(_clock(found, given).values())))


def _why_full_after_all(found: Prospect, base: _Base, looked_up: IndicatorFacts, indicator: Indicator) -> str:
    """Why all segments must be made anew, as the indicator's values say."""
    before, start = base.increment.indicator, base.start
    if before.unit is not indicator.unit:
        return f"`{found.column}` was read in {before.unit} and is now in {indicator.unit}"
    expected, counted = _expected(found), looked_up.up_to.get(start)
    what = f"rows of `{found.part.fact}` with `{found.column}` up to {render_bound(found.kind, start)}"
    if expected is not None and counted is not None and counted < expected:
        return (
            f"{expected - counted:,} of the {expected:,} {what} are gone: it was truncated or reloaded, or rows older than "
            "the grace period were deleted"
        )
    if looked_up.above[start] == 0 and base.segments[-1].fact_rows != 0 and (expected is None or counted is None):
        return f"all newer rows of `{found.part.fact}` are gone, and nobody knows whether the older ones are there"
    kept = found.checksum_of_kept
    now = None if kept is None else looked_up.checksums.get((start, kept.columns))
    changed = "" if kept is None or now is None else changed_rows(kept, now)
    return f"{what} {changed}" if changed else ""


def _expected(found: Prospect) -> int | None:
    counts = [one.fact_rows for one in found.kept]
    return None if None in counts else sum(count for count in counts if count is not None)


def _late(found: Prospect, looked_up: IndicatorFacts) -> int | None:
    expected = _expected(found)
    counted = None if found.start is None else looked_up.up_to.get(found.start)
    return None if expected is None or counted is None else counted - expected


def counted_rows(number: int) -> str:
    """``1 row``, ``2 rows``."""
    return "1 row" if number == 1 else f"{number:,} rows"


def refusal(decision: FullTable) -> DefinitionError:
    """The error for an aggregate that a setting does not let be built."""
    return DefinitionError("", decision.reason, "Mark the dataset `immutable`, or switch the setting on.")


def starts(found: Sequence[Prospect]) -> tuple[int, ...]:
    """The bounds that must be looked up for prospects of one fact."""
    return tuple(sorted({one.start for one in found if one.start is not None}))
