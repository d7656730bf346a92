"""Rows to answer a query from: a fact dataset with its dimensions, or an aggregate's table. Both are asked alike.

    value(attribute)    what readers see of it: its name column
    is_there(attribute) whether the row has a member of its dimension
    metric(metric)      an aggregate over a group of rows

Source: DESIGN "Keys and names", "Unknown members", "Measures".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.sql.capabilities import AverageType
from airflow_atscale_aggs.engine.sql.derivations import InstanceRows, where
from airflow_atscale_aggs.engine.sql.empty_members import paths_with_members, shown_value
from airflow_atscale_aggs.engine.sql.exact_quantiles import quantile_of
from airflow_atscale_aggs.engine.sql.fact_joins import JoinComposer, ProvenConstraints, groupable, join_tree
from airflow_atscale_aggs.engine.sql.physical_names import StoredColumns
from airflow_atscale_aggs.engine.sql.queries import as_double, check_measurable, sum_of
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, fresh, identifier
from airflow_atscale_aggs.engine.sql.seen_rows import guarded
from airflow_atscale_aggs.engine.sql.sources import Sources

AGGREGATE_ALIAS = "agg"


@dataclass(frozen=True, slots=True)
class MetricPieces:
    """A metric as SQL needs it.

    Attributes:
        method: the calculation method; empty for the number of rows.
        quantile: of a percentile, a decimal number from 0 to 1.
    """

    method: str
    column: str
    quantile: str = ""


ROWS = MetricPieces("", "")


Restrict = Callable[[exp.Expr, str], exp.Expr]
"""Gives what stands in place of a relation under an alias."""


class AnswerRows(Protocol):
    """What a query is composed over."""

    @property
    def select(self) -> exp.Select:
        """FROM and joins; nothing is selected or filtered yet."""

    def see_only(self, restrict: Restrict) -> None:
        """Leave out rows that the reader may not see; to be called first."""

    def value(self, bound: BoundAttribute, column: str | None = None) -> exp.Expr:
        """What a reader sees of an attribute, made anew: its name, or a column of its key."""

    def keep_members(self, attributes: Sequence[BoundAttribute]) -> None:
        """Leave out rows without a member of an attribute's dimension, where the model's join rule says so."""

    def conditions_of_members(self, attributes: Sequence[BoundAttribute]) -> list[exp.Expr]:
        """Conditions that leave out rows without a member of the attributes' dimensions, if the join rules say so."""

    def prepare_groups(self, groups: list[exp.Expr], others: list[exp.Expr]) -> list[exp.Expr]:
        """Prepare the grouping. It is called when all filters are added.

        Returns:
            Where the groups and the other expressions are from now on, in order.
        """

    def metric(self, metric: MetricPieces, only: exp.Expr | None = None) -> exp.Expr:
        """A metric over a group of rows, or over those of them that meet a condition."""


@dataclass(frozen=True, slots=True)
class EdgeMetric:
    """A column that is measured only in the rows of a group with the first, or the last, member of a level."""

    column: str
    level: BoundAttribute
    is_last: bool


def add_condition(select: exp.Select, condition: exp.Expr) -> None:
    """One more condition for the rows of a SELECT, without needless parentheses."""
    where = select.args.get("where")
    if where is None:
        select.set("where", exp.Where(this=condition))
        return
    both = [exp.Paren(this=side) if isinstance(side, exp.Or) else side for side in (where.this, condition)]
    where.set("this", exp.And(this=both[0], expression=both[1]))


