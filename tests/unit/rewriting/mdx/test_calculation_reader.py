"""Calculated metrics are written out over base metrics with MDX's meaning of empty values, or refused by name."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics, find_untranslatable
from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import AllOf, Coordinate, Current, Keyed
from tests.support.stars.shop_star import shop_model_with, shop_paths

_AMOUNT, _QUANTITY = "[Measures].[Amount]", "[Measures].[Quantity]"
_BEFORE = "[Calendar].[Months].CurrentMember.PrevMember"

Value = Decimal | float | bool | str | None


def _expand(calculations: dict[str, str]) -> exp.Expr:
    """The last one, written out over base metrics."""

    def metric(name: str, coordinates: tuple[Coordinate, ...]) -> exp.Expr:
        assert not coordinates
        return exp.column(name, quoted=True)

    return CalculatedMetrics(shop_model_with(calculations)).expand(list(calculations)[-1], metric)


def _measured(calculations: dict[str, str]) -> list[tuple[str, tuple[Coordinate, ...]]]:
    """What the last one measures, and where, in its order."""
    measured: list[tuple[str, tuple[Coordinate, ...]]] = []

    def metric(name: str, coordinates: tuple[Coordinate, ...]) -> exp.Expr:
        measured.append((name, coordinates))
        return exp.Null()

    CalculatedMetrics(shop_model_with(calculations)).expand(list(calculations)[-1], metric)
    return measured


def _standing_on_each_other(step: str, levels: int) -> dict[str, str]:
    below = {f"c{level}": step.format(f"[Measures].[c{level - 1}]") for level in range(1, levels)}
    return {"c0": _AMOUNT, **below}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        (f"{_AMOUNT} + {_QUANTITY}", [14, 4, 10, None, 10]),
        (f"{_AMOUNT} - {_QUANTITY}", [6, -4, 10, None, 10]),
        (f"{_AMOUNT} + {_QUANTITY} - 1", [13, 3, 9, -1, 9]),
        (f"({_AMOUNT} + {_QUANTITY}) * 2", [28, 8, 20, None, 20]),
        (f"1 - ({_AMOUNT} - {_QUANTITY})", [-5, 5, -9, 1, -9]),
        (f"{_AMOUNT} * {_QUANTITY}", [40, None, None, None, 0]),
        (f"{_AMOUNT} / {_QUANTITY}", [2.5, None, None, None, None]),
        (f"{_QUANTITY} / 8", [0.5, 0.5, None, None, 0]),
        (f"-{_AMOUNT}", [-10, None, -10, None, -10]),
        ("1 + 2", [3, 3, 3, 3, 3]),
        (f"IsEmpty({_AMOUNT})", [False, True, False, True, False]),
        (f"NOT IsEmpty({_AMOUNT} + {_QUANTITY})", [True, True, True, False, True]),
        (f"IIF({_AMOUNT} > 5 AND {_QUANTITY} <> 0, 'high', \"low\")", ["high", "low", "low", "low", "low"]),
        (f"CASE WHEN IsEmpty({_AMOUNT}) THEN NULL ELSE {_QUANTITY} END", [4, None, None, None, 0]),
        (f"CASE {_QUANTITY} WHEN 4 THEN 1 WHEN 0 THEN 2 END", [1, 1, None, None, 2]),
        (f"Abs(0 - {_AMOUNT})", [10, 0, 10, 0, 10]),
        (f"Coalesce({_AMOUNT}, {_QUANTITY})", [10, 4, 10, None, 10]),
        (f"NullIf({_AMOUNT}, 10)", [None, None, None, None, None]),
        (f"Round({_AMOUNT}, 0) - 1", [9, -1, 9, -1, 9]),
        (f"Round({_AMOUNT} / 3, 1)", [3.3, None, 3.3, None, 3.3]),
        ("Amount * quantity", [40, None, None, None, 0]),
    ],
)
def test_an_empty_value_is_zero_in_a_sum_and_empty_in_a_product(expression: str, values: list[Value]) -> None:
    """A sum is empty where all its terms are; a quotient also where the divisor is zero."""
    text = _expand({"c": expression}).sql(dialect="duckdb")
    rows = "(1, 10, 4), (2, NULL, 4), (3, 10, NULL), (4, NULL, NULL), (5, 10, 0)"

    answer = duckdb.execute(
        f'SELECT {text} FROM (VALUES {rows}) AS t (number, "Amount", "Quantity") ORDER BY number'
    ).fetchall()

    assert [value if value is None or isinstance(value, (str, bool)) else float(value) for (value,) in answer] == values


@pytest.mark.parametrize("name", ["[Measures].[Amount]", "[MEASURES].[aMOUNT]", "[ Measures ].[ Amount ]", "AMOUNT"])
def test_a_metric_is_named_in_any_case_with_or_without_brackets(name: str) -> None:
    assert _measured({"c": f"{name} * 2"}) == [("Amount", ())]


def test_a_calculation_on_a_calculation_is_kept_together() -> None:
    expanded = _expand({"Sum": f"{_AMOUNT} + 1", "Same": "[Measures].[Sum]", "Double": "2 * [Measures].[Same]"})

    assert expanded.sql() == '2 * (COALESCE("Amount", 0) + 1)'


def test_coordinates_of_a_calculation_hold_for_everything_below_it() -> None:
    measured = _measured(
        {
            "North": f"([Shops].[City].&[North], {_AMOUNT}) / {_QUANTITY}",
            "Before": f"({_BEFORE}, [Measures].[North])",
            "Share": "[Measures].[Before] / ([Shops].[All], [Measures].[Before])",
        }
    )
    before, north, every = Current(("Calendar", "Months"), 1), Keyed(("Shops", "City"), "North"), AllOf(("Shops",))

    assert sorted(measured, key=repr) == sorted(
        [
            ("Amount", (before, north)),
            ("Quantity", (before,)),
            ("Amount", (every, before, north)),
            ("Quantity", (every, before)),
        ],
        key=repr,
    )


def test_a_sum_with_a_number_in_it_does_not_grow_with_each_calculation_on_it() -> None:
    """It is never empty, so nothing is written twice."""
    expanded = _expand(_standing_on_each_other("{0} + 1", 40))

    assert sum(1 for _ in expanded.find_all(exp.Column)) == 1
    assert not list(expanded.find_all(exp.Case))


@pytest.mark.parametrize("step", ["{0} + {0}", "{0} - [Measures].[Quantity]", "{0} * {0}"])
def test_what_doubles_at_each_step_is_refused_before_it_is_written_out(step: str) -> None:
    with pytest.raises(UnsupportedQueryError, match=r"more than 20,000 parts .* written out"):
        _expand(_standing_on_each_other(step, 45))


@pytest.mark.parametrize("sign", [" + ", " * ", " AND "])
def test_hundreds_of_operators_in_a_row_are_answered_and_thousands_are_refused(sign: str) -> None:
    term = f"({_AMOUNT} > 1)" if sign == " AND " else _AMOUNT
    assert sum(1 for _ in _expand({"c": sign.join([term] * 200)}).find_all(exp.Column)) >= 200
    with pytest.raises(UnsupportedQueryError, match="more than 500 operators in a row"):
        _expand({"c": sign.join([term] * 1000)})


def test_the_base_metrics_of_deep_and_wide_calculations_are_looked_at_once() -> None:
    """Neither two ways to everything below nor a thousand steps matter."""
    names = [f"c{number:04}" for number in range(1500)]
    steps = {
        name: f"[Measures].[{names[number - 1]}] * [Measures].[{names[number - 2]}]" if number > 1 else _AMOUNT
        for number, name in enumerate(names)
    }

    assert BaseMetrics(shop_model_with(steps)).of(names[-1]) == (("Amount",), (), ())


@pytest.mark.parametrize(
    ("calculations", "reason"),
    [
        ({"c": "[Measures].[c] + 1"}, "the calculated metric refers to itself"),
        ({"b": "[Measures].[c]", "c": "[Measures].[b]"}, "the calculated metric refers to itself"),
        (_standing_on_each_other("{0} * 2", 53), "more than 50 calculated metrics stand on each other"),
        ({"c": "(" * 51 + "1" + ")" * 51}, "its MDX is nested more than 50 levels deep"),
        ({"c": "[Measures].[Amuont]"}, "refers to the metric `Amuont`, which does not exist; near names: `Amount`"),
        ({"c": "[Measures].[Zzz]"}, "refers to the metric `Zzz`, which does not exist"),
        ({"c": "Measures.Amount * 2"}, r"`Measures.Amount` is not translated; write [Measures].[…]"),
        (
            {"c": f"Power({_AMOUNT}, 2)"},
            "its MDX `Power([Measures].[Amount], 2)` is a tuple, member or set that is not",
        ),
        ({"c": f"{_AMOUNT} +"}, "its MDX cannot be read as arithmetic, CASE or IIF"),
        ({"c": f"{_AMOUNT} || {_QUANTITY}"}, "its MDX has `[Amount] || [Quantity]`, which is not translated"),
        ({"c": "IIF(IsEmpty([Measures].[Amount], 1), 1, 2)"}, "which is not translated"),
        (
            {"b": f"{_AMOUNT} * 2", "c": "Sum([Calendar].[Months].[Month].Members, [Measures].[b])"},
            "takes a set's value of `b`, which is itself calculated",
        ),
    ],
)
def test_what_is_not_translated_is_refused_by_name(calculations: dict[str, str], reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        _expand(calculations)
    with pytest.raises(UnsupportedQueryError) as same:
        CalculatedMetrics(shop_model_with(calculations)).check(list(calculations)[-1], lambda *_: None)

    assert reason in error.value.reason
    assert error.value.clause in calculations
    assert same.value.args == error.value.args


def test_a_check_is_told_of_what_is_measured_without_writing_it_out() -> None:
    """In the order in which it would be written out, and once where a term is written twice."""
    calculations = {
        "Change": f"{_AMOUNT} - ({_BEFORE}, {_AMOUNT})",
        "c": f"({_BEFORE}, [Measures].[Change]) + {_QUANTITY}",
    }
    told: list[tuple[str, tuple[Coordinate, ...]]] = []

    model = shop_model_with(calculations)
    CalculatedMetrics(model).check("c", lambda name, coordinates: told.append((name, coordinates)))

    assert list(dict.fromkeys(told)) == list(dict.fromkeys(_measured(calculations)))
    assert told.count(("Quantity", ())) == 1


def test_a_refusal_says_where_the_calculation_stands() -> None:
    with pytest.raises(UnsupportedQueryError, match=r"`c` is not answered: .* change the calculation at c\.yml:1\."):
        _expand({"c": "[Shops].[City].Members"})


@pytest.mark.parametrize(
    "expression",
    [
        f"{_AMOUNT} + 'x'",
        f"{_AMOUNT} * ('x')",
        "Abs('x')",
        "-'x'",
        "1e",
        f"{_AMOUNT} > 1 > 0",
        f"{_AMOUNT} = 'x'",
        f"IIF({_AMOUNT} > 1, 'high', 2)",
        f"IIF({_AMOUNT} > 1, 'high', {_AMOUNT})",
        f"CASE WHEN {_AMOUNT} > 1 THEN {_AMOUNT} * 2 ELSE 'low' END",
    ],
)
def test_what_no_warehouse_computes_is_refused_with_its_clause(expression: str) -> None:
    with pytest.raises(UnsupportedQueryError, match=r"its MDX (has `|cannot be read)"):
        _expand({"c": expression})


@pytest.mark.parametrize(
    ("expression", "expanded"),
    [
        (f"IIF({_AMOUNT} > 1, 'high', 'low')", "CASE WHEN \"Amount\" > 1 THEN 'high' ELSE 'low' END"),
        (f"{_AMOUNT} > 1 AND {_QUANTITY} > 2", '"Amount" > 1 AND "Quantity" > 2'),
        ("IIF([Measures].[Lowest] = 'x', 1, 2)", "CASE WHEN \"Lowest\" = 'x' THEN 1 ELSE 2 END"),
        ("1.5e3 * 2", "1.5e3 * 2"),
        (f"{_AMOUNT} * {'9' * 60}", f'"Amount" * {"9" * 60}'),
    ],
)
def test_texts_among_texts_and_numbers_of_any_length_are_computed(expression: str, expanded: str) -> None:
    """The least value of a column may be a text."""
    assert _expand({"c": expression}).sql(dialect="duckdb") == expanded


def test_the_calculations_that_no_query_is_answered_for_are_found() -> None:
    """What refers to nothing, or to itself, is reported where the model is read."""
    model = shop_model_with(
        {
            "Good": f"({_BEFORE}, {_AMOUNT})",
            "Set": "Count([Shops].[City].Members)",
            "Below": "[Measures].[Set] * 2",
            "Nowhere": f"([Shops].[Decade].CurrentMember.PrevMember, {_AMOUNT})",
            "Missing": "[Measures].[Nothing]",
            "Circle": "[Measures].[Circle]",
        }
    )
    set_reason = "its MDX `Count([Shops].[City].Members)` is a tuple, member or set that is not translated"

    reasons = {
        calculation.name: reason
        for calculation, reason in find_untranslatable(model, SurfaceNames(model, shop_paths()))
    }

    assert list(reasons) == ["Set", "Below", "Nowhere"]
    assert reasons["Set"] == reasons["Below"] == set_reason
    assert "`Shops.Decade` is no hierarchy of the model" in reasons["Nowhere"]


def test_calculations_that_read_alike_measure_what_each_of_them_names() -> None:
    """Also by names without brackets; and what is no number for one measure may be one for another."""
    calculations = {
        "Share": f"{_AMOUNT} / {_QUANTITY}",
        "Other share": f"{_QUANTITY} / {_AMOUNT}",
        "Bare": "Amount * Quantity",
        "Same": "Amount * Quantity",
        "Text": "IIF([Measures].[Lowest] = 'x', 1, 2)",
        "No text": f"IIF({_AMOUNT} = 'x', 1, 2)",
    }
    expanded = CalculatedMetrics(shop_model_with(calculations))

    def text_of(name: str) -> str:
        return expanded.expand(name, lambda metric, _: exp.column(metric, quoted=True)).sql(dialect="duckdb")

    for _ in range(2):
        assert text_of("Share") == '"Amount" / NULLIF("Quantity", 0)'
        assert text_of("Other share") == '"Quantity" / NULLIF("Amount", 0)'
        assert text_of("Bare") == text_of("Same") == '"Amount" * "Quantity"'
        assert text_of("Text") == "CASE WHEN \"Lowest\" = 'x' THEN 1 ELSE 2 END"
        with pytest.raises(UnsupportedQueryError, match="which mixes texts and numbers"):
            text_of("No text")
