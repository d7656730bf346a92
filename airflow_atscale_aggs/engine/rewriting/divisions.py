"""Translates `/` so that it keeps the meaning of the query's dialect, whatever the warehouse's own `/` means.

    written in PostgreSQL's SQL, run on DuckDB
    "Quantity" / COUNT(*)            whole numbers: the quotient without its remainder    "Quantity" // COUNT(*)
    "Amount" / COUNT(*)              a decimal: the quotient                              "Amount" / COUNT(*)
    a / b                            not known, so it is refused; CAST(a AS DOUBLE PRECISION) / b is known

Calculated metrics never divide whole numbers without the remainder, see `calculations.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlDialect

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.column_lists import add_column
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref, rebuild, reference_of, with_names
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.spelling import render_for_people


class NumberKind(StrEnum):
    """The kinds of numbers that matter to a division."""

    WHOLE = "whole"
    WIDE = "wide"
    """A whole number of 64 bits, whose sum is a decimal in some dialects."""
    OTHER = "other"
    UNKNOWN = "unknown"


_WHOLE = frozenset({"int", "integer", "int2", "int4", "smallint", "tinyint", "utinyint"})
_WIDE = frozenset({"bigint", "int8", "long", "hugeint"})
_DECIMAL_SUMS = frozenset({"postgres", "redshift"})
_OTHER = ("double", "float", "real", "decimal", "numeric", "number")
_SAME = (exp.Paren, exp.Neg, exp.Nullif, exp.Abs)
_BOTH = (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.IntDiv)
_COUNTS = (exp.Count, exp.Length, exp.ApproxDistinct)

_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.Count)
_PICKS = (exp.Min, exp.Max, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)

KINDS = "kinds_of_numbers"
"""The key under which an answered query stores the kinds of its columns, by name."""

KIND = "kind_of_number"
"""The key under which an answered query stores the kind of its first column; see `kind_of_answer`."""

KindOf = Callable[[Ref, int], NumberKind]


def kind_of_type(name: str) -> NumberKind:
    """By the name of a type, in lower case.

    >>> kind_of_type("integer"), kind_of_type("decimal(9,2)")
    (<NumberKind.WHOLE: 'whole'>, <NumberKind.OTHER: 'other'>)
    """
    if name in _WHOLE:
        return NumberKind.WHOLE
    if name in _WIDE:
        return NumberKind.WIDE
    return NumberKind.OTHER if name.startswith(_OTHER) else NumberKind.UNKNOWN


def sum_of(kind: NumberKind, written: str) -> NumberKind:
    """What SUM of a number is, in the dialect that the query is written in."""
    if kind is NumberKind.WHOLE:
        return NumberKind.WIDE
    return NumberKind.OTHER if kind is NumberKind.WIDE and written in _DECIMAL_SUMS else kind


def translate_divisions(query: ModelQuery, kind_of: KindOf, written: str, dialect: Dialect) -> ModelQuery:
    """Translate every division of a query so that it keeps the meaning of the query's dialect.

    Args:
        kind_of: of attributes and metrics.
        written: the dialect of the query, by sqlglot's name.
        dialect: the warehouse's.

    Raises:
        UnsupportedQueryError: it depends on types that are not known.
    """
    divisions = _Divisions(query, kind_of, written, dialect)
    return replace(
        query,
        keys=tuple(divisions.translate(key) for key in query.keys),
        members=tuple(divisions.translate(member) for member in query.members),
        filters={place: divisions.translate(condition) for place, condition in query.filters.items()},
        joins=tuple(
            replace(join, on=divisions.translate(join.on) if join.on is not None else None) for join in query.joins
        ),
        outputs=tuple(replace(output, expression=divisions.translate(output.expression)) for output in query.outputs),
        where=divisions.translate(query.where) if query.where is not None else None,
        having=divisions.translate(query.having) if query.having is not None else None,
        order_by=tuple(replace(term, expression=divisions.translate(term.expression)) for term in query.order_by),
    )


def kind_of_answer(query: ModelQuery, kind_of: KindOf, written: str, dialect: Dialect) -> NumberKind:
    """What the first column of a query's answer is."""
    return _Divisions(query, kind_of, written, dialect).kind(query.outputs[0].expression)


def kinds_of_columns(query: ModelQuery, kind_of: KindOf, written: str, dialect: Dialect) -> dict[str, NumberKind]:
    """What the columns of a query's answer are, by name."""
    divisions = _Divisions(query, kind_of, written, dialect)
    kinds: dict[str, NumberKind] = {}
    for output in query.outputs:
        add_column(kinds, output.name, divisions.kind(output.expression))
    return kinds


