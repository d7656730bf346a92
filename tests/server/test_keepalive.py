"""Who is gone, and who is not, over a real connection; what `serve` then does: test_vanished_clients.py."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from airflow_atscale_aggs.server.keepalive import Keepalive
from tests.support.vanishing import CANNOT_VANISH, vanish

pytestmark = pytest.mark.skipif(bool(CANNOT_VANISH), reason=CANNOT_VANISH)

_SECONDS = 0.3
_LONG_SECONDS = 4 * _SECONDS


async def _accepted() -> tuple[asyncio.StreamWriter, socket.socket]:
    """Both ends of a connection."""
    found: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: found.set_result(writer), "127.0.0.1", 0)
    client = socket.create_connection(server.sockets[0].getsockname())
    writer = await found
    server.close()
    return writer, client


async def _is_lost_within(keepalive: Keepalive, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if keepalive.is_lost():
            return True
        await asyncio.sleep(0.01)
    return False


def test_a_client_that_reads_all_the_time_is_there_until_it_vanishes() -> None:
    """Something is on its way to it at every moment that is looked at."""

    async def run() -> None:
        writer, client = await _accepted()
        is_over = threading.Event()

        def read() -> None:
            with contextlib.suppress(OSError):
                while not is_over.is_set() and client.recv(1 << 16):
                    pass

        async def write() -> None:
            with contextlib.suppress(OSError):
                while True:
                    writer.write(b"x" * 10_000)
                    await writer.drain()

        thread = threading.Thread(target=read)
        thread.start()
        writing = asyncio.ensure_future(write())
        keepalive = Keepalive(writer, _SECONDS)
        keepalive.begin()
        assert not await _is_lost_within(keepalive, _LONG_SECONDS)

        vanish(client)
        assert await _is_lost_within(keepalive, 20)
        writing.cancel()
        writer.transport.abort()
        is_over.set()
        client.shutdown(socket.SHUT_RDWR)
        thread.join()
        client.close()

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [0.0, _SECONDS])
def test_nobody_is_gone_to_whom_nothing_was_sent_or_who_is_not_asked(seconds: float) -> None:
    async def run() -> None:
        writer, client = await _accepted()
        keepalive = Keepalive(writer, seconds)
        keepalive.begin()
        if not seconds:
            writer.write(b"x" * 10_000_000)
            vanish(client)
        assert not await _is_lost_within(keepalive, _LONG_SECONDS)
        keepalive.end()
        writer.transport.abort()
        client.close()
        assert not keepalive.is_lost()

    asyncio.run(run())
