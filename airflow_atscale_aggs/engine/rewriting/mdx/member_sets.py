"""Member sets: the members at which a calculated metric is measured in place of the current ones, looked up in a model.

    [Dates].[Calendar].CurrentMember.PrevMember      Lagged(calendar, 1)
    [Products].[Class].[All]                         Without(role, {"Class"})

Source: MDX, "Current member", "ParallelPeriod", "PeriodsToDate"; decision 0022.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_atscale_aggs.engine.errors import UnknownColumnError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Dimension
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx import mdx_reader as mdx


@dataclass(frozen=True, slots=True)
class Axis:
    """A hierarchy in a role, or an attribute that stands for one.

    Attributes:
        name: as queries would name it.
        levels: unique names, coarse to fine.
        belonging: unique names of its levels and of what hangs on them.
        is_hierarchy: False for an attribute.
    """

    role: Role
    name: str
    levels: tuple[str, ...]
    belonging: frozenset[str]
    is_hierarchy: bool = True


@dataclass(frozen=True, slots=True)
class Without:
    """The All member of a hierarchy: neither grouped nor filtered by its attributes."""

    role: Role
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lagged:
    """The member that stands ``lag`` places before the current one; after it, when negative."""

    axis: Axis
    lag: int


@dataclass(frozen=True, slots=True)
class Parallel:
    """The member at the current one's place within the ancestor that is ``lag`` earlier."""

    axis: Axis
    level: str
    lag: int


@dataclass(frozen=True, slots=True)
class Window:
    """A function over the members from ``first`` to ``last`` places before the current one, ``first >= last``."""

    axis: Axis
    function: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class UpTo:
    """A function over the members from the first within the ancestor to the current one."""

    axis: Axis
    level: str
    function: str


@dataclass(frozen=True, slots=True)
class Between:
    """A function over the members of a level with keys from ``first`` to ``last``, whatever the current one is."""

    axis: Axis
    level: GrainAttribute
    function: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Each:
    """A function over all members of a level that the query's filter leaves."""

    axis: Axis
    level: GrainAttribute
    function: str


Move = Lagged | Parallel | Window | UpTo
"""Forms that start from the current member."""

