"""Runs the commands of a page as a reader would type them: in bash, one after the other, in one folder.

`atscale-aggs` is a small program there that hands its arguments to a server (`tests/support/command_server.py`). So a
page with twenty commands takes no longer than its commands do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.command_server import command_server, write_client

_ROOT = Path(__file__).parents[3]
_TOO_LONG = 120
"""Seconds after which a command of a page is given up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed, in the order in which a terminal shows it, and its exit code."""

    output: str
    code: int


class Shell:
    """A reader's terminal: a folder, an environment, and what `export` and `cd` have changed of them."""

    def __init__(self, folder: Path, programs: Path, environment: Mapping[str, str]) -> None:
        """Nothing is started yet.

        Args:
            folder: where it begins.
            programs: folder in which `atscale-aggs` is.
            environment: variables beside those of the machine. ``EXTRA_PATH`` has further programs.
        """
        extra = [environment["EXTRA_PATH"]] if "EXTRA_PATH" in environment else []
        path = os.pathsep.join([str(programs), *extra, str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        machine = {"HOME": str(folder), "PATH": path, "PYTHONPATH": str(_ROOT), "COLUMNS": "160", "LANG": "C.UTF-8"}
        self.folder = folder
        self._environment = machine | dict(environment)
        self._state = programs / f"state-{time.monotonic_ns()}"
        self._groups: list[int] = []

    def run(self, command: str) -> Outcome:
        """Run one command, which may have several lines; what it leaves in the background lives on until `close`."""
        before = f". {self._state}\n" if self._state.exists() else ""
        after = f"\ncode=$?\n{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {self._state}\nexit $code\n"
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                ["/bin/bash", "-c", before + command + after],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            try:
                code = process.wait(_TOO_LONG)
            except subprocess.TimeoutExpired:
                _end_group(process.pid)
                code = process.wait()
            output.seek(0)
            return Outcome(output.read().decode(errors="replace"), code)

    def close(self) -> None:
        """End what its commands left in the background."""
        for group in self._groups:
            _end_group(group)


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@contextlib.contextmanager
def command_programs() -> Iterator[Path]:
    """A folder for PATH in which `atscale-aggs` answers at once, for the length of a ``with`` block."""
    with command_server() as address, tempfile.TemporaryDirectory(prefix="docs") as name:
        write_client(Path(name) / "atscale-aggs", address)
        yield Path(name)
