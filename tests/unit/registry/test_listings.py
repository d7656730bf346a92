"""Rows of lists as values: what is not given is nothing that anybody could take for a figure."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.listings import Attention, Finding, QueryOutcome


def test_nothing_found_is_no_finding() -> None:
    assert Attention().stale == Finding(0, ())


def test_outcomes_are_words_for_people() -> None:
    assert [str(outcome) for outcome in QueryOutcome] == ["hit", "partial", "miss", "fallback"]
