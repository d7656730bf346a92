"""A `ModelQuery` as SQL over the rows that its parts are answered from.

One part: one flat SELECT. Several: each part is grouped by itself, then their rows are laid over each other, key by key,
NULL keys included, and repeated parts are joined to that:

    WITH "store_sales" AS (SELECT … GROUP BY …), "web_sales" AS (SELECT … GROUP BY …)
    SELECT key, MAX(store metric), MAX(web metric) FROM (store_sales UNION ALL web_sales) GROUP BY key

A full outer join would say the same, but PostgreSQL has none on keys that may be NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.compose.finish import Values, finish, show
from airflow_atscale_aggs.engine.rewriting.compose.laid_members import all_members, rows_of_members, typed_null
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Lagged, Parallel, UpTo
from airflow_atscale_aggs.engine.rewriting.model_query import (
    ModelJoin,
    ModelQuery,
    Ref,
    argument_of,
    references,
    substitute,
)
from airflow_atscale_aggs.engine.rewriting.parse.inner_queries import with_subqueries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import ROLLED_UP, FactQuery
from airflow_atscale_aggs.engine.rewriting.split.many_to_many import has_several_members
from airflow_atscale_aggs.engine.rewriting.split.member_moves import (
    Calendar,
    join_members,
    over_members,
    select_members,
    select_moved_rows,
)
from airflow_atscale_aggs.engine.sql.fact_joins import all_of, groupable
from airflow_atscale_aggs.engine.sql.quoting import column_of, fresh, identifier, named
from airflow_atscale_aggs.engine.sql.rows import ROWS, AnswerRows, EdgeMetric, FactRows, MetricPieces, add_condition

_LONGEST_NAME = 55
"""Bytes; PostgreSQL keeps 63 of a name."""

RowsOf = Callable[[FactPart], FactRows]


def compose(
    query: ModelQuery,
    parts: Sequence[tuple[FactQuery, AnswerRows]],
    rows_of: RowsOf | None = None,
    members: Sequence[FactQuery] = (),
) -> exp.Select:
    """The SELECT that answers a query from the rows chosen for each part.

    Args:
        parts: from `split_by_fact`, in its order, each with its rows; the rows are used up.
        rows_of: gives rows of a dimension's dataset; needed where parts move among its members, and for ``members``.
        members: parts whose members are shown whether they have facts or not.
    """
    if len(parts) == 1 and not parts[0][0].is_repeated and not members:
        return with_subqueries(_flat(query, *parts[0]), query)
    assert rows_of is not None or not members  # noqa: S101 - whoever shows members gives their rows
    shown = [(part, rows_of(part.needed)) for part in members if rows_of is not None]
    return with_subqueries(_laid_together(query, parts, rows_of, shown), query)


def _flat(query: ModelQuery, part: FactQuery, rows: AnswerRows) -> exp.Select:
    group = _Group(query, part, rows)
    select = rows.select
    show(query, select, group.values)
    group.close(select)
    finish(query, select, group.values)
    return select


class _Group:
    """The filtered and grouped rows of one part."""

    def __init__(self, query: ModelQuery, part: FactQuery, rows: AnswerRows) -> None:
        self._query, self._part, self._rows = query, part, rows
        rows.keep_members([bound for place, bound in part.attributes.items() if place not in part.sliced])
        attributes: Values = {
            Ref.ATTRIBUTE: lambda place: rows.value(part.attributes[place], part.columns.get(place)),
            Ref.JOINED: lambda place: column_of(query.joined[place][1], query.joined[place][0]),
        }
        for join in query.joins:
            rows.select.append("joins", _joined(join, attributes))
        if part.where is not None:
            add_condition(rows.select, substitute(part.where, attributes))
        keys = [substitute(query.keys[place], attributes) for place in part.keys]
        if part.shift is not None and part.shift.each is not None:
            keys.append(rows.value(part.attributes[part.shift.each]).copy())
        members = [substitute(argument_of(one), attributes) for one in query.members]
        slices = [self._slice(one, attributes) for one in part.slices.values()]
        self._prepare(keys, members, slices)

    def _prepare(self, keys: list[exp.Expression], members: list[exp.Expression], slices: list[exp.Expression]) -> None:
        """Find out where everything is once the rows are filtered."""
        part, rows = self._part, self._rows
        if isinstance(rows, FactRows) and has_several_members(self._query, part):
            found = self._once(rows, keys, members, dict(zip(part.slices, slices, strict=True)))
        else:
            found = self._prepared(keys, [*members, *slices])
            conditions = [*part.slices, *part.edges]
            self._slices = dict(zip(conditions, found[len(keys) + len(members) :], strict=True))
        self._keys = dict(zip(part.keys, found, strict=False))
        self._grouped = found[: len(keys)]
        self._members = found[len(keys) : len(keys) + len(members)]

    def _once(
        self,
        rows: FactRows,
        keys: list[exp.Expression],
        members: list[exp.Expression],
        slices: Mapping[int, exp.Expression],
    ) -> list[exp.Expression]:
        """Each fact row counts once in each group."""
        part = self._part
        if part.edges:
            name = self._query.metrics[next(iter(part.edges))]
            reason = "a semi-additive metric is not answered where rows have several members of an attribute"
            raise UnsupportedQueryError(name, reason, "Group by the attribute itself, or leave it out.")
        if self._query.joins:
            reason = "a relation is not joined where rows have several members of an attribute"
            raise UnsupportedQueryError("JOIN", reason, "Put `SELECT … FROM model` into a subquery and join that.")
        conditions: dict[exp.Expression | None, None] = {slices.get(place): None for place in part.metrics}
        columns = [metric.column for metric in part.metrics.values() if metric is not None]
        found, firsts = rows.once(keys, members, list(conditions), columns)
        by_condition = dict(zip(conditions, firsts, strict=True))
        self._slices = {place: by_condition[slices.get(place)] for place in part.metrics}
        return found

    def _slice(self, condition: exp.Expression, attributes: Values) -> exp.Expression:
        """A metric's condition; as in WHERE, only rows with a member of what it names meet it."""
        made = substitute(condition, attributes)
        own = dict.fromkeys(references(condition, Ref.ATTRIBUTE))
        bounds = [self._part.attributes[place] for place in own if place in self._part.sliced]
        return all_of([_grouped_together(made), *self._rows.are_there(bounds)]) if bounds else made

    def _prepared(self, keys: list[exp.Expression], others: list[exp.Expression]) -> list[exp.Expression]:
        part, rows = self._part, self._rows
        if not part.edges or not isinstance(rows, FactRows):
            return rows.prepared(keys, others)
        measured = {place: metric.column for place, metric in part.metrics.items() if metric is not None}
        edges = [EdgeMetric(measured[place], edge.level, edge.is_last) for place, edge in part.edges.items()]
        return rows.with_edges(keys, others, edges, measured.values())

    @property
    def values(self) -> Values:
        """What K, M and G stand for; a metric that this part does not have is NULL."""
        return {
            Ref.KEY: lambda place: fresh(self._keys[place]),
            Ref.METRIC: self._metric,
            Ref.MEMBERS: self._member,
        }

    def replace_keys(self, keys: Mapping[int, exp.Expression]) -> None:
        """Group by other values in place of some keys."""
        self._keys |= keys
        self._grouped = list(self._keys.values())

    def close(self, select: exp.Select) -> None:
        """Group by the keys; by none of them when all are constants, of which no rows make no group."""
        keys = groupable(self._grouped)
        if keys:
            select.set("group", exp.Group(expressions=keys))
        elif self._grouped or not (self._part.metrics or self._query.members):
            # Without metrics there is one group all the same, also of no rows, unless constants are its keys.
            rows, least = exp.Count(this=exp.Star(), big_int=True), exp.Literal.number(0)
            kind = exp.GT if self._grouped else exp.GTE
            select.having(kind(this=rows, expression=least), copy=False)

    def _metric(self, place: int) -> exp.Expression:
        if place not in self._part.metrics:
            return _nothing(place, self._part)
        metric = self._part.metrics[place]
        quantile = metric.quantiles[0] if metric and metric.quantiles else ""
        pieces = MetricPieces(metric.calculation_method, metric.column, quantile) if metric else ROWS
        return self._rows.metric(pieces, self._slices.get(place))

    def _member(self, place: int) -> exp.Expression:
        made = self._query.members[place].copy()
        argument_of(made).replace(self._members[place].copy())
        return made


