"""Calculated metrics that are long, stand on each other, or cannot be computed: answered or refused by name, soon."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import Coordinate
from tests.support.stars import tiny_star

_AMOUNT, _QUANTITY = "[Measures].[Amount]", "[Measures].[Quantity]"


def _model(folder: Path, expressions: dict[str, str]) -> SemanticModel:
    """The tiny model with calculated metrics."""
    tiny_star.write_model(folder)
    model = folder / "model.yml"
    listed = "".join(f"  - unique_name: {name}\n" for name in expressions)
    model.write_text(model.read_text().replace("metrics:\n", f"metrics:\n{listed}", 1))
    for name, expression in expressions.items():
        text = expression.replace("'", "''")
        (folder / f"{name}.yml").write_text(
            f"unique_name: {name}\nobject_type: metric_calc\nlabel: c\nexpression: '{text}'\n"
        )
    return ModelResolver(read_model_folder(folder)).resolve("tiny_sales")


def _expanded(folder: Path, expressions: dict[str, str]) -> exp.Expr:
    """The last one, written out over base metrics."""

    def metric(name: str, coordinates: tuple[Coordinate, ...]) -> exp.Expr:
        assert not coordinates
        return exp.column(name)

    return CalculatedMetrics(_model(folder, expressions)).expand(list(expressions)[-1], metric)


def _standing_on_each_other(step: str, levels: int) -> dict[str, str]:
    below = {f"c{level}": step.format(f"[Measures].[c{level - 1}]") for level in range(1, levels)}
    return {"c0": _AMOUNT, **below}


def test_constants_do_not_double(tmp_path: Path) -> None:
    """A sum with a number in it is never empty, so a chain of them is as long as its text."""
    expanded = _expanded(tmp_path, _standing_on_each_other("{0} + 1", 40))

    assert sum(1 for _ in expanded.find_all(exp.Column)) == 1
    assert not list(expanded.find_all(exp.Case))


@pytest.mark.parametrize("step", ["{0} + {0}", "{0} - [Measures].[Quantity]", "{0} * {0}"])
def test_what_doubles_at_each_step_ends(tmp_path: Path, step: str) -> None:
    """It is refused before it is written out."""
    with pytest.raises(UnsupportedQueryError, match="written out"):
        _expanded(tmp_path, _standing_on_each_other(step, 45))


@pytest.mark.parametrize("sign", [" + ", " * ", " AND "])
def test_operators_in_a_row(tmp_path: Path, sign: str) -> None:
    """Hundreds are answered, thousands are refused by name."""
    term = f"({_AMOUNT} > 1)" if sign == " AND " else _AMOUNT
    assert _expanded(tmp_path / "few", {"c": sign.join([term] * 200)})
    with pytest.raises(UnsupportedQueryError, match="operators in a row"):
        _expanded(tmp_path / "many", {"c": sign.join([term] * 2000)})


def test_base_metrics_of_deep_and_wide_calculations(tmp_path: Path) -> None:
    """Each is looked at once: neither two ways to everything below nor a thousand steps matter."""
    names = [f"c{number:04}" for number in range(1500)]
    steps = {
        name: f"[Measures].[{names[number - 1]}] * [Measures].[{names[number - 2]}]" if number > 1 else _AMOUNT
        for number, name in enumerate(names)
    }

    assert BaseMetrics(_model(tmp_path, steps)).of(names[-1]) == (("Amount",), (), ())


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
def test_what_no_warehouse_computes(tmp_path: Path, expression: str) -> None:
    """The clause is quoted."""
    with pytest.raises(UnsupportedQueryError, match=r"its MDX (has `|cannot be read)"):
        _expanded(tmp_path, {"c": expression})


@pytest.mark.parametrize(
    "expression",
    [
        f"IIF({_AMOUNT} > 1, 'high', 'low')",
        f"{_AMOUNT} > 1 AND {_QUANTITY} > 2",
        "1.5e3 * 2",
        f"{_AMOUNT} * {'9' * 60}",
    ],
)
def test_what_they_do_compute(tmp_path: Path, expression: str) -> None:
    """Texts among texts, numbers of any length."""
    assert _expanded(tmp_path, {"c": expression})
