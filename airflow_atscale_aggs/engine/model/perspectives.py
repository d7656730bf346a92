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

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.folder_reader import Document
from airflow_atscale_aggs.engine.model.semantic_model import Dimension, Hierarchy, Perspective, Relationship
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import IssueList


@dataclass(frozen=True, slots=True)
class _Mention:
    """A perspective that names something.

    Attributes:
        where: file and line.
        who: the perspective, as issues call it.
    """

    where: str
    who: str


def perspectives_of(
    document: Document,
    dimensions: Mapping[str, Dimension],
    metrics: Collection[str],
    relationships: Sequence[Relationship],
    issues: IssueList,
) -> dict[str, Perspective]:
    """The perspectives of a model's document by name; what they hide and does not exist is a warning."""
    perspectives: dict[str, Perspective] = {}
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
            attributes |= {(dimension.name, name) for name in _hidden(entry, dimension, _Mention(where, who), issues)}
            path = {str(step) for step in entry.get("relationships_path") or ()}
            if path:
                roles.setdefault(dimension.name, set()).update(_templates(path, dimension.name, relationships))
        name = str(value["unique_name"])
        perspectives[name] = Perspective(
            name=name,
            metrics=frozenset(hidden),
            attributes=frozenset(attributes),
            roles={key: frozenset(templates) for key, templates in roles.items() if templates},
            where=where,
        )
    return perspectives


def _templates(path: Collection[str], dimension: str, relationships: Iterable[Relationship]) -> set[str]:
    return {
        relationship.template
        for relationship in relationships
        if relationship.name in path and relationship.dimension == dimension
    }


def _hidden(entry: SmlMapping, dimension: Dimension, mention: _Mention, issues: IssueList) -> set[str]:
    """Names of the dimension's attributes that an entry hides."""
    hierarchies = entry.get("hierarchies") or ()
    secondary = [str(name) for name in entry.get("secondary_attributes") or entry.get("secondaryattributes") or ()]
    if not hierarchies and not secondary:
        return set(dimension.attributes)
    shown_by = {
        level: {hierarchy.name for hierarchy in dimension.hierarchies_of(level)}
        for hierarchy in dimension.hierarchies
        for level in hierarchy.levels
    }
    touched: set[str] = set()
    for entry_of_hierarchy in hierarchies:
        hierarchy = _find_hierarchy(str(entry_of_hierarchy["name"]), dimension, mention, issues)
        if hierarchy is None:
            continue
        for level in _from_level(entry_of_hierarchy, hierarchy.levels, mention, issues):
            touched.add(level)
            shown_by[level].discard(hierarchy.name)
    levels = {level for level in touched if not shown_by[level]}
    for name in secondary:
        if name not in dimension.attributes:
            issues.add_unresolved_reference(
                mention.where,
                "attribute",
                name,
                dimension.attributes,
                is_needed=False,
                wanted_by=mention.who,
            )
    return {name for name, attribute in dimension.attributes.items() if attribute.level in levels or name in secondary}


def _find_hierarchy(name: str, dimension: Dimension, mention: _Mention, issues: IssueList) -> Hierarchy | None:
    """A hierarchy of the dimension by its name; None after noting that it does not exist."""
    names = [hierarchy.name for hierarchy in dimension.hierarchies]
    if name in names:
        return dimension.hierarchies[names.index(name)]
    issues.add_unresolved_reference(mention.where, "hierarchy", name, names, is_needed=False, wanted_by=mention.who)
    return None


def _from_level(entry: Mapping[str, Any], levels: Sequence[str], mention: _Mention, issues: IssueList) -> Sequence[str]:
    """The levels that are hidden: from the coarsest one named on, or all."""
    older = entry.get("levels")
    named = [entry["level"]] if entry.get("level") else older if isinstance(older, list) else [older] if older else []
    texts = [str(item.get("unique_name") if isinstance(item, Mapping) else item) for item in named]
    places = [levels.index(name) for name in texts if name in levels]
    for name in texts:
        if name not in levels:
            issues.add_unresolved_reference(
                mention.where, "level", name, levels, is_needed=False, wanted_by=mention.who
            )
    if texts and not places:
        return ()
    return levels[min(places, default=0) :]
