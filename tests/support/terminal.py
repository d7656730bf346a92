"""A terminal of a given width, for what is printed by this process and for programs that talk to people."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

_ORDERS = re.compile(r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[=>()][0-9A-B]?")


def plain(text: str) -> str:
    """A text without the orders to a terminal that stand in it."""
    return _ORDERS.sub("", text).replace("\r", "")


def _open(columns: int) -> tuple[int, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    return ours, theirs


@contextlib.contextmanager
def printed_on_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What this process prints on standard output goes to a terminal; its lines are in the list at the end."""
    ours, theirs = _open(columns)
    lines: list[str] = []
    content = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                content.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with monkeypatch.context() as patch, os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        patch.setattr(sys, "stdout", terminal)
        patch.delenv("COLUMNS", raising=False)
        yield lines
    reader.join()
    os.close(ours)
    lines.extend(plain(content.decode()).splitlines())


class Conversation:
    """A program on a terminal of its own, to which one writes and of which one waits for texts."""

    def __init__(self, command: Sequence[str], *, folder: Path, columns: int = 100, **environment: str) -> None:
        self._ours, theirs = _open(columns)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ATSCALE_AGGS")}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Without it, Ctrl-C on the terminal would reach nobody.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one thread makes it
            env={**variables, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        )
        os.close(theirs)
        self.seen = ""
        self._from = 0

    def write(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, *, seconds: float = 60) -> str:
        """Wait until a text is there, after what was waited for before; what stands between the two."""
        until = time.monotonic() + seconds
        while True:
            found = plain(self.seen).find(text, self._from)
            if found >= 0:
                between = plain(self.seen)[self._from : found]
                self._from = found + len(text)
                return between
            if time.monotonic() > until or not self._read(until):
                raise AssertionError(f"`{text}` did not come; what came: {plain(self.seen)[self._from :]!r}")

    def _read(self, until: float) -> bool:
        """Read more; False at the end."""
        ready, _, _ = select.select([self._ours], [], [], max(until - time.monotonic(), 0))
        if not ready:
            return True
        try:
            more = os.read(self._ours, 65536)
        except OSError:
            return False
        self.seen += more.decode(errors="replace")
        return bool(more)

    def close(self) -> int:
        """Wait for its end; the exit code. A program that goes on is killed."""
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            os.close(self._ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._ours)
