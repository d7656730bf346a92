"""Families of column types, as warehouses and SML spell them in lower case."""

from __future__ import annotations

_TEXTS = ("char", "text", "string", "varchar", "nvarchar", "bpchar", "name", "clob", "enum", "citext", "ntext", "nchar")
_WHOLE = (
    "int",
    "tinyint",
    "smallint",
    "bigint",
    "hugeint",
    "uint",
    "ubigint",
    "usmallint",
    "uhugeint",
    "utinyint",
    "serial",
)
_WHOLE_TOO = ("bigserial", "smallserial", "long", "mediumint", "byteint", "short")
_BROKEN = ("num", "dec", "float", "double", "real", "money")
_TIMES = ("date", "timestamp", "datetime")

_NUMERIC_METHODS = frozenset(
    {"sum", "sum distinct", "average", "stddev_samp", "stddev_pop", "var_samp", "var_pop", "percentile"}
)


def is_text(kind: str) -> bool:
    """Whether a type holds texts."""
    return kind.startswith(_TEXTS)


def is_whole(kind: str) -> bool:
    """Whether a type holds whole numbers only, and says so by its name."""
    return kind.startswith((*_WHOLE, *_WHOLE_TOO)) and not kind.startswith("interval")


def is_number(kind: str) -> bool:
    """Whether a type holds numbers."""
    return is_whole(kind) or kind.startswith(_BROKEN)


def is_time(kind: str) -> bool:
    """Whether a type holds dates or timestamps."""
    return kind.startswith(_TIMES)


def why_not_measured(method: str, kind: str) -> str:
    """Why a column of a type cannot be measured by a calculation method on any warehouse; empty when it may be.

    >>> why_not_measured("sum", "varchar")
    'it holds texts (varchar), of which there is no `sum`'
    """
    if method in _NUMERIC_METHODS and is_text(kind):
        return f"it holds texts ({kind}), of which there is no `{method}`"
    if method in {"sum", "sum distinct"} and is_time(kind):
        return f"it holds dates or times ({kind}), of which there is no `{method}`"
    return ""
