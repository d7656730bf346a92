"""Fact queries as short texts, such as `sales by City: Amount where "Month" = '2024-01'`."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref, substitute
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery


def condition_text(condition: exp.Expr | None, fact_query: FactQuery) -> str:
    """A condition over attributes of a fact query, with their names; key columns as `attribute.column`."""
    if condition is None:
        return ""

    def name_of(place: int) -> exp.Expr:
        column = fact_query.columns.get(place)
        name = fact_query.attributes[place].attribute.query_name
        return exp.column(f"{name}.{column}" if column else name, quoted=True)

    return substitute(condition, {Ref.ATTRIBUTE: name_of}).sql(dialect="postgres")


def part_text(query: ModelQuery, fact_query: FactQuery) -> str:
    """A fact query in one line."""
    keys = ", ".join(query.name_of_key(place) for place in fact_query.keys)
    metrics = []
    for place, metric in fact_query.metrics.items():
        only = condition_text(fact_query.slices.get(place), fact_query)
        metrics.append((metric.name if metric is not None else "rows") + (f" if {only}" if only else ""))
    where = condition_text(fact_query.where, fact_query)
    return "".join(
        (
            fact_query.fact,
            f" by {keys}" if keys else "",
            f": {', '.join(metrics)}" if metrics else "",
            f" where {where}" if where else "",
            " (repeated)" if fact_query.is_repeated else "",
        )
    )
