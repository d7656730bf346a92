"""The SELECT of an aggregate from its facts, grouped by one number per dimension instead of by names, keys and flags.

    fact rows -> shop -> rank of its city -> groups -> names of the cities

    shop   city   code        amount  by code        by city
    1      North  1           1, 2    1     3        North  3
    2      North  1           4       3     4        South  4
    3      South  3           8       NULL  8        NULL   8    no such shop

A code is the rank of what a member shows: members that show the same share one, and no others do. It is found twice by
the same expression over the same rows of one table, once for the facts and once for the names. Where a whole number
that is the key of the join is among the columns, it is the code by itself. Groups are the same rows as before under
other names, so that every measure is what it was, also those that do not roll up.

Source: Yan and Larson, "Eager Aggregation and Lazy Aggregation" (VLDB 1995), where groups are found before names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinKind, JoinStep
from airflow_atscale_aggs.engine.sql.fact_joins import (
    JoinComposer,
    JoinedColumns,
    JoinNode,
    Path,
    ProvenConstraints,
    groupable,
    is_plain,
    join_tree,
    left_join,
)
from airflow_atscale_aggs.engine.sql.indicator_lookup import any_range_condition
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.queries import measure_expression, select_from_fact
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, fresh, identifier
from airflow_atscale_aggs.engine.sql.sources import Sources

_CODE, _PLACE = "code", "place"
_GROUPED = "grouped"
_WHOLE_NUMBERS = frozenset({"tinyint", "smallint", "int2", "int", "integer", "int4", "bigint", "int8"})
_UNSTEADY = (exp.Anonymous, exp.Rand, exp.Randn, exp.Uuid, exp.Query)
"""What a calculation may hold that gives another value when it is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A dimension that can be grouped by code.

    Attributes:
        step: the join from the fact.
        datasets: all that are read for its members, the joined one first.
        is_narrow: it is one column of at most eight bytes.
        has_key: its code is the key of the join.
    """

    step: JoinStep
    datasets: tuple[str, ...]
    is_narrow: bool
    has_key: bool


def codable(part: FactPart, sources: Sources, constraints: ProvenConstraints) -> tuple[Coded, ...]:
    """The dimensions of a part that can be grouped by code, in the order of their joins.

    The key that facts meet them by must be proven unique, and no bridge may stand behind it. Its members are read
    twice, and must be the same both times: queries, and calculations that call unknown functions, are left out. Whether
    a dataset is a table or a view is not known here; `planning/root_forms.py` leaves views out.
    """
    return tuple(
        _coded(node, sources)
        for step, node in join_tree(part.fact, part.attributes).children.items()
        if is_plain(step, constraints) and _is_steady(node, sources)
    )


def _is_steady(node: JoinNode, sources: Sources) -> bool:
    if not all(sources[node.dataset].is_physical(column) for column in node.path[-1].to_columns):
        return False
    for below in node.walk():
        source = sources[below.dataset]
        if below.path[-1].kind is JoinKind.BRIDGE or source.place is None:
            return False
        calculations = (source.own(column) for column in below.columns if not source.is_physical(column))
        if any(calculation is None or calculation.find(*_UNSTEADY) for calculation in calculations):
            return False
    return True


def _coded(node: JoinNode, sources: Sources) -> Coded:
    shown = [(below, column) for below in node.walk() for column in below.shown]
    is_narrow = len(shown) == 1 and all(
        sources[below.dataset].data_type(column) in _WHOLE_NUMBERS | {"date"} for below, column in shown
    )
    return Coded(
        step=node.path[-1],
        datasets=tuple(below.dataset for below in node.walk()),
        is_narrow=is_narrow,
        has_key=_has_key(node, sources),
    )


def _has_key(node: JoinNode, sources: Sources) -> bool:
    """Whether the key of the join is among what is shown, and by itself as narrow as a code."""
    keys, source = node.path[-1].to_columns, sources[node.dataset]
    return len(keys) == 1 and keys[0] in node.shown and source.find_column_type(keys[0]).casefold() in _WHOLE_NUMBERS


def select_by_codes(
    part: FactPart,
    sources: Sources,
    constraints: ProvenConstraints,
    coded: Collection[JoinStep],
    only: Sequence[RowRange] = (),
) -> exp.Select:
    """The same rows as `queries.select_from_fact` gives, in the same columns.

    Args:
        coded: joins of dimensions that are grouped by code, some of `codable`'s; the others are grouped by what they
            show.
        only: ranges of the fact rows that are read; none: all.

    Raises:
        DefinitionError: a column or table is not there, or a join would multiply rows.
        UnsupportedMetricError: a measure cannot be stored on this dialect.
    """
    if not coded:
        return select_from_fact(part, sources, constraints, only)
    return _CodedSelect(part, sources, constraints, coded).compose(only)


@dataclass(slots=True)
class _Grouped:
    """The facts by group, and where the outer SELECT finds what it shows.

    Attributes:
        select: the inner SELECT.
        keys: what it groups by.
        column: columns of attributes, by path from the fact.
        flags: matched flags by path.
    """

    select: exp.Select = field(default_factory=exp.Select)
    keys: list[exp.Expr] = field(default_factory=list)
    column: dict[tuple[Path, str], exp.Expr] = field(default_factory=dict)
    flags: dict[Path, exp.Expr] = field(default_factory=dict)

    def group_by(self, key: exp.Expr) -> exp.Expr:
        """Group by an expression too; where the outer SELECT finds it."""
        name = f"g{len(self.keys)}"
        self.select.select(alias_as(key, name), copy=False)
        self.keys.append(key)
        return column_of(name, _GROUPED)


class _CodedSelect:
    """Composes one SELECT. Inside, facts are grouped; outside, names are joined to the groups."""

    def __init__(
        self, part: FactPart, sources: Sources, constraints: ProvenConstraints, coded: Collection[JoinStep]
    ) -> None:
        self._part, self._sources, self._constraints, self._coded = part, sources, constraints, coded
        self._composer = JoinComposer(sources, constraints)
        self._composer.alias(_GROUPED)
        self._layout = stored_columns(part)
        self._grouped = _Grouped()
        self._outer = exp.Select()

    def compose(self, only: Sequence[RowRange]) -> exp.Select:
        """The whole SELECT; to be called once."""
        grouped = self._grouped
        alias, joined, coded = self._joined_facts()
        condition = any_range_condition(only, self._sources[self._part.fact], alias)
        if condition is not None:
            grouped.select.where(condition, copy=False)
        names = [self._join_codes(node, joined) for node in coded]
        self._group_by_the_others(joined)
        for number, measure in enumerate(self._layout.measures):
            value = measure_expression(measure, self._sources[self._part.fact], alias)
            grouped.select.select(alias_as(value, f"m{number}"), copy=False)
        grouped.select.group_by(*groupable(grouped.keys), copy=False)
        self._outer.set("from_", exp.From(this=_subquery(grouped.select, _GROUPED)))
        for relation, code, name_code in names:
            left_join(self._outer, relation, [code], [name_code])
        self._show()
        return self._outer

    def _joined_facts(self) -> tuple[str, JoinedColumns, list[JoinNode]]:
        """The fact with the dimensions that are not coded: its alias, their columns; and the others."""
        tree = join_tree(self._part.fact, self._part.attributes)
        coded = [node for step, node in tree.children.items() if step in self._coded]
        for node in coded:
            del tree.children[node.path[-1]]
        alias, joined = self._composer.root(tree, self._grouped.select)
        return alias, joined, coded

    def _join_codes(self, node: JoinNode, joined: JoinedColumns) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
        """Join the codes of a dimension to the facts, and group by them.

        Returns:
            The relation of its names, and what must be equal to meet them: the group's code and theirs.
        """
        step, source = node.path[-1], self._sources[node.dataset]
        self._composer.check_types(step)
        members = _Members(self._part, node, self._sources, self._constraints)
        alias = self._composer.alias(node.dataset)
        if _has_key(node, self._sources):
            relation = source.relation(alias)
            keys = [source.column(column, alias) for column in step.to_columns]
            code = fresh(keys[0])
        else:
            relation = _subquery(members.codes(), alias)
            keys = [column_of(f"k{number}", alias) for number in range(len(step.to_columns))]
            code = column_of(_CODE, alias)
        left_join(self._grouped.select, relation, [joined.column[(), column] for column in step.from_columns], keys)
        found = self._grouped.group_by(code)
        names = self._composer.alias(f"{node.dataset}_names")
        self._find_names(members, node.path, names)
        return _subquery(members.names(), names), found, column_of(_CODE, names)

    def _find_names(self, members: _Members, path: Path, names: str) -> None:
        """Say where the outer SELECT finds the columns and flags of a dimension."""
        zero = exp.Literal.number(0)
        is_met = exp.Not(this=exp.Is(this=column_of(_CODE, names), expression=exp.Null()))
        self._grouped.flags[path] = exp.Case(ifs=[exp.If(this=is_met, true=exp.Literal.number(1))], default=zero)
        for below, column in members.columns:
            self._grouped.column[path + below, column] = column_of(members.columns[below, column], names)
        for below, flag in members.flags.items():
            self._grouped.flags[path + below] = exp.Coalesce(this=column_of(flag, names), expressions=[zero.copy()])

    def _group_by_the_others(self, joined: JoinedColumns) -> None:
        """Group by the columns and flags of what is not coded, as they are."""
        grouped = self._grouped
        for bound in self._part.attributes:
            for column in bound.columns:
                if (bound.steps, column) not in grouped.column:
                    value = joined.column[bound.steps, column].copy()
                    grouped.column[bound.steps, column] = grouped.group_by(value)
        for path in self._layout.matched:
            if path not in grouped.flags:
                grouped.flags[path] = grouped.group_by(joined.matched_flag(path))

    def _show(self) -> None:
        """Select everything under the names of the table's columns."""
        grouped = self._grouped
        for bound in self._part.attributes:
            stored = self._layout.attributes[bound.attribute]
            for column, name in zip(bound.columns, stored.columns, strict=True):
                self._outer.select(alias_as(fresh(grouped.column[bound.steps, column]), name), copy=False)
        for path, name in self._layout.matched.items():
            self._outer.select(alias_as(grouped.flags[path].copy(), name), copy=False)
        for number, name in enumerate(self._layout.measures.values()):
            self._outer.select(alias_as(column_of(f"m{number}", _GROUPED), name), copy=False)


