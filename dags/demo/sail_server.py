"""A real server that speaks Spark Connect: Sail, from its wheel, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from uuid import uuid4

_START_SECONDS = 60.0

_PROGRAM = """
import sys
from pysail.spark import SparkConnectServer
SparkConnectServer("127.0.0.1", int(sys.argv[1])).start(background=False)
"""


@contextlib.contextmanager
def sail_server(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The server's address, ``sc://127.0.0.1:port``; it is stopped at the end of the block.

    Args:
        settings: further variables of its environment, such as ``SAIL_CATALOG__LIST``.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # It writes its tables below the folder in which it was started.
    with tempfile.TemporaryDirectory(prefix="sail", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(port)],
            cwd=folder,
            # A session that nobody uses for a while is ended, and its tables with it.
            env={**os.environ, "SAIL_SPARK__SESSION_TIMEOUT_SECS": "86400", **(settings or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield f"sc://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def shared_session(address: str) -> str:
    """The URL of a new session that all who use it share: Sail keeps its catalog in the session."""
    return f"{address}/;session_id={uuid4()}"


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    message = f"Sail did not start on port {port}"
    raise RuntimeError(message)
