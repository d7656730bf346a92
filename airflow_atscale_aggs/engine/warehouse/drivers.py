"""What differs between database drivers, as a few functions: the one seam between the engine and a warehouse.

A driver's connections follow DB-API 2 (PEP 249). Whatever is no such driver, such as a client of Spark Connect, gets a
connection class of a few lines that does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.warehouse.base import Row, RowMessages, SeenRelation, WireFormat

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableKey
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession


class Failure(StrEnum):
    """What an error says about what its statement names. Only ``ABSENT`` means that something is not there."""

    ABSENT = "absent"
    """There is no such table, view or schema."""

    NO_DATABASE = "no_database"
    """The database, or catalog, is not there or cannot be reached over this connection."""

    NO_RIGHT = "no_right"
    """This user may not."""

    UNSEEN = "unseen"
    """It is not there, or this user may not see it: some warehouses, such as Snowflake, do not tell which."""

    NO_CONNECTION = "no_connection"
    """The warehouse did not answer."""

    NO_CATALOG = "no_catalog"
    """The warehouse answered, and a catalog that it asks itself did not, or with an error of its own."""

    FILES_GONE = "files_gone"
    """Files of a table are not there any more: others have written it anew since this session listed them."""

    OTHER = "other"
    """Something else, or nobody knows."""


MEANINGS: Mapping[Failure, str] = {
    Failure.ABSENT: "the table, view or schema is not there, or not where the session looks",
    Failure.NO_DATABASE: "the database or catalog is not there: correct the connection, or the model's database",
    Failure.NO_RIGHT: "the connection's user lacks a right: grant it, or connect as a user that has it",
    Failure.UNSEEN: (
        "it is not there, or the connection's role may not see it, and the warehouse does not tell which: look at the "
        "name first, then grant the role a right on it"
    ),
    Failure.NO_CONNECTION: "the connection was lost, or cannot be made",
    Failure.NO_CATALOG: "the catalog behind the warehouse does not answer: try again later, or look at its server",
    Failure.FILES_GONE: "others have written a table anew while it was read: try again",
}
"""Half a sentence about each failure, for people."""


def one_line(error: BaseException) -> str:
    """What an error says, on one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def with_meaning(message: str, failure: Failure) -> str:
    """A message of a warehouse, and what it means where that is known."""
    meaning = MEANINGS.get(failure)
    return f"{message} ({meaning})" if meaning else message


class TableCatalog(Protocol):
    """How a warehouse is asked which tables and schemas it has. An error of the catalog never counts as absence.

    Each function raises the session's errors (`base.WarehouseSession.execute`).
    """

    def columns(self, session: DbApiSession, tables: Sequence[TableKey]) -> ExistingTables:
        """Columns and types of the tables that exist. See `base.WarehouseSession.columns`."""

    def tables(self, session: DbApiSession, schema: str) -> frozenset[str]:
        """Names of the tables and views in a schema (empty: the default schema)."""

    def own_place(self, session: DbApiSession) -> tuple[str, str]:
        """The session's own database and schema, in which names without them are looked up."""

    def has_schema(self, session: DbApiSession, schema: str) -> bool:
        """Whether a schema is there."""

    def make_schema(self, session: DbApiSession, schema: str) -> None:
        """Make a schema, unless it is there."""


Look = Callable[["DbApiSession", str, Collection[str]], Mapping[str, SeenRelation]]
"""What bears some names in a schema, by name in lower case. See `base.WarehouseSession.look_at`."""


ListFiles = Callable[[Any, Sequence["TableKey"]], Mapping["TableKey", str]]
"""Lists the files of tables over a connection. See `base.WarehouseSession.list_files`."""


VersionClause = Callable[["DbApiSession", Sequence[str]], str]
"""What stands behind a table's name (its parts) so that it is read as it is now; empty: it has no versions."""


class SettingAccess(Protocol):
    """How settings of a session are read and written where no SQL statement does it."""

    def read(self, connection: Any, names: Sequence[str]) -> Mapping[str, str]:
        """The values of those that are there. May raise the driver's errors."""

    def write(self, connection: Any, name: str, value: str) -> None:
        """Set one. May raise the driver's errors."""


ReadQuery = Callable[[Any, str], contextlib.AbstractContextManager[tuple[tuple[str, ...], Iterator[Row]]]]
"""Runs one query on a connection: names of columns, and the rows as they come."""

ReadMessages = Callable[
    [Any, str, WireFormat],
    contextlib.AbstractContextManager[tuple[tuple[str, ...], Iterator[RowMessages]] | None],
]
"""Runs one query on a connection, whose rows come as messages; None: it was not run."""

