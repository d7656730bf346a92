"""The SELECT of an aggregate from its fact dataset.

    fact rows            aggregate by city (amount summed)
    city   amount        city   matched  sum_amount  row_count
    North  1             North  1        3           2
    North  2             NULL   1        4           1          the shop is there, its city is NULL
    NULL   4  (shop 4)   NULL   0        8           1          the shop is not there, or the key is NULL
    -      8  (no shop)

Source: DESIGN "Unknown members", "Keys and names"; SML, ``calculation_method``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.errors import NotMeasurableError, UnsupportedMetricError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.column_types import explain_unmeasurable, is_whole
from airflow_atscale_aggs.engine.sql.fact_joins import JoinComposer, ProvenConstraints, groupable, join_tree
from airflow_atscale_aggs.engine.sql.indicator_lookup import any_range_condition
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources

SMALL_INTEGERS = frozenset({"int", "integer", "int4", "smallint", "int2", "tinyint"})
"""Types of at most 32 bits, as warehouses and SML spell them."""

_LARGE_INTEGERS = frozenset({"long", "bigint", "int8", "ubigint"})
_INTEGERS = SMALL_INTEGERS | _LARGE_INTEGERS

_DECIMAL = re.compile(r"(?:decimal|dec|numeric)\((\d+)(?:, ?(\d+))?\)")

_MOST_DIGITS = 38
"""Of a decimal, where sums grow with their type."""

_SAFE_DIGITS = 18
"""A sum of decimals with so many digits has no more than 38, whatever the number of rows."""


def as_bigint(expression: exp.Expr) -> exp.Cast:
    """A cast; unlike sqlglot's own it copies nothing and parses no name of a type."""
    return exp.Cast(this=expression, to=exp.DataType(this=exp.DataType.Type.BIGINT, nested=False))


def as_double(expression: exp.Expr) -> exp.Cast:
    """A cast to double precision, made without a copy and without the parser, as `as_bigint` makes one."""
    return exp.Cast(this=expression, to=exp.DataType(this=exp.DataType.Type.DOUBLE, nested=False))


def as_wide_decimal(expression: exp.Expr) -> exp.Cast:
    """A cast to whole numbers of as many digits as a decimal can have."""
    return exp.Cast(this=expression, to=exp.DataType.build(f"decimal({_MOST_DIGITS}, 0)"))


def select_from_fact(
    part: FactPart, sources: Sources, constraints: ProvenConstraints, only: Sequence[RowRange] = ()
) -> exp.Select:
    """The rows of a part's table, computed from its fact dataset and the dimensions.

    Every fact row counts in exactly one group (in one per member of a many-to-many attribute), also rows whose foreign
    keys are NULL or lead nowhere. An empty grain gives one row, also for an empty fact.

    Args:
        only: ranges of the fact rows that are read; none: all.

    Raises:
        DefinitionError: a column or table is not there, or a join would multiply rows.
        UnsupportedMetricError: a measure cannot be stored on this dialect.
    """
    layout = stored_columns(part)
    tree = join_tree(part.fact, part.attributes)
    select = exp.Select()
    alias, joined = JoinComposer(sources, constraints).root(tree, select)
    condition = any_range_condition(only, sources[part.fact], alias)
    if condition is not None:
        select.where(condition, copy=False)
    group: list[exp.Expr] = []
    for bound in part.attributes:
        stored = layout.attributes[bound.attribute]
        names = dict(zip(bound.key_columns, stored.keys, strict=True)) | {bound.name_column: stored.name}
        for column in bound.columns:
            _add(select, joined.column[bound.steps, column].copy(), names[column], group)
    for path, flag in layout.matched.items():
        _add(select, joined.matched_flag(path), flag, group)
    source = sources[part.fact]
    for measure, name in layout.measures.items():
        _add(select, measure_expression(measure, source, alias), name, None)
    keys = groupable(group)
    if keys:
        select.group_by(*keys, copy=False)
    elif group:
        # All keys are constants: one group, or none over no rows.
        rows = exp.Count(this=exp.Star(), big_int=True)
        select.having(exp.GT(this=rows, expression=exp.Literal.number(0)), copy=False)
    return select


