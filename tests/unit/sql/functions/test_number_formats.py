"""TO_CHAR of numbers: digits, points, groups, signs, FM, and texts around, on DuckDB."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.number_formats import NumberFormat, read_number_format
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from tests.support.translated import answer, answers, error_of, parsed, refusal


def _format(
    whole: str, fraction: str = "", *, sign: str = "", fills: bool = True, before: str = "", behind: str = ""
) -> NumberFormat:
    return NumberFormat(whole, fraction, bool(fraction), sign, fills, before, behind)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("999.99", _format("999", "99")),
        ("FM9,990D00", _format("9,990", "00", fills=False)),
        ("fm9G999", _format("9,999", fills=False)),
        ("S99", _format("99", sign="S<")),
        ("99S", _format("99", sign="S>")),
        ("99MI", _format("99", sign="MI")),
        ("FM$990", _format("990", fills=False, before="$")),
        ("990%", _format("990", behind="%")),
        ('FM990" km"', _format("990", fills=False, behind=" km")),
    ],
)
def test_a_format_is_taken_apart(written: str, form: NumberFormat) -> None:
    translator = translator_of("postgres", find_dialect("duckdb"))
    assert translator is not None

    assert read_number_format(written, parsed("i"), translator) == form


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_CHAR(i, '999')", {5: "   5", -5: "  -5", 123: " 123", 1234: " ###", 0: "   0", None: None}),
        ("TO_CHAR(i, 'FM999')", {5: "5", -5: "-5", 1234: "###", 0: "0"}),
        ("TO_CHAR(i, '000')", {5: " 005", -5: "-005"}),
        ("TO_CHAR(i, 'FM000')", {5: "005"}),
        ("TO_CHAR(i, '0999')", {5: " 0005"}),
        ("TO_CHAR(i, '9,999,999')", {1234567: " 1,234,567", 1234: "     1,234", 12: "        12", -1234: "    -1,234"}),
        ("TO_CHAR(i, 'FM9G999')", {1234: "1,234", 12: "12"}),
        ("TO_CHAR(i, '0,000')", {12: " 0,012"}),
        ("TO_CHAR(i, 'S999')", {5: "  +5", -5: "  -5"}),
        ("TO_CHAR(i, '999S')", {5: "  5+", -5: "  5-"}),
        ("TO_CHAR(i, '999MI')", {5: "  5 ", -5: "  5-"}),
        ("TO_CHAR(i, 'FM999MI')", {5: "5", -5: "5-"}),
        ("TO_CHAR(i, 'FM990%')", {5: "5%"}),
        ("TO_CHAR(i, 'FM$999,990')", {1234: "$1,234", -5: "$-5"}),
        ("TO_CHAR(i, 'FM990\" km\"')", {5: "5 km"}),
        ("TO_CHAR(i, '990.00')", {5: "   5.00"}),
        ("TO_CHAR(l, 'FM999G999G999G999')", {1234567890: "1,234,567,890"}),
    ],
)
def test_whole_numbers(expression: str, expected: dict[Any, Any]) -> None:
    """A number with too many digits is shown by hashes."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_CHAR(n, '999.99')", {"1.50": "   1.50", "-1.50": "  -1.50", "0.50": "    .50", "0.00": "    .00"}),
        ("TO_CHAR(n, 'FM999.99')", {"1.50": "1.5", "1.00": "1.", "0.50": ".5", "0.00": "0."}),
        ("TO_CHAR(n, 'FM990.00')", {"1.50": "1.50", "0.50": "0.50", "-0.50": "-0.50"}),
        ("TO_CHAR(n, '0.0')", {"1.25": " 1.3", "-1.25": "-1.3", "0.04": " 0.0", "9.96": " #.#"}),
        ("TO_CHAR(n, '99')", {"1.50": "  2", "-1.50": " -2", "0.49": "  0"}),
        ("TO_CHAR(n, 'FM999,999.00')", {"1234.50": "1,234.50", "0.00": ".00"}),
        ("TO_CHAR(n, 'S99.9')", {"1.50": " +1.5", "-0.04": "  +.0"}),
        ("TO_CHAR(m, 'FM0.099')", {"1.5000": "1.5", "1.0000": "1.0", "1.2340": "1.234"}),
        ("TO_CHAR(n / 3, 'FM999.999')", {"2.00": ".667", "1.50": ".5"}),
        ("TO_CHAR(k, 'FM90.9')", {"1.250": "1.3"}),
    ],
)
def test_decimals(expression: str, expected: dict[Any, Any]) -> None:
    """They are rounded away from zero; a zero before the point is shown where the format asks for it."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_CHAR(x, '999.99')", {1.5: "   1.50", -1.5: "  -1.50", 2.675: "   2.67", None: None}),
        ("TO_CHAR(x, 'FM990.0')", {2.25: "2.2", 2.35: "2.4", 0.0: "0.0"}),
        ("TO_CHAR(x, '99')", {0.5: "  0", 1.5: "  2", 2.5: "  2"}),
    ],
)
def test_double_precision_is_rounded_as_it_is_stored(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("TO_CHAR(1234567.891, 'FM9,999,999.99')", "1,234,567.89"),
        ("TO_CHAR(0, '9.9')", "  .0"),
        ("TO_CHAR(NULL::int, '999')", None),
        ("TO_CHAR(-1, 'FM9')", "-1"),
    ],
)
def test_what_stands_in_the_query(expression: str, value: object) -> None:
    assert answer(expression) == value


def test_more_digits_than_double_precision_has_are_an_error_here() -> None:
    assert "it has more digits than double precision" in error_of("TO_CHAR(x, 'FM9999999999999999.99')", 1e15)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("999PR", "the pattern `PR` of a number is not translated"),
        ("RN", "the pattern `RN` of a number is not translated"),
        ("9.9EEEE", "the pattern `EEEE` of a number is not translated"),
        ("999th", "the pattern `th` of a number is not translated"),
        ("9.9.9", "it has two points"),
        ("S9S", "it has two signs"),
        ("MI99", "MI before the digits is not translated. Put it behind them."),
        ("9 9", "digits behind other letters are not translated"),
        (".99", "begin before the point here"),
        ("99.", "a format that ends in a point is not translated"),
        ("9" * 31, "formats of numbers have 1 to 30 digits"),
        ("$S9", "a sign beside other letters is not translated"),
        ("$999", "letters before digits that are filled up are not translated. Use FM."),
    ],
)
def test_what_is_not_the_same_is_refused(written: str, reason: str) -> None:
    assert reason in refusal(f"TO_CHAR(i, '{written}')")
