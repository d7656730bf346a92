"""Turns the user-defined aggregates of a model into definitions, or into issues that say why that is not possible.

A definition whose metrics live on several facts becomes one part per fact; every part has the whole grain.

Source: SML reference, ``aggregates``; AtScale, "Defining Aggregates Yourself".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    FactPart,
    PartitionHint,
    model_id,
)
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count, stored_measures
from airflow_atscale_aggs.engine.errors import near_names
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import DeclaredAggregate, DeclaredAttribute, SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList


def define_user_aggregates(
    model: SemanticModel, paths: JoinPaths, issues: IssueList
) -> tuple[AggregateDefinition, ...]:
    """The definitions of all user-defined aggregates of a model, in the model's order.

    What cannot be resolved becomes an error in ``issues``; of two aggregates with one meaning the first is kept.
    """
    definer = _Definer(model, paths, issues)
    by_fingerprint: dict[str, AggregateDefinition] = {}
    names: set[str] = set()
    for declared in model.aggregates:
        if declared.name.casefold() in names:
            issues.error(declared.where, "duplicate-name", f"aggregate `{declared.name}` is defined twice in the model")
            continue
        names.add(declared.name.casefold())
        definition = definer.define(declared)
        if definition is None:
            continue
        first = by_fingerprint.get(definition.fingerprint)
        if first is not None:
            message = f"aggregate `{declared.name}` means the same as `{first.name}`, which is kept"
            issues.warning(declared.where, "duplicate-meaning", message)
            continue
        by_fingerprint[definition.fingerprint] = definition
    _warn_of_broken_calculations(model, issues)
    return tuple(by_fingerprint.values())


def _warn_of_broken_calculations(model: SemanticModel, issues: IssueList) -> None:
    """Warn of broken calculations that no aggregate needs. They do not stop the deployment."""
    base = BaseMetrics(model)
    selectable = (*model.metrics, *model.calculations)
    for name, calculation in model.calculations.items():
        _, missing, cycles = base.of(name)
        for other in missing:
            who = f"calculation `{name}`"
            issues.add_unresolved_reference(
                calculation.where, "metric", other, selectable, is_needed=False, wanted_by=who
            )
        if name in cycles:
            issues.error(calculation.where, "calculation-cycle", f"calculation `{name}` refers to itself")


class _Definer:
    """Resolves the aggregates of one model."""

    def __init__(self, model: SemanticModel, paths: JoinPaths, issues: IssueList) -> None:
        self._model, self._paths, self._issues = model, paths, issues
        self._base = BaseMetrics(model)
        self._model_id = model_id(model.catalog, model.name)
        self._roles = {
            relationship.name: Role(relationship.dimension, relationship.template)
            for relationship in model.relationships
        }

    def define(self, declared: DeclaredAggregate) -> AggregateDefinition | None:
        """The definition, or None after noting why not."""
        measures = self._measures(declared)
        if measures is None:
            return None
        fact_datasets = tuple(sorted(measures)) or self._dimension_dataset(declared)
        if fact_datasets is None or not self._can_aggregate(declared, fact_datasets):
            return None
        attributes = [self._attribute(declared, wanted, fact_datasets) for wanted in declared.attributes]
        resolved = [attribute for attribute in attributes if attribute is not None]
        if len(resolved) < len(attributes):
            return None
        unique = tuple(dict.fromkeys(resolved))
        return AggregateDefinition(
            model_id=self._model_id,
            name=declared.name,
            label=declared.label,
            origin=DefinitionOrigin.USER_DEFINED,
            metrics=declared.metrics,
            parts=tuple(
                FactPart(
                    fact=fact,
                    attributes=tuple(self._paths.attributes_of(fact)[attribute] for attribute in unique),
                    measures=tuple(sorted({row_count(fact), *measures.get(fact, ())})),
                )
                for fact in fact_datasets
            ),
            partitions=tuple(
                PartitionHint(attribute=attribute, by=wanted.partition)
                for wanted, attribute in zip(declared.attributes, resolved, strict=True)
                if wanted.partition
            ),
            composite=self._model.is_composite,
            where=declared.where,
        )

    def _measures(self, declared: DeclaredAggregate) -> Mapping[str, set[StoredMeasure]] | None:
        """Stored measures by fact; None when a metric cannot be stored."""
        by_dataset: dict[str, set[StoredMeasure]] = {}
        is_sound = True
        for name in declared.metrics:
            bases, missing, cycles = self._base.of(name)
            for other in (*missing, *cycles):
                selectable = (*self._model.metrics, *self._model.calculations)
                who = f"aggregate `{declared.name}`" + ("" if other == name else f" through `{name}`")
                self._issues.add_unresolved_reference(declared.where, "metric", other, selectable, wanted_by=who)
                is_sound = False
            for base in bases:
                metric = self._model.metrics[base]
                if metric.is_semi_additive:
                    message = (
                        f"aggregate `{declared.name}` asks for the semi-additive metric `{base}`, which user-defined "
                        "aggregates cannot store; remove it"
                    )
                    self._issues.error(declared.where, "semi-additive", message)
                    is_sound = False
                    continue
                pieces = stored_measures(metric.calculation_method, metric.dataset, metric.column)
                by_dataset.setdefault(metric.dataset, set()).update(pieces)
        return by_dataset if is_sound else None

    def _can_aggregate(self, declared: DeclaredAggregate, fact_datasets: Iterable[str]) -> bool:
        """Whether all datasets may be aggregated: they exist, and none has ``allow_aggregates: false``."""
        for fact in fact_datasets:
            dataset = self._model.datasets.get(fact)
            if dataset is None:
                return False
            if not dataset.allow_aggregates:
                message = f"aggregate `{declared.name}` is left out: dataset `{fact}` has `allow_aggregates: false`"
                self._issues.warning(declared.where, "aggregates-not-allowed", message)
                return False
        return True

    def _dimension_dataset(self, declared: DeclaredAggregate) -> tuple[str, ...] | None:
        """The dataset whose rows an aggregate without metrics counts: the finest one of its only dimension."""
        dimensions = sorted({attribute.dimension for attribute in declared.attributes})
        if len(dimensions) != 1 or dimensions[0] not in self._model.dimensions:
            message = (
                f"aggregate `{declared.name}` has no metrics and attributes of {len(dimensions)} dimensions; add a "
                "metric "
                "of the fact that links them, or name attributes of one dimension"
            )
            self._issues.error(declared.where, "no-metrics", message)
            return None
        dimension = self._model.dimensions[dimensions[0]]
        for hierarchy in dimension.hierarchies:
            leaf = dimension.attributes.get(hierarchy.levels[-1]) if hierarchy.levels else None
            if leaf is not None and leaf.dataset:
                reached = self._paths.attributes_of(leaf.dataset)
                wanted = {GrainAttribute(Role(dimension.name), attribute.name) for attribute in declared.attributes}
                if wanted <= reached.keys():
                    return (leaf.dataset,)
        message = f"aggregate `{declared.name}`: no dataset of dimension `{dimension.name}` reaches all its attributes"
        self._issues.error(declared.where, "unreachable-attribute", message)
        return None

    def _attribute(
        self, declared: DeclaredAggregate, wanted: DeclaredAttribute, fact_datasets: tuple[str, ...]
    ) -> GrainAttribute | None:
        who, where = f"aggregate `{declared.name}`", declared.where
        if wanted.row_security:
            message = f"{who} names row security `{wanted.row_security}`; name the secured attribute instead"
            self._issues.error(where, "row-security-attribute", message)
            return None
        dimension = self._model.dimensions.get(wanted.dimension)
        if dimension is None:
            self._issues.add_unresolved_reference(
                where, "dimension", wanted.dimension, self._model.dimensions, wanted_by=who
            )
            return None
        if wanted.name not in dimension.attributes:
            kind = f"attribute of dimension `{dimension.name}`"
            self._issues.add_unresolved_reference(where, kind, wanted.name, dimension.attributes, wanted_by=who)
            return None
        return self._in_role(declared, wanted, fact_datasets)

    def _in_role(
        self, declared: DeclaredAggregate, wanted: DeclaredAttribute, fact_datasets: tuple[str, ...]
    ) -> GrainAttribute | None:
        """The attribute in the one role that every fact has it in and that the path, if any, names."""
        by_fact = {fact: self._paths.roles_of(fact, wanted.dimension, wanted.name) for fact in fact_datasets}
        for fact, roles in by_fact.items():
            if not roles:
                self._note_unreachable(declared, wanted, fact)
                return None
        common = set.intersection(*(set(roles) for roles in by_fact.values()))
        role = self._named_role(declared, wanted)
        plain = Role(wanted.dimension)
        chosen = role if role in common else plain if role is None and plain in common else None
        if chosen is None and len(common) == 1:
            chosen = next(iter(common))
        if chosen is not None:
            return GrainAttribute(chosen, wanted.name)
        names = sorted(role.query_name(wanted.name) for role in common) or sorted(
            f"{role.query_name(wanted.name)} ({fact})" for fact, roles in by_fact.items() for role in roles
        )
        message = (
            f"aggregate `{declared.name}` does not say in which role it wants `{wanted.name}`: "
            f"{', '.join(f'`{name}`' for name in names)}. Name the role's relationship in `relationships_path`."
        )
        self._issues.error(declared.where, "ambiguous-role", message)
        return None

    def _named_role(self, declared: DeclaredAggregate, wanted: DeclaredAttribute) -> Role | None:
        """The role that a path of relationship names leads to; None without a path."""
        role: Role | None = None
        for name in wanted.path:
            if name in self._roles:
                role = self._roles[name]
                continue
            edge = next(
                (
                    relationship
                    for dimension in self._model.dimensions.values()
                    for relationship in dimension.relationships
                    if relationship.name == name and (role is None or dimension.name == role.dimension)
                ),
                None,
            )
            if edge is None:
                names = (*self._roles, *(e.name for d in self._model.dimensions.values() for e in d.relationships))
                who = f"aggregate `{declared.name}`"
                self._issues.add_unresolved_reference(
                    declared.where, "relationship", name, names, is_needed=False, wanted_by=who
                )
            else:
                role = role.embed(edge.dimension, edge.template) if role else Role(edge.dimension, edge.template)
        return role

    def _note_unreachable(self, declared: DeclaredAggregate, wanted: DeclaredAttribute, fact: str) -> None:
        reached: Mapping[GrainAttribute, BoundAttribute] = self._paths.attributes_of(fact)
        near = near_names(wanted.name, {attribute.name for attribute in reached})
        hint = f" Near names that it reaches: {', '.join(f'`{name}`' for name in near)}." if near else ""
        message = (
            f"aggregate `{declared.name}` wants `{wanted.name}` of dimension `{wanted.dimension}` with metrics of "
            f"`{fact}`, but no relationship leads from there to it.{hint}"
        )
        self._issues.error(declared.where, "unreachable-attribute", message)
