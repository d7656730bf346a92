"""An emulator of Snowflake, fakesnow, in a process of its own: `make snowflake` puts it into ``.cache/fakesnow``.

It has an environment of its own, because it needs another DuckDB than we do.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
HOME = _ROOT / ".cache" / "fakesnow"
PROVIDER = HOME / "provider"
"""Airflow's Snowflake provider, without what its Snowpark operators need and our constraints do not allow."""

_PYTHON = HOME / "bin" / "python"
_PROGRAM = Path(__file__).with_name("fakesnow_program.py")
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fakesnow:
    """A running emulator. It keeps everything in memory, and any user and password may come in.

    Attributes:
        port: without encryption.
        tls_port: with a certificate that only `certificate` vouches for.
    """

    port: int
    tls_port: int
    certificate: Path

    def url(self, database: str) -> str:
        """The URL of a database, which is made by the first login."""
        options = "protocol=http&network_timeout=20&platform_detection_timeout_seconds=0&CLIENT_TELEMETRY_ENABLED=false"
        return f"snowflake://tester:nobody_asks@fakesnow/{database}/PUBLIC?host=127.0.0.1&port={self.port}&{options}"


def reason_without_fakesnow() -> str:
    """Why the emulator cannot be started here; empty where it can."""
    if importlib.util.find_spec("snowflake") is None:
        return "fakesnow is not started: the extra `snowflake` of this package is not installed"
    if not (HOME / ".installed").exists():
        return f"fakesnow is not started: it is not at {HOME}; `make snowflake` puts it there"
    return ""


@contextlib.contextmanager
def fakesnow_server() -> Iterator[Fakesnow]:
    """A server that is stopped at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="fakesnow", ignore_cleanup_errors=True) as folder:
        ports = _free_ports()
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(_PYTHON), str(_PROGRAM), *map(str, ports), folder],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": ""},
                stdout=output,
                stderr=output,
            )
        try:
            for port in ports:
                _wait_for(port, process, log)
            yield Fakesnow(*ports, Path(folder) / "certificate.pem")
        finally:
            process.kill()
            process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    message = f"fakesnow did not start: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(message)
