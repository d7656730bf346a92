"""Resolves system-defined definitions, which are given by names, against the model that is deployed here.

Only names are taken from a file. Join paths, columns and tables come from the deployed model. So a definition has the
same meaning on every system, even if the tables have other names there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    FactPart,
    fingerprint_with,
    grain_key,
    measures_text,
)
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count, stored_measures
from airflow_atscale_aggs.engine.errors import near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

AttributeNames = tuple[str, str, str]
"""Dimension, role-play template, attribute."""


class NamedMeaning(msgspec.Struct, frozen=True, gc=False):
    """What is to be aggregated, by name.

    Attributes:
        facts: fact datasets, sorted; for a dimension-only aggregate the dimension's own dataset.
        attributes: the grain in order, each once.
        metrics: metrics and calculations, in order; empty: row counts only.
    """

    facts: tuple[str, ...]
    attributes: tuple[AttributeNames, ...]
    metrics: tuple[str, ...]


class ResolvedMeaning(msgspec.Struct, frozen=True, gc=False):
    """What names mean in a model. This is enough to know the definition's identity."""

    fingerprint: str
    meaning: NamedMeaning
    measures: Mapping[str, tuple[StoredMeasure, ...]]


_Pieces = dict[tuple[str, str, str], StoredMeasure]
"""Measures by their sort keys. Comparing measures field by field would take ten times as long."""


@dataclass(frozen=True, slots=True)
class _Metrics:
    """The measures behind a metric, by fact, and what the model lacks."""

    pieces: Mapping[str, _Pieces]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all definitions of some facts and metrics have in common.

    ``key`` is the fingerprint without the grain.
    """

    measures: Mapping[str, tuple[StoredMeasure, ...]]
    key: str
    lacking: tuple[str, ...]


class SystemDefiner:
    """Resolves names against one model. Results that many definitions share are computed once."""

    def __init__(self, model_id: str, model: SemanticModel, paths: JoinPaths) -> None:
        self._model_id, self._model, self._paths = model_id, model, paths
        self._base = BaseMetrics(model)
        self._by_metric: dict[str, _Metrics] = {}
        self._shared: dict[tuple[tuple[str, ...], tuple[str, ...]], _Shared] = {}
        self._reached: dict[str, dict[AttributeNames, tuple[str, BoundAttribute]]] = {}

    def resolve(self, meaning: NamedMeaning) -> ResolvedMeaning | tuple[str, ...]:
        """What the names mean here, or everything that the model lacks, one by one, with near names."""
        place = (meaning.facts, meaning.metrics)
        shared = self._shared.get(place)
        if shared is None:
            shared = self._shared[place] = self._share(*place)
        if shared.lacking:
            return shared.lacking
        keys: list[str] = []
        lacking: list[str] = []
        for fact in meaning.facts:
            reached = self._reached_by(fact)
            try:
                # The keys are the same for each fact, so the keys of the last fact serve for all.
                keys = [reached[names][0] for names in meaning.attributes]
            except KeyError:
                lacking += [
                    self._describe_missing_attribute(fact, names)
                    for names in meaning.attributes
                    if names not in reached
                ]
        if lacking:
            return tuple(dict.fromkeys(lacking))
        return ResolvedMeaning(fingerprint_with(self._model_id, keys, shared.key), meaning, shared.measures)

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
                        attributes=tuple([self._reached[fact][names][1] for names in meaning.attributes]),
                        measures=resolved.measures[fact],
                    )
                    for fact in meaning.facts
                ]
            ),
            composite=self._model.is_composite,
        )

    def _reached_by(self, fact: str) -> Mapping[AttributeNames, tuple[str, BoundAttribute]]:
        by_names = self._reached.get(fact)
        if by_names is None:
            by_names = self._reached[fact] = {
                (attribute.role.dimension, attribute.role.template, attribute.name): (grain_key(attribute), bound)
                for attribute, bound in self._paths.attributes_of(fact).items()
            }
        return by_names

    def _share(self, fact_names: tuple[str, ...], metrics: tuple[str, ...]) -> _Shared:
        pieces: dict[str, _Pieces] = {}
        lacking: list[str] = []
        for name in metrics:
            resolved = self._by_metric.get(name) or self._resolve_metric(name)
            lacking += resolved.lacking
            for fact, measures_by_key in resolved.pieces.items():
                pieces.setdefault(fact, {}).update(measures_by_key)
        lacking += self._lacking_facts(fact_names, metrics, pieces)
        measures = {
            fact: tuple([pieces[fact][key] for key in sorted(pieces[fact])]) if fact in pieces else (row_count(fact),)
            for fact in fact_names
        }
        key = measures_text(str(measure) for by_key in measures.values() for measure in by_key)
        return _Shared(measures, key, tuple(dict.fromkeys(lacking)))

    def _resolve_metric(self, name: str) -> _Metrics:
        pieces: dict[str, _Pieces] = {}
        bases, missing, cycles = self._base.of(name)
        selectable = (*self._model.metrics, *self._model.calculations)
        lacking = [_describe_lack("metric", name_missing, selectable) for name_missing in missing]
        lacking += [f"metric `{calculation}`, which refers to itself" for calculation in cycles]
        for base in bases:
            metric = self._model.metrics[base]
            if metric.is_semi_additive:
                lacking.append(f"a way to store the semi-additive metric `{base}`")
                continue
            stored = stored_measures(metric.calculation_method, metric.dataset, metric.column)
            for measure in (row_count(metric.dataset), *stored):
                pieces.setdefault(metric.dataset, {})[measure.function, measure.dataset, measure.column] = measure
        resolved_metric = self._by_metric[name] = _Metrics(pieces, tuple(lacking))
        return resolved_metric

    def _lacking_facts(self, fact_names: Sequence[str], metrics: Sequence[str], needed: Iterable[str]) -> list[str]:
        lacking = []
        for fact in fact_names:
            dataset = self._model.datasets.get(fact)
            if dataset is None:
                lacking.append(_describe_lack("dataset", fact, self._model.datasets))
            elif not dataset.allow_aggregates:
                lacking.append(f"permission to aggregate dataset `{fact}` (`allow_aggregates: false`)")
        asked = ", ".join(f"`{name}`" for name in metrics)
        lacking += [
            f"metrics {asked} on {', '.join(fact_names)} alone: they need dataset `{fact}` as well"
            for fact in needed
            if fact not in fact_names
        ]
        return lacking

    def _describe_missing_attribute(self, fact: str, names: AttributeNames) -> str:
        """The attribute, with where to look: no such dimension, no such attribute, or no such role for this fact."""
        of, template, name = names
        dimension = self._model.dimensions.get(of)
        if dimension is None:
            return _describe_lack("dimension", of, self._model.dimensions)
        if name not in dimension.attributes:
            return _describe_lack("attribute", name, dimension.attributes, f" of dimension `{of}`")
        near = ", ".join(f"`{role.query_name(name)}`" for role in self._paths.roles_of(fact, of, name))
        there = f", which has {near}" if near else ""
        return f"attribute `{Role(of, template).query_name(name)}` of dimension `{of}` for dataset `{fact}`{there}"


def _describe_lack(kind: str, name: str, candidates: Mapping[str, object] | Sequence[str], where: str = "") -> str:
    near = near_names(name, candidates)
    return f"{kind} `{name}`{where}" + (f" (near: {', '.join(f'`{candidate}`' for candidate in near)})" if near else "")