def _joined(join: ModelJoin, values: Values) -> exp.Join:
    on = substitute(join.on, values) if join.on is not None else None
    kind = "CROSS" if on is None and not join.is_left else None
    if on is None and join.is_left:
        on = exp.true()
    table = exp.Table(this=identifier(join.subquery))
    return exp.Join(this=table, side="LEFT" if join.is_left else None, kind=kind, on=on)


def _grouped_together(condition: exp.Expression) -> exp.Expression:
    return exp.Paren(this=condition) if isinstance(condition, exp.Or) else condition


def _nothing(place: int, part: FactQuery) -> exp.Expression:
    """A metric that is empty everywhere; numbers of any type take the type of whole ones in."""
    return exp.cast(exp.Null(), "bigint") if place in part.numbers else exp.Null()


def _laid_together(
    query: ModelQuery,
    parts: Sequence[tuple[FactQuery, AnswerRows]],
    rows_of: RowsOf | None,
    members: Sequence[tuple[FactQuery, AnswerRows]],
) -> exp.Select:
    calendars = _calendars(parts, rows_of)
    names = _Names(query, parts, [*calendars.values(), *(rows for _, rows in members)], is_shared=bool(members))
    whole = [part for part, _ in parts if not part.is_repeated]
    select = exp.Select()
    for name, table in _tables(query, parts, names, calendars):
        select.with_(identifier(name), as_=table, copy=False)
    is_merged = bool(query.keys or query.members) and (len(whole) > 1 or bool(members))
    spine = "all_parts" if is_merged else names.parts[0]
    if is_merged:
        union = _union(whole, names)
        for name, table in _member_tables(query, members, whole, names):
            select.with_(identifier(name), as_=table, copy=False)
        if members:
            union = exp.Union(this=union, expression=rows_of_members(whole, names), distinct=False)
        select.from_(exp.Subquery(this=union, alias=_table_alias(spine)), copy=False)
    else:
        select.from_(_table(spine), copy=False)
        for other in names.parts[1 : len(whole)]:
            select.append("joins", exp.Join(this=_table(other), kind="CROSS"))
    for number, (part, _) in enumerate(parts):
        if part.is_repeated:
            select.append("joins", _repeated(part, names, names.parts[number], spine))
    values = _laid_values(query, parts, names, spine, is_merged=is_merged)
    show(query, select, values)
    if is_merged:
        _merge(select, names, spine, is_told=any(part.shift is not None for part in whole))
    finish(query, select, values, is_grouped=is_merged)
    return select


