"""Decide which active instances still mean what they meant when they were built, and why others do not serve.

A batch may have many thousands of instances, which share attributes, measures and datasets: what is decided of those is
decided once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionStatus, FactPart
from airflow_atscale_aggs.engine.aggregates.rebinding import rebind
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import (
    NOT_RECORDED,
    datasets_of,
    has_rivals,
    needed_by,
    what_differs,
)
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.registry.records import BatchRecord, DefinitionMeaning, ModelRecord, ServingRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.sql.sources import Sources


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides whether active instances serve: the model as it is deployed, and the warehouse as it is.

    Attributes:
        then: surroundings of the batches that built the instances, by batch.
        gone: names of tables that are not there any more, by instance.
        batches: that built the instances, by id.
    """

    model: SemanticModel
    paths: JoinPaths
    sources: Sources
    surroundings: Surroundings
    then: Mapping[str, Surroundings | None]
    gone: Mapping[str, tuple[str, ...]]
    batches: Mapping[str, BatchRecord]


def split_instances(
    stored: StoredParts, now: Circumstances, active: Sequence[ServingRecord]
) -> tuple[list[ServingInstance], list[Candidate]]:
    """The active instances that still mean what they meant when they were built, and candidates that do not serve."""
    build = f"`atscale-aggs build {stored.record.name}`"
    judge = _Judge(stored, now, f"build the model again: {build}")
    serving: list[ServingInstance] = []
    others: list[Candidate] = []
    for instance in active:
        found = judge.judge(instance)
        if isinstance(found, ServingInstance):
            serving.append(found)
        else:
            others.append(found)
    built = {(instance.definition_id, instance.fact) for instance in active}
    for identity, meaning in stored.meanings.items():
        for part in meaning.definition.parts if meaning.status is DefinitionStatus.DEFINED else ():
            if (identity, part.fact) not in built:
                name, change = meaning.definition.part_name(part), f"build it: {build}"
                others.append(Candidate(aggregate=name, fact=part.fact, miss=Miss.NOT_BUILT, change=change))
    return serving, others


class _Judge:
    """Judges the instances of one model.

    Args:
        rebuild: what helps where an instance does not serve.
    """

    def __init__(self, stored: StoredParts, now: Circumstances, rebuild: str) -> None:
        self._stored, self._now, self._rebuild = stored, now, rebuild
        self._rebinders: dict[str, _Rebinder] = {}
        self._alike: dict[tuple[str, tuple[str, ...], str], set[int]] = {}

    def judge(self, instance: ServingRecord) -> ServingInstance | Candidate:
        """The instance as it serves, or why it does not."""
        meaning = self._stored.meanings.get(instance.definition_id)
        if meaning is not None and meaning.status is DefinitionStatus.BLOCKED:
            return Candidate(aggregate=instance.aggregate, fact=instance.fact, miss=Miss.BLOCKED)
        if instance.id in self._now.gone:
            return self._why_not(instance, Miss.GONE, self._now.gone[instance.id])
        part = self._part_of_today(instance)
        if part is None:
            return self._why_not(instance, Miss.OTHER_VERSION)
        needed = needed_by(instance.settings_needed, part, self._now.sources)
        difference = self._difference(instance.batch_id, needed, part)
        if difference:
            change = f"ask and build with connections of the same settings; {self._rebuild}"
            return replace(self._why_not(instance, Miss.OTHER_SETTINGS, (difference,)), change=change)
        then = self._now.then[instance.batch_id]
        settings = {} if then is None else then.settings
        return ServingInstance(
            id=instance.id,
            definition_id=instance.definition_id,
            aggregate=instance.aggregate,
            part=part,
            rows=instance.rows,
            table=instance.table,
            schema=self._now.batches[instance.batch_id].schema,
            as_of=instance.started_at,
            relies_on={setting: settings.get(setting, "") for setting in needed},
        )

    def _why_not(self, instance: ServingRecord, miss: Miss, missing: tuple[str, ...] = ()) -> Candidate:
        return Candidate(
            aggregate=instance.aggregate, fact=instance.fact, miss=miss, missing=missing, change=self._rebuild
        )

    def _part_of_today(self, instance: ServingRecord) -> FactPart | None:
        deployment = self._now.batches[instance.batch_id].deployment_id
        part = self._stored.part(deployment, instance)
        if part is None:
            return None
        if deployment not in self._rebinders:
            datasets = self._stored.datasets(deployment)
            self._rebinders[deployment] = _Rebinder(datasets, self._now.model, self._now.paths)
        return self._rebinders[deployment].rebind(part)

    def _difference(self, batch: str, needed: tuple[str, ...], part: FactPart) -> str:
        """What differs from the surroundings that the instance was built in; empty: nothing that matters."""
        # The attributes are the model's, which keeps them: no other one gets the id.
        alike = self._alike.setdefault((batch, needed, part.fact), set())
        identities = set(map(id, part.attributes))
        if identities and identities <= alike:
            return ""
        then, datasets = self._now.then[batch], datasets_of([part])
        difference = what_differs(then, self._now.surroundings, needed, datasets)
        if then is None and not difference and has_rivals(datasets, self._now.sources):
            difference = NOT_RECORDED
        if not difference:
            alike |= identities
        return difference


