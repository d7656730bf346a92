"""A server that has imported the command line once and forks for each command.

Each command is a process of its own, as from a terminal, and takes no longer than its work does.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_IMPORTED_ONCE = (
    *("cli.main", "cli.build_verbs", "cli.deploy_verb", "cli.list_verbs", "cli.query_verbs", "cli.setting_verbs"),
    *("engine.lifecycle.build.batch", "engine.lifecycle.deploy.deploy", "engine.lifecycle.query.router"),
    *("engine.lifecycle.query.staleness", "engine.troubleshooting.passages", "engine.warehouse.duckdb"),
)
"""What most verbs need, imported before the first fork."""

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


@contextlib.contextmanager
def command_server() -> Iterator[Path]:
    """The address of a running server, for the length of a ``with`` block. It ends with this process, too."""
    with tempfile.TemporaryDirectory(prefix="cli") as name:
        address = Path(name) / "server"
        command = [sys.executable, "-m", "tests.support.command_server", str(address)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)
        try:
            while not address.exists():
                assert server.poll() is None, "the server of commands has ended"
                time.sleep(0.02)
            yield address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.communicate()


_until_the_end = contextlib.ExitStack()


@functools.cache
def command_server_of_this_process() -> Path:
    """The address of a server that is started by the first call, and lives as long as this process."""
    atexit.register(_until_the_end.close)
    return _until_the_end.enter_context(command_server())


def write_client(program: Path, address: Path) -> None:
    """Write a small program that hands its arguments, folder, environment and streams to a server."""
    program.write_text(_CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)


def run_on_server(
    address: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, seconds: float
) -> tuple[int, str, str]:
    """Run a command without an input; its exit code, standard output and standard error.

    Raises:
        TimeoutError: it has not ended within the seconds.
    """
    with (
        socket.socket(socket.AF_UNIX) as server,
        Path(os.devnull).open("rb") as nothing,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        server.settimeout(seconds)
        server.connect(str(address))
        told = json.dumps([list(arguments), str(folder), dict(environment)]).encode()
        streams = [stream.fileno() for stream in (nothing, out, err)]
        socket.send_fds(server, [len(told).to_bytes(4, "big")], streams)
        server.sendall(told)
        code = server.recv(1)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    assert code, f"the command was killed; it had said: {texts[1]}"
    return code[0], texts[0], texts[1]


def _serve(address: str) -> None:
    """Fork for each command that a client tells of, until standard input ends."""
    for name in _IMPORTED_ONCE:
        importlib.import_module(f"airflow_atscale_aggs.{name}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
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
