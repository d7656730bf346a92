"""The address under which build tasks and older bookmarks know an instance; it leads to the Aggregates page."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from urllib.parse import urlencode

from airflow.sdk.exceptions import AirflowException
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.plugins.api.access import VisitorDep
from airflow_atscale_aggs.plugins.api.problems import ProblemError, describe_failure, status_of

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui;margin:2rem auto;max-width:62rem;padding:0 1rem;color-scheme:light dark}}
h1{{font-size:1.3rem}}</style>
<h1>{title}</h1><p>{sentence}</p>"""


@router.get("/instances/{aggs_conn_id}/{instance_id}")
def show_instance(visitor: VisitorDep, aggs_conn_id: str, instance_id: str) -> Response:
    """Lead to the instance on the Aggregates page, wherever Airflow stands.

    People come here with a browser, so that they are told in HTML what is wrong: 403 without any right on the
    connection; 404 when there is no such connection, or no such instance that they may read; 409 when the connection is
    of another type or cannot be opened.
    """
    try:
        place = visitor.place(aggs_conn_id)
        instance = place.instance(instance_id)
        model = place.read.models.get(instance.model_id)
    except (ProblemError, AtScaleAggsError, AirflowException) as error:
        title, sentence = describe_failure(error)
        status = error.status if isinstance(error, ProblemError) else status_of(error)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return HTMLResponse(_PAGE.format(title=escape(title), sentence=escape(sentence)), status_code=status)
    asked = {
        "conn": aggs_conn_id,
        "model": f"{model.catalog}.{model.name}",
        "definition": instance.step.definition_id,
        "instance": instance_id,
    }
    # Relative: three folders up is where Airflow is, which may be below a path.
    return RedirectResponse(f"../../../plugin/aggregates/definitions?{urlencode(asked)}")
