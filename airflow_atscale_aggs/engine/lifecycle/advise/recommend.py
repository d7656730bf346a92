"""Recommend aggregates: what a model was asked decides which aggregates it should have.

Source: AtScale, "Life Cycle of Aggregate Tables": Defined (system-defined tables); "When the AtScale Engine Creates
Demand-Defined Aggregates"; priming.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from airflow_atscale_aggs.engine.advising.advisor import Advice, DefinedPart, FactWorkload, Proposal, advise
from airflow_atscale_aggs.engine.advising.aggregate_names import aggregate_label, aggregate_name, attribute_names, times
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.advise.data_statistics import Statistician
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import (
    Replaceable,
    best_way,
    served_long,
    ways_to_make_room,
)
from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import (
    Allowance,
    Recommendation,
    RecommendReport,
    apply_recommendations,
    choose_giving_way,
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
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.sketches import sketch_error
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_MOST_ROUNDS = 4
"""Rounds of measuring the chosen aggregates and choosing again."""

_MOST_LOGGED = 100_000
"""Queries of the log that are looked at, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendRequest:
    """What to look at, and how much to propose.

    Attributes:
        queries: SQL that stands for history; None: the log.
        from_structure: what the model's structure makes likely, instead of queries.
        dialect: of the queries.
        most, percent, budget_bytes: instead of the settings' number and budget; None: those. A budget is in percent of
            the facts' rows or in bytes, not both.
        facts: only these facts; None: all. For advice from structure.
        origin: of what is defined; None: by demand where queries speak for it, by prediction where the structure does.
        ignored: ids of definitions that count as if they were not there.
    """

    queries: Sequence[str] | None = None
    from_structure: bool = False
    dialect: str = "postgres"
    most: int | None = None
    percent: int | None = None
    budget_bytes: int | None = None
    facts: tuple[str, ...] | None = None
    origin: DefinitionOrigin | None = None
    ignored: frozenset[str] = frozenset()

    @property
    def defined_as(self) -> DefinitionOrigin:
        """The origin of what is defined."""
        likely = DefinitionOrigin.PREDICTION_DEFINED if self.from_structure else DefinitionOrigin.DEMAND_DEFINED
        return self.origin or likely


def recommend(
    workspace: Workspace,
    model: str,
    *,
    request: RecommendRequest | None = None,
    apply: bool = False,
    only: Collection[str] = (),
    now: datetime,
) -> RecommendReport:
    """What aggregates a model should have besides those that it has.

    ``apply`` defines them, the next batch builds them.

    The warehouse counts rows and sketches group counts: one scan of each fact that was asked, and one for each round in
    which the choice has grains in it that are not counted yet.

    Args:
        only: of what is recommended, ``apply`` defines these names; empty: all.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: nothing of a name in ``only`` is recommended.
        WarehouseError: the warehouse cannot be asked.
    """
    request = request or RecommendRequest()
    record = workspace.read.models.get_deployed(model)
    settings = workspace.settings_of(record.id)
    snapshot = read_model_snapshot(workspace, record, now=now)
    source, workload = _read_workload(workspace, snapshot, request, settings, now)
    if snapshot.model.is_secured and not settings.secure_dimensions:
        workload = _refuse_all(workload)
    builds = _count_builds(workspace, record.id, settings, now) if source == "history" else 0.0
    with workspace.warehouse.session() as session:
        statistician = Statistician(session, snapshot)
        sizes = _table_bytes(session, workspace, record.id)
        workloads = _collect_workloads(workspace, snapshot, workload.requirements, statistician, sizes, request.ignored)
        allowance = _make_allowance(workloads, settings, request)
        today = _cost_today(workloads)
        if source == "history":
            old = _names_of_old(workspace, record.id, settings, now)
            workloads, allowance = _with_room(workloads, allowance, old, settings, builds)
        advice = _advise_with_counts(workloads, statistician, settings, allowance.remaining, builds)
    records = workspace.read.definitions.of_model(record.id, include_retired=True)
    recommendations, blocked = _recommendations(snapshot, advice, request, records)
    report = RecommendReport(
        model=record.name,
        model_id=record.id,
        source=source,
        queries=_weight_of(workload),
        cost_before=round(today),
        cost_after=round(advice.cost_after),
        recommendations=tuple(recommendations),
        unserved=(*workload.unserved, *_refusals(advice), *blocked),
        scans=statistician.scans,
        budget=allowance,
    )
    report = choose_giving_way(report, {record.definition.id: record.definition.name for record in records})
    if not apply or not (recommendations or only):
        return report
    return apply_recommendations(workspace, report, only=only, now=now)


