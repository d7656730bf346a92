"""A StatsD server on this machine, which receives what Airflow's Stats send over UDP."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest


class StatsdServer:
    """What comes in.

    Args:
        stats: the module of Airflow's that sends; it is asked to mark the end of what was sent.
    """

    def __init__(self, stats: ModuleType) -> None:
        self._stats = stats
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])

    def received(self) -> dict[str, list[str]]:
        """Values by name with tags, of all that came since the last look; a mark is sent to know the end."""
        self._stats.incr("the_end")
        values: dict[str, list[str]] = {}
        while True:
            name, _, value = self.socket.recv(65536).decode().rpartition(":")
            if name == "airflow.the_end":
                return values
            values.setdefault(name.removeprefix("airflow."), []).append(value)


@contextlib.contextmanager
def statsd_server(stats: ModuleType, factory: Callable[[], Any]) -> Iterator[StatsdServer]:
    """A server, and Stats as Airflow begins them in one of its processes, with tags as InfluxDB writes them.

    Args:
        stats: of tasks, or of Airflow's servers.
        factory: what chooses the backend there.
    """
    running = StatsdServer(stats)
    options = {"ON": "True", "PORT": str(running.port), "HOST": "127.0.0.1", "INFLUXDB_ENABLED": "True"}
    with running.socket, pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            patch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
        stats.initialize(factory=factory(), export_legacy_names=False)
        yield running
    stats.initialize(factory=factory(), export_legacy_names=False)


def without_durations(received: dict[str, list[str]]) -> dict[str, list[str]]:
    """What was received with each duration as `…|ms`."""
    return {name: [re.sub(r"^[0-9.e-]+(?=\|ms$)", "…", value) for value in values] for name, values in received.items()}
