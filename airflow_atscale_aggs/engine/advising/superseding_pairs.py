"""Decides which system-defined aggregates give way to others: subsets to supersets, pairs to their union.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded: the two situations in which removing an aggregate table
reduces the overhead of managing them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

MOST_MEASURES = 50
"""A union with more stored measures per fact does not pay: every query would read past the columns of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """``old`` gives way to ``new`` once that is Active. ``is_union``: ``new`` is not defined yet."""

    old: AggregateDefinition
    new: AggregateDefinition
    reason: str
    is_union: bool = False


def successions(definitions: Sequence[AggregateDefinition], unused: Collection[str]) -> list[Succession]:
    """The successions among definitions with the same grain: which one gives way to which other.

    User-defined ones never give way; a system-defined one may give way to a user-defined one that stores all it stores.

    Args:
        definitions: all that are defined, of one model.
        unused: ids of those that nobody uses: a union with one of them does not pay.
    """
    by_grain: dict[object, list[AggregateDefinition]] = {}
    for definition in definitions:
        by_grain.setdefault(definition.grain, []).append(definition)
    all_successions: list[Succession] = []
    for group in by_grain.values():
        subsets = _subsets(group)
        all_successions += subsets
        gone = {id(succession.old) for succession in subsets}
        all_successions += _unions([definition for definition in group if id(definition) not in gone], unused)
    return all_successions


def _subsets(group: Sequence[AggregateDefinition]) -> list[Succession]:
    """The successions of each smaller definition by the smallest one that stores all its measures."""
    subsets = []
    for small in group:
        if not small.origin.is_system_defined:
            continue
        larger = [other for other in group if other is not small and _is_subset(small, other)]
        if larger:
            new = min(larger, key=lambda other: (len(_measures_of(other)), other.name))
            subsets.append(Succession(old=small, new=new, reason="it stores all that this one does, at the same grain"))
    return subsets


def _unions(group: Sequence[AggregateDefinition], unused: Collection[str]) -> list[Succession]:
    """The successions of all used system-defined definitions of the same facts by their union.

    There are none where the union is too wide.
    """
    by_facts: dict[tuple[str, ...], list[AggregateDefinition]] = {}
    for definition in sorted(group, key=lambda definition: definition.name):
        if definition.origin.is_system_defined and definition.id not in unused:
            by_facts.setdefault(tuple(part.fact for part in definition.parts), []).append(definition)
    unions: list[Succession] = []
    for several in by_facts.values():
        if len(several) == 1:
            continue
        union = _union(several)
        if max(len(part.measures) for part in union.parts) > MOST_MEASURES:
            continue
        names = ", ".join(f"`{definition.name}`" for definition in several)
        reason = f"one table in place of {len(several)} at the same grain: {names}"
        unions += [Succession(old=definition, new=union, reason=reason, is_union=True) for definition in several]
    return unions


def _union(several: Sequence[AggregateDefinition]) -> AggregateDefinition:
    """One definition that stores what all of them store."""
    first = several[0]
    parts = tuple(
        _union_part([definition.parts[number] for definition in several]) for number in range(len(first.parts))
    )
    metrics = tuple(dict.fromkeys(metric for definition in several for metric in definition.metrics))
    is_demand = any(definition.origin is DefinitionOrigin.DEMAND_DEFINED for definition in several)
    origin = DefinitionOrigin.DEMAND_DEFINED if is_demand else DefinitionOrigin.PREDICTION_DEFINED
    name = f"{first.name}_union"
    return replace(first, name=name, label=name, origin=origin, metrics=metrics, parts=parts)


def _union_part(parts: Sequence[FactPart]) -> FactPart:
    return replace(parts[0], measures=tuple(sorted({measure for part in parts for measure in part.measures})))


def _measures_of(definition: AggregateDefinition) -> set[StoredMeasure]:
    return {measure for part in definition.parts for measure in part.measures}


def _is_subset(small: AggregateDefinition, large: AggregateDefinition) -> bool:
    """Whether the larger one stores all measures of the smaller one, fact by fact, and at least one more."""
    by_fact = {part.fact: set(part.measures) for part in large.parts}
    return _measures_of(small) < _measures_of(large) and all(
        set(part.measures) <= by_fact.get(part.fact, set()) for part in small.parts
    )
