"""What tells this registry from others: its id, and the stamp that it has written into schemas."""

from __future__ import annotations

from sqlalchemy import select, update

from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.tables import batches, identity


class OwnershipReader(RegistryPart):
    """Reads about the registry itself."""

    __slots__ = ()

    def registry_id(self) -> str:
        """The registry's id: made with it, the same in every copy of it."""
        return str(self._rows(select(identity.c.id))[0][0])

    def has_written(self, stamp: str) -> bool:
        """Whether this registry wrote the stamp into a schema.

        It is a batch that it has begun, or it took the schema over.

        A copy of the registry that went its own way has not begun the batches of the other.
        """
        mine = select(batches.c.id).where(batches.c.id == stamp)
        took_over = select(identity.c.id).where(identity.c.stamp == stamp, identity.c.stamp != "")
        return bool(self._rows(mine) or self._rows(took_over))


class OwnershipWriter(RegistryPart):
    """Writes about the registry itself."""

    __slots__ = ()

    def put_stamp(self, stamp: str) -> None:
        """Write a stamp down before it is written into a schema."""
        with self.database.writing() as connection:
            connection.execute(update(identity).values(stamp=stamp))
