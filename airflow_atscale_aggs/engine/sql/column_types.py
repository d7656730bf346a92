"""Families of column types, as warehouses and SML spell them in lower case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

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
_NOTHING_MORE: Mapping[str, frozenset[str]] = MappingProxyType({})
_TIMES = ("date", "timestamp", "datetime")

_MOMENTS = frozenset({"average", "stddev_samp", "stddev_pop", "var_samp", "var_pop"})
_SUMS = frozenset({"sum", "sum distinct"})
_NUMERIC_METHODS = _SUMS | _MOMENTS | {"percentile"}
_VALUES = ("uuid", "json", "xml", "variant", "bytea", "binary", "varbinary", "blob", "bytes", "struct", "map", "array")
_VALUES_TOO = (
    "inet",
    "cidr",
    "macaddr",
    "point",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "geo",
    "tsvector",
    "tsquery",
)
_NO_ORDER = ("bit", "point", "line", "lseg", "box", "path", "polygon", "circle", "macaddr")

POSTGRES_UNMEASURED: Mapping[str, frozenset[str]] = {
    "bool": _NUMERIC_METHODS | {"minimum", "maximum"},
    "money": _MOMENTS | {"percentile"},
    "json": frozenset({"minimum", "maximum"}),
    "xml": frozenset({"minimum", "maximum"}),
    "uuid": frozenset({"minimum", "maximum"}),
    **dict.fromkeys(_NO_ORDER, frozenset({"minimum", "maximum"}) | _NUMERIC_METHODS),
    "date": frozenset({"percentile"}),
    "time": frozenset({"percentile"}),
}
"""Methods that PostgreSQL has not, by how a type begins."""

DUCKDB_UNMEASURED: Mapping[str, frozenset[str]] = {
    "bool": frozenset({"percentile"}),
    "interval": _SUMS,
    "time": _SUMS,
}


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


def explain_unmeasurable(method: str, kind: str, unmeasured: Mapping[str, frozenset[str]] = _NOTHING_MORE) -> str:
    """Why a column of a type cannot be measured by a calculation method; empty when it may be.

    Args:
        unmeasured: methods that the warehouse has not where others have them, by how a type begins.

    >>> explain_unmeasurable("sum", "varchar")
    'it holds texts (varchar), of which there is no `sum`'
    """
    if method in _NUMERIC_METHODS and is_text(kind):
        return f"it holds texts ({kind}), of which there is no `{method}`"
    if method in _SUMS | _MOMENTS and is_time(kind):
        return f"it holds dates or times ({kind}), of which there is no `{method}`"
    is_no_number = method in _NUMERIC_METHODS and (
        kind.startswith((*_VALUES, *_VALUES_TOO)) or kind.endswith(("]", "range"))
    )
    is_lapse = method in _MOMENTS and kind.startswith(("interval", "time"))
    is_lacking = kind.endswith("range") and method in {"minimum", "maximum"}
    is_lacking |= any(kind.startswith(start) and method in methods for start, methods in unmeasured.items())
    if is_no_number or is_lapse or is_lacking:
        return f"there is no `{method}` of its type ({kind})"
    return ""


_PRECISION = re.compile(r"\(\s*([0-9]+)\s*\)")
_NANOSECONDS = 9


def has_more_digits(data_type: str, digits: int) -> bool:
    """Whether a timestamp of this type has more digits of a second than so many.

    >>> has_more_digits("timestamp(9)", 6), has_more_digits("timestamp", 6), has_more_digits("decimal(9)", 6)
    (True, False, False)
    """
    kind = data_type.casefold()
    if kind.endswith("_ns"):
        return digits < _NANOSECONDS
    precision = _PRECISION.search(kind)
    is_time = kind.startswith(("timestamp", "datetime"))
    return is_time and precision is not None and int(precision[1]) > digits
