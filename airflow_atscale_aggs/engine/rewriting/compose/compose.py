"""Composes a `ModelQuery` as SQL over the rows that its fact queries are answered from.

One fact query gives one flat SELECT. Of several, each is grouped by itself. Then their rows are combined key by key,
NULL keys included, and repeated fact queries are joined to the result:

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
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, fresh, identifier
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
    """The SELECT that answers a query from the rows chosen for each fact query.

    Args:
        parts: the fact queries from `split_by_fact`, in its order, each with its rows; the rows are used up.
        rows_of: gives rows of a dimension's dataset; needed where rows move among its members, and for ``members``.
        members: fact queries whose members are shown whether they have facts or not.
    """
    if len(parts) == 1 and not parts[0][0].is_repeated and not members:
        return with_subqueries(_compose_one(query, *parts[0]), query)
    assert rows_of is not None or not members  # noqa: S101 - whoever shows members gives their rows
    shown = [(fact_query, rows_of(fact_query.needed)) for fact_query in members if rows_of is not None]
    return with_subqueries(_compose_several(query, parts, rows_of, shown), query)


def _compose_one(query: ModelQuery, fact_query: FactQuery, rows: AnswerRows) -> exp.Select:
    group = _Group(query, fact_query, rows)
    select = rows.select
    show(query, select, group.values)
    group.close(select)
    finish(query, select, group.values)
    return select


class _Group:
    """The filtered and grouped rows of one fact query."""

    def __init__(self, query: ModelQuery, fact_query: FactQuery, rows: AnswerRows) -> None:
        self._query, self._fact_query, self._rows = query, fact_query, rows
        rows.keep_members([bound for place, bound in fact_query.attributes.items() if place not in fact_query.sliced])
        attributes: Values = {
            Ref.ATTRIBUTE: lambda place: rows.value(fact_query.attributes[place], fact_query.columns.get(place)),
            Ref.JOINED: lambda place: column_of(query.joined[place][1], query.joined[place][0]),
        }
        for join in query.joins:
            rows.select.append("joins", _render_join(join, attributes))
        if fact_query.where is not None:
            add_condition(rows.select, substitute(fact_query.where, attributes))
        keys = [substitute(query.keys[key_place], attributes) for key_place in fact_query.keys]
        if fact_query.shift is not None and fact_query.shift.each is not None:
            keys.append(rows.value(fact_query.attributes[fact_query.shift.each]).copy())
        members = [substitute(argument_of(member), attributes) for member in query.members]
        slices = [self._slice(condition, attributes) for condition in fact_query.slices.values()]
        self._prepare(keys, members, slices)

    def _prepare(self, keys: list[exp.Expr], members: list[exp.Expr], slices: list[exp.Expr]) -> None:
        """Find the columns of keys, members and conditions after the rows are filtered."""
        fact_query, rows = self._fact_query, self._rows
        if isinstance(rows, FactRows) and has_several_members(self._query, fact_query):
            prepared = self._count_rows_once(rows, keys, members, dict(zip(fact_query.slices, slices, strict=True)))
        else:
            prepared = self._prepare_rows(keys, [*members, *slices])
            conditions = [*fact_query.slices, *fact_query.edges]
            self._slices = dict(zip(conditions, prepared[len(keys) + len(members) :], strict=True))
        self._keys = dict(zip(fact_query.keys, prepared, strict=False))
        self._group_keys = prepared[: len(keys)]
        self._members = prepared[len(keys) : len(keys) + len(members)]

    def _count_rows_once(
        self,
        rows: FactRows,
        keys: list[exp.Expr],
        members: list[exp.Expr],
        slices: Mapping[int, exp.Expr],
    ) -> list[exp.Expr]:
        """Prepare the rows so that each fact row counts once in each group."""
        fact_query = self._fact_query
        if fact_query.edges:
            name = self._query.metrics[next(iter(fact_query.edges))]
            reason = "a semi-additive metric is not answered where rows have several members of an attribute"
            raise UnsupportedQueryError(name, reason, "Group by the attribute itself, or leave it out.")
        if self._query.joins:
            reason = "a relation is not joined where rows have several members of an attribute"
            raise UnsupportedQueryError("JOIN", reason, "Put `SELECT … FROM model` into a subquery and join that.")
        conditions: dict[exp.Expr | None, None] = {
            slices.get(metric_place): None for metric_place in fact_query.metrics
        }
        columns = [metric.column for metric in fact_query.metrics.values() if metric is not None]
        values, firsts = rows.count_once(keys, members, list(conditions), columns)
        by_condition = dict(zip(conditions, firsts, strict=True))
        self._slices = {metric_place: by_condition[slices.get(metric_place)] for metric_place in fact_query.metrics}
        return values

    def _slice(self, condition: exp.Expr, attributes: Values) -> exp.Expr:
        """A metric's condition; as in WHERE, only rows with a member of what it names meet it."""
        rendered = substitute(condition, attributes)
        places = dict.fromkeys(references(condition, Ref.ATTRIBUTE))
        bounds = [self._fact_query.attributes[at] for at in places if at in self._fact_query.sliced]
        return all_of([_parenthesize(rendered), *self._rows.conditions_of_members(bounds)]) if bounds else rendered

    def _prepare_rows(self, keys: list[exp.Expr], others: list[exp.Expr]) -> list[exp.Expr]:
        fact_query, rows = self._fact_query, self._rows
        if not fact_query.edges or not isinstance(rows, FactRows):
            return rows.prepare_groups(keys, others)
        measured = {place: metric.column for place, metric in fact_query.metrics.items() if metric is not None}
        edges = [EdgeMetric(measured[place], edge.level, edge.is_last) for place, edge in fact_query.edges.items()]
        return rows.mark_edges(keys, others, edges, measured.values())

    @property
    def values(self) -> Values:
        """What K, M and G stand for; a metric that this fact query does not have is NULL."""
        return {
            Ref.KEY: lambda place: fresh(self._keys[place]),
            Ref.METRIC: self._metric,
            Ref.MEMBERS: self._member,
        }

    def replace_keys(self, keys: Mapping[int, exp.Expr]) -> None:
        """Group by other values in place of some keys."""
        self._keys |= keys
        self._group_keys = list(self._keys.values())

    def close(self, select: exp.Select) -> None:
        """Group by the keys that are no constants. Where all keys are constants, no rows make no group."""
        keys = groupable(self._group_keys)
        if keys:
            select.set("group", exp.Group(expressions=keys))
        elif self._group_keys or not (self._fact_query.metrics or self._query.members):
            # Without metrics there is one group all the same, also of no rows, unless constants are its keys.
            rows, least = exp.Count(this=exp.Star(), big_int=True), exp.Literal.number(0)
            kind = exp.GT if self._group_keys else exp.GTE
            select.having(kind(this=rows, expression=least), copy=False)

    def _metric(self, place: int) -> exp.Expr:
        if place not in self._fact_query.metrics:
            return _empty_metric(place, self._fact_query)
        metric = self._fact_query.metrics[place]
        quantile = metric.quantiles[0] if metric and metric.quantiles else ""
        pieces = MetricPieces(metric.calculation_method, metric.column, quantile) if metric else ROWS
        return self._rows.metric(pieces, self._slices.get(place))

    def _member(self, place: int) -> exp.Expr:
        aggregate = self._query.members[place].copy()
        argument_of(aggregate).replace(self._members[place].copy())
        return aggregate


