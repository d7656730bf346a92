"""Exact quantiles over a group of fact rows. Groups of quantiles cannot be combined, so no aggregate stores them."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedMetricError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect, QuantileStyle
from airflow_atscale_aggs.engine.sql.queries import as_double


def quantile_of(column: exp.Expr, quantile: str, dialect: Dialect) -> exp.Expr:
    """The quantile of the values in a group that are not NULL, as a floating number; NULL when there are none.

    It lies between two values where no value has that very share of the others below it: the 0.5 of 1, 2 is 1.5.

    Args:
        quantile: a decimal number from 0 to 1.

    Raises:
        UnsupportedMetricError: the warehouse has no exact quantile that is an aggregate.
    """
    value, share = as_double(column), exp.Literal.number(quantile)
    match dialect.quantile:
        case QuantileStyle.WITHIN_GROUP:
            ordered = exp.Order(expressions=[exp.Ordered(this=value, nulls_first=False)])
            return exp.WithinGroup(this=exp.PercentileCont(this=share), expression=ordered)
        case QuantileStyle.FUNCTION:
            return exp.Quantile(this=value, quantile=share)
        case None:
            reason = f"{dialect.name} has no exact quantile that is an aggregate, and an estimate is another number"
            raise UnsupportedMetricError("", reason, "Leave the percentile metric out.")
