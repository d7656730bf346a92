"""The warehouse as the engine sees it: run SQL, read small results, translate the driver's errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Dialect

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.errors import WarehouseError

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RowBounds:
    """How much of an answer is read.

    Attributes:
        rows: at most.
        size_bytes: of texts and bytes in memory, roughly; reading ends soon after so many.
    """

    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The first rows of an answer.

    Attributes:
        is_cut: there are more.
    """

    names: tuple[str, ...]
    rows: list[Row]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """How the rows of an answer are wanted as messages of PostgreSQL's protocol.

    Attributes:
        type_oids: PostgreSQL's types of the columns.
        formats: of each: 0 (text) or 1 (binary).
        zone: the time zone in which texts of instants are written.
        longest: bytes of one row.
        most_rows: no more are to be expected; None: nobody knows.
    """

    type_oids: tuple[int, ...]
    formats: tuple[int, ...]
    zone: str
    longest: int
    most_rows: int | None = None


@dataclass(frozen=True, slots=True)
class RowMessages:
    """Some rows as DataRow messages, one behind the other.

    Attributes:
        longest: bytes of the longest row; 0: none is longer than was wanted.
    """

    data: bytes
    count: int
    longest: int = 0


@dataclass(frozen=True, slots=True)
class SeenRelation:
    """What bears a name in a schema.

    Attributes:
        kind: in words: ``table``, ``view``, …
        owner: empty where the warehouse does not tell.
        text: the query of a view; empty for others.
        size_bytes: None where the warehouse does not tell.
    """

    kind: str
    owner: str = ""
    text: str = ""
    size_bytes: int | None = None