def _merge(select: exp.Select, names: _Names, spine: str, *, is_told: bool) -> None:
    """One row for each group of the parts' rows."""
    if names.keys:
        select.group_by(*(column_of(name, spine) for name in names.keys), copy=False)
    if is_told:
        # A group is one that has rows of its own; what is measured elsewhere adds none.
        is_there = exp.Max(this=column_of(names.is_there, spine))
        select.having(exp.EQ(this=is_there, expression=exp.Literal.number(1)), copy=False)


def _calendars(parts: Sequence[tuple[FactQuery, AnswerRows]], rows_of: RowsOf | None) -> dict[Calendar, FactRows]:
    """Rows of all members that parts move among."""
    found = dict.fromkeys(part.shift.calendar for part, _ in parts if part.shift and part.shift.calendar)
    assert rows_of is not None or not found  # noqa: S101 - whoever asks for other members gives their rows
    return {calendar: rows_of(calendar.part) for calendar in found if rows_of is not None and calendar is not None}


def _tables(
    query: ModelQuery,
    parts: Sequence[tuple[FactQuery, AnswerRows]],
    names: _Names,
    members: Mapping[Calendar, FactRows],
) -> Iterator[tuple[str, exp.Select]]:
    """Every part by itself; before one that is measured elsewhere, what it is made of."""
    calendars: dict[Calendar, str] = {}
    for number, (part, rows) in enumerate(parts):
        scope = part.shift
        calendar = scope.calendar if scope is not None else None
        if calendar is not None and calendar not in calendars:
            calendars[calendar] = names.table(f"{calendar.level} members")
            yield calendars[calendar], select_members(calendar, members[calendar], dict(enumerate(names.keys)))
        if scope is None or scope.is_over_rows or (scope.move is None and scope.each is None):
            table = calendars[calendar] if calendar is not None else ""
            yield names.parts[number], _grouped(query, part, rows, names, table)
            continue
        single = names.table(f"{part.fact} by member")
        yield single, _grouped(query, part, rows, names)
        metrics = {
            names.metrics[place]: ROLLED_UP[metric.calculation_method]
            if scope.function == "aggregate"
            else scope.function
            for place, metric in part.metrics.items()
            if metric is not None
        }
        if calendar is None or scope.move is None:
            yield names.parts[number], _brought_together(part, names, single, metrics)
        else:
            keys = {place: names.keys[place] for place in part.keys}
            yield (
                names.parts[number],
                select_moved_rows(calendar, scope.move, (single, calendars[calendar]), keys, metrics),
            )


