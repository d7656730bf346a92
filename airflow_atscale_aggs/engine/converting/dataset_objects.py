"""Datasets of SML with the columns that are calculated in them, collected while metrics and attributes are made."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any

from airflow_atscale_aggs.engine.converting.sml_objects import SmlObject
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_QUOTED_NAME = re.compile(r'"((?:[^"]|"")+)"\Z')
_WORDS_THAT_ARE_VALUES = frozenset(
    {"true", "false", "null", "current_date", "current_timestamp", "localtimestamp", "current_time", "current_user"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlace:
    """Where the rows of a dataset are.

    Attributes:
        table: empty when ``query`` says the rows.
        database, schema: empty: the warehouse's default.
        where: where the other tool's file says so.
    """

    table: str = ""
    query: str = ""
    database: str = ""
    schema: str = ""
    description: str = ""
    where: str = ""


@dataclass(slots=True)
class DatasetObjects:
    """The datasets of one folder.

    Attributes:
        connection: the name of the warehouse connection.
    """

    connection: str
    _places: dict[str, TablePlace] = field(default_factory=dict)
    _columns: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all datasets."""
        return tuple(self._places)

    def add(self, name: str, place: TablePlace) -> str:
        """Add a dataset, unless there is one of that name; its name."""
        self._places.setdefault(name, place)
        self._columns.setdefault(name, {})
        return name

    def column(self, dataset: str, sql: str, hint: str, data_type: str = "") -> str:
        """The column of a dataset that has the value of SQL: the table's own, or one that is calculated.

        Args:
            hint: what a calculated column is named after.
            data_type: SML's name; empty: not known.
        """
        columns = self._columns[dataset]
        own = _own_column(sql)
        if own:
            columns[own] = ("", data_type or columns.get(own, ("", ""))[1])
            return own
        for name, (other, _) in columns.items():
            if other == sql:
                return name
        name, number = f"{hint}__calc", 1
        while name in columns:
            number += 1
            name = f"{hint}__calc_{number}"
        columns[name] = (sql, data_type)
        return name

    def objects(self) -> list[SmlObject]:
        """The connections and datasets."""
        connections: dict[tuple[str, str], str] = {}
        made: list[SmlObject] = []
        for name, place in sorted(self._places.items()):
            key = (place.database, place.schema)
            if key not in connections:
                connections[key] = self.connection if not connections else f"{self.connection}_{len(connections) + 1}"
            value = {
                "unique_name": name,
                "object_type": "dataset",
                "label": name,
                "connection_id": connections[key],
                **({"table": place.table} if place.table else {"sql": place.query}),
                "columns": [_column(column, *said) for column, said in self._columns[name].items()],
                **({"description": place.description} if place.description else {}),
            }
            made.append(SmlObject(value, (f"From {place.where}.",)))
        return [*(self._connection(name, *key) for key, name in connections.items()), *made]

    def _connection(self, name: str, database: str, schema: str) -> SmlObject:
        value = {
            "unique_name": name,
            "object_type": "connection",
            "label": name,
            "as_connection": self.connection,
            **({"database": database} if database else {}),
            **({"schema": schema} if schema else {}),
        }
        return SmlObject(value, ("Where the tables are; `as_connection` is the name of a connection in Airflow.",))


def _own_column(sql: str) -> str:
    """The name of the column that SQL is; empty when it is more than that."""
    if _PLAIN_NAME.match(sql):
        return "" if sql.casefold() in _WORDS_THAT_ARE_VALUES else sql
    quoted = _QUOTED_NAME.match(sql)
    return quoted[1].replace('""', '"') if quoted else ""


def _column(name: str, sql: str, data_type: str) -> dict[str, Any]:
    return {"name": name, **({"data_type": data_type} if data_type else {}), **({"sql": sql} if sql else {})}
