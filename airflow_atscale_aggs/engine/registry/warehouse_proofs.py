"""What was proven of warehouses at first contact, so that not each process asks them anew.

It is kept beside the settings, in a scope of its own: place of a warehouse to what was proven there.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.tables import settings

_SCOPE = "proven:"


class WarehouseProofReader(RegistryPart):
    """Reads what was proven."""

    __slots__ = ()

    def find(self, place: str) -> str:
        """What was proven of the warehouse at a place; empty: nothing."""
        rows = self._rows(select(settings.c.value).where(settings.c.scope == _SCOPE, settings.c.key == place))
        return str(rows[0][0]) if rows else ""


class WarehouseProofWriter(RegistryPart):
    """Writes what was proven."""

    __slots__ = ()

    def put(self, place: str, proof: str) -> None:
        """Keep what was proven of the warehouse at a place, instead of what was before."""
        of_place = (settings.c.scope == _SCOPE, settings.c.key == place)
        with self.database.writing() as connection:
            connection.execute(delete(settings).where(*of_place))
            connection.execute(insert(settings).values(scope=_SCOPE, key=place, value=proof))
