"""Reads the lines that were appended to a log since the last time, in chunks of limited size."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import BinaryIO

from airflow_atscale_aggs.signals.files import CHUNK_BYTES
from airflow_atscale_aggs.signals.pattern import LinePattern

WINDOW_BYTES = 1024
MOST_LINE_BYTES = 64 << 10
"""Only so many bytes of a line are matched; the rest of a longer line is skipped."""


@dataclass(slots=True)
class Budget:
    """What one look may still read and find. It keeps a look short, and its event and the state small."""

    read_bytes: int = 32 << 20
    signals: int = 200

    @property
    def is_spent(self) -> bool:
        """Whether the rest waits for the next look."""
        return self.read_bytes <= 0 or self.signals <= 0


@dataclass(slots=True)
class Progress:
    """How far a log was read by one call.

    Attributes:
        lines: (byte at which it starts, text) of each line with the pattern.
        has_partial: whether an unfinished line stands at the end.
        is_at_end: whether everything there was read.
        tail: the bytes just before the offset.
    """

    offset: int
    is_inside: bool
    tail: bytes
    lines: list[tuple[int, str]] = field(default_factory=list)
    has_partial: bool = False
    is_at_end: bool = False

    @property
    def window(self) -> str:
        """Digest of the bytes before the offset."""
        return digest_bytes(self.tail)


def digest_bytes(content: bytes) -> str:
    """A short name for bytes; 96 bits."""
    return hashlib.sha256(content).hexdigest()[:24]


def read_exactly(stream: BinaryIO, start: int, count: int) -> bytes:
    """The bytes from ``start`` on; fewer at the end of the file."""
    stream.seek(start)
    parts = []
    while count > 0 and (part := stream.read(min(count, CHUNK_BYTES))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_window(stream: BinaryIO, offset: int) -> bytes:
    """The bytes just before an offset."""
    start = max(0, offset - WINDOW_BYTES)
    return read_exactly(stream, start, offset - start)


def find_end(stream: BinaryIO, size: int) -> Progress:
    """Where reading begins when only what comes is wanted: after the last finished line."""
    start = max(0, size - MOST_LINE_BYTES)
    last = read_exactly(stream, start, size - start)
    end = last.rfind(b"\n") + 1
    is_inside = end == 0 and start > 0
    offset = start + (len(last) if is_inside else end)
    return Progress(offset, is_inside, read_window(stream, offset))


def read_lines(
    stream: BinaryIO, progress: Progress, pattern: LinePattern, budget: Budget, *, is_settled: bool
) -> Progress:
    """Judge the lines from the offset on.

    Bytes that are no UTF-8 are judged as U+FFFD. A line without its end is left for the next time, unless
    ``is_settled``: then nothing has been written for a while, and if the pattern is in it, it is taken as it is, once.

    Args:
        stream: the log.
        progress: where to begin; it is moved.
        pattern: what to find.
        budget: what may be read and found; it is spent.
        is_settled: whether the log has not changed for the settle time.
    """
    stream.seek(progress.offset)
    rest = b""
    while not budget.is_spent:
        chunk = stream.read(min(CHUNK_BYTES, budget.read_bytes))
        if not chunk:
            progress.is_at_end = True
            break
        budget.read_bytes -= len(chunk)
        rest = _judge(rest + chunk, progress, pattern, budget)
    if progress.is_at_end and rest:
        _judge_partial(rest, progress, pattern, is_settled=is_settled)
    return progress


def _judge(content: bytes, progress: Progress, pattern: LinePattern, budget: Budget) -> bytes:
    """Judge all finished lines; the unfinished rest."""
    start = 0
    while budget.signals > 0 and (end := content.find(b"\n", start)) >= 0:
        if progress.is_inside:
            progress.is_inside = False
        else:
            text = _text(content[start:end])
            if pattern.is_in(text):
                progress.lines.append((progress.offset + start, text))
                budget.signals -= 1
        start = end + 1
    if budget.signals > 0 and (progress.is_inside or len(content) - start > MOST_LINE_BYTES):
        # Too long to be kept until it ends, or judged already.
        if not progress.is_inside:
            text = _text(content[start:])
            if pattern.is_in(text):
                progress.lines.append((progress.offset + start, text))
                budget.signals -= 1
            progress.is_inside = True
        start = len(content)
    _move(progress, content[:start])
    return content[start:]


def _judge_partial(content: bytes, progress: Progress, pattern: LinePattern, *, is_settled: bool) -> None:
    progress.has_partial = True
    text = _text(content)
    if is_settled and pattern.is_in(text):
        progress.lines.append((progress.offset, text))
        progress.is_inside, progress.has_partial = True, False
        _move(progress, content)


def _move(progress: Progress, consumed: bytes) -> None:
    progress.offset += len(consumed)
    progress.tail = (progress.tail + consumed[-WINDOW_BYTES:])[-WINDOW_BYTES:]


def _text(line: bytes) -> str:
    return line[:MOST_LINE_BYTES].removesuffix(b"\r").decode("utf-8", "replace")
