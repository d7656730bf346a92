"""Predict aggregates: what a model's structure speaks for is defined at deploy and revised at redeploy.

Only what the model changed is defined anew; what is no longer spoken for is retired, never deleted. Where a new
aggregate takes the place of one that serves, the old one is built and serves on until the first instance of the new one
is Active. What somebody has chosen from advice is left alone. All-member aggregates need no look at the data; the other
kinds do, and wait for the next deployment where the warehouse does not answer.

Source: AtScale, "Life Cycle of Aggregate Tables": Superseded, prediction-defined tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from airflow_atscale_aggs.engine.advising.predicted_grains import (
    Chain,
    all_member_definitions,
    choose_grain_of_chain,
    dimension_chains,
    fact_shape,
    predicted_definition,
    shape,
)
from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    DefinitionStatus,
    FactPart,
)
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.advise.data_statistics import Statistician
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import CHOSEN, make_proposal
from airflow_atscale_aggs.engine.lifecycle.advise.workload import storable_metrics
from airflow_atscale_aggs.engine.lifecycle.build.activate import drop_gone_views
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.row_security import RowRules
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.registry.definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.registry.records import ModelRecord, ProposedDefinition, SuccessionRecord
from airflow_atscale_aggs.engine.settings import Settings

_OFF = "`build_speculative_aggs` is off"
_REDEPLOYED = "redeployed"
"""The reason of every succession that prediction proposes begins with this word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """What prediction did for one model.

    Attributes:
        appeared: names of aggregates that it defined.
        retired: names of those that it retired, with the reason.
        giving_way: names of those that serve until their successor does, with its name.
        kept: names of those that nothing changed.
        notes: what could not be done, and why.
    """

    model: str
    appeared: tuple[str, ...] = ()
    retired: Mapping[str, str] = field(default_factory=dict)
    giving_way: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def predict(
    workspace: Workspace, model: SemanticModel, model_id: str, *, previous: SemanticModel | None, now: datetime
) -> PredictReport:
    """Define what the deployed model speaks for, retire what it no longer does.

    Args:
        model: as it is deployed now.
        previous: as it was deployed before; None when it is new.
    """
    return _Prediction(workspace, model, model_id, previous, now).run()


