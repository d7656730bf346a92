"""One client: the engine answers queries on models, and PostgreSQL itself everything else, message by message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.rewriting.parse.bind_parameters import with_values
from airflow_atscale_aggs.server import messages
from airflow_atscale_aggs.server.answering import RowStream, Visitor
from airflow_atscale_aggs.server.backend import Backend
from airflow_atscale_aggs.server.client_statements import (
    CloseCursor,
    Declare,
    Explain,
    Fetch,
    Query,
    Statement,
    read_statement,
    split_statements,
)
from airflow_atscale_aggs.server.descriptions import Description
from airflow_atscale_aggs.server.explanations import explanation_lines
from airflow_atscale_aggs.server.frames import Frame, PeerGoneError, ProtocolViolationError, read_frame
from airflow_atscale_aggs.server.messages import ResultColumn
from airflow_atscale_aggs.server.served_catalog import ServedCatalog
from airflow_atscale_aggs.server.session_options import PREFIX, READ_SQL, SessionOptions
from airflow_atscale_aggs.server.sql_errors import SqlError, error_frame
from airflow_atscale_aggs.server.values import TEXT, decode, encoders

_LONGEST = 64 << 20
"""Bytes of a client's message."""

_ENDS = {
    b"P": frozenset(b"1"),
    b"B": frozenset(b"2"),
    b"D": frozenset(b"Tn"),
    b"E": frozenset(b"CsI"),
    b"C": frozenset(b"3"),
}
"""The last answer to each message of the extended protocol."""

_LOOK_SECONDS = 0.5
"""Between two looks whether a client that waits is still there."""

_T = TypeVar("_T")
_FLUSH = Frame(b"H", b"").encode()


