"""A real `atscale-aggs serve` in a process of its own, and what it holds: files, threads, memory, sessions."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

_COMMAND = (sys.executable, "-m", "airflow_atscale_aggs.cli.main", "serve", "--port", "0")
_ROOT = Path(__file__).parents[2]
_START_SECONDS = 120


@dataclass(frozen=True)
class Held:
    """What a process holds. ``sessions``: of its clients, on the server with the empty tables."""

    files: int
    threads: int
    sessions: int
    megabytes: int


class ServeProcess:
    """A running `serve`.

    Args:
        arguments: of the verb, besides the port.
        catalog_server: where its sessions are counted.
        log: what it says goes to this file.
        over: the URL by which the process reaches that server, where it is another one.
    """

    def __init__(self, arguments: Sequence[str], catalog_server: str, log: Path, *, over: str = "") -> None:
        self.log = log
        self._catalog_server = catalog_server.replace("+psycopg", "")
        command = [*_COMMAND, *arguments, "--catalog-server", over or catalog_server]
        with log.open("ab") as output:
            start = output.tell()
            self.process = subprocess.Popen(
                command, stderr=output, stdout=output, cwd=log.parent, env={**os.environ, "PYTHONPATH": str(_ROOT)}
            )
        try:
            self.host, self.port = self._address(start)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def held(self) -> Held:
        """What it holds now."""
        process = psutil.Process(self.pid)
        with psycopg.connect(self._catalog_server, autocommit=True) as connection:
            sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE usename LIKE 'atscale_aggs_client%'"
            sessions = connection.execute(sql).fetchone()
        return Held(
            files=process.num_fds(),
            threads=process.num_threads(),
            sessions=int(sessions[0]) if sessions else 0,
            megabytes=process.memory_info().rss >> 20,
        )

    def held_at_rest(self, most: Held, seconds: float = 30) -> Held:
        """What it holds, once that is no more files, threads and sessions than some; or after a time."""
        end = time.monotonic() + seconds
        while True:
            now = self.held()
            is_less = now.files <= most.files and now.threads <= most.threads and now.sessions <= most.sessions
            if is_less or time.monotonic() > end:
                return now
            time.sleep(0.1)

    def complaints(self) -> list[str]:
        """What it should never say: errors of Python's."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return re.findall(r".*(?:Traceback|never retrieved|never awaited|Exception in callback).*(?:\n.*){0,40}", text)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _address(self, start: int) -> tuple[str, int]:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            said = self.log.read_bytes()[start:].decode(errors="replace")
            found = re.search(r"Listening on (\S+):(\d+)", said)
            if found is not None:
                return found[1], int(found[2])
            assert self.is_alive(), said
            time.sleep(0.05)
        raise AssertionError("serve did not start")


@contextlib.contextmanager
def serve_process(arguments: Sequence[str], catalog_server: str, log: Path) -> Iterator[ServeProcess]:
    """A running `serve`, for the length of the block."""
    started = ServeProcess(arguments, catalog_server, log)
    try:
        yield started
    finally:
        started.stop()
