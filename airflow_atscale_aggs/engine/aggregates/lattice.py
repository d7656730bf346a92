"""Decides which aggregates can be derived from which others, and how: the partial order of aggregates.

A child derives from a parent of the same fact when the parent stores every measure the child needs, all of them roll
up, and every attribute of the child is stored in the parent or is determined by one that is, through a hierarchy that
the data proved functional.

Source: Harinarayan, Rajaraman, Ullman, "Implementing Data Cubes Efficiently" (1996); AtScale, "How Aggregate Tables Are
Populated With Data", build from existing.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import StrEnum

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinStep


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """A claim about data: key columns of a dataset determine columns reached by further joins.

    Attributes:
        dataset: where the key lives.
        key: its columns.
        steps: joins beyond the dataset, in order; empty when the columns are its own.
        columns: what is determined, of the last step's target.
        is_join_key: facts join on this key, so rows with a NULL in it are never met; otherwise a NULL breaks the claim.
    """

    dataset: str
    key: tuple[str, ...]
    steps: tuple[JoinStep, ...]
    columns: tuple[str, ...]
    is_join_key: bool


@dataclass(frozen=True, slots=True)
class AttributeOrigin:
    """Where a derived aggregate takes an attribute from: the parent's own, or joined back through ``source``'s key."""

    attribute: BoundAttribute
    source: BoundAttribute

    @property
    def is_stored(self) -> bool:
        """True when the parent stores the very attribute."""
        return self.attribute.attribute == self.source.attribute


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a child is derived from a parent: the origin of each of its attributes, in the child's order."""

    origins: tuple[AttributeOrigin, ...]
    is_same_grain: bool


class NotDerivable(StrEnum):
    """Why a child cannot be derived from a parent."""

    OTHER_FACT = "other fact"
    MEASURE_NOT_STORED = "measure not stored"
    NOT_ADDITIVE = "measure exact only at its own grain"
    MANY_TO_MANY = "many-to-many attributes differ"
    ATTRIBUTE_NOT_DETERMINED = "attribute neither stored nor determined"


def dependency_of(attribute: BoundAttribute, source: BoundAttribute) -> Dependency | None:
    """The claim that makes ``attribute`` available from ``source``'s key; None when the model makes no such claim.

    ``source`` must lie on the way to ``attribute``: same role, its joins are the first ones of the attribute's joins.
    """
    same_role = attribute.attribute.role == source.attribute.role
    if not same_role or attribute.attribute.name not in source.determines or not source.steps:
        return None
    if attribute.steps[: len(source.steps)] != source.steps:
        return None
    return Dependency(
        source.dataset,
        source.key_columns,
        attribute.steps[len(source.steps) :],
        attribute.columns,
        is_join_key=source.key_columns == source.steps[-1].to_columns,
    )


def derivation(child: FactPart, parent: FactPart, proven: AbstractSet[Dependency]) -> Derivation | None:
    """How to derive the child from the parent, or None. `why_not_derivable` says why."""
    result = _derive(child, parent, proven)
    return result if isinstance(result, Derivation) else None


def why_not_derivable(child: FactPart, parent: FactPart, proven: AbstractSet[Dependency]) -> NotDerivable | None:
    """The first reason against a derivation; None when there is none."""
    result = _derive(child, parent, proven)
    return result if isinstance(result, NotDerivable) else None


def _derive(child: FactPart, parent: FactPart, proven: AbstractSet[Dependency]) -> Derivation | NotDerivable:
    if child.fact != parent.fact:
        return NotDerivable.OTHER_FACT
    stored = {bound.attribute: bound for bound in parent.attributes}
    is_same_grain = {bound.attribute for bound in child.attributes} == stored.keys()
    needed = set(child.measures) if is_same_grain else measures_for(child.measures)
    if not needed <= set(parent.measures):
        return NotDerivable.MEASURE_NOT_STORED
    if not is_same_grain:
        if not child.has_only_rollups():
            return NotDerivable.NOT_ADDITIVE
        # A fact row counts once for each member of a many-to-many attribute. Without the attribute it would count
        # twice.
        if _many_to_many(child) != _many_to_many(parent):
            return NotDerivable.MANY_TO_MANY
    origins: list[AttributeOrigin] = []
    for bound in child.attributes:
        source = stored.get(bound.attribute) or _find_source(bound, parent, proven)
        if source is None:
            return NotDerivable.ATTRIBUTE_NOT_DETERMINED
        origins.append(AttributeOrigin(bound, source))
    return Derivation(tuple(origins), is_same_grain)


def _find_source(bound: BoundAttribute, parent: FactPart, proven: AbstractSet[Dependency]) -> BoundAttribute | None:
    if bound.is_many_to_many:
        return None
    for source in parent.attributes:
        claim = dependency_of(bound, source)
        if claim is not None and claim in proven:
            return source
    return None


def measures_for(measures: Iterable[StoredMeasure]) -> set[StoredMeasure]:
    """The measures, and the counts and sums without which centred squares cannot be combined."""
    needed = set(measures)
    for measure in measures:
        if measure.function is StoredFunction.CENTERED_SQUARES:
            needed |= {replace(measure, function=function) for function in (StoredFunction.COUNT, StoredFunction.SUM)}
    return needed


def _many_to_many(part: FactPart) -> frozenset[object]:
    return frozenset(bound.attribute for bound in part.attributes if bound.is_many_to_many)
