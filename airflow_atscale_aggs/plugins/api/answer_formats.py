"""The rows of an answer as JSON, CSV or an Arrow stream, and which of them a request wants."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from airflow_atscale_aggs.plugins.api.problems import ProblemError

_MOST_EXACT = 2**53
"""Up to here every whole number is a JSON number that all readers read exactly."""

_ROWS_AT_ONCE = 1000


class AnswerFormat(StrEnum):
    """The forms of an answer, in the order of preference."""

    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


MEDIA_TYPES: Mapping[AnswerFormat, str] = {
    AnswerFormat.JSON: "application/json",
    AnswerFormat.CSV: "text/csv",
    AnswerFormat.ARROW: "application/vnd.apache.arrow.stream",
}


def wanted_format(accept: str) -> AnswerFormat:
    """The form that a header ``Accept`` prefers; JSON where it prefers none.

    Raises:
        ProblemError: 406: it takes none of them.

    >>> wanted_format("text/csv;q=0.5, application/vnd.apache.arrow.stream")
    <AnswerFormat.ARROW: 'arrow'>
    """
    weights = dict(map(_weighted, accept.split(","))) if accept.strip() else {"*/*": 1.0}

    def weight_of(form: AnswerFormat) -> float:
        media = MEDIA_TYPES[form]
        names = (media, f"{media.partition('/')[0]}/*", "*/*")
        return next((weights[name] for name in names if name in weights), 0.0)

    best = max(AnswerFormat, key=weight_of)
    if weight_of(best) > 0:
        return best
    known = ", ".join(f"`{media}`" for media in MEDIA_TYPES.values())
    raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, f"An answer is given as {known}.", "not-acceptable")


def _weighted(item: str) -> tuple[str, float]:
    """A media type and its weight, from 0 to 1."""
    media, *parameters = (part.strip() for part in item.split(";"))
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                weight = min(max(float(value), 0.0), 1.0)
            except ValueError:
                weight = 0.0
    return media.lower(), 0.0 if math.isnan(weight) else weight


def json_value(value: Any) -> Any:
    """A value for JSON: a number where one holds it exactly, else a text.

    >>> json_value(Decimal("2.50")), json_value(Decimal("0.12345678901234567")), json_value(float("nan"))
    (2.5, '0.12345678901234567', 'NaN')
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float, Decimal)):
        return _json_number(value)
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    return text_value(value)


def _json_number(value: float | Decimal) -> float | str:
    if isinstance(value, int):
        return value if abs(value) <= _MOST_EXACT else str(value)
    as_float = float(value)
    if not math.isfinite(as_float):
        return str(Decimal(value))
    return as_float if isinstance(value, float) or Decimal(repr(as_float)) == value else str(value)


def text_value(value: Any) -> str:
    """A value as a text: dates and times as ISO 8601 has them, bytes in hexadecimal digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return str(value)


def _duration(value: timedelta) -> str:
    """As ISO 8601 has it: ``P3DT5.5S``, or the same with a minus sign before it."""
    sign, whole = ("-", -value) if value < timedelta(0) else ("", value)
    seconds = f"{(whole - timedelta(days=whole.days)).total_seconds():.6f}".rstrip("0").rstrip(".")
    return f"{sign}P{f'{whole.days}D' if whole.days else ''}T{seconds}S"


def csv_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """The rows as RFC 4180 has them, in UTF-8, with a line of names before them.

    NULL is an empty field, and an empty text is one in quotes.
    """
    yield (",".join(map(_csv_field, columns)) + "\r\n").encode()
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        lines = (",".join(map(_csv_field, row)) + "\r\n" for row in rows[start : start + _ROWS_AT_ONCE])
        yield "".join(lines).encode()


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    plain = value if isinstance(value, str) else text_value(value)
    needs_quotes = not plain or any(character in plain for character in ',"\r\n')
    return '"' + plain.replace('"', '""') + '"' if needs_quotes else plain


def arrow_stream(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """The rows as an Arrow IPC stream. A column whose values have no common Arrow type is one of texts.

    Raises:
        ProblemError: 406: pyarrow is not installed.
    """
    arrow = _pyarrow()
    arrays = [_arrow_column(arrow, [row[place] for row in rows]) for place in range(len(columns))]
    schema = arrow.schema([arrow.field(name, array.type) for name, array in zip(columns, arrays, strict=True)])
    batch = arrow.RecordBatch.from_arrays(arrays, schema=schema)
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, schema) as writer:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            writer.write_batch(batch.slice(start, _ROWS_AT_ONCE))
    return bytes(sink.getvalue().to_pybytes())


def check_arrow() -> None:
    """Raise ProblemError (406) where no Arrow stream can be made."""
    _pyarrow()


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        detail = (
            "This server makes no Arrow streams: pyarrow is not installed in it. Ask for JSON or CSV, or install "
            "`airflow-atscale-aggs[arrow]`."
        )
        raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, detail, "no-arrow") from None


def _arrow_column(arrow: Any, values: list[Any]) -> Any:
    if all(value is None for value in values):
        return arrow.array(values, arrow.string())
    try:
        return arrow.array(values)
    except (arrow.ArrowException, TypeError, ValueError, OverflowError):
        return arrow.array([None if value is None else text_value(value) for value in values], arrow.string())
