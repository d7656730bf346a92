"""Compares what deriving an aggregate from another one with nearly as many rows as the facts costs, and the facts.

    python benchmarks/source_choice.py --scale 1                     the retail model, on DuckDB with one thread
    python benchmarks/source_choice.py --scale 1 --warehouse URL     the same in an empty database of PostgreSQL

A batch is built; then the smallest source and the facts of each aggregate make its table again, by turns. Told is the
least: processor seconds on DuckDB, seconds of the statement elsewhere. A star stands where a build takes the facts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from batch_build import Bench
from measured_warehouses import measured_warehouse

from airflow_atscale_aggs.engine.aggregates.build_step import SourceOption
from airflow_atscale_aggs.engine.lifecycle.build.attempt import choose_source
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_MADE_AGAIN = "bench_made_again"


@dataclass(frozen=True)
class Compared:
    """An aggregate and its smallest source, with the seconds of both sides."""

    name: str
    source: str
    source_rows: int
    derived: float
    from_facts: float
    takes_facts: bool


def compare(workspace: Workspace, instances: list[InstanceRecord], repeat: int) -> list[Compared]:
    """Each aggregate of a batch that can be derived."""
    by_id = {instance.id: instance for instance in instances}
    clock = time.process_time if workspace.warehouse.dialect.name == "duckdb" else time.perf_counter
    compared = []
    with workspace.warehouse.session() as session:
        for instance in instances:
            others, facts = instance.step.sources[:-1], instance.step.sources[-1]
            if not others:
                continue
            other = min(others, key=lambda option: by_id[option.instance_id or ""].rows or 0)
            source = by_id[other.instance_id or ""]
            sides = {option: _statement(instance, option, by_id) for option in (other, facts)}
            least = _least(session, sides, clock, repeat)
            takes_facts = choose_source(workspace, instance).option == facts
            rows = source.rows or 0
            compared.append(
                Compared(instance.step.aggregate, other.name, rows, least[other], least[facts], takes_facts)
            )
    return compared


def _statement(instance: InstanceRecord, option: SourceOption, by_id: Mapping[str, InstanceRecord]) -> str:
    source = by_id.get(option.instance_id or "")
    step = instance.step.of_attempt(instance.attempt)
    made = next(other for other in step.sources if other.instance_id == option.instance_id)
    return step.create_statement(made, source.attempt if source else None).replace(step.target_sql, _MADE_AGAIN)


def _least(
    session: WarehouseSession, sides: Mapping[SourceOption, str], clock: Callable[[], float], repeat: int
) -> Mapping[SourceOption, float]:
    seconds: dict[SourceOption, list[float]] = {option: [] for option in sides}
    for _ in range(repeat):
        for option, sql in sides.items():
            started = clock()
            session.execute(sql)
            seconds[option].append(clock() - started)
            session.execute(f"DROP TABLE {_MADE_AGAIN}")
    return {option: min(tries) for option, tries in seconds.items()}


def show(compared: list[Compared]) -> None:
    """Print a line for each, and the sums: always derived, and as a build chooses."""
    for each in sorted(compared, key=lambda other: -other.derived):
        mark = "*" if each.takes_facts else " "
        seconds = f"derived {each.derived:7.3f} s, from the facts {each.from_facts:7.3f} s"
        print(f"{mark} {each.name:36} {seconds}   `{each.source}`, {each.source_rows:,} rows")
    derived = sum(each.derived for each in compared)
    chosen = sum(each.from_facts if each.takes_facts else each.derived for each in compared)
    print(f"all derived {derived:.2f} s, as a build chooses {chosen:.2f} s")


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--warehouse", default="duckdb", metavar="duckdb|URL")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="aggs-bench-") as folder,
        measured_warehouse(arguments.warehouse, Path(folder)) as url,
    ):
        bench = Bench(Path(folder), model="retail", url=url)
        bench.make_retail(arguments.scale)
        bench.build("--full")
        with open_workspace(registry=bench.registry, warehouse=bench.warehouse) as workspace:
            batch = workspace.read.batches.find(limit=1)[0]
            instances = list(workspace.read.instances.find(batch_id=batch.id))
            show(compare(workspace, instances, arguments.repeat))


if __name__ == "__main__":
    main()
