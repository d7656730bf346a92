"""How seconds, memory and spilled bytes grow when the data is ten times as large, on DuckDB with bounded memory.

    python benchmarks/scale.py ssb --scales 1 10            6 and 60 million order lines, 13 queries
    python benchmarks/scale.py tpcds --scales 1 10          the retail model of the examples, its query cases
    python benchmarks/scale.py ssb --memory 4GiB --threads 2

Each verb is a process of its own, so that its memory is its own. Told are, for each scale: seconds, the greatest
resident memory and the most bytes in DuckDB's folder for spilled rows while `build`, `build --incremental` and `verify`
ran; what `plan` had said of rows and bytes beside what was built; and queries on aggregates against the same on facts,
each the best of three, with equal answers, beside what DuckDB takes to plan them before it reads a row. At the end
stands by how much each grew, against the data, and the build by fact and by aggregate, against the rows of the fact.

Goals: a build and an increment grow no faster than the data; queries on aggregates do not grow; a batch stays within
the memory that it was given and a gibibyte for the process.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from answering import ROOT, RUNS, Answered, answers
from measured_warehouses import load_retail
from ssb import QUERIES, create_ssb, write_ssb_model
from star import let_fact_grow

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace

_SSB_ROWS = 6_000_000
_CLI = [sys.executable, "-m", "airflow_atscale_aggs.cli.main"]
_MIB = 1 << 20
_NEW_SHARE = 0.001
"""Rows that are new to an increment, as a share of the fact."""
_RETAIL_FACTS = {
    "store_sales": "ss_ticket_number",
    "catalog_sales": "cs_order_number",
    "web_sales": "ws_order_number",
    "inventory": "inv_date_sk",
}
"""Facts of the retail model, each with the column by which it grows, which has no NULLs."""


@dataclass(frozen=True)
class Ran:
    """What a process took: seconds, and at the most bytes of memory and of spilled rows."""

    seconds: float
    memory: int
    spilled: int

    def __str__(self) -> str:
        return f"{self.seconds:8.2f} s  {self.memory / _MIB:7.0f} MiB  {self.spilled / _MIB:7.0f} MiB"


@dataclass(frozen=True)
class Built:
    """An aggregate of a full batch. ``seconds`` are those of its task, comparison included."""

    seconds: float
    rows: int


@dataclass
class Measured:
    """What was measured at one scale: rows by fact, seconds by what was done and by aggregate and fact, queries."""

    facts: Mapping[str, int]
    ran: dict[str, Ran] = field(default_factory=dict)
    built: dict[tuple[str, str], Built] = field(default_factory=dict)
    queries: list[Answered] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows of all facts."""
        return sum(self.facts.values())