class _Divisions:
    """Translates the divisions of one query."""

    def __init__(self, query: ModelQuery, kind_of: KindOf, written: str, dialect: Dialect) -> None:
        self._query, self._kind_of, self._written, self._dialect = query, kind_of, written, dialect
        self._is_typed = is_typed(dialect.sqlglot_name)

    def translate(self, expression: exp.Expr) -> exp.Expr:
        """A copy whose divisions are meant for the warehouse."""
        return expression if self._is_typed else rebuild(expression, self._division)

    def kind(self, expression: exp.Expr) -> NumberKind:
        """What an expression over references is."""
        return _kind(expression, self._of, self._written)

    def _division(self, node: exp.Expr) -> exp.Expr | None:
        if not isinstance(node, exp.Div) or not node.args.get("typed"):
            return None
        sides = [rebuild(side, self._division) for side in (node.this, node.expression)]
        kinds = [_kind(side, self._of, self._written) for side in (node.this, node.expression)]
        if NumberKind.OTHER in kinds:
            return exp.Div(this=sides[0], expression=sides[1], typed=True, safe=node.args.get("safe"))
        if NumberKind.UNKNOWN in kinds or not self._dialect.divides_whole_numbers:
            is_whole = NumberKind.UNKNOWN not in kinds
            raise unclear_division_error(with_names(node, self._query), self._written, self._dialect, is_whole=is_whole)
        return exp.IntDiv(this=sides[0], expression=sides[1])

    def _of(self, kind: Ref, place: int) -> NumberKind:
        if kind is Ref.GROUPING:
            return NumberKind.WHOLE
        if kind is Ref.KEY:
            return _kind(self._query.keys[place], self._of, self._written)
        if kind is Ref.MEMBERS:
            return _kind(self._query.members[place], self._of, self._written)
        if kind is Ref.JOINED:
            return self._of_joined(*self._query.joined[place])
        return self._kind_of(kind, place)

    def _of_joined(self, subquery: str, column: str) -> NumberKind:
        """What a column of a joined relation is: only an answered query says so."""
        kinds = dict(self._query.subqueries)[subquery].meta.get(KINDS) or {}
        return NumberKind(kinds.get(column, NumberKind.UNKNOWN))


def kind_of_number(expression: exp.Expr, of: KindOf, written: str) -> NumberKind:
    """What an expression over references is.

    Args:
        of: gives the kind of a reference.
        written: the dialect of the query, by sqlglot's name.
    """
    return _kind(expression, of, written)


def _kind(node: exp.Expr, of: KindOf, written: str) -> NumberKind:  # noqa: PLR0911 - one a kind of expression
    reference = reference_of(node)
    if reference is not None:
        return of(*reference)
    if isinstance(node, exp.Literal):
        return NumberKind.UNKNOWN if node.is_string else NumberKind.WHOLE if node.is_int else NumberKind.OTHER
    if isinstance(node, exp.Cast):
        return kind_of_type(node.to.sql().casefold())
    if isinstance(node, _COUNTS):
        return NumberKind.WIDE
    if isinstance(node, exp.Window):
        return _kind_of_window(node.this, of, written)
    if isinstance(node, exp.Subquery):
        return NumberKind(node.args.get(KIND) or NumberKind.UNKNOWN)
    if isinstance(node, (*_SAME, exp.Min, exp.Max)):
        return _kind(node.this, of, written)
    if isinstance(node, exp.Div):
        kind = _combine_kinds(_kind(node.this, of, written), _kind(node.expression, of, written))
        return kind if node.args.get("typed") else NumberKind.OTHER
    values = _values(node)
    return _combine_kinds(*(_kind(value, of, written) for value in values)) if values else NumberKind.UNKNOWN


def _values(node: exp.Expr) -> list[exp.Expr]:
    """What a number is made of that is of the kind of its parts."""
    if isinstance(node, _BOTH):
        return [node.this, node.expression]
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Case):
        values = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        return [value for value in (*values, default) if value is not None and not isinstance(value, exp.Null)]
    return []


def _kind_of_window(function: exp.Expr, of: KindOf, written: str) -> NumberKind:
    if isinstance(function, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
        return _kind_of_window(function.this, of, written)
    if isinstance(function, _RANKS):
        return NumberKind.WIDE
    if isinstance(function, (exp.Avg, exp.PercentRank, exp.CumeDist)):
        return NumberKind.OTHER
    if isinstance(function, exp.Sum):
        return sum_of(_kind(function.this, of, written), written)
    return _kind(function.this, of, written) if isinstance(function, _PICKS) else NumberKind.UNKNOWN


def _combine_kinds(*kinds: NumberKind) -> NumberKind:
    """The kind of a sum: whole where all terms are whole, another kind where one term is of that kind."""
    for kind in (NumberKind.OTHER, NumberKind.UNKNOWN, NumberKind.WIDE):
        if kind in kinds:
            return kind
    return NumberKind.WHOLE


def is_typed(name: str) -> bool:
    """Whether `/` of whole numbers leaves the remainder out in a dialect, by sqlglot's name."""
    return bool(SqlDialect.get_or_raise(name).TYPED_DIVISION)


def unclear_division_error(node: exp.Expr, written: str, dialect: Dialect, *, is_whole: bool) -> UnsupportedQueryError:
    """The error for a division that the warehouse cannot be asked for so that it means the same.

    Args:
        is_whole: both are known to be whole numbers.
    """
    reason = f"in {written} it leaves the remainder out where both are whole numbers, "
    if is_whole:
        reason += f"as they are here, and no operator of {dialect.name} is proven to do so"
    else:
        reason += f"in {dialect.name} it does not, and whether they are is not known here"
    remedy = "Say it: CAST(… AS DOUBLE PRECISION) / … for the quotient, FLOOR of that to leave the remainder out."
    return UnsupportedQueryError(render_for_people(node, written), reason, remedy)
