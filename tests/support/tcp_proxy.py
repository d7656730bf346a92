"""A relay in front of a server, whose connections can be cut: the network between a worker and its warehouse."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_CHUNK_BYTES = 1 << 16


class TcpProxy:
    """Relays bytes both ways, until it is told to cut everything and to let nobody through.

    Args:
        target: the server's port on this machine, or the path of its socket.

    Attributes:
        port: where it listens, on this machine.
    """

    def __init__(self, target: int | str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = self._is_answer_lost = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Drop all connections, and each one that comes, until it is mended."""
        with self._lock:
            self._is_cut, self._is_answer_lost = True, False
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            _drop(one)

    def cut_at_next_answer(self) -> None:
        """Let the next request through, and cut instead of bringing its answer: the server has done what was asked."""
        self._is_answer_lost = True

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = self._is_answer_lost = False

    def close(self) -> None:
        """Stop."""
        self.cut()
        _drop(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
                outer = connect_to(self._target)
            except OSError:
                return
            with self._lock:
                is_cut = self._is_cut
                if not is_cut:
                    self._sockets |= {inner, outer}
            if is_cut:
                _drop(inner)
                _drop(outer)
                continue
            threading.Thread(target=self._relay, args=(inner, outer, False), daemon=True).start()
            threading.Thread(target=self._relay, args=(outer, inner, True), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, is_answering: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if is_answering and self._is_answer_lost:
                    self.cut()
                    break
                target.sendall(chunk)
        _drop(source)
        _drop(target)


def connect_to(target: int | str) -> socket.socket:
    """A connection to a port of this machine, or to the socket at a path."""
    if isinstance(target, int):
        return socket.create_connection(("127.0.0.1", target))
    server = socket.socket(socket.AF_UNIX)
    server.connect(target)
    return server


def _drop(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def tcp_proxy(target: int | str) -> Iterator[TcpProxy]:
    """A relay to a server of this machine, for the length of the block."""
    proxy = TcpProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
