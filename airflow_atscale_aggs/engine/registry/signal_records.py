"""Completion signals and the batches that answer them: whatever says twice that an ETL job has ended has one effect."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus
from airflow_atscale_aggs.engine.registry.reader import RegistryReader
from airflow_atscale_aggs.engine.registry.tables import batches, signals

_AT_ONCE = 500
"""Values in one IN list; SQLite and PostgreSQL take many more."""


class SignalMemory(RegistryReader):
    """What is known of signals; identities of any length are kept as hashes."""

    __slots__ = ()

    def batches_of_signals(self, model_id: str, identities: Collection[str]) -> Mapping[str, str]:
        """Identity to the id of the batch that answers it, for those that were answered.

        Cancelled batches answer none.
        """
        hashes = {_hash(identity): identity for identity in identities}
        batch_by_identity: dict[str, str] = {}
        for chunk in _chunks(sorted(hashes)):
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


def record_signals(connection: Connection, model_id: str, batch_id: str, identities: Collection[str]) -> None:
    """Note that a batch answers signals, in the transaction that begins it."""
    for chunk in _chunks(sorted({_hash(identity) for identity in identities})):
        connection.execute(delete(signals).where(signals.c.model_id == model_id, signals.c.identity.in_(chunk)))
        rows = [{"model_id": model_id, "identity": hashed, "batch_id": batch_id} for hashed in chunk]
        connection.execute(insert(signals), rows)


def inherit_signals(connection: Connection, model_id: str, batch_id: str, closed: Sequence[str]) -> None:
    """Let a new batch answer the signals of the batches that it closes."""
    if closed:
        connection.execute(
            update(signals)
            .where(signals.c.model_id == model_id, signals.c.batch_id.in_(closed))
            .values(batch_id=batch_id)
        )


def _hash(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()


def _chunks(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