_READ_AT_ONCE = 1000
"""Rows that are fetched together, after which the size of what is there is looked at."""


Decode = Callable[[Any, list[Row]], list[Row]]
"""Makes Python's values of a cursor's description and rows."""


def fetch_rows(cursor: Any, decode: Decode | None = None) -> Iterator[Row]:
    """The rows of a cursor, some of them at a time."""
    while found := cursor.fetchmany(_READ_AT_ONCE):
        rows = [tuple(row) for row in found]
        yield from rows if decode is None else decode(cursor.description, rows)


@contextlib.contextmanager
def _read_query(connection: Any, sql: str, decode: Decode | None) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        yield tuple(str(column[0]) for column in cursor.description or ()), fetch_rows(cursor, decode)
    finally:
        cursor.close()


def _unknown(_error: BaseException, _name: str) -> Failure:
    return Failure.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How a DB-API driver is used.

    Attributes:
        connect: opens a connection on which each statement commits by itself; may raise the driver's errors. It owns
            this: no SQLAlchemy option does it for every driver.
        catalog: how tables and schemas are asked for.
        errors: the driver's exception classes to translate.
        is_transient: whether a driver's error is worth retrying.
        rows_written: rows that the statement on a cursor has written; None when the driver does not tell.
        interrupt: stops the statement that runs on a connection.
        is_lost: whether an error means that the connection is gone.
        failure: what an error means for the table, view or schema of a name, its last part; the name is empty where no
            single one is meant.
        reason: what the driver says, for people; None: its text, and what its `failure` means.
        hides_signal: whether an error that is none of the driver's stands for a signal, such as Ctrl-C, that came
            meanwhile.
        read_query: runs one query, and refuses several statements and every change; None: the driver cannot refuse
            them, and its cursors are read some rows at a time.
        read_messages: the same with the rows as messages of PostgreSQL's protocol; None: the driver has none.
        decode: makes Python values of a cursor's description and rows, where the driver gives others than DB-API says,
            such as dates as texts; None: it gives the right ones.
        look_at: what bears some names in a schema, where the dialect has no queries for that.
        list_files: what tells whether the files of tables have changed, without reading them.
        version_clause: how a table is read as of one version, where the warehouse has versions instead of transactions.
        settings: how settings are read and written, where the dialect's statements do not do it.
        is_alive: whether a connection that nobody used for a while is still there, without asking the server; where
            that cannot be told, no session is kept.
        settings_are_ours: nothing but a session itself changes its settings, so that they are read once.
        commits: each statement is followed by a commit, for drivers that cannot do that themselves.
        cursors_are_connections: DuckDB's cursors have a transaction of their own, so statements go to the connection.
    """

    connect: Callable[[], Any]
    catalog: TableCatalog
    errors: tuple[type[BaseException], ...]
    is_transient: Callable[[BaseException], bool]
    rows_written: Callable[[Any], int | None]
    interrupt: Callable[[Any], None]
    is_lost: Callable[[BaseException], bool] = field(default=lambda _: False)
    failure: Callable[[BaseException, str], Failure] = _unknown
    reason: Callable[[BaseException], str] | None = None
    hides_signal: Callable[[RuntimeError], bool] = field(default=lambda _: False)
    read_query: ReadQuery | None = None
    read_messages: ReadMessages | None = None
    decode: Decode | None = None
    look_at: Look | None = None
    list_files: ListFiles | None = None
    version_clause: VersionClause | None = None
    settings: SettingAccess | None = None
    is_alive: Callable[[Any], bool] = field(default=lambda _: False)
    settings_are_ours: bool = False
    commits: bool = False
    cursors_are_connections: bool = False

    def read(
        self, connection: Any, sql: str
    ) -> contextlib.AbstractContextManager[tuple[tuple[str, ...], Iterator[Row]]]:
        """Run one query: names of columns, and the rows as they come, decoded."""
        if self.read_query is not None:
            return self.read_query(connection, sql)
        return _read_query(connection, sql, self.decode)

    def describe(self, error: BaseException) -> str:
        """What the driver says, and what it means, on one line."""
        if self.reason is not None:
            return self.reason(error)
        return with_meaning(one_line(error), self.failure(error, ""))


def type_of_column(column: Any) -> str:
    """The type of a column of a cursor's description: a name, or the driver's code with size, precision and scale."""
    shown = getattr(column, "type_display", None)
    parts = [str(part) for part in column[1:6] if part is not None]
    return str(shown) if shown else " ".join(parts)
