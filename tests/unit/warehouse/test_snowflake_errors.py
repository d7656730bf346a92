"""What Snowflake's errors mean, by number and SQLSTATE, as its connector gives them."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.warehouse.drivers import Failure
from airflow_atscale_aggs.engine.warehouse.snowflake_errors import describe, failure_of, is_lost, is_transient

errors = pytest.importorskip("snowflake.connector.errors")


def _error(kind: str, number: int | None, state: str | None = None, text: str = "what it says") -> BaseException:
    error: BaseException = getattr(errors, kind)(msg=text, errno=number, sqlstate=state)
    return error


@pytest.mark.parametrize(
    ("kind", "number", "state", "failure", "transient", "lost"),
    [
        ("ProgrammingError", 2003, "42S02", Failure.UNSEEN, False, False),
        ("ProgrammingError", 2003, "02000", Failure.UNSEEN, False, False),
        ("ProgrammingError", 2043, "02000", Failure.UNSEEN, False, False),
        ("ProgrammingError", 2037, "42601", Failure.OTHER, False, False),
        ("ProgrammingError", 3001, "42501", Failure.NO_RIGHT, False, False),
        ("ProgrammingError", 90105, "22000", Failure.NO_DATABASE, False, False),
        ("ProgrammingError", 606, "57P03", Failure.OTHER, False, False),
        ("ProgrammingError", 604, "57014", Failure.OTHER, True, False),
        ("ProgrammingError", 625, "57014", Failure.OTHER, True, False),
        ("ProgrammingError", 630, "57014", Failure.OTHER, False, False),
        ("ProgrammingError", 1003, "42000", Failure.OTHER, False, False),
        ("ProgrammingError", None, None, Failure.OTHER, False, False),
        ("DatabaseError", 250001, "08001", Failure.OTHER, False, False),
        ("DatabaseError", 390100, "08001", Failure.OTHER, False, False),
        ("OperationalError", 250001, "08001", Failure.NO_CONNECTION, True, True),
        ("DatabaseError", 250002, "08003", Failure.NO_CONNECTION, True, True),
        ("ProgrammingError", 390112, None, Failure.NO_CONNECTION, True, True),
        ("ProgrammingError", 390114, "08001", Failure.NO_CONNECTION, True, True),
        ("OperationalError", 251012, None, Failure.NO_CONNECTION, True, True),
        ("InterfaceError", 290504, None, Failure.NO_CONNECTION, True, True),
    ],
)
def test_what_an_error_means(
    kind: str, number: int | None, state: str | None, failure: Failure, transient: bool, lost: bool
) -> None:
    """Only what may pass is tried again; "does not exist or not authorized" is no absence."""
    error = _error(kind, number, state)

    assert (failure_of(error, "t"), is_transient(error), is_lost(error)) == (failure, transient, lost)


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        (
            "ProgrammingError",
            2003,
            "it is not there, or the connection's role may not see it, and the warehouse does not",
        ),
        ("ProgrammingError", 3001, "lacks a right"),
        ("ProgrammingError", 606, "name one, as `warehouse=NAME` in the URL"),
        ("ProgrammingError", 604, "cancelled by somebody"),
        ("ProgrammingError", 630, "raise STATEMENT_TIMEOUT_IN_SECONDS"),
        ("ProgrammingError", 2037, "a view reads something that is not there"),
        ("DatabaseError", 250001, "Snowflake refused the login: correct account, user, password"),
        ("DatabaseError", 390100, "Snowflake refused the login"),
        ("OperationalError", 250001, "the connection was lost, or cannot be made"),
    ],
)
def test_a_message_says_what_to_do(kind: str, number: int, said: str) -> None:
    """It is on one line, and keeps what Snowflake said."""
    message = describe(_error(kind, number, text="first line\n second line"))

    assert said in message
    assert "first line second line" in message
    assert "\n" not in message


def test_what_is_said_without_a_number_is_said_as_it_stands() -> None:
    assert describe(ValueError("no number")) == "no number"