def _render_join(join: ModelJoin, values: Values) -> exp.Join:
    on = substitute(join.on, values) if join.on is not None else None
    kind = "CROSS" if on is None and not join.is_left else None
    if on is None and join.is_left:
        on = exp.true()
    table = exp.Table(this=identifier(join.subquery))
    return exp.Join(this=table, side="LEFT" if join.is_left else None, kind=kind, on=on)


def _parenthesize(condition: exp.Expr) -> exp.Expr:
    return exp.Paren(this=condition) if isinstance(condition, exp.Or) else condition


def _empty_metric(place: int, fact_query: FactQuery) -> exp.Expr:
    """A metric that is empty everywhere. A number is NULL of type bigint, which combines with every number type."""
    return exp.cast(exp.Null(), "bigint") if place in fact_query.numbers else exp.Null()


def _compose_several(
    query: ModelQuery,
    parts: Sequence[tuple[FactQuery, AnswerRows]],
    rows_of: RowsOf | None,
    members: Sequence[tuple[FactQuery, AnswerRows]],
) -> exp.Select:
    calendars = _calendars(parts, rows_of)
    names = _Names(query, parts, [*calendars.values(), *(rows for _, rows in members)], is_shared=bool(members))
    whole = [fact_query for fact_query, _ in parts if not fact_query.is_repeated]
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
    for number, (fact_query, _) in enumerate(parts):
        if fact_query.is_repeated:
            select.append("joins", _join_by_keys(fact_query, names, names.parts[number], spine))
    values = _laid_values(query, parts, names, spine, is_merged=is_merged)
    show(query, select, values)
    if is_merged:
        _merge(select, names, spine, has_shifted=any(fact_query.shift is not None for fact_query in whole))
    finish(query, select, values, is_grouped=is_merged)
    return select


