"""Checks of incremental indicators: the type that the warehouse tells, and the grace period as it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_indicators import check_indicators
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from tests.support.deploy_checks import TABLES, check_input, lines_of
from tests.support.stars.documents import Documents, star


def _documents(column: str = "sold_id", grace_period: str = "1h") -> Documents:
    documents = star()
    documents["sales"]["incremental"] = {"column": column, "grace_period": grace_period}
    return documents


def _checked(kind: str, *, dialect: str = "duckdb", grace_period: str = "1h") -> CheckInput:
    """Sales whose indicator is of a type."""
    sales = f"sold_id {kind}, ship_id integer, shop_id integer, kind varchar, amount integer"
    return check_input(_documents(grace_period=grace_period), {**TABLES, "sales": sales}, dialect=dialect)


@pytest.mark.parametrize("kind", ["integer", "bigint", "timestamp", "TIMESTAMP WITH TIME ZONE", "timestamp(3)"])
def test_whole_numbers_and_timestamps_may_be_indicators(kind: str) -> None:
    assert check_indicators(_checked(kind)) == ()


@pytest.mark.parametrize("kind", ["decimal(9,2)", "varchar", "date", "double", "boolean"])
def test_other_types_are_errors(kind: str) -> None:
    """What the warehouse says counts, not what the model says: there it is an integer."""
    (line,) = lines_of(check_indicators(_checked(kind)))

    assert line.startswith(
        "error in sales.yml, indicator-type: the incremental indicator `sold_id` of dataset `sales` "
    )
    assert f"has type {kind.upper()}; supported are Long, Integer" in line


@pytest.mark.parametrize(("dialect", "issues"), [("snowflake", 0), ("duckdb", 1)])
def test_whole_decimals_are_indicators_where_they_are_the_whole_numbers(dialect: str, issues: int) -> None:
    assert len(check_indicators(_checked("decimal(38,0)", dialect=dialect))) == issues


@pytest.mark.parametrize(
    ("kind", "is_finer"), [("timestamp_ns", True), ("timestamp(9)", True), ("timestamp(6)", False)]
)
def test_digits_that_are_not_kept_are_a_warning(kind: str, is_finer: bool) -> None:
    lines = lines_of(check_indicators(_checked(kind)))

    assert len(lines) == is_finer
    assert all(line.startswith("warning in sales.yml, indicator-precision: ") for line in lines)
    assert all("digits beyond microseconds" in line for line in lines)


@pytest.mark.parametrize("grace_period", ["12h", "90s", "3d", "10", " 2 w "])
def test_a_grace_period_is_a_number_and_a_unit_or_none(grace_period: str) -> None:
    assert check_indicators(_checked("integer", grace_period=grace_period)) == ()


@pytest.mark.parametrize("grace_period", ["soon", "1.5h", "-1h", "12 hours", "h"])
def test_other_grace_periods_are_errors(grace_period: str) -> None:
    (line,) = lines_of(check_indicators(_checked("integer", grace_period=grace_period)))

    assert line == (
        f"error in sales.yml, grace-period: the grace period `{grace_period}` of dataset `sales` is not of the form "
        "12h; write a whole number and one of s, m, h, d, w, or a bare number in the unit of the indicator"
    )


def test_an_indicator_that_the_table_does_not_have_is_an_error() -> None:
    (line,) = lines_of(check_indicators(check_input(_documents("loaded_at"))))

    assert line.startswith("error in sales.yml, indicator-type: ")
    assert "`loaded_at`" in line


def test_a_table_that_is_not_there_yet_is_a_warning() -> None:
    """The next batch checks again."""
    tables = {name: columns for name, columns in TABLES.items() if name != "sales"}

    (line,) = lines_of(check_indicators(check_input(_documents(), tables)))

    assert line.startswith(
        "warning in sales.yml, indicator-not-checked: the incremental indicator of dataset `sales` could not be "
        "checked: table `s.sales` of dataset `sales` (sales.yml:1) is not in the warehouse."
    )


def test_of_tables_that_the_warehouse_did_not_tell_nothing_is_said() -> None:
    """That it did not answer is told once for all; the grace period can be read all the same."""
    unanswered = replace(check_input(_documents(), {}), has_answer=False)
    assert check_indicators(unanswered) == ()

    with_grace = replace(check_input(_documents(grace_period="soon"), {}), has_answer=False)
    assert [issue.code for issue in check_indicators(with_grace)] == ["grace-period"]


def test_datasets_without_an_indicator_are_not_checked() -> None:
    assert check_indicators(check_input(star(), {})) == ()
