"""Options of ``serve`` that bound what clients may take."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.byte_sizes import ByteSize

if TYPE_CHECKING:
    from airflow_atscale_aggs.server.client_bounds import Bounds

_ENVIRONMENT = "ATSCALE_AGGS_SERVE_"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


# Click 8.1 knows no type parameter here.
class Duration(click.ParamType):  # type: ignore[type-arg]
    """A time as PostgreSQL's settings have it, such as ``10min``; 0: none.

    >>> [Duration().convert(text, None, None) for text in ("1.5h", "250ms", "0")]
    [5400.0, 0.25, 0.0]
    """

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        match = _DURATION.fullmatch(text)
        if match is None and text != "0":
            self.fail(f"`{value}` is no duration; write 30s, 10min, 2h, 1d, or 0 for none.", param, ctx)
        return float(match[1]) * _SECONDS[match[2]] if match is not None else 0.0


class _SizeOrNone(ByteSize):
    """A number of bytes; 0: none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        return 0 if str(value).strip() == "0" else super().convert(value, param, ctx)


_NUMBER = click.IntRange(0)
_OPTIONS: tuple[tuple[str, str, str, str, click.ParamType], ...] = (  # type: ignore[type-arg]
    ("max-connections", "connections", "N", "100", _NUMBER),
    ("max-connections-per-user", "connections_per_user", "N", "50", _NUMBER),
    ("statement-timeout", "statement_seconds", "TIME", "10min", Duration()),
    ("max-rows", "rows", "N", "100000000", _NUMBER),
    ("session-memory", "session_bytes", "SIZE", "64MB", _SizeOrNone()),
    ("authentication-timeout", "authentication_seconds", "TIME", "1min", Duration()),
    ("idle-session-timeout", "idle_session_seconds", "TIME", "1d", Duration()),
    ("idle-in-transaction-timeout", "idle_in_transaction_seconds", "TIME", "10min", Duration()),
    ("keepalive", "keepalive_seconds", "TIME", "1min", Duration()),
)
"""Option, field of the bounds, what stands for its value, default, type."""

_HELP = {
    "connections": "Connections of all clients together.",
    "connections_per_user": "Connections of one user.",
    "statement_seconds": "From a statement until its last row is taken; clients may `SET statement_timeout` to less.",
    "rows": "Rows of one answer; more are an error.",
    "session_bytes": "Of one message, of one row, and of the prepared statements and portals of a session.",
    "authentication_seconds": "From a client's first byte until it has signed in.",
    "idle_session_seconds": "A session without a statement ends after it.",
    "idle_in_transaction_seconds": "The same in a transaction, or with rows that were not read to the end.",
    "keepalive_seconds": "After so much silence the client's machine is asked whether it is there; when nothing "
    "answers for as long again, the connection ends.",
}


def bound_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; each has a variable of the environment."""
    for name, field, metavar, default, kind in reversed(_OPTIONS):
        variable = _ENVIRONMENT + name.replace("-", "_").upper()
        command = click.option(
            f"--{name}", field, metavar=metavar, default=default, type=kind, envvar=variable, show_default=True,
            show_envvar=True, help=_HELP[field],
        )(command)  # fmt: skip
    return command


def take_bounds(given: dict[str, Any]) -> Bounds:
    """The bounds that the options say; the options are taken out."""
    from airflow_atscale_aggs.server.client_bounds import Bounds

    return Bounds(**{field: given.pop(field) for _, field, _, _, _ in _OPTIONS})
