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
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

AttributeNames = tuple[str, str, str]
"""Dimension, role-play template, attribute."""


@dataclass(frozen=True, slots=True)
class NamedMeaning:
    """What is to be aggregated, by name.

    Attributes:
        facts: fact datasets, sorted; for a dimension-only aggregate the dimension's own dataset.
        attributes: the grain in order, each once.
        metrics: metrics and calculations, in order; empty: row counts only.
    """

    facts: tuple[str, ...]
    attributes: tuple[AttributeNames, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResolvedMeaning:
    """What names mean in a model: enough to know the definition's identity."""

    fingerprint: str
    meaning: NamedMeaning
    measures: Mapping[str, tuple[StoredMeasure, ...]]


@dataclass(frozen=True, slots=True)
class _Metrics:
    """The measures behind metrics, by fact, with their texts, and what the model lacks."""

    measures: Mapping[str, tuple[StoredMeasure, ...]]
    texts: Mapping[str, tuple[str, ...]]
    lacking: tuple[str, ...]


class SystemDefiner:
    """Resolves names against one model; what many definitions share is worked out once."""

    def __init__(self, model_id: str, model: SemanticModel, paths: JoinPaths) -> None:
        self._model_id, self._model, self._paths = model_id, model, paths
        self._base = BaseMetrics(model)
        self._by_metric: dict[str, _Metrics] = {}
        self._by_metrics: dict[tuple[str, ...], _Metrics] = {}
        self._reached: dict[str, dict[AttributeNames, tuple[str, BoundAttribute]]] = {}

    def resolve(self, meaning: NamedMeaning) -> ResolvedMeaning | tuple[str, ...]:
        """What the names mean here, or everything that the model lacks, one by one, with near names."""
        metrics = self._by_metrics.get(meaning.metrics) or self._resolve_metrics(meaning.metrics)
        keys: set[str] = set()
        texts: list[str] = []
        lacking = [*metrics.lacking, *self._lacking_facts(meaning, metrics)]
        for fact in meaning.facts if not lacking else ():
            reached = self._reached_by(fact)
            try:
                keys.update([reached[one][0] for one in meaning.attributes])
            except KeyError:
                lacking += [self._unreached(fact, one) for one in meaning.attributes if one not in reached]
            texts += metrics.texts.get(fact) or (str(row_count(fact)),)
        if lacking:
            return tuple(dict.fromkeys(lacking))
        return ResolvedMeaning(fingerprint_of(self._model_id, keys, texts), meaning, metrics.measures)

    def define(
        self, resolved: ResolvedMeaning, *, name: str, label: str, origin: DefinitionOrigin
    ) -> AggregateDefinition:
        """The definition, with this model's join paths."""
        meaning = resolved.meaning
        return AggregateDefinition(
            model_id=self._model_id,
            name=name,
            label=label,
            origin=origin,
            metrics=meaning.metrics,
            parts=tuple(
                [
                    FactPart(
                        fact=fact,
                        attributes=tuple([self._reached[fact][one][1] for one in meaning.attributes]),
                        measures=resolved.measures.get(fact) or (row_count(fact),),
                    )
                    for fact in meaning.facts
                ]
            ),
            composite=self._model.is_composite,
        )

    def _reached_by(self, fact: str) -> Mapping[AttributeNames, tuple[str, BoundAttribute]]:
        found = self._reached.get(fact)
        if found is None:
            found = self._reached[fact] = {
                (one.role.dimension, one.role.template, one.name): (grain_key(one), bound)
                for one, bound in self._paths.attributes_of(fact).items()
            }
        return found

    def _resolve_metrics(self, names: tuple[str, ...]) -> _Metrics:
        found: dict[str, set[StoredMeasure]] = {}
        lacking: list[str] = []
        for name in names:
            one = self._by_metric.get(name) or self._resolve_metric(name)
            lacking += one.lacking
            for fact, pieces in one.measures.items():
                found.setdefault(fact, set()).update(pieces)
        made = self._by_metrics[names] = _sorted(found, lacking)
        return made

    def _resolve_metric(self, name: str) -> _Metrics:
        found: dict[str, set[StoredMeasure]] = {}
        bases, missing, cycles = self._base.of(name)
        known = (*self._model.metrics, *self._model.calculations)
        lacking = [_lacks("metric", one, known) for one in missing]
        lacking += [f"metric `{one}`, which refers to itself" for one in cycles]
        for base in bases:
            metric = self._model.metrics[base]
            if metric.is_semi_additive:
                lacking.append(f"a way to store the semi-additive metric `{base}`")
                continue
            pieces = stored_measures(metric.calculation_method, metric.dataset, metric.column)
            found.setdefault(metric.dataset, {row_count(metric.dataset)}).update(pieces)
        made = self._by_metric[name] = _sorted(found, lacking)
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
                lacking.append(
                    f"metrics {asked} on {', '.join(meaning.facts)} alone: they need dataset `{fact}` as well"
                )
        return lacking

    def _unreached(self, fact: str, names: AttributeNames) -> str:
        """The attribute, with where to look: no such dimension, no such attribute, or no such role for this fact."""
        of, template, name = names
        dimension = self._model.dimensions.get(of)
        if dimension is None:
            return _lacks("dimension", of, self._model.dimensions)
        if name not in dimension.attributes:
            return _lacks(f"attribute of dimension `{of}`", name, dimension.attributes)
        near = ", ".join(f"`{role.query_name(name)}`" for role in self._paths.roles_of(fact, of, name))
        there = f", which has {near}" if near else ""
        return f"attribute `{Role(of, template).query_name(name)}` of dimension `{of}` for dataset `{fact}`{there}"


def _sorted(found: Mapping[str, set[StoredMeasure]], lacking: Sequence[str]) -> _Metrics:
    measures = {fact: tuple(sorted(pieces)) for fact, pieces in found.items()}
    texts = {fact: tuple(map(str, pieces)) for fact, pieces in measures.items()}
    return _Metrics(measures, texts, tuple(lacking))


def _lacks(kind: str, name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    near = near_names(name, known)
    return f"{kind} `{name}`" + (f" (near: {', '.join(f'`{one}`' for one in near)})" if near else "")
