"""Sentences of errors as they stand in logs and messages."""

from __future__ import annotations


def without_sql(sentence: str) -> str:
    """A sentence without the statement at its end, for places that show the statement by itself, or not at all.

    >>> without_sql("duckdb: out of memory [SQL: SELECT 1]")
    'duckdb: out of memory'
    """
    return sentence.partition(" [SQL: ")[0]