def _refusals(advice: Advice) -> list[Unserved]:
    """The requirements that advice refuses, with the reason."""
    return [
        Unserved(attribute_names(requirement.part), requirement.weight, reason)
        for requirement, reason in advice.refused
    ]


def _weight_of(workload: Workload) -> float:
    """How many queries were looked at, old ones for less."""
    served = sum(requirement.weight for requirement in workload.requirements)
    return served + sum(refusal.weight for refusal in workload.unserved)


def _cost_today(workloads: Sequence[FactWorkload]) -> float:
    """Rows that the queries read with the aggregates of today."""
    return sum(
        requirement.weight * fact_workload.cost_today(requirement)
        for fact_workload in workloads
        for requirement in fact_workload.requirements
    )


def _names_of_old(workspace: Workspace, model_id: str, settings: Settings, now: datetime) -> frozenset[str]:
    """The aggregates that served for the half-life of queries."""
    read = workspace.read
    return served_long(
        read.definitions.of_model(model_id), read.instances.services(model_id), days=settings.demand_half_life, now=now
    )


def _with_room(
    workloads: Sequence[FactWorkload], allowance: Allowance, old: frozenset[str], settings: Settings, builds: float
) -> tuple[list[FactWorkload], Allowance]:
    """The workloads without old aggregates that had better give way."""
    ways = ways_to_make_room(workloads, old, builds=builds, in_bytes=allowance.in_bytes)

    def advise_with(those: Sequence[FactWorkload], way: Replaceable) -> Advice:
        return advise(those, settings, budget=replace(allowance, released=way).remaining, builds=builds)

    best = best_way(workloads, ways, advise_with, builds=builds)
    return [fact_workload.without(best.sizes.keys()) for fact_workload in workloads], replace(allowance, released=best)


def _read_workload(
    workspace: Workspace, snapshot: ModelSnapshot, request: RecommendRequest, settings: Settings, now: datetime
) -> tuple[str, Workload]:
    if request.from_structure:
        return "structure", workload_of_structure(snapshot, settings, request.facts)
    if request.queries is not None:
        return "queries", workload_of_queries(snapshot, request.queries, settings, dialect=request.dialect)
    return "history", workload_of_log(
        snapshot, workspace.read.queries.find(snapshot.record.id, limit=_MOST_LOGGED), settings, now=now
    )


def _refuse_all(workload: Workload) -> Workload:
    reason = "the model has row security; `aggregates.create.securityDimensions.enabled` is false"
    refused = [
        Unserved(attribute_names(requirement.part), requirement.weight, reason) for requirement in workload.requirements
    ]
    return Workload((), (*workload.unserved, *refused))


def _count_builds(workspace: Workspace, model_id: str, settings: Settings, now: datetime) -> float:
    """Number of builds in the time of the log, at least 1. Old builds count for less, as old queries do."""
    ends = [
        batch.finished_at
        for batch in workspace.read.batches.find(model_id)
        if batch.status is BatchStatus.DONE and batch.finished_at
    ]
    return max(1.0, sum(decay(end, settings, now=now) for end in ends))


def _collect_workloads(
    workspace: Workspace,
    snapshot: ModelSnapshot,
    requirements: Sequence[QueryRequirement],
    statistician: Statistician,
    sizes: Mapping[tuple[str, str], int],
    ignored: frozenset[str],
) -> list[FactWorkload]:
    """By fact: requirements, statistics, and what is defined already.

    Args:
        sizes: bytes by definition and fact.
    """
    by_fact: dict[str, list[QueryRequirement]] = {}
    for requirement in requirements:
        by_fact.setdefault(requirement.part.fact, []).append(requirement)
    last = workspace.read.instances.last_rows(snapshot.record.id)
    defined = [
        DefinedPart(
            name=record.definition.name,
            part=part,
            rows=last.get((record.definition.id, part.fact)),
            size_bytes=sizes.get((record.definition.id, part.fact)),
            metrics=record.definition.metrics,
            is_system=record.definition.origin.is_system_defined,
            is_demanded=record.definition.origin is DefinitionOrigin.DEMAND_DEFINED,
        )
        for record in workspace.read.definitions.of_model(snapshot.record.id)
        for part in (record.definition.parts if record.definition.id not in ignored else ())
    ]
    workloads = []
    for fact, requirements_of_fact in sorted(by_fact.items()):
        fact_workload = statistician.collect_workload(
            fact, requirements_of_fact, [part for part in defined if part.part.fact == fact]
        )
        if fact_workload is not None:
            workloads.append(fact_workload)
    return workloads


