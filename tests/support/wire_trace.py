"""What a client and a server of the PostgreSQL protocol say to each other, message by message."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.tcp_proxy import connect_to

_STARTUP_CODES = {80877103, 80877104}
"""Requests for encryption, which are answered by one byte."""

_COUNTED_NAMES = re.compile(rb"__asyncpg_\w+?_[0-9a-f]+__")
"""Names that a client counts up over all its connections."""


@dataclass
class Conversation:
    """One connection.

    Attributes:
        of_client, of_server: all bytes of each side.
    """

    of_client: bytearray = field(default_factory=bytearray)
    of_server: bytearray = field(default_factory=bytearray)

    def client_messages(self) -> list[tuple[bytes, bytes]]:
        """Type and content of what the client says behind its startup packet."""
        data, place = bytes(self.of_client), 0
        while place + 8 <= len(data):
            length, code = struct.unpack_from("!II", data, place)
            place += length
            if code not in _STARTUP_CODES:
                break
        return _messages(data[place:])

    def server_messages(self) -> list[tuple[bytes, bytes]]:
        """Type and content of what the server says, without the key for cancel requests."""
        data = bytes(self.of_server)
        while data[:1] in {b"N", b"S"} and self._asks_for_encryption() and data[1:2] in {b"N", b"S", b"R", b"E"}:
            data = data[1:]
        return [(kind, b"" if kind == b"K" else payload) for kind, payload in _messages(data)]

    def _asks_for_encryption(self) -> bool:
        return len(self.of_client) >= 8 and struct.unpack_from("!I", self.of_client, 4)[0] in _STARTUP_CODES


def _messages(data: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 0
    while place + 5 <= len(data):
        (length,) = struct.unpack_from("!I", data, place + 1)
        payload = _COUNTED_NAMES.sub(b"__asyncpg__", data[place + 5 : place + 1 + length])
        found.append((data[place : place + 1], payload))
        place += 1 + length
    return found


class Recorder:
    """A relay that keeps what is said.

    Args:
        target: the server's port on this machine, or the path of its socket.

    Attributes:
        port: where it listens, on this machine.
        conversations: in the order in which they began.
    """

    def __init__(self, target: int | str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.conversations: list[Conversation] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Stop, and wait until everything is kept."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(30)
        for thread in self._threads:
            thread.join(30)

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            outer, conversation = connect_to(self._target), Conversation()
            self.conversations.append(conversation)
            for source, target, kept in (
                (inner, outer, conversation.of_client),
                (outer, inner, conversation.of_server),
            ):
                thread = threading.Thread(target=_relay, args=(source, target, kept), daemon=True)
                thread.start()
                self._threads.append(thread)


def _relay(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            kept += chunk
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def recorder(target: int | str) -> Iterator[Recorder]:
    """A relay that keeps what is said, for the length of the block; afterwards all is kept."""
    relay = Recorder(target)
    try:
        yield relay
    finally:
        relay.close()
