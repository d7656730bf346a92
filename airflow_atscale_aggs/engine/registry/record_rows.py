"""Rows of the registry's tables as records."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.records import (
    AttemptRecord,
    BatchRecord,
    DefinitionRecord,
    InstanceRecord,
    ModelRecord,
)
from airflow_atscale_aggs.engine.registry.tables import instances, steps

SELECT_INSTANCES = select(instances, steps.c.document.label("step")).join(steps, steps.c.instance_id == instances.c.id)
"""Rows for `instance_record`."""


def model_record(row: Any) -> ModelRecord:
    """A row of models as a value."""
    return ModelRecord(
        id=row.id,
        catalog=row.catalog,
        name=row.name,
        label=row.label,
        deployment_id=row.deployment_id,
        version=row.version,
        deployed_at=row.deployed_at,
        connection=row.connection,
        retired_at=row.retired_at,
        perspectives=tuple(json.loads(row.perspectives)) if row.perspectives else (),
        folder=row.folder,
    )


def definition_record(row: Any, decoder: documents.DefinitionDecoder) -> DefinitionRecord:
    """A row of definitions as a value."""
    return DefinitionRecord(
        definition=decoder.decode(row.document),
        status=DefinitionStatus(row.status),
        created_at=row.created_at,
        retired_at=row.retired_at,
        reason=row.reason,
        status_reason=row.status_reason,
        evidence=documents.decode_evidence(row.evidence) if row.evidence else {},
        defined_at=row.defined_at or row.created_at,
    )


def batch_record(row: Any) -> BatchRecord:
    """A row of batches as a value."""
    return BatchRecord(
        id=row.id,
        model_id=row.model_id,
        deployment_id=row.deployment_id,
        build_type=BuildType(row.build_type),
        status=BatchStatus(row.status),
        owner=row.owner,
        lease_until=row.lease_until,
        created_at=row.created_at,
        finished_at=row.finished_at,
        failures=row.failures,
        views_pending=row.views_pending,
        schema=row.schema,
        notes=documents.decode_notes(row.notes),
        aggregates=documents.decode_notes(row.aggregates) if row.aggregates else (),
        grace_periods=documents.decode_grace_periods(row.grace_periods) if row.grace_periods else {},
        sources=documents.decode_sources(row.sources) if row.sources else (),
        slices_through=row.slices_through,
    )


def instance_record(row: Any) -> InstanceRecord:
    """A row of instances with its step as a value."""
    return InstanceRecord(
        id=row.id,
        batch_id=row.batch_id,
        model_id=row.model_id,
        status=InstanceStatus(row.status),
        step=documents.decode_step(row.step),
        attempt=row.attempt,
        failures=row.failures,
        allowance=row.allowance,
        table=row.table,
        rows=row.rows,
        seconds=row.seconds,
        source=row.source,
        error=row.error,
        started_at=row.started_at,
        finished_at=row.finished_at,
        activated_at=row.activated_at,
        drop_after=row.drop_after,
        superseded_at=row.superseded_at,
    )


def attempt_record(row: Any) -> AttemptRecord:
    """A row of attempts as a value."""
    return AttemptRecord(
        instance_id=row.instance_id,
        number=row.number,
        table=row.table,
        drop_sql=row.drop_sql,
        owner=row.owner,
        status=AttemptStatus(row.status),
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
        dropped_at=row.dropped_at,
        verified=None if row.verified is None else documents.decode_verification(row.verified),
    )
