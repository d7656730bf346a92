"""What an aggregate function around a column of the flat table measures.

    SUM("Revenue")                                            the metric, as it is defined
    AVG("Revenue"), COUNT(DISTINCT "Revenue")                 of the values in the metric's column of the fact
    SUM("Customers"), MAX("Margin")                           a count or a calculated metric: as it is defined
    SUM(CASE WHEN "State" = 'TN' THEN "Revenue" ELSE 0 END)   the metric under a condition, or 0 for other rows

Source: decision 24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.semantic_model import Metric

AS_DEFINED = ""
"""Stands among calculation methods for the metric's own."""

_OWN_FUNCTIONS: Mapping[str, tuple[type[exp.Expr], ...]] = {
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

_DEFAULTS = (exp.Sum, exp.Avg, exp.Min, exp.Max, exp.AnyValue)
"""Functions that BI tools put around every metric."""

_OF_VALUES: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Min, "minimum"),
    (exp.Max, "maximum"),
    (exp.Count, "count non-null"),
    (exp.Avg, "average"),
    (exp.StddevSamp, "stddev_samp"),
    (exp.Stddev, "stddev_samp"),
    (exp.StddevPop, "stddev_pop"),
    (exp.Variance, "var_samp"),
    (exp.VariancePop, "var_pop"),
    (exp.ApproxDistinct, "estimated count distinct"),
)
_DISTINCT_VALUES: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Count, "count distinct"),
    (exp.Sum, "sum distinct"),
    (exp.Min, "minimum"),
    (exp.Max, "maximum"),
)
_OF_ORDERED_VALUES = frozenset({"minimum", "maximum", "count non-null", "count distinct", "estimated count distinct"})
"""Methods that have a meaning for values of any type."""


def method_of(function: exp.Expr, metric: Metric, *, is_distinct: bool) -> str | None:
    """By which calculation method a function measures a metric's column.

    Returns:
        `AS_DEFINED` where the metric is meant; None where the function has no meaning for it.
    """
    own = metric.calculation_method
    may_be_distinct = "distinct" in own or own in {"minimum", "maximum"}
    if isinstance(function, _OWN_FUNCTIONS.get(own, ())) and (may_be_distinct or not is_distinct):
        return AS_DEFINED
    if own in {"sum", "average", "minimum", "maximum"}:
        methods = _DISTINCT_VALUES if is_distinct else _OF_VALUES
        method = next((method for kind, method in methods if isinstance(function, kind)), None)
        is_number = own in {"sum", "average"}
        if method is not None and (is_number or method in _OF_ORDERED_VALUES):
            return AS_DEFINED if method == own else method
    return AS_DEFINED if isinstance(function, _DEFAULTS) and not is_distinct else None


def keeps_calculation(function: exp.Expr, *, is_distinct: bool) -> bool:
    """Whether a function around a calculated metric means the metric as it is."""
    return isinstance(function, _DEFAULTS) and not is_distinct


@dataclass(frozen=True, slots=True)
class Branch:
    """A value and the condition under which it is taken; None: always. Conditions of two branches never both hold."""

    condition: exp.Expr | None
    value: exp.Expr


def branches_of(value: exp.Expr) -> Iterator[Branch]:
    """The branches of nested CASE, IIF and DECODE, and of COALESCE(…, 0) around them; one of anything else."""
    plain = _distribute(value.unnest())
    case = _as_case(plain)
    if case is None:
        yield Branch(None, plain)
        return
    tests = [branch.this for branch in case.args["ifs"]]
    values = [branch.args["true"] for branch in case.args["ifs"]]
    values.append(case.args.get("default") or exp.Null())
    for number, branch_value in enumerate(values, 1):
        own = _is_branch(tests, number)
        for inner in branches_of(branch_value):
            condition = own if inner.condition is None else _both(own, inner.condition)
            yield Branch(condition, inner.value)


def is_conditional(value: exp.Expr) -> bool:
    """Whether a value is chosen by conditions."""
    return _as_case(value.unnest()) is not None


def is_composed(value: exp.Expr) -> bool:
    """Whether a value may be made of metrics, conditions and numbers."""
    composed = isinstance(value, (exp.Coalesce, exp.Mul, exp.Neg))
    return composed or is_conditional(value) or number_of(value) is not None


