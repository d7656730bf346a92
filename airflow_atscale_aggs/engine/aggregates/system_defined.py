"""From names to meaning: definitions that no person made, resolved against the model as it is deployed here.

Names are all that is taken from outside. Join paths, columns and tables are the deployed model's own, so the same definition
means the same on another system, whatever its tables are called there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    FactPart,
    fingerprint_of,
    grain_key,
)
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count, stored_measures
from airflow_atscale_aggs.engine.errors import near_names
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel


@dataclass(frozen=True, slots=True)
class NamedMeaning:
    """What is to be aggregated, by name.

    Attributes:
        facts: fact datasets; for a dimension-only aggregate the dimension's own dataset.
        attributes: the grain in order.
        metrics: metrics and calculations, in order; empty: row counts only.
    """

    facts: tuple[str, ...]
    attributes: tuple[GrainAttribute, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResolvedMeaning:
    """What names mean in a model: enough to know the definition's identity."""

    fingerprint: str
    meaning: NamedMeaning
    measures: Mapping[str, tuple[StoredMeasure, ...]]


@dataclass(frozen=True, slots=True)
class _Metrics:
    """The measures behind a list of metrics."""

    measures: Mapping[str, tuple[StoredMeasure, ...]]
    texts: Mapping[str, tuple[str, ...]]
    lacking: tuple[str, ...]


class SystemDefiner:
    """Resolves names against one model; what many definitions share is worked out once."""

    def __init__(self, model_id: str, model: SemanticModel, paths: JoinPaths) -> None:
        self._model_id, self._model, self._paths = model_id, model, paths
        self._base = BaseMetrics(model)
        self._by_metrics: dict[tuple[str, ...], _Metrics] = {}
        self._reached: dict[str, Mapping[GrainAttribute, BoundAttribute]] = {}
        self._attributes: dict[tuple[str, str, str], GrainAttribute] = {}
        self._keys: dict[GrainAttribute, str] = {}
        self._row_counts: dict[str, str] = {}

    def attribute(self, dimension: str, template: str, name: str) -> GrainAttribute:
        """The attribute of these names, the same object each time."""
        place = (dimension, template, name)
        found = self._attributes.get(place)
        if found is None:
            found = self._attributes[place] = GrainAttribute(Role(dimension, template), name)
            self._keys[found] = grain_key(found)
        return found

    def resolve(self, meaning: NamedMeaning) -> ResolvedMeaning | tuple[str, ...]:
        """What the names mean here, or everything that the model lacks, one by one, with near names.

        Args:
            meaning: its attributes are made by `attribute`.
        """
        metrics = self._by_metrics.get(meaning.metrics) or self._resolve_metrics(meaning.metrics)
        lacking = [*metrics.lacking, *self._lacking_facts(meaning, metrics)]
        for fact in meaning.facts if not lacking else ():
            reached = self._attributes_of(fact)
            lacking += [self._unreached(fact, one) for one in meaning.attributes if one not in reached]
        if lacking:
            return tuple(dict.fromkeys(lacking))
        texts: list[str] = []
        for fact in meaning.facts:
            texts += metrics.texts.get(fact) or (self._row_count(fact),)
        keys = {self._keys[one] for one in meaning.attributes}
        return ResolvedMeaning(fingerprint_of(self._model_id, keys, texts), meaning, metrics.measures)

    def define(
        self, resolved: ResolvedMeaning, *, name: str, label: str, origin: DefinitionOrigin
    ) -> AggregateDefinition:
        """The definition, with this model's join paths."""
        meaning = resolved.meaning
        unique = tuple(dict.fromkeys(meaning.attributes))
        return AggregateDefinition(
            model_id=self._model_id,
            name=name,
            label=label,
            origin=origin,
            metrics=meaning.metrics,
            parts=tuple(
                FactPart(
                    fact=fact,
                    attributes=tuple([self._reached[fact][one] for one in unique]),
                    measures=resolved.measures.get(fact) or (row_count(fact),),
                )
                for fact in meaning.facts
            ),
            composite=self._model.is_composite,
        )

    def _resolve_metrics(self, names: tuple[str, ...]) -> _Metrics:
        found: dict[str, set[StoredMeasure]] = {}
        lacking: list[str] = []
        known = (*self._model.metrics, *self._model.calculations)
        for name in names:
            bases, missing, cycles = self._base.of(name)
            lacking += [_lacks("metric", one, known) for one in missing]
            lacking += [f"metric `{one}`, which refers to itself" for one in cycles]
            for base in bases:
                metric = self._model.metrics[base]
                if metric.is_semi_additive:
                    lacking.append(f"a way to store the semi-additive metric `{base}`")
                    continue
                pieces = stored_measures(metric.calculation_method, metric.dataset, metric.column)
                found.setdefault(metric.dataset, {row_count(metric.dataset)}).update(pieces)
        measures = {fact: tuple(sorted(pieces)) for fact, pieces in found.items()}
        texts = {fact: tuple(map(str, pieces)) for fact, pieces in measures.items()}
        made = self._by_metrics[names] = _Metrics(measures, texts, tuple(lacking))
        return made

    def _lacking_facts(self, meaning: NamedMeaning, metrics: _Metrics) -> list[str]:
        lacking = []
        for fact in meaning.facts:
            dataset = self._model.datasets.get(fact)
            if dataset is None:
                lacking.append(_lacks("dataset", fact, self._model.datasets))
            elif not dataset.allow_aggregates:
                lacking.append(f"permission to aggregate dataset `{fact}` (`allow_aggregates: false`)")
        for fact in metrics.measures:
            if fact not in meaning.facts:
                asked = ", ".join(f"`{name}`" for name in meaning.metrics)
                lacking.append(f"metrics {asked} on {', '.join(meaning.facts)} alone: they need dataset `{fact}` as well")
        return lacking

    def _attributes_of(self, fact: str) -> Mapping[GrainAttribute, BoundAttribute]:
        found = self._reached.get(fact)
        if found is None:
            found = self._reached[fact] = self._paths.attributes_of(fact)
        return found

    def _row_count(self, fact: str) -> str:
        found = self._row_counts.get(fact)
        if found is None:
            found = self._row_counts[fact] = str(row_count(fact))
        return found

    def _unreached(self, fact: str, attribute: GrainAttribute) -> str:
        """The attribute, with where to look: no such dimension, no such attribute, or no such role for this fact."""
        dimension = self._model.dimensions.get(attribute.role.dimension)
        if dimension is None:
            return _lacks("dimension", attribute.role.dimension, self._model.dimensions)
        if attribute.name not in dimension.attributes:
            return _lacks(f"attribute of dimension `{dimension.name}`", attribute.name, dimension.attributes)
        roles = self._paths.roles_of(fact, dimension.name, attribute.name)
        near = ", ".join(f"`{role.query_name(attribute.name)}`" for role in roles)
        there = f", which has {near}" if near else ""
        return f"attribute `{attribute.query_name}` of dimension `{dimension.name}` for dataset `{fact}`{there}"


def _lacks(kind: str, name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    near = near_names(name, known)
    return f"{kind} `{name}`" + (f" (near: {', '.join(f'`{one}`' for one in near)})" if near else "")
