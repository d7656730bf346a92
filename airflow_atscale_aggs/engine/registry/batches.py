"""Batch builds: one of a model at a time, held by an owner under a lease; every status is moved by compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.errors import BatchHeldError, IllegalTransitionError, StaleStatusError
from airflow_atscale_aggs.engine.registry import documents, tables
from airflow_atscale_aggs.engine.registry.activation import activate_instances
from airflow_atscale_aggs.engine.registry.models import ModelReader
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.record_rows import batch_record
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from airflow_atscale_aggs.engine.registry.shared_changes import cancel_unactivated, lock_model
from airflow_atscale_aggs.engine.registry.signal_records import (
    chunk_values,
    hash_signal,
    inherit_signals,
    record_signals,
)
from airflow_atscale_aggs.engine.registry.standings import name_key, refresh_standings_of_batches
from airflow_atscale_aggs.engine.registry.tables import batches, instances, signals
from airflow_atscale_aggs.engine.registry.usual_builds import note_usual_seconds

VIEW_NOTE = "Stable view "
"""How notes about stable views begin."""

_NO_OVERRIDES: Mapping[str, str] = {}
_UNFINISHED = (BatchStatus.IN_PROGRESS, BatchStatus.FAILED)


class BatchReader(RegistryPart):
    """Reads about batches."""

    __slots__ = ()

    def find(self, model_id: str | None = None, limit: int | None = None) -> tuple[BatchRecord, ...]:
        """Batches, newest first."""
        query = select(batches).order_by(batches.c.created_at.desc(), batches.c.id)
        if model_id is not None:
            query = query.where(batches.c.model_id == model_id)
        return tuple(map(batch_record, self._rows(query.limit(limit) if limit else query)))

    def get(self, batch_id: str) -> BatchRecord:
        """A batch by id. Raises NotRegisteredError."""
        return batch_record(self._row(select(batches), batches.c.id, batch_id, "batch"))

    def with_pending_views(self, model_id: str | None = None) -> tuple[BatchRecord, ...]:
        """Batches, oldest first, of which some stable view does not show what serves."""
        query = select(batches).where(batches.c.views_pending).order_by(batches.c.created_at, batches.c.id)
        if model_id is not None:
            query = query.where(batches.c.model_id == model_id)
        return tuple(map(batch_record, self._rows(query)))

    def surroundings(self, batch_id: str) -> Surroundings | None:
        """What a batch was planned in; None for one of a version that did not look."""
        document = self._row(select(batches.c.surroundings), batches.c.id, batch_id, "batch")[0]
        return None if document is None else documents.decode_surroundings(document)

    def open_of(self, model_id: str) -> BatchRecord | None:
        """The model's batch that is in progress, whoever holds it."""
        query = select(batches).where(batches.c.model_id == model_id, batches.c.status == BatchStatus.IN_PROGRESS)
        rows = self._rows(query)
        return batch_record(rows[0]) if rows else None

    def of_owner(self, model_id: str, owner: str) -> BatchRecord | None:
        """The newest batch of a model that an owner drives."""
        query = (
            select(batches)
            .where(batches.c.model_id == model_id, batches.c.owner == owner)
            .order_by(batches.c.created_at.desc())
            .limit(1)
        )
        rows = self._rows(query)
        return batch_record(rows[0]) if rows else None

    def of_signals(self, model_id: str, identities: Collection[str]) -> Mapping[str, str]:
        """Identity to the id of the batch that answers it, for those that were answered.

        Cancelled batches answer none.
        """
        hashes = {hash_signal(identity): identity for identity in identities}
        batch_by_identity: dict[str, str] = {}
        for chunk in chunk_values(sorted(hashes)):
            query = (
                select(signals.c.identity, signals.c.batch_id)
                .join(batches, batches.c.id == signals.c.batch_id)
                .where(
                    signals.c.model_id == model_id,
                    signals.c.identity.in_(chunk),
                    batches.c.status != BatchStatus.CANCELLED,
                )
            )
            batch_by_identity.update((hashes[row[0]], row[1]) for row in self._rows(query))
        return batch_by_identity

    def of_signal(self, model_ids: Collection[str], identity: str) -> BatchRecord | None:
        """The batch of one of some models that answers a signal, also a cancelled one; None when there is none."""
        query = (
            select(batches)
            .join(signals, signals.c.batch_id == batches.c.id)
            .where(signals.c.model_id.in_(sorted(model_ids)), signals.c.identity == hash_signal(identity))
            .order_by(batches.c.created_at.desc())
            .limit(1)
        )
        rows = self._rows(query)
        return batch_record(rows[0]) if rows else None