class FactRows:
    """A fact dataset joined to the dimensions that a query uses."""

    def __init__(self, needed: FactPart, sources: Sources, constraints: ProvenConstraints) -> None:
        self.select = exp.Select()
        self._sources, self._source = sources, sources[needed.fact]
        self._alias, self._joined = JoinComposer(sources, constraints).root(
            join_tree(needed.fact, needed.attributes), self.select
        )
        self._measured: dict[str, exp.Expr] = {}
        self._is_restricted = False

    def see_only(self, restrict: Restrict) -> None:
        """Read the fact through a subquery."""
        source = self.select.args["from_"]
        source.set("this", restrict(source.this, self._alias))
        self._is_restricted = True

    def value(self, bound: BoundAttribute, column: str | None = None) -> exp.Expr:
        """The column, joined; of rows without a member what the model says of them."""
        value = shown_value(bound, column, self._sources, lambda name: fresh(self._joined.column[bound.steps, name]))
        return guarded(value, self._alias) if self._is_restricted else value

    def keep_members(self, attributes: Sequence[BoundAttribute]) -> None:
        """Inner joins where the match is the join itself, else a condition."""
        joins = {join.alias_or_name: join for join in self.select.args.get("joins") or ()}
        for path in paths_with_members(attributes):
            test = self._joined.is_matched[path]
            join = joins.get(test.this.this.table) if isinstance(test, exp.Not) else None
            if join is None:
                add_condition(self.select, test.copy())
                continue
            # An inner join on a key says that the key is there.
            for depth in range(1, len(path) + 1):
                above = self._joined.is_matched.get(path[:depth])
                on_the_way = joins.get(above.this.this.table) if isinstance(above, exp.Not) else None
                if on_the_way is not None:
                    on_the_way.set("side", None)

    def conditions_of_members(self, attributes: Sequence[BoundAttribute]) -> list[exp.Expr]:
        """The matches of their joins."""
        return [self._joined.is_matched[path].copy() for path in paths_with_members(attributes)]

    def prepare_groups(self, groups: list[exp.Expr], others: list[exp.Expr]) -> list[exp.Expr]:
        """Nothing to prepare."""
        return [*groups, *others]

    def mark_edges(
        self,
        groups: Sequence[exp.Expr],
        others: Sequence[exp.Expr],
        edges: Sequence[EdgeMetric],
        columns: Iterable[str],
    ) -> list[exp.Expr]:
        """Wrap what is selected so far, so that each row knows whether it has the first or last member of its group.

        Rows without a value or without a member are nowhere first or last.

        Args:
            groups: what will be grouped by.
            others: further expressions over the rows that are needed afterwards.
            columns: of the fact, that metrics measure.

        Returns:
            Where groups, others and the conditions of the edges are found now, in order.
        """
        inner, shown = self.select, [*groups, *others, *(self._edge_condition(edge, groups) for edge in edges)]
        for number, value in enumerate(shown):
            inner.select(alias_as(value.copy(), f"to_{number}"), copy=False)
        self._measure_outside(inner, columns)
        return [column_of(f"to_{number}", self._alias) for number in range(len(shown))]

    def count_once(
        self,
        groups: Sequence[exp.Expr],
        others: Sequence[exp.Expr],
        conditions: Sequence[exp.Expr | None],
        columns: Iterable[str],
    ) -> tuple[list[exp.Expr], list[exp.Expr]]:
        """Wrap what is selected so far.

        Then each fact row counts once in each group, by however many members it is met.

        Args:
            groups: what will be grouped by.
            others: further expressions over the rows that are needed afterwards.
            conditions: of metrics; None for all rows. Of the rows that meet one, each fact row counts once in a group.
            columns: of the fact, that metrics measure.

        Returns:
            Where groups and others are found now, and the condition that takes the place of each condition.
        """
        numbered = self._number_rows()
        inner, alias = self.select, self._alias
        flags = [_first_row_number(numbered, groups, condition) for condition in conditions]
        shown = [*groups, *others, *flags]
        for number, value in enumerate(shown):
            inner.select(alias_as(value.copy(), f"to_{number}"), copy=False)
        self._measure_outside(inner, columns)
        places: list[exp.Expr] = [column_of(f"to_{number}", alias) for number in range(len(shown))]
        places_of_values = len(groups) + len(others)
        number_one = exp.Literal.number(1)
        return places[:places_of_values], [
            exp.EQ(this=place, expression=number_one.copy()) for place in places[places_of_values:]
        ]

    def _number_rows(self) -> exp.Expr:
        """Give each row of the fact a number of its own; returns where it is."""
        name, source = "fact row", self.select.args["from_"]
        order = exp.Order(expressions=[exp.Ordered(this=exp.Null())])
        number = alias_as(exp.Window(this=exp.RowNumber(), order=order), name)
        everything = exp.Column(this=exp.Star(), table=identifier(self._alias))
        inner = exp.Select(expressions=[everything, number]).from_(source.this, copy=False)
        source.set("this", exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(self._alias))))
        return column_of(name, self._alias)

    def _measure_outside(self, inner: exp.Select, columns: Iterable[str]) -> None:
        """Hand columns that metrics measure through a SELECT, which becomes FROM."""
        for number, column in enumerate(dict.fromkeys(columns)):
            inner.select(alias_as(self._source.column(column, self._alias), f"measure_{number}"), copy=False)
            self._measured[column] = column_of(f"measure_{number}", self._alias)
        wrapped = exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(self._alias)))
        self.select = exp.Select().from_(wrapped, copy=False)

    def _edge_condition(self, edge: EdgeMetric, groups: Sequence[exp.Expr]) -> exp.Expr:
        key = self._joined.column[edge.level.steps, edge.level.key_columns[0]]
        value = self._source.column(edge.column, self._alias)
        has_value = exp.Not(this=exp.Is(this=value, expression=exp.Null()))
        key_with_value = exp.Case(ifs=[exp.If(this=has_value, true=key.copy())])
        edge_key = exp.Max(this=key_with_value) if edge.is_last else exp.Min(this=key_with_value)
        key_of_group = exp.Window(this=edge_key, partition_by=groupable(groups))
        return exp.EQ(this=key.copy(), expression=key_of_group)

    def metric(self, metric: MetricPieces, only: exp.Expr | None = None) -> exp.Expr:
        """The aggregate function of the metric's method over its column."""
        if not metric.method:
            rows = exp.Star() if only is None else where(exp.Literal.number(1), only)
            return exp.Count(this=rows, big_int=True)
        check_measurable(metric.method, self._source, metric.column)
        own = self._measured.get(metric.column)
        column = where(own.copy() if own is not None else self._source.column(metric.column, self._alias), only)
        if metric.method == "average":
            return self._average(column, metric.column)
        if metric.method == "percentile":
            return quantile_of(column, metric.quantile, self._source.dialect)
        if metric.method.startswith("sum"):
            return sum_of(column, self._source, metric.column, is_distinct=metric.method == "sum distinct")
        if "count" in metric.method and not self._is_estimated(metric.method):
            is_distinct = metric.method.endswith("distinct")
            return exp.Count(this=exp.Distinct(expressions=[column]) if is_distinct else column, big_int=True)
        return _FUNCTIONS[metric.method](this=as_double(column) if metric.method in _DEVIATIONS else column)

    def _average(self, column: exp.Expr, name: str) -> exp.Expr:
        """The same from facts as from stored sums and counts, to the last digit but one."""
        if self._source.data_type(name).startswith("bool"):
            column = exp.cast(column, "int")
        elif self._source.dialect.average is AverageType.CUT or self._source.dialect.sums_wrap:
            count = exp.Count(this=column.copy(), big_int=True)
            return exp.Div(this=as_double(sum_of(column, self._source, name)), expression=_or_null(count))
        return as_double(exp.Avg(this=column))

    def _is_estimated(self, method: str) -> bool:
        """An exact count is a good estimate where the warehouse has no other."""
        return method.startswith("estimated") and self._source.dialect.approx_count_distinct is not None


