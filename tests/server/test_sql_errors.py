"""Errors as clients get them."""

from __future__ import annotations

import logging

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.server import sql_errors
from airflow_atscale_aggs.server.messages import error_response, read_fields
from airflow_atscale_aggs.server.sql_errors import error_frame


def test_what_nobody_has_foreseen_is_told_without_its_text_and_logged_with_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests may have configured logging.
    monkeypatch.setattr(logging.getLogger(sql_errors.__name__), "disabled", False)

    frame = error_frame(KeyError("a secret"))

    assert b"CXX000\x00" in frame
    assert b"(KeyError): a defect of atscale-aggs" in frame
    assert b"secret" not in frame
    assert "a secret" in caplog.text


def test_what_was_foreseen_has_its_state_and_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert b"C42P01\x00" in error_frame(NotRegisteredError("model", "sales", ()))
    assert caplog.text == ""


def test_an_error_of_the_engine_hints_at_its_passage() -> None:
    fields = read_fields(error_frame(NotRegisteredError("model", "sales", ()))[5:])

    assert fields["H"] == "More about it: atscale-aggs help not-registered"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("", "More about it: atscale-aggs help sqlstate-54000"),
        ("Ask for fewer.", "Ask for fewer. More about it: atscale-aggs help sqlstate-54000"),
    ],
)
def test_what_is_refused_by_itself_hints_at_its_passage_after_its_own_hint(given: str, hint: str) -> None:
    assert read_fields(error_response("54000", "too much", H=given)[5:])["H"] == hint


def test_what_postgresql_says_is_told_as_it_is() -> None:
    """A code that we give as well is no reason to speak for PostgreSQL."""
    error = psycopg.errors.QueryCanceled("canceling statement")

    assert "H" not in read_fields(error_frame(error)[5:])
