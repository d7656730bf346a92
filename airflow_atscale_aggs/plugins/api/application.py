"""The web application below ``/atscale_aggs``: the API, its documentation, the page's files, the published paths.

Airflow imports it when it is asked for the first time, see `plugins/aggregates.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.plugins.api.bounds import AnswerHeaders, BoundedBodies
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Problem
from airflow_atscale_aggs.plugins.api.problems import MEDIA_TYPE, add_problem_handlers
from airflow_atscale_aggs.plugins.api.published import published_routes, published_transfer
from airflow_atscale_aggs.plugins.api.routes import (
    batch_action_routes,
    batch_routes,
    definition_action_routes,
    definition_routes,
    instance_address_routes,
    model_routes,
    query_log_routes,
    query_routes,
    setting_routes,
    transfer_routes,
)
from airflow_atscale_aggs.plugins.static_files import mount_static_files

_DESCRIPTION = """
Aggregate tables: models, definitions, instances, batches, queries.

Sign in as to Airflow's own API: with a token from `POST /auth/token` in the header `Authorization: Bearer …`, or in
the browser. Airflow's rights on DAGs and connections decide what you may do.
"""

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": text}
    for status, text in {
        401: "Nobody is signed in.",
        403: "You may not do this.",
        404: "There is no such connection, model or thing.",
        409: "It cannot be done in the present state; the detail says why.",
        413: "The request is too large.",
        422: "The request is malformed.",
        429: "Too many requests; `Retry-After` says when to ask again.",
        503: "Something that is needed does not answer now; `Retry-After` says when to ask again.",
    }.items()
}

_PUBLISHED_PROBLEMS = {400: {**_PROBLEMS[422], "description": "Invalid or missing parameters."}, **_PROBLEMS}
"""AtScale's paths say with 400 what the others say with 422."""

_ROUTERS: tuple[APIRouter, ...] = (
    model_routes.router,
    setting_routes.router,
    definition_routes.router,
    definition_action_routes.router,
    transfer_routes.router,
    batch_routes.router,
    batch_action_routes.router,
    query_routes.router,
    query_log_routes.router,
)
"""The routes below ``/api``, in the order of the documentation."""

_PUBLISHED = (published_routes.router, published_transfer.router)
"""AtScale's published paths: once as they are, once below the prefix that says the connection."""

_REFERENCE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Aggregate tables: API</title>
<link rel="icon" href="static/icon.svg"><link rel="stylesheet" href="static/reference/swagger-ui.css">
<script src="static/reference/swagger-ui-bundle.js"></script>
<script type="module" src="static/reference/start.js"></script></head>
<body><main id="reference"></main></body></html>"""
"""Everything in it comes from here: the reference is there without the internet."""

_REFERENCE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
}
"""Swagger UI writes styles at its elements and has pictures in its style sheet; it asks this server and no other."""

_DOCUMENTS = ("/api", "/v1/", "/wapi/", "/aggregate-batch/", "/connections/")
"""Where the paths begin that answer documents."""


def make_application() -> FastAPI:
    """The application with all its routes."""
    app = FastAPI(
        title="Aggregate tables",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    add_problem_handlers(app)
    app.add_middleware(BoundedBodies)
    app.add_middleware(AnswerHeaders, prefixes=_DOCUMENTS)
    api = APIRouter(prefix="/api", responses=_PROBLEMS)
    for router in _ROUTERS:
        api.include_router(router)
    app.include_router(api)
    for router in _PUBLISHED:
        app.include_router(router, responses=_PUBLISHED_PROBLEMS)
        app.include_router(router, prefix="/connections/{aggs_conn_id}", include_in_schema=False)
    app.include_router(instance_address_routes.router)

    mount_static_files(app)
    app.add_api_route("/openapi.json", _openapi(app), include_in_schema=False)
    app.add_api_route("/docs", _documentation, include_in_schema=False)
    return app


def _openapi(app: FastAPI) -> Callable[..., JSONResponse]:
    def openapi(user: GetUserDep) -> JSONResponse:  # noqa: ARG001 - it asks who is signed in
        return JSONResponse(app.openapi())

    return openapi


def _documentation(user: GetUserDep) -> HTMLResponse:  # noqa: ARG001 - it asks who is signed in
    return HTMLResponse(_REFERENCE, headers=_REFERENCE_HEADERS)


app = make_application()