Form = Move | Between | Each


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a metric is measured: at other members than those of the row that it is shown in.

    Attributes:
        without: hierarchies whose All member it is measured at.
        current: attributes whose current member holds nevertheless.
        form: at which members of one more hierarchy; None: nothing else changes.
    """

    without: tuple[Without, ...] = ()
    current: tuple[GrainAttribute, ...] = ()
    form: Form | None = None


Slice = tuple[GrainAttribute, str]
"""(attribute, key) of a member that a tuple names."""


def resolve(
    metric: str, coordinates: Sequence[mdx.Coordinate], names: SurfaceNames
) -> tuple[tuple[Slice, ...], Frame | None]:
    """What the coordinates of a metric mean in a model: members by key, and everything else as a frame.

    Raises:
        UnsupportedQueryError: they name nothing, or are put together in a way that is not translated.
    """
    # Most metrics stand alone, and many are checked at each deployment.
    return _Resolver(metric, names.everything).resolve(coordinates) if coordinates else ((), None)


class _Resolver:
    """Looks up the coordinates of one metric."""

    def __init__(self, metric: str, names: SurfaceNames) -> None:
        self._metric, self._names = metric, names

    def resolve(self, coordinates: Sequence[mdx.Coordinate]) -> tuple[tuple[Slice, ...], Frame | None]:
        """See `resolve`."""
        slices: list[Slice] = []
        without: list[Without] = []
        current: list[GrainAttribute] = []
        forms: list[Form] = []
        for coordinate in coordinates:
            match coordinate:
                case mdx.Keyed():
                    slices.append((self._attribute(coordinate.path), coordinate.key))
                case mdx.AllOf():
                    without.append(self._without(coordinate.path))
                case mdx.Current(lag=0):
                    current += self._current_levels(coordinate.path)
                case _:
                    forms.append(self._form(coordinate))
        if len(forms) > 1:
            raise self._refusal("it has one time form inside another, or two in one tuple")
        if len({attribute for attribute, _ in slices}) < len(slices):
            raise self._refusal("a tuple inside a tuple names another member of one attribute")
        if not without and not forms:
            return tuple(slices), None
        still_current = tuple(
            dict.fromkeys(
                attribute for attribute in current if any(attribute.name in all_member.names for all_member in without)
            )
        )
        frame = Frame(tuple(dict.fromkeys(without)), still_current, forms[0] if forms else None)
        self._check(frame, slices)
        return tuple(slices), frame

    def _check(self, frame: Frame, slices: Iterable[Slice]) -> None:
        """One hierarchy has one member in a tuple."""
        form = frame.form
        roles = {all_member.role for all_member in frame.without} | {attribute.role for attribute, _ in slices}
        if form is not None and form.axis.role in roles:
            raise self._refusal(f"a tuple names two members of dimension `{form.axis.role.dimension}`")
        for attribute, _ in slices:
            if any(all_member.role == attribute.role for all_member in frame.without):
                raise self._refusal(f"a tuple names two members of dimension `{attribute.role.dimension}`")

    def _form(self, coordinate: mdx.Coordinate) -> Form:
        match coordinate:
            case mdx.Current():
                return Lagged(self._hierarchy(coordinate.path), coordinate.lag)
            case mdx.ParallelTo():
                axis, level = self._level(coordinate.level)
                self._check_same(axis, coordinate.path)
                return Parallel(axis, level, coordinate.lag)
            case mdx.Over(function, mdx.ToDate() as members):
                axis, level = self._level(members.level)
                self._check_same(axis, members.path)
                return UpTo(axis, level, function)
            case mdx.Over(function, mdx.LevelMembers() as members):
                level_of = self._attribute(members.path)
                return Each(self._axis_of(members.path, level_of), level_of, function)
            case mdx.Over(function, mdx.Span() as members):
                return self._span(function, members)
        raise self._refusal(f"`{coordinate}` is not translated")

    def _span(self, function: str, members: mdx.Span) -> Form:
        first, last = members.first, members.last
        if isinstance(first, mdx.Current) and isinstance(last, mdx.Current):
            axis = self._hierarchy(first.path)
            self._check_same(axis, last.path)
            if first.lag < last.lag:
                raise self._refusal("its range ends before it begins")
            return Window(axis, function, first.lag, last.lag)
        assert isinstance(first, mdx.Keyed)  # noqa: S101 - the reader lets no others pass
        assert isinstance(last, mdx.Keyed)  # noqa: S101
        level = self._attribute(first.path)
        if self._attribute(last.path) != level:
            raise self._refusal("its range begins and ends at members of two levels")
        return Between(self._axis_of(first.path, level), level, function, first.key, last.key)

    def _check_same(self, axis: Axis, path: mdx.Path | None) -> None:
        if path is not None and self._hierarchy(path) != axis:
            raise self._refusal(f"`{'.'.join(path)}` is another hierarchy than `{axis.name}`")

    def _without(self, path: mdx.Path) -> Without:
        role, dimension = self._role(path)
        if len(path) == 1:
            return Without(role, frozenset(dimension.attributes))
        return Without(role, self._axis(path).belonging)

    def _current_levels(self, path: mdx.Path) -> list[GrainAttribute]:
        if len(path) == 1:
            raise self._refusal(f"the current member of `{path[0]}` is one of which hierarchy?")
        axis = self._axis(path)
        return [GrainAttribute(axis.role, level) for level in axis.levels]

    def _hierarchy(self, path: mdx.Path) -> Axis:
        axis = self._axis(path)
        if not axis.is_hierarchy:
            raise self._refusal(f"`{axis.name}` is an attribute, not a hierarchy, and its members are in no order")
        return axis

    def _level(self, path: mdx.Path) -> tuple[Axis, str]:
        axis = self._hierarchy(path[:-1])
        wanted = path[-1].casefold()
        levels = [level for level in axis.levels if self._has_name(axis.role, level, wanted)]
        if len(levels) != 1:
            raise self._refusal(f"hierarchy `{axis.name}` has no level `{path[-1]}`")
        return axis, levels[0]

    def _axis_of(self, path: mdx.Path, attribute: GrainAttribute) -> Axis:
        """The hierarchy that a path names, else the attribute by itself."""
        if len(path) > 2:  # noqa: PLR2004 - dimension, hierarchy, level
            axis = self._axis(path[:-1])
            if attribute.role != axis.role or attribute.name not in axis.belonging:
                raise self._refusal(f"`{path[-1]}` is no level of `{axis.name}`")
            if attribute.name in axis.levels:
                return axis
        return Axis(attribute.role, attribute.query_name, (attribute.name,), frozenset({attribute.name}), False)

    def _axis(self, path: mdx.Path) -> Axis:
        role, dimension = self._role(path)
        wanted = path[-1].casefold()
        if len(path) == 2:  # noqa: PLR2004 - dimension, hierarchy
            for hierarchy in dimension.hierarchies:
                if role.query_name(hierarchy.name).casefold() == wanted:
                    belonging = {
                        attribute.name
                        for attribute in dimension.attributes.values()
                        if attribute.level in hierarchy.levels
                    }
                    return Axis(role, role.query_name(hierarchy.name), hierarchy.levels, frozenset(belonging))
            names = [name for name in dimension.attributes if self._has_name(role, name, wanted)]
            if len(names) == 1:
                return Axis(role, role.query_name(names[0]), tuple(names), frozenset(names), is_hierarchy=False)
        raise self._refusal(f"`{'.'.join(path)}` is no hierarchy of the model", "Correct the model.")

    def _role(self, path: mdx.Path) -> tuple[Role, Dimension]:
        roles = self._names.roles_named(path[0] if path else "")
        if len(roles) != 1:
            raise self._refusal(f"`{'.'.join(path)}` names no dimension of the model", "Correct the model.")
        return roles[0], self._names.model.dimensions[roles[0].dimension]

    def _has_name(self, role: Role, name: str, wanted: str) -> bool:
        label = self._names.model.dimensions[role.dimension].attributes[name].label
        return wanted in {role.query_name(name).casefold(), role.query_name(label).casefold()}

    def _attribute(self, path: mdx.Path) -> GrainAttribute:
        try:
            meaning = self._names.find(path[-1])
        except UnknownColumnError as error:
            raise self._refusal(f"`{path[-1]}` is no attribute of the model", "Correct the model.") from error
        if not isinstance(meaning, GrainAttribute):
            raise self._refusal(f"`{path[-1]}` is no attribute", "Correct the model.")
        return meaning

    def _refusal(self, reason: str, remedy: str = "") -> UnsupportedQueryError:
        return UnsupportedQueryError(self._metric, f"a calculated metric measures it elsewhere, and {reason}", remedy)
