"""What Spark and Sail make of numbers, and what is said so that both make the same of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.queries import measure_expression
from airflow_atscale_aggs.engine.sql.row_hashes import hash_row
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars import tiny_star
from tests.support.stars.small_star import described_sources, measures

SPARK = find_dialect("spark")


@pytest.fixture
def session(spark_url: str) -> Iterator[WarehouseSession]:
    """An open session."""
    warehouse = open_warehouse(spark_url)
    with warehouse.session() as session:
        yield session
    warehouse.close()


def _sum(kind: str) -> str:
    source = described_sources("spark", sales=f"amount {kind}")["sales"]
    (measure,) = measures("sum")
    return render(measure_expression(measure, source, "f"), SPARK)


def test_a_sum_that_leaves_its_range_is_an_error(session: WarehouseSession) -> None:
    """Sail's own sum of these is -2."""
    largest = 2**63 - 1
    rows = f"(SELECT CAST(n AS BIGINT) AS amount FROM VALUES ({largest}), ({{0}}) AS t (n)) AS f"

    assert session.fetch_all(f"SELECT {_sum('bigint')} FROM {rows.format(-1)}") == [(largest - 1,)]
    with pytest.raises(PermanentWarehouseError):
        session.fetch_all(f"SELECT {_sum('bigint')} FROM {rows.format(largest)}")


def test_rows_that_differ_in_their_nulls_have_other_hashes(session: WarehouseSession) -> None:
    """The function alone takes (1, NULL) and (NULL, 1) for the same."""
    hashed = hash_row([exp.column("a"), exp.column("b")], SPARK)
    assert hashed is not None
    rows = "VALUES (1, NULL), (NULL, 1), (1, 1), (NULL, NULL) AS t (a, b)"

    numbers = [row[0] for row in session.fetch_all(f"SELECT {render(hashed, SPARK)} FROM {rows}")]

    assert len(set(numbers)) == 4
    assert session.fetch_all(f"SELECT SUM({render(hashed, SPARK)}) FROM {rows}") == [(sum(numbers),)]


@pytest.mark.parametrize("spark_url", ["sail"], indirect=True)
def test_a_total_of_groups_that_fit_need_not_fit_itself(spark_url: str, tmp_path: Path) -> None:
    """Two groups hold almost the largest number each. They are built and compared with their facts."""
    largest = 2**63 - 1
    model = tiny_star.write_model(tmp_path / "model", {"by_city": (("City",), ("Quantity",))})
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=spark_url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(
            workspace,
            *tiny_star.SETUP_SQL[:2],
            tiny_star.SETUP_SQL[2].replace("quantity INTEGER", "quantity BIGINT"),
            *tiny_star.SETUP_SQL[3:5],
            f"INSERT INTO sales VALUES (1, 1, {largest - 1}, 1), (1, 2, 1, 1), (1, 3, {largest}, 1)",
        )
        deploy(workspace, model, now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")

        rows = answer(workspace, 'SELECT "City", SUM("Quantity") FROM tiny_sales GROUP BY 1 ORDER BY 1').rows
        with pytest.raises(PermanentWarehouseError):
            answer(workspace, 'SELECT SUM("Quantity") FROM tiny_sales')

    assert [(str(city), int(total)) for city, total in rows] == [("North", largest), ("South", largest)]
