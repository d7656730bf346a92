"""What a batch costs before it runs: how often each fact is read and why, and what is read and written.

Counted from the plan alone. A reading of a fact is one place in a statement where its table, view or query stands; what
a warehouse makes of it, such as parts that it skips or caches, is its own affair. What is joined to a fact is not
counted.

    reason          reads the fact
    marks           when the batch is begun, and before it goes live: were rows loaded in between?
    proofs          once for each claim about the fact's own columns, and once to try calculated columns
    indicator       for its greatest values, its NULLs and late rows; and a range for each checksum of settled rows
    builds          once for each aggregate that derives from no other, by range where it is made of segments
    verification    once for the totals that all aggregates are compared with; by group once for each aggregate

Failed attempts that are made again, and builds at the same time that each find no totals yet, read more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.verification import Verification
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.planning.batch_seconds import BatchSeconds
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.mark_queries import columns_of_datasets, value_mark_sql, version_mark_sql
from airflow_atscale_aggs.engine.sql.probes import (
    Claim,
    find_wanted_dependencies,
    implied_dependencies,
    keys_to_prove,
    proof_statement,
)
from airflow_atscale_aggs.engine.sql.sources import Sources

_WITH_GROUPS = frozenset({VerificationLevel.SAMPLE, VerificationLevel.FULL})


class ReadReason(StrEnum):
    """Why a batch reads a fact."""

    MARKS = "marks"
    PROOFS = "proofs"
    INDICATOR = "indicator"
    BUILDS = "builds"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSize:
    """What is known of the size of a fact without reading it.

    Attributes:
        rows: about; None when neither the warehouse's statistics nor the last batch tell.
        size_bytes: of one reading, about: the table where the warehouse tells, else the columns that aggregates read,
            by their types; None when the rows are not known.
    """

    rows: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorReads:
    """Readings of one fact when increments are decided: of all its rows, and of ranges of them.

    ``is_marked``: its state is marked when the batch is begun, where the warehouse can do so.
    """

    whole: int = 0
    ranges: int = 0
    is_marked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningReads:
    """Readings of the facts, by fact, when a batch is planned.

    Attributes:
        is_marked: facts whose state the warehouse can mark, by reading them.
        proofs: claims about the facts' own columns, and calculated columns that are tried.
    """

    is_marked: frozenset[str] = frozenset()
    proofs: Mapping[str, int] = field(default_factory=dict)
    indicator: Mapping[str, IndicatorReads] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactCost:
    """How often a batch reads one fact.

    Attributes:
        whole: readings of all its rows, by reason.
        ranges: readings of a range of the indicator, by reason.
        passes: how often such ranges together make up all its rows.
    """

    fact: str
    size: FactSize
    whole: Mapping[ReadReason, int]
    ranges: Mapping[ReadReason, int]
    passes: int = 0

    @property
    def readings(self) -> int:
        """All of them."""
        return sum(self.whole.values()) + sum(self.ranges.values())

    @property
    def complete_readings(self) -> int:
        """How often every row is read; ranges that are not all of the fact come on top."""
        return sum(self.whole.values()) + self.passes

    @property
    def rows_read(self) -> int | None:
        """Rows of all complete readings; None when the rows of the fact are not known."""
        return None if self.size.rows is None else self.size.rows * self.complete_readings

    @property
    def bytes_read(self) -> int | None:
        """Bytes of all complete readings; None when those of the fact are not known."""
        return None if self.size.size_bytes is None else self.size.size_bytes * self.complete_readings


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCost:
    """What a batch costs.

    Attributes:
        facts: sorted by name.
        from_facts: aggregates that are built from their facts.
        derived: aggregates that are built from others of the batch.
        rows_written: of the aggregates whose rows are known or estimated.
        bytes_written: of the same, about, by the types of their columns and what the warehouse makes of them.
        not_known: aggregates of which it is not known how many rows are written.
        estimates: readings for the estimates of the plan itself, by fact; a build makes none.
        seconds: of the builds, by those of the tables that serve.
        bytes_free: where the tables go; None where the warehouse does not tell.
    """

    facts: tuple[FactCost, ...]
    from_facts: int
    derived: int
    rows_written: int
    bytes_written: int
    not_known: tuple[str, ...] = ()
    estimates: Mapping[str, int] = field(default_factory=dict)
    seconds: BatchSeconds = field(default_factory=BatchSeconds)
    bytes_free: int | None = None

    @property
    def fits(self) -> bool:
        """False where it is known that more bytes are written than are free."""
        return self.bytes_free is None or self.bytes_written <= self.bytes_free


def planning_reads(
    parts: Sequence[FactPart],
    sources: Sources,
    constraints: ProvenConstraints,
    *,
    tried: Iterable[str] = (),
    listed: Collection[str] = (),
    indicator: Mapping[str, IndicatorReads],
) -> PlanningReads:
    """What the planning of a batch of these parts reads.

    Args:
        constraints: as the data has proven them.
        tried: facts of which calculated columns are tried.
        listed: facts that are marked by the list of their files, for which they are not read.
        indicator: by fact, as it was when increments were decided.
    """
    facts = {part.fact for part in parts}
    wanted = find_wanted_dependencies(parts, constraints)
    claims: list[Claim] = [*keys_to_prove(parts), *sorted(wanted - implied_dependencies(wanted, constraints))]
    asked, _ = proof_statement(claims, sources, constraints)
    proofs = dict.fromkeys(tried, 1)
    for claim in asked:
        if claim.dataset in facts:
            proofs[claim.dataset] = proofs.get(claim.dataset, 0) + 1
    columns = columns_of_datasets(parts)
    read = facts - set(listed)
    marked = frozenset(fact for fact in read if _can_mark(fact, sorted(columns[fact]), sources))
    return PlanningReads(is_marked=marked, proofs=proofs, indicator=indicator)


def _can_mark(fact: str, columns: Sequence[str], sources: Sources) -> bool:
    try:
        return bool(version_mark_sql(sources[fact]) or value_mark_sql(sources[fact], columns))
    except DefinitionError:
        return False


def batch_cost(
    steps: Sequence[BuildStep],
    level: VerificationLevel,
    planning: PlanningReads,
    sizes: Mapping[str, FactSize],
    row_bytes: Mapping[tuple[str, str], float],
    estimates: Mapping[str, int],
) -> BatchCost:
    """The cost of a batch of these steps.

    Args:
        level: of the verification.
        sizes: by fact.
        row_bytes: of a row of an aggregate, by (definition id, fact).
        estimates: readings that the plan itself has made for estimates, by fact.
    """
    counts: dict[str, _Counts] = {step.fact: _Counts() for step in steps}
    from_facts = [step for step in steps if len(step.sources) == 1]
    _count_planning(counts, planning, is_marked_twice=len(from_facts) > 1)
    seen: set[str] = set()
    by_instance = {step.instance_id: step for step in steps}
    for step in steps:
        _count_build(counts[step.fact], step)
        if level is not VerificationLevel.OFF and step.verification is not None:
            source = by_instance.get(step.sources[0].instance_id or "")
            _count_verification(counts[step.fact], step, step.verification, source, seen)
            if level in _WITH_GROUPS and step.verification.groups is not None:
                counts[step.fact].add(ReadReason.VERIFICATION, step)
    written = [(step, rows) for step in steps if (rows := _rows_written(step)) is not None]
    return BatchCost(
        facts=tuple(
            FactCost(
                fact=fact,
                size=sizes.get(fact, FactSize()),
                whole=found.whole,
                ranges=found.ranges,
                passes=found.passes,
            )
            for fact, found in sorted(counts.items())
        ),
        from_facts=len(from_facts),
        derived=len(steps) - len(from_facts),
        rows_written=sum(rows for _, rows in written),
        bytes_written=round(sum(rows * row_bytes.get((step.definition_id, step.fact), 0.0) for step, rows in written)),
        not_known=tuple(step.aggregate for step in steps if _rows_written(step) is None),
        estimates=estimates,
    )


@dataclass(slots=True)
class _Counts:
    """Readings of one fact as they are counted."""

    whole: dict[ReadReason, int] = field(default_factory=lambda: dict.fromkeys(ReadReason, 0))
    ranges: dict[ReadReason, int] = field(default_factory=lambda: dict.fromkeys(ReadReason, 0))
    passes: int = 0

    def add(self, reason: ReadReason, step: BuildStep, number: int = 1) -> None:
        """Count statements of a step that together read the rows which it is made of."""
        if step.increment is None:
            self.whole[reason] += number
            return
        self.ranges[reason] += number
        self.passes += bool(number and step.increment.full_reason)


def _count_planning(counts: Mapping[str, _Counts], planning: PlanningReads, *, is_marked_twice: bool) -> None:
    for fact, found in counts.items():
        indicator = planning.indicator.get(fact, IndicatorReads())
        is_marked = indicator.is_marked and fact in planning.is_marked
        found.whole[ReadReason.MARKS] += is_marked * (1 + is_marked_twice)
        found.whole[ReadReason.PROOFS] += planning.proofs.get(fact, 0)
        found.whole[ReadReason.INDICATOR] += indicator.whole
        found.ranges[ReadReason.INDICATOR] += indicator.ranges


def _count_build(found: _Counts, step: BuildStep) -> None:
    """A step reads its facts unless it derives from another one; segments, a range for each."""
    increment = step.increment
    if increment is not None:
        if increment.unchanged is not None:
            found.ranges[ReadReason.VERIFICATION] += 1
        found.ranges[ReadReason.BUILDS] += sum(bool(segment.fact_rows_sql) for segment in increment.new)
    if len(step.sources) == 1:
        found.add(ReadReason.BUILDS, step, 1 if increment is None else len(step.sources[0].segment_sqls))


def _count_verification(
    found: _Counts, step: BuildStep, verification: Verification, source: BuildStep | None, seen: set[str]
) -> None:
    """Totals of a fact are taken once; whoever derives is compared with those of its source where they are the same."""
    query = verification.facts.sql
    if source is not None and source.verification is not None:
        is_known = source.verification.facts.sql == query
    else:
        is_known = query in seen
    if not is_known:
        found.add(ReadReason.VERIFICATION, step)
    seen.add(query)


def _rows_written(step: BuildStep) -> int | None:
    """None where nobody has estimated them, or only some of the aggregate is made anew."""
    return None if step.kind == "increment" else step.estimated_rows