class BatchWriter(RegistryPart):
    """Writes about batches."""

    __slots__ = ()

    def open(
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
        slices_through: int = 0,
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
            slices_through: number of the last slice that had been named when it was planned.
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
            "slices_through": slices_through,
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
                "aggregate": step.aggregate,
                "name_key": name_key(step.aggregate),
                "batch_created_at": now,
                "settings_needed": None
                if step.settings_needed is None
                else documents.encode_notes(step.settings_needed),
            }
            for step in steps
        ]
        written = [{"instance_id": step.instance_id, "document": documents.encode_step(step)} for step in steps]
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
                cancel_unactivated(connection, instances.c.batch_id.in_(failed))
                connection.execute(
                    update(batches)
                    .where(batches.c.model_id == model_id, is_over)
                    .values(status=BatchStatus.CANCELLED, finished_at=func.coalesce(batches.c.finished_at, now))
                )
                connection.execute(insert(batches), batch)
                if rows:
                    connection.execute(insert(instances), rows)
                    connection.execute(insert(tables.steps), written)
                    note_usual_seconds(connection, batch_id)
                inherit_signals(connection, model_id, batch_id, closed)
                record_signals(connection, model_id, batch_id, signals)
                refresh_standings_of_batches(connection, batch_id, *closed)
        except IntegrityError:
            raise self._batch_held_error(model_id) from None
        return self._batch(batch_id)

    def take_over(
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
                is_moved = _move_held_batch(connection, batch_id, _UNFINISHED, previous_owner, values)
                if is_moved and fresh_allowance:
                    connection.execute(
                        update(instances)
                        .where(instances.c.batch_id == batch_id, instances.c.status == InstanceStatus.FAILED)
                        .values(failures=0)
                    )
                if is_moved and signals:
                    record_signals(connection, self._model_of(connection, batch_id), batch_id, signals)
        except IntegrityError:
            raise self._batch_held_error(self._batch(batch_id).model_id) from None
        batch = self._batch(batch_id)
        if not is_moved:
            raise StaleStatusError(
                "Batch", batch_id, f"held by {previous_owner}", f"{batch.status}, held by {batch.owner}"
            )
        return batch

    def add_signals(self, batch_id: str, signals: Collection[str]) -> None:
        """Note that a batch answers further completion signals; those that another one answers are left to it.

        A cancelled batch answers none.
        """
        model_id = self._batch(batch_id).model_id
        answered = BatchReader(self.database).of_signals(model_id, signals)
        if new := set(signals) - set(answered):
            with self.database.writing() as connection:
                record_signals(connection, model_id, batch_id, new)

    def renew_lease(self, batch_id: str, *, owner: str, until: datetime) -> None:
        """Say that the owner is alive. Raises StaleStatusError when the batch is no longer the owner's."""
        self._move(batch_id, (BatchStatus.IN_PROGRESS,), owner, {"lease_until": until})

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
        values = {"status": BatchStatus.DONE, "views_pending": True, "finished_at": now}
        with self.database.writing() as connection:
            model_id = self._model_of(connection, batch_id)
            lock_model(connection, model_id)
            is_moved = _move_held_batch(connection, batch_id, _UNFINISHED, owner, values)
            if is_moved:
                activate_instances(connection, model_id, batch_id, now=now, drop_after=drop_after)
        batch = self._batch(batch_id)
        if not is_moved:
            raise self._stale_batch_error(batch, owner)
        return batch

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

    def fail(self, batch_id: str, *, owner: str, now: datetime) -> BatchRecord:
        """End a batch as FAILED; its instances stay as they are, for a resume. Raises StaleStatusError."""
        return self._move(batch_id, _UNFINISHED, owner, {"status": BatchStatus.FAILED, "finished_at": now})

    def cancel(self, batch_id: str, *, now: datetime) -> BatchRecord:
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
                cancel_unactivated(connection, instances.c.batch_id == batch_id)
                refresh_standings_of_batches(connection, batch_id)
        batch = self._batch(batch_id)
        if not moved_rows:
            raise IllegalTransitionError("Batch", batch_id, batch.status, BatchStatus.CANCELLED)
        return batch

    def _move(
        self, batch_id: str, from_: Sequence[BatchStatus], owner: str, values: Mapping[str, object]
    ) -> BatchRecord:
        with self.database.writing() as connection:
            is_moved = _move_held_batch(connection, batch_id, from_, owner, values)
        batch = self._batch(batch_id)
        if not is_moved:
            raise self._stale_batch_error(batch, owner)
        return batch

    def _batch(self, batch_id: str) -> BatchRecord:
        return BatchReader(self.database).get(batch_id)

    @staticmethod
    def _model_of(connection: Connection, batch_id: str) -> str:
        return str(connection.scalar(select(batches.c.model_id).where(batches.c.id == batch_id)))

    def _batch_held_error(self, model_id: str) -> BatchHeldError:
        name = ModelReader(self.database).get(model_id).name
        current = BatchReader(self.database).open_of(model_id)
        if current is None:
            return BatchHeldError(name, "?", "somebody who has just finished", "now")
        return BatchHeldError(name, current.id, current.owner, current.lease_until.isoformat(timespec="seconds"))

    @staticmethod
    def _stale_batch_error(batch: BatchRecord, owner: str) -> StaleStatusError:
        expected = f"{BatchStatus.IN_PROGRESS} under {owner}"
        return StaleStatusError("Batch", batch.id, expected, f"{batch.status} under {batch.owner}")


def _move_held_batch(
    connection: Connection, batch_id: str, from_: Sequence[BatchStatus], owner: str, values: Mapping[str, object]
) -> bool:
    """Change a batch if an owner still holds it in one of the statuses; False when it does not."""
    held = (batches.c.id == batch_id, batches.c.status.in_(from_), batches.c.owner == owner)
    return connection.execute(update(batches).where(*held).values(**values)).rowcount > 0
