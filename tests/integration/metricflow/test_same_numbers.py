"""A dbt project and the model that it was converted to: the same questions, the same numbers, by MetricFlow itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from airflow_atscale_aggs.engine.converting.findings import Outcome
from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish, convert_dbt_project
from tests.support.metricflow_answers import ask_metricflow, build_project, reason_without_metricflow
from tests.support.stars.bakery import PROJECT, QUESTIONS, Question
from tests.support.stars.deployed import Deployed, deploy_for_queries

pytestmark = [
    pytest.mark.metricflow,
    pytest.mark.skipif(bool(reason_without_metricflow()), reason=reason_without_metricflow() or "it is here"),
]


@dataclass(frozen=True)
class _Both:
    deployed: Deployed
    answers: dict[str, dict[str, Any]]
    left_out: frozenset[str]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Both]:
    """The project built by dbt, asked once, and deployed."""
    scratch = tmp_path_factory.mktemp("bakery")
    manifest, database = build_project(PROJECT, scratch)
    answers = ask_metricflow(manifest, database, [question.to_metricflow for question in QUESTIONS])
    converted = convert_dbt_project(manifest, scratch / "sml", ConversionWish())
    by_question = {str(question): answer for question, answer in zip(QUESTIONS, answers, strict=True)}
    left_out = frozenset(
        finding.name
        for finding in converted.findings
        if finding.outcome is Outcome.LEFT_OUT and finding.kind == "metric"
    )
    with deploy_for_queries(f"duckdb:///{database}", scratch / "sml", scratch) as deployed:
        yield _Both(deployed, by_question, left_out)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_the_numbers_are_those_of_metricflow(both: _Both, question: Question) -> None:
    """Row by row; where the model tells that it shows empty groups, these are left away."""
    theirs = both.answers[str(question)]
    assert "error" not in theirs, theirs["error"]
    ours = both.deployed.router.answer(question.sql)

    order = [theirs["columns"].index(name) for name in (*question.group_by, *question.metrics)]
    expected = Counter(_row([row[place] for place in order]) for row in theirs["rows"])
    found = Counter(_row(row) for row in ours.rows)
    if question.has_empty_groups:
        expected = _without_empty(expected, len(question.group_by))
        found = _without_empty(found, len(question.group_by))
    assert found == expected


def test_what_is_left_out_is_left_out(both: _Both) -> None:
    """Nothing else is missing from the model."""
    assert both.left_out == {
        "joined_then_bought",
        "p90_amount_discrete",
        "revenue_of_last_month",
        "till_balance_by_branch",
    }
    assert not both.left_out & ({*both.deployed.model.metrics} | {*both.deployed.model.calculations})


def _row(values: Sequence[object]) -> tuple[object, ...]:
    return tuple(_value(value) for value in values)


def _value(value: object) -> object:
    """Numbers to twelve digits, times without their midnight, everything as text."""
    if value is None:
        return None
    text = str(value).removesuffix(" 00:00:00")
    if text in {"True", "False"}:
        return text.casefold()
    try:
        return f"{Decimal(text):.9f}"
    except InvalidOperation:
        return text.casefold() if text in {"true", "false"} else text


def _without_empty(rows: Counter[tuple[object, ...]], keys: int) -> Counter[tuple[object, ...]]:
    return Counter({row: times for row, times in rows.items() if any(value is not None for value in row[keys:])})