_PLAN = ResultColumn(name="QUERY PLAN", type_oid=TEXT)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement of ours. Of one about a cursor, the description tells what FETCH gives, or nothing."""

    statement: Statement
    description: Description

    @property
    def columns(self) -> Sequence[ResultColumn] | None:
        """Of the rows that it gives; None: it gives none."""
        if isinstance(self.statement, Explain):
            return [_PLAN]
        gives_rows = isinstance(self.statement, Query) or (
            isinstance(self.statement, Fetch) and not self.statement.is_move
        )
        return self.description.columns if gives_rows else None


@dataclass(slots=True)
class _Cursor:
    """A query that is read in parts.

    Attributes:
        formats: of the values, once the first rows were asked for.
        rows: None: no row was asked for yet.
    """

    sql: str
    description: Description
    formats: Sequence[int]
    holds: bool = False
    rows: RowStream | None = None
    is_at_end: bool = False
    notices: bool = False


@dataclass(slots=True)
class _Portal:
    """A prepared statement with its values. ``cursor``: of a query, its rows."""

    prepared: _Prepared
    values: Sequence[Any]
    cursor: _Cursor


class ClientSession:
    """Speaks with one client that has signed in.

    Args:
        backend: its own session on the server with the empty tables.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        catalog: ServedCatalog,
        backend: Backend,
        visitor: Visitor,
    ) -> None:
        self._reader, self._writer, self._catalog, self._backend = reader, writer, catalog, backend
        self._visitor = visitor
        self._statements: dict[str, _Prepared] = {}
        self._portals: dict[str, _Portal] = {}
        self._cursors: dict[str, _Cursor] = {}
        self._is_skipping = self._has_set_options = False
        self._running: RowStream | None = None

    async def run(self) -> None:
        """Answer until the client goes. Raises PeerGoneError, ProtocolViolationError."""
        try:
            while True:
                frame = await read_frame(self._reader, longest=_LONGEST)
                if frame.kind == b"X":
                    return
                if not self._is_skipping or frame.kind == b"S":
                    await self._handle(frame)
        finally:
            await self._end_cursors(all_of_them=True)
            if self._running is not None:
                await self._running.close()

    async def cancel(self) -> None:
        """Stop what runs for the client."""
        if self._running is not None:
            await self._running.close()

    async def _handle(self, frame: Frame) -> None:
        handlers = {
            b"Q": self._simple_query, b"P": self._parse, b"B": self._bind, b"D": self._describe,
            b"E": self._execute, b"C": self._close, b"S": self._sync, b"H": self._flush,
        }  # fmt: skip
        handler = handlers.get(frame.kind)
        if handler is None:
            # Copy and function calls are none of ours.
            self._backend.writer.write(frame.encode())
            return
        try:
            await handler(frame)
        except (AtScaleAggsError, psycopg.Error, SqlError) as error:
            await self._fail(error, is_simple=frame.kind == b"Q")
        except (PeerGoneError, ProtocolViolationError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - the client gets it, others are not disturbed
            await self._fail(error, is_simple=frame.kind == b"Q")
        await self._writer.drain()

    async def _fail(self, error: BaseException, *, is_simple: bool) -> None:
        """Tell an error. In a transaction the server must know of it as well, so that it refuses what follows."""
        self._writer.write(error_frame(error))
        if self._backend.status == b"T":
            self._backend.writer.write(Frame(b"Q", b"SELECT 1/0\0").encode())
            while (await self._backend.read()).kind != b"Z":
                pass
        if is_simple:
            self._writer.write(messages.ready_for_query(self._backend.status))
        else:
            self._is_skipping = True

    # Simple queries

    async def _simple_query(self, frame: Frame) -> None:
        sql = messages.read_query(frame.payload)
        prepared = await self._prepare(sql, ())
        parts = split_statements(sql) if prepared is None or ";" in sql else [sql]
        if len(parts) > 1 and any([await self._prepare(part, ()) is not None for part in parts]):
            for part in parts:
                if not await self._run_simple(part):
                    break
        elif prepared is None:
            self._backend.writer.write(frame.encode())
            await self._relay(frozenset(b"Z"))
            await self._end_cursors()
            return
        else:
            await self._run_simple(sql)
        self._writer.write(messages.ready_for_query(self._backend.status))
        await self._end_cursors()

    async def _run_simple(self, sql: str) -> bool:
        """Run one statement of a simple query. False: it failed, which the client was told."""
        prepared = await self._prepare(sql, ())
        if prepared is None:
            self._backend.writer.write(Frame(b"Q", sql.encode() + b"\0").encode())
            return await self._relay(frozenset(b"Z"), with_end=False)
        self._refuse_in_failed_transaction()
        if prepared.columns is not None:
            self._writer.write(messages.row_description(prepared.columns))
        tag = await self._run(_Portal(prepared, (), _Cursor(sql, prepared.description, ())), 0)
        self._writer.write(messages.command_complete(tag))
        return True

    async def _prepare(self, sql: str, parameter_oids: tuple[int, ...]) -> _Prepared | None:
        """The statement, when it is for the engine."""
        statement = read_statement(sql)
        # Also by set_config, in a list of statements, or within a function's text.
        self._has_set_options = self._has_set_options or PREFIX in sql.casefold()
        if isinstance(statement, Fetch | CloseCursor):
            cursor = self._cursors.get(statement.name)
            return None if cursor is None else _Prepared(statement, Description((), cursor.description.columns))
        if statement is None or not await self._catalog.names_model(self._visitor, statement.sql):
            return None
        return _Prepared(statement, await self._catalog.describe(self._visitor, statement.sql, parameter_oids))

    async def _run(self, portal: _Portal, most: int) -> str:
        """Run a statement of ours; its rows are sent. Returns what it did, such as ``SELECT 5``."""
        statement = portal.prepared.statement
        if isinstance(statement, Query):
            return f"SELECT {await self._send(portal.cursor, most)}"
        if isinstance(statement, Explain):
            await self._explain(statement, portal.values)
            return "EXPLAIN"
        if isinstance(statement, Declare):
            await self._declare(statement, portal)
            return "DECLARE CURSOR"
        cursor = self._cursors.get(statement.name)
        if cursor is None:
            raise SqlError(messages.error_response("34000", f'cursor "{statement.name}" does not exist'))
        if isinstance(statement, CloseCursor):
            await _close(self._cursors.pop(statement.name))
            return "CLOSE CURSOR"
        if cursor.rows is None and not statement.is_move:
            cursor.formats = cursor.formats or portal.cursor.formats
        count = await self._send(cursor, statement.most, is_shown=not statement.is_move)
        return f"{'MOVE' if statement.is_move else 'FETCH'} {count}"

    async def _explain(self, statement: Explain, values: Sequence[Any]) -> None:
        if statement.runs:
            hint = "Leave ANALYZE out; the log of queries has times."
            raise SqlError(messages.error_response("0A000", "EXPLAIN ANALYZE of a query on models", H=hint))
        sql = with_values(statement.sql, values, "postgres") if values else statement.sql
        staleness = (await self._options()).max_staleness
        plan = await self._catalog.pool.ask(
            self._visitor, lambda router: router.explain(sql, estimate=False, max_staleness=staleness)
        )
        self._writer.writelines([messages.data_row([line.encode()]) for line in explanation_lines(plan)])

    async def _options(self) -> SessionOptions:
        """What the client has set. PostgreSQL keeps it."""
        if not self._has_set_options:
            return SessionOptions()
        self._backend.writer.write(Frame(b"Q", READ_SQL.encode() + b"\0").encode())
        values: list[str | None] = []
        while (frame := await self._backend.read()).kind != b"Z":
            if frame.kind == b"D":
                values = messages.read_row(frame.payload)
        return SessionOptions.read(values)

    async def _declare(self, statement: Declare, portal: _Portal) -> None:
        if statement.scrolls:
            raise SqlError(messages.error_response("0A000", "cursors on models go forward only", H="Leave SCROLL out."))
        if not statement.holds and self._backend.status == b"I":
            text = "DECLARE CURSOR can only be used in transaction blocks"
            raise SqlError(messages.error_response("25P01", text))
        if statement.name in self._cursors:
            raise SqlError(messages.error_response("42P03", f'cursor "{statement.name}" already exists'))
        formats = (1,) if statement.is_binary else ()
        sql = with_values(statement.sql, portal.values, "postgres") if portal.values else statement.sql
        self._cursors[statement.name] = _Cursor(sql, portal.prepared.description, formats, statement.holds)

    def _refuse_in_failed_transaction(self) -> None:
        if self._backend.status == b"E":
            text = "current transaction is aborted, commands ignored until end of transaction block"
            raise SqlError(messages.error_response("25P02", text))

    async def _end_cursors(self, *, all_of_them: bool = False) -> None:
        """Portals and cursors end with their transaction."""
        if self._backend.status != b"I" and not all_of_them:
            return
        ended = [portal.cursor for portal in self._portals.values()]
        ended += [cursor for cursor in self._cursors.values() if all_of_them or not cursor.holds]
        self._portals = {}
        self._cursors = {} if all_of_them else {n: cursor for n, cursor in self._cursors.items() if cursor.holds}
        for cursor in ended:
            await _close(cursor)

    def _zone(self) -> tzinfo:
        try:
            return ZoneInfo(self._backend.parameters.get("TimeZone", "UTC"))
        except (ZoneInfoNotFoundError, ValueError):
            return UTC

    async def _send(self, cursor: _Cursor, most: int, *, is_shown: bool = True) -> int:
        """Send the next rows as they come; returns how many. Ends the query when the client is gone."""
        if cursor.is_at_end:
            return 0
        if cursor.rows is None:
            writers = encoders(cursor.description.columns, cursor.formats, self._zone())
            options = await self._options()
            cursor.rows = RowStream(self._catalog.pool, self._visitor, cursor.sql, options.of_query(), writers)
            cursor.notices = options.notices
        count = 0
        self._running = cursor.rows
        try:
            while not most or count < most:
                batch, has_more = await self._unless_gone(cursor.rows.take(most - count if most else 0))
                if not has_more:
                    cursor.is_at_end = True
                    if cursor.notices:
                        self._writer.write(messages.notice_response(f"answered from {cursor.rows.sources}"))
                    break
                count += len(batch)
                if is_shown:
                    self._writer.writelines(batch)
                    await self._writer.drain()
        except BaseException:
            await cursor.rows.close()
            raise
        finally:
            self._running = None
        return count

    async def _unless_gone(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something as long as the client is there. Raises PeerGoneError."""
        waiting = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([waiting], timeout=_LOOK_SECONDS))[0]:
                if self._reader.at_eof() or self._writer.is_closing():
                    raise PeerGoneError
            return waiting.result()
        finally:
            waiting.cancel()

    # The extended protocol

    async def _parse(self, frame: Frame) -> None:
        message = messages.read_parse(frame.payload)
        prepared = await self._prepare(message.sql, message.type_oids)
        if prepared is None:
            self._statements.pop(message.statement, None)
            await self._pass_on(frame)
            return
        if message.statement and message.statement in self._statements:
            text = f'prepared statement "{message.statement}" already exists'
            raise SqlError(messages.error_response("42P05", text))
        self._statements[message.statement] = prepared
        self._writer.write(messages.PARSE_COMPLETE)

    async def _bind(self, frame: Frame) -> None:
        message = messages.read_bind(frame.payload)
        old = self._portals.pop(message.portal, None)
        if old is not None:
            await _close(old.cursor)
        prepared = self._statements.get(message.statement)
        if prepared is None:
            await self._pass_on(frame)
            return
        oids = prepared.description.parameter_oids
        if len(oids) != len(message.values):
            text = f"bind message supplies {len(message.values)} parameters, but the statement requires {len(oids)}"
            raise SqlError(messages.error_response("08P01", text))
        values: list[Any] = [
            decode(value, oid, messages.format_of(message.formats, number))
            for number, (value, oid) in enumerate(zip(message.values, oids, strict=True))
        ]
        sql = prepared.statement.sql if isinstance(prepared.statement, Query) else ""
        bound = with_values(sql, values, "postgres") if sql and values else sql
        cursor = _Cursor(bound, prepared.description, message.result_formats)
        self._portals[message.portal] = _Portal(prepared, values, cursor)
        self._writer.write(messages.BIND_COMPLETE)

    async def _describe(self, frame: Frame) -> None:
        message = messages.read_target(frame.payload)
        formats: Sequence[int] = ()
        if message.kind == b"S" and message.name in self._statements:
            prepared = self._statements[message.name]
            self._writer.write(messages.parameter_description(prepared.description.parameter_oids))
        elif message.kind == b"P" and message.name in self._portals:
            portal = self._portals[message.name]
            prepared, formats = portal.prepared, portal.cursor.formats
        elif message.kind == b"P" and message.name in self._cursors:
            # A cursor is a portal.
            cursor = self._cursors[message.name]
            self._writer.write(messages.row_description(cursor.description.columns, cursor.formats))
            return
        else:
            await self._pass_on(frame)
            return
        columns = prepared.columns
        self._writer.write(messages.NO_DATA if columns is None else messages.row_description(columns, formats))

    async def _execute(self, frame: Frame) -> None:
        message = messages.read_execute(frame.payload)
        portal = self._portals.get(message.portal)
        if portal is None:
            await self._pass_on(frame)
            return
        self._refuse_in_failed_transaction()
        tag = await self._run(portal, message.most)
        is_suspended = message.most and isinstance(portal.prepared.statement, Query) and not portal.cursor.is_at_end
        self._writer.write(messages.PORTAL_SUSPENDED if is_suspended else messages.command_complete(tag))

    async def _close(self, frame: Frame) -> None:
        message = messages.read_target(frame.payload)
        if message.kind == b"S" and self._statements.pop(message.name, None) is not None:
            self._writer.write(messages.CLOSE_COMPLETE)
        elif message.kind == b"P" and (portal := self._portals.pop(message.name, None)) is not None:
            await _close(portal.cursor)
            self._writer.write(messages.CLOSE_COMPLETE)
        else:
            await self._pass_on(frame)

    async def _flush(self, _: Frame) -> None:
        """What is written is sent with every message."""

    async def _sync(self, frame: Frame) -> None:
        self._is_skipping = False
        self._backend.writer.write(frame.encode())
        await self._relay(frozenset(b"Z"))
        await self._end_cursors()

    # PostgreSQL's own answers

    async def _pass_on(self, frame: Frame) -> None:
        self._backend.writer.write(frame.encode() + _FLUSH)
        if not await self._relay(_ENDS[frame.kind]):
            self._is_skipping = True

    async def _relay(self, ends: frozenset[int], *, with_end: bool = True) -> bool:
        """Pass answers on until one of some kinds, or an error that ends them; False: there was an error."""
        has_worked = True
        while True:
            frame = await self._backend.read()
            is_end = frame.kind[0] in ends
            if with_end or not is_end:
                self._writer.write(frame.encode())
            has_worked = has_worked and frame.kind != b"E"
            if is_end or (not has_worked and ord("Z") not in ends):
                return has_worked
            if frame.kind in {b"G", b"W"}:
                await self._writer.drain()
                await self._copy_in()
            if frame.kind == b"D":
                await self._writer.drain()

    async def _copy_in(self) -> None:
        """The client sends rows of a COPY."""
        while True:
            frame = await read_frame(self._reader, longest=_LONGEST)
            self._backend.writer.write(frame.encode())
            with contextlib.suppress(ConnectionError):
                await self._backend.writer.drain()
            if frame.kind in {b"c", b"f"}:
                return


async def _close(cursor: _Cursor) -> None:
    if cursor.rows is not None:
        await cursor.rows.close()