class _Members:
    """The members of a dimension: what they show, by which code.

    Attributes:
        columns: names of the columns of attributes, by path from the dimension.
        flags: names of the matched flags of datasets behind it.
    """

    def __init__(self, part: FactPart, node: JoinNode, sources: Sources, constraints: ProvenConstraints) -> None:
        self._node, self._sources, self._constraints = node, sources, constraints
        self._bounds = [_behind(bound) for bound in part.attributes if bound.steps[:1] == node.path]
        shown = dict.fromkeys((bound.steps, column) for bound in self._bounds for column in bound.columns)
        paths = dict.fromkeys(bound.steps for bound in self._bounds if bound.steps)
        self.columns: Mapping[tuple[Path, str], str] = {key: f"c{number}" for number, key in enumerate(shown)}
        self.flags: Mapping[Path, str] = {path: f"f{number}" for number, path in enumerate(paths)}

    def codes(self) -> exp.Select:
        """Code by key of the join, ``k0`` and so on: one row per member."""
        select, joined = self._joined()
        for number, column in enumerate(self._node.path[-1].to_columns):
            select.select(alias_as(fresh(joined.column[(), column]), f"k{number}"), copy=False)
        code: exp.Expr = exp.cast(_over(exp.Rank(), self._order(joined)), "int")
        if all(bound.steps for bound in self._bounds):
            # Nobody asks whether the member itself is there: one that meets nothing shows what no member shows.
            meets = [exp.EQ(this=joined.matched_flag(path), expression=exp.Literal.number(1)) for path in self.flags]
            code = exp.Case(ifs=[exp.If(this=exp.or_(*meets, copy=False), true=code)])
        return select.select(alias_as(code, _CODE), copy=False)

    def names(self) -> exp.Select:
        """Columns and flags by code: one row per code."""
        select, joined = self._joined()
        for key, name in self.columns.items():
            select.select(alias_as(fresh(joined.column[key]), name), copy=False)
        for path, name in self.flags.items():
            select.select(alias_as(joined.matched_flag(path), name), copy=False)
        if _has_key(self._node, self._sources):
            (key_column,) = self._node.path[-1].to_columns
            return select.select(alias_as(fresh(joined.column[(), key_column]), _CODE), copy=False)
        order = self._order(joined)
        select.select(alias_as(_over(exp.Rank(), order), _CODE), copy=False)
        select.select(alias_as(_over(exp.RowNumber(), order), _PLACE), copy=False)
        # The first of those that share a rank: its place is the rank.
        first = exp.EQ(this=column_of(_CODE), expression=column_of(_PLACE))
        shown = [*self.columns.values(), *self.flags.values(), _CODE]
        return exp.Select(
            expressions=[column_of(name) for name in shown],
            from_=exp.From(this=_subquery(select, "ranked")),
            where=exp.Where(this=first),
        )

    def _joined(self) -> tuple[exp.Select, JoinedColumns]:
        """The dimension with the datasets behind it, nothing selected yet."""
        tree = join_tree(self._node.dataset, self._bounds)
        tree.columns.update(dict.fromkeys(self._node.path[-1].to_columns))
        select = exp.Select()
        _, joined = JoinComposer(self._sources, self._constraints).root(tree, select)
        return select, joined

    def _order(self, joined: JoinedColumns) -> list[exp.Expr]:
        """Everything that tells members apart: what they show and which datasets they meet. The key tells all of it."""
        keys = [((), column) for column in self._node.path[-1].to_columns]
        if all(key in self.columns for key in keys):
            return [joined.column[key] for key in keys]
        return groupable(
            [*(joined.column[key] for key in self.columns), *(joined.matched_flag(path) for path in self.flags)]
        )


def _behind(bound: BoundAttribute) -> BoundAttribute:
    """The attribute as reached from the dimension that the fact joins."""
    return replace(bound, steps=bound.steps[1:])


def _over(function: exp.Expr, order: list[exp.Expr]) -> exp.Window:
    """A rank over rows in an order; where there is nothing to order by, all rows are alike."""
    keys = order or [exp.Null()]
    # Where NULLs stand does not matter, so what the warehouse does by itself is taken.
    ordered = exp.Order(expressions=[exp.Ordered(this=fresh(key), nulls_first=False) for key in keys])
    return exp.Window(this=function, order=ordered)


def _subquery(select: exp.Select, alias: str) -> exp.Subquery:
    return exp.Subquery(this=select, alias=exp.TableAlias(this=identifier(alias)))
