"""Compares deploying a model with parsing its YAML with libyaml.

    python benchmarks/deploy.py [FOLDER]       default: the retail model of the examples

Both sides in one process, median of the repeats. Goal for a model of 155 files: at most 3. Opening the warehouse, which
is asked for the types of join columns, is printed separately: it is not the engine's work, and DuckDB takes as long for
an empty file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now


def main() -> None:
    """Measure and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    retail = Path(__file__).parents[1] / "dags" / "models" / "retail"
    parser.add_argument("folder", nargs="?", type=Path, default=retail)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    files = sorted((*arguments.folder.rglob("*.yml"), *arguments.folder.rglob("*.yaml")))

    def parse() -> None:
        for file in files:
            yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)

    def deploy_once() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            registry = f"sqlite:///{scratch}/registry.sqlite"
            with open_workspace(registry=registry, warehouse="duckdb:///:memory:") as workspace:
                started = time.perf_counter()
                with workspace.warehouse.session() as session:
                    session.columns([(None, None, "nothing")])
                    opens.append(time.perf_counter() - started)
                    # The session stays open, and with it the database.
                    started = time.perf_counter()
                    deploy(workspace, arguments.folder, now=utc_now())
                    deploys.append(time.perf_counter() - started)

    deploys: list[float] = []
    opens: list[float] = []
    parses = [_seconds(parse) for _ in range(arguments.repeat)]
    for _ in range(arguments.repeat + 1):
        deploy_once()
    parsed, deployed, opened = statistics.median(parses), statistics.median(deploys[1:]), statistics.median(opens[1:])
    print(
        f"{len(files)} files: libyaml {1000 * parsed:.0f} ms, deploy {1000 * deployed:.0f} ms, ratio "
        f"{deployed / parsed:.2f}; "
        f"opening the warehouse {1000 * opened:.0f} ms"
    )


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