def _brought_together(part: FactQuery, names: _Names, rows: str, metrics: Mapping[str, str]) -> exp.Select:
    """A part's rows without the attribute that they were grouped by besides the keys."""
    select = exp.Select().from_(_table(rows), copy=False)
    keys = [column_of(names.keys[place], rows) for place in part.keys]
    for key in keys:
        select.select(key.copy(), copy=False)
    for name, function in metrics.items():
        select.select(named(over_members(function, column_of(name, rows)), name), copy=False)
    if keys:
        select.group_by(*keys, copy=False)
    return select


def _laid_values(
    query: ModelQuery, parts: Sequence[tuple[FactQuery, AnswerRows]], names: _Names, spine: str, *, is_merged: bool
) -> Values:
    """Where keys and metrics of all parts are found."""
    owner = {
        place: spine if is_merged and not part.is_repeated else names.parts[number]
        for number, (part, _) in enumerate(parts)
        for place in part.metrics
    }

    def metric(place: int) -> exp.Expression:
        if place not in owner:
            return _nothing(place, parts[0][0])
        column = column_of(names.metrics[place], owner[place])
        return exp.Max(this=column) if is_merged else column

    def member(place: int) -> exp.Expression:
        column = column_of(names.members[place], spine)
        return query.members[place].__class__(this=column) if is_merged else column

    return {Ref.KEY: lambda place: column_of(names.keys[place], spine), Ref.METRIC: metric, Ref.MEMBERS: member}


def _member_tables(
    query: ModelQuery, members: Sequence[tuple[FactQuery, AnswerRows]], whole: Sequence[FactQuery], names: _Names
) -> Iterator[tuple[str, exp.Select]]:
    """Members of each dimension that shows all of them; last, each of them with all that stands beside them."""
    places: dict[str, tuple[int, ...]] = {}
    for part, rows in members:
        name = names.table(f"{part.fact} members")
        places[name] = part.keys
        yield name, _grouped(query, part, rows, names)
    if members:
        yield names.shown, all_members(places, whole, names)


