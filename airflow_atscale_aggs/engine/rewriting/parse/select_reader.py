"""Reads one SELECT on the flat table as a `ModelQuery`, or refuses it and quotes the clause."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlDialect
from sqlglot.dialects.dialect import NormalizationStrategy

from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.rewriting.flat_table import FlatNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.model_query import (
    ModelQuery,
    OrderTerm,
    Output,
    Ref,
    rebuild,
    ref,
    reference_of,
    references,
)
from airflow_atscale_aggs.engine.rewriting.parse.flat_expressions import WRAP, FlatExpressions, is_key
from airflow_atscale_aggs.engine.rewriting.parse.grouping import grouping_sets
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import relations_of

_CLAUSES = frozenset(
    {
        "expressions",
        "from_",
        "where",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "distinct",
        "kind",
        "windows",
        "joins",
    }
)


def read_select(
    select: exp.Select, names: FlatNames, calculations: CalculatedMetrics, *, dialect: str, nests: bool = False
) -> ModelQuery:
    """What a SELECT on a model asks for.

    Args:
        select: its FROM is the model alone; it is not changed.
        dialect: the SQL dialect it was written in, for quoting clauses.
        nests: whether subqueries may stand in its expressions.

    Raises:
        UnknownColumnError: a column that the model does not have.
        AmbiguousColumnError: a name that means several things.
        UnsupportedQueryError: a clause that is not answered.
    """
    flat = FlatExpressions(names, calculations, dialect, qualifiers=_qualifiers(select), nests=nests)
    return _Reader(names, flat, dialect).read_query(select)


def read_condition(
    condition: exp.Expr, names: FlatNames, attributes: Sequence[GrainAttribute], *, dialect: str
) -> tuple[exp.Expr, tuple[GrainAttribute, ...]]:
    """A condition on single rows over A, and the attributes, with those that it adds. Raises as `read_select`."""
    flat = FlatExpressions(names, None, dialect)
    used = flat.used
    used.attributes = {attribute: place for place, attribute in enumerate(attributes)}
    converted = flat.convert(condition, condition)
    if used.metrics or used.members:
        flat.refuse(condition, "it filters rows by an aggregated value")
    return converted, tuple(used.attributes)


class _Reader:
    """Reads one SELECT."""

    def __init__(self, names: FlatNames, flat: FlatExpressions, dialect: str) -> None:
        self._names, self._flat, self._dialect = names, flat, dialect
        self._used = flat.used
        self._keys: list[exp.Expr] = []
        self._sets: tuple[tuple[int, ...], ...] = ()
        self._shown: list[tuple[str, exp.Expr]] = []

    def read_query(self, select: exp.Select) -> ModelQuery:
        """To be called once."""
        self._check_clauses(select)
        self._flat.name_windows(select.args.get("windows") or ())
        joins = self._flat.join(relations_of(select, self._dialect), select)
        condition = self._where(select.args.get("where"))
        self._shown = [self._projection(projection, place) for place, projection in enumerate(select.expressions, 1)]
        self._take_keys(select.args.get("group"))
        if select.args.get("having") is None:
            self._take_constants()
        outputs = tuple(
            Output(name, self._over_keys(expression, original))
            for (name, expression), original in zip(self._shown, select.expressions, strict=True)
        )
        having = select.args.get("having")
        order = select.args.get("order")
        condition_on_groups = self._having(having) if having is not None else None
        order_by = tuple(self._order_term(term, outputs) for term in order.expressions) if order is not None else ()
        used = self._used
        return ModelQuery(
            attributes=tuple(used.attributes),
            keys=tuple(self._keys),
            metrics=tuple(metric.name for metric in used.metrics),
            slices=used.slices,
            filters={place: metric.only for metric, place in used.metrics.items() if metric.only is not None},
            methods={place: metric.method for metric, place in used.metrics.items() if metric.method},
            counted_facts={place: metric.fact for metric, place in used.metrics.items() if metric.fact},
            frames={place: metric.frame for metric, place in used.metrics.items() if metric.frame is not None},
            members=tuple(used.members),
            outputs=outputs,
            subqueries=tuple(used.subqueries.items()),
            joins=joins,
            joined=tuple(used.joined),
            where=condition,
            having=condition_on_groups,
            order_by=order_by,
            limit=self._number(select.args.get("limit")),
            offset=self._number(select.args.get("offset")),
            is_distinct=select.args.get("distinct") is not None,
            sets=self._sets or ((tuple(range(len(self._keys))),) if used.groupings else ()),
            groupings=tuple(self._grouping(arguments, select) for arguments in used.groupings),
        )

    def _check_clauses(self, select: exp.Select) -> None:
        for clause, value in select.args.items():
            if value and clause not in _CLAUSES:
                node = value[0] if isinstance(value, list) else value
                what = node if isinstance(node, exp.Expr) else select
                self._refuse(what, "this clause is not part of the SQL surface of a model", WRAP)
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            self._refuse(distinct, "DISTINCT ON is not part of the SQL surface of a model", "Group instead.")

    def _where(self, where: exp.Expr | None) -> exp.Expr | None:
        if where is None:
            return None
        condition = self._flat.convert(where.this, where)
        if next(references(condition, Ref.METRIC), None) is not None or self._used.members:
            self._refuse(where, "it filters rows by an aggregated value", "Conditions on metrics belong into HAVING.")
        return condition

    def _projection(self, projection: exp.Expr, place: int) -> tuple[str, exp.Expr]:
        expression = projection.unalias()
        if isinstance(expression, exp.Star) or (isinstance(expression, exp.Column) and expression.is_star):
            remedy = "Name the columns; `SELECT * … LIMIT 0` tells which there are."
            self._refuse(projection, "a model has more columns than anybody wants", remedy)
        converted = self._flat.convert(expression, projection, windows=True)
        return projection.alias or self._default_name(expression, converted, place), converted

    def _default_name(self, expression: exp.Expr, converted: exp.Expr, place: int) -> str:
        reference = reference_of(converted)
        own = ""
        if reference is not None and reference[0] is Ref.METRIC:
            own = tuple(self._used.metrics)[reference[1]].name or "count"
        elif reference is not None and reference[0] is Ref.ATTRIBUTE:
            own = tuple(self._used.attributes)[reference[1]].query_name
        if not isinstance(expression, exp.Column):
            return own if reference is not None and reference[0] is Ref.METRIC else f"column_{place}"
        # Where case does not matter, the parser has folded the name. Users expect the model's spelling.
        is_folded = own.casefold() == expression.name and not _tells_case(self._dialect)
        return own if is_folded else expression.name

    def _take_keys(self, group: exp.Group | None) -> None:
        """Take as keys what is selected and no aggregate and what GROUP BY names; with levels, only what they name."""
        sets, has_levels = ([()], False) if group is None else grouping_sets(group, self._dialect)
        if not has_levels:
            for _, expression in self._shown:
                if is_key(expression):
                    self._key(expression)
        levels = [tuple(dict.fromkeys(self._key(self._group_item(item)) for item in items)) for items in sets]
        if has_levels:
            self._sets = tuple(levels)

    def _take_constants(self) -> None:
        """Where only constants are selected, they make one group, provided that there are rows."""
        used = self._used
        if not self._keys and not self._sets and not used.metrics and not used.members and self._shown:
            self._key(self._shown[0][1])

    def _grouping(self, arguments: Sequence[exp.Expr], select: exp.Select) -> tuple[int, ...]:
        """The keys that GROUPING(…) is about."""
        for argument in arguments:
            if argument not in self._keys:
                clause = next((node for node in select.find_all(exp.Grouping, exp.GroupingId)), select)
                self._refuse(clause, "GROUPING is about what GROUP BY names", "Name the key as GROUP BY does.")
        return tuple(self._keys.index(argument) for argument in arguments)

    def _group_item(self, item: exp.Expr) -> exp.Expr:
        item = item.unnest()
        if isinstance(item, exp.Literal) and not item.is_string:
            place = int(item.name) if item.is_int else 0
            if not 1 <= place <= len(self._shown):
                self._refuse(item, f"GROUP BY names position {item.name} of {len(self._shown)} columns")
            expression = self._shown[place - 1][1]
            if any(True for kind in (Ref.METRIC, Ref.MEMBERS) for _ in references(expression, kind)):
                self._refuse(item, "GROUP BY names an aggregated value", "Group by attributes.")
            return expression
        selected = self._by_alias(item, prefers_column=True)
        expression = selected if selected is not None else self._flat.convert(item, item)
        if any(True for kind in (Ref.METRIC, Ref.MEMBERS) for _ in references(expression, kind)):
            self._refuse(item, "GROUP BY names an aggregated value", "Group by attributes.")
        return expression

    def _by_alias(self, item: exp.Expr, *, prefers_column: bool) -> exp.Expr | None:
        """The selected expression that a plain name stands for, when it is an alias."""
        if not isinstance(item, exp.Column) or item.table:
            return None
        if prefers_column and (self._names.has(item.name) or self._flat.is_joined(item)):
            return None
        return next((expression for name, expression in self._shown if name == item.name), None)

    def _key(self, expression: exp.Expr) -> int:
        """The place of a key. Constants are keys as well: where there are no rows, they make no group."""
        if expression not in self._keys:
            self._keys.append(expression)
        return self._keys.index(expression)

    def _having(self, having: exp.Expr) -> exp.Expr:
        def alias(column: exp.Column) -> exp.Expr | None:
            return self._by_alias(column, prefers_column=True)

        return self._over_keys(self._flat.convert(having.this, having, alias=alias), having)

    def _order_term(self, term: exp.Expr, outputs: tuple[Output, ...]) -> OrderTerm:
        wanted = term.this
        if isinstance(wanted, exp.Literal) and not wanted.is_string:
            place = int(wanted.name) if wanted.is_int else 0
            if not 1 <= place <= len(outputs):
                self._refuse(term, f"ORDER BY names position {wanted.name} of {len(outputs)} columns")
            expression = outputs[place - 1].expression
        else:
            selected = self._by_alias(wanted, prefers_column=False)
            converted = selected if selected is not None else self._flat.convert(wanted, term, windows=True)
            expression = self._over_keys(converted, term)
        if term.args.get("with_fill"):
            self._refuse(term, "WITH FILL is not answered")
        is_descending = bool(term.args.get("desc"))
        return OrderTerm(expression, is_descending, bool(term.args.get("nulls_first")))

    def _number(self, clause: exp.Expr | None) -> int | None:
        if clause is None:
            return None
        value = clause.args.get("count") or clause.args.get("expression")
        if isinstance(clause, exp.Fetch) and value is None:
            # FETCH FIRST ROW ONLY
            value = exp.Literal.number(1)
        value = value.unnest() if value is not None else value
        if isinstance(clause, exp.Limit) and (isinstance(value, exp.Null) or _is_all(value)):
            return None
        options = clause.args.get("limit_options")
        has_options = options is not None and (options.args.get("percent") or options.args.get("with_ties"))
        if not isinstance(value, exp.Literal) or not value.is_int or has_options or clause.expressions:
            self._refuse(clause, "only a plain number of rows is answered")
        return int(value.name)

    def _over_keys(self, expression: exp.Expr, clause: exp.Expr) -> exp.Expr:
        """Over K, M and G: attributes may stand there only as part of a grouping key."""
        keys = self._keys

        def replacement_of(node: exp.Expr) -> exp.Expr | None:
            return ref(Ref.KEY, keys.index(node)) if node in keys and is_key(node) else None

        over_keys = rebuild(expression, replacement_of)
        for place in references(over_keys, Ref.JOINED):
            reason = f"`{tuple(self._used.joined)[place][1]}` is neither selected by itself nor grouped by"
            self._refuse(clause, reason, "Add it to SELECT or GROUP BY.")
        for place in references(over_keys, Ref.ATTRIBUTE):
            name = tuple(self._used.attributes)[place].query_name
            reason = f"attribute `{name}` is neither selected by itself nor grouped by"
            self._refuse(clause, reason, "Add it to SELECT or GROUP BY.")
        return over_keys

    def _refuse(self, clause: exp.Expr, reason: str, remedy: str = "") -> NoReturn:
        self._flat.refuse(clause, reason, remedy)


def _is_all(value: exp.Expr | None) -> bool:
    """LIMIT ALL is no limit."""
    return isinstance(value, (exp.Column, exp.Var, exp.Identifier)) and value.name.casefold() == "all"


@cache
def _tells_case(dialect: str) -> bool:
    return SqlDialect.get_or_raise(dialect).normalization_strategy is not NormalizationStrategy.CASE_INSENSITIVE


def _qualifiers(select: exp.Select) -> frozenset[str]:
    """What may stand before a column's dot: the alias, or the model's name where it means nothing around the SELECT."""
    relation = select.args["from_"].this
    own = {relation.alias_or_name.casefold()}
    around = select.parent_select
    while around is not None:
        sources = (around.args.get("from_"), *(around.args.get("joins") or ()))
        if any(
            source is not None and source.this.alias_or_name.casefold() == relation.name.casefold()
            for source in sources
        ):
            return frozenset(own)
        around = around.parent_select
    return frozenset(own | {relation.name.casefold()})
