"""Fills a registry with a large site's memory: definitions, batches with their instances, and a log of queries.

    python benchmarks/registry_seed.py sqlite:////tmp/large.sqlite
    python benchmarks/registry_seed.py postgresql+psycopg://user@host/database [--definitions 10000] [--queries 1000000]

The database must be empty. Nothing of it exists in a warehouse. The same seed gives the same content, but for the time
at which it ends, which is now. Two thirds of the aggregates serve; one query in ten is a miss, one in a thousand a
fallback.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Table, text

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT, BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart, model_id
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.bulk import insert_many
from airflow_atscale_aggs.engine.registry.query_days import add_days, count_days, outcome_of, shortest_builds
from airflow_atscale_aggs.engine.registry.query_records import query_row
from airflow_atscale_aggs.engine.registry.records import (
    Deployment,
    EvaluationRecord,
    ProposedDefinition,
    QueryRecord,
    QuerySource,
)
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.engine.registry.standings import name_key, refresh_standings_of_model
from airflow_atscale_aggs.engine.registry.tables import attempts, batches, instances, queries, steps, usages

_Row = TypeVar("_Row")

_CHUNK = 20_000
_WORDS = ("amount", "quantity", "tax", "discount", "profit", "freight", "returns", "cost")
_DIMENSIONS = ("calendar", "product", "store", "customer", "promotion", "channel", "supplier", "warehouse")
_LEVELS = ("Year", "Quarter", "Month", "Week", "Day", "Group", "Category", "Item")


@dataclass(frozen=True)
class Sizes:
    """How much there is. Each model has its share of everything; ``days``: since the first batch and query."""

    models: int = 3
    definitions: int = 10_000
    batches: int = 3_000
    instances: int = 100_000
    queries: int = 1_000_000
    days: int = 90


@dataclass
class _Model:
    """A model and its definitions; those of which the newest instance serves, with the rows of it."""

    id: str
    name: str
    definitions: list[AggregateDefinition] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    steps: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


def seed(url: str, sizes: Sizes = Sizes(), *, seed_number: int = 1, now: datetime | None = None) -> None:
    """Fill the empty database at a URL."""
    rng = random.Random(seed_number)
    end = now or datetime.now(UTC)
    registry = open_registry(url)
    try:
        found = [_deploy(registry, number, sizes, rng, end) for number in range(sizes.models)]
        _insert(registry, batches, (row for model in found for row in _batch_rows(model, sizes, end)))
        for model in found:
            built = _instance_rows(model, sizes, rng, end)
            for number, table in enumerate((instances, steps, attempts)):
                _insert(registry, table, [rows[number] for rows in built])
        _insert_queries(registry, _queries(found, sizes, rng, end))
        _insert(registry, usages, _usage_rows(found, sizes, rng, end))
        registry.evaluations.record(list(_evaluations(found, rng, end)))
        with registry.database.writing() as connection:
            for model in found:
                refresh_standings_of_model(connection, model.id)
            connection.execute(text("ANALYZE"))
    finally:
        registry.close()


def _deploy(registry: Registry, number: int, sizes: Sizes, rng: random.Random, end: datetime) -> _Model:
    name = f"sales_{number}"
    model = _Model(model_id("seed", name), name)
    deployment = Deployment(
        model_id=model.id,
        catalog="seed",
        name=name,
        label=f"Sales {number}",
        connection="warehouse",
        content=b"{}",
        content_hash=name,
        datasets={"sales": Dataset(name="sales", table="sales", columns={})},
        definitions=(),
    )
    registry.models.record_deployments([deployment], now=end - timedelta(days=sizes.days))
    surface = [_attribute(dimension, level) for dimension in _DIMENSIONS for level in _LEVELS]
    seen: set[str] = set()
    while len(model.definitions) < sizes.definitions // sizes.models:
        definition = _definition(model, rng, surface)
        fingerprint = definition.fingerprint
        if fingerprint not in seen:
            seen.add(fingerprint)
            model.definitions.append(definition)
    model.ids = [definition.id for definition in model.definitions]
    proposed = [
        ProposedDefinition(
            definition=definition, reason="queries of the last days asked for it", evidence={"predicted_rows": 1000.0}
        )
        for definition in model.definitions
    ]
    created = end - timedelta(days=sizes.days)
    for start in range(0, len(proposed), 500):
        registry.definitions.add(proposed[start : start + 500], now=created + timedelta(minutes=start))
    model.steps = [documents.encode_step(_step(definition)) for definition in model.definitions]
    model.rows = [int(10 ** rng.uniform(1, 7)) for _ in model.definitions]
    return model


def _attribute(dimension: str, level: str) -> BoundAttribute:
    return BoundAttribute(
        attribute=GrainAttribute(Role(dimension, "{0}"), f"{dimension.title()} {level}"),
        label=f"{level} of {dimension}",
        dataset=dimension,
        key_columns=(f"{level.lower()}_id",),
        name_column=level.lower(),
        steps=(
            JoinStep(
                kind=JoinKind.UNIQUE_KEY,
                from_dataset="sales",
                to_dataset=dimension,
                from_columns=(f"{dimension}_id",),
                to_columns=(f"{dimension}_id",),
            ),
        ),
        determines=frozenset(f"{dimension.title()} {other}" for other in _LEVELS if other < level),
    )


def _definition(model: _Model, rng: random.Random, surface: list[BoundAttribute]) -> AggregateDefinition:
    grain = tuple(rng.sample(surface, rng.randint(1, 5)))
    words = rng.sample(_WORDS, rng.randint(1, 4))
    measures = sorted([row_count("sales"), *(StoredMeasure(StoredFunction.SUM, "sales", word) for word in words)])
    origin = DefinitionOrigin.DEMAND_DEFINED if rng.random() < 0.7 else DefinitionOrigin.PREDICTION_DEFINED
    name = "_".join(bound.attribute.name.lower().replace(" ", "_") for bound in grain[:3])
    return AggregateDefinition(
        model_id=model.id,
        name=f"{name}_{rng.randrange(10**6)}",
        label=" by ".join((words[0], *(bound.attribute.name for bound in grain))),
        origin=origin,
        metrics=tuple(words),
        parts=(FactPart(fact="sales", attributes=grain, measures=tuple(measures)),),
    )


def _step(definition: AggregateDefinition) -> BuildStep:
    """Of realistic length: six statements with the columns of the grain, some thousand characters."""
    table = f"as_agg_INSTANCE_a{TARGET_ATTEMPT}"
    columns = ", ".join(
        f'"{bound.dataset}"."{column}" AS "{bound.dataset}__{column}"'
        for part in definition.parts
        for bound in part.attributes
        for column in bound.columns
    )
    sql = f'CREATE TABLE "aggs"."{table}" AS SELECT {columns}, COUNT(*) AS "rows" FROM "sales" GROUP BY {columns}'
    return BuildStep(
        instance_id="INSTANCE",
        definition_id=definition.id,
        aggregate=definition.name,
        fact="sales",
        position=0,
        sources=(SourceOption(instance_id=None, name="sales", create_sql=sql),) * 2,
        table=table,
        target_sql=f'"aggs"."{table}"',
        drop_sql=f'DROP TABLE IF EXISTS "aggs"."{table}"',
        count_sql=f'SELECT COUNT(*) FROM "aggs"."{table}"',
        view_statements=(f'CREATE OR REPLACE VIEW "aggs"."agg_{definition.name}" AS SELECT {columns}', sql),
        view=f"agg_{definition.name}",
        reason="it is the smallest that can be derived from the facts",
    )


def _moment(when: datetime) -> str:
    """A time as both databases take it as text."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _batch_times(sizes: Sizes, end: datetime) -> list[datetime]:
    """When the batches of a model began, oldest first."""
    number = sizes.batches // sizes.models
    return [end - timedelta(days=sizes.days) * (number - index) / number for index in range(number)]


