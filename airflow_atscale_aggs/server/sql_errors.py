"""Errors of the engine and of PostgreSQL, as clients get them: with a SQLSTATE."""

from __future__ import annotations

import logging

import psycopg

from airflow_atscale_aggs.engine import errors
from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of, pointer
from airflow_atscale_aggs.server.frames import ProtocolViolationError
from airflow_atscale_aggs.server.messages import error_response, relayed_error_response
from airflow_atscale_aggs.server.values import ValueEncodingError

_log = logging.getLogger(__name__)

_STATES: tuple[tuple[type[BaseException], str], ...] = (
    (errors.NotRegisteredError, "42P01"),
    (errors.UnknownColumnError, "42703"),
    (errors.AmbiguousColumnError, "42702"),
    (errors.UnreadableQueryError, "42601"),
    (errors.UnsupportedQueryError, "0A000"),
    (errors.QueryError, "0A000"),
    (errors.TransientWarehouseError, "58000"),
    (errors.WarehouseError, "42000"),
    (errors.RegistryError, "58000"),
    (ProtocolViolationError, "08P01"),
    (ValueEncodingError, "22P03"),
)


def _hint(error: BaseException) -> str:
    """Where to read more about an error of the engine; empty for others, whose SQLSTATE says it."""
    return pointer(codes_of(error)) if isinstance(error, errors.AtScaleAggsError) else ""


class SqlError(Exception):
    """An error that a client gets. ``frame``: its message, encoded."""

    def __init__(self, frame: bytes) -> None:
        super().__init__()
        self.frame = frame


def error_frame(error: BaseException, *, severity: str = "ERROR") -> bytes:
    """The message about an error. What nobody has foreseen is told without its text, which may hold secrets.

    The log has its text, and where it was raised.
    """
    if isinstance(error, SqlError):
        return error.frame
    if isinstance(error, psycopg.Error):
        told = error.diag
        fields = {"D": told.message_detail, "H": told.message_hint, "P": told.statement_position}
        # PostgreSQL's own words stay as they are.
        return relayed_error_response(
            error.sqlstate or "58000",
            told.message_primary or str(error),
            severity=severity,
            **{letter: text for letter, text in fields.items() if text},
        )
    if isinstance(error, errors.WarehouseError) and isinstance(error.__cause__, psycopg.Error):
        state = error.__cause__.sqlstate
        if state:
            return error_response(state, str(error), H=pointer(codes_of(error)))
    for kind, state in _STATES:
        if isinstance(error, kind):
            return error_response(state, str(error), severity=severity, H=_hint(error))
    if isinstance(error, errors.AtScaleAggsError):
        return error_response("58000", str(error), severity=severity, H=_hint(error))
    _log.error("An error that was not foreseen: a defect of atscale-aggs", exc_info=error)
    text = f"an error that was not foreseen ({type(error).__name__}): a defect of atscale-aggs"
    return error_response("XX000", text, severity=severity)
