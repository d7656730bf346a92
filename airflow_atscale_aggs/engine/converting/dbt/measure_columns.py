"""Aggregations of dbt as metrics of SML. Counts become sums of 0 and 1, as MetricFlow makes them.

    agg               column                                       calculation_method
    sum               expr                                         sum
    min, max          expr                                         minimum, maximum
    average           expr                                         average
    count             CASE WHEN expr IS NOT NULL THEN 1 ELSE 0 END sum
    sum_boolean       CASE WHEN expr THEN 1 ELSE 0 END             sum
    count_distinct    expr                                         count distinct
    median            expr                                         percentile, 0.5
    percentile        expr                                         percentile, where it is continuous

A filter leaves rows out of the column: CASE WHEN filter THEN … END.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import Measure
from airflow_atscale_aggs.engine.converting.dbt.where_filters import parenthesized
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_METHODS = {
    "sum": "sum",
    "min": "minimum",
    "max": "maximum",
    "average": "average",
    "count": "sum",
    "sum_boolean": "sum",
    "count_distinct": "count distinct",
    "median": "percentile",
    "percentile": "percentile",
}


class MeasureError(Exception):
    """An aggregation that SML does not have. Arguments: the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MeasureColumn:
    """What a metric aggregates, and how.

    Attributes:
        sql: of the column.
        properties: of the SML metric: its method, and the quantile of a percentile.
        suffix: what the engine puts behind the name of the metric on the SQL surface.
    """

    sql: str
    properties: dict[str, Any]
    suffix: str = ""


def measure_column(measure: Measure, condition: str) -> MeasureColumn:
    """The column and the method of a measure.

    Args:
        condition: SQL that leaves rows out; empty: none.

    Raises:
        MeasureError: SML has no such aggregation.
    """
    method = _METHODS.get(measure.agg)
    if method is None:
        raise MeasureError(f"its aggregation is `{measure.agg}`, none of {', '.join(_METHODS)}")
    sql = _value(measure)
    if condition:
        sql = f"CASE WHEN {condition} THEN {parenthesized(sql)} END"
    if method != "percentile":
        return MeasureColumn(sql, {"calculation_method": method})
    if measure.is_discrete:
        raise MeasureError("its percentile is discrete (one of the values), and those of SML lie between values")
    quantile = "0.5" if measure.agg == "median" else _quantile(measure.percentile)
    if Decimal(quantile) == Decimal("0.5"):
        return MeasureColumn(sql, {"calculation_method": method, "named_quantiles": "median"})
    suffix = f"_instance_{quantile}"
    return MeasureColumn(sql, {"calculation_method": method, "custom_quantiles": [float(quantile)]}, suffix)


def _value(measure: Measure) -> str:
    if measure.agg == "count":
        is_every_row = measure.sql == "1"
        return "1" if is_every_row else f"CASE WHEN {parenthesized(measure.sql)} IS NOT NULL THEN 1 ELSE 0 END"
    if measure.agg == "sum_boolean":
        return f"CASE WHEN {parenthesized(measure.sql)} THEN 1 ELSE 0 END"
    return measure.sql


def _quantile(text: str) -> str:
    try:
        quantile = Decimal(text)
    except InvalidOperation as error:
        raise MeasureError(f"its percentile is `{text}`, which is no number") from error
    if not quantile.is_finite() or not 0 <= quantile <= 1:
        raise MeasureError(f"its percentile is `{text}`, which is no number from 0 to 1")
    return f"{quantile.normalize():f}"
