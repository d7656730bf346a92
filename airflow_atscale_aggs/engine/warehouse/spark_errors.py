"""What errors of Spark, and of servers that speak its protocols, mean: by the conditions that Spark names in them."""

from __future__ import annotations

import re

from airflow_atscale_aggs.engine.warehouse.drivers import Failure, with_meaning

_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+)")
"""The name of an error condition in a message: ``[TABLE_OR_VIEW_NOT_FOUND] …``."""

_FAILURES = {
    "TABLE_OR_VIEW_NOT_FOUND": Failure.ABSENT,
    "SCHEMA_NOT_FOUND": Failure.ABSENT,
    "VIEW_NOT_FOUND": Failure.ABSENT,
    "PATH_NOT_FOUND": Failure.OTHER,
    "CATALOG_NOT_FOUND": Failure.NO_DATABASE,
    "NO_SUCH_CATALOG_EXCEPTION": Failure.NO_DATABASE,
    "REQUIRES_SINGLE_PART_NAMESPACE": Failure.NO_DATABASE,
    "INSUFFICIENT_PERMISSIONS": Failure.NO_RIGHT,
    "INSUFFICIENT_TABLE_PROPERTY": Failure.OTHER,
    "PERMISSION_DENIED": Failure.NO_RIGHT,
    "UNAUTHORIZED_ACCESS": Failure.NO_RIGHT,
}

_TEXTS = (
    # Before those that a path may hold.
    (Failure.FILES_GONE, re.compile(r"the underlying files have been updated")),
    (
        Failure.NO_RIGHT,
        re.compile(r"permission|privilege|not authorized|unauthorized|unauthenticated|access denied|forbidden"),
    ),
    # Of Sail, whose catalogs are asked over HTTP.
    (
        Failure.NO_CATALOG,
        re.compile(r"response error: status code (5\d\d|429)|request error: error sending request"),
    ),
    (Failure.NO_DATABASE, re.compile(r"catalog\b.{0,80}\bnot found|catalog not found|no such catalog")),
    (Failure.ABSENT, re.compile(r"(database|schema|table|view) not found|table or view not found")),
    (
        Failure.NO_CONNECTION,
        re.compile(
            r"statuscode\.unavailable|failed to connect|connection (refused|reset|closed)|broken pipe|timed out|"
            r"session_not_found|session_closed|session_changed|sessionhandle|session \S+ is not running|"
            r"operation.not.found|eof|transport"
        ),
    ),
)
"""What is looked for in messages without a condition, in lower case; the first one that fits."""

_PASSING = frozenset({Failure.NO_CONNECTION, Failure.NO_CATALOG, Failure.FILES_GONE})

_STACK = re.compile(r"\s+(JVM stacktrace:|== SQL|\tat ).*", re.DOTALL)
"""What follows the sentence of a message: the statement again, and the stack of the server."""


def spark_failure(error: BaseException, name: str) -> Failure:
    """What an error means for what its statement names.

    A view is there although a table is gone that it reads: an absence counts only if the message is about the name.

    Args:
        name: the last part of the name that is asked about; empty: any.
    """
    # The stack names privileges and permissions of its own.
    text = _sentence(str(error))
    condition = _CONDITION.search(text)
    failure = _FAILURES.get(condition[1]) if condition else None
    if failure is None:
        lower = text.casefold()
        failure = next((kind for kind, pattern in _TEXTS if pattern.search(lower)), Failure.OTHER)
    if failure is Failure.ABSENT and name and name.casefold() not in text.casefold():
        return Failure.OTHER
    return failure


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that the same statement may succeed over another one."""
    return spark_failure(error, "") is Failure.NO_CONNECTION


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later, in another session.

    The connection is gone, the server's catalog is away, or the session knows files that are not there any more.
    """
    return spark_failure(error, "") in _PASSING


def describe_spark(error: BaseException) -> str:
    """What the server says without its stack, and what that means."""
    return with_meaning(_sentence(str(error)) or type(error).__name__, spark_failure(error, ""))


def _sentence(text: str) -> str:
    """The first part of a message, on one line."""
    return " ".join(_STACK.sub("", text).split())
