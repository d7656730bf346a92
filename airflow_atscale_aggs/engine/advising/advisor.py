"""From needs to proposals: candidates of all facts together, chosen under one budget, then judged as they would be stored.

What is predicted of a proposal is computed from the proposal itself: a need counts as answered when the lattice derives it
from what would be stored, with the measures that would be stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

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
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.settings import Settings

_MOST_CANDIDATES = 4_000
_UPKEEP_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedPart:
    """What is defined already, as one fact sees it.

    Attributes:
        rows: None until somebody has counted them.
        size_bytes: of its table, where the warehouse tells; None: not known.
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
    """What is asked of one fact. It remembers what its needs cost today.

    Attributes:
        space: knows the rows of its grains; it learns between two advices.
        needs: all that an aggregate of the engine's may answer, heaviest first.
        defined: aggregates of the fact that exist or will be built.
        proven: dependencies that hold in the data.
        widths: what rows of aggregates take.
    """

    fact: str
    space: GrainSpace
    needs: tuple[QueryRequirement, ...]
    limits: JoinLimits
    proven: AbstractSet[Dependency]
    defined: tuple[DefinedPart, ...] = ()
    widths: RowWidths = field(default_factory=RowWidths)
    _able: dict[int, list[tuple[float, int]]] = field(default_factory=dict, repr=False)

    def cost_today(self, need: QueryRequirement) -> float:
        """Rows of the smallest defined aggregate that answers one of the needs, or of the fact."""
        able = self._answering(need)
        return min(float(self.space.fact_rows), able[0][0]) if able else float(self.space.fact_rows)

    def _answering(self, need: QueryRequirement) -> list[tuple[float, int]]:
        """(rows, place) of the defined aggregates that answer it, the smallest first."""
        known = self._able.get(id(need))
        if known is None:
            known = self._able[id(need)] = sorted(
                (max(one.rows, 1.0), number)
                for number, one in enumerate(self.defined)
                if one.rows is not None and answers(one.part, need, self.proven)
            )
        return known

    def spent(self, *, in_bytes: bool) -> Mapping[str, float]:
        """Rows, or bytes, of what is defined by demand already, by name."""
        return {one.name: self._size(one, in_bytes=in_bytes) for one in self.defined if one.is_demanded}

    def _size(self, one: DefinedPart, *, in_bytes: bool) -> float:
        """Bytes are those of its table, else as they are estimated."""
        rows = one.rows or 0.0
        if not in_bytes:
            return rows
        return one.size_bytes if one.size_bytes is not None else rows * self.widths.of_part(one.part)

    def without(self, names: AbstractSet[str]) -> FactWorkload:
        """The same, as if some of the aggregates were not defined."""
        return replace(self, defined=tuple(one for one in self.defined if one.name not in names), _able={})

    def worth(self, builds: float) -> Mapping[str, float]:
        """What each aggregate that was defined by demand saves the needs beside all others, less its upkeep, by name.

        Args:
            builds: as of `advise`.
        """
        saved = [0.0] * len(self.defined)
        for need in self.needs:
            found = self._answering(need)
            if found:
                other = found[1][0] if len(found) > 1 else float(self.space.fact_rows)
                saved[found[0][1]] += need.weight * max(other - found[0][0], 0.0)
        upkeep = self.upkeep(builds)
        return {
            one.name: saved[number] - upkeep[one.name]
            for number, one in enumerate(self.defined)
            if one.name in upkeep and one.rows is not None
        }

    def upkeep(self, builds: float) -> Mapping[str, float]:
        """Rows that the builds read and write for each aggregate that was defined by demand, by name."""
        return {one.name: self._upkeep(one, builds) for one in self.defined if one.is_demanded}

    def _upkeep(self, one: DefinedPart, builds: float) -> float:
        reads = float(self.space.fact_rows)
        for other in self.defined:
            if other is not one and other.rows is not None and other.rows > (one.rows or 0.0):
                is_source = derivation(one.part, other.part, self.proven) is not None
                reads = min(reads, other.rows) if is_source else reads
        return _readings(self, builds) * reads + builds * (one.rows or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An aggregate that should be defined.

    Attributes:
        rows: predicted.
        size_bytes: predicted: rows times what the columns take.
        is_measured: the rows come from a sketch in the warehouse, not from group counts of its attributes alone.
        saved: rows that queries read less, during the time in which the needs were asked, upkeep not deducted.
        upkeep: rows read and written to keep it, during the same time.
        queries: how many of the queries it answers best.
        heaviest: the need that speaks most for it.
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
        to_measure: grains by fact whose rows should be known better before anybody relies on this.
        refused: needs that may not be answered by an aggregate of the engine's, with the reason.
    """

    proposals: tuple[Proposal, ...]
    cost_before: float
    cost_after: float
    to_measure: tuple[FactPart, ...] = ()
    refused: tuple[tuple[QueryRequirement, str], ...] = ()


def answers(part: FactPart, need: QueryRequirement, proven: AbstractSet[Dependency]) -> bool:
    """Whether what a need asks can be derived from a stored part."""
    return derivation(need.part, part, proven) is not None


def advise(demands: Sequence[FactWorkload], settings: Settings, *, budget: Budget, builds: float) -> Advice:
    """What should be defined.

    Args:
        budget: in rows or bytes.
        builds: how many builds fell into the time in which the needs were asked; 0: nobody knows, upkeep does not matter and
            is told for one build.
    """
    table = _Table(demands, settings, builds, in_bytes=budget.in_bytes)
    chosen = table.choose(budget)
    proposals, refused = [], []
    for number, demand in enumerate(demands):
        mine = [table.candidates[place] for place in chosen if table.owner[place] == number]
        proposals += _Proposing(demand, settings, builds or 1.0).propose(mine)
        refused += table.refused[number]
    found = tuple(sorted(proposals, key=lambda one: -one.saved))
    before, after = _costs(demands, found)
    to_measure = tuple(one.part for one in found if not one.is_measured)
    return Advice(proposals=found, cost_before=before, cost_after=after, to_measure=to_measure, refused=tuple(refused))


class _Table:
    """The candidates of all facts, as one selection problem."""

    def __init__(self, demands: Sequence[FactWorkload], settings: Settings, builds: float, *, in_bytes: bool) -> None:
        self._demands, self._settings, self._builds = demands, settings, builds
        self.candidates: list[CandidateGrain] = []
        self.owner: list[int] = []
        self.refused: list[list[tuple[QueryRequirement, str]]] = []
        self._needs: list[QueryRequirement] = []
        self._costs: list[float] = []
        self._blocks: list[NDArray[np.bool_]] = []
        for number, demand in enumerate(demands):
            self._add(number, demand)
        self._rows = np.array([self._rows_of(place) for place in range(len(self.candidates))], dtype=np.float64)
        self._sizes = self._rows * self._widest() if in_bytes else self._rows
        self._serves = self._joined()

    def _add(self, number: int, demand: FactWorkload) -> None:
        needs, refused = servable(demand, self._settings)
        self.refused.append(refused)
        largest = demand.space.fact_rows / (self._settings.create_compression if self._settings.create_threshold else 1)
        grains = candidate_grains(demand.space, needs, largest=largest, most=_MOST_CANDIDATES)
        grains = tuple(one for one in grains if not self._is_too_narrow(demand, one))
        self.candidates += grains
        self.owner += [number] * len(grains)
        self._needs += needs
        self._costs += [demand.cost_today(need) for need in needs]
        self._blocks.append(serving_table(demand.space, grains, needs))

    def _is_too_narrow(self, demand: FactWorkload, grain: CandidateGrain) -> bool:
        """Narrowing is off, and a defined aggregate has this grain and more."""
        if self._settings.narrowing:
            return False
        space = demand.space
        stored = [space.mask(bound.attribute for bound in one.part.attributes) for one in demand.defined]
        return any(
            grain.mask & space.closure(mask) == grain.mask and space.reduce(mask) != grain.mask for mask in stored
        )

    def choose(self, budget: Budget) -> list[int]:
        """Places of the chosen candidates; upkeep counts what they would be derived from among themselves."""
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
            weights=np.array([need.weight for need in self._needs]),
            costs=np.array(self._costs, dtype=np.float64),
            rows=self._rows,
            sizes=self._sizes,
            upkeep=self._upkeep(chosen),
            serves=self._serves,
        )

    def _joined(self) -> NDArray[np.bool_]:
        serves = np.zeros((len(self.candidates), len(self._needs)), dtype=np.bool_)
        row = column = 0
        for block in self._blocks:
            serves[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        return serves

    def _rows_of(self, place: int) -> float:
        space = self._demands[self.owner[place]].space
        return space.rows(space.reduce(self.candidates[place].mask))

    def _widest(self) -> NDArray[np.float64]:
        """Bytes of a row of each candidate with all that needs could make it store: so that a budget is never passed."""
        found: list[float] = []
        for number, demand in enumerate(self._demands):
            space = demand.space
            needs, _ = servable(demand, self._settings)
            most = measures_at_most(demand, needs, self._settings)
            asked = space.mask({attribute for need in needs for attribute in need.grain})
            for place, one in enumerate(self.candidates):
                if self.owner[place] == number:
                    stored = space.bound(one.mask | (space.closure(one.mask) & asked))
                    found.append(demand.widths.of((bound.attribute for bound in stored), most))
        return np.array(found, dtype=np.float64)

    def _upkeep(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        rows = self._rows
        if not self._builds:
            return np.zeros(len(rows))
        reads = np.array([float(self._demands[number].space.fact_rows) for number in self.owner])
        builds = np.array([_readings(self._demands[number], self._builds) for number in self.owner])
        for source in chosen:
            space = self._demands[self.owner[source]].space
            given = space.closure(self.candidates[source].mask)
            for place, one in enumerate(self.candidates):
                if place != source and self.owner[place] == self.owner[source] and one.mask & given == one.mask:
                    reads[place] = min(reads[place], max(rows[source], 1.0))
        return builds * reads + self._builds * rows


def _readings(demand: FactWorkload, builds: float) -> float:
    """How often the builds read the source: full ones each time, increments once together."""
    return 1.0 if demand.limits.is_incremental else builds


def measures_at_most(demand: FactWorkload, needs: Sequence[QueryRequirement], settings: Settings) -> int:
    """How many measures an aggregate for some of the needs stores at the most."""
    room = settings.widening_measures if settings.widening else 0
    every = {measure for need in needs for measure in need.part.measures}
    every.update(measure for one in demand.defined if one.is_system for measure in one.part.measures)
    return min(len(every), max((len(need.part.measures) for need in needs), default=0) + room)


def servable(
    demand: FactWorkload, settings: Settings
) -> tuple[list[QueryRequirement], list[tuple[QueryRequirement, str]]]:
    """The needs that an aggregate of the engine's may answer; the others with the reason."""
    kept_out = unwanted_attributes(demand.space, demand.limits, settings)
    needs, refused = [], []
    for need in demand.needs:
        reasons = [kept_out[attribute] for attribute in sorted(need.grain) if attribute in kept_out]
        if reasons:
            refused.append((need, reasons[0]))
        else:
            needs.append(need)
    return needs, refused


class _Proposing:
    """Chosen grains of one fact become parts with measures, and are judged."""

    def __init__(self, demand: FactWorkload, settings: Settings, builds: float) -> None:
        self._demand, self._settings, self._builds = demand, settings, builds
        self._needs, _ = servable(demand, settings)
        self._today = [demand.cost_today(need) for need in self._needs]

    def propose(self, grains: Sequence[CandidateGrain]) -> list[Proposal]:
        """One per grain that answers something better than what is there."""
        space = self._demand.space
        ordered = sorted(grains, key=lambda one: space.rows(space.reduce(one.mask)))
        table = serving_table(space, ordered, self._needs)
        shares: dict[int, list[QueryRequirement]] = {}
        for number, need in enumerate(self._needs):
            takers = np.flatnonzero(table[:, number])
            if len(takers):
                shares.setdefault(int(takers[0]), []).append(need)
        drafts = [_Draft(ordered[place], self._part(ordered[place], share)) for place, share in sorted(shares.items())]
        return self._judged(drafts)

    def _part(self, grain: CandidateGrain, share: Sequence[QueryRequirement]) -> tuple[FactPart, tuple[str, ...]]:
        """The heaviest need's measures, and those of the others while widening allows them.

        A grain that is made for an exact measure begins with that one.
        """
        if grain.exact >= 0:
            share = sorted(share, key=lambda need: need.part.has_only_rollups())
        first = share[0]
        measures, metrics = set(first.part.measures), set(first.metrics)
        attributes: dict[BoundAttribute, None] = dict.fromkeys(self._demand.space.bound(grain.mask))
        room = self._settings.widening_measures if self._settings.widening else 0
        others = [(need.part.measures, need.metrics) for need in share[1:]]
        others += [
            (one.part.measures, one.metrics)
            for one in self._demand.defined
            if one.is_system and {bound.attribute for bound in one.part.attributes} == {b.attribute for b in attributes}
        ]
        for more, names in others:
            added = set(more) - measures
            if len(added) <= room:
                room -= len(added)
                measures |= added
                metrics |= set(names)
        if grain.exact < 0:
            for need in share:
                attributes.update(dict.fromkeys(need.part.attributes))
        part = FactPart(fact=self._demand.fact, attributes=tuple(attributes), measures=tuple(sorted(measures)))
        return part, tuple(sorted(metrics))

    def _judged(self, drafts: Sequence[_Draft]) -> list[Proposal]:
        for number, need in enumerate(self._needs):
            able = [draft for draft in drafts if answers(draft.part[0], need, self._demand.proven)]
            best = min(able, key=self._rows, default=None)
            if best is not None and self._rows(best) < self._today[number]:
                best.answered.append((need, self._today[number]))
        made = []
        for draft in drafts:
            if not draft.answered:
                continue
            rows = self._rows(draft)
            heaviest, cost = max(draft.answered, key=lambda one: one[0].weight * (one[1] - rows))
            part, metrics = draft.part
            made.append(
                Proposal(
                    part=part,
                    metrics=metrics,
                    rows=rows,
                    size_bytes=rows * self._demand.widths.of_part(part),
                    is_measured=self._demand.space.is_measured(self._demand.space.reduce(draft.grain.mask)),
                    saved=sum(need.weight * (today - rows) for need, today in draft.answered),
                    upkeep=self._upkeep(draft, drafts),
                    queries=sum(need.weight for need, _ in draft.answered),
                    heaviest=heaviest,
                    heaviest_cost=cost,
                )
            )
        return made

    def _rows(self, draft: _Draft) -> float:
        return self._demand.space.rows(self._demand.space.reduce(draft.grain.mask))

    def _upkeep(self, draft: _Draft, drafts: Sequence[_Draft]) -> float:
        reads = float(self._demand.space.fact_rows)
        for other in drafts:
            if other is not draft and derivation(draft.part[0], other.part[0], self._demand.proven) is not None:
                reads = min(reads, self._rows(other))
        return _readings(self._demand, self._builds) * reads + self._builds * self._rows(draft)


@dataclass(slots=True)
class _Draft:
    """A proposal in the making: its grain, its part with metrics, and the needs it answers best with their cost today."""

    grain: CandidateGrain
    part: tuple[FactPart, tuple[str, ...]]
    answered: list[tuple[QueryRequirement, float]] = field(default_factory=list)


def _costs(demands: Sequence[FactWorkload], proposals: Sequence[Proposal]) -> tuple[float, float]:
    before = after = 0.0
    for demand in demands:
        here = [one for one in proposals if one.part.fact == demand.fact]
        for need in demand.needs:
            today = demand.cost_today(need)
            rows = [one.rows for one in here if answers(one.part, need, demand.proven)]
            before += need.weight * today
            after += need.weight * min([today, *rows])
    return before, after
