"""Take a snapshot of one model for answering queries: names, join paths, active instances, what the data proves.

A snapshot is taken once per version of the registry. Proofs are made when a query first needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionStatus, FactPart
from airflow_atscale_aggs.engine.aggregates.rebinding import rebind
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.proofs import Proofs
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import (
    NOT_RECORDED,
    claims_seen,
    datasets_of,
    has_rivals,
    needed_by,
    tables_of,
    what_differs,
    with_away,
)
from airflow_atscale_aggs.engine.lifecycle.table_presence import missing_tables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import Dataset, TableKey, table_key
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.model.row_security import RowRules
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.fact_cost import Statistics
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
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


def read_model_snapshot(workspace: Workspace, record: ModelRecord, *, now: datetime) -> ModelSnapshot:
    """Take a snapshot: read a model from the registry, and its tables' columns from the warehouse.

    Raises:
        WarehouseError: the warehouse cannot be asked.
    """
    read = workspace.read
    # Read first: what changes afterwards makes the snapshot outdated, and it is taken again.
    version = read.models.version(record.id)
    model = read_deployed_model(read, record)
    paths = JoinPaths(model)
    keys = {key for key in map(table_key, model.datasets.values()) if key is not None}
    active = read.instances.serving(record.id)
    with workspace.warehouse.session() as session:
        physical = session.columns(sorted(keys, key=str))
        gone = missing_tables(read, session, active)
        settings = session.settings()
    surroundings_by_batch = {
        batch: read.batches.surroundings(batch) for batch in dict.fromkeys(instance.batch_id for instance in active)
    }
    physical = with_away(physical, model.datasets, list(surroundings_by_batch.values()))
    sources = Sources(model.datasets, physical, workspace.warehouse.dialect)
    today = Surroundings(settings=settings, tables=tables_of(model.datasets, sources))
    schemas = {batch: read.batches.get(batch).schema for batch in surroundings_by_batch}
    circumstances = _Circumstances(model, paths, sources, today, surroundings_by_batch, gone, schemas)
    serving, others = _split_instances(read, record, circumstances, active)
    return ModelSnapshot(
        record=record,
        version=version,
        taken_at=now,
        model=model,
        paths=paths,
        names=SurfaceNames(model, paths),
        calculations=CalculatedMetrics(model),
        index=InstanceIndex(serving),
        not_serving=tuple(others),
        sources=sources,
        proofs=Proofs(sources, seen=claims_seen(surroundings_by_batch.values()), is_hurried=True),
        physical=PhysicalModel(model, paths, sources),
        sizes=Sizes(sources, tuple(model.datasets)),
        row_rules=RowRules(model, paths),
    )


def _split_instances(
    read: RegistryReader,
    record: ModelRecord,
    now: _Circumstances,
    active: Sequence[InstanceRecord],
) -> tuple[list[ServingInstance], list[Candidate]]:
    """The active instances that still mean what they meant when they were built, and candidates that do not serve."""
    rebuild = f"build the model again: `atscale-aggs build {record.name}`"
    current = {
        definition.definition.id: definition
        for definition in read.definitions.of_model(record.id, include_retired=True)
    }
    history = _History(read, record, {identity: definition.definition for identity, definition in current.items()})
    serving: list[ServingInstance] = []
    others: list[Candidate] = []
    blocked = {identity for identity, definition in current.items() if definition.status is DefinitionStatus.BLOCKED}
    for instance in active:
        if instance.step.definition_id in blocked:
            others.append(Candidate(aggregate=instance.step.aggregate, fact=instance.step.fact, miss=Miss.BLOCKED))
            continue
        part = _rebind_part(history.part(instance), history.datasets(instance), now.model, now.paths)
        miss = _find_reason_not_serving(instance, part, now, rebuild)
        if part is None or miss is not None:
            others += [miss] if miss is not None else []
        else:
            serving.append(_make_serving(instance, part, now))
    built = {(instance.step.definition_id, instance.step.fact) for instance in active}
    for identity, definition in current.items():
        for part in definition.definition.parts if definition.status is DefinitionStatus.DEFINED else ():
            if (identity, part.fact) not in built:
                name, change = definition.definition.part_name(part), f"build it: `atscale-aggs build {record.name}`"
                others.append(Candidate(aggregate=name, fact=part.fact, miss=Miss.NOT_BUILT, change=change))
    return serving, others


def _find_reason_not_serving(
    instance: InstanceRecord, part: FactPart | None, now: _Circumstances, rebuild: str
) -> Candidate | None:
    """Why an active instance does not serve; None when it does."""
    candidate = Candidate(
        aggregate=instance.step.aggregate, fact=instance.step.fact, miss=Miss.OTHER_VERSION, change=rebuild
    )
    if instance.id in now.gone:
        return replace(candidate, miss=Miss.GONE, missing=now.gone[instance.id])
    if part is None:
        return candidate
    needed = needed_by(instance.step, part, now.sources)
    then = now.then[instance.batch_id]
    difference = what_differs(then, now.surroundings, needed, datasets_of([part]))
    if then is None and not difference and has_rivals(datasets_of([part]), now.sources):
        difference = NOT_RECORDED
    if not difference:
        return None
    change = f"ask and build with connections of the same settings; {rebuild}"
    return replace(candidate, miss=Miss.OTHER_SETTINGS, missing=(difference,), change=change)


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """What decides whether active instances serve: the model as it is deployed, and the warehouse as it is.

    Attributes:
        then: surroundings of the batches that built the instances, by batch.
        gone: names of tables that are not there any more, by instance.
        schemas: where each batch has made its tables. There are few batches, and there may be thousands of instances.
    """

    model: SemanticModel
    paths: JoinPaths
    sources: Sources
    surroundings: Surroundings
    then: Mapping[str, Surroundings | None]
    gone: Mapping[str, tuple[str, ...]]
    schemas: Mapping[str, str]


def _make_serving(instance: InstanceRecord, part: FactPart, now: _Circumstances) -> ServingInstance:
    then = now.then[instance.batch_id]
    settings = {} if then is None else then.settings
    needed = needed_by(instance.step, part, now.sources)
    return ServingInstance(
        id=instance.id,
        definition_id=instance.step.definition_id,
        aggregate=instance.step.aggregate,
        part=part,
        rows=instance.rows or 0,
        table=str(instance.table),
        schema=now.schemas[instance.batch_id],
        as_of=instance.started_at,
        relies_on={setting: settings.get(setting, "") for setting in needed},
    )


class _History:
    """Definitions as they were when instances were built: a later deployment may have changed what names stand for."""

    def __init__(self, read: RegistryReader, record: ModelRecord, current: Mapping[str, AggregateDefinition]) -> None:
        self._read, self._record, self._current = read, record, current
        self._deployment_of: dict[str, str] = {}
        self._old: dict[str, tuple[Mapping[str, AggregateDefinition], Mapping[str, Dataset]]] = {}

    def part(self, instance: InstanceRecord) -> FactPart | None:
        """What the instance stores."""
        definitions, _ = self._of(instance)
        definition = definitions.get(instance.step.definition_id)
        parts = definition.parts if definition is not None else ()
        return next((part for part in parts if part.fact == instance.step.fact), None)

    def datasets(self, instance: InstanceRecord) -> Mapping[str, Dataset]:
        """The datasets that it was built from."""
        return self._of(instance)[1]

    def _of(self, instance: InstanceRecord) -> tuple[Mapping[str, AggregateDefinition], Mapping[str, Dataset]]:
        batch = instance.batch_id
        if batch not in self._deployment_of:
            self._deployment_of[batch] = self._read.batches.get(batch).deployment_id
        deployment = self._deployment_of[batch]
        if deployment not in self._old:
            self._old[deployment] = self._read_deployment(deployment)
        return self._old[deployment]

    def _read_deployment(self, deployment: str) -> tuple[Mapping[str, AggregateDefinition], Mapping[str, Dataset]]:
        if deployment == self._record.deployment_id:
            return self._current, self._read.models.datasets(deployment)
        model = read_deployed_model(self._read, self._record, deployment_id=deployment)
        paths = JoinPaths(model)
        declared = define_user_aggregates(model, paths, IssueList())
        # No deployment declares system-defined aggregates. They take their joins and columns from the deployed model.
        system = [
            rebind(definition, paths) for definition in self._current.values() if definition.origin.is_system_defined
        ]
        then = {definition.id: definition for definition in system if definition is not None}
        return {**then, **{definition.id: definition for definition in declared}}, model.datasets


def _rebind_part(
    part: FactPart | None, datasets: Mapping[str, Dataset], model: SemanticModel, paths: JoinPaths
) -> FactPart | None:
    """The part with today's attributes; None when an attribute or a dataset means something else today."""
    if part is None:
        return None
    reached = paths.attributes_of(part.fact)
    attributes: list[BoundAttribute] = []
    used: dict[str, set[str]] = {part.fact: {measure.column for measure in part.measures}}
    for bound in part.attributes:
        today = reached.get(bound.attribute)
        if today is None or not _is_same_place(bound, today):
            return None
        attributes.append(today)
        used.setdefault(bound.dataset, set()).update(bound.columns)
        for step in bound.steps:
            used.setdefault(step.from_dataset, set()).update(step.from_columns)
            used.setdefault(step.to_dataset, set()).update(step.to_columns)
    for name, columns in used.items():
        if not _is_same_data(datasets.get(name), model.datasets.get(name), columns):
            return None
    return replace(part, attributes=tuple(attributes))


def _is_same_place(one: BoundAttribute, other: BoundAttribute) -> bool:
    return (one.dataset, one.key_columns, one.name_column, one.steps) == (
        other.dataset,
        other.key_columns,
        other.name_column,
        other.steps,
    )


def _is_same_data(one: Dataset | None, other: Dataset | None, columns: Iterable[str]) -> bool:
    """The same table or query, and the same calculations of the columns that are used."""
    if one is None or other is None:
        return False
    places = [(dataset.database, dataset.schema, dataset.table, dataset.variants) for dataset in (one, other)]
    if places[0] != places[1]:
        return False
    if one.columns == other.columns:
        return True
    if any(column.variants for column in (*one.columns.values(), *other.columns.values())):
        # A calculation may use another one.
        calculated = [{n: c for n, c in dataset.columns.items() if c.variants} for dataset in (one, other)]
        if calculated[0] != calculated[1]:
            return False
    return all(one.columns.get(column) == other.columns.get(column) for column in columns)