class StoredParts:
    """What instances store: a later deployment may have changed what names stand for since they were built.

    Attributes:
        meanings: of the model's definitions today, by id.
    """

    def __init__(self, read: RegistryReader, record: ModelRecord, meanings: Mapping[str, DefinitionMeaning]) -> None:
        self.record, self.meanings = record, meanings
        self._read = read
        self._old: dict[str, tuple[Mapping[str, AggregateDefinition], Mapping[str, Dataset]]] = {}

    def part(self, deployment: str, instance: ServingRecord) -> FactPart | None:
        """What the instance stores, as definitions were in the deployment that it was built from."""
        definition = self._of(deployment)[0].get(instance.definition_id)
        parts = definition.parts if definition is not None else ()
        return next((part for part in parts if part.fact == instance.fact), None)

    def datasets(self, deployment: str) -> Mapping[str, Dataset]:
        """The datasets of the deployment."""
        return self._of(deployment)[1]

    def _of(self, deployment: str) -> tuple[Mapping[str, AggregateDefinition], Mapping[str, Dataset]]:
        if deployment not in self._old:
            self._old[deployment] = self._read_deployment(deployment)
        return self._old[deployment]

    def _read_deployment(self, deployment: str) -> tuple[Mapping[str, AggregateDefinition], Mapping[str, Dataset]]:
        current = {identity: meaning.definition for identity, meaning in self.meanings.items()}
        if deployment == self.record.deployment_id:
            return current, self._read.models.datasets(deployment)
        model = read_deployed_model(self._read, self.record, deployment_id=deployment)
        paths = JoinPaths(model)
        declared = define_user_aggregates(model, paths, IssueList())
        # No deployment declares system-defined aggregates. They take their joins and columns from the deployed model.
        system = [rebind(definition, paths) for definition in current.values() if definition.origin.is_system_defined]
        then = {definition.id: definition for definition in system if definition is not None}
        return {**then, **{definition.id: definition for definition in declared}}, model.datasets


class _Rebinder:
    """Binds what was stored of one deployment to the model of today, each attribute once."""

    def __init__(self, datasets: Mapping[str, Dataset], model: SemanticModel, paths: JoinPaths) -> None:
        self._datasets, self._model, self._paths = datasets, model, paths
        self._attributes: dict[tuple[str, int], tuple[BoundAttribute, BoundAttribute | None]] = {}
        self._columns: dict[tuple[str, str], bool] = {}

    def rebind(self, part: FactPart) -> FactPart | None:
        """The part with today's attributes; None when an attribute or a dataset means something else today."""
        fact = part.fact
        if not all(self._is_same_column(fact, measure.column) for measure in part.measures):
            return None
        attributes: list[BoundAttribute] = []
        for bound in part.attributes:
            known = self._attributes.get((fact, id(bound)))
            if known is None:
                # With the attribute itself, so that no other one gets its id.
                known = self._attributes[fact, id(bound)] = (bound, self._today(fact, bound))
            if known[1] is None:
                return None
            attributes.append(known[1])
        return FactPart(fact=fact, attributes=tuple(attributes), measures=part.measures)

    def _today(self, fact: str, bound: BoundAttribute) -> BoundAttribute | None:
        today = self._paths.attributes_of(fact).get(bound.attribute)
        if today is None or not _is_same_place(bound, today):
            return None
        used = [(bound.dataset, column) for column in bound.columns]
        for step in bound.steps:
            used += [(step.from_dataset, column) for column in step.from_columns]
            used += [(step.to_dataset, column) for column in step.to_columns]
        return today if all(self._is_same_column(dataset, column) for dataset, column in used) else None

    def _is_same_column(self, dataset: str, column: str) -> bool:
        key = (dataset, column)
        if key not in self._columns:
            self._columns[key] = _is_same_data(
                self._datasets.get(dataset), self._model.datasets.get(dataset), (column,)
            )
        return self._columns[key]


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
