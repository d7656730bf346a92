"""Which system-defined aggregates are to give way to which: subsets to supersets, pairs to their union.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded: the two situations in which removing an aggregate table reduces the
overhead of managing them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure

MOST_MEASURES = 50
"""A union that stores more pieces per fact does not pay: every query would read past what others need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """``old`` gives way to ``new`` once that is Active. ``is_union``: ``new`` is not defined yet."""

    old: AggregateDefinition
    new: AggregateDefinition
    reason: str
    is_union: bool = False


def successions(definitions: Sequence[AggregateDefinition], unused: Collection[str]) -> list[Succession]:
    """Who gives way to whom, among definitions with the same dimension columns.

    User-defined ones never give way; a system-defined one may give way to a user-defined one that stores all it stores.

    Args:
        definitions: all that are defined, of one model.
        unused: ids of those that nobody uses: a union with one of them does not pay.
    """
    by_grain: dict[object, list[AggregateDefinition]] = {}
    for one in definitions:
        by_grain.setdefault(one.grain, []).append(one)
    found: list[Succession] = []
    for group in by_grain.values():
        subsets = _subsets(group)
        found += subsets
        gone = {id(one.old) for one in subsets}
        found += _unions([one for one in group if id(one) not in gone], unused)
    return found


def _subsets(group: Sequence[AggregateDefinition]) -> list[Succession]:
    """Each smaller one with the smallest that stores all it stores."""
    found = []
    for small in group:
        if not small.origin.is_system_defined:
            continue
        larger = [one for one in group if one is not small and _is_subset(small, one)]
        if larger:
            new = min(larger, key=lambda one: (len(_stored(one)), one.name))
            found.append(Succession(old=small, new=new, reason="it stores all that this one does, at the same grain"))
    return found


def _unions(group: Sequence[AggregateDefinition], unused: Collection[str]) -> list[Succession]:
    """All used system-defined ones of the same facts become one, unless it would be too wide."""
    by_facts: dict[tuple[str, ...], list[AggregateDefinition]] = {}
    for one in sorted(group, key=lambda one: one.name):
        if one.origin.is_system_defined and one.id not in unused:
            by_facts.setdefault(tuple(part.fact for part in one.parts), []).append(one)
    found: list[Succession] = []
    for several in by_facts.values():
        if len(several) == 1:
            continue
        union = _union(several)
        if max(len(part.measures) for part in union.parts) > MOST_MEASURES:
            continue
        names = ", ".join(f"`{one.name}`" for one in several)
        reason = f"one table in place of {len(several)} at the same grain: {names}"
        found += [Succession(old=one, new=union, reason=reason, is_union=True) for one in several]
    return found


def _union(several: Sequence[AggregateDefinition]) -> AggregateDefinition:
    """One definition that stores what all of them store."""
    first = several[0]
    parts = tuple(_union_part([one.parts[number] for one in several]) for number in range(len(first.parts)))
    metrics = tuple(dict.fromkeys(metric for one in several for metric in one.metrics))
    is_demand = any(one.origin is DefinitionOrigin.DEMAND_DEFINED for one in several)
    origin = DefinitionOrigin.DEMAND_DEFINED if is_demand else DefinitionOrigin.PREDICTION_DEFINED
    name = f"{first.name}_union"
    return replace(first, name=name, label=name, origin=origin, metrics=metrics, parts=parts)


def _union_part(parts: Sequence[FactPart]) -> FactPart:
    return replace(parts[0], measures=tuple(sorted({measure for part in parts for measure in part.measures})))


def _stored(one: AggregateDefinition) -> set[StoredMeasure]:
    return {measure for part in one.parts for measure in part.measures}


def _is_subset(small: AggregateDefinition, large: AggregateDefinition) -> bool:
    """Everything stored, fact by fact, and something more."""
    by_fact = {part.fact: set(part.measures) for part in large.parts}
    return _stored(small) < _stored(large) and all(
        set(part.measures) <= by_fact.get(part.fact, set()) for part in small.parts
    )
