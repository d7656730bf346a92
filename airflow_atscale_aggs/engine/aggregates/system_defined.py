"""From names to meaning: definitions that no person made, resolved against the model as it is deployed here.

Names are all that is taken from outside. Join paths, columns and tables are the deployed model's own, so the same definition
means the same on another system, whatever its tables are called there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    """What names mean in a model: enough to know the definition's identity."""

    fingerprint: str
    meaning: NamedMeaning
    measures: Mapping[str, tuple[StoredMeasure, ...]]


_Pieces = dict[tuple[str, str, str], StoredMeasure]
"""Measures by what they are sorted by: comparing them field by field takes ten times as long."""


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
    """Resolves names against one model; what many definitions share is worked out once."""

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
                # The same attributes for each fact, so that the last ones are as good as the first.
                keys = [reached[one][0] for one in meaning.attributes]
            except KeyError:
                lacking += [self._unreached(fact, one) for one in meaning.attributes if one not in reached]
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
                        attributes=tuple([self._reached[fact][one][1] for one in meaning.attributes]),
                        measures=resolved.measures[fact],
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

    def _share(self, facts: tuple[str, ...], metrics: tuple[str, ...]) -> _Shared:
        pieces: dict[str, _Pieces] = {}
        lacking: list[str] = []
        for name in metrics:
            one = self._by_metric.get(name) or self._resolve_metric(name)
            lacking += one.lacking
            for fact, found in one.pieces.items():
                pieces.setdefault(fact, {}).update(found)
        lacking += self._lacking_facts(facts, metrics, pieces)
        measures = {
            fact: tuple([pieces[fact][key] for key in sorted(pieces[fact])]) if fact in pieces else (row_count(fact),)
            for fact in facts
        }
        key = measures_text(str(measure) for found in measures.values() for measure in found)
        return _Shared(measures, key, tuple(dict.fromkeys(lacking)))

    def _resolve_metric(self, name: str) -> _Metrics:
        pieces: dict[str, _Pieces] = {}
        bases, missing, cycles = self._base.of(name)
        known = (*self._model.metrics, *self._model.calculations)
        lacking = [_lacks("metric", one, known) for one in missing]
        lacking += [f"metric `{one}`, which refers to itself" for one in cycles]
        for base in bases:
            metric = self._model.metrics[base]
            if metric.is_semi_additive:
                lacking.append(f"a way to store the semi-additive metric `{base}`")
                continue
            stored = stored_measures(metric.calculation_method, metric.dataset, metric.column)
            for one in (row_count(metric.dataset), *stored):
                pieces.setdefault(metric.dataset, {})[one.function, one.dataset, one.column] = one
        made = self._by_metric[name] = _Metrics(pieces, tuple(lacking))
        return made

    def _lacking_facts(self, facts: Sequence[str], metrics: Sequence[str], needed: Iterable[str]) -> list[str]:
        lacking = []
        for fact in facts:
            dataset = self._model.datasets.get(fact)
            if dataset is None:
                lacking.append(_lacks("dataset", fact, self._model.datasets))
            elif not dataset.allow_aggregates:
                lacking.append(f"permission to aggregate dataset `{fact}` (`allow_aggregates: false`)")
        asked = ", ".join(f"`{name}`" for name in metrics)
        lacking += [
            f"metrics {asked} on {', '.join(facts)} alone: they need dataset `{fact}` as well"
            for fact in needed
            if fact not in facts
        ]
        return lacking

    def _unreached(self, fact: str, names: AttributeNames) -> str:
        """The attribute, with where to look: no such dimension, no such attribute, or no such role for this fact."""
        of, template, name = names
        dimension = self._model.dimensions.get(of)
        if dimension is None:
            return _lacks("dimension", of, self._model.dimensions)
        if name not in dimension.attributes:
            return _lacks("attribute", name, dimension.attributes, f" of dimension `{of}`")
        near = ", ".join(f"`{role.query_name(name)}`" for role in self._paths.roles_of(fact, of, name))
        there = f", which has {near}" if near else ""
        return f"attribute `{Role(of, template).query_name(name)}` of dimension `{of}` for dataset `{fact}`{there}"


def _lacks(kind: str, name: str, known: Mapping[str, object] | Sequence[str], where: str = "") -> str:
    near = near_names(name, known)
    return f"{kind} `{name}`{where}" + (f" (near: {', '.join(f'`{one}`' for one in near)})" if near else "")
