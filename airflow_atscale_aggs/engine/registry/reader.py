"""Reads of the registry. The router, the UI and sensors are handed a reader, which cannot write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.aggregates.verification import Totals, Verified
from airflow_atscale_aggs.engine.errors import ModelRetiredError, NotRegisteredError, near_names
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
from airflow_atscale_aggs.engine.registry.records import (
    AttemptRecord,
    BatchRecord,
    DefinitionRecord,
    InstanceRecord,
    ModelRecord,
    UnneededTable,
)
from airflow_atscale_aggs.engine.registry.tables import (
    attempts,
    attributes,
    batches,
    definitions,
    deployments,
    instances,
    models,
    settings,
)

_AnyRow = Any
ALL_MODELS = ""
"""Scope of settings that hold for every model."""


def deployed_scope(model_id: str) -> str:
    """Scope of the settings that came with a model's SML, replaced by every deployment."""
    return f"sml:{model_id}"


@dataclass(frozen=True, slots=True)
class RegistryReader:
    """Typed reads; every call sees committed data."""

    database: RegistryDatabase

    def models(self) -> tuple[ModelRecord, ...]:
        """All models that were not retired, by name."""
        return tuple(record for record in self.all_models() if record.retired_at is None)

    def all_models(self) -> tuple[ModelRecord, ...]:
        """All models, retired ones as well, by name."""
        return tuple(map(model_record, self._rows(select(models).order_by(models.c.name, models.c.catalog))))

    def model(self, name_or_id: str) -> ModelRecord:
        """A model by id, by name, or by ``catalog.name``; a retired one where no other has the name.

        Raises:
            NotRegisteredError: none or several have that name; carries near names.
        """
        records = self.all_models()
        wanted = [
            record for record in records if name_or_id in {record.id, record.name, f"{record.catalog}.{record.name}"}
        ]
        wanted = [record for record in wanted if record.retired_at is None] or wanted
        if len(wanted) == 1:
            return wanted[0]
        names = [f"{record.catalog}.{record.name}" for record in wanted]
        raise NotRegisteredError("model", name_or_id, names or near_names(name_or_id, [r.name for r in records]))

    def deployed_model(self, name_or_id: str) -> ModelRecord:
        """A model that was not retired.

        Raises:
            NotRegisteredError: as `model`.
            ModelRetiredError: it was retired.
        """
        record = self.model(name_or_id)
        if record.retired_at is not None:
            raise ModelRetiredError(record.name)
        return record

    def content(self, deployment_id: str) -> bytes:
        """The SML documents of a deployment as they were recorded."""
        return bytes(self._one(select(deployments.c.content), deployments.c.id, deployment_id, "deployment")[0])

    def content_hash(self, deployment_id: str) -> str:
        """The hash of a deployment's content."""
        return str(self._one(select(deployments.c.content_hash), deployments.c.id, deployment_id, "deployment")[0])

    def datasets(self, deployment_id: str) -> Mapping[str, Dataset]:
        """The resolved datasets of a deployment by name."""
        row = self._one(select(deployments.c.datasets), deployments.c.id, deployment_id, "deployment")
        return documents.decode_datasets(row[0])

    def definitions(self, model_id: str, *, include_retired: bool = False) -> tuple[DefinitionRecord, ...]:
        """A model's definitions, oldest first, then by name."""
        query = select(definitions).where(definitions.c.model_id == model_id)
        if not include_retired:
            query = query.where(definitions.c.status == "defined")
        rows = self._rows(query.order_by(definitions.c.created_at, definitions.c.name))
        decoder = documents.DefinitionDecoder(self._attributes)
        return tuple(definition_record(row, decoder) for row in rows)

    def definition(self, definition_id: str) -> DefinitionRecord:
        """A definition by id. Raises NotRegisteredError."""
        row = self._one(select(definitions), definitions.c.id, definition_id, "definition")
        return definition_record(row, documents.DefinitionDecoder(self._attributes))

    def known_definitions(self, model_id: str) -> Mapping[str, tuple[str, str]]:
        """(name, status) of all definitions of a model by id; documents are not read."""
        query = select(definitions.c.id, definitions.c.name, definitions.c.status)
        return {row[0]: (row[1], row[2]) for row in self._rows(query.where(definitions.c.model_id == model_id))}

    def definitions_with_instances(self, model_id: str) -> AbstractSet[str]:
        """Ids of the definitions that a batch was ever begun for."""
        query = select(instances.c.definition_id).where(instances.c.model_id == model_id).distinct()
        return {row[0] for row in self._rows(query)}

    def instances(
        self,
        *,
        model_id: str | None = None,
        batch_id: str | None = None,
        status: InstanceStatus | None = None,
    ) -> tuple[InstanceRecord, ...]:
        """Instances, newest batch first, in build order within a batch."""
        query = select(instances).join(batches, batches.c.id == instances.c.batch_id)
        for column, value in (
            (instances.c.model_id, model_id),
            (instances.c.batch_id, batch_id),
            (instances.c.status, status),
        ):
            if value is not None:
                query = query.where(column == value)
        rows = self._rows(query.order_by(batches.c.created_at.desc(), batches.c.id, instances.c.position))
        return tuple(map(instance_record, rows))

    def instance(self, instance_id: str) -> InstanceRecord:
        """An instance by id. Raises NotRegisteredError."""
        return instance_record(self._one(select(instances), instances.c.id, instance_id, "instance"))

    def active_instances(self, model_id: str) -> tuple[InstanceRecord, ...]:
        """The instances that serve."""
        return self.instances(model_id=model_id, status=InstanceStatus.ACTIVE)

    def serving_tables(self, *, except_model: str) -> Mapping[str, str]:
        """Tables of the instances that serve other models, and whose they are, in words."""
        query = (
            select(instances.c.table, definitions.c.name, models.c.catalog, models.c.name)
            .join(definitions, definitions.c.id == instances.c.definition_id)
            .join(models, models.c.id == instances.c.model_id)
            .where(instances.c.status == InstanceStatus.ACTIVE, instances.c.model_id != except_model)
        )
        return {row[0]: f"aggregate `{row[1]}` of model `{row[2]}.{row[3]}`" for row in self._rows(query)}

    def built_sources(self, batch_id: str) -> Mapping[str, tuple[int, int]]:
        """(winning attempt, rows) of the batch's built instances, by id."""
        query = select(instances.c.id, instances.c.attempt, instances.c.rows).where(
            instances.c.batch_id == batch_id, instances.c.status.in_(("done", "active"))
        )
        return {row[0]: (row[1], row[2] or 0) for row in self._rows(query)}

    def last_rows(self, model_id: str) -> Mapping[tuple[str, str], int]:
        """Rows of the newest built instance by (definition id, fact); staged ones are not known to go live."""
        query = (
            select(instances.c.definition_id, instances.c.fact, instances.c.rows)
            .where(
                instances.c.model_id == model_id,
                instances.c.rows.is_not(None),
                instances.c.status != InstanceStatus.DONE,
            )
            .order_by(instances.c.finished_at)
        )
        return {(row[0], row[1]): row[2] for row in self._rows(query)}

    def batches(self, model_id: str | None = None, limit: int | None = None) -> tuple[BatchRecord, ...]:
        """Batches, newest first."""
        query = select(batches).order_by(batches.c.created_at.desc(), batches.c.id)
        if model_id is not None:
            query = query.where(batches.c.model_id == model_id)
        return tuple(map(batch_record, self._rows(query.limit(limit) if limit else query)))

    def batches_with_pending_views(self, model_id: str | None = None) -> tuple[BatchRecord, ...]:
        """Batches, oldest first, of which some stable view does not show what serves."""
        query = select(batches).where(batches.c.views_pending).order_by(batches.c.created_at, batches.c.id)
        if model_id is not None:
            query = query.where(batches.c.model_id == model_id)
        return tuple(map(batch_record, self._rows(query)))

    def batch(self, batch_id: str) -> BatchRecord:
        """A batch by id. Raises NotRegisteredError."""
        return batch_record(self._one(select(batches), batches.c.id, batch_id, "batch"))

    def surroundings(self, batch_id: str) -> Surroundings | None:
        """What a batch was planned in; None for one of a version that did not look."""
        document = self._one(select(batches.c.surroundings), batches.c.id, batch_id, "batch")[0]
        return None if document is None else documents.decode_surroundings(document)

    def open_batch_of(self, model_id: str) -> BatchRecord | None:
        """The model's batch that is in progress, whoever holds it."""
        query = select(batches).where(batches.c.model_id == model_id, batches.c.status == BatchStatus.IN_PROGRESS)
        rows = self._rows(query)
        return batch_record(rows[0]) if rows else None

    def attempts(self, *, instance_id: str | None = None, batch_id: str | None = None) -> tuple[AttemptRecord, ...]:
        """Attempts, in order, of an instance, of a batch, or all."""
        query = select(attempts).order_by(attempts.c.instance_id, attempts.c.number)
        if instance_id is not None:
            query = query.where(attempts.c.instance_id == instance_id)
        if batch_id is not None:
            query = query.join(instances, instances.c.id == attempts.c.instance_id).where(
                instances.c.batch_id == batch_id
            )
        return tuple(map(attempt_record, self._rows(query)))

    def verification_of(self, instance_id: str, number: int) -> Verified | None:
        """How an attempt's table was compared with the facts; None when it was not, or never built."""
        rows = self._rows(
            select(attempts.c.verified).where(attempts.c.instance_id == instance_id, attempts.c.number == number)
        )
        return documents.decode_verification(rows[0][0]) if rows and rows[0][0] is not None else None

    def facts_totals(self, batch_id: str, facts_key: str) -> Totals | None:
        """The totals of a fact that a build of the batch has taken last; None before the first.

        Args:
            facts_key: as in `Verified`.
        """
        query = (
            select(attempts.c.verified)
            .join(instances, instances.c.id == attempts.c.instance_id)
            .where(instances.c.batch_id == batch_id, attempts.c.facts_key == facts_key)
            .order_by(attempts.c.finished_at.desc())
        )
        rows = self._rows(query.limit(1))
        return documents.decode_verification(rows[0][0]).totals if rows else None

    def tables_to_drop(self, now: datetime) -> tuple[UnneededTable, ...]:
        """Tables that may exist in the warehouse and that nothing needs any more, with the reason.

        Never the winning table of a DONE or ACTIVE instance, never one that an owner with a live lease is writing.
        """
        is_winner = attempts.c.number == instances.c.attempt
        lost = or_(attempts.c.status.in_((AttemptStatus.FAILED, AttemptStatus.INTERRUPTED)), ~is_winner)
        is_over = instances.c.status == InstanceStatus.CANCELLED
        is_superseded = and_(instances.c.status == InstanceStatus.SUPERSEDED, instances.c.drop_after <= now)
        is_idle = or_(batches.c.status != BatchStatus.IN_PROGRESS, batches.c.lease_until <= now, ~is_winner)
        query = (
            select(attempts, instances.c.status, instances.c.step, batches.c.schema)
            .join(instances, instances.c.id == attempts.c.instance_id)
            .join(batches, batches.c.id == instances.c.batch_id)
            .where(attempts.c.dropped_at.is_(None), or_(lost, is_over, is_superseded), is_idle)
            .order_by(attempts.c.table)
        )
        return tuple(map(_unneeded_table, self._rows(query)))

    def tables_that_came_back(self, existing: AbstractSet[str]) -> tuple[UnneededTable, ...]:
        """Tables that were dropped, or found absent, and are there again.

        A database server goes on with a statement whose client was killed; what it creates may appear after the sweep.

        Args:
            existing: names of the tables in the warehouse now.
        """
        dropped = attempts.c.dropped_at.is_not(None)
        back = [row[0] for row in self._rows(select(attempts.c.table).where(dropped)) if row[0] in existing]
        if not back:
            return ()
        query = (
            select(attempts, instances.c.status, instances.c.step, batches.c.schema)
            .join(instances, instances.c.id == attempts.c.instance_id)
            .join(batches, batches.c.id == instances.c.batch_id)
            .where(dropped, attempts.c.table.in_(back))
            .order_by(attempts.c.table)
        )
        return tuple(map(_unneeded_table, self._rows(query)))

    def settings(self, model_id: str | None) -> Mapping[str, str]:
        """Product key to value: of a model, or (None) of all models."""
        scope = ALL_MODELS if model_id is None else model_id
        query = select(settings.c.key, settings.c.value).where(settings.c.scope == scope)
        return {row[0]: row[1] for row in self._rows(query)}

    def batch_of_owner(self, model_id: str, owner: str) -> BatchRecord | None:
        """The newest batch of a model that an owner drives."""
        query = (
            select(batches)
            .where(batches.c.model_id == model_id, batches.c.owner == owner)
            .order_by(batches.c.created_at.desc())
            .limit(1)
        )
        rows = self._rows(query)
        return batch_record(rows[0]) if rows else None

    def deployed_settings(self, model_id: str) -> Mapping[str, str]:
        """Product key to value, as the model's SML folder says."""
        return self.settings(deployed_scope(model_id))

    def version(self, model_id: str) -> int:
        """A number that grows with every deployment and activation; caches key on it."""
        return int(self._one(select(models.c.change_counter), models.c.id, model_id, "model")[0])

    def instance_counts(self, batch_id: str) -> Mapping[str, int]:
        """Number of the batch's instances by status."""
        query = (
            select(instances.c.status, func.count())
            .where(instances.c.batch_id == batch_id)
            .group_by(instances.c.status)
        )
        return {row[0]: row[1] for row in self._rows(query)}

    def close(self) -> None:
        """Close all connections."""
        self.database.dispose()

    def _attributes(self) -> Mapping[str, bytes]:
        """Documents of the attributes that definitions refer to."""
        return {row[0]: row[1] for row in self._rows(select(attributes.c.id, attributes.c.document))}

    def _rows(self, query: Select[Any]) -> Sequence[_AnyRow]:
        with self.database.reading() as connection:
            return connection.execute(query).all()

    def _one(self, query: Select[Any], column: ColumnElement[str], value: str, kind: str) -> _AnyRow:
        rows = self._rows(query.where(column == value))
        if not rows:
            raise NotRegisteredError(kind, value)
        return rows[0]


