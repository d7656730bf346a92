"""A check is given one value, returns its issues, and changes nothing of what it was given."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import Check
from airflow_atscale_aggs.engine.lifecycle.deploy.checks import CHECKS
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from tests.support.deploy_checks import TABLES, check_input, star_with_areas

_WRONG_TABLES = {**TABLES, "returns": "day_id integer, shop_id timestamp, kind varchar"}
"""The metric of returns has no column, and their shops cannot be compared."""


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__.strip("_") for check in CHECKS])
def test_a_check_changes_nothing_and_says_the_same_again(check: Check) -> None:
    given = check_input(star_with_areas("city", "in_area"), _WRONG_TABLES)
    before = repr(given)

    issues = check(given)

    assert isinstance(issues, tuple)
    assert all(isinstance(issue, ModelIssue) for issue in issues)
    assert check(given) == issues
    assert repr(given) == before


def test_the_checks_together_see_both_faults() -> None:
    given = check_input(star_with_areas("city", "in_area"), _WRONG_TABLES)

    assert {issue.code for check in CHECKS for issue in check(given)} >= {"refused-join", "missing-column"}
