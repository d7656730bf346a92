"""What a model should have, for a visitor: recommended, and defined where he asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from airflow_atscale_aggs.engine.aggregates.sml_entry import sml_entry
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest as EngineRequest
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import recommend
from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import Recommendation, RecommendReport
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.plugins.api.access import ModelPlace
from airflow_atscale_aggs.plugins.api.deadlines import deadline
from airflow_atscale_aggs.plugins.api.documents.query_documents import (
    RecommendAnswer,
    RecommendedAggregate,
    RecommendRequest,
    UnservedNode,
)
from airflow_atscale_aggs.plugins.api.problems import ProblemError

_LONGEST = 120.0
"""Seconds that a recommendation may take: it scans each fact a few times."""


def recommend_aggregates(place: ModelPlace, request: RecommendRequest) -> RecommendAnswer:
    """What aggregates a model should have, and, with ``apply``, that they are defined.

    Raises:
        ProblemError: 422: the request contradicts itself, or the warehouse refuses; 504: it took too long.
        UnknownNameError: nothing of a name in ``only`` is recommended.
    """
    if request.queries is not None and request.from_structure:
        detail = "Give either `queries` or `from_structure`."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "contradiction")
    if request.only and not request.apply:
        detail = "`only` says what is defined; it needs `apply`."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "contradiction")
    asked = EngineRequest(
        queries=request.queries,
        from_structure=request.from_structure,
        most=request.most,
        percent=request.budget_percent,
    )
    try:
        with place.place.workspace() as workspace, deadline(workspace.warehouse, _LONGEST):
            report = recommend(
                workspace, place.model.id, request=asked, apply=request.apply, only=request.only, now=utc_now()
            )
    except PermanentWarehouseError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), "refused-by-warehouse") from error
    model = read_deployed_model(place.read, place.model)
    return RecommendAnswer(
        source=report.source,
        queries=report.queries,
        cost_before=report.cost_before,
        cost_after=report.cost_after,
        recommendations=[
            _aggregate(recommendation, report.giving_way, model) for recommendation in report.recommendations
        ],
        unserved=[
            UnservedNode(what=unserved.query, queries=unserved.weight, why=unserved.reason)
            for unserved in report.unserved
        ],
        message=_message(report),
    )


def _aggregate(
    recommendation: Recommendation, giving_way: Mapping[str, str], model: SemanticModel
) -> RecommendedAggregate:
    definition = recommendation.definition
    (part, *_) = definition.parts
    return RecommendedAggregate(
        name=definition.name,
        label=definition.label,
        fact=part.fact,
        attributes=[bound.attribute.query_name for bound in part.attributes],
        metrics=list(definition.metrics),
        rows=recommendation.rows,
        size_bytes=recommendation.size_bytes,
        rows_saved=recommendation.saved,
        share=recommendation.share,
        queries=recommendation.queries,
        reason=recommendation.reason,
        outcome=recommendation.outcome,
        gives_way=[old for old, new in giving_way.items() if new == definition.name],
        sml=sml_entry(definition, model),
    )


def _message(report: RecommendReport) -> str:
    """What came of it, in a sentence or two."""
    if not report.queries:
        return "Nothing was asked yet. Give `queries` that stand for a history, or ask with `from_structure`."
    number = len(report.recommendations)
    if not number:
        return "There is nothing to recommend: no further aggregate saves more than it costs within the budget."
    defined = sum(recommendation.outcome in {"added", "returned"} for recommendation in report.recommendations)
    saved = 1 - report.cost_after / max(report.cost_before, 1)
    gain = (
        f"With {number} more, the queries would read {report.cost_after:,} rows instead of {report.cost_before:,} "
        f"({saved:.0%} less)."
    )
    if any(recommendation.outcome for recommendation in report.recommendations):
        return f"{gain} {defined} of them {'is' if defined == 1 else 'are'} defined now; the next batch builds them."
    return f"{gain} Nothing is defined yet."
