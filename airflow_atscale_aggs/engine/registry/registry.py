"""Writes of the registry: one transaction per call, every status moved by compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.errors import BatchHeldError, IllegalTransitionError, StaleStatusError
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.attempts import AttemptWrites
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.deployments import DeploymentWrites
from airflow_atscale_aggs.engine.registry.quality_records import QualityMemory
from airflow_atscale_aggs.engine.registry.query_records import QueryLog
from airflow_atscale_aggs.engine.registry.reader import ALL_MODELS
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from airflow_atscale_aggs.engine.registry.retention_records import RetentionWrites
from airflow_atscale_aggs.engine.registry.segment_records import SegmentMemory
from airflow_atscale_aggs.engine.registry.signal_records import SignalMemory, inherit_signals, record_signals
from airflow_atscale_aggs.engine.registry.successions import SuccessionWrites, complete_successions
from airflow_atscale_aggs.engine.registry.system_definitions import SystemDefinitionWrites
from airflow_atscale_aggs.engine.registry.tables import batches, definitions, instances, models, settings
from airflow_atscale_aggs.engine.registry.written_schemas import OwnershipMemory

VIEW_NOTE = "Stable view "
"""How notes about stable views begin."""

_NO_OVERRIDES: Mapping[str, str] = {}
_OPEN_ENDS = (InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.FAILED, InstanceStatus.DONE)


def open_registry(url: str) -> Registry:
    """The registry in a database; an empty database is initialised.

    Args:
        url: ``sqlite:///registry.sqlite`` or ``postgresql+psycopg://…``.

    Raises:
        RegistryVersionError: its schema is older or newer; names both versions and the command that upgrades it.
        RegistryUnavailableError: the database cannot be reached.
    """
    database = RegistryDatabase(url)
    if not database.check_version():
        upgrade_registry(url)
    return Registry(database)


class Registry(
    DeploymentWrites,
    SystemDefinitionWrites,
    AttemptWrites,
    SegmentMemory,
    SignalMemory,
    QueryLog,
    QualityMemory,
    SuccessionWrites,
    RetentionWrites,
    OwnershipMemory,
):
    """Everything a reader can do, and the writes. Safe to share between threads."""

    __slots__ = ()

    def open_batch(
        self,
        *,
        batch_id: str,
        model_id: str,
        deployment_id: str,
        build_type: BuildType,
        owner: str,
        lease_until: datetime,
        steps: Sequence[BuildStep],
        notes: tuple[str, ...] = (),
        schema: str = "",
        aggregates: tuple[str, ...] = (),
        signals: tuple[str, ...] = (),
        surroundings: Surroundings | None = None,
        grace_periods: Mapping[str, str] = _NO_OVERRIDES,
        sources: tuple[SourceMark, ...] = (),
        closes: BatchRecord | None = None,
        now: datetime,
    ) -> BatchRecord:
        """Record a batch and its instances (NEW) in one transaction.

        An older FAILED batch of the model is closed with it: what it had staged is CANCELLED, its signals are answered
        by the new one.

        Args:
            aggregates: names of those it was asked to build; empty: all of the model.
            signals: identities of the completion signals that it answers.
            surroundings: what it was planned in; None where nobody looked.
            grace_periods: durations by dataset that were asked for.
            sources: the state in which the datasets were found.
            closes: a batch in progress that is closed as well, if its owner is still who the caller saw: the caller
                decides that this one is silent.

        Raises:
            BatchHeldError: the model has a batch in progress; the database allows one only.
        """
        batch = {
            "id": batch_id,
            "model_id": model_id,
            "deployment_id": deployment_id,
            "build_type": build_type,
            "status": BatchStatus.IN_PROGRESS,
            "owner": owner,
            "lease_until": lease_until,
            "views_pending": False,
            "schema": schema,
            "notes": documents.encode_notes(notes),
            "aggregates": documents.encode_notes(aggregates) if aggregates else None,
            "surroundings": None if surroundings is None else documents.encode_surroundings(surroundings),
            "grace_periods": documents.encode_grace_periods(grace_periods) if grace_periods else None,
            "sources": documents.encode_sources(sources) if sources else None,
            "created_at": now,
        }
        rows = [
            {
                "id": step.instance_id,
                "batch_id": batch_id,
                "model_id": model_id,
                "definition_id": step.definition_id,
                "fact": step.fact,
                "position": step.position,
                "status": InstanceStatus.NEW,
                "step": documents.encode_step(step),
            }
            for step in steps
        ]
        is_over = batches.c.status == BatchStatus.FAILED
        if closes is not None:
            is_silent = (batches.c.owner == closes.owner, batches.c.lease_until == closes.lease_until)
            is_over = or_(
                is_over, and_(batches.c.id == closes.id, batches.c.status == BatchStatus.IN_PROGRESS, *is_silent)
            )
        failed = select(batches.c.id).where(batches.c.model_id == model_id, is_over)
        try:
            with self.database.writing() as connection:
                closed = [row[0] for row in connection.execute(failed)]
                connection.execute(
                    update(instances)
                    .where(instances.c.batch_id.in_(failed), instances.c.status.in_(_OPEN_ENDS))
                    .values(status=InstanceStatus.CANCELLED)
                )
                connection.execute(
                    update(batches)
                    .where(batches.c.model_id == model_id, is_over)
                    .values(status=BatchStatus.CANCELLED, finished_at=func.coalesce(batches.c.finished_at, now))
                )
                connection.execute(insert(batches), batch)
                if rows:
                    connection.execute(insert(instances), rows)
                inherit_signals(connection, model_id, batch_id, closed)
                record_signals(connection, model_id, batch_id, signals)
        except IntegrityError:
            raise self._batch_held_error(model_id) from None
        return self.batch(batch_id)

    def take_over_batch(
        self,
        batch_id: str,
        *,
        owner: str,
        previous_owner: str,
        lease_until: datetime,
        fresh_allowance: bool = False,
        signals: tuple[str, ...] = (),
    ) -> BatchRecord:
        """Make an owner the holder of an open or failed batch, if it is still held as the caller saw it.

        The caller decides that the previous owner is silent; here only the comparison is made.

        Args:
            fresh_allowance: forget the failed attempts of instances that are FAILED, and of the batch.
            signals: identities of further completion signals that it answers.

        Raises:
            StaleStatusError: somebody else took it first.
            BatchHeldError: another batch of the model is in progress, so that a failed one cannot be opened again.
        """
        values: dict[str, object] = {
            "owner": owner,
            "lease_until": lease_until,
            "status": BatchStatus.IN_PROGRESS,
            "finished_at": None,
        }
        if fresh_allowance:
            values["failures"] = 0
        try:
            with self.database.writing() as connection:
                moved_rows = connection.execute(
                    update(batches)
                    .where(
                        batches.c.id == batch_id,
                        batches.c.owner == previous_owner,
                        batches.c.status.in_((BatchStatus.IN_PROGRESS, BatchStatus.FAILED)),
                    )
                    .values(**values)
                ).rowcount
                if moved_rows and fresh_allowance:
                    connection.execute(
                        update(instances)
                        .where(instances.c.batch_id == batch_id, instances.c.status == InstanceStatus.FAILED)
                        .values(failures=0)
                    )
                if moved_rows and signals:
                    record_signals(connection, self._model_of(connection, batch_id), batch_id, signals)
        except IntegrityError:
            raise self._batch_held_error(self.batch(batch_id).model_id) from None
        batch = self.batch(batch_id)
        if not moved_rows:
            raise StaleStatusError(
                "Batch", batch_id, f"held by {previous_owner}", f"{batch.status}, held by {batch.owner}"
            )
        return batch

    def renew_lease(self, batch_id: str, *, owner: str, until: datetime) -> None:
        """Say that the owner is alive. Raises StaleStatusError when the batch is no longer the owner's."""
        self._move_batch(batch_id, (BatchStatus.IN_PROGRESS,), owner, {"lease_until": until})

    def activate(self, batch_id: str, *, owner: str, now: datetime, drop_after: datetime) -> BatchRecord:
        """Make all DONE instances ACTIVE and the ones they replace SUPERSEDED, in one transaction.

        Instances of definitions that are not defined any more are SUPERSEDED as well, and serve no more; unless an
        aggregate of the same name has taken their place, their tables are retained (AtScale, "Life Cycle of Aggregate
        Tables": Deleted). Definitions whose successor is active now give way to it
        (`successions.complete_successions`).

        The batch is DONE with ``views_pending``; instances that are not built are CANCELLED, FAILED ones stay FAILED.

        Args:
            drop_after: when the tables of superseded instances may go.

        Raises:
            StaleStatusError: the batch is neither in progress nor failed under this owner; nothing was changed.
        """
        with self.database.writing() as connection:
            moved_rows = connection.execute(
                update(batches)
                .where(
                    batches.c.id == batch_id,
                    batches.c.status.in_((BatchStatus.IN_PROGRESS, BatchStatus.FAILED)),
                    batches.c.owner == owner,
                )
                .values(status=BatchStatus.DONE, views_pending=True, finished_at=now)
            ).rowcount
            if moved_rows:
                own = instances.c.batch_id == batch_id
                model = select(batches.c.model_id).where(batches.c.id == batch_id).scalar_subquery()
                # An instance of a definition that is not defined would never be rebuilt, and would serve old rows.
                retired = select(definitions.c.id).where(
                    definitions.c.model_id == model, definitions.c.status != "defined"
                )
                connection.execute(
                    update(instances)
                    .where(own, instances.c.status == InstanceStatus.DONE, instances.c.definition_id.in_(retired))
                    .values(status=InstanceStatus.CANCELLED)
                )
                built = instances.alias("built")
                replaced = (
                    select(built.c.id)
                    .where(
                        built.c.batch_id == batch_id,
                        built.c.status == InstanceStatus.DONE,
                        built.c.definition_id == instances.c.definition_id,
                        built.c.fact == instances.c.fact,
                    )
                    .exists()
                )
                heirs = definitions.alias("heirs")
                has_heir = (
                    select(heirs.c.id)
                    .where(heirs.c.model_id == model, heirs.c.status == "defined", heirs.c.name == definitions.c.name)
                    .exists()
                )
                is_changed = instances.c.definition_id.in_(retired.where(has_heir))
                is_gone = instances.c.definition_id.in_(retired.where(~has_heir))
                is_active = instances.c.status == InstanceStatus.ACTIVE
                for which, when in ((or_(replaced, is_changed), drop_after), (is_gone, None)):
                    connection.execute(
                        update(instances)
                        .where(is_active, which)
                        .values(status=InstanceStatus.SUPERSEDED, drop_after=when, superseded_at=now)
                    )
                # Older instances of a definition that was retired or blocked, and is now built again.
                is_left = and_(instances.c.status == InstanceStatus.SUPERSEDED, instances.c.drop_after.is_(None))
                connection.execute(update(instances).where(is_left, replaced).values(drop_after=drop_after))
                connection.execute(
                    update(instances)
                    .where(own, instances.c.status == InstanceStatus.DONE)
                    .values(status=InstanceStatus.ACTIVE, activated_at=now)
                )
                connection.execute(
                    update(instances)
                    .where(own, instances.c.status.in_((InstanceStatus.NEW, InstanceStatus.IN_PROGRESS)))
                    .values(status=InstanceStatus.CANCELLED)
                )
                connection.execute(
                    update(models).where(models.c.id == model).values(change_counter=models.c.change_counter + 1)
                )
                complete_successions(connection, str(connection.scalar(select(model))), now)
        batch = self.batch(batch_id)
        if not moved_rows:
            raise self._stale_batch_error(batch, owner)
        return batch

    def give_up(self, instance_ids: Sequence[str]) -> None:
        """Make instances that are not built FAILED, because a person gave them up. Their errors of before are kept."""
        if not instance_ids:
            return
        reason = literal("given up by a person; the old one serves on. ") + func.coalesce(instances.c.error, "")
        with self.database.writing() as connection:
            connection.execute(
                update(instances)
                .where(
                    instances.c.id.in_(instance_ids),
                    instances.c.status.in_((InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.FAILED)),
                )
                .values(status=InstanceStatus.FAILED, error=reason)
            )

    def add_notes(self, batch_id: str, notes: Sequence[str]) -> None:
        """Add sentences to a batch's notes; those that it has already are not added again."""
        if not notes:
            return
        with self.database.writing() as connection:
            row = connection.execute(select(batches.c.notes).where(batches.c.id == batch_id)).one()
            merged = tuple(dict.fromkeys((*documents.decode_notes(row[0]), *notes)))
            values = {"notes": documents.encode_notes(merged)}
            connection.execute(update(batches).where(batches.c.id == batch_id).values(**values))

    def record_view_switch(self, batch_id: str, notes: Sequence[str] = (), *, is_pending: bool = False) -> None:
        """Note that the stable views show the batch's instances, or which do not and why.

        Args:
            notes: each begins with `VIEW_NOTE`; they take the place of the last ones about views.
            is_pending: some view still shows another instance.
        """
        with self.database.writing() as connection:
            row = connection.execute(select(batches.c.notes).where(batches.c.id == batch_id)).first()
            others = [note for note in documents.decode_notes(row[0]) if not note.startswith(VIEW_NOTE)] if row else []
            values = {"views_pending": is_pending, "notes": documents.encode_notes((*others, *notes))}
            connection.execute(update(batches).where(batches.c.id == batch_id).values(**values))

    def fail_batch(self, batch_id: str, *, owner: str, now: datetime) -> BatchRecord:
        """End a batch as FAILED; its instances stay as they are, for a resume. Raises StaleStatusError."""
        return self._move_batch(
            batch_id,
            (BatchStatus.IN_PROGRESS, BatchStatus.FAILED),
            owner,
            {"status": BatchStatus.FAILED, "finished_at": now},
        )

    def cancel_batch(self, batch_id: str, *, now: datetime) -> BatchRecord:
        """Give a batch up, whoever holds it; its instances are CANCELLED.

        Raises:
            IllegalTransitionError: it is DONE.
        """
        with self.database.writing() as connection:
            moved_rows = connection.execute(
                update(batches)
                .where(batches.c.id == batch_id, batches.c.status != BatchStatus.DONE)
                .values(status=BatchStatus.CANCELLED, finished_at=now)
            ).rowcount
            if moved_rows:
                connection.execute(
                    update(instances)
                    .where(instances.c.batch_id == batch_id, instances.c.status.in_(_OPEN_ENDS))
                    .values(status=InstanceStatus.CANCELLED)
                )
        batch = self.batch(batch_id)
        if not moved_rows:
            raise IllegalTransitionError("Batch", batch_id, batch.status, BatchStatus.CANCELLED)
        return batch

    def put_setting(self, model_id: str | None, key: str, value: str) -> None:
        """Set a product key for a model, or (None) for all models."""
        scope = ALL_MODELS if model_id is None else model_id
        with self.database.writing() as connection:
            connection.execute(delete(settings).where(settings.c.scope == scope, settings.c.key == key))
            connection.execute(insert(settings).values(scope=scope, key=key, value=value))

    def delete_setting(self, model_id: str | None, key: str) -> bool:
        """Forget a setting; False when it was not set."""
        scope = ALL_MODELS if model_id is None else model_id
        with self.database.writing() as connection:
            gone = connection.execute(delete(settings).where(settings.c.scope == scope, settings.c.key == key))
            return gone.rowcount > 0

    def _move_batch(
        self, batch_id: str, from_: tuple[BatchStatus, ...], owner: str, values: dict[str, object]
    ) -> BatchRecord:
        with self.database.writing() as connection:
            moved_rows = connection.execute(
                update(batches)
                .where(batches.c.id == batch_id, batches.c.status.in_(from_), batches.c.owner == owner)
                .values(**values)
            ).rowcount
        batch = self.batch(batch_id)
        if not moved_rows:
            raise self._stale_batch_error(batch, owner)
        return batch

    @staticmethod
    def _model_of(connection: Connection, batch_id: str) -> str:
        return str(connection.scalar(select(batches.c.model_id).where(batches.c.id == batch_id)))

    def _batch_held_error(self, model_id: str) -> BatchHeldError:
        name = self.model(model_id).name
        current = self.open_batch_of(model_id)
        if current is None:
            return BatchHeldError(name, "?", "somebody who has just finished", "now")
        return BatchHeldError(name, current.id, current.owner, current.lease_until.isoformat(timespec="seconds"))

    @staticmethod
    def _stale_batch_error(batch: BatchRecord, owner: str) -> StaleStatusError:
        expected = f"{BatchStatus.IN_PROGRESS} under {owner}"
        return StaleStatusError("Batch", batch.id, expected, f"{batch.status} under {batch.owner}")
