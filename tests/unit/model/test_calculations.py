"""Which names stand in an MDX expression, and which base metrics stand behind a calculation."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.calculations import BaseMetrics, bare_names, referenced_measures
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from tests.support.stars.documents import calculation, metric, read_documents, resolve_documents, star


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("[Measures].[Sales] / [measures].[Cost]", ("Sales", "Cost")),
        ("[ Measures ] . [ Sales ]", ("Sales",)),
        ("[Measures].[Sales] - [Measures].[Sales]", ("Sales",)),
        ("[Measures].[odd ]] name]", ("odd ] name",)),
        ("[Date].[Year].&[2024]", ()),
        ("Measures.Sales", ()),
        ("", ()),
    ],
)
def test_measures_in_brackets(expression: str, names: tuple[str, ...]) -> None:
    """In their order, each once."""
    assert referenced_measures(expression) == names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("Amount * 2", ("Amount",)),
        ("IIF(Amount > 0, Cost, Cost)", ("Amount", "Cost")),
        ("Sum ( x )", ("x",)),
        ("[Measures].[Amount] + 'Cost' + \"Tax\"", ()),
        ("'it''s Amount' + Fee", ("Fee",)),
        ("Größe + 1e3 + a1", ("Größe", "a1")),
    ],
)
def test_words_that_are_neither_in_brackets_nor_in_texts_nor_functions(expression: str, names: tuple[str, ...]) -> None:
    assert bare_names(expression) == names


_CALCULATIONS = {
    "Net": "[Measures].[Amount] - [measures].[lost]",
    "Twice": "2 * Amount + AMOUNT",
    "Deep": "[Measures].[NET] / [Measures].[Twice]",
    "Broken": "[Measures].[Nothing] + [Measures].[Deep]",
    "Self": "[Measures].[Self] + 1",
    "Ping": "[Measures].[Pong]",
    "Pong": "[Measures].[Ping] + [Measures].[Amount]",
    "Constant": "1 + Nothing",
}


@pytest.mark.parametrize(
    ("name", "bases", "missing", "cycles"),
    [
        ("Amount", ("Amount",), (), ()),
        ("amount", ("Amount",), (), ()),
        ("Net", ("Amount", "Lost"), (), ()),
        ("Twice", ("Amount",), (), ()),
        ("Deep", ("Amount", "Lost"), (), ()),
        ("Broken", ("Amount", "Lost"), ("Nothing",), ()),
        ("Self", (), (), ("Self",)),
        ("Ping", ("Amount",), (), ("Ping",)),
        ("Constant", (), (), ()),
        ("Unknown", (), ("Unknown",), ()),
    ],
)
def test_a_calculation_is_made_of_base_metrics(
    name: str, bases: tuple[str, ...], missing: tuple[str, ...], cycles: tuple[str, ...]
) -> None:
    """Without regard to case. A bare word that is no measure is none that is missing: it may be anything in MDX."""
    documents = star() | {name: calculation(name, text) for name, text in _CALCULATIONS.items()}

    assert BaseMetrics(resolve_documents(documents).model).of(name) == (bases, missing, cycles)


def test_names_that_differ_in_case_only_are_told_apart_where_they_are_written_exactly() -> None:
    documents = star() | {"other": metric("AMOUNT", "sales", "amount", "maximum")}
    base = BaseMetrics(resolve_documents(documents).model)

    assert [base.of(name)[0] for name in ("Amount", "AMOUNT", "amount")] == [("Amount",), ("AMOUNT",), ("Amount",)]


def test_a_long_chain_of_calculations_is_walked_without_recursion() -> None:
    """Each of twelve hundred names the next one; the last one names a metric."""
    chain = {f"c{n}": calculation(f"c{n}", f"[Measures].[c{n + 1}]") for n in range(1200)}
    documents = star() | chain | {"c1200": calculation("c1200", "[Measures].[Amount]")}
    model = ModelResolver(read_documents(documents)).resolve("m")

    assert BaseMetrics(model).of("c0") == (("Amount",), (), ())
