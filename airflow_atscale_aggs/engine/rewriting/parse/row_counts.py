"""Finds the facts whose rows a query counts, where it does not name them by metrics.

    SELECT "State", COUNT(*)                rows of every fact that reaches "State", added up
    SELECT "State", "Year"                  what rows of these facts have
    SELECT "Revenue", "Visits", COUNT(*)    rows of the facts of both metrics

Source: decision 24.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.model_query import (
    ROW_COUNT,
    ModelQuery,
    Ref,
    ref,
    references,
    substitute,
)


def with_facts_of_rows(query: ModelQuery, model: SemanticModel, paths: JoinPaths) -> ModelQuery:
    """Replace each number of rows that counts several facts by the sum of one number for each fact."""
    counted = [
        place for place, name in enumerate(query.metrics) if name == ROW_COUNT and place not in query.counted_facts
    ]
    if not counted and not _links_dimensions(query):
        return query
    metrics = [metric for metric in map(model.metric, query.metrics) if metric is not None]
    facts = list(dict.fromkeys(metric.dataset for metric in metrics)) or list(model.fact_datasets)
    reaching = [fact for fact in facts if _reaches(query, fact, paths)]
    if len(reaching) < (2 if counted else 1):
        return query
    if not counted:
        numbers = range(len(query.metrics), len(query.metrics) + len(reaching))
        return _with_rows(query, dict(zip(numbers, reaching, strict=True)))
    return _add_up_facts(query, counted, reaching)


def _links_dimensions(query: ModelQuery) -> bool:
    """Whether only facts say which of its attributes belong together."""
    return not query.metrics and len({attribute.role for attribute in query.attributes}) != 1


def _reaches(query: ModelQuery, fact: str, paths: JoinPaths) -> bool:
    reached = paths.attributes_of(fact)
    everywhere = (*query.keys, *query.members, query.where, *query.filters.values(), *(join.on for join in query.joins))
    return all(
        query.attributes[place] in reached
        for expression in everywhere
        for place in references(expression, Ref.ATTRIBUTE)
    )


def _with_rows(query: ModelQuery, facts: dict[int, str]) -> ModelQuery:
    """With the number of rows of further facts, each at a place of its own."""
    return replace(
        query, metrics=(*query.metrics, *(ROW_COUNT for _ in facts)), counted_facts={**query.counted_facts, **facts}
    )


def _add_up_facts(query: ModelQuery, counted: list[int], facts: list[str]) -> ModelQuery:
    terms: dict[int, list[int]] = {}
    for place in counted:
        own = range(len(query.metrics), len(query.metrics) + len(facts) - 1)
        terms[place] = [place, *own]
        condition = query.filters.get(place)
        query = _with_rows(query, dict(zip(own, facts[1:], strict=True)))
        filters = dict.fromkeys(own, condition) if condition is not None else {}
        query = replace(
            query, counted_facts={**query.counted_facts, place: facts[0]}, filters={**query.filters, **filters}
        )

    def number_of_rows(place: int) -> exp.Expr:
        if place not in terms:
            return ref(Ref.METRIC, place)
        total: exp.Expr | None = None
        for term in terms[place]:
            rows = exp.Coalesce(this=ref(Ref.METRIC, term), expressions=[exp.Literal.number(0)])
            total = rows if total is None else exp.Add(this=total, expression=rows)
        return exp.Paren(this=total)

    def add_rows(expression: exp.Expr) -> exp.Expr:
        return substitute(expression, {Ref.METRIC: number_of_rows})

    return replace(
        query,
        outputs=tuple(replace(output, expression=add_rows(output.expression)) for output in query.outputs),
        having=add_rows(query.having) if query.having is not None else None,
        order_by=tuple(replace(term, expression=add_rows(term.expression)) for term in query.order_by),
    )
