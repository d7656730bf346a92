"""Completion signals and the batches that answer them: whatever says twice that an ETL job has ended has one effect."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, update

from airflow_atscale_aggs.engine.registry.tables import signals

_AT_ONCE = 500
"""Values in one IN list; SQLite and PostgreSQL take many more."""


def record_signals(connection: Connection, model_id: str, batch_id: str, identities: Collection[str]) -> None:
    """Note that a batch answers signals, in the transaction that begins it."""
    for chunk in chunk_values(sorted({hash_signal(identity) for identity in identities})):
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


def hash_signal(identity: str) -> str:
    """What is kept of a signal: identities may be of any length."""
    return hashlib.sha256(identity.encode()).hexdigest()


def chunk_values(values: Sequence[str]) -> list[Sequence[str]]:
    """Values in pieces that one IN list takes."""
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
