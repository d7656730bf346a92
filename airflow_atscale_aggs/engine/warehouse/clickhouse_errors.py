"""What errors of ClickHouse mean, by the numbers that it gives them."""

from __future__ import annotations

import re

from airflow_atscale_aggs.engine.warehouse.drivers import Failure, one_line, with_meaning

_CODE = re.compile(r"Code: (\d+)")
_IDENTIFIER = re.compile(r"identifier '(?P<name>.+?)'(?=\.|\s|$)", re.DOTALL)

_UNKNOWN_TABLE = 60

_FAILURES = {
    _UNKNOWN_TABLE: Failure.ABSENT,
    81: Failure.ABSENT,  # UNKNOWN_DATABASE
    164: Failure.NO_RIGHT,  # READONLY
    497: Failure.NO_RIGHT,  # ACCESS_DENIED
    516: Failure.NO_RIGHT,  # AUTHENTICATION_FAILED
    209: Failure.NO_CONNECTION,  # SOCKET_TIMEOUT
    210: Failure.NO_CONNECTION,  # NETWORK_ERROR
    279: Failure.NO_CONNECTION,  # ALL_CONNECTION_TRIES_FAILED
}

_MAY_PASS = frozenset({159, 202, 241, 252, 394, 473})
"""TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, MEMORY_LIMIT_EXCEEDED, TOO_MANY_PARTS, QUERY_WAS_CANCELLED,
DEADLOCK_AVOIDED."""


class ClickHouseError(Exception):
    """An error of ClickHouse, or of its client.

    Attributes:
        code: ClickHouse's number; 0 where it gave none.
        is_held: another process holds the folder.
    """

    def __init__(self, message: str, *, is_held: bool = False) -> None:
        super().__init__(message)
        code = _CODE.search(message)
        self.code, self.is_held = int(code[1]) if code else 0, is_held


def clickhouse_failure(error: BaseException, name: str) -> Failure:
    """What an error means for what its statement names.

    A view is there although a table is gone that it reads: an absence counts only if it is the name's.

    Args:
        name: the last part of the name that is asked about; empty: any.
    """
    if not isinstance(error, ClickHouseError):
        return Failure.OTHER
    if error.is_held:
        return Failure.NO_CONNECTION
    failure = _FAILURES.get(error.code, Failure.OTHER)
    if failure is Failure.ABSENT and name and error.code == _UNKNOWN_TABLE and not _is_about(str(error), name):
        return Failure.OTHER
    return failure


def is_transient(error: BaseException) -> bool:
    """Whether the same SQL may succeed later."""
    is_known = isinstance(error, ClickHouseError) and error.code in _MAY_PASS
    return is_known or clickhouse_failure(error, "") is Failure.NO_CONNECTION


def describe_clickhouse(error: BaseException) -> str:
    """What ClickHouse says, and what that means, on one line."""
    return with_meaning(one_line(error), clickhouse_failure(error, ""))


def _is_about(message: str, name: str) -> bool:
    """Whether the table that is not there is the one of the name; similar ones are named as well."""
    found = _IDENTIFIER.search(message)
    absent = (found["name"] if found else message.partition("Maybe you meant")[0]).replace("`", "").casefold()
    wanted = name.casefold()
    return absent == wanted or absent.endswith(f".{wanted}") if found else wanted in absent
