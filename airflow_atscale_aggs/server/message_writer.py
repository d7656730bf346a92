"""Messages to a client, some of them together: each that is sent by itself costs both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

_ENOUGH_BYTES = 8192
"""As PostgreSQL's own buffer."""


class MessageWriter:
    """Keeps messages until there are enough of them, or until they are to be sent."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add messages."""
        self._parts.append(data)
        self._size += len(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Add messages."""
        for data in parts:
            self.write(data)

    def flush(self) -> None:
        """Send what is there, as soon as the client takes it."""
        if self._parts:
            data, self._parts, self._size = b"".join(self._parts), [], 0
            self._writer.write(data)

    async def drain(self) -> None:
        """Send what is there when it is enough, and wait for a client that is slow."""
        if self._size >= _ENOUGH_BYTES:
            await self.send()

    async def send(self) -> None:
        """Send what is there, and wait for a client that is slow. Raises ConnectionError: it is gone."""
        self.flush()
        try:
            await self._writer.drain()
        except TimeoutError as error:
            # The operating system has given the client up, which is as when it had closed the connection.
            raise ConnectionAbortedError from error

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._writer.is_closing()

    def abort(self) -> None:
        """Close the connection at once; what was not sent never will be."""
        self._parts, self._size = [], 0
        self._writer.transport.abort()
