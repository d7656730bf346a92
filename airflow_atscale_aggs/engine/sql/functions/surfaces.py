"""Which functions of PostgreSQL a warehouse is asked for, and who translates them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.capabilities import Dialect, FunctionStyle
from airflow_atscale_aggs.engine.sql.functions import duckdb
from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, NamedHandlers, refusal_of
from airflow_atscale_aggs.engine.sql.functions.translating import Translator, function_name

SURFACE_DIALECT = "postgres"
"""The SQL of queries on models whose meaning is kept on every warehouse."""

_HANDLERS: Mapping[FunctionStyle, tuple[Handlers, NamedHandlers]] = {
    FunctionStyle.DUCKDB: (duckdb.HANDLERS, duckdb.NAMED)
}
_NAMES = frozenset(duckdb.NAMED)
_ROW = frozenset({"row", "any", "all", "some"})

_PORTABLE = (
    exp.And,
    exp.Or,
    exp.Not,
    exp.Is,
    exp.In,
    exp.Exists,
    exp.Between,
    exp.Case,
    exp.If,
    exp.Coalesce,
    exp.Nullif,
    exp.Paren,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Like,
    exp.Tuple,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Neg,
    exp.Abs,
    exp.Upper,
    exp.Lower,
    exp.Extract,
    exp.TimestampTrunc,
    exp.Cast,
    exp.DataType,
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Var,
    exp.Interval,
    exp.Placeholder,
    exp.Column,
    exp.Identifier,
    exp.Star,
    exp.Distinct,
    exp.Count,
    exp.Sum,
    exp.Avg,
    exp.Min,
    exp.Max,
    exp.CurrentDate,
    exp.Year,
    exp.Month,
    exp.Day,
    exp.Concat,
    exp.DPipe,
    exp.Subquery,
    exp.Query,
    exp.From,
    exp.Table,
    exp.Where,
    exp.Window,
    exp.WindowSpec,
    exp.Order,
    exp.Ordered,
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.Ntile,
    exp.Filter,
    exp.Stddev,
    exp.StddevSamp,
    exp.StddevPop,
    exp.Variance,
    exp.VariancePop,
    exp.ApproxDistinct,
    exp.IntDiv,
)

_PORTABLE_UNITS = frozenset({"year", "quarter", "month", "day", "hour", "minute", "second"})
"""Parts of a date that mean the same everywhere: the first day of the week is 0 here, and 1 there."""


def translator_of(written: str, dialect: Dialect) -> Translator | None:
    """Who translates what is written for a warehouse; None where it is the warehouse's own, or nothing is proven."""
    handlers = _HANDLERS.get(dialect.functions)
    if written != SURFACE_DIALECT or handlers is None:
        return None
    return Translator(*handlers, dialect.name)


def is_known_name(name: str) -> bool:
    """Whether a function that the parser does not know is part of the surface."""
    return name.casefold() in _NAMES or name.casefold() in _ROW


def known_names() -> frozenset[str]:
    """Names of all functions of the surface, in lower case."""
    names = {kind.sql_name().casefold() for kind in duckdb.HANDLERS if issubclass(kind, exp.Func)}
    return _NAMES | names


def check_portable(node: exp.Expr, written: str, dialect: Dialect) -> None:
    """Refuse functions that may mean something else on a warehouse whose functions were never tried.

    Raises:
        UnsupportedQueryError: a function whose meaning there is not proven.
    """
    if written != SURFACE_DIALECT or dialect.functions is not FunctionStyle.PORTABLE:
        return
    for part in node.walk():
        if dialect.casts_cut and _is_cast_of_digits(part):
            reason = f"a number that is cast to a whole one loses its digits on {dialect.name}; PostgreSQL rounds it"
            raise refusal_of(part, reason, "Leave the cast out, or cast to DECIMAL(38, 0), which rounds.")
        is_other_unit = isinstance(part, exp.Extract) and part.name.casefold() not in _PORTABLE_UNITS
        # The length of a text is cut to here, and refused there.
        is_number_size = isinstance(part, exp.DataTypeParam) and _is_decimal(part.parent)
        if is_other_unit or not (is_number_size or isinstance(part, _PORTABLE)):
            reason = f"`{function_name(part)}` is not proven to mean on {dialect.name} what it means in PostgreSQL"
            raise refusal_of(part, reason, "Use comparisons, arithmetic, CASE, COALESCE, EXTRACT and DATE_TRUNC.")


def _is_cast_of_digits(node: exp.Expr) -> bool:
    """Whether a cast to whole numbers may have digits behind the point to lose."""
    if not isinstance(node, exp.Cast) or node.to.this not in exp.DataType.INTEGER_TYPES:
        return False
    value = node.this.unnest()
    is_whole = isinstance(value, exp.Literal) and value.is_int
    return not is_whole and not isinstance(value, (exp.Count, exp.Null, exp.Boolean))


def _is_decimal(kind: exp.Expr | None) -> bool:
    return isinstance(kind, exp.DataType) and kind.this is exp.DataType.Type.DECIMAL
