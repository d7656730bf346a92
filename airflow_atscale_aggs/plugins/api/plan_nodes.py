"""How a query is answered, as documents."""

from __future__ import annotations

from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate
from airflow_atscale_aggs.engine.sql.statements import format_sql
from airflow_atscale_aggs.plugins.api.documents.query_documents import CandidateNode, PlanPart, QueryExplanation


def explain_plan(plan: QueryPlan, dialect: str) -> QueryExplanation:
    """A plan with its candidates.

    Args:
        dialect: of the warehouse, by sqlglot's name.
    """
    return QueryExplanation(
        sql=format_sql(plan.sql, dialect),
        meant=list(plan.meant),
        untouched=list(plan.untouched),
        parts=parts_of_plan(plan),
    )


def parts_of_plan(plan: QueryPlan) -> list[PlanPart]:
    """The parts of a plan; with candidates where it has them."""
    candidates_by_part = plan.candidates or ((),) * len(plan.sources)
    return [
        PlanPart(
            model=source.model,
            fact=source.fact,
            aggregate=source.aggregate,
            definition_id=source.definition_id,
            instance_id=source.instance_id,
            rows=source.rows,
            as_of=source.as_of,
            fact_rows=source.fact_cost.rows if source.fact_cost is not None else None,
            verdict=plan.verdict(number),
            joined_back=list(source.joined_back),
            candidates=[_candidate(candidate) for candidate in candidates],
        )
        for number, (source, candidates) in enumerate(zip(plan.sources, candidates_by_part, strict=True))
    ]


def _candidate(candidate: Candidate) -> CandidateNode:
    return CandidateNode(
        aggregate=candidate.aggregate,
        rows=candidate.rows,
        reason=candidate.miss.name.lower(),
        explanation=candidate.miss.value,
        missing=list(candidate.missing),
        change=candidate.change,
        extra_rows=candidate.extra_rows,
    )
