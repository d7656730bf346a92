"""Asking: run a query, explain it, recommend aggregates."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from airflow_atscale_aggs.engine.sql.statements import format_sql
from airflow_atscale_aggs.plugins.api.access import AskingConnection, BuildableModel
from airflow_atscale_aggs.plugins.api.advice import recommend_aggregates
from airflow_atscale_aggs.plugins.api.answer_formats import (
    MEDIA_TYPES,
    AnswerFormat,
    arrow_stream,
    check_arrow,
    csv_lines,
    json_value,
    wanted_format,
)
from airflow_atscale_aggs.plugins.api.asking import Asked, explain_query, run_query
from airflow_atscale_aggs.plugins.api.documents.query_documents import (
    AskRequest,
    QueryAnswer,
    QueryExplanation,
    RecommendAnswer,
    RecommendRequest,
)
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Problem
from airflow_atscale_aggs.plugins.api.plan_nodes import parts_of_plan
from airflow_atscale_aggs.plugins.api.problems import MEDIA_TYPE
from airflow_atscale_aggs.plugins.api.request_rates import AskingRate

router = APIRouter(tags=["Queries"])


_ARROW = MEDIA_TYPES[AnswerFormat.ARROW]
_CSV = f"{MEDIA_TYPES[AnswerFormat.CSV]}; charset=utf-8; header=present"


def _problem(text: str) -> dict[str, Any]:
    return {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": text}


_TIMEOUT: dict[int | str, dict[str, Any]] = {504: _problem("The warehouse took too long.")}
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows, in the form that was asked for.",
        "content": {media: {} for form, media in MEDIA_TYPES.items() if form is not AnswerFormat.JSON},
    },
    406: _problem("No form of answers is among those that `Accept` takes, or this server makes no Arrow streams."),
    **_TIMEOUT,
}


@router.post("/connections/{connection}/explain", dependencies=[AskingRate], responses=_TIMEOUT)
def explain(place: AskingConnection, request: AskRequest) -> QueryExplanation:
    """What would answer a query, and why no other aggregate would. Runs no query.

    You need to read every model that the query names. For tables of the warehouse you need to read the connection.
    """
    return explain_query(place, request)


@router.post("/connections/{connection}/query", response_model=QueryAnswer, dependencies=[AskingRate], responses=_FORMS)
def query(
    place: AskingConnection,
    request: AskRequest,
    http: Request,
    form: Annotated[AnswerFormat | None, Query(alias="format")] = None,
) -> Response | QueryAnswer:
    """Answer a query: JSON, CSV or an Arrow stream, by `format` or by `Accept`.

    You need to trigger a DAG that builds each model that the query names, or to read the connection; for tables of the
    warehouse you need to read the connection. One SELECT is answered, that reads and computes and nothing else.

    Of CSV and Arrow, the headers `Answer-Rows`, `Answer-Is-Cut` and `Answer-Seconds` say what JSON says beside the
    rows.
    """
    wanted = form or wanted_format(http.headers.get("accept", ""))
    if wanted is AnswerFormat.ARROW:
        check_arrow()
    asked = run_query(place, request)
    if wanted is AnswerFormat.JSON:
        return _document(asked)
    headers = _figures(asked)
    if wanted is AnswerFormat.ARROW:
        return Response(arrow_stream(asked.answer.columns, asked.answer.rows), media_type=_ARROW, headers=headers)
    return StreamingResponse(csv_lines(asked.answer.columns, asked.answer.rows), media_type=_CSV, headers=headers)


def _figures(asked: Asked) -> dict[str, str]:
    return {
        "Answer-Rows": str(len(asked.answer.rows)),
        "Answer-Is-Cut": "true" if asked.answer.is_cut else "false",
        "Answer-Seconds": f"{asked.seconds:.3f}",
    }


@router.post("/connections/{connection}/models/{model}/recommend", dependencies=[AskingRate], responses=_TIMEOUT)
def recommend(place: BuildableModel, request: RecommendRequest) -> RecommendAnswer:
    """What aggregates a model should have; with `apply` they are defined, and the next batch builds them.

    The warehouse counts rows by a few scans of the facts. `sml` of each is the same as an entry of `aggregates:` in the
    SML of the model, for those that you would rather keep there.
    """
    return recommend_aggregates(place, request)


def _document(asked: Asked) -> QueryAnswer:
    answered = asked.answer
    return QueryAnswer(
        columns=list(answered.columns),
        rows=[[json_value(value) for value in row] for row in answered.rows],
        is_cut=answered.is_cut,
        seconds=asked.seconds,
        parts=parts_of_plan(answered.plan),
        sql=format_sql(answered.plan.sql, asked.dialect),
        fallback_reason=answered.fallback_reason,
    )
