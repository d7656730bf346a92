"""A short form of `check-warehouse` on Apache Spark, for which the whole takes too long with every change."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_warehouse import (
    DEFAULT_SCHEMA,
    IN_SHORT,
    CheckOptions,
    check_warehouse,
)
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

pytestmark = [pytest.mark.spark, pytest.mark.xdist_group("spark")]


def test_apache_spark(apache_spark_address: str) -> None:
    """Rows come back as they were, and aggregates of every kind are built and agree with their facts."""
    warehouse = open_warehouse(apache_spark_address)
    report = check_warehouse(warehouse, CheckOptions(checks=IN_SHORT))

    assert [found for found in report.capabilities if found.verdict is Verdict.FAILS] == []
    different = {found.name for found in report.capabilities if found.verdict is Verdict.DIFFERS}
    assert different == {"sketches of percentiles"}
    with warehouse.session() as session:
        assert not session.has_schema(DEFAULT_SCHEMA)
    warehouse.close()