def _merge(select: exp.Select, names: _Names, spine: str, *, has_shifted: bool) -> None:
    """Group the rows of all fact queries by the keys."""
    if names.keys:
        select.group_by(*(column_of(name, spine) for name in names.keys), copy=False)
    if has_shifted:
        # Only rows of the group itself make a group. Shifted metrics add none.
        is_there = exp.Max(this=column_of(names.is_there, spine))
        select.having(exp.EQ(this=is_there, expression=exp.Literal.number(1)), copy=False)


def _calendars(parts: Sequence[tuple[FactQuery, AnswerRows]], rows_of: RowsOf | None) -> dict[Calendar, FactRows]:
    """Rows of all members that rows move among, by calendar."""
    calendars = dict.fromkeys(
        fact_query.shift.calendar for fact_query, _ in parts if fact_query.shift and fact_query.shift.calendar
    )
    assert rows_of is not None or not calendars  # noqa: S101 - whoever asks for other members gives their rows
    return {calendar: rows_of(calendar.part) for calendar in calendars if rows_of is not None and calendar is not None}


def _tables(
    query: ModelQuery,
    parts: Sequence[tuple[FactQuery, AnswerRows]],
    names: _Names,
    members: Mapping[Calendar, FactRows],
) -> Iterator[tuple[str, exp.Select]]:
    """A table for each fact query. Before one with a context shift stand the tables that it reads."""
    calendars: dict[Calendar, str] = {}
    for number, (fact_query, rows) in enumerate(parts):
        shift = fact_query.shift
        calendar = shift.calendar if shift is not None else None
        if calendar is not None and calendar not in calendars:
            calendars[calendar] = names.table(f"{calendar.level} members")
            yield calendars[calendar], select_members(calendar, members[calendar], dict(enumerate(names.keys)))
        if shift is None or shift.is_over_rows or (shift.move is None and shift.each is None):
            table = calendars[calendar] if calendar is not None else ""
            yield names.parts[number], _select_group(query, fact_query, rows, names, table)
            continue
        single = names.table(f"{fact_query.fact} by member")
        yield single, _select_group(query, fact_query, rows, names)
        metrics = {
            names.metrics[place]: ROLLED_UP[metric.calculation_method]
            if shift.function == "aggregate"
            else shift.function
            for place, metric in fact_query.metrics.items()
            if metric is not None
        }
        if calendar is None or shift.move is None:
            yield names.parts[number], _bring_together(fact_query, names, single, metrics)
        else:
            keys = {key_place: names.keys[key_place] for key_place in fact_query.keys}
            yield (
                names.parts[number],
                select_moved_rows(calendar, shift.move, single, calendars[calendar], keys, metrics),
            )


def _bring_together(fact_query: FactQuery, names: _Names, rows: str, metrics: Mapping[str, str]) -> exp.Select:
    """Aggregate the rows of a fact query over the attribute that they were grouped by besides the keys."""
    select = exp.Select().from_(_table(rows), copy=False)
    keys = [column_of(names.keys[key_place], rows) for key_place in fact_query.keys]
    for key in keys:
        select.select(key.copy(), copy=False)
    for name, function in metrics.items():
        select.select(alias_as(over_members(function, column_of(name, rows)), name), copy=False)
    if keys:
        select.group_by(*keys, copy=False)
    return select


def _laid_values(
    query: ModelQuery, parts: Sequence[tuple[FactQuery, AnswerRows]], names: _Names, spine: str, *, is_merged: bool
) -> Values:
    """The columns that keys, metrics and members of all fact queries stand in."""
    owner = {
        place: spine if is_merged and not fact_query.is_repeated else names.parts[number]
        for number, (fact_query, _) in enumerate(parts)
        for place in fact_query.metrics
    }

    def metric(place: int) -> exp.Expr:
        if place not in owner:
            return _empty_metric(place, parts[0][0])
        column = column_of(names.metrics[place], owner[place])
        return exp.Max(this=column) if is_merged else column

    def member(place: int) -> exp.Expr:
        column = column_of(names.members[place], spine)
        return query.members[place].__class__(this=column) if is_merged else column

    return {Ref.KEY: lambda place: column_of(names.keys[place], spine), Ref.METRIC: metric, Ref.MEMBERS: member}


def _member_tables(
    query: ModelQuery, members: Sequence[tuple[FactQuery, AnswerRows]], whole: Sequence[FactQuery], names: _Names
) -> Iterator[tuple[str, exp.Select]]:
    """A table of members for each dimension that shows all of them, and last the table that adds the other keys."""
    places: dict[str, tuple[int, ...]] = {}
    for fact_query, rows in members:
        name = names.table(f"{fact_query.fact} members")
        places[name] = fact_query.keys
        yield name, _select_group(query, fact_query, rows, names)
    if members:
        yield names.shown, all_members(places, whole, names)


