"""What messages say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.server import messages
from airflow_atscale_aggs.server.frames import ProtocolViolationError
from airflow_atscale_aggs.server.messages import BindMessage, ExecuteMessage, ParseMessage, ResultColumn, TargetMessage

_READERS = (
    messages.read_query,
    messages.read_parse,
    messages.read_bind,
    messages.read_target,
    messages.read_execute,
)


def _bind(formats: tuple[int, ...], values: tuple[bytes | None, ...], result_formats: tuple[int, ...]) -> bytes:
    parts = [b"portal\0statement\0", struct.pack(f"!h{len(formats)}h", len(formats), *formats)]
    parts.append(struct.pack("!h", len(values)))
    parts += [b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in values]
    parts.append(struct.pack(f"!h{len(result_formats)}h", len(result_formats), *result_formats))
    return b"".join(parts)


def test_what_clients_say_is_read() -> None:
    assert messages.read_query("SELECT 'ä'\0".encode()) == "SELECT 'ä'"
    assert messages.read_parse(b"s\0SELECT $1\0\0\2\0\0\0\x17\xff\xff\xff\xff") == ParseMessage(
        "s", "SELECT $1", (23, 0xFFFFFFFF)
    )
    assert messages.read_bind(_bind((1,), (b"\0\0", None, b""), (0, 1))) == BindMessage(
        "portal", "statement", (1,), (b"\0\0", None, b""), (0, 1)
    )
    assert messages.read_target(b"Pname\0") == TargetMessage(b"P", "name")
    assert messages.read_execute(b"\0\0\0\0\5") == ExecuteMessage("", 5)


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (_bind((2,), (b"",), ()), "format code"),
        (_bind((), (b"",), (7,)), "format code"),
        (_bind((0, 1), (b"",), ()), "2 parameter formats but 1 parameters"),
        (_bind((), (), ()) + b"x", "invalid message format"),
        (b"p\0s\0\0\0\0\1\0\0\0\x09abc", "insufficient data"),
        (b"p\0s\0\0\0\0\1\xff\xff\xff\xfe", "insufficient data"),
        (b"p", "invalid string"),
        (b"\xff\0\0\0\0\0\0\0", "UTF8"),
    ],
)
def test_a_bind_message_that_cannot_be_meant_is_refused(payload: bytes, match: str) -> None:
    with pytest.raises(ProtocolViolationError, match=match):
        messages.read_bind(payload)


@given(payload=st.binary(max_size=60), reader=st.sampled_from(_READERS))
def test_bytes_of_any_kind_are_read_or_refused(payload: bytes, reader: object) -> None:
    try:
        reader(payload)  # type: ignore[operator] # one of _READERS
    except ProtocolViolationError:
        return


def test_what_the_server_says() -> None:
    columns = [ResultColumn(name="a", type_oid=23, type_size=4), ResultColumn(name="ß", type_oid=25)]

    assert messages.row_description(columns, (1,)) == (
        b"T\0\0\0\x2f\0\2a\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\1"
        b"\xc3\x9f\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\1"
    )
    assert messages.data_row([b"x", None, b""]) == b"D\0\0\0\x13\0\3\0\0\0\1x\xff\xff\xff\xff\0\0\0\0"
    assert messages.parameter_description([25]) == b"t\0\0\0\x0a\0\1\0\0\0\x19"
    assert messages.command_complete("SELECT 1") == b"C\0\0\0\rSELECT 1\0"
    assert messages.ready_for_query(b"T") == b"Z\0\0\0\5T"


def test_fields_of_errors_are_read_as_they_were_written() -> None:
    error = messages.error_response("42P01", "no table\0x", H="Deploy it.", D="")

    assert messages.read_fields(error[5:]) == {
        "S": "ERROR", "V": "ERROR", "C": "42P01", "M": "no tablex", "H": "Deploy it.",
    }  # fmt: skip