def split_factor(value: exp.Expr) -> tuple[exp.Expr, exp.Expr | None]:
    """A value, and the plain number that it is multiplied by; None: by none."""
    plain = value.unnest()
    if isinstance(plain, exp.Neg) and number_of(plain) is None:
        return plain.this.unnest(), exp.Neg(this=exp.Literal.number(1))
    if isinstance(plain, exp.Mul):
        for side, other in ((plain.this, plain.expression), (plain.expression, plain.this)):
            number = number_of(side)
            if number is not None and number_of(other) is None:
                return other.unnest(), None if number == exp.Literal.number(1) else number.copy()
    return plain, None


def number_of(value: exp.Expr) -> exp.Expr | None:
    """A plain number; None when the value is none."""
    plain = value.unnest()
    inner = plain.this.unnest() if isinstance(plain, (exp.Neg, exp.Cast)) else plain
    return plain if isinstance(inner, exp.Literal) and not inner.is_string else None


def is_zero(number: exp.Expr) -> bool:
    """Whether a plain number is 0."""
    inner = number.this.unnest() if isinstance(number, (exp.Neg, exp.Cast)) else number
    return float(inner.name) == 0


def _distribute(plain: exp.Expr) -> exp.Expr:
    """A product with a CASE as a CASE of products."""
    if not isinstance(plain, exp.Mul):
        return plain
    for side, other in ((plain.this, plain.expression), (plain.expression, plain.this)):
        case = _as_case(side.unnest())
        if case is not None and _as_case(other.unnest()) is None:
            ifs = [
                exp.If(this=branch.this.copy(), true=_product(branch.args["true"], other))
                for branch in case.args["ifs"]
            ]
            default = case.args.get("default")
            return exp.Case(ifs=ifs, default=_product(default, other) if default is not None else None)
    return plain


def _product(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    if isinstance(left.unnest(), exp.Null):
        return exp.Null()
    return exp.Mul(this=_parenthesize(left), expression=_parenthesize(right))


def _as_case(plain: exp.Expr) -> exp.Case | None:
    """A searched CASE that says the same."""
    if isinstance(plain, exp.If):
        return exp.Case(ifs=[exp.If(this=plain.this, true=plain.args["true"])], default=plain.args.get("false"))
    if isinstance(plain, exp.DecodeCase):
        return _case_of_decode(plain.expressions)
    if not isinstance(plain, exp.Case):
        return None
    operand = plain.this
    if operand is None:
        return plain
    ifs = [
        exp.If(
            this=exp.EQ(this=_parenthesize(operand), expression=_parenthesize(branch.this)), true=branch.args["true"]
        )
        for branch in plain.args["ifs"]
    ]
    return exp.Case(ifs=ifs, default=plain.args.get("default"))


def _case_of_decode(arguments: list[exp.Expr]) -> exp.Case:
    """DECODE compares NULL as a value."""
    operand, *rest = arguments
    default = rest.pop() if len(rest) % 2 else None
    ifs = [
        exp.If(this=exp.NullSafeEQ(this=_parenthesize(operand), expression=_parenthesize(search)), true=value)
        for search, value in zip(rest[::2], rest[1::2], strict=True)
    ]
    return exp.Case(ifs=ifs, default=default)


def _is_branch(tests: list[exp.Expr], number: int) -> exp.Expr:
    """True where a branch is taken, the one after the last test being ELSE; a test that is NULL is not met."""
    if number == 1:
        return tests[0].copy()
    ifs = [exp.If(this=test.copy(), true=exp.Literal.number(place)) for place, test in enumerate(tests[:number], 1)]
    chosen = exp.Case(ifs=ifs, default=exp.Literal.number(0))
    return exp.EQ(this=chosen, expression=exp.Literal.number(number if number <= len(tests) else 0))


def _both(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.And(this=_parenthesize(left), expression=_parenthesize(right))


def _parenthesize(node: exp.Expr) -> exp.Expr:
    own = node.copy()
    return exp.Paren(this=own) if isinstance(own, (exp.Binary, exp.Not, exp.Between, exp.In, exp.Is)) else own
