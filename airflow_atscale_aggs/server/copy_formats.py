"""Rows in the formats of COPY, from their DataRow messages.

Source: PostgreSQL documentation, "COPY", "File Formats".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.warehouse.base import RowMessages
from airflow_atscale_aggs.server.frames import Frame
from airflow_atscale_aggs.server.messages import error_response
from airflow_atscale_aggs.server.sql_errors import SqlError

BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_END = b"\xff\xff"

_HEAD = struct.Struct("!I")
_SIZE = struct.Struct("!i")
_COUNT = struct.Struct("!h")
_DATA = ord("d")
_WORD = re.compile(r"'(?:[^']|'')*'|E'(?:[^'\\]|\\.)*'|[A-Za-z_]\w*|[(),*]")
_TEXT_ESCAPES = {8: rb"\b", 9: rb"\t", 10: rb"\n", 11: rb"\v", 12: rb"\f", 13: rb"\r", 92: rb"\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFormat:
    """How rows are written.

    Attributes:
        kind: ``text``, ``csv`` or ``binary``.
        null: what stands for NULL.
        escape: before a quote that is part of a value; None: the quote itself.
    """

    kind: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    has_header: bool = False
    quotes_all: bool = False


def read_copy_format(options: str) -> CopyFormat:
    r"""The format that options mean, in brackets or as older versions wrote them.

    Raises SqlError: an option is not known here, or has no such value.

    >>> read_copy_format("WITH (FORMAT csv, HEADER, DELIMITER ';')").delimiter
    ';'
    >>> read_copy_format("csv header").has_header, read_copy_format("BINARY").kind, read_copy_format("").null
    (True, 'binary', '\\N')
    """
    words = _WORD.findall(options)
    found: dict[str, str] = {}
    while words:
        word = words.pop(0).upper()
        if word in {"WITH", "(", ")", ","}:
            continue
        if word in {"CSV", "TEXT", "BINARY"}:
            found["FORMAT"] = word
            continue
        if words and words[0].upper() == "AS":
            words.pop(0)
        if word == "HEADER":
            has_value = bool(words) and words[0].upper() in {"TRUE", "FALSE", "ON", "OFF"}
            found[word] = words.pop(0).upper() if has_value else "ON"
        elif word == "FORCE_QUOTE" and words and words[0] == "*":
            found[word] = words.pop(0)
        elif word in {"FORMAT", "DELIMITER", "NULL", "QUOTE", "ESCAPE", "ENCODING"} and words:
            found[word] = _text_of(words.pop(0))
        else:
            raise _refusal(f"COPY option {word} of a query on models")
    return _format_of(found)


def _format_of(found: dict[str, str]) -> CopyFormat:
    kind = found.get("FORMAT", "text").casefold()
    if kind not in {"text", "csv", "binary"}:
        raise _refusal(f'COPY format "{kind}" of a query on models')
    if found.get("ENCODING", "utf8").casefold().replace("-", "") not in {"utf8", "unicode"}:
        raise _refusal("COPY of a query on models in another encoding than UTF8")
    is_csv = kind == "csv"
    chosen = CopyFormat(
        kind=kind,
        delimiter=found.get("DELIMITER", "," if is_csv else "\t"),
        null=found.get("NULL", "" if is_csv else "\\N"),
        quote=found.get("QUOTE", '"'),
        escape=found.get("ESCAPE", found.get("QUOTE", '"')),
        has_header=found.get("HEADER", "OFF") in {"ON", "TRUE"},
        quotes_all="FORCE_QUOTE" in found,
    )
    if any(len(mark.encode()) != 1 for mark in (chosen.delimiter, chosen.quote, chosen.escape)):
        raise SqlError(error_response("0A000", "COPY delimiter, quote and escape must be a single one-byte character"))
    return chosen


def as_copy_data(batch: RowMessages, *, is_first: bool) -> bytes:
    """Rows of binary values as messages of a binary COPY, whose rows are the same.

    Args:
        is_first: the header stands in the first row's message, where PostgreSQL puts it.
    """
    data, at = bytearray(batch.data), 0
    if is_first:
        data[5:5] = BINARY_HEADER
        _HEAD.pack_into(data, 1, _HEAD.unpack_from(data, 1)[0] + len(BINARY_HEADER))
    unpack = _HEAD.unpack_from
    while at < len(data):
        data[at] = _DATA
        at += 1 + unpack(data, at + 1)[0]
    return bytes(data)


def copy_lines(batch: RowMessages, chosen: CopyFormat) -> bytes:
    """Rows of texts as messages of a COPY, one for each row."""
    write = _csv_field if chosen.kind == "csv" else _text_field
    null, delimiter = chosen.null.encode(), chosen.delimiter.encode()
    messages = []
    for values in _rows(batch.data):
        is_single = len(values) == 1
        fields = [null if value is None else write(value, chosen, is_single=is_single) for value in values]
        messages.append(copy_message(delimiter.join(fields) + b"\n"))
    return b"".join(messages)


def header_line(names: list[str], chosen: CopyFormat) -> bytes:
    """The message with the names of columns."""
    write = _csv_field if chosen.kind == "csv" else _text_field
    fields = [write(name.encode(), chosen, is_single=len(names) == 1) for name in names]
    return copy_message(chosen.delimiter.encode().join(fields) + b"\n")


def copy_message(data: bytes) -> bytes:
    """Data of a COPY."""
    return Frame(b"d", data).encode()


def _rows(data: bytes) -> Iterator[list[bytes | None]]:
    at = 0
    while at < len(data):
        end = at + 1 + _HEAD.unpack_from(data, at + 1)[0]
        (count,) = _COUNT.unpack_from(data, at + 5)
        at += 7
        values: list[bytes | None] = []
        for _ in range(count):
            (size,) = _SIZE.unpack_from(data, at)
            at += 4
            values.append(None if size < 0 else data[at : at + size])
            at += max(size, 0)
        yield values
        at = end


def _text_field(value: bytes, chosen: CopyFormat, *, is_single: bool) -> bytes:  # noqa: ARG001 - as _csv_field
    delimiter = ord(chosen.delimiter)
    if delimiter not in value and not any(byte in value for byte in _TEXT_ESCAPES):
        return value
    return b"".join(
        _TEXT_ESCAPES.get(byte, b"\\" + bytes([byte]) if byte == delimiter else bytes([byte])) for byte in value
    )


def _csv_field(value: bytes, chosen: CopyFormat, *, is_single: bool) -> bytes:
    quote, escape, delimiter = (mark.encode() for mark in (chosen.quote, chosen.escape, chosen.delimiter))
    is_quoted = (
        chosen.quotes_all
        or value == chosen.null.encode()
        or (is_single and value == b"\\.")
        or any(mark in value for mark in (delimiter, quote, b"\n", b"\r"))
    )
    if not is_quoted:
        return value
    doubled = value if escape == quote else value.replace(escape, escape + escape)
    return quote + doubled.replace(quote, escape + quote) + quote


def _text_of(word: str) -> str:
    if word[:1] in {"E", "e"} and word[1:2] == "'":
        return word[2:-1].encode().decode("unicode_escape")
    return word[1:-1].replace("''", "'") if word.startswith("'") else word


def _refusal(text: str) -> SqlError:
    hint = "Known are FORMAT, DELIMITER, NULL, HEADER, QUOTE, ESCAPE, FORCE_QUOTE *; or copy a temporary table."
    return SqlError(error_response("0A000", text, H=hint))
