"""What handlers share: arguments with types, literals of the query, divisions by zero, and exact decimals."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.handling import (
    error_if_zero,
    exact_decimal,
    literal_number,
    literal_text,
    number_of,
    refusal_of,
    round_decimal,
    text_of,
    whole_of,
)
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.functions.translating import Translator
from airflow_atscale_aggs.engine.sql.functions.types import EXACT, FLOATING_NUMERIC, INTEGER, Kind, SqlType, Value
from tests.support.translated import parsed


@pytest.fixture
def translator() -> Translator:
    """Whoever translates for DuckDB."""
    duckdb_translator = translator_of("postgres", find_dialect("duckdb"))
    assert duckdb_translator is not None
    return duckdb_translator


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("'a'", "'a'"),
        ("NULL", "CAST(NULL AS TEXT)"),
        ("CAST('ab' AS CHAR(3))", "RTRIM(RPAD(LEFT('ab', 3), 3, ' '), ' ')"),
        ("UPPER('a')", "UPPER('a')"),
    ],
)
def test_an_argument_that_is_a_text(translator: Translator, expression: str, sql: str) -> None:
    """Blanks at the end of CHARACTER do not count."""
    assert _sql(text_of(parsed(expression), translator)) == sql


@pytest.mark.parametrize(
    ("expression", "sql", "kind"),
    [("5", "5", Kind.INTEGER), ("1.5", "1.5", Kind.NUMERIC), ("'2.5'", "2.5", Kind.DOUBLE)],
)
def test_an_argument_that_is_a_number(translator: Translator, expression: str, sql: str, kind: Kind) -> None:
    value = number_of(parsed(expression), translator)

    assert (_sql(value.sql), value.kind) == (sql, kind)


def test_a_text_without_a_type_is_a_whole_number_where_no_other_is_taken(translator: Translator) -> None:
    assert number_of(parsed("'2'"), translator, EXACT).kind is Kind.INTEGER
    assert _sql(whole_of(parsed("'2'"), translator)) == "2"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("LENGTH(5)", "`LENGTH(5)` is not answered: it takes a text in PostgreSQL, and an argument is integer."),
        ("ABS(TRUE)", "`ABS(TRUE)` is not answered: it takes a number in PostgreSQL, and an argument is boolean."),
    ],
)
def test_another_type_is_refused_with_the_call(translator: Translator, expression: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as caught:
        translator.value(parsed(expression))

    assert str(caught.value) == f"{reason} CAST it to the type that is meant."


@pytest.mark.parametrize(
    ("expression", "text"),
    [("'a'", "a"), ("('a')", "a"), ("'a'::text", "a"), ("''", "")],
)
def test_a_text_that_stands_in_the_query(translator: Translator, expression: str, text: str) -> None:
    assert literal_text(parsed(expression), translator, "a format") == text


@pytest.mark.parametrize("expression", ["a", "5", "'a'::varchar(1)", "'a' || 'b'"])
def test_a_text_that_does_not_stand_there_is_refused(translator: Translator, expression: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="a format has to stand in the query as a text"):
        literal_text(parsed(expression), translator, "a format")


@pytest.mark.parametrize(
    ("expression", "number"),
    [("5", 5), ("-5", -5), ("(5)", 5), ("-(-5)", 5), ("1.5", None), ("'5'", None), ("i", None), ("2 + 3", None)],
)
def test_a_whole_number_that_stands_in_the_query(expression: str, number: int | None) -> None:
    assert literal_number(parsed(expression)) == number
    assert literal_number(None) is None


@pytest.mark.parametrize(
    ("dividend", "divisor", "sql"),
    [
        ("a", "b", "CASE WHEN b = 0 AND NOT (a) IS NULL THEN ERROR('division by zero') ELSE q END"),
        ("1", "b", "CASE WHEN b = 0 THEN ERROR('division by zero') ELSE q END"),
        ("a", "2", "q"),
        ("a", "(2.5)", "q"),
        ("a", "0", "CASE WHEN 0 = 0 AND NOT (a) IS NULL THEN ERROR('division by zero') ELSE q END"),
        ("a", "NULLIF(b, 0)", "q"),
        (
            "a",
            "NULLIF(b, 1)",
            "CASE WHEN NULLIF(b, 1) = 0 AND NOT (a) IS NULL THEN ERROR('division by zero') ELSE q END",
        ),
    ],
)
def test_a_division_by_zero_is_an_error_unless_null_is_divided(dividend: str, divisor: str, sql: str) -> None:
    """Nothing is checked where the divisor cannot be zero."""
    assert _sql(error_if_zero(parsed(dividend), parsed(divisor), exp.column("q"))) == sql


@pytest.mark.parametrize(
    ("value", "decimal"),
    [
        ("0.1::DOUBLE + 0.2::DOUBLE", Decimal("0.3")),
        ("1 / 3::DOUBLE", Decimal("0.333333333333333")),
        ("123456789.125::DOUBLE", Decimal("123456789.125")),
        ("-2.675::DOUBLE", Decimal("-2.675")),
        ("NULL::DOUBLE", None),
    ],
)
def test_a_decimal_has_the_fifteen_digits_that_double_precision_is_sure_of(value: str, decimal: Decimal | None) -> None:
    sql = _sql(exact_decimal(exp.maybe_parse(value, dialect="duckdb")))

    assert duckdb.connect().execute(f"SELECT {sql}").fetchall() == [(decimal,)]


def test_a_number_that_no_decimal_holds_is_an_error() -> None:
    sql = _sql(exact_decimal(exp.maybe_parse("1e22::DOUBLE", dialect="duckdb")))

    with pytest.raises(duckdb.Error, match="the number has too many digits"):
        duckdb.connect().execute(f"SELECT {sql}")


@pytest.mark.parametrize(
    ("kind", "is_rounded"),
    [
        (FLOATING_NUMERIC, True),
        (SqlType(Kind.NUMERIC, scale=2), False),
        (INTEGER, False),
        (SqlType(Kind.DOUBLE), False),
    ],
)
def test_only_decimals_that_are_computed_in_double_precision_are_rounded(kind: SqlType, *, is_rounded: bool) -> None:
    value = Value(exp.column("a"), kind)

    assert (round_decimal(value) is not value) is is_rounded


def test_a_refusal_names_the_clause_as_postgresql_writes_it() -> None:
    error = refusal_of(parsed("CAST(a AS INTEGER)"), "why", "Do that.")

    assert str(error) == "`CAST(a AS INT)` is not answered: why. Do that."
