"""Tests for the kept statements of the self-test.

Run this file as a program to write them anew: ``python -m tests.unit.sql.test_self_test_texts``.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.sql import self_test_texts
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.self_test import QUESTIONS, compose_statements
from airflow_atscale_aggs.engine.sql.self_test_texts import NEEDS, REFUSABLE, describe_difference, read_statements


@pytest.mark.parametrize("name", DIALECTS)
def test_the_kept_statements_are_those_that_are_composed(name: str) -> None:
    assert read_statements(name) == compose_statements(DIALECTS[name]), "write them anew: see this file's head"


def test_every_question_has_its_sentence() -> None:
    assert [question.name for question in QUESTIONS] == list(NEEDS)
    assert set(NEEDS) > REFUSABLE


@pytest.mark.parametrize("row", DIALECTS.values(), ids=lambda row: str(row.name))
def test_what_a_row_knows_to_differ_is_a_question(row: object) -> None:
    assert set(getattr(row, "differences")) <= set(NEEDS)


def test_a_difference_is_told_with_what_was_said_and_what_to_do() -> None:
    told = describe_difference("unmatched_is_null", "no such join")

    assert told == (
        "It is not so that a LEFT JOIN gives NULL where nothing matches (it said: no such join). "
        "Have the connection set it so (ClickHouse: join_use_nulls = 1)."
    )


def test_other_statements_have_another_digest() -> None:
    statements = compose_statements(DIALECTS["duckdb"])

    assert statements.digest == compose_statements(DIALECTS["duckdb"]).digest
    assert statements.digest != dataclasses.replace(statements, alone={}).digest


def test_a_dialect_of_which_nothing_is_kept() -> None:
    assert read_statements("sqlite") is None


def _write() -> None:
    kept = {name: dataclasses.asdict(compose_statements(row)) for name, row in DIALECTS.items()}
    file = Path(self_test_texts.__file__).with_name("self_test_statements.json")
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
