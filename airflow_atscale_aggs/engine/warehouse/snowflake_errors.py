"""What errors of Snowflake mean: by the numbers and SQLSTATEs that it gives them."""

from __future__ import annotations

from typing import Any

from airflow_atscale_aggs.engine.warehouse.drivers import MEANINGS, Failure, one_line

_OF_LOGIN = 250001
"""The connector's number for each login that failed: one that was refused, and one that nobody answered."""

_FAILURES = {
    2003: Failure.UNSEEN,
    2043: Failure.UNSEEN,
    3001: Failure.NO_RIGHT,
    3003: Failure.NO_RIGHT,
    90105: Failure.NO_DATABASE,
}

_MEANINGS = {
    604: "the statement was cancelled by somebody",
    606: "no virtual warehouse runs statements for this session: name one, as `warehouse=NAME` in the URL or the extra "
    "`warehouse` of the Airflow connection, and grant its USAGE to the role",
    625: "too many statements wait for somebody else's lock on the table",
    630: "it reached a time limit: raise STATEMENT_TIMEOUT_IN_SECONDS, or use a larger virtual warehouse",
    2037: "a view reads something that is not there, or that its owner may not see",
    90105: "the session has no database: name one in the connection",
    90106: "the session has no schema: name one in the connection, or in the model",
    250002: "the connection was closed",
}
"""What some errors mean to people, in half a sentence, besides `drivers.MEANINGS`."""

_TRANSIENT = frozenset({604, 625})
"""A statement that was cancelled, or that waited for a lock, may succeed later."""

_LOST = frozenset({_OF_LOGIN, 250002, 250003, 250005, 251011, 251012, 390111, 390112, 390113, 390114, 390115})
"""The connection is closed, nobody answers, or the session is over. A login makes another one."""

_OF_HTTP = range(290000, 291000)
"""The connector's numbers for answers that are no answers of Snowflake: 290000 and the status of HTTP."""

_REFUSED_LOGINS = frozenset({390100, 390101, 390102, 390103, 390144, 390189, 390195, 390303, 390318, 390422})
"""User, password, key, token or network policy."""

_REFUSED = "Snowflake refused the login: correct account, user, password or key, role and network policy"


def failure_of(error: BaseException, _name: str = "") -> Failure:
    """What an error means for what its statement names.

    "Does not exist or not authorized" (002003) is neither an absence nor a lacking right: nobody knows which.
    """
    if is_lost(error):
        return Failure.NO_CONNECTION
    return _FAILURES.get(_number(error), Failure.OTHER)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone or cannot be made, so that the same SQL may succeed over another one."""
    if is_refused_login(error):
        return False
    number = _number(error)
    return number in _LOST or number in _OF_HTTP or _state(error).startswith("08")


def is_refused_login(error: BaseException) -> bool:
    """Whether Snowflake answered, and would not let us in. The connector tells by the class of its error alone."""
    number = _number(error)
    is_answered = number == _OF_LOGIN and not _is_a(error, "OperationalError")
    return number in _REFUSED_LOGINS or is_answered


def is_transient(error: BaseException) -> bool:
    """Whether the same SQL may succeed later."""
    return _number(error) in _TRANSIENT or is_lost(error)


def describe(error: BaseException) -> str:
    """What Snowflake says, on one line, and what it means."""
    message = one_line(error)
    if is_refused_login(error):
        return f"{message} ({_REFUSED})"
    meaning = _MEANINGS.get(_number(error)) or MEANINGS.get(failure_of(error))
    return f"{message} ({meaning})" if meaning else message


def _number(error: BaseException) -> int:
    number: Any = getattr(error, "errno", None)
    return number if isinstance(number, int) else 0


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _is_a(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)
