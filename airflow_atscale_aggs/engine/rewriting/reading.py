"""One SELECT on the flat table to a `ModelQuery`, or a refusal that quotes the clause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlDialect
from sqlglot.dialects.dialect import NormalizationStrategy

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, Metric
from airflow_atscale_aggs.engine.rewriting.calculations import CalculatedMetrics, Coordinates
from airflow_atscale_aggs.engine.rewriting.coordinates import Between, Each, Frame, Slice, resolve
from airflow_atscale_aggs.engine.rewriting.model_query import (
    ROW_COUNT,
    ModelQuery,
    OrderTerm,
    Output,
    Ref,
    rebuilt,
    ref,
    reference_of,
    references,
)
from airflow_atscale_aggs.engine.rewriting.names import FlatNames, SurfaceNames

_CLAUSES = frozenset(
    {"expressions", "from_", "where", "group", "having", "order", "limit", "offset", "distinct", "kind"}
)
_WRAP = "Put the query into a subquery and say it around it."

_OWN_FUNCTIONS: dict[str, tuple[type[exp.Expression], ...]] = {
    "sum": (exp.Sum,),
    "count non-null": (exp.Count, exp.Sum),
    "minimum": (exp.Min,),
    "maximum": (exp.Max,),
    "average": (exp.Avg,),
    "stddev_samp": (exp.Stddev, exp.StddevSamp),
    "stddev_pop": (exp.StddevPop,),
    "var_samp": (exp.Variance,),
    "var_pop": (exp.VariancePop,),
    "count distinct": (exp.Count, exp.ApproxDistinct),
    "sum distinct": (exp.Sum,),
    "estimated count distinct": (exp.Count, exp.ApproxDistinct),
}
"""Aggregate functions that a metric may stand in, by its calculation method: they add nothing to it."""

_REFUSED = (exp.Query, exp.Window, exp.Star, exp.Placeholder, exp.Parameter, exp.Exists, exp.Lateral, exp.Unnest)
_FLOATS = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
_RANDOM = (exp.Rand, exp.Randn, exp.Randstr, exp.Uuid)


_KNOWN = (
    exp.Condition,
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


def read_select(select: exp.Select, names: FlatNames, calculations: CalculatedMetrics, *, dialect: str) -> ModelQuery:
    """What a SELECT on a model asks for.

    Args:
        select: its FROM is the model alone; it is not changed.
        dialect: the SQL dialect it was written in, for quoting clauses.

    Raises:
        UnknownColumnError: a column that the model does not have.
        AmbiguousColumnError: a name that means several things.
        UnsupportedQueryError: a clause that is not answered.
    """
    return _Reader(names, calculations, dialect).read(select)


def read_condition(
    condition: exp.Expression, names: FlatNames, attributes: Sequence[GrainAttribute], *, dialect: str
) -> tuple[exp.Expression, tuple[GrainAttribute, ...]]:
    """A condition on single rows over A, and the attributes with those that it adds to them. Raises as `read_select`."""
    return _Reader(names, None, dialect).condition(condition, attributes)


@dataclass(slots=True)
class _Used:
    """What has been met so far, by place."""

    attributes: dict[GrainAttribute, int] = field(default_factory=dict)
    metrics: dict[tuple[str, tuple[Slice, ...], Frame | None], int] = field(default_factory=dict)
    slices: dict[int, exp.Expression] = field(default_factory=dict)
    frames: dict[int, Frame] = field(default_factory=dict)
    members: list[exp.Expression] = field(default_factory=list)
    keys: list[exp.Expression] = field(default_factory=list)


class _Reader:
    """Reads one SELECT."""

    def __init__(self, names: FlatNames, calculations: CalculatedMetrics | None, dialect: str) -> None:
        self._names, self._calculations, self._dialect = names, calculations, dialect
        self._used = _Used()
        self._qualifiers: frozenset[str] = frozenset()
        self._shown: list[tuple[str, exp.Expression]] = []

    def read(self, select: exp.Select) -> ModelQuery:
        """To be called once."""
        self._check_clauses(select)
        self._qualifiers = _qualifiers(select)
        where = select.args.get("where")
        condition = self._where(where) if where is not None else None
        self._shown = [self._projection(one, place) for place, one in enumerate(select.expressions, 1)]
        self._take_keys(select.args.get("group"))
        outputs = tuple(
            Output(name, self._over_keys(expression, original))
            for (name, expression), original in zip(self._shown, select.expressions, strict=True)
        )
        used = self._used
        having = select.args.get("having")
        order = select.args.get("order")
        condition_on_groups = self._having(having) if having is not None else None
        order_by = tuple(self._order_term(one, outputs) for one in order.expressions) if order is not None else ()
        if not used.keys and not used.metrics and not used.members:
            self._refuse(select, "it asks for constants only", "Select an attribute or a metric.")
        return ModelQuery(
            attributes=tuple(used.attributes),
            keys=tuple(used.keys),
            metrics=tuple(name for name, *_ in used.metrics),
            slices=used.slices,
            frames=used.frames,
            members=tuple(used.members),
            outputs=outputs,
            where=condition,
            having=condition_on_groups,
            order_by=order_by,
            limit=self._number(select.args.get("limit")),
            offset=self._number(select.args.get("offset")),
            is_distinct=select.args.get("distinct") is not None,
        )

    def condition(
        self, condition: exp.Expression, attributes: Sequence[GrainAttribute]
    ) -> tuple[exp.Expression, tuple[GrainAttribute, ...]]:
        """To be called instead of `read`."""
        self._used.attributes = {attribute: place for place, attribute in enumerate(attributes)}
        made = self._converted(condition, condition)
        if self._used.metrics or self._used.members:
            self._refuse(condition, "it filters rows by an aggregated value")
        return made, tuple(self._used.attributes)

    def _check_clauses(self, select: exp.Select) -> None:
        for clause, value in select.args.items():
            if value and clause not in _CLAUSES:
                node = value[0] if isinstance(value, list) else value
                what = node if isinstance(node, exp.Expression) else select
                self._refuse(what, "this clause is not part of the SQL surface of a model", _WRAP)
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            self._refuse(distinct, "DISTINCT ON is not part of the SQL surface of a model", "Group instead.")

    def _where(self, where: exp.Expression) -> exp.Expression:
        condition = self._converted(where.this, where)
        if next(references(condition, Ref.METRIC), None) is not None or self._used.members:
            self._refuse(where, "it filters rows by an aggregated value", "Conditions on metrics belong into HAVING.")
        return condition

    def _projection(self, projection: exp.Expression, place: int) -> tuple[str, exp.Expression]:
        expression = projection.unalias()
        if isinstance(expression, exp.Star) or (isinstance(expression, exp.Column) and expression.is_star):
            remedy = "Name the columns; `SELECT * … LIMIT 0` tells which there are."
            self._refuse(projection, "a model has more columns than anybody wants", remedy)
        converted = self._converted(expression, projection)
        return projection.alias or self._default_name(expression, converted, place), converted

    def _default_name(self, expression: exp.Expression, converted: exp.Expression, place: int) -> str:
        found = reference_of(converted)
        own = ""
        if found is not None and found[0] is Ref.METRIC:
            own = tuple(self._used.metrics)[found[1]][0] or "count"
        elif found is not None and found[0] is Ref.ATTRIBUTE:
            own = tuple(self._used.attributes)[found[1]].query_name
        if not isinstance(expression, exp.Column):
            return own if found is not None and found[0] is Ref.METRIC else f"column_{place}"
        # Where case does not matter, the parser has folded the name, which readers want as the model spells it.
        is_folded = own.casefold() == expression.name and not _tells_case(self._dialect)
        return own if is_folded else expression.name

    def _take_keys(self, group: exp.Group | None) -> None:
        """Everything selected that is no aggregate, and what GROUP BY names besides."""
        for _, expression in self._shown:
            if _is_key(expression):
                self._key(expression)
        if group is None:
            return
        has_sets = any(True for _ in group.find_all(exp.Rollup, exp.Cube, exp.GroupingSets))
        if has_sets or any(value for name, value in group.args.items() if name not in {"expressions", "all"}):
            self._refuse(group, "grouping sets are not answered", "Send one query per grouping.")
        items = [
            one for item in group.expressions for one in (item.expressions if isinstance(item, exp.Tuple) else [item])
        ]
        for item in items:
            expression = self._grouped(item)
            if any(True for kind in (Ref.METRIC, Ref.MEMBERS) for _ in references(expression, kind)):
                self._refuse(item, "GROUP BY names an aggregated value", "Group by attributes.")
            if _is_key(expression):
                self._key(expression)

    def _grouped(self, item: exp.Expression) -> exp.Expression:
        if isinstance(item, exp.Literal) and not item.is_string:
            place = int(item.name) if item.is_int else 0
            if not 1 <= place <= len(self._shown):
                self._refuse(item, f"GROUP BY names position {item.name} of {len(self._shown)} columns")
            return self._shown[place - 1][1]
        found = self._by_alias(item, prefers_column=True)
        return found if found is not None else self._converted(item, item)

    def _by_alias(self, item: exp.Expression, *, prefers_column: bool) -> exp.Expression | None:
        """The selected expression that a plain name stands for, when it is an alias."""
        if not isinstance(item, exp.Column) or item.table:
            return None
        if prefers_column and self._names.has(item.name):
            return None
        return next((expression for name, expression in self._shown if name == item.name), None)

    def _key(self, expression: exp.Expression) -> None:
        if expression not in self._used.keys:
            self._used.keys.append(expression)

    def _having(self, having: exp.Expression) -> exp.Expression:
        aliased = having.this.copy().transform(
            lambda node: (
                exp.Paren(this=found) if (found := self._by_alias(node, prefers_column=True)) is not None else node
            ),
            copy=False,
        )
        return self._over_keys(self._converted(aliased, having), having)

    def _order_term(self, term: exp.Expression, outputs: tuple[Output, ...]) -> OrderTerm:
        wanted = term.this
        if isinstance(wanted, exp.Literal) and not wanted.is_string:
            place = int(wanted.name) if wanted.is_int else 0
            if not 1 <= place <= len(outputs):
                self._refuse(term, f"ORDER BY names position {wanted.name} of {len(outputs)} columns")
            expression = outputs[place - 1].expression
        else:
            found = self._by_alias(wanted, prefers_column=False)
            converted = found if found is not None else self._converted(wanted, term)
            expression = self._over_keys(converted, term)
        if term.args.get("with_fill"):
            self._refuse(term, "WITH FILL is not answered")
        is_descending = bool(term.args.get("desc"))
        return OrderTerm(expression, is_descending, bool(term.args.get("nulls_first")))

    def _number(self, clause: exp.Expression | None) -> int | None:
        if clause is None:
            return None
        value = clause.args.get("count") or clause.args.get("expression")
        options = clause.args.get("limit_options")
        has_options = options is not None and (options.args.get("percent") or options.args.get("with_ties"))
        if not isinstance(value, exp.Literal) or not value.is_int or has_options or clause.expressions:
            self._refuse(clause, "only a plain number of rows is answered")
        return int(value.name)

    def _converted(self, expression: exp.Expression, clause: exp.Expression) -> exp.Expression:
        """A copy with columns and aggregates replaced by references."""

        def replaced(node: exp.Expression) -> exp.Expression | None:
            if reference_of_ours(node):
                return node.copy()
            if isinstance(node, exp.AggFunc):
                return self._aggregate(node, clause)
            if isinstance(node, exp.Column):
                return self._column(node, clause)
            if isinstance(node, exp.Anonymous):
                self._refuse(node, "this function is not known, so it cannot be said in another dialect")
            if isinstance(node, _RANDOM):
                self._refuse(node, "it differs from row to row, so groups of rows cannot be asked")
            if isinstance(node, _REFUSED) or not isinstance(node, _KNOWN):
                self._refuse(node, "this is not part of the SQL surface of a model", _WRAP)
            return None

        return rebuilt(expression, replaced)

    def _column(self, column: exp.Column, clause: exp.Expression) -> exp.Expression:
        if column.table and column.table.casefold() not in self._qualifiers:
            self._refuse(column, f"`{column.table}` is not the model of this SELECT", "Name columns without a table.")
        meaning = self._names.find(column.name, lambda: self._text(clause))
        if isinstance(meaning, Metric):
            return self._metric(meaning.name)
        if isinstance(meaning, Calculation):
            assert self._calculations is not None  # noqa: S101 - plain names mean no calculation
            return exp.Paren(this=self._calculations.expand(meaning.name, self._metric))
        return self._attribute(meaning)

    def _attribute(self, attribute: GrainAttribute) -> exp.Expression:
        return ref(Ref.ATTRIBUTE, self._used.attributes.setdefault(attribute, len(self._used.attributes)))

    def _metric(self, name: str, coordinates: Coordinates = ()) -> exp.Expression:
        """A metric, of other members than those of the row when coordinates say so."""
        slices: tuple[Slice, ...] = ()
        frame: Frame | None = None
        if coordinates:
            assert isinstance(self._names, SurfaceNames)  # noqa: S101 - plain names mean no calculation
            slices, frame = resolve(name, coordinates, self._names)
        metrics = self._used.metrics
        place = metrics.setdefault((name, slices, frame), len(metrics))
        if slices and place not in self._used.slices:
            conditions = [
                exp.EQ(this=self._attribute(attribute), expression=exp.Literal.string(key)) for attribute, key in slices
            ]
            self._used.slices[place] = exp.and_(*conditions, copy=False)
        if frame is not None:
            self._used.frames[place] = frame
            if isinstance(frame.form, Between | Each):
                self._attribute(frame.form.level)
        return ref(Ref.METRIC, place)

    def _aggregate(self, function: exp.Expression, clause: exp.Expression) -> exp.Expression:
        """COUNT(*), a metric in its own aggregate, or MIN, MAX, COUNT(DISTINCT) of an attribute."""
        argument = function.this
        is_distinct = isinstance(argument, exp.Distinct)
        if isinstance(function, exp.Count) and isinstance(argument, (exp.Star, exp.Literal)):
            return self._metric(ROW_COUNT)
        if isinstance(function, exp.Sum) and argument == exp.Literal.number(1):
            # Of no rows it is NULL, which COUNT is not.
            return exp.Nullif(this=self._metric(ROW_COUNT), expression=exp.Literal.number(0))
        is_float = isinstance(argument, exp.Cast) and argument.to.this in _FLOATS
        if is_float and isinstance(function, (exp.Sum, exp.Avg)) and isinstance(argument.this, exp.Column):
            bare = function.__class__(this=argument.this.copy())
            return exp.Cast(this=self._aggregate(bare, clause), to=argument.to.copy())
        inner = argument.expressions[0] if is_distinct and len(argument.expressions) == 1 else argument
        if isinstance(inner, exp.Column) and not function.expressions:
            meaning = self._names.find(inner.name, lambda: self._text(clause))
            if isinstance(meaning, Metric):
                return self._own_aggregate(function, meaning, is_distinct=is_distinct)
            if isinstance(meaning, Calculation):
                self._refuse(function, f"`{meaning.name}` is a calculated metric", "Write it without a function.")
        converted = self._converted(inner, clause)
        is_of_members = isinstance(function, (exp.Min, exp.Max)) or (isinstance(function, exp.Count) and is_distinct)
        if not is_of_members or function.expressions or not _is_key(converted):
            self._refuse(
                function, "it is no aggregate of the model", "Use its metrics, or MIN, MAX or COUNT(DISTINCT)."
            )
        made = function.copy()
        made.set("this", exp.Distinct(expressions=[converted]) if is_distinct else converted)
        members = self._used.members
        if made not in members:
            members.append(made)
        return ref(Ref.MEMBERS, members.index(made))

    def _own_aggregate(self, function: exp.Expression, metric: Metric, *, is_distinct: bool) -> exp.Expression:
        own = _OWN_FUNCTIONS.get(metric.calculation_method, ())
        may_be_distinct = "distinct" in metric.calculation_method or metric.calculation_method in {"minimum", "maximum"}
        if not isinstance(function, own) or (is_distinct and not may_be_distinct):
            reason = (
                f"metric `{metric.name}` is `{metric.calculation_method}` by definition and is not aggregated again"
            )
            self._refuse(function, reason, "Write the metric without a function.")
        return self._metric(metric.name)

    def _over_keys(self, expression: exp.Expression, clause: exp.Expression) -> exp.Expression:
        """Over K, M and G: attributes may stand there only as part of a grouping key."""
        keys = self._used.keys

        def replaced(node: exp.Expression) -> exp.Expression | None:
            return ref(Ref.KEY, keys.index(node)) if node in keys else None

        made = rebuilt(expression, replaced)
        for place in references(made, Ref.ATTRIBUTE):
            name = tuple(self._used.attributes)[place].query_name
            reason = f"attribute `{name}` is neither selected by itself nor grouped by"
            self._refuse(clause, reason, "Add it to SELECT or GROUP BY.")
        return made

    def _text(self, clause: exp.Expression) -> str:
        return clause.sql(dialect=self._dialect)

    def _refuse(self, clause: exp.Expression, reason: str, remedy: str = "") -> NoReturn:
        raise UnsupportedQueryError(self._text(clause).strip(), reason, remedy)


@cache
def _tells_case(dialect: str) -> bool:
    return SqlDialect.get_or_raise(dialect).normalization_strategy is not NormalizationStrategy.CASE_INSENSITIVE


def reference_of_ours(node: exp.Expression) -> bool:
    """True for a reference; placeholders of the query's author are refused before any are made."""
    return isinstance(node, exp.Placeholder) and bool(node.args.get("this")) and node.name[:1] in set(Ref)


def _is_key(expression: exp.Expression) -> bool:
    """Attributes without any aggregate; constants are no keys."""
    kinds = {node.name[0] for node in expression.find_all(exp.Placeholder)}
    return kinds == {Ref.ATTRIBUTE.value}


def _qualifiers(select: exp.Select) -> frozenset[str]:
    """What may stand before a column's dot: the alias, or the model's name."""
    relation = select.args["from_"].this
    return frozenset({relation.alias_or_name.casefold(), relation.name.casefold()})
