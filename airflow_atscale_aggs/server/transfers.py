"""Rows of a query on models go into a table of the client's session, or to the client in a format of COPY."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import assert_never

from airflow_atscale_aggs.engine.warehouse.base import RowMessages
from airflow_atscale_aggs.server.backend import Backend
from airflow_atscale_aggs.server.copy_formats import (
    BINARY_END,
    BINARY_HEADER,
    as_copy_data,
    copy_lines,
    copy_message,
    header_line,
    read_copy_format,
)
from airflow_atscale_aggs.server.descriptions import Description
from airflow_atscale_aggs.server.frames import Frame
from airflow_atscale_aggs.server.message_writer import MessageWriter
from airflow_atscale_aggs.server.messages import copy_out_response, error_response
from airflow_atscale_aggs.server.portals import Cursor
from airflow_atscale_aggs.server.relaying import Relay
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.stopping import Interruption
from airflow_atscale_aggs.server.transfer_statements import CopyRows, CreateTableAs, InsertRows, TransferStatement

_STAGE = '"atscale_aggs_rows"'
"""A temporary table whose rows PostgreSQL inserts, so that defaults, casts and constraints are its own."""

Take = Callable[[Cursor], Awaitable[RowMessages | None]]


class Transfers:
    """Of one session.

    Args:
        take: the next rows of a cursor; None: there are no more.
    """

    def __init__(
        self, writer: MessageWriter, backend: Backend, relay: Relay, interruption: Interruption, take: Take
    ) -> None:
        self._writer, self._backend, self._relay = writer, backend, relay
        self._interruption, self._take = interruption, take

    async def run(self, statement: TransferStatement, sql: str, description: Description) -> str:
        """Run a statement. Returns what it did, such as ``SELECT 5``.

        Args:
            sql: its query, with the values of parameters.

        Raises SqlError, as PostgreSQL or the query do.
        """
        match statement:
            case CopyRows():
                return f"COPY {await self._copy_out(statement, sql, description)}"
            case CreateTableAs():
                return await self._create(statement, sql, description)
            case InsertRows():
                async with self._transaction():
                    return await self._insert(statement, sql, description)
            case _:
                assert_never(statement)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """All statements of the block or none, where the client has begun no transaction."""
        if self._backend.status != b"I":
            yield
            return
        await self._relay.do("BEGIN")
        try:
            yield
        except BaseException:
            await self._relay.ask("ROLLBACK")
            raise
        await self._relay.do("COMMIT")

    async def _create(self, statement: CreateTableAs, sql: str, description: Description) -> str:
        if statement.may_exist:
            name = statement.target.replace("'", "''")
            if (await self._relay.ask(f"SELECT to_regclass('{name}') IS NOT NULL")) == [["t"]]:
                return "CREATE TABLE AS"
        async with self._transaction():
            await self._make(statement.head, statement.target, statement.columns, statement.options, description)
            if not statement.has_data:
                return "CREATE TABLE AS"
            return f"SELECT {await self._fill(statement.target, sql, description)}"

    async def _insert(self, statement: InsertRows, sql: str, description: Description) -> str:
        if "RETURNING" in statement.tail.upper():
            hint = "Select the rows from the table afterwards."
            raise SqlError(error_response("0A000", "INSERT … RETURNING of a query on models", H=hint))
        await self._make("CREATE TEMP TABLE", _STAGE, "", "ON COMMIT DROP", description)
        await self._fill(_STAGE, sql, description)
        insert = f"INSERT INTO {statement.target} {statement.columns} SELECT * FROM pg_temp.{_STAGE} {statement.tail}"
        tag = await self._relay.do(insert)
        await self._relay.do(f"DROP TABLE pg_temp.{_STAGE}")
        return tag

    async def _make(self, head: str, target: str, columns: str, options: str, description: Description) -> None:
        """Make a table with the columns of a query."""
        asked = ", ".join(f"format_type({column.type_oid}, {column.type_modifier})" for column in description.columns)
        (types,) = await self._relay.ask(f"SELECT {asked}") or [[]]
        shown = ", ".join(
            f'NULL::{kind} AS "{column.name.replace(chr(34), chr(34) * 2)}"'
            for kind, column in zip(types, description.columns, strict=True)
        )
        await self._relay.do(f"{head} {target} {columns} {options} AS SELECT {shown} WITH NO DATA")

    async def _fill(self, target: str, sql: str, description: Description) -> int:
        """Put the rows of a query into a table that has its columns. Returns how many."""
        cursor, writer = Cursor(sql, description, (1,)), self._backend.writer
        first = await self._take(cursor)
        await self._relay.begin_copy(f"COPY {target} FROM STDIN (FORMAT binary)")
        count = 0
        try:
            while first is not None:
                writer.write(as_copy_data(first, is_first=not count))
                count += first.count
                await writer.drain()
                first = await self._take(cursor)
            writer.write(copy_message(BINARY_END if count else BINARY_HEADER + BINARY_END))
        except BaseException:
            await cursor.close()
            with contextlib.suppress(SqlError):
                await self._relay.end_copy(Frame(b"f", b"the query has failed\0"))
            raise
        await self._relay.end_copy(Frame(b"c", b""))
        return count

    async def _copy_out(self, statement: CopyRows, sql: str, description: Description) -> int:
        chosen = read_copy_format(statement.options)
        is_binary = chosen.kind == "binary"
        cursor = Cursor(sql, description, (int(is_binary),))
        count = 0
        try:
            batch = await self._take(cursor)
            self._writer.write(copy_out_response(len(description.columns), is_binary=is_binary))
            if chosen.has_header:
                self._writer.write(header_line([column.name for column in description.columns], chosen))
            while batch is not None:
                data = as_copy_data(batch, is_first=not count) if is_binary else copy_lines(batch, chosen)
                self._writer.write(data)
                count += batch.count
                await self._interruption.wait(self._writer.drain())
                batch = await self._take(cursor)
        except BaseException:
            await cursor.close()
            raise
        if is_binary:
            self._writer.write(copy_message(BINARY_END if count else BINARY_HEADER + BINARY_END))
        self._writer.write(Frame(b"c", b"").encode())
        return count
