"""Measures the time to plan a query against sqlglot's own parse + qualify + generate of the same query.

    python benchmarks/routing.py rewrite --counts 10 100 1000 10000     active aggregates, none of them real
    python benchmarks/routing.py answer --rows 3000000                  queries on facts and on aggregates, DuckDB
    python benchmarks/routing.py load --aggregates 500                  plans per second, waits beside a batch, memory
    python benchmarks/routing.py switch --aggregates 10000              waits while a batch of them goes live

`rewrite` uses random aggregates: random grains of the benchmark star, registered nowhere. Both sides take turns on one
machine; read the ratios, not the milliseconds.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import sqlglot
from sqlglot.optimizer.qualify import qualify
from star import LATTICE, LEVELS, create_star, write_model

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance

MODEL = "bench.bench_model"
REPEATS = 40

Clock = Callable[[], float]
"""Seconds."""

QUERIES = (
    'SELECT "Year", "Amount" FROM {m}',
    'SELECT "Month", "Region", "Amount", "Quantity" FROM {m} ORDER BY 1, 3 DESC LIMIT 10',
    'SELECT "Category", "Amount" FROM {m} WHERE "Year" = \'2024\' AND "Region" IN (\'Region 1\', \'Region 2\')',
    'SELECT "Store", "Month", "Amount" FROM {m} WHERE "Category" = \'Category 3\' OR "Category" = \'Category 4\'',
    'SELECT "City", SUM("Quantity") AS units FROM {m} GROUP BY 1 HAVING SUM("Quantity") > 100 ORDER BY units DESC',
    'SELECT "Segment", "Quarter", "Amount" FROM {m} WHERE "City" LIKE \'City 1%\' GROUP BY 1, 2',
    'SELECT "Channel", "Promotion", "Amount" FROM {m} WHERE "Month" BETWEEN \'2024-01\' AND \'2024-06\'',
    'SELECT "Region", COUNT(*), "Amount" FROM {m} WHERE NOT ("Channel" = \'Channel 1\' AND "Year" = \'2023\')',
    'SELECT t.r, MAX(t.v) AS best FROM (SELECT "Region" AS r, "City" AS c, "Amount" AS v FROM {m}) t GROUP BY t.r',
    'SELECT "Brand", "Amount" FROM {m} WHERE "Quarter" = \'2024-Q1\' ORDER BY 2 DESC LIMIT 20',
)


@contextlib.contextmanager
def star_workspace(rows: int, grains: Iterable[tuple[str, ...]]) -> Iterator[Workspace]:
    """The star in a DuckDB file, its model deployed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with contextlib.closing(duckdb.connect(str(folder / "w.duckdb"))) as connection:
            create_star(connection, rows)
        write_model(folder / "model", tuple(grains))
        registry, warehouse = f"sqlite:///{folder / 'r.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}?threads=1"
        with open_workspace(registry=registry, warehouse=warehouse) as workspace:
            deploy(workspace, folder / "model", now=datetime.now(UTC))
            yield workspace


@contextlib.contextmanager
def router_of_star() -> Iterator[QueryRouter]:
    """A router over the star with the aggregates of the lattice."""
    with star_workspace(2000, LATTICE) as workspace:
        run_batch(workspace, "bench_model", owner=process_owner())
        router = QueryRouter(workspace)
        router.plan(QUERIES[0].format(m=MODEL))
        yield router


def put_random_instances(router: QueryRouter, count: int) -> None:
    """Let a router find random aggregates in place of those that it has."""
    (key,) = router._models._snapshots  # noqa: SLF001 - made-up aggregates are registered nowhere
    snapshot = router._models._snapshots[key]  # noqa: SLF001
    router._models._snapshots[key] = replace(snapshot, index=InstanceIndex(random_instances(snapshot, count)))  # noqa: SLF001


def random_instances(snapshot: ModelSnapshot, count: int) -> list[ServingInstance]:
    """Aggregates with random grains: one level of some dimensions each, all measures of the fact."""
    draw = random.Random(7)
    (fact,) = {metric.dataset for metric in snapshot.model.metrics.values()}
    reached = {bound.attribute.query_name: bound for bound in snapshot.paths.attributes_of(fact).values()}
    measures = {row_count(fact)}
    for record in snapshot.index.instances:
        measures |= set(record.part.measures)
    instances = []
    for number in range(count):
        chosen = draw.sample(sorted(LEVELS), draw.randint(1, 5))
        levels = [draw.choice(LEVELS[dimension]) for dimension in chosen]
        part = FactPart(
            fact=fact, attributes=tuple(reached[level] for level in levels), measures=tuple(sorted(measures))
        )
        instances.append(
            ServingInstance(
                id=f"{number}",
                definition_id=f"{number}",
                aggregate=f"a{number}",
                part=part,
                rows=draw.randint(100, 10_000_000),
                table=f"t{number}",
            )
        )
    return instances


