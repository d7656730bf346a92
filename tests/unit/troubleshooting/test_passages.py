"""Passages are found by code, and an error has the code of its class."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from airflow_atscale_aggs.engine.errors import (
    BuildFailedError,
    InvalidModelError,
    NotRegisteredError,
    QueryError,
    TransientWarehouseError,
    VerificationError,
)
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.troubleshooting.passages import (
    SUBJECTS,
    all_passages,
    class_code,
    code_of,
    codes_of,
    help_command,
    known_codes,
    miss_code,
    pointer,
    sqlstate_code,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotRegisteredError("model", "m"), "not-registered"),
        (TransientWarehouseError("duckdb", "", "held"), "transient-warehouse"),
        (FileNotFoundError("f"), "operating-system"),
        (ZeroDivisionError(), "defect"),
        # A root that nobody raises has no passage.
        (QueryError("x"), "defect"),
        # The name of a class of somebody else means nothing.
        (PoolTimeoutError(), "defect"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_code_of_an_error(error: Exception, code: str) -> None:
    assert code_of(error) == code


def test_the_codes_that_are_known_are_those_of_all_passages() -> None:
    assert known_codes() == set(all_passages())


def test_the_errors_of_a_model_are_told_with_it_and_its_warnings_are_not() -> None:
    issues = IssueList()
    issues.error("a.yml:1", "missing-key", "x")
    issues.error("a.yml:2", "missing-key", "y")
    issues.warning("a.yml:3", "unknown-key", "z")

    assert codes_of(InvalidModelError("f", issues.all())) == ("invalid-model", "missing-key")


def test_what_an_error_comes_from_is_told_with_it() -> None:
    error = BuildFailedError("a", "1", 1, 3, "cause")
    error.__cause__ = VerificationError("a", "f", [("m", "", "1", "2")])

    assert codes_of(error) == ("build-failed", "verification")


@pytest.mark.parametrize("cause", [KeyError("x"), OSError("y")])
def test_a_cause_of_no_other_sort_is_not_told(cause: Exception) -> None:
    error = TransientWarehouseError("duckdb", "", "held")
    error.__cause__ = cause

    assert codes_of(error) == ("transient-warehouse",)


def test_words() -> None:
    assert class_code("UnsupportedOnDialectError") == "unsupported-on-dialect"
    assert class_code("NotAFileError") == "not-a-file"
    assert miss_code("METRIC_NOT_STORED") == "miss-metric-not-stored"
    assert sqlstate_code("3D000") == "sqlstate-3d000"
    assert sqlstate_code("42601") == ""
    assert help_command(["a", "b"]) == "atscale-aggs help a b"
    assert pointer(["a"]) == "More about it: atscale-aggs help a"


def test_passages_stand_in_the_order_of_subjects() -> None:
    subjects = [passage.subject for passage in all_passages().values()]

    assert list(dict.fromkeys(subjects)) == list(SUBJECTS)
    assert all_passages()["refused-join"].remedy.startswith("Give both columns one type.")
