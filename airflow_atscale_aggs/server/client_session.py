"""One client: the engine answers queries on models, and PostgreSQL itself everything else, message by message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.rewriting.parse.bind_parameters import with_values
from airflow_atscale_aggs.engine.warehouse.base import RowMessages
from airflow_atscale_aggs.server import messages
from airflow_atscale_aggs.server.answering import AnswerColumns, RowStream, Visitor
from airflow_atscale_aggs.server.backend import Backend
from airflow_atscale_aggs.server.client_bounds import Bounds
from airflow_atscale_aggs.server.client_statements import (
    CloseCursor,
    Deallocate,
    Declare,
    Explain,
    Fetch,
    Query,
    may_make_temporary,
    read_statement,
    reads_one_of,
    split_statements,
)
from airflow_atscale_aggs.server.descriptions import Description
from airflow_atscale_aggs.server.explanations import explanation_lines
from airflow_atscale_aggs.server.frames import (
    MOST_BYTES,
    Frame,
    MessageTooLongError,
    PeerGoneError,
    ProtocolViolationError,
    TextEncodingError,
    discard,
    read_frame,
)
from airflow_atscale_aggs.server.keepalive import Keepalive
from airflow_atscale_aggs.server.message_writer import MessageWriter
from airflow_atscale_aggs.server.overview import names_overview
from airflow_atscale_aggs.server.portals import (
    Budget,
    Cursor,
    Kept,
    Portal,
    Prepared,
    size_of_portal,
    size_of_statement,
)
from airflow_atscale_aggs.server.relaying import Relay
from airflow_atscale_aggs.server.served_catalog import ServedCatalog
from airflow_atscale_aggs.server.session_options import READ_SQL, SessionOptions, may_set_options
from airflow_atscale_aggs.server.sql_errors import SqlError, error_frame
from airflow_atscale_aggs.server.stopping import BY_USER, Interruption, to_the_end
from airflow_atscale_aggs.server.transfer_statements import CopyRows, CreateTableAs, InsertRows
from airflow_atscale_aggs.server.transfers import Transfers
from airflow_atscale_aggs.server.values import decode

_ANSWERED = frozenset({b"Q", b"S", b"H"})
"""Messages after which the client waits for an answer."""

_SAME_BYTES = frozenset({"UTF8", "SQL_ASCII"})
"""Values of ``client_encoding`` with which PostgreSQL sends texts as they are."""


class ClientSession:
    """Speaks with one client that has signed in.

    Args:
        backend: its own session on the server with the empty tables.
    """

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        catalog: ServedCatalog,
        backend: Backend,
        visitor: Visitor,
        bounds: Bounds,
    ) -> None:
        self._reader, self._writer = client[0], MessageWriter(client[1])
        self._catalog, self._backend, self._visitor, self._bounds = catalog, backend, visitor, bounds
        self._keepalive = Keepalive(client[1], bounds.keepalive_seconds)
        self._longest = bounds.session_bytes or MOST_BYTES
        self._interruption = Interruption()
        self._relay = Relay((self._reader, self._writer), backend, catalog.backend, self._interruption, self._longest)
        self._transfers = Transfers(self._writer, backend, self._relay, self._interruption, self._take)
        budget = Budget(bounds.session_bytes)
        self._statements: Kept[Prepared] = Kept(budget)
        self._portals: Kept[Portal] = Kept(budget)
        self._cursors: Kept[Cursor] = Kept(budget)
        self._is_skipping = self._has_temporary = False
        self.has_set_options = self.reads_overview = False
        self._task: asyncio.Task[object] | None = None
        self._idle_since: float | None = None

    async def run(self) -> None:
        """Answer until the client goes. Raises PeerGoneError, ProtocolViolationError."""
        self._task = asyncio.current_task()
        try:
            while True:
                self._idle_since = time.monotonic()
                try:
                    frame = await read_frame(self._reader, longest=self._longest)
                except MessageTooLongError as error:
                    await self._refuse_long(error)
                    continue
                self._idle_since = None
                if frame.kind == b"X":
                    return
                if not self._is_skipping or frame.kind == b"S":
                    await self._handle(frame)
        except PeerGoneError:
            if self._backend.reader.at_eof():
                # It, and not the client, is gone.
                text = "terminating connection: the PostgreSQL server beside `serve` has ended the session"
                self._writer.write(messages.error_response("57P01", text, severity="FATAL"))
            raise
        finally:
            # From here on nobody ends it once more, so that all that it holds is given back.
            self._task = None
            self._writer.flush()
            await to_the_end(self._end_cursors(all_of_them=True), self._relay.close())

    def cancel(self) -> None:
        """Stop what runs for the client."""
        self._interruption.stop(BY_USER)

    def look(self) -> None:
        """End the session when its client is gone, or has been idle for too long. Called now and then."""
        task, since = self._task, self._idle_since
        if task is None:
            return
        if self._keepalive.is_lost():
            self._writer.abort()
            task.cancel()
            return
        if since is None:
            if getattr(self._reader, "is_over", False) or self._writer.is_closing():
                task.cancel()
            return
        holds = self._backend.status != b"I" or any(cursor.is_open for cursor in self._cursors.values())
        bound = self._bounds.idle_in_transaction_seconds if holds else self._bounds.idle_session_seconds
        if bound and time.monotonic() - since > bound:
            what = ("25P03", "idle-in-transaction") if holds else ("57P05", "idle-session")
            text = f"terminating connection due to {what[1]} timeout"
            self._writer.write(messages.error_response(what[0], text, severity="FATAL"))
            self._writer.flush()
            task.cancel()

    async def _refuse_long(self, error: MessageTooLongError) -> None:
        await discard(self._reader, error.size)
        if not self._is_skipping:
            refusal = messages.error_response("54000", str(error), H="Raise --session-memory of `atscale-aggs serve`.")
            await self._fail(SqlError(refusal), is_simple=error.kind == b"Q")

    async def _handle(self, frame: Frame) -> None:
        handlers = {
            b"Q": self._simple_query, b"P": self._parse, b"B": self._bind, b"D": self._describe,
            b"E": self._execute, b"C": self._close, b"S": self._sync, b"H": self._flush,
        }  # fmt: skip
        handler = handlers.get(frame.kind)
        if handler is None:
            # Copy and function calls are none of ours.
            self._relay.send(frame)
            await self._backend.writer.drain()
            return
        self._interruption.begin(self._bounds.statement_seconds)
        try:
            await self._look_at_overview(frame)
            await handler(frame)
            await self._drop()
        except (AtScaleAggsError, psycopg.Error, SqlError) as error:
            await self._fail(error, is_simple=frame.kind == b"Q")
        except (PeerGoneError, ProtocolViolationError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - the client gets it, others are not disturbed
            await self._fail(error, is_simple=frame.kind == b"Q")
        finally:
            self._interruption.end()
        if frame.kind in _ANSWERED:
            await self._writer.send()
        else:
            await self._writer.drain()

    async def _look_at_overview(self, frame: Frame) -> None:
        """What tells of models is brought up to date for who has named it once: he may have prepared a statement."""
        if not self.reads_overview and frame.kind in {b"Q", b"P"}:
            self.reads_overview = names_overview(frame.payload)
        if self.reads_overview:
            await self._interruption.wait(self._catalog.refresh_overview())

    async def _fail(self, error: BaseException, *, is_simple: bool) -> None:
        """Tell an error. In a transaction the server must know of it as well, so that it refuses what follows."""
        self._writer.write(error_frame(error))
        if self._backend.status == b"T":
            await self._relay.ask("SELECT 1/0")
        if is_simple:
            self._writer.write(messages.ready_for_query(self._backend.status))
        else:
            self._is_skipping = True
        self._writer.flush()

    # Simple queries

    async def _simple_query(self, frame: Frame) -> None:
        try:
            sql = messages.read_query(frame.payload)
        except TextEncodingError:
            # PostgreSQL knows other encodings, and refuses what is none.
            await self._relay.run(frame.payload)
            await self._end_cursors()
            return
        prepared = await self._prepare(sql, ())
        parts = split_statements(sql) if prepared is None or ";" in sql else [sql]
        if len(parts) > 1 and any([await self._prepare(part, ()) is not None for part in parts]):
            for part in parts:
                if not await self._run_simple(part, await self._prepare(part, ())):
                    break
        elif prepared is None:
            await self._relay.run(frame.payload)
            await self._end_cursors()
            return
        else:
            await self._run_simple(sql, prepared)
        self._writer.write(messages.ready_for_query(self._backend.status))
        await self._end_cursors()

    async def _run_simple(self, sql: str, prepared: Prepared | None) -> bool:
        """Run one statement of a simple query. False: it failed, which the client was told."""
        if prepared is None:
            return await self._relay.run(sql.encode() + b"\0", with_end=False)
        self._refuse_in_failed_transaction()
        if prepared.columns is not None:
            self._writer.write(messages.row_description(prepared.columns))
        tag = await self._run(Portal(prepared, (), Cursor(sql, prepared.description, ())), 0)
        self._writer.write(messages.command_complete(tag))
        return True

    async def _prepare(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared | None:
        """The statement, when it is for the engine."""
        statement = read_statement(sql)
        self.has_set_options = self.has_set_options or may_set_options(sql)
        self._has_temporary = self._has_temporary or may_make_temporary(sql)
        if isinstance(statement, Fetch | CloseCursor):
            cursor = self._cursors.get(statement.name)
            return None if cursor is None else Prepared(statement, Description((), cursor.description.columns))
        if isinstance(statement, Deallocate):
            return None if self._statements.get(statement.name) is None else Prepared(statement, Description((), ()))
        wait, catalog, visitor = self._interruption.wait, self._catalog, self._visitor
        if statement is None or not await wait(catalog.names_model(visitor, statement.sql)):
            return None
        if self._has_temporary and await self._is_hidden(statement.sql):
            return None
        encoding = self._backend.parameters.get("client_encoding", "UTF8")
        if encoding not in _SAME_BYTES:
            text = f"models are answered in UTF8 only, and client_encoding is {encoding}"
            raise SqlError(messages.error_response("0A000", text, H="SET client_encoding = 'UTF8'."))
        return Prepared(statement, await wait(catalog.describe(visitor, statement.sql, parameter_oids)))

    async def _is_hidden(self, sql: str) -> bool:
        """Whether a temporary table has a name that the query reads: it comes before everything else of that name."""
        rows = await self._relay.ask("SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()")
        return reads_one_of(sql, [name for (name,) in rows if name is not None])

    async def _run(self, portal: Portal, most: int) -> str:
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
        if isinstance(statement, CreateTableAs | InsertRows | CopyRows):
            sql = with_values(statement.sql, portal.values, "postgres") if portal.values else statement.sql
            return await self._transfers.run(statement, sql, portal.prepared.description)
        if isinstance(statement, Fetch | CloseCursor):
            return await self._run_on_cursor(statement, portal)
        self._statements.pop(statement.name)
        return "DEALLOCATE"

    async def _run_on_cursor(self, statement: Fetch | CloseCursor, portal: Portal) -> str:
        cursor = self._cursors.get(statement.name)
        if cursor is None:
            raise SqlError(messages.error_response("34000", f'cursor "{statement.name}" does not exist'))
        if isinstance(statement, CloseCursor):
            self._cursors.pop(statement.name)
            await cursor.close()
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
        plan = await self._interruption.wait(
            self._catalog.pool.ask(
                self._visitor, lambda router: router.explain(sql, estimate=False, max_staleness=staleness)
            )
        )
        self._writer.writelines([messages.data_row([line.encode()]) for line in explanation_lines(plan)])

    async def _options(self) -> SessionOptions:
        """What the client has set. PostgreSQL keeps it."""
        if not self.has_set_options:
            return SessionOptions()
        rows = await self._relay.ask(READ_SQL)
        return SessionOptions.read(rows[0]) if rows else SessionOptions()

    async def _declare(self, statement: Declare, portal: Portal) -> None:
        if statement.scrolls:
            raise SqlError(messages.error_response("0A000", "cursors on models go forward only", H="Leave SCROLL out."))
        if not statement.holds and self._backend.status == b"I":
            text = "DECLARE CURSOR can only be used in transaction blocks"
            raise SqlError(messages.error_response("25P01", text))
        if self._cursors.get(statement.name) is not None:
            raise SqlError(messages.error_response("42P03", f'cursor "{statement.name}" already exists'))
        formats = (1,) if statement.is_binary else ()
        sql = with_values(statement.sql, portal.values, "postgres") if portal.values else statement.sql
        cursor = Cursor(sql, portal.prepared.description, formats, statement.holds)
        self._cursors.put(statement.name, cursor, 2 * len(sql))

    def _refuse_in_failed_transaction(self) -> None:
        if self._backend.status == b"E":
            text = "current transaction is aborted, commands ignored until end of transaction block"
            raise SqlError(messages.error_response("25P02", text))

    async def _end_cursors(self, *, all_of_them: bool = False) -> None:
        """Portals and cursors end with their transaction."""
        if self._backend.status != b"I" and not all_of_them:
            return
        ended = [portal.cursor for portal in self._portals.pop_all()]
        for name in self._cursors:
            cursor = self._cursors.get(name)
            if cursor is not None and (all_of_them or not cursor.holds):
                self._cursors.pop(name)
                ended.append(cursor)
        for cursor in ended:
            await cursor.close()

    async def _drop(self) -> None:
        """What is ours goes with what PostgreSQL has dropped."""
        dropped, self._relay.dropped = self._relay.dropped, frozenset()
        if "statements" in dropped:
            self._statements.pop_all()
        if "cursors" in dropped:
            await self._end_cursors(all_of_them=True)

    async def _send(self, cursor: Cursor, most: int, *, is_shown: bool = True) -> int:
        """Send the next rows as they come; returns how many. Ends the query when the client is gone."""
        if cursor.is_open:
            self._interruption.shorten((await self._options()).statement_seconds)
        count = 0
        try:
            while not cursor.is_at_end and (not most or count < most):
                batch = await self._take(cursor, most - count if most else 0)
                count += batch.count if batch is not None else 0
                if batch is not None and is_shown:
                    self._writer.write(batch.data)
                    await self._interruption.wait(self._writer.drain())
        except BaseException:
            await cursor.close()
            raise
        return count

    async def _take(self, cursor: Cursor, most: int = 0) -> RowMessages | None:
        """The next rows of a cursor; None: there are no more. ``most``: 0: as many as come together."""
        if cursor.rows is None:
            options = await self._options()
            self._interruption.shorten(options.statement_seconds)
            zone = self._backend.parameters.get("TimeZone", "UTC")
            columns = AnswerColumns(cursor.description.columns, cursor.formats, zone, self._longest)
            cursor.rows = RowStream(self._catalog.pool, self._visitor, cursor.sql, options.of_query(), columns)
            cursor.notices = options.notices
        batch = await self._interruption.wait(cursor.rows.take(most))
        if batch is None:
            cursor.is_at_end = True
            if cursor.notices:
                self._writer.write(messages.notice_response(f"answered from {cursor.rows.sources}"))
            return None
        cursor.count += batch.count
        self._check_rows(cursor.count)
        return batch

    def _check_rows(self, count: int) -> None:
        if self._bounds.rows and count > self._bounds.rows:
            text = f"the answer has more than {self._bounds.rows:,} rows"
            raise SqlError(messages.error_response("54000", text, H="Ask for fewer, or raise --max-rows of `serve`."))

    # The extended protocol

    async def _parse(self, frame: Frame) -> None:
        try:
            message = messages.read_parse(frame.payload)
        except TextEncodingError:
            self._statements.pop(frame.payload.split(b"\0")[0].decode(errors="replace"))
            await self._pass_on(frame)
            return
        prepared = await self._prepare(message.sql, message.type_oids)
        if prepared is None:
            self._statements.pop(message.statement)
            await self._pass_on(frame)
            return
        if message.statement and self._statements.get(message.statement) is not None:
            text = f'prepared statement "{message.statement}" already exists'
            raise SqlError(messages.error_response("42P05", text))
        self._statements.put(message.statement, prepared, size_of_statement(prepared, message.sql))
        self._writer.write(messages.PARSE_COMPLETE)

    async def _bind(self, frame: Frame) -> None:
        message = messages.read_bind(frame.payload)
        old = self._portals.pop(message.portal)
        if old is not None:
            await old.cursor.close()
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
        cursor = Cursor(bound, prepared.description, message.result_formats)
        self._portals.put(message.portal, Portal(prepared, values, cursor), size_of_portal(sql, message.values))
        self._writer.write(messages.BIND_COMPLETE)

    async def _describe(self, frame: Frame) -> None:
        message = messages.read_target(frame.payload)
        formats: Sequence[int] = ()
        is_statement = message.kind == b"S"
        prepared = self._statements.get(message.name) if is_statement else None
        portal = None if is_statement else self._portals.get(message.name)
        cursor = None if is_statement else self._cursors.get(message.name)  # which is a portal
        if prepared is not None:
            self._writer.write(messages.parameter_description(prepared.description.parameter_oids))
        elif portal is not None:
            prepared, formats = portal.prepared, portal.cursor.formats
        elif cursor is not None:
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
        if message.kind == b"S" and self._statements.pop(message.name) is not None:
            self._writer.write(messages.CLOSE_COMPLETE)
        elif message.kind == b"P" and (portal := self._portals.pop(message.name)) is not None:
            await portal.cursor.close()
            self._writer.write(messages.CLOSE_COMPLETE)
        else:
            await self._pass_on(frame)

    async def _flush(self, _: Frame) -> None:
        """What is written is sent, as after a Sync."""

    async def _sync(self, frame: Frame) -> None:
        self._is_skipping = False
        await self._relay.sync(frame)
        await self._end_cursors()

    async def _pass_on(self, frame: Frame) -> None:
        if not await self._relay.pass_on(frame):
            self._is_skipping = True