class _Names:
    """Names of tables, keys and metrics inside a query over several facts."""

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
        sources = (
            [*(rows for _, rows in parts), *members]
            if is_shared or any(fact_query.shift for fact_query, _ in parts)
            else []
        )
        self._tables = [table.name for rows in sources for table in rows.select.find_all(exp.Table) if not table.db]
        for fact_query, _ in parts:
            self.parts.append(self.table(f"{fact_query.fact}{_describe_shift(fact_query)}"))
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
    folded = {taken_name.casefold() for taken_name in taken}
    start = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    number, chosen = 1, start
    while chosen.casefold() in folded:
        number += 1
        chosen = f"{start} {number}"
    return chosen


def _select_group(
    query: ModelQuery, fact_query: FactQuery, rows: AnswerRows, names: _Names, members: str = ""
) -> exp.Select:
    """The SELECT of one fact query: its keys and metrics.

    Given the name of the members' table, its rows are shown at several members.
    """
    group = _Group(query, fact_query, rows)
    select, shift = rows.select, fact_query.shift
    if shift is not None and shift.calendar is not None and shift.move is not None and members:
        keys = {key_place: (names.keys[key_place], group.values[Ref.KEY](key_place)) for key_place in fact_query.keys}
        group.replace_keys(join_members(shift.calendar, shift.move, select, members, keys))
    for key_place in fact_query.keys:
        select.select(alias_as(group.values[Ref.KEY](key_place), names.keys[key_place]), copy=False)
    for metric_place in fact_query.metrics:
        select.select(alias_as(group.values[Ref.METRIC](metric_place), names.metrics[metric_place]), copy=False)
    for number, name in enumerate(names.members):
        select.select(alias_as(group.values[Ref.MEMBERS](number), name), copy=False)
    if not select.expressions:
        select.select(alias_as(exp.Literal.number(1), names.is_there), copy=False)
    group.close(select)
    return select


def _describe_shift(fact_query: FactQuery) -> str:
    """The context shift of a fact query in a few words, for the name of its table."""
    if fact_query.shift is None:
        return ""
    match fact_query.shift.move:
        case None:
            return " over members" if fact_query.shift.each is not None else " of all"
        case Lagged(lag=lag):
            return f" {abs(lag)} {'before' if lag >= 0 else 'after'}"
        case Parallel(level=level, lag=lag):
            return f" {abs(lag)} {level} {'before' if lag >= 0 else 'after'}"
        case UpTo(level=level):
            return f" up to date in {level}"
    return " around"


def _union(whole: Sequence[FactQuery], names: _Names) -> exp.Expr:
    """The rows of all fact queries, one below the other.

    A metric that one of them lacks is NULL, of the type that the metric has in another.
    """
    union: exp.Expr | None = None
    has_shifted = any(fact_query.shift is not None for fact_query in whole)
    for number, fact_query in enumerate(whole):
        here = names.parts[number]
        select = exp.Select().from_(_table(here), copy=False)
        for name in (*names.keys, *names.members):
            select.select(column_of(name, here), copy=False)
        for other, owner in enumerate(whole):
            for metric_place in owner.metrics:
                column = column_of(names.metrics[metric_place], names.parts[other])
                if metric_place not in fact_query.metrics:
                    value: exp.Expr = typed_null(names.metrics[metric_place], names.parts[other])
                else:
                    value = column
                select.select(alias_as(value, names.metrics[metric_place]), copy=False)
        if has_shifted:
            is_there = exp.Literal.number(0 if fact_query.shift is not None else 1)
            select.select(alias_as(is_there, names.is_there), copy=False)
        union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
    assert union is not None  # noqa: S101 - there are two parts at least
    return union


def _join_by_keys(fact_query: FactQuery, names: _Names, here: str, spine: str) -> exp.Join:
    """Join a fact query with fewer keys on those that it has."""
    if not fact_query.shown:
        return exp.Join(this=_table(here), kind="CROSS")
    pairs = [
        exp.NullSafeEQ(this=column_of(names.keys[place], spine), expression=column_of(names.keys[place], here))
        for place in fact_query.shown
    ]
    return exp.Join(this=_table(here), side="LEFT", on=exp.and_(*pairs, copy=False))


def _table(name: str) -> exp.Table:
    return exp.Table(this=identifier(name))


def _table_alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=identifier(name))
