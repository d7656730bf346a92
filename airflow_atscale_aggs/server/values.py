"""Python's values as PostgreSQL writes them, by the type that the client was told, and back.

psycopg writes the binary form, and reads. Its texts are what PostgreSQL takes, which is not always what PostgreSQL
gives, so texts are written here.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import Format

from airflow_atscale_aggs.server.messages import ResultColumn, format_of

Encode = Callable[[Any], bytes | None]

BOOL, INT8, INT2, INT4, TEXT, FLOAT4, FLOAT8 = 16, 20, 21, 23, 25, 700, 701
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, NUMERIC, UUID = 1082, 1083, 1114, 1184, 1186, 1700, 2950
VARCHAR, BPCHAR, NAME, BYTEA, JSON, JSONB, UNKNOWN = 1043, 1042, 19, 17, 114, 3802, 705


class ValueEncodingError(Exception):
    """A value of the warehouse is none of the type that the client was told. Never leaves the server room."""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _whole(bits: int) -> Callable[[Any], int]:
    least, end = -(1 << bits - 1), 1 << bits - 1

    def convert(value: Any) -> int:
        if type(value) is int and least <= value < end:
            return value
        whole = int(value)
        if whole != value or not least <= whole < end:
            raise ValueError(value)
        return whole

    return convert


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)


def _timestamp(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a timestamp without a zone
    return datetime.fromisoformat(value)


def _instant(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value)


_AS: dict[int, Callable[[Any], Any]] = {
    BOOL: bool,
    INT2: _whole(16),
    INT4: _whole(32),
    INT8: _whole(64),
    **dict.fromkeys((FLOAT4, FLOAT8), float),
    NUMERIC: _decimal,
    DATE: _date,
    TIME: lambda value: value if isinstance(value, time) else time.fromisoformat(value),
    TIMESTAMP: _timestamp,
    TIMESTAMPTZ: _instant,
    INTERVAL: lambda value: value if isinstance(value, timedelta) else timedelta(seconds=float(value)),
    UUID: lambda value: value if isinstance(value, uuid.UUID) else uuid.UUID(value),
    BYTEA: bytes,
}
"""The Python type that psycopg writes as a type of PostgreSQL."""


def _float_text(value: float) -> str:
    """The shortest text that is read as the same number. From 1e15 on it has an exponent, as PostgreSQL's.

    >>> [_float_text(value) for value in (2.0, 0.1, 1e15, 1e-5, float("-inf"))]
    ['2', '0.1', '1e+15', '1e-05', '-Infinity']
    """
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    shortest = repr(value)
    if "e" not in shortest and abs(value) >= _FIRST_WITH_EXPONENT:
        whole, _, fraction = shortest.lstrip("-").removesuffix(".0").partition(".")
        rest = (whole[1:] + fraction).rstrip("0")
        shortest = f"{'-' if value < 0 else ''}{whole[0]}{'.' if rest else ''}{rest}e+{len(whole) - 1}"
    return shortest.removesuffix(".0")


def _decimal_text(value: Decimal) -> str:
    """As PostgreSQL writes it, without an exponent.

    >>> [_decimal_text(Decimal(text)) for text in ("1.50", "-0.00", "1E+3", "-1E-9", "NaN")]
    ['1.50', '0.00', '1000', '-0.000000001', 'NaN']
    """
    text = str(value)
    if "E" not in text and text[-1].isdigit() and (text[0] != "-" or value):
        return text
    if value.is_nan():
        return "NaN"
    # PostgreSQL has no negative zero.
    return format(value or abs(value), "f") if value.is_finite() else str(value)


def _without_zeros(text: str) -> str:
    """Seconds without zeros at their end.

    >>> _without_zeros("03:04:05.500000"), _without_zeros("03:04:00")
    ('03:04:05.5', '03:04:00')
    """
    return text.rstrip("0") if "." in text else text


def _instant_text(value: datetime) -> str:
    moment, sign, offset = value.isoformat(sep=" ").rpartition("-" if (value.utcoffset() or _ZERO) < _ZERO else "+")
    return f"{_without_zeros(moment)}{sign}{offset.removesuffix(':00')}"


def _interval_text(value: timedelta) -> str:
    """As with `IntervalStyle` `postgres`.

    >>> [_interval_text(timedelta(days=days, seconds=5)) for days in (0, 1, -2)]
    ['00:00:05', '1 day 00:00:05', '-2 days +00:00:05']
    """
    seconds = value.seconds
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{value.microseconds:06}"
    clock = ("+" if value.days < 0 else "") + _without_zeros(clock).removesuffix(".")
    if not value.days:
        return clock
    days = f"{value.days} day{'' if value.days == 1 else 's'}"
    return f"{days} {clock}" if seconds or value.microseconds else days


_ZERO = timedelta()
_FIRST_WITH_EXPONENT = 1e15

_TEXT_OF: dict[int, Callable[[Any], str]] = {
    BOOL: lambda value: "t" if value else "f",
    **dict.fromkeys((INT2, INT4, INT8), str),
    **dict.fromkeys((FLOAT4, FLOAT8), _float_text),
    NUMERIC: _decimal_text,
    DATE: date.isoformat,
    TIME: lambda value: _without_zeros(value.isoformat()),
    TIMESTAMP: lambda value: _without_zeros(value.isoformat(sep=" ")),
    TIMESTAMPTZ: _instant_text,
    INTERVAL: _interval_text,
    UUID: str,
    BYTEA: lambda value: "\\x" + value.hex(),
}


def encoders(columns: Sequence[ResultColumn], formats: Sequence[int], zone: tzinfo = UTC) -> tuple[Encode, ...]:
    """What writes the values of each column, in the formats that a client has asked for.

    Args:
        zone: of the client's session, in which texts of instants are written.
    """
    return tuple(_encoder(column.type_oid, format_of(formats, number), zone) for number, column in enumerate(columns))


def _encoder(type_oid: int, written: int, zone: tzinfo) -> Encode:
    if type_oid not in _AS:
        # Text and binary are the same for texts, and what is not known here is told as text.
        version = b"\x01" if type_oid == JSONB and written == 1 else b""
        return lambda value: None if value is None else version + _text(value).encode()
    convert: Callable[[Any], Any] = _AS[type_oid]
    if type_oid == TIMESTAMPTZ:
        convert = lambda value: _instant(value).astimezone(zone)  # noqa: E731
    write = _TEXT_OF[type_oid] if written == 0 else _binary_writer(type_oid)

    def encode(value: Any) -> bytes | None:
        if value is None:
            return None
        try:
            data = write(convert(value))
        except (ValueError, TypeError, ArithmeticError, psycopg.Error) as error:
            message = f"{value!r} is no value of type {type_oid}"
            raise ValueEncodingError(message) from error
        return data.encode() if isinstance(data, str) else data

    return encode


def _binary_writer(type_oid: int) -> Callable[[Any], bytes]:
    dumper_class = psycopg.adapters.get_dumper_by_oid(type_oid, Format.BINARY)
    dumpers: dict[type, Any] = {}

    def write(value: Any) -> bytes:
        kind = type(value)
        if kind not in dumpers:
            dumpers[kind] = dumper_class(kind)
        return bytes(dumpers[kind].dump(value))

    return write


def decode(value: bytes | None, type_oid: int, written: int) -> Any:
    """A parameter's value in Python. Raises ValueEncodingError."""
    if value is None:
        return None
    try:
        return Transformer().get_loader(type_oid, Format(written)).load(value)
    except Exception as error:  # whatever bytes do to a reader: struct.error, OverflowError, IndexError …
        message = f"invalid input for a parameter of type {type_oid}"
        raise ValueEncodingError(message) from error
