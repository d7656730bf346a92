"""What was seen of tables and their columns: types, numbers of rows and of different values, least and greatest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from functools import cached_property

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class Family(StrEnum):
    """Kinds of types, as far as discovery tells them apart."""

    WHOLE = "whole number"
    DECIMAL = "decimal"
    FLOATING = "floating number"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"
    UUID = "uuid"
    OTHER = "other"
    """Documents, lists, bytes: nothing is proposed of them."""


NUMBERS = frozenset({Family.WHOLE, Family.DECIMAL, Family.FLOATING})
TIMES = frozenset({Family.DATE, Family.TIMESTAMP})
KEY_FAMILIES = frozenset({Family.WHOLE, Family.TEXT, Family.DATE, Family.TIMESTAMP, Family.UUID})

_ARGUMENTS = re.compile(r"\(([^)]*)\)")
_WHOLE = re.compile(r"^u?(tiny|small|medium|big|huge)?int(eger)?\d*( unsigned)?$|^(long|short|byte|serial|bigserial)$")
_DECIMAL = frozenset({"decimal", "numeric", "number"})
_FLOATING = ("double", "double precision", "real", "float", "float4", "float8", "float32", "float64")
_TEXT = ("string", "text", "varchar", "char", "character", "character varying", "bpchar", "name", "nvarchar")
_FAMILIES = {
    **dict.fromkeys(_FLOATING, Family.FLOATING),
    **dict.fromkeys(_TEXT, Family.TEXT),
    **dict.fromkeys(("date", "date32"), Family.DATE),
    **dict.fromkeys(("boolean", "bool"), Family.BOOLEAN),
    "uuid": Family.UUID,
}


def family_of(data_type: str) -> Family:
    """The kind of a type as a warehouse spells it.

    >>> [family_of(kind).value for kind in ("BIGINT", "NUMBER(38,0)", "numeric(7,2)", "timestamp without time zone")]
    ['whole number', 'whole number', 'decimal', 'timestamp']
    """
    folded = data_type.casefold().strip()
    arguments = _ARGUMENTS.search(folded)
    kind = " ".join(_ARGUMENTS.sub("", folded).split())
    if kind in _DECIMAL:
        scale = arguments[1].partition(",")[2].strip() if arguments else ""
        return Family.WHOLE if arguments and scale in {"", "0"} else Family.DECIMAL
    if kind.startswith(("timestamp", "datetime")):
        return Family.TIMESTAMP
    return Family.WHOLE if _WHOLE.match(kind) else _FAMILIES.get(kind, Family.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column, over the rows that were looked at.

    Attributes:
        data_type: as the warehouse spells it.
        place: from 0, as the table has its columns.
        values: rows in which it is not NULL.
        distinct: different values.
        least, greatest: of numbers and times; None of others, and where there is no value.
    """

    name: str
    data_type: str
    family: Family
    place: int
    values: int = 0
    distinct: int = 0
    least: object = None
    greatest: object = None


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """One table or view.

    Attributes:
        schema: as the warehouse spells it.
        rows: all of them.
        looked_at: rows that the columns' numbers are of; fewer than all where a sample was taken.
        shared_prefix: the first word that the names of nearly all columns begin with, such as ``ss``; empty: none.
    """

    schema: str
    name: str
    rows: int
    looked_at: int
    columns: Mapping[str, ColumnProfile]
    is_view: bool = False
    shared_prefix: str = field(default="")

    @property
    def is_sampled(self) -> bool:
        """Whether its columns' numbers are of a part of the rows."""
        return self.looked_at < self.rows

    @cached_property
    def in_order(self) -> Sequence[ColumnProfile]:
        """The columns as the table has them."""
        return sorted(self.columns.values(), key=lambda column: column.place)

    def seems_unique(self, column: ColumnProfile) -> bool:
        """Whether no value was seen twice, and nearly no row is without one. In a sample it is to be proven yet."""
        return 0 < column.values == column.distinct and column.values >= self.looked_at * _LEAST_FILLED


_LEAST_FILLED = 0.95
"""A key may be NULL in a few rows, which nothing refers to; a column that is mostly NULL is no key."""
