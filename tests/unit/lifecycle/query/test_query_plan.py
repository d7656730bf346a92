"""A plan says in one sentence why a part of a query is answered from where it is."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.lifecycle.query.model_planner import PartSource
from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.rewriting.match.fact_cost import FactCost
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import Statement

_FACTS = PartSource(model="tiny_sales", fact="sales")
_BY_CITY = PartSource(model="tiny_sales", fact="sales", aggregate="by_city", rows=1200)
_BY_INDEX = PartSource(model="tiny_sales", fact="sales", fact_cost=FactCost(rows=5_000_000, cost=1500, index="shop_id"))


def _plan(source: PartSource, *misses: Miss) -> QueryPlan:
    candidates = tuple(Candidate(aggregate="by_shop", fact="sales", miss=miss, rows=9000) for miss in misses)
    return QueryPlan(
        sql="",
        sources=(source,),
        model_id="m",
        asked=Statement("", "", exp.Select(), (), ()),
        candidates=(candidates,),
    )


@pytest.mark.parametrize(
    ("source", "misses", "sentence"),
    [
        (_BY_CITY, (), "`by_city` answers, with 1,200 rows, instead of `sales`."),
        (_FACTS, (), "The facts `sales` answer: no aggregate is defined for them."),
        (
            _FACTS,
            (Miss.NOT_BUILT, Miss.NOT_BUILT),
            "The facts `sales` answer: aggregates are defined for them, but not built.",
        ),
        (
            _FACTS,
            (Miss.NOT_BUILT, Miss.METRIC_NOT_STORED),
            "The facts `sales` answer: aggregates are built, but none of them matches.",
        ),
        (
            _BY_INDEX,
            (Miss.FACTS_CHEAPER,),
            (
                "The facts `sales` answer: the index on `shop_id` leads to about 1,500 of 5,000,000 rows, fewer than "
                "the 9,000 of `by_shop`."
            ),
        ),
        (
            _BY_INDEX,
            (Miss.METRIC_NOT_STORED, Miss.FACTS_CHEAPER),
            "The facts `sales` answer: aggregates are built, but none of them matches.",
        ),
    ],
)
def test_the_verdict_names_the_reason(source: PartSource, misses: tuple[Miss, ...], sentence: str) -> None:
    assert _plan(source, *misses).verdict(0) == sentence


@pytest.mark.parametrize(("source", "expected"), [(_BY_CITY, True), (_FACTS, False)])
def test_a_plan_uses_aggregates_when_one_answers_a_part(source: PartSource, *, expected: bool) -> None:
    assert _plan(source).uses_aggregates is expected