class WarehouseSession(Protocol):
    """One connection, used by one thread. Outside `transaction`, each statement commits by itself.

    Attributes:
        was_canceled: another thread has interrupted what runs here.
    """

    dialect: Dialect
    was_canceled: bool

    def execute(self, sql: str) -> int | None:
        """Run one statement; the number of rows written where the driver tells it, else None.

        Raises:
            TransientWarehouseError: connection, lock, deadlock, timeout: the same SQL may succeed later.
            PermanentWarehouseError: the same SQL will fail again.
        """

    def fetch_all(self, sql: str) -> list[Row]:
        """Run a query and read its (small) result. Raises as `execute` does."""

    def fetch_with_names(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        """Run a query and read its result with the names of its columns. Raises as `execute` does."""

    def fetch_first(self, sql: str, bounds: RowBounds) -> FirstRows:
        """Run one query that changes nothing, and read the first rows of its result; the others are not fetched.

        Where the warehouse can, it refuses itself what is no single query, and every change. The session must be in no
        transaction. Raises as `execute` does.
        """

    def stream(self, sql: str) -> AbstractContextManager[tuple[tuple[str, ...], Iterator[Row]]]:
        """Run one query that changes nothing: names of columns, and its rows as the warehouse gives them.

        No more rows are kept than are fetched together. The block and the iterator raise as `execute` does.
        """

    def stream_messages(
        self, sql: str, wire: WireFormat
    ) -> AbstractContextManager[tuple[tuple[str, ...], Iterator[RowMessages]] | None]:
        """As `stream`; the rows come as the warehouse has written them, and nobody reads their values.

        None: this warehouse cannot do that, or has no such types, or its values are read sooner; nothing was run then.
        """

    def result_types(self, sql: str) -> tuple[str, ...]:
        """Types of the columns of a query's result, as the driver tells them. Raises as `execute` does."""

    def result_columns(self, sql: str) -> tuple[tuple[str, str], ...]:
        """The same with the names of the columns before them."""

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside take effect together, or none, where the dialect's row says so for DDL."""

    def snapshot(self, reading: Sequence[str] = ()) -> AbstractContextManager[bool]:
        """A `transaction` whose statements all see the data of one moment, whatever others write meanwhile.

        The block is told whether that is so; where the dialect's row knows no such thing, statements commit one by one.

        Args:
            reading: statements that the block will run. Where tables have versions instead, all statements of the block
                read the tables that these read as of the version at its beginning; it is told so when each of them has
                one.
        """

    def columns(self, tables: Sequence[TableKey]) -> ExistingTables:
        """Column name to type, as the warehouse spells them, for each (database, schema, table) that exists.

        Keys come back as they were asked for; a table that does not exist is absent. Table names are matched exactly,
        then without case; a name without schema is looked for as the session would. A catalog that cannot be asked
        raises as `execute` does: it never counts as absence.
        """

    def find_readable(
        self, tables: Sequence[tuple[str | None, str | None, str]]
    ) -> frozenset[tuple[str | None, str | None, str]]:
        """Those of the names under which a query finds a table, a view or whatever else can be read.

        Names are looked up as the warehouse itself looks up quoted names in FROM: in temporary tables, on the search
        path, in other databases. What may not be read counts as there.
        """

    def tables(self, schema: str) -> frozenset[str]:
        """Names of the tables and views in a schema (empty: the default schema)."""

    def look_at(self, schema: str, names: Collection[str]) -> Mapping[str, SeenRelation] | None:
        """What bears the names in a schema, by name in lower case, where only the driver can ask.

        None where it cannot, such as on warehouses whose catalog is asked by queries. Raises as `execute` does.
        """

    def list_files(self, tables: Sequence[TableKey]) -> Mapping[TableKey, str]:
        """For each table whose files can be listed, a text that is another one when a file came, went or was changed.

        No row is read. A table is absent where the driver cannot list its files. Raises as `execute` does.
        """

    def has_lost(self, error: WarehouseError) -> bool:
        """Whether an error of this session means that its connection is gone, as far as the driver can tell."""

    def own_place(self) -> tuple[str, str]:
        """The session's own database and schema, in which names without them are looked up; empty where unknown."""

    def settings(self, names: Collection[str] = ()) -> Mapping[str, str]:
        """The settings of this session that decide what a value is, by name.

        Empty where the dialect's row knows none.

        Args:
            names: the only ones that are needed, which may be quicker to read; others may be there as well; empty: all.
        """

    def wait_briefly(self) -> AbstractContextManager[None]:
        """The statements of the block wait for locks for a short time only.

        It is for questions whose answers matter less than a quick reply.
        """

    def apply_settings(self, settings: Mapping[str, str]) -> AbstractContextManager[None]:
        """Run the block under settings that `settings` of another session gave. Afterwards they are as before.

        Raises:
            PermanentWarehouseError: one of them differs and cannot be set here.
        """

    def cancel(self) -> None:
        """Interrupt the statement that another thread runs on this session; does nothing when none runs."""

    def close(self) -> None:
        """Give the connection back. Never raises."""


class Warehouse(Protocol):
    """Opens sessions. Cheap to hold, safe to share between threads."""

    dialect: Dialect
    aggregate_schema: str
    kept_sessions: int

    def session(self, *, may_remember: bool = False) -> AbstractContextManager[WarehouseSession]:
        """A session for the calling thread, closed at the end of the block or kept for the next who asks.

        Args:
            may_remember: the caller is part of a batch that runs within a block of `keep_sessions`. Of a warehouse that
                remembers files, its session may read tables as they were when the batch first read them there. Anybody
                else reads them as they are.
        """

    def open_ahead(self) -> None:
        """Begin to open what sessions share, where that takes a while, beside what the caller does until the first one.

        Never raises: what goes wrong is told by the first session.
        """

    def require_schema(self) -> None:
        """Make the aggregate schema when it is not there.

        Raises:
            PermanentWarehouseError: it is not there and may not be made, or this role has no right on it.
        """

    def keep_sessions(self, count: int) -> AbstractContextManager[None]:
        """At least so many sessions that nobody uses are kept open until the block ends.

        Of a warehouse that remembers files, only those are kept that may remember.
        """

    def cancel_all(self) -> None:
        """Interrupt the statements that run on all open sessions."""

    def close(self) -> None:
        """Close what sessions share. Never raises."""
