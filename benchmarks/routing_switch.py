"""Planning while a batch of many aggregates goes live: the middle, the 99th percentile and the longest wait.

Run by `python benchmarks/routing.py switch`. The definitions, both batches and the switch are the registry's own. The
tables are there and empty, and a batch's instances are marked as built in one statement: to build ten thousand tables
takes minutes and says nothing of planning. Steps are as long as those of a lattice on the star. The switch runs in
another process, as a task of Airflow does it beside `serve`. Views in the warehouse are not switched, since no plan
waits for them.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from routing import MODEL, QUERIES, p99, star_workspace
from sqlalchemy import String, cast, update
from star import LATTICE, LEVELS

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.instance import BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count, stored_measures
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.registry.records import ProposedDefinition
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.engine.registry.tables import instances

_OWNER = "benchmark"
_MOST_ROWS = 1_000_000
_SQL = "SELECT 1 AS one_of_many " * 240
"""As long as the statements of a step of `batch_build.py lattice`."""


def switch(aggregates: int, seconds: float) -> None:
    """Print the waits."""
    with star_workspace(2000, LATTICE) as workspace:
        definitions = _define(workspace, aggregates)
        _stage(workspace, "first", definitions)
        workspace.registry.batches.activate("first", owner=_OWNER, now=_now(), drop_after=_now() + timedelta(hours=1))
        _stage(workspace, "second", definitions)
        with QueryRouter(workspace) as router:
            for query in QUERIES:
                router.plan(query.format(m=MODEL))
            hits = sum(router.plan(query.format(m=MODEL)).uses_aggregates for query in QUERIES)
            assert hits
            print(f"{aggregates} aggregates serve and answer {hits} of {len(QUERIES)} queries; known shapes, ms:")
            _tell("alone", _plan_times(router, _for_seconds(seconds)))
            begun = time.perf_counter()
            with _switching(workspace.registry) as is_going_on:
                beside = _plan_times(router, is_going_on)
            took = time.perf_counter() - begun
            _tell(f"while another process switches to a new batch ({took:.1f} s)", beside)
            # A router looks at the registry once a second. The query that does so then reads which aggregates serve.
            _tell("afterwards, when the new aggregates are read", _plan_times(router, _for_seconds(max(2, seconds))))


def _tell(when: str, times: Sequence[float]) -> None:
    longest, middle = max(times), statistics.median(times)
    print(
        f"  {when:60} {len(times):7} plans: p50 {middle:.3f}, p99 {p99(list(times)):.3f}, longest {longest:.1f}",
        flush=True,
    )


def _for_seconds(seconds: float) -> Callable[[], bool]:
    """Whether these seconds have not passed yet."""
    until = time.perf_counter() + seconds
    return lambda: time.perf_counter() < until


def _plan_times(router: QueryRouter, is_going_on: Callable[[], bool]) -> list[float]:
    """Milliseconds of each plan; each turn has other values."""
    times: list[float] = []
    for turn in count():
        if not is_going_on():
            return times
        for query in QUERIES:
            sql = query.format(m=MODEL).replace("2024", f"{1900 + turn % 100}")
            begun = time.perf_counter()
            router.plan(sql)
            times.append((time.perf_counter() - begun) * 1000)
    raise AssertionError


@contextmanager
def _switching(registry: Registry) -> Iterator[Callable[[], bool]]:
    """Another process switches to the second batch in the block; is it still at it?"""
    context = multiprocessing.get_context("spawn")
    begins = context.Event()
    url = registry.database.url.render_as_string(hide_password=False)
    process = context.Process(target=_switch_to_second, args=(url, begins))
    process.start()
    begins.wait()
    yield process.is_alive
    process.join()
    assert process.exitcode == 0


def _switch_to_second(url: str, begins: Any) -> None:
    registry = open_registry(url)
    try:
        begins.set()
        registry.batches.activate("second", owner=_OWNER, now=_now(), drop_after=_now() + timedelta(hours=1))
    finally:
        registry.close()


def _define(workspace: Workspace, number: int) -> list[AggregateDefinition]:
    """Record definitions with random grains and random metrics, each of another meaning."""
    (record,) = workspace.read.models.current()
    model = read_deployed_model(workspace.read, record)
    paths = JoinPaths(model)
    (fact,) = {metric.dataset for metric in model.metrics.values()}
    reached = {bound.attribute.query_name: bound for bound in paths.attributes_of(fact).values()}
    draw = random.Random(7)
    found: dict[str, AggregateDefinition] = {}
    while len(found) < number:
        levels = [
            level for group in LEVELS.values() for level in draw.sample(group, draw.randint(0, min(2, len(group))))
        ]
        metrics = draw.sample(sorted(model.metrics), draw.randint(1, len(model.metrics)))
        measures: set[StoredMeasure] = {row_count(fact)}
        for metric in (model.metrics[name] for name in metrics):
            measures |= set(stored_measures(metric.calculation_method, metric.dataset, metric.column))
        part = FactPart(
            fact=fact, attributes=tuple(reached[level] for level in levels), measures=tuple(sorted(measures))
        )
        definition = AggregateDefinition(
            model_id=record.id,
            name=f"random_{len(found):06}",
            label="",
            origin=DefinitionOrigin.DEMAND_DEFINED,
            metrics=tuple(metrics),
            parts=(part,),
        )
        if levels:
            found.setdefault(definition.fingerprint, definition)
    proposed = [ProposedDefinition(definition=definition, reason="random") for definition in found.values()]
    workspace.registry.definitions.add(proposed, now=_now())
    return list(found.values())


def _stage(workspace: Workspace, batch: str, definitions: Sequence[AggregateDefinition]) -> None:
    """A batch of all definitions whose instances only have to be activated."""
    (record,) = workspace.read.models.current()
    steps = [_step(definition, batch, position) for position, definition in enumerate(definitions)]
    workspace.registry.batches.open(
        batch_id=batch,
        model_id=record.id,
        deployment_id=record.deployment_id,
        build_type=BuildType.FULL,
        owner=_OWNER,
        lease_until=_now() + timedelta(hours=1),
        steps=steps,
        schema="main",
        now=_now(),
    )
    _make_tables(workspace, [step.table for step in steps])
    built = {
        "status": InstanceStatus.DONE,
        "table": "as_agg_" + cast(instances.c.id, String),
        "rows": instances.c.position * 7919 % _MOST_ROWS + 100,
        "attempt": 1,
        "seconds": 0.1,
        "source": "sales",
        "finished_at": _now(),
    }
    with workspace.registry.database.writing() as connection:
        connection.execute(update(instances).where(instances.c.batch_id == batch).values(**built))


def _make_tables(workspace: Workspace, tables: Sequence[str]) -> None:
    with workspace.warehouse.session() as session, session.transaction():
        for table in tables:
            session.execute(f'CREATE TABLE main."{table}" (made_up INTEGER)')


def _step(definition: AggregateDefinition, batch: str, position: int) -> BuildStep:
    identity = f"{batch}_{position:06}"
    table = f"as_agg_{identity}"
    return BuildStep(
        instance_id=identity,
        definition_id=definition.id,
        aggregate=definition.name,
        fact=definition.parts[0].fact,
        position=position,
        sources=(SourceOption(instance_id=None, name="sales", create_sql=f"CREATE TABLE {table} AS {_SQL}"),),
        table=table,
        target_sql=table,
        drop_sql=f"DROP TABLE {table}",
        count_sql=f"SELECT COUNT(*) FROM {table}",
        view_statements=(),
        view=f"agg_{definition.name}",
        settings_needed=(),
    )


def _now() -> datetime:
    return datetime.now(UTC)
