"""Defines a signal: an event of a file, with an identity that stays the same when the signal is told again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["appeared", "overwritten", "line"]

_MOST_SHOWN = 200


def digest(*parts: object) -> str:
    """A short, stable name for a tuple of values; 96 bits.

    >>> digest("a", 1) == digest("a", 1), digest("a", 1) == digest("a1")
    (True, False)
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that happened to a file.

    Attributes:
        id: the same for the same signal, also when it is told twice; whoever acts on signals remembers it.
        kind: ``appeared``, ``overwritten`` or ``line``.
        url: the file, without a password.
        text: of a line: its first 200 characters; of a file: size and modification time.
    """

    id: str
    kind: Kind
    url: str
    text: str = ""

    def as_dict(self) -> dict[str, str]:
        """As it travels in events."""
        return asdict(self)


def file_signal(kind: Kind, url: str, identity: str, text: str) -> Signal:
    """A file appeared or was overwritten; its identity is URL, modification time, size and etag."""
    return Signal(digest("file", url, identity), kind, without_password(url), text)


def line_signal(entry: str, url: str, generation: int, offset: int, line: str) -> Signal:
    """A line was appended.

    Args:
        entry: the watched path or glob.
        url: the file in which the line stands now.
        generation: number of the file among all that were read for the entry: rotation does not change it, truncation
            does.
        offset: byte at which the line starts.
        line: its text.
    """
    return Signal(digest("line", entry, generation, offset, line), "line", without_password(url), line[:_MOST_SHOWN])


def read_signals(payloads: Iterable[Mapping[str, Any]]) -> tuple[Signal, ...]:
    """The distinct signals of event payloads, in the order in which they were first told.

    >>> told = {"signals": [Signal("1", "line", "/etl.log", "done").as_dict()]}
    >>> [signal.id for signal in read_signals([told, told])]
    ['1']
    """
    by_id: dict[str, Signal] = {}
    for payload in payloads:
        for signal in payload.get("signals") or ():
            by_id.setdefault(signal["id"], Signal(**signal))
    return tuple(by_id.values())


def without_password(url: str) -> str:
    """The URL as it may be shown.

    >>> without_password("ftp://user:secret@host/file"), without_password("s3://aws_default@bucket/key")
    ('ftp://user@host/file', 's3://aws_default@bucket/key')
    """
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not separator or not at or ":" not in user or "/" in user:
        return url
    return f"{scheme}://{user.partition(':')[0]}@{place}"
