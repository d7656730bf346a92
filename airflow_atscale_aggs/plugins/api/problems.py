"""Errors as problem details (RFC 9457), with the sentences of the command line and no secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_atscale_aggs.engine import errors
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.troubleshooting.passages import DEFECT, code_of
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Problem

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@\s]+)@")

_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (errors.NotRegisteredError, HTTPStatus.NOT_FOUND),
    (errors.ModelRetiredError, HTTPStatus.NOT_FOUND),
    (errors.UnknownNameError, HTTPStatus.NOT_FOUND),
    (errors.CursorError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.OutOfReachError, HTTPStatus.FORBIDDEN),
    (errors.QueryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.ImportRefusedError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.SettingError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.GracePeriodError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.SliceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.AggregatesRefusedError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.TransientWarehouseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.WarehouseError, HTTPStatus.CONFLICT),
    (errors.RegistryError, HTTPStatus.CONFLICT),
    (AtScaleAggsError, HTTPStatus.CONFLICT),
    (AirflowNotFoundException, HTTPStatus.NOT_FOUND),
    (AirflowException, HTTPStatus.CONFLICT),
)
"""The status of each kind of error; the first that fits counts."""

_KIND = {
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.UNPROCESSABLE_ENTITY: "malformed",
}
"""The word for what the framework says by itself."""


class ProblemError(Exception):
    """What a route answers instead of a document.

    Args:
        status: of HTTP, 400 or more.
        detail: what, where, why and what to do.
        kind: a word for programs; empty: the status's own name.
        headers: of the answer, such as ``Retry-After``.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, kind: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind, self.headers = status, detail, kind, dict(headers or {})


def status_of(error: Exception) -> HTTPStatus:
    """The HTTP status of an error of the engine or of Airflow."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def kind_of(error: Exception) -> str:
    """A word for programs: the code of the error.

    >>> kind_of(errors.NotRegisteredError("model", "x"))
    'not-registered'

    `atscale-aggs help not-registered` tells more about it.
    """
    return code_of(error)


def describe_failure(error: Exception) -> tuple[str, str]:
    """(title, detail) of an error that is told within a document, since other parts of the document are right.

    One that nobody foresaw is logged, and told as a defect.
    """
    if isinstance(error, ProblemError):
        return error.kind.replace("-", " ").capitalize() or error.status.phrase, without_secrets(error.detail)
    if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("A part of a document could not be made", exc_info=error)
        return "Defect", f"This is a defect of the API ({type(error).__name__}). The log of the API server has details."
    return kind_of(error).replace("-", " ").capitalize(), without_secrets(str(error))


def readable_detail(detail: str) -> str:
    """What the framework says of a malformed request, as a sentence."""
    if detail == "There was an error parsing the body":
        return "The body of the request cannot be read: JSON in UTF-8 is needed."
    return f"The request is malformed. {detail}"


def without_secrets(text: str) -> str:
    """The text without passwords in URLs.

    >>> without_secrets("postgresql://me:secret@host/db")
    'postgresql://me:***@host/db'
    """
    return _PASSWORD.sub(r"\1:***@", text)


def problem_response(
    request: Request,
    status: HTTPStatus,
    detail: str,
    *,
    kind: str = "",
    faults: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer that tells a problem."""
    # What was asked for may be told again, and may hold halves of characters, which no answer can.
    sayable = without_secrets(detail).encode("utf-8", "backslashreplace").decode()
    problem = Problem(
        type=f"about:blank#{kind}" if kind else "about:blank",
        title=status.phrase,
        status=status,
        detail=sayable,
        instance=request.url.path,
        errors=faults or [],
    )
    return JSONResponse(problem.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def add_problem_handlers(app: FastAPI) -> None:
    """Let an application tell every error as a problem."""
    app.add_exception_handler(ProblemError, _tell_problem)
    app.add_exception_handler(AtScaleAggsError, _tell_known)
    app.add_exception_handler(AirflowException, _tell_known)
    for away in (OperationalError, PoolTimeoutError):
        app.add_exception_handler(away, _tell_airflow_away)
    app.add_exception_handler(StarletteHTTPException, _tell_http)
    app.add_exception_handler(RequestValidationError, _tell_malformed)
    app.add_exception_handler(Exception, _tell_defect)


def _tell_problem(request: Request, error: Any) -> JSONResponse:
    return problem_response(request, error.status, error.detail, kind=error.kind, headers=error.headers)


def _tell_known(request: Request, error: Exception) -> JSONResponse:
    status = status_of(error)
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return problem_response(request, status, str(error), kind=kind_of(error), headers=headers)


def _tell_airflow_away(request: Request, error: Exception) -> JSONResponse:
    """Errors of the registry and of warehouses are the engine's own; what comes here is of Airflow's database."""
    _log.warning("Airflow's database does not answer: %s %s", request.method, request.url.path, exc_info=error)
    detail = "Airflow's own database does not answer at this moment. Ask again in a few seconds."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return problem_response(request, status, detail, kind="airflow-away", headers={"Retry-After": "5"})


def _tell_http(request: Request, error: Any) -> JSONResponse:
    assert isinstance(error, HTTPException | StarletteHTTPException)  # noqa: S101 - registered for these only
    status = HTTPStatus(error.status_code)
    detail = str(error.detail)
    if status is HTTPStatus.BAD_REQUEST:
        # The framework says so of bodies that are no text, and of malformed forms; all else is told with 422.
        status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, readable_detail(detail)
    if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"There is nothing at {request.url.path}. The routes stand in the API's documentation, at `docs`."
    if status is HTTPStatus.METHOD_NOT_ALLOWED and detail == status.phrase:
        detail = f"{request.url.path} does not know {request.method}."
    return problem_response(request, status, detail, kind=_KIND.get(status, ""), headers=error.headers)


def _tell_malformed(request: Request, error: Any) -> JSONResponse:
    faults = [
        {"where": ".".join(str(part) for part in fault["loc"]), "why": str(fault["msg"])} for fault in error.errors()
    ]
    detail = "; ".join(f"{fault['where']}: {fault['why']}" for fault in faults[:5])
    return problem_response(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"The request is malformed. {detail}",
        kind="malformed",
        faults=faults,
    )


def _tell_defect(request: Request, error: Exception) -> JSONResponse:
    _log.error("A request ended in an unforeseen way: %s %s", request.method, request.url.path, exc_info=error)
    detail = f"This is a defect of the API ({type(error).__name__}). The log of the API server has the details."
    return problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, kind=DEFECT)