def _first_row_number(row: exp.Expr, groups: Sequence[exp.Expr], condition: exp.Expr | None) -> exp.Expr:
    """1 in one of the rows of each fact row in each group, among those that meet a condition."""
    test = exp.Literal.number(1)
    row_if_met = test if condition is None else exp.Case(ifs=[exp.If(this=condition.copy(), true=test)])
    partition = [row.copy(), *groupable(groups), *([row_if_met.copy()] if condition is not None else [])]
    order = exp.Order(expressions=[exp.Ordered(this=row.copy())])
    number = exp.Window(this=exp.RowNumber(), partition_by=partition, order=order)
    return number if condition is None else exp.Case(ifs=[exp.If(this=condition.copy(), true=number)])


_DEVIATIONS: Mapping[str, type[exp.Expr]] = {
    "stddev_samp": exp.StddevSamp,
    "stddev_pop": exp.StddevPop,
    "var_samp": exp.Variance,
    "var_pop": exp.VariancePop,
}
_FUNCTIONS: Mapping[str, type[exp.Expr]] = {
    **_DEVIATIONS,
    "minimum": exp.Min,
    "maximum": exp.Max,
    "estimated count distinct": exp.ApproxDistinct,
}


class AggregateRows:
    """An aggregate's table, with attributes joined back to it where it does not store them itself."""

    def __init__(
        self,
        needed: FactPart,
        layout: StoredColumns,
        way: Derivation,
        table: exp.Table,
        sources: Sources,
        constraints: ProvenConstraints,
    ) -> None:
        self._needed, self._sources = needed, sources
        self._of_one_is_zero = sources.dialect.deviation_of_one_is_zero
        self._rows = InstanceRows(needed, layout, sources, constraints, alias=AGGREGATE_ALIAS)
        self._rows.begin_with(way, table)
        self._is_restricted = False

    @property
    def select(self) -> exp.Select:
        """FROM the table and what is joined back."""
        return self._rows.select

    def see_only(self, restrict: Restrict) -> None:
        """Read the table through a subquery."""
        source = self.select.args["from_"]
        source.set("this", restrict(source.this, AGGREGATE_ALIAS))
        self._is_restricted = True

    def value(self, bound: BoundAttribute, column: str | None = None) -> exp.Expr:
        """The stored column, or the one joined back; of rows without a member what the model says of them."""
        value = shown_value(bound, column, self._sources, lambda name: self._rows.value(bound, name))
        return guarded(value, AGGREGATE_ALIAS) if self._is_restricted else value

    def keep_members(self, attributes: Sequence[BoundAttribute]) -> None:
        """Inner joins where a dimension is joined back on its key, else the matched flags."""
        for path in paths_with_members(attributes):
            join = self._rows.join_of_members(path)
            if join is None:
                add_condition(self.select, self._rows.is_there(path))
            else:
                join.set("side", None)

    def conditions_of_members(self, attributes: Sequence[BoundAttribute]) -> list[exp.Expr]:
        """The matched flags."""
        return [self._rows.is_there(path) for path in paths_with_members(attributes)]

    def prepare_groups(self, groups: list[exp.Expr], others: list[exp.Expr]) -> list[exp.Expr]:
        """Add the means of the groups where deviations are combined, which need them."""
        return self._rows.add_means(groups, others) if self._rows.needs_means else [*groups, *others]

    def metric(self, metric: MetricPieces, only: exp.Expr | None = None) -> exp.Expr:
        """The metric from its stored pieces."""
        fact = self._needed.fact
        if not metric.method:
            return self._rows.roll_up(row_count(fact), only)
        if metric.method in {"count distinct", "sum distinct"}:
            return self._only_stored_value(metric, only)
        piece = _SINGLE.get(metric.method)
        if piece is not None:
            return self._rows.roll_up(StoredMeasure(piece, fact, metric.column), only)
        count = StoredMeasure(StoredFunction.COUNT, fact, metric.column)
        number: exp.Expr = exp.Sum(this=where(self._rows.stored_column(count), only))
        if metric.method == "average":
            total = self._rows.roll_up(StoredMeasure(StoredFunction.SUM, fact, metric.column), only)
            return exp.Div(this=as_double(total), expression=_or_null(number))
        squares = self._rows.roll_up(StoredMeasure(StoredFunction.CENTERED_SQUARES, fact, metric.column))
        is_sample = metric.method.endswith("samp")
        is_one = exp.EQ(this=number.copy(), expression=exp.Literal.number(1))
        if is_sample:
            number = exp.Paren(this=exp.Sub(this=number, expression=exp.Literal.number(1)))
        variance: exp.Expr = exp.Div(this=as_double(squares), expression=_or_null(number.unnest()))
        if self._of_one_is_zero and not is_sample:
            variance = exp.Case(ifs=[exp.If(this=is_one, true=exp.Literal.number(0))], default=variance)
        return exp.Sqrt(this=variance) if metric.method.startswith("stddev") else variance

    def _only_stored_value(self, metric: MetricPieces, only: exp.Expr | None) -> exp.Expr:
        """The stored value of a group, or of the rows that meet a condition.

        The matcher has proven that there is only one.
        """
        is_count = metric.method == "count distinct"
        function = StoredFunction.COUNT_DISTINCT if is_count else StoredFunction.SUM_DISTINCT
        stored = self._rows.stored_column(StoredMeasure(function, self._needed.fact, metric.column))
        value = exp.Max(this=where(stored, only))
        return exp.Coalesce(this=value, expressions=[exp.Literal.number(0)]) if is_count else value


_SINGLE = {
    "sum": StoredFunction.SUM,
    "count non-null": StoredFunction.COUNT,
    "minimum": StoredFunction.MINIMUM,
    "maximum": StoredFunction.MAXIMUM,
}


def _or_null(divisor: exp.Expr) -> exp.Expr:
    return exp.Nullif(this=divisor, expression=exp.Literal.number(0))
