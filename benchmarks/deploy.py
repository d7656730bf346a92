"""Compares deploying a model with parsing its YAML with libyaml.

    python benchmarks/deploy.py [FOLDER]       default: the retail model of the examples

Both sides in one process, median of the repeats. Goal for a model of 155 files: at most 2. Opening the warehouse, which
is asked for the types of join columns, is printed separately: it is not the engine's work, and DuckDB takes as long for
an empty file.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from airflow_atscale_aggs.cli.main import OBJECTS_BETWEEN_COLLECTIONS
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now


def main() -> None:
    """Measure and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    retail = Path(__file__).parents[1] / "dags" / "models" / "retail"
    parser.add_argument("folder", nargs="?", type=Path, default=retail)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # as the command line does; it holds for both sides
    files, parsed, deployed, opened = measure(arguments.folder, arguments.repeat, time.perf_counter)
    print(
        f"{files} files: libyaml {1000 * parsed:.0f} ms, deploy {1000 * deployed:.0f} ms, ratio "
        f"{deployed / parsed:.2f}; "
        f"opening the warehouse {1000 * opened:.0f} ms"
    )


def measure(folder: Path, repeat: int, clock: Callable[[], float]) -> tuple[int, float, float, float]:
    """The number of files, and medians in seconds: libyaml's parsing, deploying, opening the warehouse."""
    files = sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml")))

    def parse() -> None:
        for file in files:
            yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)

    def deploy_once() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            registry = f"sqlite:///{scratch}/registry.sqlite"
            with open_workspace(registry=registry, warehouse="duckdb:///:memory:") as workspace:
                started = clock()
                with workspace.warehouse.session() as session:
                    session.columns([(None, None, "nothing")])
                    opens.append(clock() - started)
                    # The session stays open, and with it the database.
                    started = clock()
                    deploy(workspace, folder, now=utc_now())
                    deploys.append(clock() - started)

    deploys: list[float] = []
    opens: list[float] = []
    parses = []
    deploy_once()
    for _ in range(repeat):
        started = clock()
        parse()
        parses.append(clock() - started)
        deploy_once()
    return len(files), statistics.median(parses), statistics.median(deploys[1:]), statistics.median(opens[1:])


if __name__ == "__main__":
    main()
