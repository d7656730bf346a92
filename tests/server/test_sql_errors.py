"""Errors as clients get them."""

from __future__ import annotations

import logging

import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.server import sql_errors
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
