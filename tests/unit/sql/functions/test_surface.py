"""PostgreSQL's SQL as it is read: formats stay as they were written, and what would be read in part is refused."""

from __future__ import annotations

import pytest
from sqlglot import ParseError

from airflow_atscale_aggs.engine.sql.functions.surface import PostgresSurface, check_intervals, keep_functions


def _through(sql: str) -> str:
    """The text after the reader and the printer."""
    statements = PostgresSurface().parse(sql)
    keep_functions(statements)
    return ";".join(statement.sql(dialect="postgres") for statement in statements if statement is not None)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT TO_CHAR(d, 'FMMonth DD, YYYY')",
        "SELECT TO_CHAR(d, 'YYYY-\"Q\"Q')",
        "SELECT TO_CHAR(n, 'FM9,990.00')",
        "SELECT TO_DATE(t, 'DD Mon YYYY')",
        "SELECT TO_TIMESTAMP(t, 'YYYY-MM-DD HH24:MI')",
        "SELECT TO_HEX(i)",
        "SELECT TO_CHAR(d, '100 % of Q')",
    ],
)
def test_a_function_is_printed_as_it_was_written(sql: str) -> None:
    assert _through(sql) == sql


@pytest.mark.parametrize("form", ["%Y", "YYYY %m", "%-d", ""])
def test_a_format_that_the_printer_would_change_is_refused(form: str) -> None:
    with pytest.raises(ParseError, match=f"the format '{form}' is empty or has a code behind a percent sign"):
        _through(f"SELECT TO_CHAR(d, '{form}')")


@pytest.mark.parametrize(
    ("interval", "is_whole"),
    [
        ("1 day", True),
        ("1 year 2 months", True),
        ("90 minutes", True),
        ("02:03:04", True),
        ("1 day 02:03:04", False),
        ("1 year 2 days 10:00", False),
        ("1 day -02:03", False),
        ("2 days ago", False),
    ],
)
def test_an_interval_that_would_be_read_in_part_is_refused(interval: str, *, is_whole: bool) -> None:
    tokens = PostgresSurface().tokenize(f"SELECT d + INTERVAL '{interval}'")

    if is_whole:
        check_intervals(tokens)
        return
    with pytest.raises(ParseError, match=rf"write CAST\('{interval}' AS INTERVAL\)"):
        check_intervals(tokens)


def test_the_same_text_is_fine_where_no_interval_is_written() -> None:
    check_intervals(PostgresSurface().tokenize("SELECT '1 day 02:03:04', CAST('1 day 02:03:04' AS INTERVAL)"))
