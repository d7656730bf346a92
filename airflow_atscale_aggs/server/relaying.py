"""Messages that are not for the engine go to PostgreSQL as they come, and its answers to the client."""

from __future__ import annotations

import asyncio
import contextlib

from airflow_atscale_aggs.server import messages
from airflow_atscale_aggs.server.backend import Backend, BackendAddress, cancel
from airflow_atscale_aggs.server.frames import Frame, MessageTooLongError, discard, read_frame
from airflow_atscale_aggs.server.message_writer import MessageWriter
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.stopping import Interruption

_ENDS = {
    b"P": frozenset(b"1"),
    b"B": frozenset(b"2"),
    b"D": frozenset(b"Tn"),
    b"E": frozenset(b"CsI"),
    b"C": frozenset(b"3"),
}
"""The last answer to each message of the extended protocol."""

_DROPS = {
    b"DEALLOCATE ALL\0": frozenset({"statements"}),
    b"CLOSE CURSOR ALL\0": frozenset({"cursors"}),
    b"DISCARD ALL\0": frozenset({"statements", "cursors"}),
}
"""What is dropped, whatever its name is, by what PostgreSQL tells that it has done."""

_FLUSH = Frame(b"H", b"").encode()
_READY = frozenset(b"Z")


class Relay:
    """Between a client and its own session on PostgreSQL.

    Args:
        address: where statements of the session are canceled.
        longest: bytes of a message that are taken from the client.

    Attributes:
        dropped: ``statements`` and ``cursors``, when PostgreSQL has dropped all of its own.
    """

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, MessageWriter],
        backend: Backend,
        address: BackendAddress,
        interruption: Interruption,
        longest: int,
    ) -> None:
        self._reader, self._writer = client
        self._backend, self._address, self._interruption, self._longest = backend, address, interruption, longest
        self._is_busy = False
        self.dropped: frozenset[str] = frozenset()
        self._cancels: set[asyncio.Task[None]] = set()

    async def run(self, sql: bytes, *, with_end: bool = True) -> bool:
        """Run a simple query, whose answers the client gets. False: it failed, which the client was told.

        Args:
            sql: ends with NUL.
            with_end: whether the client is told that the next statement may come.
        """
        self.send(Frame(b"Q", sql))
        return await self._relay(_READY, with_end=with_end)

    async def pass_on(self, frame: Frame) -> bool:
        """A message of the extended protocol. False: it failed, which the client was told."""
        self._backend.writer.write(frame.encode() + _FLUSH)
        return await self._relay(_ENDS[frame.kind])

    async def sync(self, frame: Frame) -> None:
        """The end of some messages of the extended protocol."""
        self.send(frame)
        await self._relay(_READY)

    def send(self, frame: Frame) -> None:
        """A message whose answer comes with that of another one, or never."""
        self._backend.writer.write(frame.encode())

    async def ask(self, sql: str) -> list[list[str | None]]:
        """Rows of a query of our own, of which the client sees nothing; none where it fails."""
        self.send(Frame(b"Q", sql.encode() + b"\0"))
        rows = []
        while (frame := await self._backend.read()).kind != b"Z":
            if frame.kind == b"D":
                rows.append(messages.read_row(frame.payload))
        return rows

    async def do(self, sql: str) -> str:
        """Run a statement of our own. Returns what it did, such as ``INSERT 0 5``. Raises SqlError: it failed."""
        self.send(Frame(b"Q", sql.encode() + b"\0"))
        return await self._finish()

    async def begin_copy(self, sql: str) -> None:
        """Run a COPY FROM STDIN until the server waits for rows. Raises SqlError: it failed."""
        self.send(Frame(b"Q", sql.encode() + b"\0"))
        while (frame := await self._backend.read()).kind != b"G":
            if frame.kind == b"E":
                await self._finish()
                raise SqlError(frame.encode())

    async def end_copy(self, frame: Frame) -> None:
        """End it with CopyDone or CopyFail. Raises SqlError: it failed."""
        self.send(frame)
        await self._finish()

    async def _finish(self) -> str:
        tag, refusal = "", None
        self._is_busy = True
        with self._interruption.stopped_by(self._stop):
            while (frame := await self._backend.read()).kind != b"Z":
                if frame.kind == b"E":
                    refusal = refusal or frame
                elif frame.kind == b"C":
                    tag = frame.payload.rstrip(b"\0").decode()
        self._is_busy = False
        if refusal is not None:
            raise SqlError(refusal.encode())
        return tag

    async def close(self) -> None:
        """Stop what still runs, and end the session."""
        if self._is_busy:
            await cancel(self._address, self._backend.key)
        await self._backend.close()

    def _stop(self) -> None:
        task = asyncio.ensure_future(cancel(self._address, self._backend.key))
        self._cancels.add(task)
        task.add_done_callback(self._cancels.discard)

    async def _relay(self, ends: frozenset[int], *, with_end: bool = True) -> bool:
        """Pass answers on until one of some kinds, or an error that ends them; False: there was an error."""
        has_worked = True
        self._is_busy = True
        with self._interruption.stopped_by(self._stop):
            while True:
                frame = await self._backend.read(self._writer)
                is_end = frame.kind[0] in ends
                if with_end or not is_end:
                    self._writer.write(frame.encode())
                has_worked = has_worked and frame.kind != b"E"
                if frame.kind == b"C":
                    self.dropped |= _DROPS.get(frame.payload, frozenset())
                if is_end or (not has_worked and ends is not _READY):
                    break
                if frame.kind == b"N":
                    self._writer.flush()
                if frame.kind in {b"G", b"W"}:
                    await self._writer.send()
                    await self._copy_in()
                if frame.kind in {b"D", b"d"}:
                    await self._writer.drain()
        self._is_busy = False
        return has_worked

    async def _copy_in(self) -> None:
        """The client sends rows of a COPY."""
        is_refused = False
        while True:
            try:
                frame = await read_frame(self._reader, longest=self._longest)
            except MessageTooLongError as error:
                await discard(self._reader, error.size)
                frame = Frame(b"f", str(error).encode() + b"\0")
            if not is_refused:
                self.send(frame)
            with contextlib.suppress(ConnectionError):
                await self._backend.writer.drain()
            if frame.kind == b"f":
                # What the client sends behind it PostgreSQL passes over, as here.
                is_refused = True
            if frame.kind in {b"c", b"f"}:
                return
