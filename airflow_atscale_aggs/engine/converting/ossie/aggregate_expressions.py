"""Metrics of Ossie: SQL with aggregate functions. Each aggregate is a metric of SML; what stands around them is MDX.

SUM(orders.amount)                          a metric: sum of amount
SUM(orders.amount) / COUNT(*)               two metrics, and a calculation
SUM(CASE WHEN … THEN amount END)            a metric on a calculated column
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from airflow_atscale_aggs.engine.converting.expression_mdx import ExpressionError, parse_expression
from airflow_atscale_aggs.engine.converting.ossie.ossie_model import OssieDataset, OssieModel
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_METHODS: dict[type[exp.Expr], str] = {
    exp.Sum: "sum",
    exp.Avg: "average",
    exp.Min: "minimum",
    exp.Max: "maximum",
    exp.Count: "count non-null",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
    exp.Median: "percentile",
    exp.PercentileCont: "percentile",
    exp.ApproxDistinct: "estimated count distinct",
}
_DISTINCT = {"sum": "sum distinct", "count non-null": "count distinct"}
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class BaseAggregate:
    """One aggregate of a metric's expression.

    Attributes:
        dataset: whose rows are aggregated.
        sql: the column.
        properties: of the SML metric.
        is_assumed: nothing says which dataset is meant; it is the only one that no relationship leads to.
    """

    dataset: OssieDataset
    sql: str
    properties: dict[str, Any]
    is_assumed: bool = False


def split_aggregates(sql: str, model: OssieModel) -> tuple[exp.Expr, list[BaseAggregate]]:
    """The expression with a column in the place of each aggregate, named by its number; and the aggregates.

    Raises:
        ExpressionError: it cannot be read, aggregates over rows of several datasets, or as SML cannot.
    """
    root = exp.Paren(this=parse_expression(sql))
    found: list[BaseAggregate] = []
    for node in list(root.find_all(exp.AggFunc, exp.Filter, exp.WithinGroup)):
        if node.find_ancestor(exp.AggFunc, exp.Filter, exp.WithinGroup) is not None:
            continue
        if node.find_ancestor(exp.Window) is not None:
            raise ExpressionError("its expression has a window function")
        found.append(_aggregate(node, model))
        node.replace(exp.column(f"#{len(found) - 1}", quoted=True))
    if not found:
        raise ExpressionError("its expression aggregates nothing")
    return root.this, found


def _aggregate(node: exp.Expr, model: OssieModel) -> BaseAggregate:
    condition = None
    if isinstance(node, exp.Filter):
        condition, node = node.expression.this, node.this
    operand = node.this
    ordered = None
    if isinstance(node, exp.WithinGroup):
        ordered, node = node.expression, node.this
        operand = ordered.expressions[0].this if ordered.expressions else None
        if ordered.expressions and ordered.expressions[0].args.get("desc"):
            raise ExpressionError("its percentile is taken from above")
    method = _METHODS.get(type(node))
    if method is None or operand is None:
        raise ExpressionError(f"its expression has `{node.sql()[:120]}`, an aggregate that SML has not")
    if isinstance(operand, exp.Distinct):
        method = _DISTINCT.get(method, "")
        if not method or len(operand.expressions) != 1:
            raise ExpressionError(f"its expression has `{node.sql()[:120]}`, which SML cannot say")
        operand = operand.expressions[0]
    if isinstance(operand, exp.Star):
        operand = exp.Literal.number(1)
    dataset = _dataset_of([operand, *([condition] if condition is not None else [])], model)
    text = _on_columns(operand, dataset)
    if condition is not None:
        text = f"CASE WHEN {_on_columns(condition, dataset)} THEN {text} END"
    is_assumed = len(model.datasets) > 1 and next(operand.find_all(exp.Column), None) is None and condition is None
    return BaseAggregate(dataset, text, {"calculation_method": method, **_quantile(node)}, is_assumed)


def _quantile(node: exp.Expr) -> dict[str, Any]:
    if isinstance(node, exp.Median):
        return {"named_quantiles": "median"}
    if not isinstance(node, exp.PercentileCont):
        return {}
    try:
        quantile = float(node.this.name)
    except ValueError as error:
        raise ExpressionError("its percentile is no number") from error
    if not 0 <= quantile <= 1:
        raise ExpressionError("its percentile is no number from 0 to 1")
    return {"named_quantiles": "median"} if quantile == _HALF else {"custom_quantiles": [quantile]}


def _dataset_of(parts: list[exp.Expr], model: OssieModel) -> OssieDataset:
    """The one dataset that all columns are of."""
    datasets: dict[str, OssieDataset] = {}
    for column in (column for part in parts for column in part.find_all(exp.Column)):
        dataset = model.dataset(column.table) if column.table else _only_dataset(column.name, model)
        if dataset is None:
            raise ExpressionError(f"`{column.sql()}` is a field of no dataset")
        datasets[dataset.name] = dataset
    led_to = {relationship.target.casefold() for relationship in model.relationships}
    starts = [dataset for dataset in model.datasets if dataset.name.casefold() not in led_to]
    if not datasets and len(starts) == 1:
        return starts[0]
    if len(datasets) != 1:
        names = " and ".join(f"`{name}`" for name in datasets) or "no dataset"
        raise ExpressionError(f"one of its aggregates is over rows of {names}; it must be one")
    return next(iter(datasets.values()))


def _only_dataset(name: str, model: OssieModel) -> OssieDataset | None:
    having = [dataset for dataset in model.datasets if dataset.field(name) is not None]
    if len(having) > 1:
        names = ", ".join(f"`{dataset.name}`" for dataset in having)
        raise ExpressionError(f"`{name}` is a field of several datasets: {names}")
    return having[0] if having else None


def _on_columns(node: exp.Expr, dataset: OssieDataset) -> str:
    """SQL over the dataset's own columns: fields are put in as they are defined."""
    root = exp.Paren(this=node.copy())
    # All columns are found before any is replaced, since a field may be named like a column that it stands on.
    for column in list(root.find_all(exp.Column)):
        field = dataset.field(column.name)
        if field is None:
            column.replace(exp.column(column.this.copy()))
            continue
        if not field.sql:
            raise ExpressionError(f"the field `{dataset.name}.{field.name}` is said in no dialect that is read")
        inner = parse_expression(field.sql)
        column.replace(inner if isinstance(inner, (exp.Column, exp.Literal)) else exp.Paren(this=inner))
    text: str = root.this.sql()
    return text