def model_record(row: _AnyRow) -> ModelRecord:
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
    )


def definition_record(row: _AnyRow, decoder: documents.DefinitionDecoder) -> DefinitionRecord:
    """A row of definitions as a value."""
    return DefinitionRecord(
        definition=decoder.decode(row.document),
        status=row.status,
        created_at=row.created_at,
        retired_at=row.retired_at,
        reason=row.reason,
        status_reason=row.status_reason,
        evidence=documents.decode_evidence(row.evidence) if row.evidence else {},
        defined_at=row.defined_at or row.created_at,
    )


def batch_record(row: _AnyRow) -> BatchRecord:
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
    )


def instance_record(row: _AnyRow) -> InstanceRecord:
    """A row of instances as a value."""
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


def attempt_record(row: _AnyRow) -> AttemptRecord:
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


def _unneeded_table(row: _AnyRow) -> UnneededTable:
    attempt = attempt_record(row)
    if attempt.status in {AttemptStatus.FAILED, AttemptStatus.INTERRUPTED}:
        why = f"attempt {attempt.number} was {attempt.status}"
    else:
        why = f"its instance is {row[-3]}"
    step = documents.decode_step(row.step)
    return UnneededTable(
        attempt=attempt,
        schema=row.schema,
        aggregate=step.aggregate,
        why=why,
        view=step.view,
        drop_view_sql=step.drop_view_sql,
    )
