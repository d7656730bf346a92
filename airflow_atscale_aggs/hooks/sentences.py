"""Sentences of errors as they stand in logs and messages."""

from __future__ import annotations


def without_sql(sentence: str) -> str:
    """A sentence without the statement at its end, for places that show the statement by itself, or not at all.

    >>> without_sql("duckdb: out of memory [SQL: SELECT 1]")
    'duckdb: out of memory'
    """
    return sentence.partition(" [SQL: ")[0]


def where_to_read_more(error: BaseException) -> str:
    """The sentence that tells which passage is about an error.

    >>> where_to_read_more(FileNotFoundError())
    'More about it: atscale-aggs help operating-system'
    """
    from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of, pointer

    return pointer(codes_of(error))