def _batch_rows(model: _Model, sizes: Sizes, end: datetime) -> Iterator[dict[str, Any]]:
    for index, began in enumerate(_batch_times(sizes, end)):
        status = ("failed" if index % 50 == 49 else "done") if index % 97 else "cancelled"
        yield {
            "id": f"{model.name}-b{index:06}",
            "model_id": model.id,
            "deployment_id": "d",
            "build_type": "full" if index % 7 == 0 else "incremental",
            "status": status,
            "owner": f"host:{index}",
            "lease_until": _moment(began),
            "failures": 0,
            "views_pending": False,
            "schema": "aggs",
            "notes": documents.encode_notes(("Aggregate `x` is built in full: its indicator has changed.",) * 3),
            "created_at": _moment(began),
            "finished_at": _moment(began + timedelta(seconds=60 + index % 600)),
        }


def _instance_rows(model: _Model, sizes: Sizes, rng: random.Random, end: datetime) -> list[tuple[dict[str, Any], ...]]:
    """Instances, their steps and their attempts: the last batch builds all of the model, the others some."""
    times = _batch_times(sizes, end)
    every = list(range(len(model.definitions)))
    small = (sizes.instances // sizes.models - len(every)) // max(1, len(times) - 1)
    rows = []
    for index, began in enumerate(times):
        is_last = index == len(times) - 1
        for position, number in enumerate(every if is_last else rng.sample(every, min(small, len(every)))):
            status = rng.choices(("active", "failed"), (2, 1))[0] if is_last else "deleted"
            rows.append(_instance_row(model, number, (index, began, position), status, rng))
    return rows


def _instance_row(
    model: _Model, number: int, place: tuple[int, datetime, int], status: str, rng: random.Random
) -> tuple[dict[str, Any], ...]:
    batch, began, position = place
    name = model.definitions[number].name
    identity = f"{model.name[-1]}-{batch:05}-{position:05}-{rng.getrandbits(64):016x}"
    started = began + timedelta(seconds=position)
    seconds = round(20 + rng.expovariate(0.2), 3)
    finished = _moment(started + timedelta(seconds=seconds))
    is_built = status != "failed"
    table = f"as_agg_{identity.replace('-', '_')}_a1"
    error = None if is_built else "PermanentWarehouseError: the warehouse refused a statement. " * 3
    row = {
        "id": identity,
        "batch_id": f"{model.name}-b{batch:06}",
        "model_id": model.id,
        "definition_id": model.ids[number],
        "fact": "sales",
        "position": position,
        "status": status,
        "attempt": 1,
        "failures": 0 if is_built else 1,
        "allowance": "",
        "table": table,
        "rows": model.rows[number] if is_built else None,
        "seconds": seconds if is_built else None,
        "source": "sales" if is_built else None,
        "error": error,
        "started_at": _moment(started),
        "finished_at": finished,
        "activated_at": finished if is_built else None,
        "drop_after": None,
        "superseded_at": None,
        "aggregate": name,
        "name_key": name_key(name),
        "batch_created_at": _moment(began),
    }
    step = {"instance_id": identity, "document": model.steps[number].replace(b"INSTANCE", identity.encode())}
    attempt = {
        "instance_id": identity,
        "number": 1,
        "table": table,
        "drop_sql": f'DROP TABLE IF EXISTS "aggs"."{table}"',
        "owner": "host:1",
        "status": "done" if is_built else "failed",
        "started_at": _moment(started),
        "finished_at": finished,
        "error": error,
        "dropped_at": None if status == "active" else finished,
    }
    return row, step, attempt


def _shapes(found: list[_Model], rng: random.Random) -> list[tuple[QueryRecord, float]]:
    """Two thousand shapes of queries, and how popular each is."""
    shapes = []
    for number in range(2000):
        model = found[number % len(found)]
        index = int(len(model.ids) * rng.random() ** 3)
        definition = model.definitions[index]
        names = [bound.attribute.name for bound in definition.parts[0].attributes]
        facts = QuerySource(fact="sales", fact_rows=50_000_000, fact_cost=10_000_000)
        source = replace(facts, aggregate=definition.name, definition_id=model.ids[index], rows=model.rows[index])
        is_miss = rng.random() < 0.1
        columns = ", ".join(f'"{name}"' for name in (*names, *definition.metrics))
        shape = f'SELECT {columns} FROM seed.{model.name} WHERE "{names[0]}" = ? GROUP BY {len(names)}'
        record = QueryRecord(
            model_id=model.id,
            fingerprint=f"{rng.getrandbits(128):032x}",
            asked_at=datetime.now(UTC),
            shape=shape,
            keys=tuple(names),
            metrics=definition.metrics,
            predicates=(names[0],),
            planned=(facts if is_miss else source,),
            actual=(facts if is_miss else source,),
            rows=100,
            seconds=0.1,
        )
        shapes.append((record, 1 / (number + 1)))
    return shapes


def _queries(found: list[_Model], sizes: Sizes, rng: random.Random, end: datetime) -> Iterator[QueryRecord]:
    """The log, oldest first."""
    shapes = _shapes(found, rng)
    records, weights = [record for record, _ in shapes], [weight for _, weight in shapes]
    users = [f"user{number}@example.org" for number in range(50)]
    step = timedelta(days=sizes.days) / sizes.queries
    for number, index in enumerate(rng.choices(range(len(records)), weights, k=sizes.queries)):
        record = records[index]
        is_hit = bool(record.actual[0].definition_id)
        seconds = round(rng.expovariate(10 if is_hit else 0.5), 4)
        asked = replace(
            record, asked_at=end - step * (sizes.queries - number), seconds=seconds, user=users[number % len(users)]
        )
        if is_hit and number % 1000 == 0:
            facts = replace(record.actual[0], aggregate="", definition_id="", rows=None)
            asked = replace(asked, actual=(facts,), fallback_reason="relation does not exist")
        yield asked


def _insert_queries(registry: Registry, records: Iterable[QueryRecord]) -> None:
    """Insert queries with the figures of their days."""
    begun, number = time.perf_counter(), 0
    for chunk in _chunks(records):
        rows = [
            {**query_row(record), "asked_at": _moment(record.asked_at), "outcome": str(outcome_of(record))}
            for record in chunk
        ]
        with registry.database.writing() as connection:
            insert_many(connection, queries, {}, rows)
            add_days(connection, count_days(chunk, shortest_builds(connection, chunk)))
        number += len(chunk)
    print(f"{queries.name}: {number:,} rows in {time.perf_counter() - begun:.1f} s", flush=True)


def _usage_rows(found: list[_Model], sizes: Sizes, rng: random.Random, end: datetime) -> Iterator[dict[str, Any]]:
    """Two definitions of three were used."""
    for model in found:
        for identity in model.ids:
            if rng.random() < 2 / 3:
                uses = int(10 ** rng.uniform(0, 5))
                last = end - timedelta(seconds=rng.uniform(0, sizes.days * 86_400))
                yield {
                    "definition_id": identity,
                    "fact": "sales",
                    "uses": uses,
                    "seconds": uses * 0.1,
                    "last_used_at": _moment(last),
                    "inherited": 0,
                }


def _evaluations(found: list[_Model], rng: random.Random, end: datetime) -> Iterator[EvaluationRecord]:
    """Each definition was judged three times."""
    for model in found:
        for index, identity in enumerate(model.ids):
            for age in range(3):
                yield EvaluationRecord(
                    model_id=model.id,
                    definition_id=identity,
                    evaluated_at=end - timedelta(days=age),
                    score=round(rng.random(), 6),
                    parts={"usage": 0.5, "reduction": 0.9},
                    rows=model.rows[index],
                    size_bytes=model.rows[index] * 40,
                    seconds_saved=rng.uniform(0, 10_000),
                )


def _insert(registry: Registry, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows in chunks, a transaction each."""
    begun, number = time.perf_counter(), 0
    for chunk in _chunks(rows):
        with registry.database.writing() as connection:
            insert_many(connection, table, {}, chunk)
        number += len(chunk)
    print(f"{table.name}: {number:,} rows in {time.perf_counter() - begun:.1f} s", flush=True)


def _chunks(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    chunk: list[_Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def main() -> None:
    """Fill the registry that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    defaults = Sizes()
    for name in ("models", "definitions", "batches", "instances", "queries", "days"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    options = vars(parser.parse_args())
    seed(options.pop("url"), Sizes(**options))


if __name__ == "__main__":
    main()
