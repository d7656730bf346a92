"""Which joins a warehouse refuses, told by the types of their columns before it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect

REFUSES = "refuses to compare"
"""By these words a sentence about a refused join is known."""

REFUSED_JOIN_REMEDY = "Give both columns one type, or join on a calculated column that casts one of them."

_LENGTH = re.compile(r"\([0-9, ]+\)")


@dataclass(frozen=True, slots=True)
class JoinColumn:
    """A column of one side of a join; ``data_type`` is the warehouse's, empty where it does not tell."""

    dataset: str
    name: str
    data_type: str

    def __str__(self) -> str:
        return f"`{self.dataset}`.`{self.name}` ({self.data_type.upper()})"


def refused_join(pairs: Iterable[tuple[JoinColumn, JoinColumn]], dialect: Dialect) -> str:
    """Why the warehouse refuses a join on equal pairs of columns.

    Empty where it does not, or where that is not known.
    """
    refused = [
        f"{left} is joined to {right}"
        for left, right in pairs
        if are_incomparable(left.data_type, right.data_type, dialect)
    ]
    return f"{' and '.join(refused)}, which {dialect.name} {REFUSES}" if refused else ""


def are_incomparable(left: str, right: str, dialect: Dialect) -> bool:
    """True when the warehouse is known to refuse ``=`` between two column types, whatever the values."""
    families = [_family(kind, dialect) for kind in (left, right)]
    return None not in families and families[0] != families[1]


def _family(data_type: str, dialect: Dialect) -> int | None:
    """The family's number; None for a type of which nothing is known."""
    kind = " ".join(_LENGTH.sub("", data_type).casefold().split())
    return next((number for number, family in enumerate(dialect.comparable) if kind in family), None)
