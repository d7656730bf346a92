"""The advisor: it turns query requirements into proposals, chosen for all facts together under one budget.

What is predicted of a proposal is computed from the proposal itself: a need counts as answered when the lattice derives
it from what would be stored, with the measures that would be stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace

import numpy as np
from numpy.typing import NDArray

from airflow_atscale_aggs.engine.advising.candidates import (
    CandidateGrain,
    JoinLimits,
    candidate_grains,
    serving_table,
    unwanted_attributes,
)
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.advising.selection import Budget, SelectionProblem, select
from airflow_atscale_aggs.engine.advising.widths import RowWidths
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, derivation
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.settings import Settings

_MOST_CANDIDATES = 4_000
_UPKEEP_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedPart:
    """An aggregate that is defined already, with its part for one fact.

    Attributes:
        rows: None until they have been counted.
        size_bytes: of its table; None where the warehouse does not tell it.
        is_system: the engine defined it.
        is_demanded: it was defined by demand, and counts against the budget for that.
    """

    name: str
    part: FactPart
    rows: float | None
    size_bytes: float | None = None
    metrics: tuple[str, ...] = ()
    is_system: bool = False
    is_demanded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FactWorkload:
    """The workload of one fact. It remembers what each requirement costs today.

    Attributes:
        space: knows the rows of its grains; it learns between two advices.
        requirements: those that a system-defined aggregate may answer, heaviest first.
        defined: aggregates of the fact that exist or will be built.
        proven: dependencies that hold in the data.
        widths: what rows of aggregates take.
    """

    fact: str
    space: GrainSpace
    requirements: tuple[QueryRequirement, ...]
    limits: JoinLimits
    proven: AbstractSet[Dependency]
    defined: tuple[DefinedPart, ...] = ()
    widths: RowWidths = field(default_factory=RowWidths)
    _able: dict[int, list[tuple[float, int]]] = field(default_factory=dict, repr=False)

    def cost_today(self, requirement: QueryRequirement) -> float:
        """Rows of the smallest defined aggregate that answers a requirement, or else of the fact."""
        able = self._answering(requirement)
        return min(float(self.space.fact_rows), able[0][0]) if able else float(self.space.fact_rows)

    def _answering(self, requirement: QueryRequirement) -> list[tuple[float, int]]:
        """(rows, place) of the defined aggregates that answer a requirement, the smallest first."""
        answering = self._able.get(id(requirement))
        if answering is None:
            answering = self._able[id(requirement)] = sorted(
                (max(defined.rows, 1.0), number)
                for number, defined in enumerate(self.defined)
                if defined.rows is not None and answers(defined.part, requirement, self.proven)
            )
        return answering

    def spent(self, *, in_bytes: bool) -> Mapping[str, float]:
        """Rows or bytes of the demand-defined aggregates that exist already, by name."""
        return {defined.name: self._size(defined, in_bytes=in_bytes) for defined in self.defined if defined.is_demanded}

    def _size(self, defined: DefinedPart, *, in_bytes: bool) -> float:
        """Rows, or bytes: those of the table if known, else an estimate."""
        rows = defined.rows or 0.0
        if not in_bytes:
            return rows
        return defined.size_bytes if defined.size_bytes is not None else rows * self.widths.of_part(defined.part)

    def without(self, names: AbstractSet[str]) -> FactWorkload:
        """The workload as if the named aggregates were not defined."""
        return replace(self, defined=tuple(defined for defined in self.defined if defined.name not in names), _able={})

    def worth(self, builds: float) -> Mapping[str, float]:
        """What each demand-defined aggregate saves beside all others, less its upkeep, by name.

        Args:
            builds: as of `advise`.
        """
        saved = [0.0] * len(self.defined)
        for requirement in self.requirements:
            answering = self._answering(requirement)
            if answering:
                other = answering[1][0] if len(answering) > 1 else float(self.space.fact_rows)
                saved[answering[0][1]] += requirement.weight * max(other - answering[0][0], 0.0)
        upkeep = self.upkeep(builds)
        return {
            defined.name: saved[number] - upkeep[defined.name]
            for number, defined in enumerate(self.defined)
            if defined.name in upkeep and defined.rows is not None
        }

    def upkeep(self, builds: float) -> Mapping[str, float]:
        """Rows that the builds read and write for each aggregate that was defined by demand, by name."""
        return {defined.name: self._upkeep(defined, builds) for defined in self.defined if defined.is_demanded}

    def _upkeep(self, defined: DefinedPart, builds: float) -> float:
        reads = float(self.space.fact_rows)
        for other in self.defined:
            if other is not defined and other.rows is not None and other.rows > (defined.rows or 0.0):
                is_source = derivation(defined.part, other.part, self.proven) is not None
                reads = min(reads, other.rows) if is_source else reads
        return _source_reads(self, builds) * reads + builds * (defined.rows or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An aggregate that should be defined.

    Attributes:
        rows: predicted.
        size_bytes: predicted: rows times what the columns take.
        is_measured: the rows come from a sketch in the warehouse, not from group counts of its attributes alone.
        saved: rows that queries read less during the time of the workload; upkeep is not deducted.
        upkeep: rows read and written to keep it, during the same time.
        queries: how many of the queries it answers best.
        heaviest: the requirement for which it saves most.
    """

    part: FactPart
    metrics: tuple[str, ...]
    rows: float
    size_bytes: float
    is_measured: bool
    saved: float
    upkeep: float
    queries: float
    heaviest: QueryRequirement
    heaviest_cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What should be defined, most saving first.

    Attributes:
        cost_before: rows that all queries read today.
        cost_after: rows that they would read, upkeep not included.
        to_measure: grains by fact whose rows should be measured before this advice is followed.
        refused: requirements that no system-defined aggregate may answer, with the reason.
    """

    proposals: tuple[Proposal, ...]
    cost_before: float
    cost_after: float
    to_measure: tuple[FactPart, ...] = ()
    refused: tuple[tuple[QueryRequirement, str], ...] = ()


def answers(part: FactPart, requirement: QueryRequirement, proven: AbstractSet[Dependency]) -> bool:
    """Whether the answer of a requirement can be derived from a stored part."""
    return derivation(requirement.part, part, proven) is not None


def advise(workloads: Sequence[FactWorkload], settings: Settings, *, budget: Budget, builds: float) -> Advice:
    """Advise which aggregates should be defined.

    Args:
        budget: in rows or bytes.
        builds: number of builds during the time of the workload. 0: not known; upkeep then does not matter and is given
            for one build.
    """
    table = _Table(workloads, settings, builds, in_bytes=budget.in_bytes)
    chosen = table.choose(budget)
    proposals, refused = [], []
    for number, workload in enumerate(workloads):
        mine = [table.candidates[place] for place in chosen if table.owner[place] == number]
        proposals += _Proposing(workload, settings, builds or 1.0).propose(mine)
        refused += table.refused[number]
    ordered = tuple(sorted(proposals, key=lambda proposal: -proposal.saved))
    before, after = _costs(workloads, ordered)
    to_measure = tuple(proposal.part for proposal in ordered if not proposal.is_measured)
    return Advice(
        proposals=ordered, cost_before=before, cost_after=after, to_measure=to_measure, refused=tuple(refused)
    )


class _Table:
    """The candidates of all facts, as one selection problem."""

    def __init__(self, workloads: Sequence[FactWorkload], settings: Settings, builds: float, *, in_bytes: bool) -> None:
        self._workloads, self._settings, self._builds = workloads, settings, builds
        self.candidates: list[CandidateGrain] = []
        self.owner: list[int] = []
        self.refused: list[list[tuple[QueryRequirement, str]]] = []
        self._requirements: list[QueryRequirement] = []
        self._costs: list[float] = []
        self._blocks: list[NDArray[np.bool_]] = []
        for number, workload in enumerate(workloads):
            self._add(number, workload)
        self._rows = np.array([self._rows_of(place) for place in range(len(self.candidates))], dtype=np.float64)
        self._sizes = self._rows * self._widest() if in_bytes else self._rows
        self._serves = self._serves_of_all()

    def _add(self, number: int, workload: FactWorkload) -> None:
        requirements, refused = servable(workload, self._settings)
        self.refused.append(refused)
        largest = workload.space.fact_rows / (
            self._settings.create_compression if self._settings.create_threshold else 1
        )
        grains = candidate_grains(workload.space, requirements, largest=largest, most=_MOST_CANDIDATES)
        grains = tuple(grain for grain in grains if not self._is_too_narrow(workload, grain))
        self.candidates += grains
        self.owner += [number] * len(grains)
        self._requirements += requirements
        self._costs += [workload.cost_today(requirement) for requirement in requirements]
        self._blocks.append(serving_table(workload.space, grains, requirements))

    def _is_too_narrow(self, workload: FactWorkload, grain: CandidateGrain) -> bool:
        """Whether narrowing is off and a defined aggregate has this grain and more attributes."""
        if self._settings.narrowing:
            return False
        space = workload.space
        stored = [space.mask(bound.attribute for bound in defined.part.attributes) for defined in workload.defined]
        return any(
            grain.mask & space.closure(mask) == grain.mask and space.reduce(mask) != grain.mask for mask in stored
        )

    def choose(self, budget: Budget) -> list[int]:
        """Choose candidates, and return their places. Their upkeep counts that they are derived from each other."""
        best: list[int] = []
        best_cost = float("inf")
        chosen: list[int] = []
        for _ in range(_UPKEEP_ROUNDS if self._builds else 1):
            problem = self._problem(chosen)
            chosen = list(select(problem, budget))
            cost = self._problem(chosen).cost(chosen)
            if cost >= best_cost:
                break
            best, best_cost = chosen, cost
        return best

    def _problem(self, chosen: Sequence[int]) -> SelectionProblem:
        return SelectionProblem(
            weights=np.array([requirement.weight for requirement in self._requirements]),
            costs=np.array(self._costs, dtype=np.float64),
            rows=self._rows,
            sizes=self._sizes,
            upkeep=self._upkeep(chosen),
            serves=self._serves,
        )

    def _serves_of_all(self) -> NDArray[np.bool_]:
        serves = np.zeros((len(self.candidates), len(self._requirements)), dtype=np.bool_)
        row = column = 0
        for block in self._blocks:
            serves[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        return serves

    def _rows_of(self, place: int) -> float:
        space = self._workloads[self.owner[place]].space
        return space.rows(space.reduce(self.candidates[place].mask))

    def _widest(self) -> NDArray[np.float64]:
        """Bytes of a row of each candidate with all measures that it could store. So a budget is never exceeded."""
        widths: list[float] = []
        for number, workload in enumerate(self._workloads):
            space = workload.space
            requirements, _ = servable(workload, self._settings)
            most = measures_at_most(workload, requirements, self._settings)
            asked = space.mask({attribute for requirement in requirements for attribute in requirement.grain})
            for place, candidate in enumerate(self.candidates):
                if self.owner[place] == number:
                    stored = space.bound(candidate.mask | (space.closure(candidate.mask) & asked))
                    widths.append(workload.widths.of((bound.attribute for bound in stored), most))
        return np.array(widths, dtype=np.float64)

    def _upkeep(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        rows = self._rows
        if not self._builds:
            return np.zeros(len(rows))
        reads = np.array([self._workloads[number].space.fact_rows for number in self.owner], dtype=np.float64)
        builds = np.array(
            [_source_reads(self._workloads[number], self._builds) for number in self.owner], dtype=np.float64
        )
        for source in chosen:
            space = self._workloads[self.owner[source]].space
            given = space.closure(self.candidates[source].mask)
            for place, candidate in enumerate(self.candidates):
                if (
                    place != source
                    and self.owner[place] == self.owner[source]
                    and candidate.mask & given == candidate.mask
                ):
                    reads[place] = min(reads[place], max(rows[source], 1.0))
        return builds * reads + self._builds * rows


def _source_reads(workload: FactWorkload, builds: float) -> float:
    """How often the builds read the source: full builds each time, all increments together once."""
    return 1.0 if workload.limits.is_incremental else builds


def measures_at_most(workload: FactWorkload, requirements: Sequence[QueryRequirement], settings: Settings) -> int:
    """The greatest number of measures that an aggregate for some of the requirements may store."""
    room = settings.widening_measures if settings.widening else 0
    every = {measure for requirement in requirements for measure in requirement.part.measures}
    every.update(measure for defined in workload.defined if defined.is_system for measure in defined.part.measures)
    return min(len(every), max((len(requirement.part.measures) for requirement in requirements), default=0) + room)


def servable(
    workload: FactWorkload, settings: Settings
) -> tuple[list[QueryRequirement], list[tuple[QueryRequirement, str]]]:
    """The requirements that a system-defined aggregate may answer, and the others with the reason."""
    unwanted = unwanted_attributes(workload.space, workload.limits, settings)
    requirements, refused = [], []
    for requirement in workload.requirements:
        reasons = [unwanted[attribute] for attribute in sorted(requirement.grain) if attribute in unwanted]
        if reasons:
            refused.append((requirement, reasons[0]))
        else:
            requirements.append(requirement)
    return requirements, refused


class _Proposing:
    """Turns the chosen grains of one fact into parts with measures, and judges these."""

    def __init__(self, workload: FactWorkload, settings: Settings, builds: float) -> None:
        self._workload, self._settings, self._builds = workload, settings, builds
        self._requirements, _ = servable(workload, settings)
        self._today = [workload.cost_today(requirement) for requirement in self._requirements]

    def propose(self, grains: Sequence[CandidateGrain]) -> list[Proposal]:
        """One proposal for each grain that answers some requirement better than an existing aggregate."""
        space = self._workload.space
        ordered = sorted(grains, key=lambda grain: space.rows(space.reduce(grain.mask)))
        table = serving_table(space, ordered, self._requirements)
        shares: dict[int, list[QueryRequirement]] = {}
        for number, requirement in enumerate(self._requirements):
            takers = np.flatnonzero(table[:, number])
            if len(takers):
                shares.setdefault(int(takers[0]), []).append(requirement)
        drafts = [_Draft(ordered[place], self._part(ordered[place], share)) for place, share in sorted(shares.items())]
        return self._judge(drafts)

    def _part(self, grain: CandidateGrain, share: Sequence[QueryRequirement]) -> tuple[FactPart, tuple[str, ...]]:
        """A part with the measures of the heaviest requirement, and more measures while widening allows them.

        A grain that is made for an exact measure begins with that measure.
        """
        if grain.exact >= 0:
            share = sorted(share, key=lambda requirement: requirement.part.has_only_rollups())
        first = share[0]
        measures, metrics = set(first.part.measures), set(first.metrics)
        attributes: dict[BoundAttribute, None] = dict.fromkeys(self._workload.space.bound(grain.mask))
        room = self._settings.widening_measures if self._settings.widening else 0
        others = [(requirement.part.measures, requirement.metrics) for requirement in share[1:]]
        others += [
            (defined.part.measures, defined.metrics)
            for defined in self._workload.defined
            if defined.is_system
            and {bound.attribute for bound in defined.part.attributes} == {b.attribute for b in attributes}
        ]
        for more, names in others:
            added = set(more) - measures
            if len(added) <= room:
                room -= len(added)
                measures |= added
                metrics |= set(names)
        if grain.exact < 0:
            for requirement in share:
                attributes.update(dict.fromkeys(requirement.part.attributes))
        part = FactPart(fact=self._workload.fact, attributes=tuple(attributes), measures=tuple(sorted(measures)))
        return part, tuple(sorted(metrics))

    def _judge(self, drafts: Sequence[_Draft]) -> list[Proposal]:
        for number, requirement in enumerate(self._requirements):
            able = [draft for draft in drafts if answers(draft.part[0], requirement, self._workload.proven)]
            best = min(able, key=self._rows, default=None)
            if best is not None and self._rows(best) < self._today[number]:
                best.answered.append((requirement, self._today[number]))
        proposals = []
        for draft in drafts:
            if not draft.answered:
                continue
            rows = self._rows(draft)
            heaviest, cost = max(draft.answered, key=lambda answer: answer[0].weight * (answer[1] - rows))
            part, metrics = draft.part
            proposals.append(
                Proposal(
                    part=part,
                    metrics=metrics,
                    rows=rows,
                    size_bytes=rows * self._workload.widths.of_part(part),
                    is_measured=self._workload.space.is_measured(self._workload.space.reduce(draft.grain.mask)),
                    saved=sum(requirement.weight * (today - rows) for requirement, today in draft.answered),
                    upkeep=self._upkeep(draft, drafts),
                    queries=sum(requirement.weight for requirement, _ in draft.answered),
                    heaviest=heaviest,
                    heaviest_cost=cost,
                )
            )
        return proposals

    def _rows(self, draft: _Draft) -> float:
        return self._workload.space.rows(self._workload.space.reduce(draft.grain.mask))

    def _upkeep(self, draft: _Draft, drafts: Sequence[_Draft]) -> float:
        reads = float(self._workload.space.fact_rows)
        for other in drafts:
            if other is not draft and derivation(draft.part[0], other.part[0], self._workload.proven) is not None:
                reads = min(reads, self._rows(other))
        return _source_reads(self._workload, self._builds) * reads + self._builds * self._rows(draft)


@dataclass(slots=True)
class _Draft:
    """An unfinished proposal.

    Its grain, its part with metrics, the requirements it answers best with their cost today.
    """

    grain: CandidateGrain
    part: tuple[FactPart, tuple[str, ...]]
    answered: list[tuple[QueryRequirement, float]] = field(default_factory=list)


def _costs(workloads: Sequence[FactWorkload], proposals: Sequence[Proposal]) -> tuple[float, float]:
    before = after = 0.0
    for workload in workloads:
        here = [proposal for proposal in proposals if proposal.part.fact == workload.fact]
        for requirement in workload.requirements:
            today = workload.cost_today(requirement)
            rows = [proposal.rows for proposal in here if answers(proposal.part, requirement, workload.proven)]
            before += requirement.weight * today
            after += requirement.weight * min([today, *rows])
    return before, after
