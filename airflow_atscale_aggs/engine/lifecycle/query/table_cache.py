"""Keep what the warehouse has under the names that queries use. It is asked once a minute at most, not once a query."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import TableColumns, TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Folding

KEPT_FOR = timedelta(minutes=1)
"""How long a table is taken to be there, or not to be there."""


class WarehouseTables:
    """Tables by the names that queries use, as one router has read them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._columns: dict[TableKey, TableColumns | None] = {}
        self._is_there: dict[TableKey, bool] = {}
        self._here: frozenset[str] | None = None
        self._since: datetime | None = None

    def find(self, keys: Sequence[TableKey]) -> list[TableColumns | None]:
        """Columns of tables of the default schema or of the one that is named, in the order asked; None for others."""
        new = [key for key in dict.fromkeys(keys) if key not in self._columns]
        if new:
            with self._workspace.warehouse.session() as session:
                columns_by_key = session.columns(new)
            self._columns |= {key: self._if_spelled_so(key, columns_by_key.get(key)) for key in new}
        return [self._columns[key] for key in keys]

    def are_there(self, keys: Sequence[TableKey]) -> list[bool]:
        """Whether a query could read each name, wherever the warehouse looks for it; in the order asked."""
        new = [key for key in dict.fromkeys(keys) if key not in self._is_there]
        if new:
            with self._workspace.warehouse.session() as session:
                there = session.find_readable(new)
            self._is_there |= {key: key in there for key in new}
        return [self._is_there[key] for key in keys]

    def here(self) -> frozenset[str]:
        """Names of the default schema and of the database, in lower case."""
        if self._here is None:
            self._here = frozenset()
            with contextlib.suppress(PermanentWarehouseError), self._workspace.warehouse.session() as session:
                self._here = frozenset(name.casefold() for name in session.own_place() if name)
        return self._here

    def holds(self, is_there_by_key: Mapping[TableKey, bool]) -> bool:
        """Whether the same names exist as when this was written down."""
        return self.are_there(list(is_there_by_key)) == list(is_there_by_key.values())

    def forget_old(self, now: datetime) -> None:
        """Forget everything that is older than a minute."""
        if self._since is None or not timedelta(0) <= now - self._since <= KEPT_FOR:
            self._columns.clear()
            self._is_there.clear()
            self._since = now

    def _if_spelled_so(self, key: TableKey, columns: TableColumns | None) -> TableColumns | None:
        """The columns, unless the table is spelled otherwise than the name.

        That counts only where the warehouse tells names apart that differ in case.
        """
        if columns is None or self._workspace.warehouse.dialect.folding is Folding.KEEP:
            return columns
        return columns if columns.spelled[2] == key[2] else None


def key_of(table: exp.Table) -> TableKey:
    """Database, schema and name as a query has them."""
    return (table.catalog or None, table.db or None, table.name)
