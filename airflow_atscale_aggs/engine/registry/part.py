"""What every part of the registry stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase


@dataclass(frozen=True, slots=True)
class RegistryPart:
    """One subject of the registry's. Every read sees committed data; every write is one transaction."""

    database: RegistryDatabase

    def _rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        with self.database.reading() as connection:
            return connection.execute(query, values).all()

    def _row(self, query: Select[Any], column: ColumnElement[str], value: str, kind: str) -> Any:
        """The row with a value in a column. Raises NotRegisteredError, which names the kind of thing."""
        rows = self._rows(query.where(column == value))
        if not rows:
            raise NotRegisteredError(kind, value)
        return rows[0]
