"""Queries on our own model equal SELECTs written by hand, from the facts and routed, on Spark Connect as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from tests.integration.spark.conftest import Retail
from tests.support.oracles.query_cases import QueryCase
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars.tpc_data import load_duckdb

CASES = QueryCase.read("retail")

_UNKNOWN_TO_SAIL = {"a cube over two facts": "Sail finds no CTE in a scalar subquery of another CTE; Spark does"}


def _but_for(cases: Sequence[QueryCase], why: Mapping[str, str]) -> list[Any]:
    """The cases, some of which the server is known to refuse. One that it has learned fails the test."""
    return [
        pytest.param(case, marks=pytest.mark.xfail(strict=True, raises=WarehouseError, reason=why[case.name]))
        if case.name in why
        else case
        for case in cases
    ]


@pytest.fixture(scope="module")
def truth(retail: Retail, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same data on DuckDB."""
    file = tmp_path_factory.mktemp("truth") / "truth.duckdb"
    load_duckdb(retail.parquet, file, "retail")
    with duckdb.connect(str(file)) as connection:
        yield connection


def test_all_aggregates_are_built(retail: Retail) -> None:
    """None failed, and each was compared with its facts."""
    instances = retail.workspace.read.instances.find()

    assert len(instances) == 28
    assert {instance.status for instance in instances} == {InstanceStatus.ACTIVE}


@pytest.mark.parametrize("case", _but_for(CASES, _UNKNOWN_TO_SAIL), ids=lambda case: case.name)
def test_retail(retail: Retail, truth: duckdb.DuckDBPyConnection, case: QueryCase) -> None:
    """What is asked of the model equals what the SELECT gives on DuckDB."""
    wanted = truth.execute(case.sql_for("retail", find_dialect("duckdb"))).fetchall()

    case.check_answers(retail.router, wanted)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_retail_plainly_said(retail: Retail, case: QueryCase) -> None:
    """The SELECT written by hand, sent as it stands: rewritten or not, the answer is the warehouse's."""
    sql = case.sql_for("retail", retail.workspace.warehouse.dialect)
    try:
        with retail.workspace.warehouse.session() as session:
            names, wanted = session.fetch_with_names(sql)
    except WarehouseError:
        # Sail refuses a few of them, and then so does the router.
        with pytest.raises(WarehouseError):
            retail.router.answer(sql)
        return

    result = retail.router.answer(sql)

    assert same_rows(result.rows, wanted) == "", result.plan.sql
    assert (result.columns, result.fallback_reason) == (names, "")
