"""Converts expressions on the flat table of a model: attributes and metrics take the place of columns and aggregates.

    SUM("Revenue") / COUNT(*)      M0 / M1
    UPPER("State")                 UPPER(A0)
    RANK() OVER (ORDER BY "x")     the same over references

Source: `model_query` for the kinds of references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, NoReturn

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError, did_you_mean, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, Metric
from airflow_atscale_aggs.engine.rewriting.flat_table import FlatNames, Meaning, SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics, Coordinates
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Between, Each, Frame, Slice, resolve
from airflow_atscale_aggs.engine.rewriting.model_query import (
    ROW_COUNT,
    MeasuredMetric,
    ModelJoin,
    Ref,
    is_reference,
    rebuild,
    ref,
    references,
)
from airflow_atscale_aggs.engine.rewriting.parse import conditional_aggregates
from airflow_atscale_aggs.engine.rewriting.parse.aggregate_calls import (
    AS_DEFINED,
    is_composed,
    is_conditional,
    keeps_calculation,
    method_of,
)
from airflow_atscale_aggs.engine.rewriting.parse.inner_queries import free_name, outer_column, rows_of
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import JoinedRelations, Relation
from airflow_atscale_aggs.engine.rewriting.parse.postgres_meaning import CALCULATED
from airflow_atscale_aggs.engine.sql.functions.surfaces import SURFACE_DIALECT, is_known_name, known_names
from airflow_atscale_aggs.engine.sql.spelling import render_for_people
from airflow_atscale_aggs.engine.sql.statements import all_of

WRAP = "Put the query into a subquery and say it around it."

_REFUSED = (exp.Star, exp.Placeholder, exp.Parameter, exp.Lateral, exp.Unnest, exp.Columns)
_FLOATS = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
_RANDOM = (exp.Rand, exp.Randn, exp.Randstr, exp.Uuid)
_KNOWN = (
    exp.Condition,
    exp.AtTimeZone,
    exp.DataType,
    exp.DataTypeParam,
    exp.Identifier,
    exp.If,
    exp.Interval,
    exp.IntervalSpan,
    exp.Var,
    exp.Tuple,
)
"""What expressions are made of; aggregates and columns are replaced before."""
_OF_WINDOWS = (exp.WindowSpec, exp.Order, exp.Ordered, exp.IgnoreNulls, exp.RespectNulls)


def _no_alias(_: exp.Column) -> exp.Expr | None:
    return None


_Kinds = type[exp.Expr] | tuple[type[exp.Expr], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an expression stands; see `FlatExpressions.convert`."""

    clause: exp.Expr
    windows: bool
    alias: Callable[[exp.Column], exp.Expr | None]


@dataclass(slots=True)
class Used:
    """What has been met so far, by place."""

    attributes: dict[GrainAttribute, int] = field(default_factory=dict)
    metrics: dict[MeasuredMetric, int] = field(default_factory=dict)
    slices: dict[int, exp.Expr] = field(default_factory=dict)
    members: list[exp.Expr] = field(default_factory=list)
    subqueries: dict[str, exp.Query] = field(default_factory=dict)
    joined: dict[tuple[str, str], int] = field(default_factory=dict)
    groupings: list[tuple[exp.Expr, ...]] = field(default_factory=list)


