"""Finds the join paths from each fact dataset to attributes. Equal roles share joins; the shortest path wins.

    fact ── relationship (role) ──▶ level of a dimension
                                      ├─ the level and all coarser ones, in the hierarchies that hold it
                                      ├─ snowflake: other datasets of the same dimension
                                      └─ embedded: other dimensions, roles nested inner first

Source: SML reference: relationships, role play, m2m; DESIGN "Roles".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.model.semantic_model import (
    Attribute,
    Dimension,
    DimensionRelationship,
    Hierarchy,
    SemanticModel,
)

_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class _Entry:
    """A level of a dimension that a path has reached: the role, and the joins that lead to the foreign key."""

    role: Role
    level: str
    from_dataset: str
    from_columns: tuple[str, ...]
    steps: tuple[JoinStep, ...]


class JoinPaths:
    """The attributes that the fact datasets of one model reach. The paths of each fact are computed once."""

    def __init__(self, model: SemanticModel) -> None:
        self._model = model
        self._by_fact: dict[str, dict[GrainAttribute, BoundAttribute]] = {}
        self._by_attribute: dict[GrainAttribute, BoundAttribute] | None = None
        self._roles_by_fact: dict[str, dict[tuple[str, str], tuple[Role, ...]]] = {}
        self._join_rules: dict[tuple[str, str], str] = {}
        self._determined: dict[tuple[str, str], frozenset[str]] = {}

    def attributes_of(self, fact: str) -> Mapping[GrainAttribute, BoundAttribute]:
        """Every attribute that rows of a dataset reach, by role and name.

        Where several paths lead to one attribute of one role, the shortest wins, then the order of the relationships.
        """
        if fact not in self._by_fact:
            by_attribute: dict[GrainAttribute, BoundAttribute] = {}
            for bound in self._walk(fact):
                shorter = by_attribute.get(bound.attribute)
                if shorter is None or len(bound.steps) < len(shorter.steps):
                    by_attribute[bound.attribute] = bound
            self._by_fact[fact] = by_attribute
        return self._by_fact[fact]

    def of_some_fact(self, attribute: GrainAttribute) -> BoundAttribute | None:
        """An attribute as the first of the model's facts reaches it; None when none does."""
        if self._by_attribute is None:
            by_attribute: dict[GrainAttribute, BoundAttribute] = {}
            for fact in reversed(self._model.fact_datasets):
                by_attribute |= self.attributes_of(fact)
            # Assigned when it is whole: threads that plan queries share the paths.
            self._by_attribute = by_attribute
        return self._by_attribute.get(attribute)

    def roles_of(self, fact: str, dimension: str, attribute: str) -> tuple[Role, ...]:
        """The roles in which a fact reaches an attribute, sorted."""
        if fact not in self._roles_by_fact:
            by_name: dict[tuple[str, str], list[Role]] = {}
            for reached in self.attributes_of(fact):
                by_name.setdefault((reached.role.dimension, reached.name), []).append(reached.role)
            self._roles_by_fact[fact] = {name: tuple(sorted(roles)) for name, roles in by_name.items()}
        return self._roles_by_fact[fact].get((dimension, attribute), ())

    def _walk(self, fact: str) -> Iterable[BoundAttribute]:
        for name in self._model.degenerate_dimensions:
            yield from self._degenerate(self._model.dimensions[name], fact)
        for relationship in self._model.relationships:
            if relationship.from_dataset == fact:
                role = Role(relationship.dimension, relationship.template)
                yield from self._explore(_Entry(role, relationship.level, fact, relationship.from_columns, ()), ())
        yield from self._own_dimensions(fact)

    def _degenerate(self, dimension: Dimension, fact: str) -> Iterable[BoundAttribute]:
        for attribute in dimension.attributes.values():
            here = next((columns for columns in attribute.shared if columns.dataset == fact), None)
            if here is not None:
                attribute = replace(  # noqa: PLW2901 - the same attribute, as this fact has it
                    attribute, dataset=fact, key_columns=here.key_columns, name_column=here.name_column
                )
            if attribute.dataset == fact:
                yield self._bound(Role(dimension.name), dimension, attribute, ())

    def _own_dimensions(self, fact: str) -> Iterable[BoundAttribute]:
        """The attributes that a dimension's dataset reaches in its own dimension.

        Dimension-only aggregates and metrical attributes need them.
        """
        for dimension in self._model.dimensions.values():
            leaves = dict.fromkeys(hierarchy.levels[-1] for hierarchy in dimension.hierarchies if hierarchy.levels)
            for leaf in leaves:
                attribute = dimension.attributes.get(leaf)
                if attribute is not None and attribute.dataset == fact and not dimension.is_degenerate:
                    yield from self._explore(_Entry(Role(dimension.name), leaf, fact, attribute.key_columns, ()), ())

    def _explore(self, entry: _Entry, above: tuple[str, ...]) -> Iterable[BoundAttribute]:
        """Everything reached from an arrival at a level."""
        dimension = self._model.dimensions.get(entry.role.dimension)
        target = dimension.attributes.get(entry.level) if dimension else None
        if dimension is None or target is None or not target.dataset or len(above) > _DEEPEST:
            return
        levels = _levels_from(dimension, entry.level)
        reached = _datasets_from(dimension, target, self._arrive(entry, dimension, target))
        for attribute in dimension.attributes.values():
            if attribute.level in levels and attribute.dataset in reached:
                yield self._bound(entry.role, dimension, attribute, reached[attribute.dataset])
        for edge in dimension.relationships:
            is_open = not edge.from_level or edge.from_level in levels
            if edge.kind == "embedded" and is_open and edge.from_dataset in reached and edge.dimension not in above:
                yield from self._explore(
                    _Entry(
                        role=entry.role.embed(edge.dimension, edge.template),
                        level=edge.level,
                        from_dataset=edge.from_dataset,
                        from_columns=edge.from_columns,
                        steps=_as_bridge(reached[edge.from_dataset], edge),
                    ),
                    (*above, dimension.name),
                )

    @staticmethod
    def _arrive(entry: _Entry, dimension: Dimension, target: Attribute) -> tuple[JoinStep, ...]:
        """The joins to the target level's dataset.

        A dataset that is fact and dimension at once needs no join to itself.
        """
        if entry.from_dataset == target.dataset and entry.from_columns == target.key_columns:
            return entry.steps
        step = JoinStep(
            _kind(dimension, target), entry.from_dataset, entry.from_columns, target.dataset, target.key_columns
        )
        return (*entry.steps, step)

    def _bound(
        self, role: Role, dimension: Dimension, attribute: Attribute, steps: tuple[JoinStep, ...]
    ) -> BoundAttribute:
        level = (dimension.name, attribute.level)
        if level not in self._join_rules:
            self._join_rules[level] = _join_rule(dimension.hierarchies_of(attribute.level))
        return BoundAttribute(
            attribute=GrainAttribute(role, attribute.name),
            label=role.query_name(attribute.label),
            dataset=attribute.dataset,
            key_columns=attribute.key_columns,
            name_column=attribute.name_column,
            steps=steps,
            determines=self._determines(dimension, attribute),
            filter_empty=self._join_rules[level],
            empty=attribute.empty,
        )

    def _determines(self, dimension: Dimension, attribute: Attribute) -> frozenset[str]:
        """What the model claims a level's key to determine: its own and coarser levels with all that hangs on them."""
        if attribute.kind != "level":
            return frozenset()
        key = (dimension.name, attribute.name)
        if key not in self._determined:
            levels = _levels_from(dimension, attribute.name)
            self._determined[key] = frozenset(
                other.name for other in dimension.attributes.values() if other.level in levels
            ) - {attribute.name}
        return self._determined[key]