def floor_ms(sql: str, clock: Clock) -> float:
    """Milliseconds of sqlglot's own work on a query."""
    begun = clock()
    tree = qualify(sqlglot.parse_one(sql, read="postgres"), dialect="postgres", validate_qualify_columns=False)
    tree.sql(dialect="duckdb", identify=True)
    return (clock() - begun) * 1000


def plan_ms(router: QueryRouter, clock: Clock, *, fresh: bool) -> tuple[list[float], list[float], float]:
    """Milliseconds of sqlglot's own work and of planning, turn by turn, and the share answered from aggregates."""
    floors, times, hits = [], [], []
    for query in QUERIES:
        router.plan(query.format(m=MODEL))
    # The garbage of making random aggregates is not part of planning.
    gc.collect()
    for turn in range(REPEATS):
        floors += [floor_ms(query.format(m=MODEL), clock) for query in QUERIES]
        for query in QUERIES:
            sql = query.format(m=MODEL)
            if not fresh:
                sql = sql.replace("2024", f"{1900 + turn}")
            else:
                router.forget_plans()
            begun = clock()
            plan = router.plan(sql)
            times.append((clock() - begun) * 1000)
            hits.append(plan.uses_aggregates)
    return floors, times, sum(hits) / len(hits)


def p99(times: list[float]) -> float:
    """The time that 99 of 100 do not exceed."""
    return sorted(times)[int(len(times) * 0.99)]


def rewrite(counts: list[int], clock: Clock) -> None:
    """Planning time by number of active aggregates."""
    with router_of_star() as router:
        for count in counts:
            put_random_instances(router, count)
            for fresh in (True, False):
                floors, times, hits = plan_ms(router, clock, fresh=fresh)
                mean, floor = statistics.mean(times), statistics.mean(floors)
                print(
                    f"{count:>6} aggregates, {'no cache' if fresh else 'cached shape':12}: "
                    f"mean {mean:.3f} ms, sqlglot {floor:.3f} ms ({mean / floor:.2f}x); "
                    f"p99 {p99(times):.3f} ms, sqlglot {p99(floors):.3f} ms; hits {hits:.0%}"
                )


def answer(rows: int) -> None:
    """Seconds of each query on the facts and on aggregates."""
    with star_workspace(rows, LATTICE) as workspace:
        run_batch(workspace, "bench_model", owner=process_owner())
        router = QueryRouter(workspace)
        ratios = []
        for query in QUERIES:
            sql = query.format(m=MODEL)
            took = {}
            for use in (False, True):
                plan = router.plan(sql, use_aggregates=use)
                runs = []
                for _ in range(3):
                    begun = time.perf_counter()
                    with workspace.warehouse.session() as session:
                        session.fetch_all(plan.sql)
                    runs.append(time.perf_counter() - begun)
                took[use] = min(runs)
            source = ", ".join(source_part.aggregate or "facts" for source_part in plan.sources)
            ratios.append(took[False] / took[True])
            print(
                f"{took[False] * 1000:9.1f} ms {took[True] * 1000:9.1f} ms {ratios[-1]:8.1f}x  {source:30} {sql[:90]}"
            )
        print(f"geometric mean {statistics.geometric_mean(ratios):.1f}x")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    rewriting = verbs.add_parser("rewrite")
    rewriting.add_argument("--counts", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    rewriting.add_argument(
        "--cpu", action="store_true", help="processor time, not wall time: on a machine that others use"
    )
    verbs.add_parser("answer").add_argument("--rows", type=int, default=3_000_000)
    loading = verbs.add_parser("load")
    loading.add_argument("--aggregates", type=int, default=500, help="built by a batch, each of another grain")
    loading.add_argument("--seconds", type=float, default=5, help="for each figure")
    switching = verbs.add_parser("switch")
    switching.add_argument("--aggregates", type=int, default=10_000, help="that serve, and that the new batch has")
    switching.add_argument("--seconds", type=float, default=5, help="without the switch, to compare with")
    arguments = parser.parse_args()
    if arguments.verb == "switch":
        from routing_switch import switch

        switch(arguments.aggregates, arguments.seconds)
    elif arguments.verb == "load":
        from routing_load import load

        load(arguments.aggregates, arguments.seconds)
    elif arguments.verb == "rewrite":
        rewrite(arguments.counts, time.process_time if arguments.cpu else time.perf_counter)
    else:
        answer(arguments.rows)


if __name__ == "__main__":
    main()
