"""Rows as records: what an older version did not write is read as nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.record_rows import (
    SELECT_INSTANCES,
    attempt_record,
    batch_record,
    definition_record,
    instance_record,
    model_record,
)
from airflow_atscale_aggs.engine.registry.records import (
    AttemptRecord,
    BatchRecord,
    DefinitionRecord,
    InstanceRecord,
    ModelRecord,
)
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.tables import attempts, batches, definitions, instances, models, steps
from tests.support.registry_content import LATER, NOW, make_aggregate, make_step

_TAX = make_aggregate("tax", "tax")
_STEP = make_step(_TAX)
_LEAST: dict[Table, dict[str, Any]] = {
    models: {
        "id": "m",
        "catalog": "shop",
        "name": "sales",
        "label": "Sales",
        "deployment_id": "d",
        "version": 3,
        "deployed_at": NOW,
    },
    definitions: {
        "id": _TAX.id,
        "model_id": "m",
        "fingerprint": _TAX.fingerprint,
        "name": "tax",
        "origin": "user_defined",
        "status": "blocked",
        "document": documents.encode_definition(_TAX),
        "created_at": NOW,
    },
    batches: {
        "id": "b",
        "model_id": "m",
        "deployment_id": "d",
        "build_type": "incremental",
        "status": "failed",
        "owner": "me",
        "lease_until": LATER,
        "views_pending": True,
        "schema": "aggs",
        "notes": b'["a note"]',
        "created_at": NOW,
    },
    instances: {
        "id": "i",
        "batch_id": "b",
        "model_id": "m",
        "definition_id": _TAX.id,
        "fact": "sales",
        "position": 0,
        "status": "new",
    },
    steps: {"instance_id": "i", "document": documents.encode_step(_STEP)},
    attempts: {
        "instance_id": "i",
        "number": 1,
        "table": "t",
        "drop_sql": "DROP TABLE t",
        "owner": "me",
        "status": "interrupted",
        "started_at": NOW,
    },
}
"""The columns of each table that must be there."""


def _row(registry: Registry, table: Table, **values: object) -> Any:
    """A row with the least that its table takes, and some more values. What it refers to is there as well."""
    with registry.database.writing() as connection:
        for other, least in _LEAST.items():
            connection.execute(insert(other).values(**{**least, **(values if other is table else {})}))
        if table is instances:
            return connection.execute(SELECT_INSTANCES.where(instances.c.id == "i")).one()
        key, *_ = table.primary_key
        return connection.execute(select(table).where(key == _LEAST[table][key.name])).one()


def test_a_model(unchecked_registry: Registry) -> None:
    least = ModelRecord(
        id="m",
        catalog="shop",
        name="sales",
        label="Sales",
        deployment_id="d",
        version=3,
        deployed_at=NOW,
        connection=None,
    )
    assert model_record(_row(unchecked_registry, models)) == least


def test_a_model_with_perspectives(unchecked_registry: Registry) -> None:
    assert model_record(_row(unchecked_registry, models, perspectives='["north", "south"]')).perspectives == (
        "north",
        "south",
    )


def test_a_definition_was_defined_when_it_was_made_where_nothing_else_is_noted(unchecked_registry: Registry) -> None:
    least = DefinitionRecord(definition=_TAX, status=DefinitionStatus.BLOCKED, created_at=NOW, defined_at=NOW)

    assert definition_record(_row(unchecked_registry, definitions), documents.DefinitionDecoder(dict)) == least


def test_a_definition_that_came_back_has_figures(unchecked_registry: Registry) -> None:
    row = _row(
        unchecked_registry, definitions, defined_at=LATER, evidence=b'{"rows":5.0}', reason="asked", status_reason="why"
    )
    record = definition_record(row, documents.DefinitionDecoder(dict))

    assert (record.created_at, record.defined_at, record.evidence) == (NOW, LATER, {"rows": 5.0})
    assert (record.reason, record.status_reason) == ("asked", "why")


def test_a_batch(unchecked_registry: Registry) -> None:
    assert batch_record(_row(unchecked_registry, batches)) == BatchRecord(
        id="b",
        model_id="m",
        deployment_id="d",
        build_type=BuildType.INCREMENTAL,
        status=BatchStatus.FAILED,
        owner="me",
        lease_until=LATER,
        created_at=NOW,
        views_pending=True,
        schema="aggs",
        notes=("a note",),
    )


def test_an_instance(unchecked_registry: Registry) -> None:
    least = InstanceRecord(id="i", batch_id="b", model_id="m", status=InstanceStatus.NEW, step=_STEP)

    assert instance_record(_row(unchecked_registry, instances)) == least


def test_an_attempt(unchecked_registry: Registry) -> None:
    assert attempt_record(_row(unchecked_registry, attempts)) == AttemptRecord(
        instance_id="i",
        number=1,
        table="t",
        drop_sql="DROP TABLE t",
        owner="me",
        status=AttemptStatus.INTERRUPTED,
        started_at=NOW,
    )


@pytest.mark.parametrize(
    ("table", "read"),
    [(batches, batch_record), (instances, instance_record), (attempts, attempt_record)],
    ids=["batches", "instances", "attempts"],
)
def test_a_status_that_nobody_knows_is_refused(
    unchecked_registry: Registry, table: Table, read: Callable[[Any], object]
) -> None:
    row = _row(unchecked_registry, table, status="asleep")

    with pytest.raises(ValueError, match="'asleep' is not a valid"):
        read(row)


def test_times_are_read_in_utc(unchecked_registry: Registry) -> None:
    assert attempt_record(_row(unchecked_registry, attempts, dropped_at=LATER)).dropped_at == datetime(
        2026, 1, 1, 13, tzinfo=UTC
    )