@dataclass(frozen=True)
class Place:
    """A folder with a DuckDB file, a registry and a model, and how the file is opened."""

    folder: Path
    memory: str
    threads: int

    @property
    def file(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def warehouse(self) -> str:
        """Its URL, with bounds."""
        return f"duckdb:///{self.file}?threads={self.threads}&memory_limit={self.memory}&temp_directory={self._spill_folder}"

    @property
    def registry(self) -> str:
        """The URL of the registry."""
        return f"sqlite:///{self.folder / 'registry.sqlite'}"

    @property
    def _spill_folder(self) -> Path:
        return self.folder / "spilled"

    def run(self, *arguments: str) -> tuple[Ran, str]:
        """Run a verb; what it took, and what it printed."""
        printed = self.folder / "printed.txt"
        command = [*_CLI, "--registry", self.registry, "--warehouse", self.warehouse, *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPATH"] = str(ROOT)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        told = self.folder / "told.txt"
        files = [(os.POSIX_SPAWN_OPEN, number, str(file), flags, 0o644) for number, file in ((1, printed), (2, told))]
        with _watched(self._spill_folder) as most:
            started = time.perf_counter()
            process = os.posix_spawn(command[0], command, environment, file_actions=files)
            _, status, used = os.wait4(process, 0)
            seconds = time.perf_counter() - started
        if status:
            sys.exit(f"{' '.join(command)} failed:\n{told.read_text(encoding='utf-8')}")
        return Ran(seconds, used.ru_maxrss * 1024, most[0]), printed.read_text(encoding="utf-8")


@contextlib.contextmanager
def _watched(folder: Path) -> Iterator[list[int]]:
    """The most bytes that files of a folder take while the block runs, looked at ten times a second."""
    most, is_over = [0], threading.Event()

    def look() -> None:
        while not is_over.wait(0.1):
            with contextlib.suppress(FileNotFoundError):
                most[0] = max(most[0], sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        is_over.set()
        watcher.join()


def _make_ssb(place: Place, scale: str) -> tuple[str, Mapping[str, int], Mapping[str, str]]:
    """The star, with a model whose facts grow by order key: name of the model, rows by fact, queries."""
    rows = int(_SSB_ROWS * float(scale))
    with contextlib.closing(duckdb.connect(str(place.file))) as connection:
        create_ssb(connection, rows)
    let_fact_grow(write_ssb_model(place.folder / "model"), "lineorder", column="lo_orderkey", grace_period="1000")
    return "ssb_model", {"lineorder": rows}, QUERIES


def _make_retail(place: Place, scale: str) -> tuple[str, Mapping[str, int], Mapping[str, str]]:
    """TPC-DS data for the retail model of the examples."""
    from tests.support.oracles.query_cases import QueryCase
    from tests.support.stars.retail_model import MODEL_FOLDER

    load_retail(place.warehouse, scale, place.folder)
    shutil.copytree(MODEL_FOLDER, place.folder / "model")
    for file in (place.folder / "model" / "datasets").glob("*.yml"):
        text, column = file.read_text(encoding="utf-8"), _RETAIL_FACTS.get(file.stem)
        if column:
            text += f"incremental:\n  column: {column}\n  grace_period: 1000\n"
        elif "immutable:" not in text:
            text += "immutable: true\n"
        file.write_text(text, encoding="utf-8")
    with contextlib.closing(duckdb.connect(str(place.file))) as connection:
        counts = {
            fact: connection.execute(f"SELECT count(*) FROM retail.{fact}").fetchall()[0][0] for fact in _RETAIL_FACTS
        }
    cases = {case.name: case.query for case in QueryCase.read("retail") if case.source not in {"any", "facts"}}
    return "retail", counts, cases


def measure(what: str, scale: str, place: Place) -> Measured:
    """Everything at one scale; prints as it goes."""
    model, facts, queries = (_make_ssb if what == "ssb" else _make_retail)(place, scale)
    measured = Measured(facts)
    print(
        f"{what} at scale {scale}: {measured.rows:,} fact rows, {place.memory} for DuckDB, {place.threads} threads",
        flush=True,
    )
    print(f"  {'':22} {'seconds':>10}  {'memory':>11}  {'spilled':>11}")
    place.run("deploy", str(place.folder / "model"))
    _, planned = place.run("plan", model, "--json")
    _show(measured, "build", place.run("build", model)[0])
    measured.built = _compare_with_plan(place, json.loads(planned))
    _show(measured, "verify", place.run("verify", model)[0])
    (_grow_ssb if what == "ssb" else _grow_retail)(place)
    _show(measured, "build --incremental", place.run("build", model, "--incremental")[0])
    with open_workspace(registry=place.registry, warehouse=place.warehouse) as workspace:
        measured.queries = answers(workspace, queries)
    _show_queries(measured.queries)
    _show_planning(place, measured.queries)
    return measured


def _show(measured: Measured, what: str, ran: Ran) -> None:
    measured.ran[what] = ran
    print(f"  {what:22} {ran}", flush=True)


def _grow_ssb(place: Place) -> None:
    """Add new order lines, later than all others."""
    _add_rows(place, "lineorder", "lo_orderkey", _NEW_SHARE)


def _grow_retail(place: Place) -> None:
    """Add new rows to each fact; of stocks, which are counted by the week, the last week's, counted again later."""
    for fact, column in _RETAIL_FACTS.items():
        _add_rows(place, f"retail.{fact}", column, _NEW_SHARE)


def _add_rows(place: Place, fact: str, column: str, share: float) -> None:
    """Add the last rows of a fact again, as later ones."""
    with contextlib.closing(duckdb.connect(str(place.file))) as connection:
        first, last, kind = connection.execute(
            f"SELECT min({column}), max({column}), any_value(typeof({column})) FROM {fact}"
        ).fetchall()[0]
        new = max(1, int((last - first + 1) * share))
        connection.execute(
            f"INSERT INTO {fact} SELECT * REPLACE (({column} + {new})::{kind} AS {column}) FROM {fact} "
            f"WHERE {column} > {last - new}"
        )


def _compare_with_plan(place: Place, planned: dict[str, Any]) -> dict[tuple[str, str], Built]:
    """What `plan` said beside what was built: rows of all aggregates, and bytes of their tables. What was built."""
    with open_workspace(registry=place.registry, warehouse=place.warehouse) as workspace:
        batch = workspace.read.batches.find(limit=1)[0]
        instances = workspace.read.instances.find(batch_id=batch.id)
    rows = sum(instance.rows or 0 for instance in instances)
    with contextlib.closing(duckdb.connect(str(place.file), read_only=True)) as connection:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'as_agg_%'"
        ).fetchall()
        blocks = [
            connection.execute(f"SELECT count(DISTINCT block_id) FROM pragma_storage_info('{name}')").fetchall()[0][0]
            for (name,) in tables
        ]
        ((block_size,),) = connection.execute("SELECT block_size FROM pragma_database_size() LIMIT 1").fetchall()
    cost, size = planned["cost"], sum(blocks) * block_size
    said_rows, said_bytes = cost["rows_written"], cost["bytes_written"]
    print(f"  rows of aggregates: {rows:,}, plan said {said_rows:,} ({said_rows / rows:.2f})")
    print(f"  bytes of aggregates: {size:,}, plan said {said_bytes:,} ({said_bytes / size:.2f})")
    return {
        (instance.step.aggregate, instance.step.fact): Built(instance.seconds or 0.0, instance.rows or 0)
        for instance in instances
    }


def _show_queries(queries: list[Answered]) -> None:
    hits = [query for query in queries if query.is_hit]
    wrong = [query.name for query in queries if not query.is_same]
    mean = statistics.geometric_mean([query.facts / query.aggregates for query in hits])
    seconds = sum(query.aggregates for query in hits)
    print(f"  queries: hits {len(hits)} of {len(queries)}, geometric mean {mean:.1f}x, together {seconds * 1e3:.0f} ms")
    for query in sorted(hits, key=lambda query: query.facts / query.aggregates):
        print(
            f"    {query.name[:34]:34} {query.facts * 1e3:9.1f} ms {query.aggregates * 1e3:9.1f} ms "
            f"{query.facts / query.aggregates:7.1f}x  {query.source}"
        )
    if wrong:
        sys.exit(f"answers differ: {', '.join(wrong)}")


def _show_planning(place: Place, queries: list[Answered]) -> None:
    """How fast the queries on aggregates were if DuckDB planned them and no row had to be read: its bound."""
    hits = [query for query in queries if query.is_hit]
    with contextlib.closing(duckdb.connect(str(place.file), config={"threads": place.threads})) as connection:
        planned = [_planning_seconds(connection, query.sql) for query in hits]
    mean = statistics.geometric_mean([query.facts / seconds for query, seconds in zip(hits, planned, strict=True)])
    print(f"  planning them alone takes {sum(planned) * 1e3:.0f} ms of that, and {mean:.1f}x would be the mean of it")


def _planning_seconds(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    """The least seconds that DuckDB takes to read, bind and optimize a query."""
    seconds = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        connection.execute(f"PREPARE planned AS {sql}")
        seconds.append(time.perf_counter() - begun)
        connection.execute("DEALLOCATE planned")
    return min(seconds)


def _show_growth(less: Measured, more: Measured) -> None:
    """By how much everything grew from one scale to the next."""
    print(f"data {more.rows / less.rows:.1f}x")
    for what, ran in more.ran.items():
        before = less.ran[what]
        print(f"  {what:22} {ran.seconds / before.seconds:5.1f}x seconds, {ran.memory / before.memory:5.1f}x memory")
    before_by_name = {query.name: query for query in less.queries}
    for side in ("aggregates", "facts"):
        grown = [
            getattr(query, side) / getattr(before_by_name[query.name], side) for query in more.queries if query.is_hit
        ]
        print(f"  queries on {side:11} {statistics.geometric_mean(grown):5.1f}x seconds")
    print(*growth_of_build(less, more), sep="\n")


def growth_of_build(less: Measured, more: Measured) -> Iterator[str]:
    """By how much each fact grew, and the seconds of its aggregates; then each aggregate, the longest first.

    Aggregates are paired by name and fact, so those of one side alone are left out.
    """
    built = {key: (less.built[key], more.built[key]) for key in more.built if key in less.built}
    for fact, rows in more.facts.items():
        pairs = [pair for key, pair in built.items() if key[1] == fact]
        before, after = (sum(side.seconds for side in sides) for sides in zip(*pairs, strict=True))
        yield (
            f"  {fact}: {rows / less.facts[fact]:.1f}x rows, {after / before:.1f}x seconds of {len(pairs)} aggregates, "
            f"{before:.1f} to {after:.1f} s"
        )
    for (name, _), (smaller, larger) in sorted(built.items(), key=lambda item: -item[1][1].seconds):
        yield (
            f"    {name[:34]:34} {larger.rows / max(smaller.rows, 1):5.1f}x rows {smaller.seconds:7.2f} to "
            f"{larger.seconds:7.2f} s {larger.seconds / smaller.seconds:6.1f}x"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ssb", "tpcds"])
    parser.add_argument("--scales", nargs="+", default=["1", "10"])
    parser.add_argument("--memory", default="6GiB", help="what DuckDB may take; the process takes some more")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the data goes; the default is the system's temporary folder")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    measured: list[Measured] = []
    for scale in arguments.scales:
        with tempfile.TemporaryDirectory(prefix="aggs-scale-", dir=arguments.folder) as name:
            measured.append(measure(arguments.what, scale, Place(Path(name), arguments.memory, arguments.threads)))
    for less, more in itertools.pairwise(measured):
        _show_growth(less, more)


if __name__ == "__main__":
    main()
