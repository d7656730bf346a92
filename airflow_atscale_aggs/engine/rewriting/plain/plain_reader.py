"""Reads a plain SELECT on a star's tables as the equal query on a model, or refuses it and quotes the clause.

    SELECT s.city, SUM(f.amount) FROM sales f JOIN shop s ON f.shop_id = s.shop_id GROUP BY s.city
    SELECT "City", "Amount" FROM model                                                          what it equals

Columns of dimensions become the attributes that show them. Aggregates of fact columns become measures, whether the
model has a metric of them or not. A SELECT that is refused here runs as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import NoReturn

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnknownColumnError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.rewriting.flat_table import Meaning
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.model_query import ROW_COUNT, KeyColumn, ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_condition, read_select
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import (
    Path,
    PhysicalModel,
    SelectTables,
    Shown,
    StarJoins,
    without_order,
)
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery
from airflow_atscale_aggs.engine.sql.capabilities import AverageType, Dialect
from airflow_atscale_aggs.engine.sql.column_types import is_whole
from airflow_atscale_aggs.engine.sql.statements import all_of

_METHODS: Mapping[type[exp.Expr], str] = {
    exp.Sum: "sum",
    exp.Count: "count non-null",
    exp.Min: "minimum",
    exp.Max: "maximum",
    exp.Avg: "average",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
}
_DISTINCT = {"sum": "sum distinct", "count non-null": "count distinct", "minimum": "minimum", "maximum": "maximum"}
_SLICED = frozenset({"sum", "count non-null", "minimum", "maximum", "average"})
_FLOATS = ("double", "float", "real")
_EXACT = ("int", "bigint", "smallint", "tinyint", "numeric", "decimal", "hugeint")
_NOT_OF_ONE_ROW: tuple[type[exp.Expr], ...] = (
    *(exp.UDTF, exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.GenerateDateArray, exp.GenerateTimestampArray),
    *(exp.Flatten, exp.JSONKeys, exp.JSONKeysAtDepth, exp.JSONTable, exp.OpenJSON, exp.XMLTable, exp.GapFill),
    *(exp.Columns, exp.DynamicIdentifier, exp.Pseudocolumn, exp.ConnectByRoot, exp.RowNumber, exp.NextValueFor),
    *(exp.Seq1, exp.Seq2, exp.Seq4, exp.Seq8, exp.Normal, exp.Uniform, exp.Zipf, exp.Shuffle),
    *(exp.Lambda, exp.Kwarg, exp.PropertyEQ, exp.SessionParameter, exp.Predict, exp.MLForecast, exp.AIGenerate),
)
"""Expressions whose value depends on more than the values in them: on other columns, on other rows, or on the user."""


@dataclass(frozen=True, slots=True)
class PlainQuery:
    """A plain SELECT understood, provided that each of ``joins.steps`` meets one row at the most."""

    query: ModelQuery
    fact_query: FactQuery
    joins: StarJoins


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainContext:
    """What a plain SELECT is read with.

    Attributes:
        popularity: in how many aggregates of the fact an attribute is; it decides among attributes that show one
            column.
    """

    select_tables: SelectTables
    model: PhysicalModel
    calculations: CalculatedMetrics
    dialect: Dialect
    popularity: Callable[[str, GrainAttribute], int]


def read_plain(select: exp.Select, joins: StarJoins, names: Sequence[str], context: PlainContext) -> PlainQuery:
    """What a plain SELECT asks of a model.

    Args:
        select: is not changed.
        joins: from `find_stars`.
        names: of its columns; empty ones are not known and may not be needed.

    Raises:
        UnsupportedQueryError: it equals no query on the model that is answered from aggregates, with the reason.
    """
    return _PlainReader(joins, context).read_query(select, names)


@dataclass(slots=True)
class _Names:
    """The names of the flat table that the SELECT is rewritten to. Each is added when the reader meets it."""

    meanings: dict[str, Meaning] = field(default_factory=dict)

    def find(self, name: str, clause: Callable[[], str] = str) -> Meaning:
        """What a name means."""
        meaning = self.meanings.get(name)
        if meaning is None:
            raise UnknownColumnError("", name, clause())
        return meaning

    def has(self, name: str) -> bool:
        """Whether it is one of them."""
        return name in self.meanings

    def spells(self, name: str) -> bool:
        """Whether it is one of them; upper and lower case differ."""
        return self.has(name)


class _PlainReader:
    """Reads one plain SELECT."""

    def __init__(self, joins: StarJoins, context: PlainContext) -> None:
        self._joins, self._context = joins, context
        self._names = _Names()
        self._bound: dict[GrainAttribute, BoundAttribute] = {}
        self._conditions: dict[str, exp.Expr] = {}
        self._attributes = context.model.attributes(joins.fact)
        self._aliases = {path: alias for alias, path in joins.paths.items()}

    def read_query(self, select: exp.Select, names: Sequence[str]) -> PlainQuery:
        """To be called once."""
        strange = select.find(*_NOT_OF_ONE_ROW)
        if strange is not None:
            self._refuse(strange, "it depends on more than the values of one row")
        group = select.args.get("group")
        if group is not None and group.find(exp.Rollup, exp.Cube, exp.GroupingSets) is not None:
            self._refuse(group, "it asks for several levels of totals at once")
        flat = self._flatten(select, names)
        if flat.args.get("group") is None and flat.args.get("distinct") is None and not self._aggregates(flat):
            self._refuse(select, "it shows rows, not groups of rows")
        for projection, written in zip(flat.expressions, select.expressions, strict=True):
            if not projection.alias or self._names.has(projection.alias):
                self._refuse(written.unalias(), "its column has no name of its own")
        self._check_groups(flat)
        dialect = self._context.dialect.sqlglot_name
        try:
            query = read_select(flat, self._names, self._context.calculations, dialect=dialect)
        except UnknownColumnError as error:
            raise UnsupportedQueryError(error.name, "no table of this SELECT has this column") from error
        slices: dict[int, exp.Expr] = {}
        attributes = query.attributes
        for place, name in enumerate(query.metrics):
            if name in self._conditions:
                slices[place], attributes = read_condition(
                    self._conditions[name], self._names, attributes, dialect=dialect
                )
        query = replace(query, slices=slices, attributes=(*attributes, *self._attributes_of_unused_joins(attributes)))
        fact_query = self._fact_query(query)
        # The query log gets names that users know, and that do not contain the values of conditions.
        names = tuple(metric.name if metric else ROW_COUNT for metric in fact_query.metrics.values())
        return PlainQuery(replace(query, metrics=names), fact_query, self._joins)

    def _fact_query(self, query: ModelQuery) -> FactQuery:
        metrics = dict(enumerate(self._metric_of(name) for name in query.metrics))
        return FactQuery(
            fact=self._joins.fact,
            attributes={place: self._bound[attribute] for place, attribute in enumerate(query.attributes)},
            keys=tuple(range(len(query.keys))),
            metrics=metrics,
            slices=query.slices,
            where=query.where,
            columns={
                place: attribute.column
                for place, attribute in enumerate(query.attributes)
                if isinstance(attribute, KeyColumn)
            },
        )

    def _metric_of(self, name: str) -> Metric | None:
        """What a metric's name stands for; None for the number of rows, or of some."""
        metric = self._names.meanings.get(name)
        if not isinstance(metric, Metric) or not metric.column:
            return None
        model_name = self._context.model.metric_name(metric)
        return replace(metric, name=model_name or f"{metric.calculation_method} of {metric.column}")

    def _attributes_of_unused_joins(self, used: Iterable[GrainAttribute]) -> list[GrainAttribute]:
        """Attributes for inner joins whose columns the SELECT does not use: such a join still drops rows."""
        covered = {
            path[:depth]
            for attribute in used
            for path in [self._required_path(attribute)]
            for depth in range(1, len(path) + 1)
        }
        added = []
        for alias, path in self._joins.paths.items():
            if alias not in self._joins.inner or path in covered:
                continue
            candidates = [(bound, None) for bound in self._bounds_at(path)]
            if not candidates:
                self._refuse(exp.column(alias), "no attribute of the model tells whether a row of it is there")
            added.append(self._bind(candidates))
            covered |= {path[:depth] for depth in range(1, len(path) + 1)}
        return added

    def _bounds_at(self, path: Path) -> Iterator[BoundAttribute]:
        for (steps, _), shown in self._attributes.items():
            if steps == path:
                yield from (bound for bound, _ in shown)

    def _required_path(self, attribute: GrainAttribute) -> Path:
        """The path of an attribute without whose member rows are left out."""
        bound = self._bound[attribute]
        return bound.steps if bound.filter_empty != "no" else ()

    def _flatten(self, select: exp.Select, names: Sequence[str]) -> exp.Select:
        """The SELECT on one flat table whose columns are named as they stood in the text."""
        flat = select.copy()
        conditions = [condition.copy() for condition in self._joins.conditions]
        flat.set("joins", None)
        flat.set("from_", exp.From(this=exp.Table(this=exp.Identifier(this="star", quoted=True))))
        flat.set("where", exp.Where(this=all_of(conditions)) if conditions else None)
        flat.set(
            "expressions",
            [
                exp.Alias(
                    this=self._over_names(projection.unalias()).unnest(), alias=exp.Identifier(this=name, quoted=True)
                )
                for projection, name in zip(flat.expressions, names, strict=True)
            ],
        )
        order = flat.args.get("order")
        where = flat.args.get("where")
        if where is not None:
            where.set("this", self._over_names(where.this))
        by_name = {projection.alias: projection.this for projection in flat.expressions}
        for clause in (flat.args.get("group"), flat.args.get("having")):
            for child in list(clause.iter_expressions()) if clause is not None else ():
                child.replace(self._clause(child, by_name))
        for term in order.expressions if order is not None else ():
            if not isinstance(term.this, exp.Column) or term.this.table or term.this.name not in by_name:
                term.this.replace(self._clause(term.this, by_name))
        return flat

    def _clause(self, node: exp.Expr, shown: Mapping[str, exp.Expr]) -> exp.Expr:
        """A part of GROUP BY, HAVING or ORDER BY over names of the flat table.

        Warehouses differ about a name that is both a table's column and that of something else in the answer.
        """
        for column in _outside_aggregates(node):
            if column.table or column.name not in shown or self._context.select_tables.place_of(column) is None:
                continue
            if self._over_names(column) != shown[column.name]:
                self._refuse(column, "it names a column of a table and another one of the answer")
        return self._over_names(node)

    def _over_names(self, expression: exp.Expr) -> exp.Expr:
        """A copy over names of the flat table."""

        def name_of(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Filter) and isinstance(node.expression, exp.Where):
                return self._read_filter(node)
            if isinstance(node, exp.AggFunc):
                return self._aggregate(node)
            if isinstance(node, exp.Column):
                return self._attribute(node)
            return node

        return expression.copy().transform(name_of, copy=False)

    def _attribute(self, column: exp.Column) -> exp.Expr:
        place = self._context.select_tables.place_of(column)
        if place is None:
            return column
        alias, name = place
        candidates = list(self._shown(self._joins.paths[alias], name))
        if not candidates:
            self._refuse(column, "no attribute of the model shows this column" + self._hint(alias, name))
        text = f"{alias}.{name}"
        self._names.meanings.setdefault(text, self._bind(candidates))
        return _flat_column(text)

    def _shown(self, path: Path, name: str) -> Iterator[Shown]:
        """What has the values of a column: attributes on its table, and on tables that are joined inner by it."""
        yield from self._attributes.get((path, name), ())
        for alias in self._joins.inner:
            other_path = self._joins.paths[alias]
            other = self._context.model.equal_column(other_path[-1], name) if other_path[:-1] == path else None
            if other is not None:
                yield from self._shown(other_path, other)

    def _hint(self, alias: str, name: str) -> str:
        """What would make a foreign key one that aggregates have."""
        for path in self._context.model.paths(self._joins.fact):
            other = self._context.model.equal_column(path[-1], name) if path[:-1] == self._joins.paths[alias] else None
            if other is not None and (path, other) in self._attributes:
                return f"; join `{path[-1].to_dataset}` by it, inner, so that only values that it has are meant"
        return ""

    def _bind(self, candidates: Sequence[Shown]) -> GrainAttribute:
        """Choose the attribute that most aggregates have among those with equal values; join it as the SELECT does."""
        fact, popularity = self._joins.fact, self._context.popularity
        bound, column = max(candidates, key=lambda candidate: popularity(fact, candidate[0].attribute))
        rule = "yes" if self._aliases[bound.steps] in self._joins.inner else "no"
        shown = bound.attribute if column is None else KeyColumn(bound.attribute.role, bound.attribute.name, column)
        self._bound[shown] = replace(bound, filter_empty=rule if bound.steps else bound.filter_empty, empty=None)
        return shown

    def _aggregate(self, function: exp.Expr) -> exp.Expr:
        """An aggregate of a fact's column is a measure; COUNT(*) and those of attributes are read as on a model."""
        argument = function.this
        if argument is None:
            self._refuse(function, "it does not say what it aggregates")
        if isinstance(argument, exp.Case):
            return self._read_case(function, argument)
        is_distinct = isinstance(argument, exp.Distinct)
        inner = argument.expressions[0] if is_distinct and len(argument.expressions) == 1 else argument
        if isinstance(function, exp.Count) and isinstance(inner, (exp.Star, exp.Literal)) and not is_distinct:
            return function
        method = _METHODS.get(type(function))
        if is_distinct:
            method = _DISTINCT.get(method or "")
        if method is None or function.expressions:
            self._refuse(function, "this aggregate is not one that aggregates store")
        column = self._measured_column(inner)
        # Members can be counted on every aggregate that has them, distinct values of a measure on one only.
        if column is not None and not (method == "count distinct" and self._is_attribute(inner)):
            return self._measure(method, column, function)
        is_of_members = method in {"minimum", "maximum", "count distinct"} and isinstance(inner, exp.Column)
        if not is_of_members:
            self._refuse(function, "it does not aggregate one column of the fact table")
        if not self._is_attribute(inner) and self._context.select_tables.place_of(inner) is not None:
            self._refuse(function, "no metric of the model measures this column, and no attribute shows it")
        aggregate = function.copy()
        member = self._over_names(inner)
        aggregate.set("this", exp.Distinct(expressions=[member]) if is_distinct else member)
        return aggregate

    def _read_filter(self, node: exp.Expr) -> exp.Expr:
        """``SUM(x) FILTER (WHERE c)``, and the same of COUNT(*)."""
        function, condition = node.this, self._over_names(node.expression.this)
        if isinstance(function, exp.Count) and isinstance(function.this, exp.Star):
            return self._rows_where(condition)
        return self._read_conditional(function, function.this, condition)

    def _read_case(self, function: exp.Expr, case: exp.Case) -> exp.Expr:
        """``SUM(CASE WHEN c THEN x END)``, of some rows; ELSE 0 makes it 0 where others are there."""
        otherwise = case.args.get("default")
        is_zero = isinstance(otherwise, exp.Literal) and otherwise.name == "0"
        is_null = otherwise is None or isinstance(otherwise, exp.Null)
        if (
            case.this is not None
            or len(case.args["ifs"]) != 1
            or not (is_null or (is_zero and isinstance(function, exp.Sum)))
        ):
            self._refuse(function, "it does not aggregate one column of the fact table")
        branch = case.args["ifs"][0]
        condition, value = self._over_names(branch.this), branch.args["true"]
        some = self._rows_where(condition)
        every = exp.Count(this=exp.Star())
        if isinstance(value, exp.Literal) and value.name == "1" and isinstance(function, (exp.Sum, exp.Count)):
            if isinstance(function, exp.Count):
                return some
            if is_null:
                return exp.Nullif(this=some, expression=exp.Literal.number(0))
            return exp.Case(ifs=[exp.If(this=exp.GT(this=every, expression=exp.Literal.number(0)), true=some)])
        total = self._read_conditional(function, value, condition)
        if is_null:
            return total
        others = exp.GT(this=every, expression=some)
        counted = self._read_conditional(exp.Count(this=value), value, condition)
        there = exp.Or(this=others, expression=exp.GT(this=counted, expression=exp.Literal.number(0)))
        zero = exp.Coalesce(this=total, expressions=[exp.Literal.number(0)])
        return exp.Case(ifs=[exp.If(this=there, true=zero)])

    def _read_conditional(self, function: exp.Expr, value: exp.Expr, condition: exp.Expr) -> exp.Expr:
        """An aggregate of a fact's column over the rows that meet a condition."""
        method = _METHODS.get(type(function))
        column = self._measured_column(value)
        if column is None or method not in _SLICED or function.expressions:
            self._refuse(function, "of some rows it is not one that aggregates store")
        return self._measure(method, column, function, condition)

    def _rows_where(self, condition: exp.Expr) -> exp.Expr:
        return self._metric("rows", "", condition)

    def _is_attribute(self, inner: exp.Expr) -> bool:
        place = self._context.select_tables.place_of(inner) if isinstance(inner, exp.Column) else None
        return place is not None and next(self._shown(self._joins.paths[place[0]], place[1]), None) is not None

    def _measured_column(self, inner: exp.Expr) -> str | None:
        """The fact's aggregated column, as metrics spell it; a calculated column where the calculation is equal."""
        own = without_order(inner.copy().transform(self._of_fact, copy=False))
        return next(
            (name for name, column in self._context.model.measured_columns(self._joins.fact) if column == own), None
        )

    def _of_fact(self, node: exp.Expr) -> exp.Expr:
        """A column of the fact without its table; others stay."""
        place = self._context.select_tables.place_of(node) if isinstance(node, exp.Column) else None
        return node if place is None or self._joins.paths[place[0]] else _flat_column(place[1])

    def _measure(self, method: str, column: str, function: exp.Expr, condition: exp.Expr | None = None) -> exp.Expr:
        kind = self._context.model.data_type(self._joins.fact, column)
        average, is_float = self._context.dialect.average, kind.startswith(_FLOATS)
        is_cut = average is AverageType.CUT and (method == "average" and not is_whole(kind))
        is_double = is_float or (average in {AverageType.DOUBLE, AverageType.CUT} and not is_cut)
        if method.startswith("sum") and kind in {"real", "float4"} and self._context.dialect.adds_singles_as_they_are:
            self._refuse(function, f"of a column of type `{kind}` is added up in single precision by the warehouse")
        if method in {"average", "stddev_samp", "stddev_pop", "var_samp", "var_pop"}:
            is_number = is_float or kind.startswith(_EXACT)
            if average is None or not is_number or (not is_double and (is_cut or method != "average")):
                self._refuse(function, f"of a column of type `{kind}` its type cannot be said from stored measures")
        if method == "average":
            total, count = (self._metric(piece, column, condition) for piece in ("sum", "count non-null"))
            divisor = exp.Nullif(this=count, expression=exp.Literal.number(0))
            dividend = exp.cast(total, "double" if is_double else "decimal")
            return exp.Paren(this=exp.Div(this=dividend, expression=divisor, typed=False, safe=False))
        return self._metric(method, column, condition)

    def _metric(self, method: str, column: str, condition: exp.Expr | None = None) -> exp.Expr:
        text = f"{method} of {column}" if column else method
        if condition is not None:
            text = f"{text} where {condition.sql(dialect=self._context.dialect.sqlglot_name)}"
            self._conditions[text] = condition
        metric = Metric(name=text, label=text, calculation_method=method, dataset=self._joins.fact, column=column)
        self._names.meanings[text] = metric
        return _flat_column(text)

    def _check_groups(self, flat: exp.Select) -> None:
        """Refuse a SELECT that shows what it neither groups by nor aggregates."""
        items = self._group_items(flat)
        if flat.args.get("group") is None and not self._aggregates(flat):
            # DISTINCT groups by all that is shown.
            return
        clauses = [*flat.expressions, flat.args.get("having")]
        order = flat.args.get("order")
        for clause in (*clauses, *(order.expressions if order is not None else ())):
            stray = self._stray_expression(clause, items) if clause is not None else None
            if stray is not None:
                raise UnsupportedQueryError(stray.name, "it is neither grouped by nor aggregated")

    def _aggregates(self, flat: exp.Select) -> bool:
        """Whether it shows an aggregate, or filters groups by one."""
        having = flat.args.get("having")
        return any(
            isinstance(node, exp.AggFunc) or isinstance(self._names.meanings.get(node.name), Metric)
            for clause in (*flat.expressions, *([having] if having is not None else []))
            for node in clause.find_all(exp.Column, exp.AggFunc)
        )

    def _group_items(self, flat: exp.Select) -> list[exp.Expr]:
        group = flat.args.get("group")
        if group is None:
            return []
        shown = {projection.alias: projection.this for projection in flat.expressions}
        items = []
        for item in group.expressions:
            expression = item
            if isinstance(item, exp.Literal) and item.is_int and 1 <= int(item.name) <= len(flat.expressions):
                expression = flat.expressions[int(item.name) - 1].this
            elif isinstance(item, exp.Column) and not self._names.has(item.name):
                expression = shown.get(item.name, item)
            if expression.find(exp.Column) is None:
                self._refuse(item, "it groups by a constant")
            items.append(expression)
        return items

    def _stray_expression(self, node: exp.Expr, items: Sequence[exp.Expr]) -> exp.Expr | None:
        if node in items or isinstance(node, exp.AggFunc):
            return None
        if isinstance(node, exp.Column):
            return node if isinstance(self._names.meanings.get(node.name), GrainAttribute) else None
        return next(
            (stray for child in node.iter_expressions() if (stray := self._stray_expression(child, items))), None
        )

    def _refuse(self, clause: exp.Expr, reason: str) -> NoReturn:
        raise UnsupportedQueryError(clause.sql(dialect=self._context.dialect.sqlglot_name), reason)


def _outside_aggregates(node: exp.Expr) -> Iterator[exp.Column]:
    if isinstance(node, exp.Column):
        yield node
    elif not isinstance(node, exp.AggFunc):
        for child in node.iter_expressions():
            yield from _outside_aggregates(child)


def _flat_column(text: str) -> exp.Column:
    return exp.Column(this=exp.Identifier(this=text, quoted=True))
