"""Measures the lists of a registry, in process: how long a page takes, and how long recording queries takes.

    python benchmarks/registry_seed.py sqlite:////tmp/large.sqlite
    python benchmarks/registry_lists.py sqlite:////tmp/large.sqlite [--times 50]

The registry is one that `registry_seed.py` has filled, in SQLite or PostgreSQL. Each line shows the median, the 95th
percentile and the shortest time in milliseconds. The processor's time of this process stands in brackets: with SQLite,
which runs in it, all of it. Other work on the machine does not change it much. Queries are recorded at the end.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.registry.batch_lists import BatchFilter
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter, DefinitionSort
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter, InstanceSort
from airflow_atscale_aggs.engine.registry.listings import QueryOutcome
from airflow_atscale_aggs.engine.registry.query_lists import QueryFilter
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry

_RECORDED_AT_ONCE = 50

Case = tuple[str, Callable[[], object]]


def _definition_cases(registry: Registry, models: list[str]) -> Iterator[Case]:
    lists = registry.read.lists.definitions
    for sort in DefinitionSort:
        yield f"definitions by {sort}", partial(lists.page, sort=sort, descending=True)
    yield "definitions, 200", lambda: lists.page(limit=200)
    cursor = None
    for _ in range(5):
        cursor = lists.page(sort=DefinitionSort.USES, descending=True, limit=1000, cursor=cursor).next_cursor
    yield "definitions by uses, page 100", lambda: lists.page(sort=DefinitionSort.USES, descending=True, cursor=cursor)
    failed = DefinitionFilter(model_ids=models[:2], shown_statuses=[ShownStatus.FAILED])
    yield "definitions that failed", lambda: lists.page(failed, sort=DefinitionSort.LAST_USED)
    yield "definitions by a name that none has", lambda: lists.page(DefinitionFilter(name_contains="zzz"))
    yield "definitions, counted", lambda: lists.count_by_status(DefinitionFilter(model_ids=models))


def _instance_cases(registry: Registry, models: list[str]) -> Iterator[Case]:
    lists = registry.read.lists.instances
    for sort in InstanceSort:
        yield f"instances by {sort}", partial(lists.page, sort=sort)
    for status in (InstanceStatus.FAILED, InstanceStatus.NEW, InstanceStatus.DELETED):
        which = InstanceFilter(model_ids=models, statuses=[status])
        yield f"instances that are {status}", partial(lists.page, which, sort=InstanceSort.ROWS)
    none = InstanceFilter(model_ids=models, table_contains="zzz")
    yield "instances by a table that none has", lambda: lists.page(none)
    newest = registry.read.lists.batches.page(limit=1).rows[0].batch.id
    yield (
        "instances of a large batch, 200",
        lambda: lists.page(InstanceFilter(batch_id=newest), sort=InstanceSort.ROWS, limit=200),
    )
    yield "instances, counted", lambda: lists.count(InstanceFilter(model_ids=models))


def _batch_cases(registry: Registry, models: list[str]) -> Iterator[Case]:
    lists = registry.read.lists.batches
    yield "batches, 200", lambda: lists.page(BatchFilter(model_ids=models[:1]), limit=200)
    yield "batches that failed", lambda: lists.page(BatchFilter(model_ids=models, statuses=[BatchStatus.FAILED]))
    yield "usual durations of batches", lambda: lists.usual_durations(models)
    yield "attention", lambda: registry.read.lists.attention.find(models, now=datetime.now(UTC))


def _query_cases(registry: Registry, models: list[str]) -> Iterator[Case]:
    lists, now = registry.read.lists.queries, datetime.now(UTC)
    used = registry.read.lists.definitions.page(sort=DefinitionSort.USES, descending=True, limit=1).rows[0].id
    cases = {
        "queries": QueryFilter(),
        "queries that missed": QueryFilter(model_ids=models, outcomes=[QueryOutcome.MISS]),
        "queries that fell back": QueryFilter(model_ids=models, outcomes=[QueryOutcome.FALLBACK]),
        "queries of a user": QueryFilter(model_ids=models, user="user7@example.org"),
        "queries of nobody": QueryFilter(model_ids=models, user="nobody"),
        "queries of a definition": QueryFilter(model_ids=models, definition_id=used),
        "queries by a text that none has": QueryFilter(model_ids=models, shape_contains="zzz"),
        "queries of a month ago": QueryFilter(model_ids=models, asked_before=now - timedelta(days=30)),
    }
    for name, which in cases.items():
        yield name, partial(lists.page, which)
    yield "queries, counted", lambda: lists.count(QueryFilter(model_ids=models))
    yield "figures of 30 days", lambda: lists.days(models, since=(now - timedelta(days=30)).date())


def _recording_case(registry: Registry) -> Case:
    rows = registry.read.lists.queries.page(limit=_RECORDED_AT_ONCE).rows
    now = datetime.now(UTC)
    records = [replace(row.query, asked_at=now) for row in rows]
    old = now - timedelta(days=365)
    return f"record {len(records)} queries", lambda: registry.queries.record(records, forget_before=old)


def cases_of_lists(registry: Registry) -> Iterator[Case]:
    """All lists over all models, each with what asks for one page of it."""
    models = [model.id for model in registry.read.models.current()]
    for cases in (_definition_cases, _instance_cases, _batch_cases, _query_cases):
        yield from cases(registry, models)


def measure(name: str, run: Callable[[], object], times: int) -> None:
    """Print how long something takes."""
    run()
    seconds, cpu = [], []
    for _ in range(times):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        run()
        seconds.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - begun_cpu) * 1000)
    seconds.sort()
    late = seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))]
    print(f"{name:40} {statistics.median(seconds):8.1f} {late:8.1f} {seconds[0]:8.1f} ({statistics.median(cpu):.1f})")


def main() -> None:
    """Measure the registry that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--times", type=int, default=50)
    options = parser.parse_args()
    registry = open_registry(options.url)
    print(f"{'':40} {'median':>8} {'p95':>8} {'min':>8} (processor)")
    for name, run in cases_of_lists(registry):
        measure(name, run, options.times)
    measure(*_recording_case(registry), options.times)
    registry.close()


if __name__ == "__main__":
    main()
