"""Take a snapshot of one model for answering queries: names, join paths, active instances, what the data proves.

A snapshot is taken once per version of the registry. Proofs are made when a query first needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.proofs import Proofs
from airflow_atscale_aggs.engine.lifecycle.query.serving_today import Circumstances, StoredParts, split_instances
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import claims_seen, tables_of, with_away
from airflow_atscale_aggs.engine.lifecycle.table_presence import missing_in_service
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import TableKey, table_key
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.row_security import RowRules
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.registry.records import DefinitionMeaning, ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.fact_cost import Statistics
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import PhysicalModel
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.table_statistics import read_statistics, statistics_query
from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession


@dataclass(slots=True)
class Sizes:
    """Statistics of the model's tables, read from the warehouse when they are first needed."""

    sources: Sources
    datasets: tuple[str, ...]
    _found: Statistics | None = None

    def of(self, warehouse: Warehouse) -> Statistics:
        """By (schema, table); empty where the warehouse tells nothing."""
        if self._found is None:
            with warehouse.session() as session:
                return self.read(session)
        return self._found

    def read(self, session: WarehouseSession) -> Statistics:
        """As `of`, over a session that is open already."""
        if self._found is None:
            query = statistics_query(set(self._places()), self.sources.dialect)
            self._found = {} if query is None else read_statistics(session.fetch_all(query))
        return self._found

    def _places(self) -> Iterator[TableKey]:
        for dataset in self.datasets:
            try:
                place = self.sources[dataset].place
            except DefinitionError:
                continue
            if place is not None:
                yield place


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSnapshot:
    """One model as it is deployed, with the instances that serve.

    Attributes:
        version: of the registry, see `RegistryReader.version`.
        taken_at: when the warehouse was asked for columns. No proof is older.
        not_serving: definitions that are not built, and instances of another version of the model.
        meanings: of all definitions, by id; the next snapshot decodes only what has changed.
        views: snapshots by perspective, for those that were asked for.
        of: the whole model, where this is what a perspective shows of it.
    """

    record: ModelRecord
    version: int
    taken_at: datetime
    model: SemanticModel
    paths: JoinPaths
    names: SurfaceNames
    calculations: CalculatedMetrics
    index: InstanceIndex
    not_serving: tuple[Candidate, ...]
    sources: Sources
    proofs: Proofs
    physical: PhysicalModel
    sizes: Sizes
    row_rules: RowRules
    meanings: Mapping[str, DefinitionMeaning] = field(default_factory=dict, compare=False)
    views: dict[str, ModelSnapshot] = field(default_factory=dict, compare=False)
    of: ModelSnapshot | None = None

    @property
    def whole(self) -> ModelSnapshot:
        """The snapshot of the whole model, without a perspective."""
        return self.of or self

    def seen_through(self, perspective: str) -> ModelSnapshot:
        """The snapshot of the same model with only the names that a perspective shows."""
        if perspective not in self.views:
            names = SurfaceNames(self.model, self.paths, self.model.perspectives[perspective])
            record = replace(self.record, perspective=perspective)
            self.views[perspective] = replace(self, record=record, names=names, views={}, of=self)
        return self.views[perspective]


def read_model_snapshot(
    workspace: Workspace, record: ModelRecord, *, now: datetime, before: ModelSnapshot | None = None
) -> ModelSnapshot:
    """Take a snapshot: read a model from the registry, and its tables' columns from the warehouse.

    Args:
        before: an older snapshot of the model. What it read and cannot have changed since is not read again.

    Raises:
        WarehouseError: the warehouse cannot be asked.
    """
    read = workspace.read
    # Read first: what changes afterwards makes the snapshot outdated, and it is taken again.
    version = read.models.version(record.id)
    deployed = _read_deployed(read, record, before)
    model, paths = deployed.model, deployed.paths
    meanings = read.definitions.meanings(record.id, before.meanings if before is not None else {})
    active = read.instances.in_service(record.id)
    keys = {key for key in map(table_key, model.datasets.values()) if key is not None}
    with workspace.warehouse.session() as session:
        physical = session.columns(sorted(keys, key=str))
        gone = missing_in_service(read, session, active)
        settings = session.settings()
    batches = {batch: read.batches.get(batch) for batch in dict.fromkeys(instance.batch_id for instance in active)}
    then = {batch: read.batches.surroundings(batch) for batch in batches}
    physical = with_away(physical, model.datasets, list(then.values()))
    sources = Sources(model.datasets, physical, workspace.warehouse.dialect)
    today = Surroundings(settings=settings, tables=tables_of(model.datasets, sources))
    circumstances = Circumstances(model, paths, sources, today, then, gone, batches)
    serving, others = split_instances(StoredParts(read, record, meanings), circumstances, active)
    return ModelSnapshot(
        record=record,
        version=version,
        taken_at=now,
        model=model,
        paths=paths,
        names=deployed.names,
        calculations=deployed.calculations,
        index=InstanceIndex(serving),
        not_serving=tuple(others),
        sources=sources,
        proofs=Proofs(sources, seen=claims_seen(then.values()), is_hurried=True),
        physical=PhysicalModel(model, paths, sources),
        sizes=Sizes(sources, tuple(model.datasets)),
        row_rules=deployed.row_rules,
        meanings=meanings,
    )


@dataclass(frozen=True, slots=True)
class _Deployed:
    """What a deployment alone decides."""

    model: SemanticModel
    paths: JoinPaths
    names: SurfaceNames
    calculations: CalculatedMetrics
    row_rules: RowRules


def _read_deployed(read: RegistryReader, record: ModelRecord, before: ModelSnapshot | None) -> _Deployed:
    if before is not None and before.record.deployment_id == record.deployment_id:
        return _Deployed(before.model, before.paths, before.names, before.calculations, before.row_rules)
    model = read_deployed_model(read, record)
    paths = JoinPaths(model)
    return _Deployed(model, paths, SurfaceNames(model, paths), CalculatedMetrics(model), RowRules(model, paths))
