"""Spark and Databricks: what both rows say of one engine."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.dialect_rows.spark_rows import DATABRICKS, SPARK


def test_both_know_that_nothing_is_done_in_transactions() -> None:
    assert not SPARK.transactional_ddl
    assert not DATABRICKS.transactional_ddl
    assert SPARK.begin_snapshot is None


def test_both_read_the_same_settings() -> None:
    assert SPARK.session_settings is DATABRICKS.session_settings