def _add(select: exp.Select, expression: exp.Expr, name: str, group: list[exp.Expr] | None) -> None:
    select.select(exp.Alias(this=expression, alias=exp.Identifier(this=name, quoted=True)), copy=False)
    if group is not None:
        group.append(expression)


def measure_expression(  # noqa: PLR0911 - one a function
    measure: StoredMeasure, source: DatasetSource, alias: str
) -> exp.Expr:
    """The aggregate expression of a stored measure over the fact's alias."""
    function = measure.function
    if function is StoredFunction.COUNT_ROWS:
        return exp.Count(this=exp.Star(), big_int=True)
    column = source.column(measure.column, alias)
    check_measurable(_METHODS.get(function, ""), source, measure.column)
    match function:
        case StoredFunction.SUM:
            return sum_of(column, source, measure.column)
        case StoredFunction.COUNT:
            return exp.Count(this=column, big_int=True)
        case StoredFunction.MINIMUM:
            return exp.Min(this=column)
        case StoredFunction.MAXIMUM:
            return exp.Max(this=column)
        case StoredFunction.CENTERED_SQUARES:
            return exp.Mul(this=_variance(column, source.dialect), expression=exp.Count(this=column.copy()))
        case StoredFunction.COUNT_DISTINCT:
            return exp.Count(this=exp.Distinct(expressions=[column]), big_int=True)
        case StoredFunction.SUM_DISTINCT:
            return sum_of(column, source, measure.column, is_distinct=True)
        case StoredFunction.DISTINCT_SKETCH | StoredFunction.PERCENTILE_SKETCH:
            return exp.Anonymous(this=_sketch_function(measure, source), expressions=[column])


_METHODS = {
    StoredFunction.SUM: "sum",
    StoredFunction.SUM_DISTINCT: "sum distinct",
    StoredFunction.MINIMUM: "minimum",
    StoredFunction.MAXIMUM: "maximum",
    StoredFunction.CENTERED_SQUARES: "var_pop",
    StoredFunction.PERCENTILE_SKETCH: "percentile",
}


def check_measurable(method: str, source: DatasetSource, column: str) -> None:
    """Refuse a measure that no warehouse can compute, with the names of its column and dataset.

    Raises:
        NotMeasurableError: there is no such measure of the column's type.
    """
    reason = explain_unmeasurable(method, source.data_type(column), source.dialect.unmeasured)
    if reason:
        remedy = "Correct the metric's column or calculation method, or measure a calculated column."
        raise NotMeasurableError(
            "", f"column `{column}` of dataset `{source.dataset.name}` is measured, but {reason}", remedy
        )


def _variance(column: exp.Expr, dialect: Dialect) -> exp.Expr:
    value = exp.cast(column, "double")
    if dialect.variance_pop is None:
        return exp.VariancePop(this=value)
    return exp.Anonymous(this=dialect.variance_pop, expressions=[value])


def sum_of(column: exp.Expr, source: DatasetSource, name: str, *, is_distinct: bool = False) -> exp.Expr:
    """The SUM of a column of the fact, or of some of its values.

    Args:
        name: of the column, which tells its type.
        is_distinct: each value counts once.
    """
    value = widen_for_sum(column, source, name)
    total = exp.Sum(this=exp.Distinct(expressions=[value]) if is_distinct else value)
    if _wraps(source, name):
        return as_bigint(total)
    digits = _digits_that_wrap(source, name)
    return total if digits is None else _as_decimal(total, _MOST_DIGITS, digits)


