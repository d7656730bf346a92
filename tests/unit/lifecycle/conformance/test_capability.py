"""Tests for what a check finds."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, CheckReport, Verdict, judge


@pytest.mark.parametrize(
    ("wrongs", "differences", "verdict", "detail"),
    [
        ([], [], Verdict.WORKS, "seen"),
        ([], ["Otherwise."], Verdict.DIFFERS, "Otherwise."),
        (["Wrong.", "And this."], ["Otherwise."], Verdict.FAILS, "Wrong. And this."),
    ],
)
def test_what_is_wrong_counts_most(wrongs: list[str], differences: list[str], verdict: Verdict, detail: str) -> None:
    assert judge("it", wrongs, "seen", differences=differences) == Capability("it", verdict, detail)


@pytest.mark.parametrize(
    ("verdicts", "works"),
    [([Verdict.WORKS, Verdict.DIFFERS], True), ([Verdict.WORKS, Verdict.FAILS], False)],
)
def test_a_difference_that_is_told_is_no_failure(verdicts: list[Verdict], works: bool) -> None:
    found = tuple(Capability("it", verdict) for verdict in verdicts)
    report = CheckReport(dialect="d", proven="", version="", schema="s", seconds=1, capabilities=found)

    assert report.works is works
