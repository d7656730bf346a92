"""The short form of the chaos suite; `make chaos` kills two hundred times."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.chaos import chaos

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.postgres, pytest.mark.xdist_group("airflow")]


def test_nobody_notices_kills(postgres_database: Callable[[str], AbstractContextManager[str]]) -> None:
    """Scheduler, workers, tasks, triggerer, API server and connections are killed in the middle of batches."""
    kills = int(os.environ.get("CHAOS_KILLS", "2"))
    with postgres_database("chaos_metadata") as metadata, postgres_database("chaos_warehouse") as warehouse:
        done = chaos.run(kills, int(os.environ.get("CHAOS_SEED", time.time())), metadata, warehouse)

    assert done.kills == kills