def type_of_sum(source: DatasetSource, name: str) -> exp.DataType | None:
    """The type that the sum of a column has where a sum of such sums has another one; None where it is the same."""
    kind, dialect = source.data_type(name), source.dialect
    if (dialect.sums_wrap and is_whole(kind)) or (kind in SMALL_INTEGERS and dialect.bigint_sums_widen):
        return exp.DataType(this=exp.DataType.Type.BIGINT, nested=False)
    digits_that_wrap = _digits_that_wrap(source, name)
    if digits_that_wrap is not None:
        return _decimal(_MOST_DIGITS, digits_that_wrap)
    decimal = _DECIMAL.fullmatch(kind)
    if decimal is None or not dialect.decimal_sum_digits:
        return None
    digits = min(int(decimal[1]) + dialect.decimal_sum_digits, _MOST_DIGITS)
    return exp.DataType.build(f"decimal({digits}, {decimal[2] or 0})")


def _wraps(source: DatasetSource, name: str) -> bool:
    """Whether the sum of a column may leave its range without an error.

    What SML says of a calculation does not count: it may well have digits behind the point.
    """
    is_large = source.data_type(name) in _LARGE_INTEGERS
    return source.dialect.sums_wrap and is_large and not source.is_calculated(name)


def _digits_that_wrap(source: DatasetSource, name: str) -> int | None:
    """The digits behind the point of a decimal column whose sum may leave its range without an error; None: it cannot.

    What SML says of a calculation does not count, as in `_wraps`.
    """
    decimal = _DECIMAL.fullmatch(source.data_type(name))
    if decimal is None or not source.dialect.wide_sum_digits or source.is_calculated(name):
        return None
    return int(decimal[2] or 0) if _SAFE_DIGITS < int(decimal[1]) <= _MOST_DIGITS else None


def _decimal(digits: int, behind_point: int) -> exp.DataType:
    return exp.DataType.build(f"decimal({digits}, {behind_point})")


def _as_decimal(expression: exp.Expr, digits: int, behind_point: int) -> exp.Cast:
    return exp.Cast(this=expression, to=_decimal(digits, behind_point))


def sum_argument(column: exp.Expr, kind: exp.DataType, dialect: Dialect) -> exp.Expr:
    """A stored sum of a type, as the sum of such sums needs it."""
    if dialect.wide_sum_digits and kind.this is exp.DataType.Type.DECIMAL:
        return _as_decimal(column, dialect.wide_sum_digits, int(kind.expressions[1].name))
    return as_wide_decimal(column) if dialect.sums_wrap and kind.this is exp.DataType.Type.BIGINT else column


def widen_for_sum(column: exp.Expr, source: DatasetSource, name: str) -> exp.Expr:
    """A column as its sum needs it.

    Integers are BIGINT where the warehouse's SUM would overflow at 32 bits. Floating numbers of less than double
    precision are double, since some warehouses add them up as they are and lose what is small.
    """
    if source.may_be_single(name):
        return as_double(column)
    if _wraps(source, name):
        return as_wide_decimal(column)
    digits = _digits_that_wrap(source, name)
    if digits is not None:
        return _as_decimal(column, source.dialect.wide_sum_digits, digits)
    if source.dialect.widens_integer_sums or source.data_type(name) not in _INTEGERS:
        return column
    return exp.cast(column, "bigint")


def _sketch_function(measure: StoredMeasure, source: DatasetSource) -> str:
    dialect = source.dialect
    is_distinct = measure.function is StoredFunction.DISTINCT_SKETCH
    functions = dialect.distinct_sketch if is_distinct else dialect.percentile_sketch
    if functions is None:
        method = "estimated count distinct" if is_distinct else "percentile"
        reason = (
            f"`{method}` of {measure.dataset}.{measure.column} cannot be stored on {dialect.name}, which has no sketch"
        )
        remedy = "Use an exact `count distinct` at this grain." if is_distinct else "Leave the metric out."
        raise UnsupportedMetricError("", reason, remedy)
    return functions.make
