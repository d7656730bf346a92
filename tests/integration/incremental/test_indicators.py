"""Which columns may be incremental indicators, how their values are read, and what deployment says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import InvalidModelError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import START, DeployModel, Sale

_INCREMENTAL = BuildType.INCREMENTAL


@pytest.mark.parametrize("column", ["amount", "seq_text", "nothing"])
def test_deploy_refuses_an_indicator_of_another_type(workspace: Workspace, tmp_path: Path, column: str) -> None:
    """What the warehouse says counts, not what the model says."""
    tiny_star.run_sql(workspace, "ALTER TABLE sales ADD COLUMN seq_text VARCHAR(20)")
    folder = star.write_model(
        tmp_path / "model", column=column, more_columns="  - name: seq_text\n    data_type: long\n"
    )

    with pytest.raises(InvalidModelError) as raised:
        deploy(workspace, folder, now=utc_now())

    issue = next(issue for issue in raised.value.issues if issue.is_error)
    assert isinstance(issue, ModelIssue)
    assert column in issue.message
    assert issue.file == "dataset_sales.yml"
    assert issue.code == "indicator-type"
    assert workspace.read.models.current() == ()


def test_deploy_refuses_a_grace_period_that_is_none(workspace: Workspace, tmp_path: Path) -> None:
    """The error names the place."""
    with pytest.raises(InvalidModelError, match="grace period `soon` of dataset `sales` is not of the form 12h"):
        deploy(workspace, star.write_model(tmp_path / "model", grace="soon"), now=utc_now())


def test_deploy_warns_where_the_type_cannot_be_told_yet(workspace: Workspace, tmp_path: Path) -> None:
    """Models may be deployed before their tables are there; a batch looks again."""
    tiny_star.run_sql(workspace, "DROP TABLE sales")

    report = deploy(workspace, star.write_model(tmp_path / "model"), now=utc_now())

    assert [issue.code for issue in report.issues] == ["indicator-not-checked"]


def test_a_time_zone_and_clocks_that_are_put_back(deploy_model: DeployModel) -> None:
    """Civil time of Berlin: 02:49 comes twice that night, and rows of the second pass are found."""
    workspace = deploy_model(grace="10m")
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorTimeZone", "Europe/Berlin")
    night = int(datetime(2026, 10, 25, tzinfo=UTC).timestamp())
    star.load(workspace, Sale(at=night + 2 * 3600 + 49 * 60))
    star.build(workspace, BuildType.FULL, at=night + 50 * 60)
    assert star.segments(workspace)[0].through == (night + 3600 + 39 * 60) * 10**6 - 1
    star.load(workspace, Sale(at=night + 2 * 3600 + 5 * 60, amount=9), Sale(at=night + 2 * 3600 + 15 * 60, amount=8))

    report = star.build(workspace, at=night + 80 * 60)

    assert set(star.reasons(report).values()) == {""}
    assert not any("later than" in note for note in report.batch.notes)
    star.check_views(workspace)


def test_a_calculated_indicator(deploy_model: DeployModel) -> None:
    """The model tells its type; its bounds are literals, too."""
    workspace = deploy_model(
        column="known_at",
        more_columns="  - name: known_at\n    data_type: timestamp\n    sql: COALESCE(loaded_at, loaded_at)\n",
    )
    star.build(workspace, BuildType.FULL)
    star.load(workspace, Sale(at=START - 9, amount=3), Sale(at=START + 9, amount=4))

    assert set(star.reasons(star.build(workspace, at=START + 9)).values()) == {""}
    star.check_views(workspace)


def test_digits_beyond_microseconds_lose_no_row(tmp_path: Path) -> None:
    """DuckDB's TIMESTAMP_NS: deployment warns, bounds are rounded up, the greatest row is not above its own bound."""
    with open_workspace(
        registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb:///:memory:", aggregate_schema="aggs"
    ) as workspace:
        tiny_star.run_sql(workspace, *star.SETUP_SQL, "ALTER TABLE sales ALTER COLUMN loaded_at TYPE TIMESTAMP_NS")
        star.load(workspace, *star.HISTORY)
        late = "TIMESTAMP_NS '2025-10-09 08:53:20.000000{}'"
        tiny_star.run_sql(workspace, f"UPDATE sales SET loaded_at = {late.format('001')} WHERE seq = 0")
        report = deploy(workspace, star.write_model(tmp_path / "model"), now=utc_now())
        assert [issue.code for issue in report.issues] == ["indicator-precision"]
        star.build(workspace, BuildType.FULL)
        star.check_views(workspace)
        star.load(workspace, Sale(at=START + 1), Sale(at=START - 10))
        tiny_star.run_sql(workspace, f"UPDATE sales SET loaded_at = {late.format('999')} WHERE seq = 1")
        report_of_increment = star.build(workspace, at=START + 2)
        assert set(star.reasons(report_of_increment).values()) == {""}
        assert any("digits beyond microseconds" in note for note in report_of_increment.batch.notes)
        star.check_views(workspace)
