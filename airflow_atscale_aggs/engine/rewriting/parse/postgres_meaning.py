"""Translates a query on a model, and what stands around it, so that functions mean what they mean in PostgreSQL.

Inside the query, a reference has the type of the column that it stands for. Around it, a column has the type of what it
shows: each composed SELECT carries the types of its columns with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.column_lists import (
    add_column,
    add_star,
    column_name,
    combine_columns,
    rename_columns,
)
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref, rebuild, reference_of, with_names
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from airflow_atscale_aggs.engine.sql.capabilities import Dialect, FunctionStyle
from airflow_atscale_aggs.engine.sql.functions.surfaces import check_portable
from airflow_atscale_aggs.engine.sql.functions.translating import Translator
from airflow_atscale_aggs.engine.sql.functions.types import (
    FLOATING_NUMERIC,
    FLOATS,
    INTEGER,
    NUMBERS,
    TEXT,
    TEXTS,
    TIMESTAMP,
    UNKNOWN,
    UNTYPED,
    Kind,
    SqlType,
    Value,
    find_type,
    wider,
)

_OUTPUTS = "types of columns"
CALCULATED = "calculated"
"""Marks, among its arguments, the parentheses of a calculated metric, whose parts have a meaning of their own."""

TypeOf = Callable[[Ref, int], SqlType]
Columns = Mapping[str, SqlType]


def note_types(query: exp.Expr, columns: Columns) -> None:
    """Store the types of its columns with a query."""
    query.meta[_OUTPUTS] = dict(columns)


def translate_query(query: ModelQuery, type_of: TypeOf, translator: Translator) -> tuple[ModelQuery, Columns]:
    """The query for the warehouse, and the types of its columns.

    Args:
        type_of: of attributes and metrics.

    Raises:
        UnsupportedQueryError: something in it has no proven meaning there.
    """
    return _Meaning(query, type_of, translator).translate()


def check_query(query: ModelQuery, written: str, dialect: Dialect) -> None:
    """Check that the query uses only what means the same on every warehouse. Raises as `check_portable`."""
    clauses = [*query.keys, *query.members, *query.filters.values(), *(output.expression for output in query.outputs)]
    conditions = (query.where, query.having, *(join.on for join in query.joins))
    clauses += [condition for condition in conditions if condition is not None]
    for clause in [*clauses, *(term.expression for term in query.order_by)]:
        check_portable(clause, written, dialect)


def with_decimal_rounding(query: ModelQuery, dialect: Dialect) -> ModelQuery:
    """Cast calculated metrics to decimals where they are rounded to places: PostgreSQL rounds no floating number so."""
    if dialect.functions is not FunctionStyle.NATIVE:
        return query

    def round_decimals(node: exp.Expr) -> exp.Expr | None:
        is_rounded = isinstance(node, (exp.Round, exp.Trunc)) and node.args.get("decimals") is not None
        if not is_rounded or not any(paren.args.get(CALCULATED) for paren in node.this.find_all(exp.Paren)):
            return None
        rounding = node.copy()
        rounding.set("this", exp.cast(rounding.this, "decimal"))
        return rounding

    return replace(
        query,
        outputs=tuple(
            replace(output, expression=rebuild(output.expression, round_decimals)) for output in query.outputs
        ),
        having=rebuild(query.having, round_decimals) if query.having is not None else None,
        order_by=tuple(replace(term, expression=rebuild(term.expression, round_decimals)) for term in query.order_by),
    )


class _Meaning:
    """Translates the expressions of one query."""

    def __init__(self, query: ModelQuery, type_of: TypeOf, translator: Translator) -> None:
        self._query, self._type_of, self._translator = query, type_of, translator
        self._subqueries = {name: translate_around(subquery, translator) for name, subquery in query.subqueries}
        self._keys = [self._value(key) for key in query.keys]
        self._members = [self._value(member) for member in query.members]

    def translate(self) -> tuple[ModelQuery, Columns]:
        """To be called once."""
        query = self._query
        outputs = [self._value(output.expression) for output in query.outputs]
        translated = replace(
            query,
            keys=tuple(key.sql for key in self._keys),
            members=tuple(member.sql for member in self._members),
            filters={place: self._value(condition).sql for place, condition in query.filters.items()},
            subqueries=tuple(self._subqueries.items()),
            joins=tuple(
                replace(join, on=self._value(join.on).sql if join.on is not None else None) for join in query.joins
            ),
            outputs=tuple(
                replace(output, expression=value.sql) for output, value in zip(query.outputs, outputs, strict=True)
            ),
            where=self._value(query.where).sql if query.where is not None else None,
            having=self._value(query.having).sql if query.having is not None else None,
            order_by=tuple(replace(term, expression=self._value(term.expression).sql) for term in query.order_by),
        )
        columns: dict[str, SqlType] = {}
        for output, value in zip(query.outputs, outputs, strict=True):
            add_column(columns, output.name, value.type)
        return translated, columns

    def _value(self, node: exp.Expr) -> Value:
        leaf_type = self._leaf(node)
        if leaf_type is not None:
            # Most selected expressions are references, which stay as they are.
            return Value(node, leaf_type)
        return self._translator.translate(node, self._leaf, lambda part: with_names(part, self._query))

    def _leaf(self, node: exp.Expr) -> SqlType | None:
        if isinstance(node, exp.Placeholder):
            reference = reference_of(node)
            return self._of(*reference) if reference is not None else None
        if isinstance(node, exp.Paren) and node.args.get(CALCULATED):
            return self._calculated_type(node)
        if isinstance(node, exp.Subquery):
            return _of_rows(node, self._subqueries)
        return None

    def _of(self, kind: Ref, place: int) -> SqlType:
        if kind is Ref.KEY:
            return self._keys[place].type
        if kind is Ref.MEMBERS:
            return self._members[place].type
        if kind is Ref.JOINED:
            subquery, column = self._query.joined[place]
            return _outputs(self._subqueries.get(subquery)).get(column, UNKNOWN)
        return INTEGER if kind is Ref.GROUPING else self._type_of(kind, place)

    def _calculated_type(self, node: exp.Expr) -> SqlType:
        """Numbers of a calculation are decimals, unless one of its metrics is a floating number."""
        if any(literal.is_string for literal in node.find_all(exp.Literal)):
            return UNKNOWN
        kinds = [
            self._of(*reference)
            for placeholder in node.find_all(exp.Placeholder)
            if (reference := reference_of(placeholder))
        ]
        return next((kind for kind in kinds if kind.kind in FLOATS), FLOATING_NUMERIC)


def _of_rows(node: exp.Subquery, subqueries: Mapping[str, exp.Query]) -> SqlType:
    """The type of the only column of a query that stands in an expression."""
    query = node.this
    source = query.args.get("from_") if isinstance(query, exp.Select) else None
    subquery = subqueries.get(source.this.name) if source is not None and isinstance(source.this, exp.Table) else None
    columns = list(_outputs(subquery if subquery is not None else query).values())
    return columns[0] if len(columns) == 1 else UNKNOWN


def _outputs(query: exp.Expr | None) -> Columns:
    columns = query.meta.get(_OUTPUTS) if query is not None else None
    return columns if isinstance(columns, dict) else {}


def translate_around(root: exp.Query, translator: Translator) -> exp.Query:
    """Translate what stands around composed SELECTs, in place.

    Raises:
        UnsupportedQueryError: something in it has no proven meaning on the warehouse.
    """
    _Around(translator).query(root, {}, {})
    return root


_Scope = Mapping[str, Columns]
_CLAUSES = ("distinct", "where", "group", "having", "qualify", "windows", "order")


class _Around:
    """Translates the SELECTs around those that were composed, innermost first."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    def query(self, query: exp.Expr, ctes: _Scope, outer: _Scope) -> Columns:
        """The types of a query's columns, after its expressions were replaced."""
        if _OUTPUTS in query.meta:
            return _outputs(query)
        inner_ctes = dict(ctes)
        with_ = query.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            if with_ is not None and with_.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                # A recursive CTE reads its own rows, which have the types of its first SELECT.
                first = self.query(cte.this.this, inner_ctes, outer)
                inner_ctes[cte.alias] = rename_columns(first, cte.args.get("alias"))
            columns = self.query(cte.this, inner_ctes, outer)
            inner_ctes[cte.alias] = rename_columns(columns, cte.args.get("alias"))
        if isinstance(query, exp.SetOperation):
            left, right = (self.query(side, inner_ctes, outer) for side in (query.this, query.expression))
            columns = combine_columns(left, right, _common_type, UNKNOWN)
            self._clauses(query, {"": columns}, outer, inner_ctes, columns)
        elif isinstance(query, exp.Subquery):
            columns = self.query(query.this, inner_ctes, outer)
        elif isinstance(query, exp.Select):
            columns = self._select(query, inner_ctes, outer)
        else:
            columns = {}
        note_types(query, columns)
        return columns

    def _select(self, select: exp.Select, ctes: _Scope, outer: _Scope) -> Columns:
        scope: dict[str, Columns] = {}
        source = select.args.get("from_")
        joins = select.args.get("joins") or []
        for relation in [*([source.this] if source is not None else []), *(join.this for join in joins)]:
            scope[relation.alias_or_name] = self._relation(relation, ctes, outer)
        for join in joins:
            condition = join.args.get("on")
            if condition is not None:
                join.set("on", self._value(condition, scope, outer, ctes).sql)
        columns: dict[str, SqlType] = {}
        for projection in list(select.expressions):
            if projection.is_star:
                add_star(columns, projection, scope, UNKNOWN)
                continue
            inner = projection.unalias()
            value = self._value(inner, scope, outer, ctes)
            name = column_name(projection)
            add_column(columns, name, value.type)
            if value.sql is not inner:
                shown = (
                    value.sql
                    if isinstance(projection, exp.Alias) or not name
                    else exp.alias_(value.sql, name, quoted=True)
                )
                inner.replace(shown)
        self._clauses(select, scope, outer, ctes, columns)
        return columns

    def _clauses(self, query: exp.Expr, scope: _Scope, outer: _Scope, ctes: _Scope, shown: Columns) -> None:
        for clause in _CLAUSES:
            node = query.args.get(clause)
            for part in node if isinstance(node, list) else [node]:
                if not isinstance(part, exp.Expr):
                    continue
                own = {**scope, "": shown} if clause in {"group", "order"} else scope
                self._below(part, own, outer, ctes)

    def _below(self, node: exp.Expr, scope: _Scope, outer: _Scope, ctes: _Scope) -> None:
        """Each expression right below a clause, or below its terms."""
        for child in list(node.iter_expressions()):
            if isinstance(
                child, (exp.Ordered, exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple, exp.Order, exp.WindowSpec)
            ):
                self._below(child, scope, outer, ctes)
            elif isinstance(child, exp.Literal) and not child.is_string:
                # A place among the columns.
                continue
            elif isinstance(child, (exp.Condition, exp.Subquery)) and not isinstance(child, exp.Star):
                value = self._value(child, scope, outer, ctes)
                if value.sql is not child:
                    child.replace(value.sql)

    def _relation(self, relation: exp.Expr, ctes: _Scope, outer: _Scope) -> Columns:
        if isinstance(relation, exp.Subquery):
            return rename_columns(self.query(relation.this, ctes, outer), relation.args.get("alias"))
        noted = relation.meta.get(COLUMNS) if isinstance(relation, exp.Table) else None
        if noted:
            types = {name: find_type(str(kind)) for name, kind in noted.items()}
            return rename_columns(types, relation.args.get("alias"))
        if isinstance(relation, exp.Table) and not relation.db:
            return rename_columns(ctes.get(relation.name, {}), relation.args.get("alias"))
        return {}

    def _value(self, node: exp.Expr, scope: _Scope, outer: _Scope, ctes: _Scope) -> Value:
        around = {**outer, **scope}

        def leaf(part: exp.Expr) -> SqlType | None:
            if isinstance(part, exp.Column):
                return _column_type(part, scope, around)
            if isinstance(part, exp.Subquery | exp.Exists):
                columns = list(self.query(part.this, ctes, around).values())
                return columns[0] if isinstance(part, exp.Subquery) and len(columns) == 1 else UNKNOWN
            if isinstance(part, exp.In) and part.args.get("query") is not None:
                self.query(part.args["query"].unnest(), ctes, around)
            return None

        leaf_type = leaf(node)
        if leaf_type is not None:
            return Value(node, leaf_type)
        return self._translator.translate(node, leaf, lambda part: part)


def _common_type(left: SqlType, right: SqlType) -> SqlType:
    """What PostgreSQL makes of two types in one column."""
    if left == right or right.kind in UNTYPED:
        return left
    if left.kind in UNTYPED:
        return right
    if {left.kind, right.kind} <= NUMBERS:
        return wider(left, right)
    if {left.kind, right.kind} == {Kind.DATE, Kind.TIMESTAMP}:
        return TIMESTAMP
    return TEXT if {left.kind, right.kind} <= TEXTS else UNKNOWN


def _column_type(column: exp.Column, scope: _Scope, around: _Scope) -> SqlType:
    """By the table that is named, else the one type that columns of this name have."""
    if column.table:
        return around.get(column.table, {}).get(column.name, UNKNOWN)
    for tables in (scope, around):
        types = {columns[column.name] for columns in tables.values() if column.name in columns}
        if len(types) == 1:
            return types.pop()
        if types:
            return UNKNOWN
    return UNKNOWN