def _make_allowance(workloads: Sequence[FactWorkload], settings: Settings, request: RecommendRequest) -> Allowance:
    """The budget. It is in bytes where the request says so, or where the request says nothing and the settings do."""
    in_rows = sum(fact_workload.space.fact_rows for fact_workload in workloads)
    budget_bytes = (
        settings.demand_bytes if request.budget_bytes is None and request.percent is None else request.budget_bytes
    )
    percent = settings.demand_percent if request.percent is None else request.percent
    counts = request.defined_as is DefinitionOrigin.DEMAND_DEFINED
    return Allowance(
        size=float(budget_bytes) if budget_bytes else in_rows * percent / 100,
        spent=sum(sum(fact_workload.spent(in_bytes=bool(budget_bytes)).values()) for fact_workload in workloads)
        if counts
        else 0.0,
        count=settings.demand_number if request.most is None else request.most,
        in_bytes=bool(budget_bytes),
    )


def _table_bytes(session: WarehouseSession, workspace: Workspace, model_id: str) -> dict[tuple[str, str], int]:
    """Bytes of the active instances by (definition id, fact)."""
    active = {instance.id: instance for instance in workspace.read.instances.serving(model_id)}
    sizes = bytes_of_instances(session, workspace, list(active.values()))
    return {(active[key].step.definition_id, active[key].step.fact): size for key, size in sizes.items()}


def _advise_with_counts(
    workloads: Sequence[FactWorkload],
    statistician: Statistician,
    settings: Settings,
    budget: Budget,
    builds: float,
) -> Advice:
    """Advice for which all chosen grains were counted."""
    advice = advise(workloads, settings, budget=budget, builds=builds)
    for _ in range(_MOST_ROUNDS):
        if not advice.to_measure:
            break
        for fact_workload in workloads:
            fact_workload.space.learn(
                statistician.measure(part for part in advice.to_measure if part.fact == fact_workload.fact)
            )
        advice = advise(workloads, settings, budget=budget, builds=builds)
    return advice


def _recommendations(
    snapshot: ModelSnapshot, advice: Advice, request: RecommendRequest, records: Sequence[DefinitionRecord]
) -> tuple[list[Recommendation], list[Unserved]]:
    """The proposals as definitions, and those that a person has blocked."""
    names = {record.definition.name: record.definition.id for record in records}
    blocked = {record.definition.id for record in records if record.status is DefinitionStatus.BLOCKED}
    recommendations, blocked_proposals = [], []
    for proposal in advice.proposals:
        definition = _definition(snapshot, proposal, request.defined_as, names)
        if definition.id in blocked:
            reason = f"`{definition.name}` would answer, but a person has blocked it"
            blocked_proposals.append(Unserved(attribute_names(proposal.part), proposal.queries, reason))
            continue
        is_sketched = proposal.is_measured and bool(proposal.part.attributes)
        recommendations.append(
            Recommendation(
                definition=definition,
                rows=round(proposal.rows),
                error=sketch_error(snapshot.sources.dialect) if is_sketched else None,
                size_bytes=round(proposal.size_bytes),
                saved=round(proposal.saved),
                share=proposal.saved / advice.cost_before if advice.cost_before else 0.0,
                upkeep=round(proposal.upkeep),
                queries=proposal.queries,
                reason=_reason(proposal, is_likely=request.from_structure),
            )
        )
    return recommendations, blocked_proposals


def _definition(
    snapshot: ModelSnapshot, proposal: Proposal, origin: DefinitionOrigin, names: dict[str, str]
) -> AggregateDefinition:
    """The proposal under a name that no other definition has; ``names`` learns it."""
    definition = AggregateDefinition(
        model_id=snapshot.record.id,
        name=aggregate_name(proposal.part),
        label=aggregate_label(proposal.part),
        origin=origin,
        metrics=proposal.metrics,
        parts=(proposal.part,),
        composite=snapshot.model.is_composite,
    )
    if names.get(definition.name, definition.id) != definition.id:
        definition = replace(definition, name=f"{definition.name}_{definition.fingerprint[:6]}")
    names[definition.name] = definition.id
    return definition


def _reason(proposal: Proposal, *, is_likely: bool) -> str:
    heaviest = proposal.heaviest
    reads = f"{attribute_names(heaviest.part)} reads {proposal.rows:,.0f} rows instead of {proposal.heaviest_cost:,.0f}"
    if is_likely:
        return f"likely by the model's structure: {reads}"
    others = proposal.queries - heaviest.weight
    return f"asked {times(heaviest.weight)}: {reads}" + (f"; answers {times(others)} more" if others > 0 else "")
