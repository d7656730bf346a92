"""Many rows at once: SQLAlchemy prepares every value of every row, which costs more than writing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert


def insert_many(
    connection: Connection, table: Table, same: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows in the transaction that is open.

    Args:
        same: columns that have one value in all rows; prepared once.
        rows: the other columns; only values that the drivers take as they are: text, numbers, bytes. All rows have the same
            columns.
    """
    if not rows:
        return
    dialect = connection.dialect
    prepared = {}
    for name, value in same.items():
        prepare = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        prepared[name] = prepare(value) if prepare else value
    names = (*prepared, *rows[0])
    compiled = insert(table).values({name: bindparam(name) for name in names}).compile(dialect=dialect)
    if compiled.positiontup is None:
        connection.exec_driver_sql(str(compiled), [{**prepared, **row} for row in rows])
        return
    order: list[str] = list(compiled.positiontup)
    fixed = {place: prepared[name] for place, name in enumerate(order) if name in prepared}
    given = [(place, name) for place, name in enumerate(order) if name not in prepared]
    template = [fixed.get(place) for place in range(len(order))]
    values = []
    for row in rows:
        for place, name in given:
            template[place] = row[name]
        values.append(tuple(template))
    connection.exec_driver_sql(str(compiled), values)
