"""Measures what batches and pages ask of a registry that remembers a year of 100 models, beside a nearly empty one.

    python benchmarks/registry.py                          on PostgreSQL, from the tests' wheel, and on SQLite
    python benchmarks/registry.py --on sqlite [--models 100] [--definitions 10000] [--instances 300000] [--times 20]

Both registries are filled by simulation; nothing of them exists in a warehouse. The small one has a single model with
as many definitions as each model of the large one, and one batch. They are asked by turns, so that other work on the
machine slows both. Each line: the 95th percentile in milliseconds in the large registry and in the small one, the
medians, their ratio, and an exclamation mark where a list takes more than 100 ms at the 95th percentile, or where work
on one model takes more than twice as long.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from registry_lists import cases_of_lists
from registry_seed import Sizes, seed
from transfer import server_from_wheel

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import BuiltParts

_MOST_MILLISECONDS = 100.0
_MOST_RATIO = 2.0
_OWNER = "benchmark"
_LEASE = timedelta(hours=1)
_HEADER = f"{'large p95':>10} {'small p95':>10} {'large p50':>10} {'small p50':>10} {'ratio':>7}"
_PLACES = ("postgres", "sqlite")

Case = tuple[str, Callable[[], object]]


@dataclass
class _Place:
    """A registry, and the model whose work is measured."""

    workspace: Workspace
    model_id: str
    model: str

    def cases(self) -> Iterator[Case]:
        """Work on one model, in the order in which a batch does it; then what maintenance does."""
        yield "plan, registry's part", self._plan
        yield "begin a batch", self._begin
        yield "claim and finish one build", self._build_one
        yield "build the others", self._build_others
        yield "activate", self._activate
        yield "evaluate a model", lambda: evaluate(self.workspace, self.model, now=datetime.now(UTC))
        yield "sweep, nothing to do", lambda: sweep(self.workspace, dry_run=True, now=datetime.now(UTC))
        names = frozenset(instance.table or "" for instance in self.workspace.read.instances.serving(self.model_id))
        yield "other models' tables in the views", lambda: self.workspace.read.instances.tables_that_serve(names)
        yield "tables that came back", lambda: self.workspace.read.tables.that_came_back(names)

    def _plan(self) -> None:
        """What `plan_batch` and `begin_batch` ask the registry before they ask the warehouse."""
        read = self.workspace.read
        record = read.models.get_deployed(self.model)
        read.models.datasets(record.deployment_id)
        self._definitions = read.definitions.of_model(record.id)
        read.instances.last_rows(record.id)
        self.workspace.settings_of(record.id)
        self._serving = read.instances.serving(record.id)
        read.batches.open_of(record.id)
        read.batches.find(record.id, 50)
        read.batches.with_pending_views(record.id)
        read.batches.of_signals(record.id, ["a signal"])

    def _begin(self) -> None:
        numbers = itertools.count()
        pattern = self._serving[0].step
        steps = [
            replace(
                pattern,
                instance_id=str(uuid.uuid4()),
                definition_id=definition.definition.id,
                aggregate=definition.definition.name,
                position=next(numbers),
            )
            for definition in self._definitions
        ]
        now = datetime.now(UTC)
        self._batch = self.workspace.registry.batches.open(
            batch_id=str(uuid.uuid4()),
            model_id=self.model_id,
            deployment_id="d",
            build_type=BuildType.FULL,
            owner=_OWNER,
            lease_until=now + _LEASE,
            steps=steps,
            schema="aggs",
            now=now,
        )
        self._waiting = [step.instance_id for step in steps]

    def _build_one(self) -> None:
        attempts = self.workspace.registry.attempts
        claim = attempts.claim(self._waiting.pop(), owner=_OWNER, now=datetime.now(UTC))
        attempts.finish(
            claim,
            BuiltParts(rows=1000),
            seconds=1.0,
            source="sales",
            now=datetime.now(UTC),
            verified=Verified(level="totals"),
        )

    def _build_others(self) -> None:
        while self._waiting:
            self._build_one()

    def _activate(self) -> None:
        now = datetime.now(UTC)
        self.workspace.registry.batches.activate(self._batch.id, owner=_OWNER, now=now, drop_after=now + _LEASE)
        self.workspace.registry.batches.record_view_switch(self._batch.id)


def measure(large: _Place, small: _Place, times: int) -> None:
    """Print a line for each kind of work, then for each list."""
    print(f"{'work on one model':36} {_HEADER}", flush=True)
    names = [name for name, _ in large.cases()]
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    for _ in range(times + 1):
        for number, place in enumerate((large, small)):
            for name, run in place.cases():
                taken[name][number].append(_milliseconds(run))
    for name, (of_large, of_small) in taken.items():
        _print(name, of_large[1:], of_small[1:], is_list=False)
    print(f"{'lists over all models':36} {_HEADER}", flush=True)
    pairs = zip(cases_of_lists(large.workspace.registry), cases_of_lists(small.workspace.registry), strict=True)
    for (name, run), (_, run_small) in pairs:
        of_large, of_small = [], []
        for _ in range(times + 1):
            of_large.append(_milliseconds(run))
            of_small.append(_milliseconds(run_small))
        _print(name, of_large[1:], of_small[1:], is_list=True)


def _milliseconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1000


def _print(name: str, large: list[float], small: list[float], *, is_list: bool) -> None:
    of_large, of_small = _late(large), _late(small)
    ratio = statistics.median(large) / statistics.median(small)
    is_slow = of_large > _MOST_MILLISECONDS if is_list else ratio > _MOST_RATIO
    medians = f"{statistics.median(large):10.1f} {statistics.median(small):10.1f}"
    print(f"{name:36} {of_large:10.1f} {of_small:10.1f} {medians} {ratio:7.1f}{' !' if is_slow else ''}", flush=True)


def _late(milliseconds: list[float]) -> float:
    """The 95th percentile."""
    return (
        statistics.quantiles(milliseconds, n=20, method="inclusive")[-1] if len(milliseconds) > 1 else milliseconds[0]
    )


@contextlib.contextmanager
def _places(on: str, sizes: Sizes) -> Iterator[tuple[_Place, _Place]]:
    """A large and a small registry, filled."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry")))
        server = stack.enter_context(server_from_wheel()) if on == "postgres" else ""
        share = sizes.definitions // sizes.models
        small = Sizes(models=1, definitions=share, batches=1, instances=share, queries=100, days=1)
        yield (
            stack.enter_context(_filled(server, folder, "large", sizes)),
            stack.enter_context(_filled(server, folder, "small", small)),
        )


@contextlib.contextmanager
def _filled(server: str, folder: Path, name: str, sizes: Sizes) -> Iterator[_Place]:
    url = _make_database(server, name) if server else f"sqlite:///{folder / name}.sqlite"
    seed(url, sizes)
    if server:
        with psycopg.connect(_plain(url), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
    with open_workspace(registry=url, warehouse="duckdb:///:memory:", aggregate_schema="aggs") as workspace:
        record = workspace.read.models.current()[-1]
        yield _Place(workspace, record.id, record.name)


def _make_database(server: str, name: str) -> str:
    url = urlsplit(server)
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return url._replace(scheme="postgresql+psycopg", path=f"/{name}").geturl()


def _plain(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=_PLACES, nargs="+", default=list(_PLACES))
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=36_500)
    parser.add_argument("--instances", type=int, default=300_000)
    parser.add_argument("--queries", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--times", type=int, default=20)
    options = vars(parser.parse_args())
    places, times = options.pop("on"), options.pop("times")
    for on in places:
        with _places(on, Sizes(**options)) as (large, small):
            print(f"\n{on}, load of the machine {os.getloadavg()[0]:.1f}, {options}", flush=True)
            measure(large, small, times)


if __name__ == "__main__":
    main()
