"""Builds one instance in a registry in memory, so that processes which are forked afterwards begin warm.

Most of the time that a short build spends in the registry goes into what a process does once: SQLAlchemy writes the
SQL of each statement, msgspec makes a decoder for each kind of document. A process that forks one process for each
build has each of them do that again, unless it has done it itself.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.instance import BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
from airflow_atscale_aggs.engine.registry.first_schema import make_first_schema
from airflow_atscale_aggs.engine.registry.records import BuiltParts
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ID = "rehearsal"


def rehearse() -> None:
    """Plan, build and activate one instance, and read what builds read. Nothing of it is left."""
    database = RegistryDatabase("sqlite://")
    try:
        with database.writing() as connection:
            make_first_schema(connection)
        with database.reading() as connection:
            # The model and its definition are left out: making them takes more statements than building.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        _build(Registry.over(database))
    finally:
        database.dispose()


def _build(registry: Registry) -> None:
    step = _step()
    registry.batches.open(
        batch_id=_ID,
        model_id=_ID,
        deployment_id=_ID,
        build_type=BuildType.FULL,
        owner=_ID,
        lease_until=_NOW,
        steps=(step,),
        notes=(_ID,),
        surroundings=Surroundings(),
        now=_NOW,
    )
    seen = registry.read.instances.get(_ID)
    _read(registry.read)
    claim = registry.attempts.claim(_ID, owner=_ID, now=_NOW, allowance=_ID, seen=seen)
    verified = Verified(level=_ID, facts_key=_ID, totals={_ID: "1"})
    registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1.0, source=_ID, now=_NOW, verified=verified)
    registry.read.attempts.fact_totals(_ID, _ID)
    registry.read.attempts.verification(_ID, claim.attempt)
    registry.batches.activate(_ID, owner=_ID, now=_NOW, drop_after=_NOW)


def _read(read: RegistryReader) -> None:
    """What plan, builds and activation read of their batch."""
    with contextlib.suppress(NotRegisteredError):
        read.models.get(_ID)
    read.batches.get(_ID)
    read.batches.of_owner(_ID, _ID)
    read.batches.surroundings(_ID)
    read.instances.find(batch_id=_ID)
    read.instances.find(batch_id=_ID, status=InstanceStatus.IN_PROGRESS)
    read.instances.built_sources(_ID)
    read.instances.count_by_status(_ID)
    read.settings.of_model(_ID)
    read.warehouse_proofs.find(_ID)


def _step() -> BuildStep:
    return BuildStep(
        instance_id=_ID,
        definition_id=_ID,
        aggregate=_ID,
        fact=_ID,
        position=0,
        sources=(SourceOption(instance_id=None, name=_ID, create_sql=""),),
        table=_ID,
        target_sql=_ID,
        drop_sql="",
        count_sql="",
        view_statements=(),
        view=_ID,
    )