class _Names:
    """Names of parts, keys and metrics inside a query over several facts."""

    def __init__(
        self,
        query: ModelQuery,
        parts: Sequence[tuple[FactQuery, AnswerRows]],
        members: Iterable[AnswerRows],
        *,
        is_shared: bool = False,
    ) -> None:
        self.parts: list[str] = []
        # Where several tables read one of the warehouse's, none may hide it from the next.
        read = [*(rows for _, rows in parts), *members] if is_shared or any(part.shift for part, _ in parts) else []
        self._tables = [one.name for rows in read for one in rows.select.find_all(exp.Table) if not one.db]
        for part, _ in parts:
            self.parts.append(self.table(f"{part.fact}{_said(part)}"))
        taken: list[str] = []
        for number in range(len(query.keys)):
            taken.append(_free(query.name_of_key(number), taken))
        self.keys = list(taken)
        for name in query.metrics:
            taken.append(_free(name or "count", taken))
        self.metrics = taken[len(self.keys) :]
        self.members: list[str] = []
        for number in range(len(query.members)):
            taken.append(_free(f"member {number + 1}", taken))
            self.members.append(taken[-1])
        self.is_there = _free("is there", taken)
        self.shown = self.table("shown members")

    def table(self, name: str) -> str:
        """A name for one more table."""
        self._tables.append(_free(name, self._tables))
        return self._tables[-1]


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, numbered when it is taken; short enough that no warehouse cuts it, which would make two names one."""
    folded = {one.casefold() for one in taken}
    start = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    number, chosen = 1, start
    while chosen.casefold() in folded:
        number += 1
        chosen = f"{start} {number}"
    return chosen


def _grouped(query: ModelQuery, part: FactQuery, rows: AnswerRows, names: _Names, members: str = "") -> exp.Select:
    """One part by itself: its keys and metrics; over rows that stand at several members when their table is given."""
    group = _Group(query, part, rows)
    select, scope = rows.select, part.shift
    if scope is not None and scope.calendar is not None and scope.move is not None and members:
        keys = {place: (names.keys[place], group.values[Ref.KEY](place)) for place in part.keys}
        group.replace_keys(join_members(scope.calendar, scope.move, select, members, keys))
    for place in part.keys:
        select.select(named(group.values[Ref.KEY](place), names.keys[place]), copy=False)
    for place in part.metrics:
        select.select(named(group.values[Ref.METRIC](place), names.metrics[place]), copy=False)
    for number, name in enumerate(names.members):
        select.select(named(group.values[Ref.MEMBERS](number), name), copy=False)
    if not select.expressions:
        select.select(named(exp.Literal.number(1), names.is_there), copy=False)
    group.close(select)
    return select


def _said(part: FactQuery) -> str:
    """Where a part is measured, in a few words."""
    if part.shift is None:
        return ""
    match part.shift.move:
        case None:
            return " over members" if part.shift.each is not None else " of all"
        case Lagged(lag=lag):
            return f" {abs(lag)} {'before' if lag >= 0 else 'after'}"
        case Parallel(level=level, lag=lag):
            return f" {abs(lag)} {level} {'before' if lag >= 0 else 'after'}"
        case UpTo(level=level):
            return f" up to date in {level}"
    return " around"


def _union(whole: Sequence[FactQuery], names: _Names) -> exp.Expression:
    """All parts' rows, one below the other; what a part does not have is a NULL of the type that the other part has."""
    union: exp.Expression | None = None
    is_told = any(part.shift is not None for part in whole)
    for number, part in enumerate(whole):
        here = names.parts[number]
        select = exp.Select().from_(_table(here), copy=False)
        for name in (*names.keys, *names.members):
            select.select(column_of(name, here), copy=False)
        for other, owner in enumerate(whole):
            for place in owner.metrics:
                column = column_of(names.metrics[place], names.parts[other])
                if place not in part.metrics:
                    value: exp.Expression = typed_null(names.metrics[place], names.parts[other])
                else:
                    value = column
                select.select(named(value, names.metrics[place]), copy=False)
        if is_told:
            is_there = exp.Literal.number(0 if part.shift is not None else 1)
            select.select(named(is_there, names.is_there), copy=False)
        union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
    assert union is not None  # noqa: S101 - there are two parts at least
    return union


def _repeated(part: FactQuery, names: _Names, here: str, spine: str) -> exp.Join:
    """A part with fewer keys, joined on those that it has."""
    if not part.shown:
        return exp.Join(this=_table(here), kind="CROSS")
    pairs = [
        exp.NullSafeEQ(this=column_of(names.keys[place], spine), expression=column_of(names.keys[place], here))
        for place in part.shown
    ]
    return exp.Join(this=_table(here), side="LEFT", on=exp.and_(*pairs, copy=False))


def _table(name: str) -> exp.Table:
    return exp.Table(this=identifier(name))


def _table_alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=identifier(name))
