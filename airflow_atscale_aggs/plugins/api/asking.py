"""Runs and explains queries of visitors, within what each of them may read.

What a query names decides the right that it needs. Models are explained to those who may read them, and asked by those
who may build them or use the connection. Tables of the warehouse, its catalog included, are for those who may use the
connection. Nobody makes the warehouse do more than read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from airflow_atscale_aggs.engine.errors import OutOfReachError, PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.lifecycle.query.router import Answer, answer, explain
from airflow_atscale_aggs.engine.lifecycle.query.staleness import read_age
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from airflow_atscale_aggs.metrics.emission import emit_query
from airflow_atscale_aggs.plugins.api.access import Place, Right
from airflow_atscale_aggs.plugins.api.deadlines import deadline
from airflow_atscale_aggs.plugins.api.documents.query_documents import AskRequest, QueryExplanation
from airflow_atscale_aggs.plugins.api.plan_nodes import explain_plan
from airflow_atscale_aggs.plugins.api.problems import ProblemError

_MOST_BYTES = 64 * 2**20
"""Of the values of an answer, in memory."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer.

    Attributes:
        seconds: until the rows were there.
        dialect: of the warehouse, by sqlglot's name.
    """

    answer: Answer
    seconds: float
    dialect: str


def run_query(place: Place, request: AskRequest) -> Asked:
    """Answer a query.

    Raises:
        ProblemError: 403: it reads what the visitor may not read; 422: the warehouse refuses it; 504: it took too long.
        QueryError: it cannot be answered as asked.
    """

    def check(model: ModelRecord) -> None:
        if not (place.may(Right.BUILD, model) or place.visitor.may_use(place.connection)):
            detail = (
                f"You may not ask model `{model.name}`: you need to trigger a DAG that builds it over this connection, "
                "or to use the connection."
            )
            raise ProblemError(HTTPStatus.FORBIDDEN, detail, "forbidden")

    bounds = QueryBounds(
        sees=lambda model: place.may(Right.READ, model),
        check_model=check,
        reads_tables=place.visitor.may_use(place.connection),
        is_guarded=True,
        rows=RowBounds(request.most_rows, _MOST_BYTES),
        reader=_reader(place, request),
    )
    with _asked(place, request) as workspace:
        began = time.perf_counter()
        answered = answer(
            workspace,
            request.sql,
            parameters=request.parameters,
            user=place.visitor.name,
            bounds=bounds,
            model=request.model,
            dialect=request.dialect,
            use_aggregates=request.use_aggregates,
            max_staleness=None if request.max_staleness is None else read_age(request.max_staleness),
        )
        seconds = time.perf_counter() - began
        emit_query(answered, seconds, is_in_server=True)
        return Asked(answered, seconds, workspace.warehouse.dialect.sqlglot_name)


def explain_query(place: Place, request: AskRequest) -> QueryExplanation:
    """How a query would be answered; nothing of it is run.

    The facts are scanned for the cost of the smallest change for those only who may build every model that they see.

    Raises as `run_query` does.
    """
    bounds = QueryBounds(
        sees=lambda model: place.may(Right.READ, model),
        reads_tables=place.visitor.may_use(place.connection),
        is_guarded=True,
        reader=_reader(place, request),
    )
    with _asked(place, request) as workspace:
        plan: QueryPlan = explain(
            workspace,
            request.sql,
            parameters=request.parameters,
            estimate=request.estimate and all(place.may(Right.BUILD, model) for model in place.models),
            bounds=bounds,
            model=request.model,
            dialect=request.dialect,
            max_staleness=None if request.max_staleness is None else read_age(request.max_staleness),
        )
        return explain_plan(plan, workspace.warehouse.dialect.sqlglot_name)


def _reader(place: Place, request: AskRequest) -> Reader:
    """Who sees what of models with row security: the visitor, or whom somebody names who may edit the connection.

    Raises:
        ProblemError: 403: the visitor may not name somebody.
    """
    named = request.as_user is not None or request.as_groups is not None
    if named and not place.visitor.may_use(place.connection, "PUT"):
        detail = (
            "You may not ask as somebody else, or say your groups: for that you need to be allowed to edit the "
            f"Airflow connection `{place.connection}`. Leave `as_user` and `as_groups` out to ask as yourself."
        )
        raise ProblemError(HTTPStatus.FORBIDDEN, detail, "forbidden")
    groups = None if request.as_groups is None else tuple(request.as_groups)
    return Reader(place.visitor.name if request.as_user is None else request.as_user, groups)


@contextlib.contextmanager
def _asked(place: Place, request: AskRequest) -> Iterator[Workspace]:
    """The workspace, for the time that the request allows."""
    try:
        with place.workspace() as workspace, deadline(workspace.warehouse, request.timeout_seconds):
            yield workspace
    except OutOfReachError as error:
        detail = f"{error} For tables you need to read the Airflow connection `{place.connection}`."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail, "out-of-reach") from error
    except PermanentWarehouseError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), "refused-by-warehouse") from error
