"""What is recommended for a model, and how it is applied: all of it, or some.

Source: AtScale, "Life Cycle of Aggregate Tables": Defined (system-defined tables).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from datetime import datetime

from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin
from airflow_atscale_aggs.engine.errors import UnknownNameError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import MAKES_ROOM, NOTHING, Replaceable
from airflow_atscale_aggs.engine.lifecycle.advise.workload import Unserved
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.registry.records import ProposedDefinition, SuccessionRecord

CHOSEN = "chosen from advice"
"""How the reason of a prediction begins that somebody has applied. A redeploy retires what it has predicted by itself,
and leaves alone what somebody has chosen.
"""


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
    def remaining(self) -> Budget:
        """The budget for new aggregates."""
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


def choose_giving_way(report: RecommendReport, names: Mapping[str, str]) -> RecommendReport:
    """Choose as few aggregates as needed that give way, and to which. What is recommended again stays."""
    allowance = report.budget
    again = {
        names.get(recommendation.definition.id, "") for recommendation in report.recommendations
    } & allowance.released.sizes.keys()
    kept_recommendations = tuple(
        recommendation
        for recommendation in report.recommendations
        if names.get(recommendation.definition.id, "") not in again
    )
    new = sum(
        recommendation.size_bytes if allowance.in_bytes else recommendation.rows
        for recommendation in kept_recommendations
    )
    leaving = Replaceable(sizes={name: size for name, size in allowance.released.sizes.items() if name not in again})
    old = leaving.first(allowance.spent + new - allowance.size) if kept_recommendations else ()
    heir = max(kept_recommendations, key=lambda recommendation: recommendation.saved, default=None)
    ways = {name: heir.definition.name for name in old if heir is not None}
    return replace(report, recommendations=kept_recommendations, giving_way=ways)


def apply_recommendations(
    workspace: Workspace, report: RecommendReport, *, only: Collection[str] = (), now: datetime
) -> RecommendReport:
    """Define what is recommended; the next batch builds it.

    Args:
        only: names of those that are defined; empty: all. As many old ones give way as these need room.

    Returns:
        The report, with the outcome of each that was defined, and what gives way to them.

    Raises:
        UnknownNameError: a name is none of those that are recommended.
    """
    names = [recommendation.definition.name for recommendation in report.recommendations]
    strange = [name for name in only if name not in names]
    if strange:
        raise UnknownNameError("recommended aggregate", strange[0], near_names(strange[0], names))
    chosen = _choose(workspace, report, only) if only else report
    proposed = [_as_chosen(make_proposal(recommendation, report)) for recommendation in chosen.recommendations]
    outcomes = workspace.registry.definitions.add(proposed, now=now)
    applied = {
        # A retired definition that comes back keeps its old name.
        recommendation.definition.id: replace(
            recommendation,
            outcome=outcome,
            definition=workspace.read.definitions.get(recommendation.definition.id).definition,
        )
        for recommendation, outcome in zip(chosen.recommendations, outcomes, strict=True)
    }
    _propose_giving_way(workspace, chosen, now)
    recommendations = tuple(
        applied.get(recommendation.definition.id, recommendation) for recommendation in report.recommendations
    )
    return replace(report, recommendations=recommendations, giving_way=chosen.giving_way)


def _choose(workspace: Workspace, report: RecommendReport, only: Collection[str]) -> RecommendReport:
    """The report as if nothing else were recommended."""
    records = workspace.read.definitions.of_model(report.model_id, include_retired=True)
    chosen = tuple(
        recommendation for recommendation in report.recommendations if recommendation.definition.name in only
    )
    names = {record.definition.id: record.definition.name for record in records}
    return choose_giving_way(replace(report, recommendations=chosen), names)


def _propose_giving_way(workspace: Workspace, report: RecommendReport, now: datetime) -> None:
    ids = {
        record.definition.name: record.definition.id for record in workspace.read.definitions.of_model(report.model_id)
    }
    heirs = {recommendation.definition.name: recommendation.definition for recommendation in report.recommendations}
    ways = [(ids[old], heirs[new]) for old, new in report.giving_way.items() if old in ids]
    workspace.registry.successions.propose(
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


def _as_chosen(proposal: ProposedDefinition) -> ProposedDefinition:
    is_predicted = proposal.definition.origin is DefinitionOrigin.PREDICTION_DEFINED
    return replace(proposal, reason=f"{CHOSEN}: {proposal.reason}") if is_predicted else proposal


def make_proposal(recommendation: Recommendation, report: RecommendReport) -> ProposedDefinition:
    """A recommendation as the registry records it, with the figures that speak for it."""
    evidence = {
        "predicted_rows": float(recommendation.rows),
        "predicted_bytes": float(recommendation.size_bytes),
        "predicted_saved_rows": float(recommendation.saved),
        "predicted_upkeep_rows": float(recommendation.upkeep),
        "queries": recommendation.queries,
        "cost_before_rows": float(report.cost_before),
    }
    if recommendation.error is not None:
        evidence["predicted_rows_error"] = recommendation.error
    return ProposedDefinition(definition=recommendation.definition, reason=recommendation.reason, evidence=evidence)
