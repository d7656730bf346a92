"""What cannot be read fails its own aggregates, by name; the others are planned, built and activated, and queries
answered.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.errors import AggregatesRefusedError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars.tiny_star import SETUP_SQL, run_sql, write_model

_OF_SHOPS = {"by_city", "by_day_and_shop", "by_month_and_city"}
_ALL = {*_OF_SHOPS, "by_month"}


@pytest.fixture
def deployed_star(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """The tiny star; nothing is built."""
    run_sql(empty_workspace, *SETUP_SQL)
    deploy(empty_workspace, write_model(tmp_path / "model"), now=utc_now())
    return empty_workspace


def _build(workspace: Workspace) -> BatchReport:
    return run_batch(workspace, "tiny_sales", build_type=BuildType.FULL, owner="test")


def _replace_shop(workspace: Workspace, columns: str) -> None:
    run_sql(workspace, "ALTER TABLE shop RENAME TO shops", f"CREATE VIEW shop AS SELECT {columns} FROM shops")


def _failing_column(workspace: Workspace, column: str) -> str:
    """A calculation that the warehouse refuses for one row."""
    if column == "shop_id":
        return "CAST(CASE WHEN shop_id = 3 THEN 'three' ELSE CAST(shop_id AS VARCHAR(5)) END AS INTEGER) AS shop_id"
    return "CAST(CAST(city AS INTEGER) AS VARCHAR(20)) AS city"


@pytest.mark.parametrize("column", ["shop_id", "city"], ids=["its key", "an attribute"])
def test_a_view_that_cannot_be_read_refuses_its_own_aggregates(deployed_star: Workspace, column: str) -> None:
    """Plans look at the key that breaks; they need not look at the other column otherwise."""
    others = [name for name in ("shop_id", "shop_name", "city") if name != column]
    _replace_shop(deployed_star, ", ".join([_failing_column(deployed_star, column), *others]))
    broken = _OF_SHOPS if column == "shop_id" else {"by_city", "by_month_and_city"}

    report = _build(deployed_star)

    assert report.batch.status is BatchStatus.DONE
    assert {instance.step.aggregate for instance in report.instances if instance.status == "active"} == _ALL - broken
    for name in broken:
        (note,) = [note for note in report.batch.notes if note.startswith(f"{name} is not built: ")]
        assert f"column `{column}` of dataset `shop` cannot be read: " in note
    result = answer(deployed_star, 'SELECT "Month", "Quantity" FROM tiny_sales GROUP BY 1')
    assert (result.plan.sources[0].aggregate, len(result.rows)) == ("by_month", 4)


def test_a_missing_column_or_table_refuses_its_own_aggregates(deployed_star: Workspace) -> None:
    """The old instances serve on beside the new ones."""
    _build(deployed_star)
    run_sql(deployed_star, "ALTER TABLE shop RENAME COLUMN city TO town")

    report = _build(deployed_star)

    assert {instance.step.aggregate for instance in report.instances} == {"by_month", "by_day_and_shop"}
    assert any("by_city is not built: column `city` of dataset `shop`" in note for note in report.batch.notes)
    run_sql(deployed_star, "ALTER TABLE shop RENAME TO shops")
    assert {instance.step.aggregate for instance in _build(deployed_star).instances} == {"by_month"}


def test_a_join_that_would_multiply_refuses_its_own_aggregates(deployed_star: Workspace) -> None:
    """Shop 1 lies in two cities, so that nobody knows which one a sale belongs to."""
    run_sql(deployed_star, "INSERT INTO shop VALUES (1, 'North 1', 'South')")

    report = _build(deployed_star)

    assert {instance.step.aggregate for instance in report.instances} == {"by_month", "by_day_and_shop"}
    assert sum("multiply measures" in note for note in report.batch.notes) == 2


def test_a_calculation_of_the_facts_that_breaks_refuses_its_own_aggregates(
    deployed_star: Workspace, tmp_path: Path
) -> None:
    """The cast meets a text that is no number."""
    folder = tmp_path / "model"
    sales = folder / "dataset_sales.yml"
    calculation = "CAST(CASE WHEN quantity > 5 THEN 'many' ELSE '1' END AS INTEGER)"
    text = sales.read_text(encoding="utf-8")
    text += f'  - name: packages\n    data_type: int\n    sql: "{calculation}"\n'
    sales.write_text(text, encoding="utf-8")
    metric = folder / "metric_Quantity.yml"
    metric.write_text(
        metric.read_text(encoding="utf-8").replace("column: quantity", "column: packages"), encoding="utf-8"
    )
    deploy(deployed_star, folder, now=utc_now())

    report = _build(deployed_star)

    assert {instance.step.aggregate for instance in report.instances} == {"by_city"}
    assert sum("column `packages` of dataset `sales` cannot be read" in note for note in report.batch.notes) == 3


def test_nothing_is_begun_where_nothing_can_be_built(deployed_star: Workspace) -> None:
    """The error names every aggregate."""
    run_sql(deployed_star, "DROP TABLE sales CASCADE")

    with pytest.raises(AggregatesRefusedError) as caught:
        _build(deployed_star)

    assert {name for name, _ in caught.value.refused} == _ALL
    assert deployed_star.read.batches.find() == ()


def test_queries_that_need_what_cannot_be_read_are_told_why(deployed_star: Workspace) -> None:
    """The others are answered from the facts."""
    others = "shop_name, city"
    _replace_shop(deployed_star, f"{_failing_column(deployed_star, 'shop_id')}, {others}")

    assert len(answer(deployed_star, 'SELECT "Month", "Quantity" FROM tiny_sales GROUP BY 1').rows) == 4
    with pytest.raises(UnsupportedQueryError, match=r"dataset `shop` .* cannot be read: "):
        answer(deployed_star, 'SELECT "City", "Quantity" FROM tiny_sales GROUP BY 1')