class FlatExpressions:
    """Converts the expressions of one SELECT, and remembers what they use.

    Args:
        qualifiers: what may stand before a column's dot, in lower case.
        nests: whether subqueries may stand in expressions.
    """

    def __init__(
        self,
        names: FlatNames,
        calculations: CalculatedMetrics | None,
        dialect: str,
        *,
        qualifiers: frozenset[str] = frozenset(),
        nests: bool = False,
    ) -> None:
        self._names, self._calculations, self._dialect = names, calculations, dialect
        self._qualifiers, self._nests = qualifiers, nests
        self._windows: Mapping[str, exp.Window] = {}
        self._relations = JoinedRelations(names)
        self.used = Used()
        self._handlers: tuple[tuple[_Kinds, Callable[[Any, _Place], exp.Expr | None]], ...] = (
            (exp.Column, self._convert_column),
            (exp.Window, self._convert_window),
            (exp.Filter, self._convert_filter),
            ((exp.Grouping, exp.GroupingId), self._convert_grouping),
            (exp.AggFunc, lambda node, place: self.aggregate(node, place.clause)),
            ((exp.Query, exp.Any, exp.All), self._convert_subquery),
            ((exp.EQ, exp.NEQ), self._convert_quantifier),
        )

    def join(self, relations: Sequence[Relation], clause: exp.Expr) -> tuple[ModelJoin, ...]:
        """The joins of relations whose columns the expressions may use from now on."""
        if relations and not self._nests:
            self.refuse(clause, "this clause is not part of the SQL surface of a model", WRAP)
        joins = []
        for relation in relations:
            subquery = self._named_subquery(relation.query, clause)
            self._relations.add(relation, subquery)
            conditions = [self.row_condition(self._relations.equal(name, subquery), clause) for name in relation.using]
            if relation.on is not None:
                conditions.append(self.row_condition(relation.on, clause))
            on = all_of(conditions) if conditions else None
            joins.append(ModelJoin(subquery, on, relation.is_left))
        return tuple(joins)

    def is_joined(self, column: exp.Column) -> bool:
        """Whether a column is one of a joined relation."""
        return self._relations.find(column, self.refuse) is not None

    def name_windows(self, windows: Sequence[exp.Window]) -> None:
        """The windows that the SELECT's WINDOW clause names."""
        self._windows = {window.name: window for window in windows}

    def convert(
        self,
        expression: exp.Expr,
        clause: exp.Expr,
        *,
        windows: bool = False,
        alias: Callable[[exp.Column], exp.Expr | None] = _no_alias,
    ) -> exp.Expr:
        """A copy with columns and aggregates replaced by references.

        Args:
            clause: what it stands in, for messages.
            windows: window functions may stand in it.
            alias: what a name stands for that is no column's.
        """
        place = _Place(clause, windows, alias)

        def replacement_of(node: exp.Expr) -> exp.Expr | None:
            if is_reference(node):
                return node.copy()
            for kinds, handle in self._handlers:
                if isinstance(node, kinds):
                    return handle(node, place)
            self._check(node)
            return None

        return rebuild(expression, replacement_of)

    def _check(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Anonymous):
            self._check_name(node)
        if isinstance(node, _RANDOM):
            self.refuse(node, "it differs from row to row, so groups of rows cannot be asked")
        if isinstance(node, _REFUSED) or not isinstance(node, _KNOWN):
            self.refuse(node, "this is not part of the SQL surface of a model", WRAP)

    def _check_name(self, function: exp.Expr) -> None:
        if self._dialect != SURFACE_DIALECT or not is_known_name(function.name):
            near = [name.upper() for name in near_names(function.name, known_names())]
            reason = "this function is not known, so it cannot be said in another dialect"
            self.refuse(function, reason, did_you_mean(near).strip())

    def _convert_column(self, column: exp.Column, place: _Place) -> exp.Expr:
        aliased = place.alias(column)
        if aliased is not None:
            return exp.Paren(this=aliased.copy())
        joined = self._relations.find(column, self.refuse)
        if joined is not None:
            return ref(Ref.JOINED, self.used.joined.setdefault(joined, len(self.used.joined)))
        meaning = self._meaning(column, place.clause)
        if isinstance(meaning, Metric):
            return self.metric(meaning.name)
        if isinstance(meaning, Calculation):
            return self.calculation(meaning)
        return self._attribute(meaning)

    def _meaning(self, column: exp.Column, clause: exp.Expr) -> Meaning:
        if column.table and column.table.casefold() not in self._qualifiers:
            reason = (
                f"`{column.table}` is not the model of this SELECT, and what depends on a row around it is not answered"
            )
            self.refuse(column, reason, "Name columns without a table, and write subqueries that stand by themselves.")
        return self._names.find(column.name, lambda: self.text(clause))

    def meaning_of(self, value: exp.Expr, clause: exp.Expr) -> Meaning | None:
        """What a column of the model means; None for anything else."""
        if not isinstance(value, exp.Column) or self.is_joined(value):
            return None
        return self._meaning(value, clause)

    def calculation(self, calculation: Calculation, only: exp.Expr | None = None) -> exp.Expr:
        """A calculated metric over its base metrics, of the rows that meet a condition when one is given."""
        assert self._calculations is not None  # noqa: S101 - plain names mean no calculation
        if only is None:
            return _mark_calculation(self._calculations.expand(calculation.name, self.metric))

        def metric_where(name: str, coordinates: Coordinates) -> exp.Expr:
            return self.metric(name, coordinates, only=only)

        return _mark_calculation(self._calculations.expand(calculation.name, metric_where))

    def _attribute(self, attribute: GrainAttribute) -> exp.Expr:
        return ref(Ref.ATTRIBUTE, self.used.attributes.setdefault(attribute, len(self.used.attributes)))

    def metric(
        self,
        name: str,
        coordinates: Coordinates = (),
        *,
        method: str = AS_DEFINED,
        only: exp.Expr | None = None,
        fact: str = "",
    ) -> exp.Expr:
        """A metric of the rows that meet a condition; at other members than those of the row when coordinates say so.

        Args:
            only: over A.
            fact: whose rows are counted, for `ROW_COUNT`.
        """
        slices: tuple[Slice, ...] = ()
        frame: Frame | None = None
        if coordinates:
            assert isinstance(self._names, SurfaceNames)  # noqa: S101 - plain names mean no calculation
            slices, frame = resolve(name, coordinates, self._names)
        metrics = self.used.metrics
        measured = MeasuredMetric(name, method, slices, frame, only, fact)
        place = metrics.setdefault(measured, len(metrics))
        if slices and place not in self.used.slices:
            conditions = [
                exp.EQ(this=self._attribute(attribute), expression=exp.Literal.string(key)) for attribute, key in slices
            ]
            self.used.slices[place] = all_of(conditions)
        if frame is not None and isinstance(frame.form, Between | Each):
            self._attribute(frame.form.level)
        return ref(Ref.METRIC, place)

    def _convert_filter(self, node: exp.Filter, place: _Place) -> exp.Expr:
        """``SUM(x) FILTER (WHERE c)``."""
        function = node.this
        if not isinstance(function, exp.AggFunc):
            self.refuse(node, "FILTER belongs to an aggregate function")
        return self.aggregate(function, place.clause, only=self.row_condition(node.expression.this, node))

    def row_condition(self, condition: exp.Expr, clause: exp.Expr) -> exp.Expr:
        """A condition inside an aggregate, over A."""
        converted = self.convert(condition, clause)
        if any(True for kind in (Ref.METRIC, Ref.MEMBERS) for _ in references(converted, kind)):
            remedy = "Conditions on metrics belong into HAVING, or around the query."
            self.refuse(clause, "an aggregate's condition is on an aggregated value", remedy)
        return converted

    def aggregate(self, function: exp.Expr, clause: exp.Expr, *, only: exp.Expr | None = None) -> exp.Expr:
        """COUNT(*), a metric in a function, or MIN, MAX, COUNT(DISTINCT) of attributes.

        Args:
            only: of the rows that meet this condition over A.
        """
        if isinstance(function.this, exp.Paren):
            # Parentheses around the argument mean nothing.
            function = function.__class__(**{**function.args, "this": function.this.unnest().copy()})
        argument = function.this
        is_distinct = isinstance(argument, exp.Distinct)
        if isinstance(function, exp.Count) and isinstance(argument, (exp.Star, exp.Literal)):
            return self.metric(ROW_COUNT, only=only)
        if isinstance(function, exp.Sum) and argument == exp.Literal.number(1):
            # SUM of no rows is NULL; COUNT of no rows is 0.
            return exp.Nullif(this=self.metric(ROW_COUNT, only=only), expression=exp.Literal.number(0))
        is_float = isinstance(argument, exp.Cast) and argument.to.this in _FLOATS
        if is_float and isinstance(function, (exp.Sum, exp.Avg)) and _is_measured(argument.this):
            bare = function.__class__(this=argument.this.copy())
            return exp.Cast(this=self.aggregate(bare, clause, only=only), to=argument.to.copy())
        inner = argument.expressions[0] if is_distinct and len(argument.expressions) == 1 else argument
        if function.expressions or inner is None:
            self.refuse(function, "it is no aggregate of the model", "Use its metrics, or MIN, MAX or COUNT(DISTINCT).")
        if is_composed(inner):
            aggregate = conditional_aggregates.read_conditional(function, inner, self, clause, only=only)
            if aggregate is not None:
                return aggregate
        meaning = self.meaning_of(inner.unnest(), clause)
        if isinstance(meaning, Metric | Calculation):
            return self.measure(function, meaning, is_distinct=is_distinct, only=only)
        return self._members(function, inner, clause, only=only)

    def measure(
        self, function: exp.Expr, meaning: Metric | Calculation, *, is_distinct: bool, only: exp.Expr | None
    ) -> exp.Expr:
        """A metric in a function."""
        if isinstance(meaning, Calculation):
            if not keeps_calculation(function, is_distinct=is_distinct):
                reason = f"`{meaning.name}` is a calculated metric, which has no value for single rows"
                self.refuse(function, reason, "Write it without a function, or in SUM, AVG, MIN or MAX.")
            return self.calculation(meaning, only)
        method = method_of(function, meaning, is_distinct=is_distinct)
        if method is None:
            reason = (
                f"metric `{meaning.name}` is `{meaning.calculation_method}` by definition and is not aggregated again"
            )
            self.refuse(function, reason, "Write the metric without a function.")
        return self.metric(meaning.name, method=method, only=only)

    def _members(self, function: exp.Expr, inner: exp.Expr, clause: exp.Expr, *, only: exp.Expr | None) -> exp.Expr:
        """MIN, MAX or a count of attributes; any value is the least one as well."""
        function = exp.Min(this=function.this) if isinstance(function, exp.AnyValue) else function
        is_distinct = isinstance(function.this, exp.Distinct)
        converted = self.convert(inner, clause)
        if isinstance(function, exp.Count) and not is_distinct and is_key(converted):
            there = exp.Not(this=exp.Is(this=exp.Paren(this=converted), expression=exp.Null()))
            return self.metric(ROW_COUNT, only=there if only is None else all_of([only.copy(), there.copy()]))
        is_of_members = isinstance(function, (exp.Min, exp.Max)) or (isinstance(function, exp.Count) and is_distinct)
        if not is_of_members or not is_key(converted):
            self.refuse(function, "it is no aggregate of the model", "Use its metrics, or MIN, MAX or COUNT(DISTINCT).")
        if only is not None:
            converted = exp.Case(ifs=[exp.If(this=only.copy(), true=converted)])
        aggregate = function.copy()
        aggregate.set("this", exp.Distinct(expressions=[converted]) if is_distinct else converted)
        members = self.used.members
        if aggregate not in members:
            members.append(aggregate)
        return ref(Ref.MEMBERS, members.index(aggregate))

    def _convert_window(self, window: exp.Window, place: _Place) -> exp.Expr:
        """A window function over the rows of the answer: its arguments are what the answer has."""
        if not place.windows:
            self.refuse(window, "a window function stands in SELECT and ORDER BY only", WRAP)
        definition = self._windows.get(window.alias) if window.alias else None
        if window.alias and (definition is None or window.args.get("order") or window.args.get("partition_by")):
            self.refuse(window, "it extends a named window, or one that is not there", "Write the window out.")

        def replacement_of(node: exp.Expr) -> exp.Expr | None:
            if isinstance(node, _OF_WINDOWS):
                return _rebuild_below(node, replacement_of)
            if isinstance(node, exp.Where):
                return _rebuild_below(node, replacement_of)
            return self.convert(node, place.clause)

        own = window.args if definition is None else {**definition.args, "this": window.this, "alias": None}
        arguments = {name: _each(value, replacement_of) for name, value in own.items() if name != "this"}
        return exp.Window(**{**arguments, "this": self._window_function(window.this, replacement_of)})

    def _window_function(self, function: exp.Expr, replacement_of: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
        """The function before OVER, which is none of the model's aggregates."""
        if isinstance(function, exp.Anonymous):
            self._check_name(function)
        if isinstance(function, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
            arguments = {name: _each(value, replacement_of) for name, value in function.args.items() if name != "this"}
            return function.__class__(**{**arguments, "this": self._window_function(function.this, replacement_of)})
        if isinstance(function, exp.Count) and isinstance(function.this, exp.Star):
            return function.copy()
        return _rebuild_below(function, replacement_of)

    def _convert_grouping(self, node: exp.Expr, place: _Place) -> exp.Expr:
        """GROUPING(a, b): which of the keys a row is not grouped by."""
        arguments = tuple(self.convert(argument, place.clause) for argument in node.expressions)
        groupings = self.used.groupings
        if arguments not in groupings:
            groupings.append(arguments)
        return ref(Ref.GROUPING, groupings.index(arguments))

    def _convert_quantifier(self, node: exp.Expr, place: _Place) -> exp.Expr | None:
        """``x = ANY (…)`` is IN, ``x <> ALL (…)`` is NOT IN."""

        def convert_part(part: exp.Expr) -> exp.Expr:
            return self.convert(part, place.clause, windows=place.windows, alias=place.alias)

        kind = exp.Any if isinstance(node, exp.EQ) else exp.All
        side = node.expression
        # The parser takes ALL of a list for a function.
        is_list = kind is exp.All and isinstance(side, exp.Anonymous) and side.name.casefold() == "all"
        if not isinstance(side, kind) and not (is_list and len(side.expressions) == 1):
            return None
        inner, value = _plain_array((side.expressions[0] if is_list else side.this).unnest()), convert_part(node.this)
        if isinstance(inner, exp.Array):
            condition: exp.Expr = exp.In(
                this=value, expressions=[convert_part(element) for element in inner.expressions]
            )
            if not inner.expressions:
                self.refuse(node, "the list is empty", "Leave the condition out.")
        elif isinstance(inner, exp.Query):
            condition = exp.In(this=value, query=self._convert_subquery(inner, place))
        else:
            self.refuse(node, "ANY and ALL are answered for a subquery or ARRAY[…]", "Write IN or NOT IN.")
        return condition if isinstance(node, exp.EQ) else exp.Not(this=condition)

    def _convert_subquery(self, node: exp.Expr, place: _Place) -> exp.Expr:
        """A query in an expression, whose rows do not depend on those around it; or the list of ANY and ALL."""
        query = node.unnest()
        if isinstance(node, exp.Any | exp.All) and isinstance(node.this.unnest(), exp.Array):
            values = [
                self.convert(element, place.clause, alias=place.alias) for element in node.this.unnest().expressions
            ]
            return type(node)(this=exp.Paren(this=exp.Array(expressions=values)))
        if not self._nests or not isinstance(query, exp.Query):
            self.refuse(node, "this is not part of the SQL surface of a model", WRAP)
        return rows_of(self._named_subquery(query, node), query)

    def _named_subquery(self, query: exp.Query, node: exp.Expr) -> str:
        """The name under which a query's rows stand before the SELECT."""
        column = outer_column(query, self._names.has)
        if column is not None:
            reason = f"`{self.text(column)}` depends on the row around it: the subquery is correlated"
            self.refuse(node, reason, "Write a subquery that stands by itself: IN, or a join of two SELECTs.")
        subqueries = self.used.subqueries
        name = free_name(query, subqueries)
        subqueries[name] = query
        return name

    def text(self, clause: exp.Expr) -> str:
        """For messages."""
        return render_for_people(clause, self._dialect)

    def refuse(self, clause: exp.Expr, reason: str, remedy: str = "") -> NoReturn:
        """Refuse a clause by name."""
        raise UnsupportedQueryError(self.text(clause).strip(), reason, remedy)


def _mark_calculation(value: exp.Expr) -> exp.Expr:
    return exp.Paren(**{"this": value, CALCULATED: True})


def is_key(expression: exp.Expr) -> bool:
    """Attributes without any aggregate; constants are no keys."""
    kinds = {node.name[0] for node in expression.find_all(exp.Placeholder)}
    return bool(kinds) and kinds <= _OF_ROWS and expression.find(exp.Window) is None


_OF_ROWS = {Ref.ATTRIBUTE.value, Ref.JOINED.value}


def _plain_array(node: exp.Expr) -> exp.Expr:
    """``ARRAY[a, b]::text[]`` is a list of texts."""
    inner = node.this.unnest() if isinstance(node, exp.Cast) and len(node.to.expressions) == 1 else None
    if not isinstance(node, exp.Cast) or not isinstance(inner, exp.Array):
        return node
    (kind,) = node.to.expressions
    return exp.Array(expressions=[exp.Cast(this=element.copy(), to=kind.copy()) for element in inner.expressions])


def _is_measured(value: exp.Expr) -> bool:
    plain = value.unnest()
    return isinstance(plain, exp.Column) or is_conditional(plain)


def _each(value: object, replacement_of: Callable[[exp.Expr], exp.Expr | None]) -> object:
    if isinstance(value, exp.Expr):
        return rebuild(value, replacement_of)
    if isinstance(value, list):
        return [_each(item, replacement_of) for item in value]
    return value


def _rebuild_below(node: exp.Expr, replacement_of: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
    return node.__class__(**{name: _each(value, replacement_of) for name, value in node.args.items()})
