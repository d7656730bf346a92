"""Evaluate how good each definition is, from the log of queries and from its builds.

Source: AtScale, "Life Cycle of Aggregate Tables", Used: the engine continuously evaluates the quality of the aggregate
table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.advising.quality import QualityFigures, judge
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import DefinitionError, WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.retain.savings import Saving, average_savings
from airflow_atscale_aggs.engine.lifecycle.table_sizes import bytes_of_instances
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import table_key
from airflow_atscale_aggs.engine.registry.records import (
    DefinitionRecord,
    EvaluationRecord,
    InstanceRecord,
    ModelRecord,
    ServiceRecord,
    UsageRecord,
)
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A definition and how good it is."""

    definition: DefinitionRecord
    record: EvaluationRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateReport:
    """The definitions of a model, best first."""

    model: str
    model_id: str
    evaluations: tuple[Evaluation, ...]


def evaluate(workspace: Workspace, model: str, *, record: bool = True, now: datetime) -> EvaluateReport:
    """Evaluate every definition of a model, except retired ones, and record the evaluations.

    The rows of each fact are counted in the warehouse, and the bytes of tables are read where the warehouse tells them.
    Where that fails, the figures that depend on it are None.

    Args:
        record: False: only return the evaluations.

    Raises:
        NotRegisteredError: no such model.
    """
    registry = workspace.registry
    model_record = workspace.read.models.get(model)
    standing = workspace.read.definitions.of_model(model_record.id)
    active = workspace.read.instances.serving(model_record.id)
    figures = _Figures(
        fact_rows=_fact_rows(workspace, model_record, standing),
        usages=workspace.read.queries.usages(model_record.id),
        active=active,
        sizes=_table_bytes(workspace, active),
        services=workspace.read.instances.services(model_record.id),
        savings=average_savings(workspace.read, model_record.id),
    )
    evaluations = [
        Evaluation(definition=definition, record=figures.evaluate_definition(definition, model_record.id, now))
        for definition in standing
    ]
    if record:
        registry.evaluations.record([evaluation.record for evaluation in evaluations])
    evaluations.sort(key=lambda evaluation: (-evaluation.record.score, evaluation.definition.definition.name))
    return EvaluateReport(model=model_record.name, model_id=model_record.id, evaluations=tuple(evaluations))


def _fact_rows(workspace: Workspace, model: ModelRecord, standing: Sequence[DefinitionRecord]) -> dict[str, int]:
    """Rows of each fact now. Facts that cannot be counted are left out."""
    datasets = workspace.read.models.datasets(model.deployment_id)
    fact_names = sorted({part.fact for record in standing for part in record.definition.parts} & set(datasets))
    rows_by_fact: dict[str, int] = {}
    dialect = workspace.warehouse.dialect
    try:
        with workspace.warehouse.session() as session:
            keys = sorted({key for fact in fact_names if (key := table_key(datasets[fact])) is not None}, key=str)
            sources = Sources(datasets, session.columns(keys), dialect)
            for fact in fact_names:
                try:
                    count = exp.select(exp.Count(this=exp.Star(), big_int=True)).from_(sources[fact].relation("f"))
                except DefinitionError:
                    continue
                rows_by_fact[fact] = nearest_whole(session.fetch_all(render(count, dialect))[0][0])
    except WarehouseError:
        return rows_by_fact
    return rows_by_fact


def _table_bytes(workspace: Workspace, active: Sequence[InstanceRecord]) -> Mapping[str, int]:
    """Bytes by instance; empty where the warehouse does not answer."""
    try:
        with workspace.warehouse.session() as session:
            return bytes_of_instances(session, workspace, active)
    except WarehouseError:
        return {}


@dataclass(slots=True)
class _Figures:
    """All figures of a model's definitions."""

    fact_rows: Mapping[str, int]
    usages: Sequence[UsageRecord]
    active: Sequence[InstanceRecord]
    sizes: Mapping[str, int]
    services: Mapping[str, ServiceRecord]
    savings: Mapping[str, Saving]
    _uses: dict[tuple[str, str], UsageRecord] = field(init=False)
    _instances: dict[tuple[str, str], InstanceRecord] = field(init=False)

    def __post_init__(self) -> None:
        self._uses = {(usage.definition_id, usage.fact): usage for usage in self.usages}
        self._instances = {(instance.step.definition_id, instance.step.fact): instance for instance in self.active}

    def evaluate_definition(self, record: DefinitionRecord, model_id: str, now: datetime) -> EvaluationRecord:
        """The evaluation of one definition, all its facts together."""
        definition = record.definition
        identity = definition.id
        names = [part.fact for part in definition.parts]
        usages = {fact: self._uses[identity, fact] for fact in names if (identity, fact) in self._uses}
        own = {fact: usage.uses - usage.inherited for fact, usage in usages.items()}
        built = [instance for fact in names if (instance := self._instances.get((identity, fact))) is not None]
        is_whole = len(built) == len(names)
        rows = sum(instance.rows or 0 for instance in built) if is_whole else None
        sizes = [self.sizes[instance.id] for instance in built if instance.id in self.sizes]
        whole = sum(self.fact_rows[fact] for fact in names) if all(fact in self.fact_rows for fact in names) else None
        seconds_saved, measured = self._saved_seconds(identity, sum(own.values()))
        service = self.services.get(identity)
        figures = QualityFigures(
            last_used_at=max((usage.last_used_at for usage in usages.values()), default=None),
            rows=rows,
            fact_rows=whole,
            rows_saved=self._saved_rows(identity, own),
            seconds_saved=seconds_saved,
            builds=service.builds if service else 0,
            build_seconds=service.build_seconds if service else 0.0,
        )
        score, parts = judge(figures, now=now)
        return EvaluationRecord(
            model_id=model_id,
            definition_id=identity,
            evaluated_at=now,
            score=score,
            parts=parts,
            uses=sum(own.values()),
            last_used_at=figures.last_used_at,
            rows=rows,
            size_bytes=sum(sizes) if is_whole and len(sizes) == len(built) else None,
            fact_rows=whole,
            rows_saved=figures.rows_saved,
            seconds_saved=seconds_saved,
            measured_share=measured,
            build_seconds=figures.build_seconds,
            builds=figures.builds,
            predicted_rows=record.evidence.get("predicted_rows"),
        )

    def _saved_rows(self, identity: str, own: Mapping[str, int]) -> int | None:
        """Fact rows that were not read, less the rows that were; by the sizes of today."""
        saved = 0
        for fact, uses in own.items():
            instance = self._instances.get((identity, fact))
            if instance is None or instance.rows is None or fact not in self.fact_rows:
                return None
            saved += uses * (self.fact_rows[fact] - instance.rows)
        return saved

    def _saved_seconds(self, identity: str, uses: int) -> tuple[float | None, float]:
        """(seconds, share that is measured): each use saved what a use in the log saved on average."""
        saving = self.savings.get(identity)
        if not uses:
            return 0.0, 0.0
        return (uses * saving.seconds, saving.measured) if saving is not None else (None, 0.0)
