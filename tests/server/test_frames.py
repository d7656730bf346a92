"""Messages as they stand on the wire."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.server.frames import (
    CANCEL_REQUEST,
    PROTOCOL,
    Frame,
    PeerGoneError,
    ProtocolViolationError,
    StartupPacket,
    read_frame,
    read_startup,
    startup_packet,
)

_WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


def _reader(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def _frame(data: bytes, longest: int = 100) -> Frame:
    async def read() -> Frame:
        return await read_frame(_reader(data), longest=longest)

    return asyncio.run(read())


def _startup(data: bytes) -> StartupPacket:
    async def read() -> StartupPacket:
        return await read_startup(_reader(data))

    return asyncio.run(read())


@given(kind=st.sampled_from([b"Q", b"D"]), payload=st.binary(max_size=100))
def test_a_message_is_read_as_it_was_written(kind: bytes, payload: bytes) -> None:
    assert _frame(Frame(kind, payload).encode()) == Frame(kind, payload)


@given(parameters=st.dictionaries(_WORDS, _WORDS, max_size=5))
def test_a_startup_packet_is_read_as_it_was_written(parameters: dict[str, str]) -> None:
    packet = _startup(startup_packet(parameters).encode())

    assert (packet.code, packet.parameters()) == (PROTOCOL, parameters)


def test_the_key_of_a_cancel_request() -> None:
    packet = StartupPacket(CANCEL_REQUEST, (7).to_bytes(4, "big") + (0xFFFFFFFE).to_bytes(4, "big"))

    assert _startup(packet.encode()).cancel_key() == (7, 0xFFFFFFFE)


@pytest.mark.parametrize("data", [b"", b"Q", b"Q\0\0\0\x08ab"])
def test_a_message_that_ends_too_early(data: bytes) -> None:
    with pytest.raises(PeerGoneError):
        _frame(data)


@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_cannot_be_meant_is_refused_before_anything_is_read(length: int) -> None:
    with pytest.raises(ProtocolViolationError, match="invalid message length"):
        _frame(b"Q" + length.to_bytes(4, "big") + b"x" * 10)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ((7).to_bytes(4, "big") + b"\0\3\0\0", "invalid length"),
        ((1 << 20).to_bytes(4, "big") + b"\0\3\0\0", "invalid length"),
        (StartupPacket(PROTOCOL, b"user\0me\0").encode(), "terminator"),
        (StartupPacket(PROTOCOL, b"user\0\0").encode(), "no value"),
        (StartupPacket(PROTOCOL, b"user\0\xff\0\0").encode(), "UTF-8"),
        (StartupPacket(PROTOCOL, b"").encode(), "terminator"),
    ],
)
def test_a_startup_packet_that_cannot_be_meant_is_refused(data: bytes, match: str) -> None:
    with pytest.raises(ProtocolViolationError, match=match):
        _startup(data).parameters()


def test_a_cancel_request_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolViolationError, match="cancel"):
        StartupPacket(CANCEL_REQUEST, b"\0\0\0\7").cancel_key()
