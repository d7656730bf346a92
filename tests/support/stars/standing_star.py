"""Workspaces on the tiny star, at several stages of their life.

Each stage is made once in a run, and every test works on a copy of its files.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport, activate_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, BegunBatch, begin_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import (
    BatchRecord,
    DefinitionRecord,
    InstanceRecord,
    ProposedDefinition,
)
from tests.support.stars import incremental_star, tiny_star

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""When the standing stars were deployed and built."""

LATER = NOW + timedelta(hours=5)
"""When a second batch is begun."""

OWNER = "a test"
MODEL = "tiny_sales"

AGGREGATES = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_day_and_shop")}
"""The first is derived from the second."""

Stage = Callable[[Workspace, Path], None]
"""Brings an empty workspace to a stage of its life; the folder takes the files of its model."""


def lay_tables(workspace: Workspace, folder: Path) -> None:
    """Make the tables of the star and write its model in ``model``; nothing is deployed."""
    tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
    tiny_star.write_model(folder / "model", AGGREGATES)


def deploy_model(workspace: Workspace, folder: Path) -> None:
    """Deploy its model as well; nothing is built."""
    lay_tables(workspace, folder)
    deploy(workspace, folder / "model", now=NOW)


def build_aggregates(workspace: Workspace, folder: Path) -> None:
    """Build its aggregates, so that they serve."""
    deploy_model(workspace, folder)
    build(workspace)


def redeploy(workspace: Workspace, folder: Path, *edits: tuple[str, str, str]) -> None:
    """Deploy the model with edits: in the file of a name, an old text becomes a new one."""
    tiny_star.write_model(folder / "edited", AGGREGATES)
    for name, old, new in edits:
        file = folder / "edited" / f"{name}.yml"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
    deploy(workspace, folder / "edited", now=LATER)


def stage_batch(workspace: Workspace, folder: Path) -> None:
    """Build both aggregates anew in a second batch at `LATER`, of a sale more; it waits for its activation."""
    build_aggregates(workspace, folder)
    tiny_star.run_sql(workspace, "INSERT INTO sales VALUES (1, 1, 1, 1000)")
    for instance in begin(workspace, now=LATER).instances:
        build_instance(workspace, instance.id, owner=OWNER)


def lay_incremental(workspace: Workspace, folder: Path) -> None:
    """Make the tables of the incremental star with a minute of facts, and write a model of ``by_city``."""
    tiny_star.run_sql(workspace, *incremental_star.SETUP_SQL)
    incremental_star.load(workspace, *incremental_star.HISTORY)
    aggregates = {"by_city": incremental_star.AGGREGATES["by_city"]}
    incremental_star.write_model(folder / "model", aggregates=aggregates)


def build_incremental(workspace: Workspace, folder: Path) -> None:
    """Deploy it and build its aggregate in segments, so that it serves."""
    lay_incremental(workspace, folder)
    deploy(workspace, folder / "model", now=NOW)
    incremental_star.build(workspace)


@contextlib.contextmanager
def open_standing(folder: Path, stage: Stage) -> Iterator[Workspace]:
    """A workspace of its own at a stage, in files of a folder, for the length of a ``with`` block."""
    shutil.copytree(_standing(stage).name, folder, dirs_exist_ok=True)
    with _open(folder) as workspace:
        yield workspace


@cache
def _standing(stage: Stage) -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="star")
    with _open(Path(folder.name)) as workspace:
        stage(workspace, Path(folder.name))
    return folder


def _open(folder: Path) -> Workspace:
    return open_workspace(
        registry=f"sqlite:///{folder / 'registry.sqlite'}",
        warehouse=f"duckdb:///{folder / 'w.duckdb'}?threads=1",
        aggregate_schema="aggs",
    )


def begin(workspace: Workspace, *aggregates: str, owner: str = OWNER, now: datetime = NOW) -> BegunBatch:
    """Begin a full batch; of all aggregates where none is named."""
    request = BatchRequest(aggregates=aggregates)
    return begin_batch(workspace, MODEL, build_type=BuildType.FULL, owner=owner, now=now, request=request)


def build(workspace: Workspace, *aggregates: str, now: datetime = NOW) -> BatchReport:
    """Run a full batch, from its plan to its activation."""
    begun = begin(workspace, *aggregates, now=now)
    for instance in begun.instances:
        build_instance(workspace, instance.id, owner=OWNER)
    return activate_batch(workspace, begun.batch.id, owner=OWNER, now=now)


def define(
    workspace: Workspace,
    name: str,
    *columns: str,
    like: str = "by_city",
    origin: DefinitionOrigin = DefinitionOrigin.DEMAND_DEFINED,
) -> AggregateDefinition:
    """Define a system-defined aggregate: sums of columns of the sales, at the grain of another aggregate."""
    grain = definition(workspace, like).definition.parts[0].attributes
    measures = {StoredMeasure(StoredFunction.SUM, "sales", column) for column in columns} | {row_count("sales")}
    defined = AggregateDefinition(
        model_id=model_id(workspace),
        name=name,
        label=name,
        origin=origin,
        metrics=(),
        parts=(FactPart(fact="sales", attributes=grain, measures=tuple(sorted(measures))),),
    )
    workspace.registry.definitions.add([ProposedDefinition(definition=defined, reason="a test")], now=NOW)
    return defined


def definition(workspace: Workspace, name: str) -> DefinitionRecord:
    """A definition of the star by its name, whatever its status."""
    records = workspace.read.definitions.of_model(model_id(workspace), include_retired=True)
    return next(record for record in records if record.definition.name == name)


def open_batch(workspace: Workspace) -> BatchRecord:
    """The batch that is in progress."""
    batch = workspace.read.batches.open_of(model_id(workspace))
    assert batch is not None
    return batch


def model_id(workspace: Workspace) -> str:
    """The id of the star's model."""
    return workspace.read.models.get(MODEL).id


def serving(workspace: Workspace, aggregate: str) -> InstanceRecord:
    """The active instance of an aggregate."""
    instances = workspace.read.instances.serving(model_id(workspace))
    return next(instance for instance in instances if instance.step.aggregate == aggregate)


def put_settings(workspace: Workspace, **values: object) -> None:
    """Set settings of the model by their names in `Settings`."""
    keys = {spec.name: spec.metadata["key"] for spec in fields(workspace.settings)}
    for name, value in values.items():
        workspace.registry.settings.put(model_id(workspace), keys[name], str(value))


def run_sql(workspace: Workspace, *statements: str) -> None:
    """Run statements in the warehouse, one by one."""
    tiny_star.run_sql(workspace, *statements)


def rows_of(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query in the warehouse, sorted by their text."""
    return sorted(incremental_star.fetch(workspace, sql), key=str)


def tables_of(workspace: Workspace) -> set[str]:
    """Names of the tables and views in the schema of the aggregates."""
    with workspace.warehouse.session() as session:
        return set(session.tables("aggs"))
