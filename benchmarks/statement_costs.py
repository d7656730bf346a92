"""Tells where the time of a batch goes: how many statements of each kind it sends, and how long they take.

    python benchmarks/statement_costs.py --warehouse duckdb|sail|spark|URL --scale 1

The batch is that of the retail model, in this process. It is the second one, since the first finds the warehouse cold.
The seconds of a statement end when its rows are there. What the engine does by itself is the rest of the batch.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from batch_build import Bench
from measured_warehouses import measured_warehouse

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, process_owner

_KINDS = (
    ("CREATE TABLE, which are the bare statements", r"CREATE TABLE "),
    ("switch of views", r"(CREATE|ALTER|CREATE OR REPLACE|DROP) VIEW "),
    ("looks into the catalog", r"DESCRIBE |SHOW |.*(CURRENT_CATALOG|information_schema|duckdb_|pg_catalog)"),
    ("looks at what facts and dimensions hold", r".*(_metadata|XXHASH64|HASH\(|xmin)"),
    ("proofs of keys and hierarchies", r".*\bviolations\b"),
    ("counts of rows", r"SELECT COUNT\(\*\) FROM [^ ]+$"),
    ("totals of tables", r".* t1\b.*FROM [^ ]*\bas_agg_"),
    ("totals of facts", r".* t1\b"),
)
"""The first pattern that fits the beginning of a statement tells its kind."""


@dataclass
class Tally:
    """Statements and seconds by kind."""

    count: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timed(self, kind: str, *, statements: int = 1) -> Iterator[None]:
        """Count what the block does."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.count[kind] += statements
            self.seconds[kind] += time.perf_counter() - started


def kind_of(sql: str) -> str:
    """The kind of a statement.

    >>> kind_of('SELECT COUNT(*) FROM "as_agg_1"')
    'counts of rows'
    """
    text = re.sub(r'[\s"`]+', " ", sql).replace(" . ", ".").strip()
    return next((kind for kind, pattern in _KINDS if re.match(pattern, text, re.IGNORECASE)), "other statements")


class _Timed:
    """A connection or cursor of a driver that tells how long its statements take."""

    def __init__(self, own: Any, tally: Tally) -> None:
        self.__dict__.update(_own=own, _tally=tally, _kind="")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._own, name, value)

    def cursor(self) -> _Timed:
        return _Timed(self._own.cursor(), self._tally)

    def execute(self, sql: str) -> Any:
        self.__dict__["_kind"] = kind_of(sql)
        with self._tally.timed(self._kind):
            return self._own.execute(sql)

    def fetchall(self) -> Any:
        with self._tally.timed(self._kind, statements=0):
            return self._own.fetchall()


def measure(bench: Bench) -> tuple[Tally, float]:
    """What the statements of one batch cost, and the seconds of the whole batch."""
    tally = Tally()
    with open_workspace(registry=bench.registry, warehouse=bench.warehouse) as workspace:
        warehouse: Any = workspace.warehouse
        driver = warehouse._driver  # noqa: SLF001 - nobody but this benchmark counts statements
        warehouse._driver = replace(driver, connect=lambda: _Timed(driver.connect(), tally))  # noqa: SLF001
        started = time.perf_counter()
        run_batch(workspace, bench.model, owner=process_owner())
        return tally, time.perf_counter() - started


def report(tally: Tally, seconds: float) -> None:
    """Print it."""
    for kind in sorted(tally.count, key=lambda kind: -tally.seconds[kind]):
        print(f"{tally.count[kind]:5} {tally.seconds[kind]:8.2f} s  {kind}")
    print(f"{sum(tally.count.values()):5} {sum(tally.seconds.values()):8.2f} s  all statements")
    print(f"      {seconds:8.2f} s  the batch in its process")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--warehouse", default="duckdb", metavar="duckdb|sail|spark|URL")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="aggs-bench-") as folder,
        measured_warehouse(arguments.warehouse, Path(folder)) as url,
    ):
        bench = Bench(Path(folder), "retail", url)
        bench.make_retail(arguments.scale)
        bench.build()
        report(*measure(bench))


if __name__ == "__main__":
    main()
