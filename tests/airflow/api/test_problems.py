"""Errors that no route tells by itself, as problem details."""

from __future__ import annotations

import sqlite3

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.troubleshooting.passages import all_passages
from airflow_atscale_aggs.plugins.api.problems import MEDIA_TYPE, add_problem_handlers

pytestmark = pytest.mark.airflow

_SECRET = "hunter2"


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (
            OperationalError(f"UPDATE dag_run SET note = '{_SECRET}'", {}, sqlite3.OperationalError("locked")),
            503,
            "Airflow's own database does not answer at this moment. Ask again in a few seconds.",
        ),
        (
            PoolTimeoutError(_SECRET),
            503,
            "Airflow's own database does not answer at this moment. Ask again in a few seconds.",
        ),
        (
            ZeroDivisionError(_SECRET),
            500,
            "This is a defect of the API (ZeroDivisionError). The log of the API server has the details.",
        ),
    ],
)
def test_what_nobody_foresaw_is_told_without_its_text(error: Exception, status: int, detail: str) -> None:
    """The text may hold anything; it is for the server's log only."""
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/")

    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["detail"] == detail
    assert _SECRET not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("DELETE", "/known", 405, "method-not-allowed"),
        ("GET", "/known?number=x", 422, "malformed"),
        ("GET", "/known?number=1", 404, "not-registered"),
    ],
)
def test_every_problem_has_a_code_that_tells_more(method: str, path: str, status: int, kind: str) -> None:
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/known")
    def read(number: int) -> None:
        raise NotRegisteredError("model", str(number))

    answer = TestClient(app).request(method, path)

    assert (answer.status_code, answer.json()["type"]) == (status, f"about:blank#{kind}")
    assert kind in all_passages()