class _Prediction:
    """One model's prediction."""

    def __init__(
        self, workspace: Workspace, model: SemanticModel, model_id: str, previous: SemanticModel | None, now: datetime
    ) -> None:
        self._workspace, self._model, self._previous, self._now = workspace, model, previous, now
        self._record: ModelRecord = workspace.read.models.get(model_id)
        self._settings: Settings = workspace.settings_of(model_id)
        self._paths = JoinPaths(model)
        self._rules = RowRules(model, self._paths)
        self._metrics = storable_metrics(model, self._settings)
        self._existing = {
            record.definition.id: record.definition
            for record in workspace.read.definitions.of_model(model_id)
            if record.definition.origin is DefinitionOrigin.PREDICTION_DEFINED and not record.reason.startswith(CHOSEN)
        }
        self._proposed: list[ProposedDefinition] = []
        self._kept: set[str] = set()
        self._retired: dict[str, str] = {}
        self._heirs: dict[str, tuple[AggregateDefinition, ...]] = {}
        self._notes: list[str] = []

    def run(self) -> PredictReport:
        """Decide what is predicted, then write it to the registry."""
        if not self._is_on():
            self._retired = dict.fromkeys(self._existing, _OFF)
            return self._write_result()
        self._predict_all_members()
        try:
            snapshot = read_model_snapshot(self._workspace, self._record, now=self._now)
            with self._workspace.warehouse.session() as session:
                self._predict_dimensions(Statistician(session, snapshot), snapshot)
            self._predict_structures()
        except WarehouseError as error:
            undecided = [
                identity for identity in self._existing if identity not in self._kept and identity not in self._retired
            ]
            self._kept.update(undecided)
            self._notes.append(
                "the warehouse did not answer, so only all-member aggregates are predicted; deploy again later: "
                f"{error}"
            )
        return self._write_result()

    def _is_on(self) -> bool:
        if not self._model.build_speculative_aggs:
            return False
        if self._model.is_secured and not self._settings.secure_dimensions:
            self._notes.append(
                "nothing is predicted: the model has row security and "
                "`aggregates.create.securityDimensions.enabled` is false"
            )
            return False
        return True

    def _predict_all_members(self) -> None:
        wanted: dict[str, AggregateDefinition] = {}
        if self._settings.predict_all_members:
            # Without attributes nothing tells whose rows they are: of secured facts nobody would be answered from it.
            metrics = {fact: here for fact, here in self._metrics.items() if self._rules.of(fact).is_open}
            definitions = all_member_definitions(self._model, self._record.id, metrics)
            wanted = {definition.id: definition for definition in definitions}
        for identity, definition in wanted.items():
            if identity in self._existing:
                self._kept.add(identity)
            else:
                (part,) = definition.parts
                reason = (
                    f"all {len(definition.metrics)} storable metrics of `{part.fact}`, for queries without attributes"
                )
                evidence = {"predicted_rows": 1.0}
                self._proposed.append(ProposedDefinition(definition=definition, reason=reason, evidence=evidence))
        for identity, old in self._existing.items():
            if not old.grain and identity not in wanted:
                fact = old.parts[0].fact
                heirs = [definition for definition in wanted.values() if definition.parts[0].fact == fact]
                self._retire([identity], f"the metrics of `{fact}` changed, or are predicted no more", heirs)

    def _predict_dimensions(self, statistician: Statistician, snapshot: ModelSnapshot) -> None:
        for name, dimension in sorted(self._model.dimensions.items()):
            existing = {
                identity: old
                for identity, old in self._existing.items()
                if old.grain and not old.metrics and {attribute.role.dimension for attribute in old.grain} == {name}
            }
            if not self._settings.predict_dimensions:
                self._retired.update(dict.fromkeys(existing, "dimension-only aggregates are switched off"))
                continue
            before = self._previous.dimensions.get(name) if self._previous is not None else None
            if existing and shape(before) == shape(dimension):
                self._kept.update(existing)
                continue
            wanted = self._propose_for_dimension(
                dimension_chains(self._model, self._paths, dimension), statistician, snapshot
            )
            for proposal in wanted:
                if proposal.definition.id in existing:
                    self._kept.add(proposal.definition.id)
                else:
                    self._proposed.append(proposal)
            new = {proposal.definition.id: proposal.definition for proposal in wanted}
            self._retire(
                [identity for identity in existing if identity not in new],
                f"dimension `{name}` changed",
                new.values(),
            )

    def _propose_for_dimension(
        self, chains: tuple[Chain, ...], statistician: Statistician, snapshot: ModelSnapshot
    ) -> list[ProposedDefinition]:
        proposals: dict[str, ProposedDefinition] = {}
        chains = tuple(chain for chain in chains if all(self._rules.of(part.fact).is_open for part in chain))
        parts = [part for chain in chains for part in chain]
        rows = statistician.row_counts({part.fact for part in parts if statistician.is_there(part.fact)})
        counts = statistician.sketch_groups([part for part in parts if part.fact in rows])
        for chain in chains:
            counts_of_chain = [counts.get((part.fact, _grain(part))) for part in chain]
            least = self._settings.predict_dimension_compression
            chosen = choose_grain_of_chain(chain, rows.get(chain[0].fact, 0), counts_of_chain, compression=least)
            if chosen is None:
                continue
            definition = predicted_definition(self._model, snapshot.record.id, chosen)
            groups = counts[chosen.fact, _grain(chosen)]
            reason = f"lists of `{chosen.fact}`: {rows[chosen.fact]:,} rows become about {groups:,.0f}"
            evidence = {"predicted_rows": groups, "dimension_rows": float(rows[chosen.fact])}
            proposals[definition.id] = ProposedDefinition(definition=definition, reason=reason, evidence=evidence)
        return list(proposals.values())

    def _predict_structures(self) -> None:
        for fact in sorted({*self._metrics, *(old.parts[0].fact for old in self._existing.values() if old.metrics)}):
            existing = [
                identity
                for identity, old in self._existing.items()
                if old.grain and old.metrics and old.parts[0].fact == fact
            ]
            if not self._settings.predict_structure or fact not in self._metrics:
                self._retired.update(dict.fromkeys(existing, f"nothing is predicted for `{fact}` any more"))
            elif existing and self._is_unchanged(fact):
                self._kept.update(existing)
            else:
                self._predict_structure(fact, existing)

    def _is_unchanged(self, fact: str) -> bool:
        if self._previous is None:
            return False
        before = storable_metrics(self._previous, self._settings).get(fact)
        now = fact_shape(self._model, fact, self._metrics[fact])
        return before is not None and fact_shape(self._previous, fact, before) == now

    def _predict_structure(self, fact: str, existing: list[str]) -> None:
        request = RecommendRequest(
            from_structure=True,
            facts=(fact,),
            most=self._settings.predict_structure_number,
            percent=self._settings.predict_structure_percent,
            ignored=frozenset(existing),
        )
        report = recommend(self._workspace, self._record.id, request=request, now=self._now)
        new = {recommendation.definition.id: recommendation.definition for recommendation in report.recommendations}
        self._kept.update(new.keys() & set(existing))
        self._proposed += [
            make_proposal(recommendation, report)
            for recommendation in report.recommendations
            if recommendation.definition.id not in existing
        ]
        self._retire(
            [identity for identity in existing if identity not in new],
            f"what leads to `{fact}` changed",
            new.values(),
        )

    def _retire(self, old: Iterable[str], why: str, heirs: Iterable[AggregateDefinition]) -> None:
        """Retire old definitions. New ones of the same kind may take their places."""
        for identity in old:
            self._retired[identity] = why
            self._heirs[identity] = tuple(heirs)

    def _write_result(self) -> PredictReport:
        registry = self._workspace.registry
        outcomes = registry.definitions.add(self._proposed, now=self._now)
        registry.successions.withdraw(self._kept, reason=_REDEPLOYED)
        giving_way = self._giving_way()
        retired = {}
        for why in sorted(set(self._retired.values())):
            ids = [
                identity for identity, reason in self._retired.items() if reason == why and identity not in giving_way
            ]
            registry.definitions.set_status(
                ids, DefinitionStatus.RETIRED, why, expected=DefinitionStatus.DEFINED, now=self._now
            )
            retired.update({self._existing[identity].name: why for identity in ids})
        new = {DefinitionOutcome.ADDED, DefinitionOutcome.RETURNED}
        appeared = [
            proposal.definition.id for proposal, outcome in zip(self._proposed, outcomes, strict=True) if outcome in new
        ]
        return PredictReport(
            model=self._record.name,
            appeared=tuple(self._workspace.read.definitions.get(identity).definition.name for identity in appeared),
            retired=retired,
            giving_way={self._existing[old].name: new for old, new in giving_way.items()},
            kept=tuple(sorted(self._existing[identity].name for identity in self._kept)),
            notes=tuple(self._notes),
        )

    def _giving_way(self) -> dict[str, str]:
        """Propose that definitions which serve give way to their heirs: name of the heir by id of the old one."""
        registry = self._workspace.registry
        serving = {instance.step.definition_id for instance in self._workspace.read.instances.serving(self._record.id)}
        defined = {
            record.definition.id: record.definition.name
            for record in self._workspace.read.definitions.of_model(self._record.id)
        }
        heir_by_old: dict[str, AggregateDefinition] = {}
        for old in sorted(serving & self._heirs.keys() & defined.keys()):
            grain = self._existing[old].grain
            able = [heir for heir in self._heirs[old] if heir.id in defined]
            if able:
                heir_by_old[old] = _most_alike(able, grain)
        registry.successions.propose(
            [
                SuccessionRecord(
                    old_id=old,
                    new_id=heir.id,
                    model_id=self._record.id,
                    reason=f"{_REDEPLOYED}: {self._retired[old]}",
                    facts=tuple(part.fact for part in heir.parts),
                    proposed_at=self._now,
                )
                for old, heir in heir_by_old.items()
            ]
        )
        # An heir may serve already, as one that a person has defined.
        done = {succession.old_id for succession in registry.successions.complete(self._record.id, now=self._now)}
        if done:
            drop_gone_views(self._workspace, self._record.id)
        return {old: defined[heir.id] for old, heir in heir_by_old.items() if old not in done}


def _most_alike(definitions: Sequence[AggregateDefinition], grain: frozenset[GrainAttribute]) -> AggregateDefinition:
    """The definition that shares most attributes with a grain. Equal ones go by name."""
    return max(definitions, key=lambda definition: (len(definition.grain & grain), definition.name))


def _grain(part: FactPart) -> frozenset[GrainAttribute]:
    return frozenset(bound.attribute for bound in part.attributes)
