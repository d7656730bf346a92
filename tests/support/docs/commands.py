"""Runs the commands of a page as a reader would type them: in bash, one after the other, in one folder.

`atscale-aggs` is a small program there that hands its arguments to a server, which has imported the command line once
and forks for each command. So a page with twenty commands takes no longer than its commands do.
"""

from __future__ import annotations

import array
import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_CLIENT = """\
#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(told).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(told)
    code = server.recv(1)
sys.exit(code[0] if code else 1)
"""
_IMPORTED_ONCE = (
    *("cli.main", "cli.build_verbs", "cli.deploy_verb", "cli.list_verbs", "cli.query_verbs"),
    *("engine.lifecycle.build.batch", "engine.lifecycle.deploy.deploy", "engine.lifecycle.query.router"),
)
"""What most verbs need, imported before the first fork."""

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
    with tempfile.TemporaryDirectory(prefix="docs") as name:
        folder = Path(name)
        address = str(folder / "server")
        client = folder / "atscale-aggs"
        client.write_text(_CLIENT.format(python=sys.executable, address=address))
        client.chmod(0o755)
        server = subprocess.Popen([sys.executable, __file__, address], start_new_session=True)
        try:
            _wait_for(Path(address), server)
            yield folder
        finally:
            _end_group(server.pid)
            server.wait()


def _wait_for(address: Path, server: subprocess.Popen[bytes]) -> None:
    while not address.exists():
        assert server.poll() is None, "the server of commands has ended"
        time.sleep(0.02)


def _serve(address: str) -> None:
    """Fork for each command that a client tells of."""
    for name in _IMPORTED_ONCE:
        importlib.import_module(f"airflow_atscale_aggs.{name}")

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(client)
            client.close()


def _answer(client: socket.socket) -> None:
    """Run what a client tells, on the client's own standard streams, and end this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, ancillary, *_ = client.recvmsg(4, socket.CMSG_LEN(3 * array.array("i").itemsize))
    streams = array.array("i")
    streams.frombytes(ancillary[0][2])
    told = client.makefile("rb").read(int.from_bytes(head, "big"))
    arguments, folder, environment = json.loads(told)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    from airflow_atscale_aggs.cli.main import run

    try:
        code = run(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(bytes([code & 0xFF]))
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
