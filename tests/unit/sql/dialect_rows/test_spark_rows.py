"""Spark and Databricks: what both rows say of one engine."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.sql.dialect_rows.spark_rows import DATABRICKS, SPARK
from airflow_atscale_aggs.engine.sql.join_types import are_incomparable


def test_both_know_that_nothing_is_done_in_transactions() -> None:
    assert not SPARK.transactional_ddl
    assert not DATABRICKS.transactional_ddl
    assert SPARK.begin_snapshot is None


def test_both_read_the_same_settings() -> None:
    assert SPARK.session_settings is DATABRICKS.session_settings


def test_sums_that_wrap_are_known_of_the_row_that_sail_has_too() -> None:
    assert SPARK.sums_wrap
    assert not DATABRICKS.sums_wrap


@pytest.mark.parametrize(
    ("left", "right", "refused"),
    [("date", "int", True), ("boolean", "int", True), ("string", "date", False), ("bigint", "decimal(9,2)", False)],
)
def test_which_types_cannot_be_compared(left: str, right: str, refused: bool) -> None:
    assert are_incomparable(left, right, SPARK) is refused
