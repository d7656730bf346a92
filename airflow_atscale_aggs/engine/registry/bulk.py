"""Statements that are not alike in all databases: many rows at once, and inserts that may conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, exc, insert
from sqlalchemy.sql import ClauseElement


def upsert(dialect: str, table: Table) -> Any:
    """An INSERT that says what a conflict does, which each dialect of SQLAlchemy has by itself.

    The dialect of PostgreSQL is imported for a registry in PostgreSQL only: it costs as much as a verb's own modules.
    """
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - each registry needs one of the two

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert(table)


class PreparedStatement:
    """A statement that is compiled once, and whose constants are prepared once.

    SQLAlchemy prepares every value of every execution, the constants of a long statement among them. That costs more
    than running it.

    Args:
        statement: all of whose constants are values that the drivers take as they are: text, numbers.
        dialect: of the connections that it is executed on.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text, self._order = str(compiled), getattr(compiled, "positiontup", None)
        # A driver may know another meaning for the words of an enumeration than their text.
        self._constants = {
            name: str(value) if isinstance(value, str) else value for name, value in compiled.params.items()
        }

    def execute(self, connection: Connection, values: Mapping[str, str | int | float]) -> None:
        """Run it in the transaction that is open.

        Args:
            values: of all its parameters that have no value of their own.
        """
        named = {**self._constants, **values}
        parameters = named if self._order is None else tuple(named[name] for name in self._order)
        connection.exec_driver_sql(self._text, parameters)


def insert_many(
    connection: Connection, table: Table, same: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Insert rows in the transaction that is open.

    SQLAlchemy prepares every value of every row, which costs more than writing them.

    Args:
        same: columns that have one value in all rows; prepared once.
        rows: the other columns; only values that the drivers take as they are: text, numbers, bytes. All rows have the
            same columns.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return
    all_rows = chain((first,), remaining)
    dialect = connection.dialect
    prepared = {}
    for name, value in same.items():
        prepare = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        prepared[name] = prepare(value) if prepare else value
    names = (*prepared, *first)
    if (dialect.name, dialect.driver) == ("postgresql", "psycopg"):
        _copy(connection, table, prepared, tuple(first), all_rows)
        return
    compiled = insert(table).values({name: bindparam(name) for name in names}).compile(dialect=dialect)
    if compiled.positiontup is None:
        connection.exec_driver_sql(str(compiled), [{**prepared, **row} for row in all_rows])
        return
    take = _values_getter(tuple(first))
    in_order = _values_getter([names.index(name) for name in compiled.positiontup])
    fixed = tuple(prepared.values())
    values = [in_order((*fixed, *take(row))) for row in all_rows]
    connection.exec_driver_sql(str(compiled), values)


def _values_getter(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gets the values of some keys, in order, as a tuple."""
    take = itemgetter(*keys)
    return take if len(keys) > 1 else lambda of: (take(of),)


def _copy(
    connection: Connection,
    table: Table,
    same: Mapping[str, Any],
    names: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """Insert rows with COPY, in one stream, because PostgreSQL answers each row of an INSERT separately.

    Values go as they are stored. As text, each byte of a document would be two digits, which takes the client three
    times as long, and the server longer as well.
    """
    import psycopg  # noqa: PLC0415 - a registry in SQLite does without

    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        psycopg.sql.Identifier(table.name), psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, (*same, *names)))
    )
    if not connection.in_transaction():
        # What the driver does by itself begins no transaction of SQLAlchemy's, and nobody would commit it.
        connection.begin()
    driver: Any = connection.connection.driver_connection
    fixed = tuple(same.values())
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([_type_name(table, name, connection.dialect) for name in (*same, *names)])
            take = _values_getter(names)
            for row in rows:
                copy.write_row((*fixed, *take(row)))
    except psycopg.Error as error:
        # The caller gets the error that SQLAlchemy would have raised.
        raise exc.DBAPIError.instance(
            f"COPY {table.name}", None, error, psycopg.Error, dialect=connection.dialect
        ) from error


def _type_name(table: Table, column: str, dialect: Dialect) -> str:
    """PostgreSQL's own name of a column's type, without a length."""
    declared = table.c[column].type.compile(dialect=dialect).partition("(")[0].lower()
    # The word of standard SQL stands for two types, of which it is this one without a precision.
    return "float8" if declared == "float" else declared
