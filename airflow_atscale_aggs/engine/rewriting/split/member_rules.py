"""Applies the rules of a model for members that a query does not name: default members, and members never added up.

    default_member            the query is about that member, when it names no level of the hierarchy
    is_aggregatable: false    the query groups by the attribute, holds it to one value, or is refused

Source: SML reference, ``hierarchy.default_member``, ``level_attribute.is_aggregatable``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import DefaultMember, Dimension, Hierarchy, SemanticModel
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Between, Each, Frame
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref, references
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by

_NAME = r"\[((?:[^\]]|\]\])+)\]"
_MEMBER = re.compile(rf"\s*{_NAME}(?:\s*\.\s*{_NAME})*\s*(?:\.\s*((?:&\s*{_NAME}\s*)+))?")
_KEY = re.compile(rf"&\s*{_NAME}")
_PLAIN = re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class DefaultFilter:
    """A member of an attribute in a role.

    Attributes:
        tests: columns of the key, or None for the name, and the text that each equals.
    """

    attribute: GrainAttribute
    tests: tuple[tuple[str | None, str], ...]


class DefaultMembers:
    """The default members of a model that concern one query."""

    def __init__(self, query: ModelQuery, model: SemanticModel) -> None:
        self._query, self._model = query, model

    def filters(self, reached: Iterable[GrainAttribute]) -> tuple[DefaultFilter, ...]:
        """Those that rows must meet, of the roles in which a fact reaches something.

        Raises:
            UnsupportedQueryError: a default member is written in a way that is not read, or a calculation names a
                member of the same dimension.
        """
        defaulted = self._model.defaulted
        if not defaulted:
            return ()
        return tuple(
            self._filters({attribute.role: None for attribute in reached if attribute.role.dimension in defaulted})
        )

    def _filters(self, roles: Iterable[Role]) -> Iterator[DefaultFilter]:
        for role in roles:
            dimension = self._model.dimensions[role.dimension]
            for hierarchy in dimension.hierarchies:
                default = hierarchy.default_member
                if default is None or not self._is_meant(default, hierarchy, dimension, role):
                    continue
                self._check_calculations(role, hierarchy)
                attribute, tests = read_default(dimension, hierarchy, default)
                if tests:
                    yield DefaultFilter(GrainAttribute(role, attribute), tests)

    def _is_meant(self, default: DefaultMember, hierarchy: Hierarchy, dimension: Dimension, role: Role) -> bool:
        """Whether the default member holds: a query that names a level, or its alias, chooses its members itself."""
        attributes = (self._query.attributes[at] for at in _used_places(self._query))
        used = {attribute.name for attribute in attributes if attribute.role == role}
        own = {
            name
            for name, attribute in dimension.attributes.items()
            if attribute.level in hierarchy.levels and attribute.kind in {"level", "alias"}
        }
        return not used & own and (bool(used) or not default.only_when_in_query)

    def _check_calculations(self, role: Role, hierarchy: Hierarchy) -> None:
        for place, name in enumerate(self._query.metrics):
            frame, condition = self._query.frames.get(place), self._query.slices.get(place)
            roles = {self._query.attributes[at].role for at in references(condition, Ref.ATTRIBUTE)}
            if role in roles | _roles_of(frame):
                reason = (
                    f"a calculated metric names members of `{role.dimension}`, whose hierarchy `{hierarchy.name}` has "
                    "a default member"
                )
                raise UnsupportedQueryError(name, reason, f"Group by a level of `{hierarchy.name}`, or filter by one.")


def read_default(
    dimension: Dimension, hierarchy: Hierarchy, default: DefaultMember
) -> tuple[str, tuple[tuple[str | None, str], ...]]:
    """The attribute of a default member with what tells the member; no tests for the All member.

    >>> _MEMBER.fullmatch("[Product].[Products].[Group].&[1]") is not None
    True

    Raises:
        UnsupportedQueryError: it is more than one member by key or name.
    """
    text = default.expression.strip()
    match = _MEMBER.fullmatch(text)
    names = [name.replace("]]", "]") for name in _PLAIN.findall(text.partition("&")[0])] if match else []
    keys = [name.replace("]]", "]") for name in _KEY.findall(match.group(3) or "")] if match else []
    if names and names[-1].casefold() == "all" and not keys:
        return hierarchy.levels[0], ()
    named = names if keys else names[:-1]
    folded = {_fold(name): name for name in hierarchy.levels}
    folded |= {
        _fold(dimension.attributes[name].label): name for name in hierarchy.levels if name in dimension.attributes
    }
    level = folded.get(_fold(named[-1])) if named else None
    is_short = len(named) == 2 and _fold(named[1]) == _fold(hierarchy.name)  # noqa: PLR2004 - dimension, hierarchy
    attribute = dimension.attributes.get(level or (hierarchy.levels[0] if is_short else ""))
    if attribute is None or (keys and len(keys) != len(attribute.key_columns)):
        shown = " ".join(text.split())
        reason = f"the default member of hierarchy `{hierarchy.name}`, `{shown}`, is not one member by key or name"
        remedy = f"Group by a level of `{hierarchy.name}`, filter by one, or correct {default.where or 'the model'}."
        raise UnsupportedQueryError(dimension.name, reason, remedy)
    if keys:
        return attribute.name, tuple(zip(attribute.key_columns, keys, strict=True))
    return attribute.name, ((None, names[-1]),)


def check_aggregatable(
    query: ModelQuery,
    metrics: Iterable[int],
    reached: Iterable[GrainAttribute],
    model: SemanticModel,
    fixed: set[GrainAttribute],
) -> None:
    """Refuse a query that adds up members of an attribute which has no member that stands for all of them.

    Args:
        metrics: places of the metrics that a fact gives.
        reached: what the fact reaches.
        fixed: attributes that are grouped by, determined by those, or held to one value.

    Raises:
        UnsupportedQueryError: there is one.
    """
    for attribute in reached:
        if (attribute.role.dimension, attribute.name) not in model.not_added_up or attribute in fixed:
            continue
        rule = model.dimensions[attribute.role.dimension].attributes[attribute.name]
        for metric_place in metrics:
            pinned = {**pinned_by(query.slices.get(metric_place)), **pinned_by(query.filters.get(metric_place))}
            own = {query.attributes[at] for at in pinned}
            if attribute not in own:
                name = attribute.query_name
                reason = (
                    f"the model says that members of `{name}` are not added up (`is_aggregatable: false`, {rule.where})"
                )
                remedy = f"Group by `{name}`, or filter it to one value."
                raise UnsupportedQueryError(query.metrics[metric_place] or "COUNT(*)", reason, remedy)


def _used_places(query: ModelQuery) -> set[int]:
    plain = (*query.keys, *query.members, query.where, *query.filters.values())
    return {at for expression in plain for at in references(expression, Ref.ATTRIBUTE)}


def _roles_of(frame: Frame | None) -> set[Role]:
    if frame is None:
        return set()
    roles = {all_member.role for all_member in frame.without} | {attribute.role for attribute in frame.current}
    if frame.form is not None:
        roles.add(frame.form.level.role if isinstance(frame.form, Between | Each) else frame.form.axis.role)
    return roles


def _fold(name: str) -> str:
    return name.strip().casefold()
