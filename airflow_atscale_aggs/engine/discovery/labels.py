"""Names for people, each given once: for queries, all attributes and metrics of a model are columns of one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_atscale_aggs.engine.discovery.column_names import Words, words_of
from airflow_atscale_aggs.engine.discovery.joined_words import JoinedWords

_KEPT_UPPER = frozenset({"id", "sk", "url", "ip", "sku", "vat"})
_LONGEST = 60
"""Characters; warehouses cut names off, PostgreSQL behind 63 bytes."""


def label_of(words: Iterable[str]) -> str:
    """Words with capitals.

    >>> label_of(("net", "paid", "id"))
    'Net Paid ID'
    """
    return " ".join(word.upper() if word in _KEPT_UPPER else word[:1].upper() + word[1:] for word in words)


def column_label(column: str, prefix: str = "", joined: JoinedWords | None = None) -> str:
    """A column's name for people, without the prefix that its table's columns share.

    Args:
        joined: takes words apart that are written together; None: they stay.

    >>> column_label("ss_net_paid", "ss"), column_label("OrderDateKey")
    ('Net Paid', 'Order Date Key')
    """
    words = words_of(column)
    words = words[1:] if prefix and len(words) > 1 and words[0] == prefix else words
    parts = words if joined is None else [part for word in words for part in joined.split(word)]
    return label_of(parts) or column


def with_subject(label: str, subject: str) -> str:
    """A label that says whose it is, without saying it twice.

    >>> with_subject("Name", "Customer"), with_subject("Customer ID", "Customer")
    ('Customer Name', 'Customer ID')
    """
    return label if label.casefold().startswith(subject.casefold()) else f"{subject} {label}"


def role_template(role: Words) -> str:
    """SML's template of a role; empty: none.

    >>> role_template(("sold",))
    'Sold {0}'
    """
    return f"{label_of(role)} {{0}}" if role else ""


class Labels:
    """Gives each name once, without regard to case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str, others: Sequence[str] = ()) -> str:
        """The first of the names that is free, else the first with a number."""
        for name in (wanted, *others):
            if self._take(name[:_LONGEST]):
                return name[:_LONGEST]
        number = 2
        while not self._take(f"{wanted[: _LONGEST - 4]} {number}"):
            number += 1
        return f"{wanted[: _LONGEST - 4]} {number}"

    def _take(self, name: str) -> bool:
        folded = name.casefold()
        if folded in self._taken:
            return False
        self._taken.add(folded)
        return True
