"""Defined, by demand: what a model was asked decides which aggregates it should have.

Source: AtScale, "Life Cycle of Aggregate Tables": Defined (system-defined tables); "When the AtScale Engine Creates
Demand-Defined Aggregates"; priming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from airflow_atscale_aggs.engine.advising.advisor import (
    Advice,
    DefinedPart,
    FactWorkload,
    Proposal,
    advise,
)
from airflow_atscale_aggs.engine.advising.aggregate_names import aggregate_label, aggregate_name, attribute_names, times
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin
from airflow_atscale_aggs.engine.lifecycle.advise.data_statistics import Statistician
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import (
    MAKES_ROOM,
    NOTHING,
    Replaceable,
    best_way,
    served_long,
    ways_to_make_room,
)
from airflow_atscale_aggs.engine.lifecycle.advise.workload import (
    Unserved,
    Workload,
    decay,
    workload_of_log,
    workload_of_queries,
    workload_of_structure,
)
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.table_sizes import bytes_of_instances
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ProposedDefinition, SuccessionRecord
from airflow_atscale_aggs.engine.registry.system_definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.sketches import sketch_error
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_MOST_ROUNDS = 4
"""Of measuring what was chosen and choosing again."""

_MOST_LOGGED = 100_000
"""Queries of the log that are looked at, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One aggregate that should be defined.

    Attributes:
        error: of the predicted rows, as a share; None where they are computed from its attributes' counts alone.
        size_bytes: predicted, by what the warehouse tells of its columns, or by their types.
        saved: rows that queries would read less, in the time looked at, beside those that give way.
        share: of the cost of all queries that is saved.
        outcome: what became of it when it was applied; None when it was not.
    """

    definition: AggregateDefinition
    rows: int
    error: float | None
    size_bytes: int
    saved: int
    share: float
    upkeep: int
    queries: float
    reason: str
    outcome: DefinitionOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The budget of a recommendation.

    Attributes:
        size: rows, or bytes, of all that is defined by demand together.
        spent: of these, by what is defined already.
        released: of what is spent, by what may give way to new ones.
        count: of new ones.
    """

    size: float
    spent: float
    count: int
    in_bytes: bool
    released: Replaceable = NOTHING

    @property
    def left(self) -> Budget:
        """For what is new."""
        return Budget(
            size=max(self.size - self.spent + self.released.size, 0.0), count=self.count, in_bytes=self.in_bytes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendReport:
    """What a model should have.

    Attributes:
        source: ``history`` | ``queries`` | ``structure``.
        queries: how many queries were looked at, old ones for less.
        cost_before, cost_after: rows that these queries read, today and with the recommendations.
        unserved: what no aggregate of the engine's may answer.
        scans: of facts, to count groups.
        giving_way: names of aggregates defined by demand that make room, once the new one serves, with its name.
    """

    model: str
    model_id: str
    source: str
    queries: float
    cost_before: int
    cost_after: int
    recommendations: tuple[Recommendation, ...]
    unserved: tuple[Unserved, ...]
    scans: int
    budget: Allowance
    giving_way: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendRequest:
    """What to look at, and how much to propose.

    Attributes:
        queries: SQL that stands for history; None: the log.
        from_structure: what the model's structure makes likely, instead of queries.
        dialect: of the queries.
        most, percent, budget_bytes: instead of the settings' number and budget; None: those. A budget is in percent of the
            facts' rows or in bytes, not both.
        facts: only these facts; None: all. For advice from structure.
        origin: of what is defined.
        ignored: ids of definitions that count as if they were not there.
    """

    queries: Sequence[str] | None = None
    from_structure: bool = False
    dialect: str = "postgres"
    most: int | None = None
    percent: int | None = None
    budget_bytes: int | None = None
    facts: tuple[str, ...] | None = None
    origin: DefinitionOrigin = DefinitionOrigin.DEMAND_DEFINED
    ignored: frozenset[str] = frozenset()


def recommend(
    workspace: Workspace,
    model: str,
    *,
    request: RecommendRequest | None = None,
    apply: bool = False,
    now: datetime,
) -> RecommendReport:
    """What aggregates a model should have besides those that it has; ``apply`` defines them, the next batch builds them.

    The warehouse counts rows and sketches group counts: one scan of each fact that was asked, and one for each round in
    which the choice has grains in it that are not counted yet.

    Raises:
        NotRegisteredError: no such model.
        WarehouseError: the warehouse cannot be asked.
    """
    wanted = request or RecommendRequest()
    record = workspace.registry.deployed_model(model)
    settings = workspace.settings_of(record.id)
    known = read_model_snapshot(workspace, record, now=now)
    source, demand = _demand(workspace, known, wanted, settings, now)
    if known.model.row_securities and not settings.secure_dimensions:
        demand = _nothing_secured(demand)
    builds = (
        0.0 if wanted.queries is not None or wanted.from_structure else _builds(workspace, record.id, settings, now)
    )
    with workspace.warehouse.session() as session:
        statistician = Statistician(session, known)
        sizes = _table_bytes(session, workspace, record.id)
        demands = _demands(workspace, known, demand.needs, (statistician, sizes), wanted.ignored)
        allowed = _allowance(demands, settings, wanted)
        today = sum(need.weight * one.cost_today(need) for one in demands for need in one.requirements)
        if source == "history":
            demands, allowed = _with_room(workspace, record.id, allowed, demands, (settings, builds, now))
        advice = _settled(demands, statistician, settings, allowed.left, builds)
    records = workspace.registry.definitions(record.id, include_retired=True)
    found, blocked = _recommendations(known, advice, wanted, records)
    refused = tuple(Unserved(attribute_names(need.part), need.weight, reason) for need, reason in advice.refused)
    report = RecommendReport(
        model=record.name,
        model_id=record.id,
        source=source,
        queries=sum(need.weight for need in demand.needs) + sum(one.weight for one in demand.unserved),
        cost_before=round(today),
        cost_after=round(advice.cost_after),
        recommendations=tuple(found),
        unserved=(*demand.unserved, *refused, *blocked),
        scans=statistician.scans,
        budget=allowed,
    )
    report = _with_ways(report, {one.definition.id: one.definition.name for one in records})
    return _applied(workspace, report, now) if apply and found else report


def _with_room(
    workspace: Workspace,
    model_id: str,
    allowed: Allowance,
    demands: Sequence[FactWorkload],
    at: tuple[Settings, float, datetime],
) -> tuple[list[FactWorkload], Allowance]:
    """Without those that had better give way, when they had as long as a query takes to count half."""
    settings, builds, now = at
    registry = workspace.registry
    old = served_long(
        registry.definitions(model_id), registry.services(model_id), days=settings.demand_half_life, now=now
    )
    ways = ways_to_make_room(demands, old, builds=builds, in_bytes=allowed.in_bytes)

    def advised(those: Sequence[FactWorkload], way: Replaceable) -> Advice:
        return advise(those, settings, budget=replace(allowed, released=way).left, builds=builds)

    best = best_way(demands, ways, advised, builds=builds)
    return [demand.without(best.sizes.keys()) for demand in demands], replace(allowed, released=best)


def _with_ways(report: RecommendReport, names: Mapping[str, str]) -> RecommendReport:
    """Who gives way, and to whom: only as many as the new ones need room. Who is asked for again stays."""
    allowed = report.budget
    again = {names.get(one.definition.id, "") for one in report.recommendations} & allowed.released.sizes.keys()
    made = tuple(one for one in report.recommendations if names.get(one.definition.id, "") not in again)
    new = sum(one.size_bytes if allowed.in_bytes else one.rows for one in made)
    leaving = Replaceable(sizes={name: size for name, size in allowed.released.sizes.items() if name not in again})
    old = leaving.first(allowed.spent + new - allowed.size) if made else ()
    heir = max(made, key=lambda one: one.saved, default=None)
    ways = {name: heir.definition.name for name in old if heir is not None}
    return replace(report, recommendations=made, giving_way=ways)


def _applied(workspace: Workspace, report: RecommendReport, now: datetime) -> RecommendReport:
    proposed = [make_proposal(one, report) for one in report.recommendations]
    outcomes = workspace.registry.add_definitions(proposed, now=now)
    made = [
        # One that comes back has the name that it had.
        replace(one, outcome=outcome, definition=workspace.registry.definition(one.definition.id).definition)
        for one, outcome in zip(report.recommendations, outcomes, strict=True)
    ]
    _give_way(workspace, report, now)
    return replace(report, recommendations=tuple(made))


def _give_way(workspace: Workspace, report: RecommendReport, now: datetime) -> None:
    ids = {one.definition.name: one.definition.id for one in workspace.registry.definitions(report.model_id)}
    heirs = {one.definition.name: one.definition for one in report.recommendations}
    ways = [(ids[old], heirs[new]) for old, new in report.giving_way.items() if old in ids]
    workspace.registry.propose_successions(
        [
            SuccessionRecord(
                old_id=old,
                new_id=heir.id,
                model_id=report.model_id,
                reason=MAKES_ROOM,
                facts=tuple(part.fact for part in heir.parts),
                proposed_at=now,
            )
            for old, heir in ways
        ]
    )


def _demand(
    workspace: Workspace, known: ModelSnapshot, wanted: RecommendRequest, settings: Settings, now: datetime
) -> tuple[str, Workload]:
    if wanted.from_structure:
        return "structure", workload_of_structure(known, settings, wanted.facts)
    if wanted.queries is not None:
        return "queries", workload_of_queries(known, wanted.queries, settings, dialect=wanted.dialect)
    return "history", workload_of_log(
        known, workspace.registry.queries(known.record.id, limit=_MOST_LOGGED), settings, now=now
    )


def _nothing_secured(demand: Workload) -> Workload:
    reason = "the model has row security; `aggregates.create.securityDimensions.enabled` is false"
    refused = [Unserved(attribute_names(need.part), need.weight, reason) for need in demand.needs]
    return Workload((), (*demand.unserved, *refused))


def _builds(workspace: Workspace, model_id: str, settings: Settings, now: datetime) -> float:
    """Builds that fall into the time of the log, old ones for less as queries are; one at least."""
    ends = [one.finished_at for one in workspace.registry.batches(model_id) if one.status == "done" and one.finished_at]
    return max(1.0, sum(decay(end, settings, now=now) for end in ends))


def _demands(
    workspace: Workspace,
    known: ModelSnapshot,
    needs: Sequence[QueryRequirement],
    measured: tuple[Statistician, Mapping[tuple[str, str], int]],
    ignored: frozenset[str],
) -> list[FactWorkload]:
    """By fact: needs, statistics, and what is defined already."""
    statistician, sizes = measured
    by_fact: dict[str, list[QueryRequirement]] = {}
    for need in needs:
        by_fact.setdefault(need.part.fact, []).append(need)
    last = workspace.registry.last_rows(known.record.id)
    defined = [
        DefinedPart(
            name=one.definition.name,
            part=part,
            rows=last.get((one.definition.id, part.fact)),
            size_bytes=sizes.get((one.definition.id, part.fact)),
            metrics=one.definition.metrics,
            is_system=one.definition.origin.is_system_defined,
            is_demanded=one.definition.origin is DefinitionOrigin.DEMAND_DEFINED,
        )
        for one in workspace.registry.definitions(known.record.id)
        for part in (one.definition.parts if one.definition.id not in ignored else ())
    ]
    found = []
    for fact, here in sorted(by_fact.items()):
        demand = statistician.demand_of(fact, here, [one for one in defined if one.part.fact == fact])
        if demand is not None:
            found.append(demand)
    return found


def _allowance(demands: Sequence[FactWorkload], settings: Settings, wanted: RecommendRequest) -> Allowance:
    """In bytes where the request says so, or says nothing and the settings do."""
    in_rows = sum(demand.space.fact_rows for demand in demands)
    told = settings.demand_bytes if wanted.budget_bytes is None and wanted.percent is None else wanted.budget_bytes
    percent = settings.demand_percent if wanted.percent is None else wanted.percent
    counts = wanted.origin is DefinitionOrigin.DEMAND_DEFINED
    return Allowance(
        size=float(told) if told else in_rows * percent / 100,
        spent=sum(sum(demand.spent(in_bytes=bool(told)).values()) for demand in demands) if counts else 0.0,
        count=settings.demand_number if wanted.most is None else wanted.most,
        in_bytes=bool(told),
    )


def _table_bytes(session: WarehouseSession, workspace: Workspace, model_id: str) -> dict[tuple[str, str], int]:
    """Of what is built, by (definition id, fact)."""
    active = {one.id: one for one in workspace.registry.active_instances(model_id)}
    told = bytes_of_instances(session, workspace, list(active.values()))
    return {(active[key].step.definition_id, active[key].step.fact): size for key, size in told.items()}


def _settled(
    demands: Sequence[FactWorkload],
    statistician: Statistician,
    settings: Settings,
    budget: Budget,
    builds: float,
) -> Advice:
    """Advice whose choice does not change any more when its grains are counted."""
    advice = advise(demands, settings, budget=budget, builds=builds)
    for _ in range(_MOST_ROUNDS):
        if not advice.to_measure:
            break
        for demand in demands:
            demand.space.learn(statistician.measure(one for one in advice.to_measure if one.fact == demand.fact))
        advice = advise(demands, settings, budget=budget, builds=builds)
    return advice


def _recommendations(
    known: ModelSnapshot, advice: Advice, wanted: RecommendRequest, records: Sequence[DefinitionRecord]
) -> tuple[list[Recommendation], list[Unserved]]:
    """The proposals as definitions; those that a person has blocked apart."""
    names = {one.definition.name: one.definition.id for one in records}
    blocked = {one.definition.id for one in records if one.status == "blocked"}
    found, left_out = [], []
    for proposal in advice.proposals:
        definition = _definition(known, proposal, wanted.origin, names)
        if definition.id in blocked:
            reason = f"`{definition.name}` would answer, but a person has blocked it"
            left_out.append(Unserved(attribute_names(proposal.part), proposal.queries, reason))
            continue
        is_sketched = proposal.is_measured and bool(proposal.part.attributes)
        found.append(
            Recommendation(
                definition=definition,
                rows=round(proposal.rows),
                error=sketch_error(known.sources.dialect) if is_sketched else None,
                size_bytes=round(proposal.size_bytes),
                saved=round(proposal.saved),
                share=proposal.saved / advice.cost_before if advice.cost_before else 0.0,
                upkeep=round(proposal.upkeep),
                queries=proposal.queries,
                reason=_reason(proposal, is_likely=wanted.from_structure),
            )
        )
    return found, left_out


def _definition(
    known: ModelSnapshot, proposal: Proposal, origin: DefinitionOrigin, names: dict[str, str]
) -> AggregateDefinition:
    """The proposal under a name that no other definition has; ``names`` learns it."""
    made = AggregateDefinition(
        model_id=known.record.id,
        name=aggregate_name(proposal.part),
        label=aggregate_label(proposal.part),
        origin=origin,
        metrics=proposal.metrics,
        parts=(proposal.part,),
        composite=known.model.is_composite,
    )
    if names.get(made.name, made.id) != made.id:
        made = replace(made, name=f"{made.name}_{made.fingerprint[:6]}")
    names[made.name] = made.id
    return made


def _reason(proposal: Proposal, *, is_likely: bool) -> str:
    heaviest = proposal.heaviest
    reads = f"{attribute_names(heaviest.part)} reads {proposal.rows:,.0f} rows instead of {proposal.heaviest_cost:,.0f}"
    if is_likely:
        return f"likely by the model's structure: {reads}"
    others = proposal.queries - heaviest.weight
    return f"asked {times(heaviest.weight)}: {reads}" + (f"; answers {times(others)} more" if others > 0 else "")


def make_proposal(one: Recommendation, report: RecommendReport) -> ProposedDefinition:
    """A recommendation as the registry records it, with the figures that speak for it."""
    evidence = {
        "predicted_rows": float(one.rows),
        "predicted_bytes": float(one.size_bytes),
        "predicted_saved_rows": float(one.saved),
        "predicted_upkeep_rows": float(one.upkeep),
        "queries": one.queries,
        "cost_before_rows": float(report.cost_before),
    }
    if one.error is not None:
        evidence["predicted_rows_error"] = one.error
    return ProposedDefinition(definition=one.definition, reason=one.reason, evidence=evidence)
