"""Perspectives: names under which a model shows a part of itself.

    dimension alone               all of it is hidden
    dimension, hierarchy          the hierarchy's levels, with what hangs on them, unless another hierarchy shows them
    dimension, hierarchy, level   the level and those below it
    dimension, attributes         these secondary attributes

Source: SML reference, ``model.perspectives``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airflow_atscale_aggs.engine.model.folder_reader import Document
from airflow_atscale_aggs.engine.model.semantic_model import Dimension, Perspective, Relationship
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.model.yaml_reader import SmlMapping


def perspectives_of(
    document: Document,
    dimensions: Mapping[str, Dimension],
    metrics: Collection[str],
    relationships: Sequence[Relationship],
    issues: IssueList,
) -> dict[str, Perspective]:
    """The perspectives of a model's document by name; what they hide and does not exist is a warning."""
    found: dict[str, Perspective] = {}
    for value in document.value.get("perspectives") or ():
        where, who = f"{document.file}:{value.line}", f"perspective `{value['unique_name']}`"
        hidden = [str(name) for name in value.get("metrics") or ()]
        for name in hidden:
            if name not in metrics:
                issues.add_unresolved_reference(where, "metric", name, metrics, is_needed=False, wanted_by=who)
        attributes: set[tuple[str, str]] = set()
        roles: dict[str, set[str]] = {}
        for entry in value.get("dimensions") or ():
            if entry.get("visible") is True:
                continue
            dimension = dimensions.get(str(entry["name"]))
            if dimension is None:
                issues.add_unresolved_reference(
                    where, "dimension", str(entry["name"]), dimensions, is_needed=False, wanted_by=who
                )
                continue
            attributes |= {(dimension.name, name) for name in _hidden(entry, dimension, (where, who), issues)}
            path = {str(step) for step in entry.get("relationships_path") or ()}
            if path:
                roles.setdefault(dimension.name, set()).update(_templates(path, dimension.name, relationships))
        name = str(value["unique_name"])
        found[name] = Perspective(
            name=name,
            metrics=frozenset(hidden),
            attributes=frozenset(attributes),
            roles={key: frozenset(templates) for key, templates in roles.items() if templates},
            where=where,
        )
    return found


def _templates(path: Collection[str], dimension: str, relationships: Iterable[Relationship]) -> set[str]:
    return {one.template for one in relationships if one.name in path and one.dimension == dimension}


def _hidden(entry: SmlMapping, dimension: Dimension, told: tuple[str, str], issues: IssueList) -> set[str]:
    """Names of the dimension's attributes that an entry hides."""
    hierarchies = entry.get("hierarchies") or ()
    secondary = [str(name) for name in entry.get("secondary_attributes") or entry.get("secondaryattributes") or ()]
    if not hierarchies and not secondary:
        return set(dimension.attributes)
    left = {
        level: {one.name for one in dimension.hierarchies_of(level)}
        for hierarchy in dimension.hierarchies
        for level in hierarchy.levels
    }
    touched: set[str] = set()
    for one in hierarchies:
        hierarchy = next((each for each in dimension.hierarchies if each.name == str(one["name"])), None)
        if hierarchy is None:
            known = [each.name for each in dimension.hierarchies]
            issues.add_unresolved_reference(told[0], "hierarchy", str(one["name"]), known, is_needed=False, wanted_by=told[1])
            continue
        for level in _from_level(one, hierarchy.levels, told, issues):
            touched.add(level)
            left[level].discard(hierarchy.name)
    levels = {level for level in touched if not left[level]}
    for name in secondary:
        if name not in dimension.attributes:
            issues.add_unresolved_reference(told[0], "attribute", name, dimension.attributes, is_needed=False, wanted_by=told[1])
    return {name for name, one in dimension.attributes.items() if one.level in levels or name in secondary}


def _from_level(
    entry: Mapping[str, Any], levels: Sequence[str], told: tuple[str, str], issues: IssueList
) -> Sequence[str]:
    """The levels that are hidden: from the coarsest one named on, or all."""
    older = entry.get("levels")
    named = [entry["level"]] if entry.get("level") else older if isinstance(older, list) else [older] if older else []
    texts = [str(one.get("unique_name") if isinstance(one, Mapping) else one) for one in named]
    places = [levels.index(one) for one in texts if one in levels]
    for one in texts:
        if one not in levels:
            issues.add_unresolved_reference(told[0], "level", one, levels, is_needed=False, wanted_by=told[1])
    if texts and not places:
        return ()
    return levels[min(places, default=0) :]
