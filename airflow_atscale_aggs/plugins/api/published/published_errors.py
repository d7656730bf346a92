"""Errors of the published paths: the problems of the API, with the statuses that AtScale's paths have."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.plugins.api.problems import ProblemError, kind_of, readable_detail, status_of

_STATUS = {HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST}
"""What is no status of AtScale's paths, and the one that stands for it there."""


class PublishedRoute(APIRoute):
    """A route whose malformed requests are answered with 400, as AtScale does, and not with 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the route, whose errors have the published statuses."""
        handle = super().get_route_handler()

        async def handle_published(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                faults = (f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()[:5])
                detail = f"Invalid or missing parameters. {'; '.join(faults)}"
                raise ProblemError(HTTPStatus.BAD_REQUEST, detail, "malformed") from error
            except StarletteHTTPException as error:
                if error.status_code != HTTPStatus.BAD_REQUEST:
                    raise
                raise ProblemError(HTTPStatus.BAD_REQUEST, readable_detail(str(error.detail)), "malformed") from error
            except ProblemError as error:
                status = _STATUS.get(error.status, error.status)
                raise ProblemError(status, error.detail, error.kind, error.headers) from error
            except AtScaleAggsError as error:
                if status_of(error) not in _STATUS:
                    raise
                raise ProblemError(_STATUS[status_of(error)], str(error), kind_of(error)) from error

        return handle_published
