"""The router under load: plans per second of one process and of two, waits while a batch runs, memory of plans.

Run by `python benchmarks/routing.py load`. Everything is real: a star in a DuckDB file with as many aggregates as are
asked for, built by a batch. Two processes read the file and the registry at a time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import combinations, count
from pathlib import Path

import duckdb
from batch_build import distinct_grains
from routing import MODEL, QUERIES, p99
from star import create_star, write_model

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner

_ROWS = 12_000
_SHAPES = 1000
_PLAIN = (
    "SELECT category, SUM(amount) FROM sales f JOIN product p USING (sku_id) WHERE category <> '2024' GROUP BY 1",
    "SELECT region, SUM(amount) FROM sales f JOIN store s USING (store_id) WHERE region <> '2024' GROUP BY 1",
)


def _plan_known(router: QueryRouter, turn: int) -> None:
    """Queries whose shape was planned, with other values."""
    for query in QUERIES:
        router.plan(query.format(m=MODEL).replace("2024", f"{1900 + turn}"))


def _plan_new(router: QueryRouter, _turn: int) -> None:
    """Queries whose shape is new each time."""
    for query in QUERIES:
        router.forget_plans()
        router.plan(query.format(m=MODEL))


def _plan_plain(router: QueryRouter, turn: int) -> None:
    """Plain SQL on the star, with other values."""
    for _ in range(len(QUERIES) // len(_PLAIN)):
        for query in _PLAIN:
            router.plan(query.replace("2024", f"{1900 + turn}"))


def _explain(router: QueryRouter, _turn: int) -> None:
    """Explanations, which say of other aggregates why they do not answer."""
    for query in QUERIES:
        router.explain(query.format(m=MODEL), estimate=False)


KINDS: dict[str, Callable[[QueryRouter, int], None]] = {
    "known shape": _plan_known,
    "new shape": _plan_new,
    "plain SQL": _plan_plain,
    "explain": _explain,
}
"""Each plans as many queries as there are in `QUERIES`."""


def load(aggregates: int, seconds: float) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="aggs-bench-") as name:
        folder = Path(name)
        built = _make(folder, aggregates)
        print(f"{built} aggregates; plans per second of one process, of two, and how many times as many:")
        for kind in KINDS:
            one, two = (_rate(folder, kind, number, seconds) for number in (1, 2))
            print(f"  {kind:12} {one:9.0f} {two:9.0f} {two / one:6.2f}x", flush=True)
        with _open(folder) as workspace:
            quiet, busy, stretch = _waits(workspace, seconds)
            print(
                f"known shapes, ms: 99th percentile {quiet[0]:.2f}, longest {quiet[1]:.1f}; while a batch of all "
                f"aggregates builds and activates in this process ({stretch:.1f} s): {busy[0]:.2f}, {busy[1]:.1f}"
            )
            print(f"memory of {_SHAPES} plans of different shapes: {_memory(workspace) / 1e6:.1f} MB")


def _make(folder: Path, aggregates: int) -> int:
    """Build the aggregates; how many there are."""
    with contextlib.closing(duckdb.connect(str(folder / "w.duckdb"))) as connection:
        create_star(connection, _ROWS)
    write_model(folder / "model", distinct_grains(aggregates))
    with _open(folder) as workspace:
        deploy(workspace, folder / "model", now=datetime.now(UTC))
        return len(run_batch(workspace, "bench_model", owner=process_owner()).instances)


@contextlib.contextmanager
def _open(folder: Path, options: str = "") -> Iterator[Workspace]:
    warehouse = f"duckdb:///{folder / 'w.duckdb'}?threads=1{options}"
    with open_workspace(registry=f"sqlite:///{folder / 'r.sqlite'}", warehouse=warehouse) as workspace:
        yield workspace


def _rate(folder: Path, kind: str, processes: int, seconds: float) -> float:
    """Plans per second of all processes together. They begin at one moment, each with a router that is warm."""
    context = multiprocessing.get_context("spawn")
    begin = time.time() + 5
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        rates = [pool.submit(_plan_for, folder, kind, begin, seconds) for _ in range(processes)]
        return sum(rate.result() for rate in rates)


def _plan_for(folder: Path, kind: str, begin: float, seconds: float) -> float:
    """Plan for some seconds from a moment on; plans per second."""
    with _open(folder, "&access_mode=read_only") as workspace, QueryRouter(workspace) as router:
        KINDS[kind](router, 0)
        time.sleep(max(0.0, begin - time.time()))
        started, planned = time.perf_counter(), 0
        for turn in count():
            KINDS[kind](router, turn)
            planned += len(QUERIES)
            took = time.perf_counter() - started
            if took >= seconds:
                return planned / took
    raise AssertionError


def _waits(workspace: Workspace, seconds: float) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Milliseconds of the 99th percentile and of the longest plan: alone, and beside a batch; the batch's seconds."""
    with QueryRouter(workspace) as router:
        _plan_known(router, 0)
        until = time.perf_counter() + seconds
        alone = _times(router, lambda: time.perf_counter() < until)
        batch = threading.Thread(target=run_batch, args=(workspace, "bench_model"), kwargs={"owner": process_owner()})
        started = time.perf_counter()
        batch.start()
        beside = _times(router, batch.is_alive)
        stretch = time.perf_counter() - started
        # The batch is active now: whoever asks next reads which aggregates there are.
        beside += _times(router, iter([True, False]).__next__)
    return (p99(alone), max(alone)), (p99(beside), max(beside)), stretch


def _times(router: QueryRouter, is_going_on: Callable[[], bool]) -> list[float]:
    times = []
    while is_going_on():
        for query in QUERIES:
            begun = time.perf_counter()
            router.plan(query.format(m=MODEL))
            times.append((time.perf_counter() - begun) * 1000)
    return times


def _memory(workspace: Workspace) -> int:
    """Bytes that a router keeps for a thousand plans, each of another shape."""
    levels = ("Year", "Quarter", "Month", "Category", "Brand", "Region", "City", "Segment", "Promotion", "Channel")
    chosen = [pair for size in (1, 2, 3, 4, 5, 6) for pair in combinations(levels, size)]
    pairs = [(grain, metric) for grain in chosen for metric in ("Amount", "Quantity")][:_SHAPES]
    with QueryRouter(workspace) as router:
        _plan_known(router, 0)
        router.forget_plans()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for grain, metric in pairs:
            router.plan("SELECT " + ", ".join(f'"{name}"' for name in (*grain, metric)) + f" FROM {MODEL}")
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return after - before
