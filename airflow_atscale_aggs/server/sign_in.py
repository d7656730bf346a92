"""A client proves who it is, by SCRAM-SHA-256."""

from __future__ import annotations

import asyncio

from scramp import ScramException, ScramMechanism

from airflow_atscale_aggs.server.frames import Frame, ProtocolViolationError, read_frame
from airflow_atscale_aggs.server.passwords import MECHANISM, Verifier

_LONGEST = 10_000
_SASL, _CONTINUE, _FINAL = 10, 11, 12


async def proves_password(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verifier: Verifier) -> bool:
    """Whether the client knows the password that a verifier proves. It is not sent.

    Raises:
        PeerGoneError: the client went.
        ProtocolViolationError: what it sends is no part of the exchange.
    """
    _write(writer, _SASL, MECHANISM.encode() + b"\0\0")
    await writer.drain()
    frame = await read_frame(reader, longest=_LONGEST)
    mechanism, _, first = frame.payload.partition(b"\0")
    if frame.kind != b"p" or mechanism.decode(errors="replace") != MECHANISM or len(first) < 4:  # noqa: PLR2004
        raise ProtocolViolationError("client selected an invalid SASL authentication mechanism")
    keys = (verifier.salt, verifier.stored_key, verifier.server_key, verifier.rounds)
    server = ScramMechanism(MECHANISM).make_server(lambda _: keys)
    try:
        _set_client_first(server, first[4:].decode())
        _write(writer, _CONTINUE, server.get_server_first().encode())
        await writer.drain()
        final = await read_frame(reader, longest=_LONGEST)
        if final.kind != b"p":
            raise ProtocolViolationError("expected SASL response")
        server.set_client_final(final.payload.decode())
        _write(writer, _FINAL, server.get_server_final().encode())
    except (ScramException, UnicodeDecodeError):
        return False
    return True


def _set_client_first(server: object, first: str) -> None:
    """Clients of PostgreSQL leave the name empty, since it stands in the startup packet; scramp wants one.

    What both sides sign must be what the client has sent.
    """
    header, comma, bare = first.partition("n=,")
    if not comma:
        server.set_client_first(first)  # type: ignore[attr-defined] # scramp has no types
        return
    server.set_client_first(f"{header}n=user,{bare}")  # type: ignore[attr-defined]
    server.client_first_bare = f"n=,{bare}"  # type: ignore[attr-defined]


def _write(writer: asyncio.StreamWriter, kind: int, data: bytes) -> None:
    writer.write(Frame(b"R", kind.to_bytes(4, "big") + data).encode())
