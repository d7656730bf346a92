"""Slices that were named as changed, counted by model: each is due until all that serves was built with it.

A slice is recorded before the batch that makes it anew, and stays when that batch fails or is cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.shared_changes import lock_model
from airflow_atscale_aggs.engine.registry.tables import batches, instances, named_slices


class SliceReader(RegistryPart):
    """Reads about named slices."""

    __slots__ = ()

    def due(self, model_id: str) -> tuple[NamedSlice, ...]:
        """The slices that something which serves was not built with, in the order in which they were named.

        Whatever serves is due from the number on that its batch goes up to, see `BatchRecord.slices_through`.
        """
        query = (
            select(named_slices)
            .where(named_slices.c.model_id == model_id, named_slices.c.number > _covered(model_id))
            .order_by(named_slices.c.number)
        )
        return tuple(
            NamedSlice(dataset=row.dataset, first=row.first, last=row.last, number=row.number)
            for row in self._rows(query)
        )

    def newest(self, model_id: str) -> int:
        """Number of the slice that was named last; 0 where none ever was."""
        with self.database.reading() as connection:
            return _newest(connection, model_id)


class SliceWriter(RegistryPart):
    """Writes about named slices."""

    __slots__ = ()

    def name(self, model_id: str, slices: Sequence[NamedSlice], *, named_by: str, is_new: bool, now: datetime) -> None:
        """Record slices, and forget those that everything which serves was built with.

        Args:
            named_by: the owner of the batch that is asked for.
            is_new: they have changed again since they were named before. Otherwise slices that the same owner has
                named, and that no batch has ended well with, are not recorded twice.
        """
        done = select(func.coalesce(func.max(batches.c.slices_through), 0)).where(
            batches.c.model_id == model_id, batches.c.status == BatchStatus.DONE
        )
        open_slices = select(named_slices.c.dataset, named_slices.c.first, named_slices.c.last).where(
            named_slices.c.model_id == model_id,
            named_slices.c.named_by == named_by,
            named_slices.c.number > done.scalar_subquery(),
        )
        with self.database.writing() as connection:
            lock_model(connection, model_id)
            known = set() if is_new else {tuple(row) for row in connection.execute(open_slices)}
            new = [named for named in slices if (named.dataset, named.first, named.last) not in known]
            newest = _newest(connection, model_id)
            connection.execute(
                delete(named_slices).where(
                    named_slices.c.model_id == model_id, named_slices.c.number <= _covered(model_id)
                )
            )
            rows = [
                {
                    "model_id": model_id,
                    "number": number,
                    "dataset": named.dataset,
                    "first": named.first,
                    "last": named.last,
                    "named_by": named_by,
                    "named_at": now,
                }
                for number, named in enumerate(new, newest + 1)
            ]
            if rows:
                connection.execute(insert(named_slices), rows)


def _newest(connection: Connection, model_id: str) -> int:
    """The greatest number of a slice. Slices are forgotten; batches that go up to them are not."""
    slices = select(func.max(named_slices.c.number)).where(named_slices.c.model_id == model_id)
    through = select(func.max(batches.c.slices_through)).where(batches.c.model_id == model_id)
    return max(connection.scalar(slices) or 0, connection.scalar(through) or 0)


def _covered(model_id: str) -> ColumnElement[int]:
    """The number of the last slice that everything of a model which serves was built with."""
    query: Select[tuple[int]] = (
        select(func.coalesce(func.min(batches.c.slices_through), 0))
        .join(instances, instances.c.batch_id == batches.c.id)
        .where(instances.c.model_id == model_id, instances.c.status == InstanceStatus.ACTIVE)
    )
    return query.scalar_subquery()