def _join_rule(hierarchies: Sequence[Hierarchy]) -> str:
    """The one join rule for all hierarchies of a level. If their rules differ, no row and no member is left out."""
    rules = {hierarchy.filter_empty for hierarchy in hierarchies}
    return "no" if "no" in rules else hierarchies[0].filter_empty if hierarchies else "yes"


def _levels_from(dimension: Dimension, level: str) -> frozenset[str]:
    """The level and the coarser ones, in every hierarchy that holds it."""
    return frozenset(
        name
        for hierarchy in dimension.hierarchies_of(level)
        for name in hierarchy.levels[: hierarchy.levels.index(level) + 1]
    ) | {level}


def _datasets_from(
    dimension: Dimension, target: Attribute, steps: tuple[JoinStep, ...]
) -> dict[str, tuple[JoinStep, ...]]:
    """The dimension's datasets by the joins that lead to them, along snowflake edges, nearest first."""
    reached = {target.dataset: steps}
    pending = [target.dataset]
    while pending:
        dataset = pending.pop(0)
        for edge in dimension.relationships:
            to = dimension.attributes.get(edge.level)
            if edge.kind != "snowflake" or edge.from_dataset != dataset or to is None or to.dataset in reached:
                continue
            step = JoinStep(_kind(dimension, to), dataset, edge.from_columns, to.dataset, to.key_columns)
            reached[to.dataset] = (*reached[dataset], step)
            pending.append(to.dataset)
    return reached


def _kind(dimension: Dimension, target: Attribute) -> JoinKind:
    """Whether the target's dataset is finer than the level joined at."""
    if target.is_unique_key:
        return JoinKind.UNIQUE_KEY
    for hierarchy in dimension.hierarchies_of(target.name):
        finer = hierarchy.levels[hierarchy.levels.index(target.name) + 1 :]
        if any(name in dimension.attributes and dimension.attributes[name].dataset == target.dataset for name in finer):
            return JoinKind.COARSE_KEY
    return JoinKind.UNIQUE_KEY


def _as_bridge(steps: tuple[JoinStep, ...], edge: DimensionRelationship) -> tuple[JoinStep, ...]:
    """Through a many-to-many edge the join into the bridge dataset meets several rows per key."""
    if not edge.is_many_to_many or not steps:
        return steps
    return (*steps[:-1], replace(steps[-1], kind=JoinKind.BRIDGE))
