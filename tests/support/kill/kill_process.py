"""The process that forks, runs and kills builds, as tests talk to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kill.kill_places import Place

ROOT = Path(__file__).parents[3]

SCHEMA = "aggs"

MODEL = "tiny_sales"


@dataclass
class Worker:
    """The process that forks, runs and kills builds."""

    process: subprocess.Popen[str]

    def run(self, place: Place, **job: Any) -> dict[str, Any]:
        """Run a build in a child of its own: the signal that ended it, the points it passed, its error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        whole = {"registry": place.registry, "warehouse": place.warehouse, "aggregate_schema": SCHEMA, "model": MODEL}
        self.process.stdin.write(json.dumps(whole | job) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def start_worker() -> Iterator[Worker]:
    """One process for all trials of a module."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.kill.kill_worker"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()
