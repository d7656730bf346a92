"""The handlers of DuckDB are those of all rooms, and no two rooms handle the same."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.functions import (
    aggregates,
    casts,
    dates,
    duckdb,
    formatting,
    logic,
    moments,
    numbers,
    patterns,
    regexes,
    text,
)


def test_every_handler_of_every_module_is_there_and_none_hides_another() -> None:
    modules = (aggregates, casts, dates, formatting, logic, moments, numbers, patterns, regexes, text)
    handlers = [pair for module in modules for pair in module.HANDLERS.items()]

    assert dict(handlers) == dict(duckdb.HANDLERS)
    assert len(handlers) == len(duckdb.HANDLERS)


def test_functions_that_the_parser_does_not_know_are_known_by_name() -> None:
    named = [pair for module in (dates, numbers, text) for pair in module.NAMED.items()]

    assert dict(named) == dict(duckdb.NAMED)
    assert sorted(duckdb.NAMED) == ["age", "gcd", "isfinite", "lcm", "make_date", "octet_length", "to_hex"]
