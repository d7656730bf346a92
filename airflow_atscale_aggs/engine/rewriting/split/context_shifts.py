"""Context shifts: which keys and conditions of a query hold for a metric that is measured at other members.

    query: Year, Month, Store, 1 month before, WHERE "Year" = 2003 AND "Store" <> 'X'
    shift: grouped by Year, Month, Store, WHERE "Store" <> 'X'; its rows are shown one member of Month later

The current member is that of the finest level of the hierarchy that the query groups by. A shift overrides the query's
conditions on the levels of its own dimension, and on what the current level determines. All other conditions hold.

Source: decision 0022.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import (
    Axis,
    Between,
    Each,
    Frame,
    Lagged,
    Move,
    Parallel,
    UpTo,
    Window,
    Without,
)
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref, attribute_at, references, substitute
from airflow_atscale_aggs.engine.rewriting.split.member_moves import Calendar, WantedMembers, calendar_of


@dataclass(frozen=True, kw_only=True)
class ContextShift:
    """How a fact query is measured at other members than those of its rows.

    Attributes:
        keys: places of the query's keys that it is grouped by.
        shown: places of the keys that its rows have in the end.
        conditions: those of the query's conditions that hold, and its own.
        each: place of the attribute that it is grouped by besides, to be brought together by ``function``.
        move: how rows of one member become those of another; None: they stay.
        calendar: the members and their order, where they move.
        is_over_rows: values of single members do not make that of several, so rows are counted at each member anew.
    """

    keys: tuple[int, ...]
    shown: tuple[int, ...]
    conditions: tuple[exp.Expr, ...]
    each: int | None = None
    function: str = ""
    move: Move | None = None
    calendar: Calendar | None = None
    is_over_rows: bool = False


Reached = Mapping[GrainAttribute, BoundAttribute]


@dataclass(frozen=True, slots=True)
class Context:
    """The query, the model and the conditions that a context shift is found from."""

    query: ModelQuery
    model: SemanticModel
    paths: JoinPaths
    conjuncts: tuple[exp.Expr, ...]


def shift_of(frame: Frame, metric: str, reached: Reached, context: Context) -> ContextShift | None:
    """What a metric with a frame takes of the query; None when it stands at no member, so that it is empty everywhere.

    Raises:
        UnsupportedQueryError: the query mixes what the frame replaces with what holds.
    """
    return _Shifter(frame, metric, reached, context).scope()


class _Shifter:
    """Finds the context shift of one frame."""

    def __init__(self, frame: Frame, metric: str, reached: Reached, context: Context) -> None:
        self._frame, self._metric, self._reached, self._context = frame, metric, reached, context
        self._query = context.query
        self._keys = list(range(len(self._query.keys)))
        self._conditions = list(context.conjuncts)

    def scope(self) -> ContextShift | None:
        """See `shift_of`."""
        for all_member in self._frame.without:
            self._leave_out(all_member)
        form = self._frame.form
        match form:
            case None:
                return self._shift_by_keys(self._keys)
            case Each():
                return self._over_each(form)
            case Between():
                return self._over_range(form)
        return self._move(form)

    def _shift_by_keys(self, shown: Iterable[int]) -> ContextShift:
        return ContextShift(keys=tuple(self._keys), shown=tuple(shown), conditions=tuple(self._conditions))

    def _leave_out(self, all_member: Without) -> None:
        gone = {GrainAttribute(all_member.role, name) for name in all_member.names} - set(self._frame.current)
        before = len(self._keys)
        self._keys = [key_place for key_place in self._keys if not self._is_gone(self._query.keys[key_place], gone)]
        self._conditions = [condition for condition in self._conditions if not self._is_gone(condition, gone)]
        current = [attribute for attribute in self._frame.current if attribute.role == all_member.role]
        grouped = {self._attribute_of(key_place) for key_place in self._keys}
        if len(self._keys) < before and current and not grouped & set(current):
            names = ", ".join(f"`{attribute.query_name}`" for attribute in current)
            raise self._refusal(f"the current member of {names} is not told by the query", "Group by it as well.")

    def _is_gone(self, expression: exp.Expr, gone: set[GrainAttribute]) -> bool:
        """Whether it concerns only what is replaced."""
        used = {self._query.attributes[at] for at in references(expression, Ref.ATTRIBUTE)}
        if used & gone and not used <= gone:
            names = ", ".join(sorted(f"`{attribute.query_name}`" for attribute in used & gone))
            reason = f"it binds {names}, which a calculated metric of `{self._metric}` replaces, to what it does not"
            raise UnsupportedQueryError(self._text(expression), reason, "Put them into conditions of their own.")
        return bool(used) and used <= gone

    def _over_each(self, form: Each) -> ContextShift:
        """Over the members of a level that the filter leaves: grouping by its hierarchy is replaced, filters hold."""
        self._check_reach(form.level)
        gone = {GrainAttribute(form.axis.role, name) for name in form.axis.belonging}
        self._keys = [key_place for key_place in self._keys if not self._is_gone(self._query.keys[key_place], gone)]
        place = self._query.attributes.index(form.level)
        there = exp.Not(this=exp.Is(this=_attribute(place), expression=exp.Null()))
        return self._over_members(form.function, place, [there])

    def _over_range(self, form: Between) -> ContextShift:
        """Over fixed members: neither grouping by the dimension nor filters on it matter."""
        self._check_reach(form.level)
        gone = self._overridden_attributes(form.axis, form.level)
        for condition in self._conditions:
            self._check_override(condition, form.axis, gone)
        self._override(form.axis, form.level)
        for key_place in self._keys:
            self._check_override(self._query.keys[key_place], form.axis, gone)
        self._keys = [key_place for key_place in self._keys if not self._is_gone(self._query.keys[key_place], gone)]
        place = self._query.attributes.index(form.level)
        first, last = exp.Literal.string(form.first), exp.Literal.string(form.last)
        bounds = [
            exp.GTE(this=_attribute(place), expression=first),
            exp.LTE(this=_attribute(place), expression=last),
        ]
        return self._over_members(form.function, place, bounds)

    def _over_members(self, function: str, place: int, conditions: Sequence[exp.Expr]) -> ContextShift:
        """A shift over several members. ``Aggregate`` measures all of them at once, so it does not group by member."""
        keys, each = tuple(self._keys), None if function == "aggregate" else place
        return ContextShift(
            keys=keys,
            shown=keys,
            conditions=(*self._conditions, *conditions),
            each=each,
            function=function if each is not None else "",
        )

    def _check_reach(self, level: GrainAttribute) -> None:
        bound = self._reached.get(level)
        if bound is None:
            raise self._refusal(f"its fact does not reach `{level.query_name}`")
        if bound.is_many_to_many:
            raise self._refusal(f"rows have several members of `{level.query_name}`, which would count others twice")
        if bound.key_columns != (bound.name_column,):
            raise self._refusal(f"members of `{level.query_name}` have a key that queries do not see")

    def _move(self, form: Move) -> ContextShift | None:
        """From the current member to others: nothing is empty before the first one."""
        axis = form.axis
        own = [key_place for key_place in self._keys if self._concerns(self._query.keys[key_place], axis.role)]
        plain = {key_place: self._attribute_of(key_place) for key_place in own}
        for place, attribute in plain.items():
            if attribute is None:
                raise self._refusal(f"the query groups by `{self._text(self._query.keys[place])}`, not by a level")
        grouped = [level for level in axis.levels if GrainAttribute(axis.role, level) in plain.values()]
        if not grouped:
            return self._at_all_member(form, own)
        level = GrainAttribute(axis.role, grouped[-1])
        simple = _simplify(form, level.name)
        if simple is None:
            return None
        self._check_order(level)
        beside = self._override(axis, level)
        attributes = {place: attribute for place, attribute in plain.items() if attribute is not None}
        wanted = WantedMembers(level, attributes, self._reached[level].determines, tuple(beside))
        return ContextShift(
            keys=tuple(self._keys),
            shown=tuple(self._keys),
            conditions=tuple(self._conditions),
            function=getattr(simple, "function", ""),
            move=simple,
            calendar=calendar_of(simple, wanted, self._metric, self._context.model, self._context.paths),
        )

    def _at_all_member(self, form: Move, own: Sequence[int]) -> ContextShift | None:
        """No level is grouped by: the current member is All, which has neither neighbours nor ancestors."""
        if own:
            name = self._query.name_of_key(own[0])
            remedy = f"Group by a level of `{form.axis.name}` instead."
            raise self._refusal(f"`{name}` is of the same dimension as hierarchy `{form.axis.name}`", remedy)
        if isinstance(form, Window) and form.first >= 0 >= form.last:
            return self._shift_by_keys(self._keys)
        return None

    def _check_order(self, level: GrainAttribute) -> None:
        if self._reached[level].is_many_to_many:
            raise self._refusal(f"rows have several members of `{level.query_name}`")

    def _override(self, axis: Axis, level: GrainAttribute) -> list[GrainAttribute]:
        """Leave the conditions on the dimension out, where they say only which members are meant.

        Returns:
            Attributes of the dimension that the level is not said to determine, and on which conditions hold.
        """
        gone = self._overridden_attributes(axis, level)
        self._conditions = [condition for condition in self._conditions if not self._is_gone(condition, gone)]
        used = (
            self._query.attributes[at] for condition in self._conditions for at in references(condition, Ref.ATTRIBUTE)
        )
        return (
            list(dict.fromkeys(attribute for attribute in used if attribute.role == axis.role))
            if axis.is_hierarchy
            else []
        )

    def _check_override(self, expression: exp.Expr, axis: Axis, gone: set[GrainAttribute]) -> None:
        """Refuse attributes of the hierarchy's dimension that the current level does not determine."""
        if not axis.is_hierarchy:
            return
        for at in references(expression, Ref.ATTRIBUTE):
            attribute = self._query.attributes[at]
            if attribute.role == axis.role and attribute not in gone:
                reason = (
                    f"`{attribute.query_name}` is of the same dimension as hierarchy `{axis.name}`, in which a "
                    f"calculated metric of `{self._metric}` fixes members, and the current level does not determine it"
                )
                raise UnsupportedQueryError(self._text(expression), reason, "Leave one of them out.")

    def _overridden_attributes(self, axis: Axis, level: GrainAttribute) -> set[GrainAttribute]:
        """Levels of the dimension, in any hierarchy, and what the model says that the current level determines."""
        if not axis.is_hierarchy:
            return {level}
        dimension = self._context.model.dimensions[axis.role.dimension]
        levels = {name for name, attribute in dimension.attributes.items() if attribute.kind == "level"}
        names = levels | self._reached[level].determines | {level.name}
        return {GrainAttribute(axis.role, name) for name in names}

    def _concerns(self, expression: exp.Expr, role: Role) -> bool:
        return any(self._query.attributes[at].role == role for at in references(expression, Ref.ATTRIBUTE))

    def _attribute_of(self, place: int) -> GrainAttribute | None:
        attribute_place = attribute_at(self._query.keys[place])
        return self._query.attributes[attribute_place] if attribute_place is not None else None

    def _text(self, expression: exp.Expr) -> str:
        """For people."""
        names = [attribute.query_name for attribute in self._query.attributes]
        return substitute(
            expression, {Ref.ATTRIBUTE: lambda place: exp.Column(this=exp.to_identifier(names[place], quoted=True))}
        ).sql(dialect="postgres")

    def _refusal(self, reason: str, remedy: str = "") -> UnsupportedQueryError:
        return UnsupportedQueryError(self._metric, f"a calculated metric measures it elsewhere, and {reason}", remedy)


def _attribute(place: int) -> exp.Expr:
    return exp.Placeholder(this=f"{Ref.ATTRIBUTE}{place}")


def _simplify(form: Move, current: str) -> Move | None:
    """By the current level; None when there is no such member: its level lies above the ancestor that is named."""
    if not isinstance(form, Parallel | UpTo):
        return form
    levels = form.axis.levels
    if levels.index(form.level) > levels.index(current):
        return None
    if form.level != current:
        return form
    if isinstance(form, Parallel):
        return Lagged(form.axis, form.lag)
    return Window(form.axis, form.function, 0, 0)
