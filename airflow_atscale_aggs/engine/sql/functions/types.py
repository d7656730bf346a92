"""Types of expressions as PostgreSQL sees them, and what is known of the warehouse's own."""

from __future__ import annotations

import re
from enum import StrEnum

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class Kind(StrEnum):
    """A type of PostgreSQL; `LITERAL` and `NULL` have none yet, of `OTHER` nothing is known."""

    BOOLEAN = "boolean"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    REAL = "real"
    DOUBLE = "double precision"
    TEXT = "text"
    CHAR = "character"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamp with time zone"
    TIME = "time"
    INTERVAL = "interval"
    LITERAL = "text without a type"
    NULL = "NULL"
    OTHER = "a type that is not known here"


WHOLE = frozenset({Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT})
EXACT = WHOLE | {Kind.NUMERIC}
FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
NUMBERS = EXACT | FLOATS
TEXTS = frozenset({Kind.TEXT, Kind.CHAR})
DAYS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
UNTYPED = frozenset({Kind.LITERAL, Kind.NULL})

_ORDER = (Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.NUMERIC, Kind.REAL, Kind.DOUBLE)


@dataclass(frozen=True, slots=True)
class SqlType:
    """The type of an expression.

    Attributes:
        kind: PostgreSQL's type.
        scale: of NUMERIC: digits after the point of every value; None: not known.
        is_double: of NUMERIC: the warehouse computes it in double precision.
    """

    kind: Kind
    scale: int | None = None
    is_double: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """An expression for the warehouse and its type for PostgreSQL."""

    sql: exp.Expr
    type: SqlType

    @property
    def kind(self) -> Kind:
        """PostgreSQL's type."""
        return self.type.kind


BOOLEAN = SqlType(Kind.BOOLEAN)
INTEGER = SqlType(Kind.INTEGER)
BIGINT = SqlType(Kind.BIGINT)
DOUBLE = SqlType(Kind.DOUBLE)
REAL = SqlType(Kind.REAL)
TEXT = SqlType(Kind.TEXT)
DATE = SqlType(Kind.DATE)
TIMESTAMP = SqlType(Kind.TIMESTAMP)
INTERVAL = SqlType(Kind.INTERVAL)
WHOLE_NUMERIC = SqlType(Kind.NUMERIC, scale=0)
FLOATING_NUMERIC = SqlType(Kind.NUMERIC, is_double=True)
UNKNOWN = SqlType(Kind.OTHER)

_NAMES: dict[str, SqlType] = {
    "boolean": BOOLEAN,
    "bool": BOOLEAN,
    "tinyint": SqlType(Kind.SMALLINT),
    "smallint": SqlType(Kind.SMALLINT),
    "utinyint": SqlType(Kind.SMALLINT),
    "int": INTEGER,
    "integer": INTEGER,
    "usmallint": INTEGER,
    "bigint": BIGINT,
    "long": BIGINT,
    "uinteger": BIGINT,
    "hugeint": WHOLE_NUMERIC,
    "ubigint": WHOLE_NUMERIC,
    "uhugeint": WHOLE_NUMERIC,
    "float": REAL,
    "real": REAL,
    "double": DOUBLE,
    "double precision": DOUBLE,
    "varchar": TEXT,
    "text": TEXT,
    "string": TEXT,
    "character varying": TEXT,
    "date": DATE,
    "timestamp": TIMESTAMP,
    "datetime": TIMESTAMP,
    "timestamp_s": TIMESTAMP,
    "timestamp_ms": TIMESTAMP,
    "timestamp without time zone": TIMESTAMP,
    "timestamp with time zone": SqlType(Kind.TIMESTAMPTZ),
    "timestamptz": SqlType(Kind.TIMESTAMPTZ),
    "time": SqlType(Kind.TIME),
    "interval": INTERVAL,
}
_DECIMAL = re.compile(r"(?:decimal|numeric|number)\s*(?:\(\s*\d+\s*(?:,\s*(\d+)\s*)?\))?")


def find_type(name: str) -> SqlType:
    """The type that a warehouse's, or SML's, name of a type stands for.

    >>> find_type("decimal(12,2)")
    SqlType(kind=<Kind.NUMERIC: 'numeric'>, scale=2, is_double=False)
    """
    folded = name.casefold().strip()
    decimal = _DECIMAL.fullmatch(folded)
    if decimal is not None:
        has_size = "(" in folded
        return SqlType(Kind.NUMERIC, scale=int(decimal.group(1) or 0) if has_size else None)
    if folded.startswith(("enum(", "varchar(")):
        return TEXT
    return _NAMES.get(folded, UNKNOWN)


def wider(left: SqlType, right: SqlType) -> SqlType:
    """The type of a sum of two numbers."""
    if left.kind is Kind.NUMERIC and right.kind is Kind.NUMERIC:
        scale = None if left.scale is None or right.scale is None else max(left.scale, right.scale)
        return SqlType(Kind.NUMERIC, scale=scale, is_double=left.is_double or right.is_double)
    if {left.kind, right.kind} & FLOATS:
        return REAL if left.kind is right.kind is Kind.REAL else DOUBLE
    return left if _ORDER.index(left.kind) >= _ORDER.index(right.kind) else right


def scale_of(value: Value) -> int | None:
    """Digits after the point of every exact number that a value may be; None where that is not known."""
    return 0 if value.kind in WHOLE else value.type.scale
