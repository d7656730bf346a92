"""Says things to people and prints JSON for programs."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from datetime import UTC, datetime

import click

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that move a terminal's cursor, change its state, or change the direction of text, except tabs and line
ends.
"""


def visible(text: str) -> str:
    r"""A text whose control characters are written out, so that a name cannot give orders to a terminal.

    >>> visible("red \x1b[31m")
    'red \\u001b[31m'
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 row`, `1,200 rows`; see the engine's function of this name."""
    from airflow_atscale_aggs.engine import counted_nouns

    return counted_nouns.counted(number, one, many)


def show(text: str) -> None:
    """A line for people on standard output."""
    click.echo(visible(text))


def print_json(value: object) -> None:
    """One JSON document on standard output; datetimes as ISO 8601 in UTC."""
    import json

    show(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def seconds(value: float | None) -> str:
    """Seconds for people.

    >>> seconds(0.01234)
    '0.012'
    """
    return "" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"  # noqa: PLR2004


def size(value: float | None) -> str:
    """Bytes for people, in powers of 1,000.

    >>> size(950), size(12_345), size(7_000_000_000), size(None)
    ('950 B', '12.3 kB', '7.0 GB', '')
    """
    if value is None:
        return ""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":  # noqa: PLR2004
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def when(value: datetime | None) -> str:
    """A time for people: UTC, to the second."""
    return "" if value is None else _utc(value).strftime("%Y-%m-%d %H:%M:%SZ")


def say(text: str) -> None:
    """A line for people, on standard error, so that output can be piped."""
    click.echo(visible(text), err=True)


def say_from_handler(text: str) -> None:
    """The same out of a handler of signals, which may have come in the middle of a write to standard error.

    Python refuses to write into a buffer that is just being written.
    """
    # What stands in for standard error, in a test for instance, may have no file.
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), f"{visible(text)}\n".encode())


def describe_error(error: Exception, *, is_debugging: bool) -> str:
    """One sentence about an error; with ``--debug`` the whole traceback."""
    if is_debugging:
        import traceback

        return "".join(traceback.format_exception(error)).rstrip()
    from airflow_atscale_aggs.engine.errors import AtScaleAggsError

    if isinstance(error, click.ClickException):
        return f"Error: {error.format_message()}"
    if isinstance(error, (AtScaleAggsError, OSError)):
        return f"Error: {plain_text(error)}"
    return f"Error: {type(error).__name__}: {error} (not foreseen: a defect of atscale-aggs; --debug shows where)"


def plain_text(error: Exception) -> str:
    """What an error says; of one of the operating system the reason and the file, without its number.

    >>> plain_text(PermissionError(13, "Permission denied", "/opt/models"))
    'Permission denied: /opt/models'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{'' if error.filename is None else f': {error.filename}'}"
    return str(error)


def _plain(value: object) -> object:
    return _utc(value).isoformat() if isinstance(value, datetime) else str(value)


def _utc(value: datetime) -> datetime:
    """A time without a zone is in UTC already; a driver may answer in its session's zone."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
