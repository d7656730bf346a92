"""`make spark-demo`: all aggregates of the demo, built by a real Airflow on Sail, hold what DuckDB's hold."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import run_spark_demo
from airflow_processes import terminated_by_signals

_ROOT = Path(__file__).resolve().parents[2]
_NAMES = ("day", "amount", "mean")


@pytest.mark.skipif(not os.environ.get("DEMO_LONG"), reason="30 tasks that import Spark's client take minutes")
@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.xdist_group("airflow")
def test_every_view_on_sail_equals_duckdbs(tmp_path: Path) -> None:
    """The whole demo, on a tenth of its data: with DEMO_LONG=1, and whenever somebody says `make spark-demo`."""
    environment = {**os.environ, "WAIT": "0", "SCALE": "0.01", "DEMO_FOLDER": str(tmp_path)}
    program = [sys.executable, str(_ROOT / "dags" / "demo" / "run_spark_demo.py")]
    with terminated_by_signals():
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=900)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[28/28] built" in done.stdout
    assert "28 of 28 views" in done.stdout


def test_equal_views_are_said_equal() -> None:
    """Neither the order of rows, nor the width of a number, nor the last digits of a sum of doubles count."""
    on_sail = [_NAMES, (1, Decimal("2.50"), 0.1 + 0.2), (None, 3, None)]
    on_duckdb = [_NAMES, (None, Decimal("3.0"), None), (1, Decimal("2.5"), 0.3)]

    assert run_spark_demo._difference(on_sail, on_duckdb) == ""


@pytest.mark.parametrize(
    ("on_duckdb", "why"),
    [
        ([("day", "amount", "other"), (1, 2, 0.5)], "the columns are day, amount, mean and day, amount, other"),
        ([_NAMES, (1, 2, 0.5), (2, 2, 0.5)], "there are 1 and 2 rows"),
        ([_NAMES, (1, 3, 0.5)], "(1, 2, 0.5) and (1, 3, 0.5)"),
        ([_NAMES, (1, 2, 0.51)], "(1, 2, 0.5) and (1, 2, 0.51)"),
        ([_NAMES, (1, None, 0.5)], "(1, 2, 0.5) and (1, None, 0.5)"),
    ],
    ids=["a column", "a row", "a number", "a double", "a NULL"],
)
def test_views_that_differ_are_said_different(on_duckdb: list[tuple[object, ...]], why: str) -> None:
    assert run_spark_demo._difference([_NAMES, (1, 2, 0.5)], on_duckdb) == why
