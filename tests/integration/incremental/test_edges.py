"""Incremental rebuilds at their edges: rows that stand in several groups, several facts, instances let go, odd
columns.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType, InstanceStatus
from airflow_atscale_aggs.engine.errors import GracePeriodError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.prune import delete_instance
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, Sale

_OVERRIDES = ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled")
_RETURNS = """\
  - unique_name: returns_shop
    from: {dataset: returns, join_columns: [shop_id]}
    to: {dimension: Shops, level: Shop}
"""


def _deploy(workspace: Workspace, folder: Path) -> None:
    deploy(workspace, folder, now=utc_now())


def test_late_and_lost_rows_are_seen_where_rows_stand_in_several_groups(workspace: Workspace, tmp_path: Path) -> None:
    """The groups of a many-to-many attribute do not tell how many fact rows there are; the facts do, merged or not."""
    tiny_star.run_sql(workspace, *star.TAG_SQL)
    _deploy(workspace, star.add_tags(star.write_model(tmp_path / "model")))
    star.put_setting(workspace, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    star.build(workspace, BuildType.FULL)
    for number in (1, 2, 3):
        star.load(workspace, Sale(at=START + 30 * number))
        star.build(workspace, at=START + 30 * number)
    assert sum(segment.fact_rows or 0 for segment in star.segments(workspace, "by_tag")) == len(star.HISTORY) + 3

    star.load(workspace, Sale(at=START - 50))
    report = star.build(workspace, at=START + 90)
    assert any("1 row of sales came later than the grace period" in note for note in report.batch.notes)
    tiny_star.run_sql(workspace, "DELETE FROM sales WHERE seq < -20")
    report = star.build(workspace, at=START + 90)

    assert "are gone: it was truncated or reloaded" in star.reasons(report)["by_tag"]
    assert {instance.finding for instance in verify(workspace, MODEL, level=VerificationLevel.FULL).instances} == {
        Finding.AGREES
    }


def test_nothing_is_made_where_rows_of_several_groups_have_not_changed(workspace: Workspace, tmp_path: Path) -> None:
    """It is as with any other aggregate."""
    tiny_star.run_sql(workspace, *star.TAG_SQL)
    _deploy(workspace, star.add_tags(star.write_model(tmp_path / "model")))
    star.build(workspace, BuildType.FULL)
    before = star.segments(workspace, "by_tag")

    star.build(workspace, at=START + 1)

    assert star.segments(workspace, "by_tag") == before
    tiny_star.run_sql(workspace, "UPDATE sales SET shop_id = CASE shop_id WHEN 2 THEN 3 ELSE 2 END WHERE seq >= -10")
    star.build(workspace, at=START + 2)
    assert star.segments(workspace, "by_tag") != before
    assert {instance.finding for instance in verify(workspace, MODEL, level=VerificationLevel.FULL).instances} == {
        Finding.AGREES
    }


def test_an_aggregate_over_several_facts_is_full_and_says_so(workspace: Workspace, tmp_path: Path) -> None:
    """Both of its tables are full; the others of the same fact are built by increments in the same batch."""
    tiny_star.run_sql(
        workspace,
        "CREATE TABLE returns (shop_id INTEGER, returned INTEGER)",
        "INSERT INTO returns VALUES (1, 5), (3, 2), (NULL, 1)",
    )
    folder = star.write_model(tmp_path / "model")
    (folder / "dataset_returns.yml").write_text(tiny_star.dataset("returns", ("shop_id int", "returned int")))
    metric = tiny_star.METRIC.format(name="Returned", method="sum", column="returned")
    (folder / "metric_Returned.yml").write_text(metric.replace("dataset: sales", "dataset: returns"))
    model = folder / "model.yml"
    text = model.read_text().replace("metrics:\n", f"{_RETURNS}metrics:\n  - unique_name: Returned\n", 1)
    model.write_text(text.replace("      - Quantity\n", "      - Quantity\n      - Returned\n", 1))
    _deploy(workspace, folder)
    star.build(workspace, BuildType.FULL)
    star.load(workspace, Sale(at=START + 5))

    report = star.build(workspace, at=START + 5)

    kinds = {instance.step.aggregate: instance.step.kind for instance in report.instances}
    assert kinds == {
        "by_city (returns)": "full",
        "by_city (sales)": "full",
        "by_day_and_shop": "increment",
        "by_month": "increment",
    }
    assert star.reasons(report)["by_city (sales)"] == "table: it has metrics of several facts: returns, sales"
    assert "Built in full: by_city (sales): it has metrics of several facts: returns, sales." in report.batch.notes
    assert {instance.finding for instance in verify(workspace, MODEL, level=VerificationLevel.FULL).instances} == {
        Finding.AGREES
    }


def test_instances_let_go_leave_segments_that_others_consist_of(workspace: Workspace, tmp_path: Path) -> None:
    """Old instances are deleted by hand and swept; the newer ones consist of their settled segments."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    star.put_setting(workspace, "aggregates.drop.delaySeconds", 0)
    star.build(workspace, BuildType.FULL)
    star.load(workspace, Sale(at=START + 20))
    star.build(workspace, at=START + 20)
    old = workspace.read.instances.find(status=InstanceStatus.SUPERSEDED)
    for instance in old:
        delete_instance(workspace, instance.id, now=utc_now())

    report = sweep(workspace, dry_run=False, now=utc_now() + timedelta(days=1))

    assert {instance.id for instance in workspace.read.instances.find(status=InstanceStatus.DELETED)} == {
        instance.id for instance in old
    }
    assert not [swept_table.error for swept_table in report.tables if swept_table.error]
    oldest_segment = star.segments(workspace)[0]
    assert oldest_segment.key.instance_id in {instance.id for instance in old}
    assert oldest_segment.table not in {swept_table.table for swept_table in report.tables}
    star.check_views(workspace)
    star.load(workspace, Sale(at=START + 40))
    assert set(star.reasons(star.build(workspace, at=START + 40)).values()) == {""}
    star.check_views(workspace)


def test_an_indicator_that_is_gone_or_of_another_type_makes_one_table(workspace: Workspace, tmp_path: Path) -> None:
    """The batch says why; with the indicator back, segments come back."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    star.build(workspace, BuildType.FULL)
    tiny_star.run_sql(workspace, "ALTER TABLE sales RENAME COLUMN loaded_at TO loaded")
    assert all("is not in the warehouse" in reason for reason in star.reasons(star.build(workspace)).values())
    star.check_views(workspace)
    tiny_star.run_sql(
        workspace,
        "ALTER TABLE sales RENAME COLUMN loaded TO loaded_at",
        "ALTER TABLE sales ALTER COLUMN loaded_at TYPE DATE",
    )
    assert all("has type DATE; supported are" in reason for reason in star.reasons(star.build(workspace)).values())
    star.check_views(workspace)
    tiny_star.run_sql(workspace, "ALTER TABLE sales ALTER COLUMN loaded_at TYPE TIMESTAMP")
    star.build(workspace)
    assert set(star.reasons(star.build(workspace)).values()) == {""}
    star.check_views(workspace)


@pytest.mark.parametrize("value", ["infinity", "-infinity"])
def test_an_indicator_without_end(workspace: Workspace, tmp_path: Path, value: str) -> None:
    """The greatest one makes one table; the least one is above no bound, and in the first segment."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    tiny_star.run_sql(workspace, f"UPDATE sales SET loaded_at = '{value}' WHERE seq = -30")

    reasons = set(star.reasons(star.build(workspace, BuildType.FULL)).values())

    no_end = "table: the greatest `loaded_at` of `sales` is no finite value"
    assert reasons == {no_end if value == "infinity" else "a full rebuild was asked for"}
    star.check_views(workspace)
    star.load(workspace, Sale(at=START + 5))
    assert set(star.reasons(star.build(workspace, at=START + 5)).values()) == {no_end if value == "infinity" else ""}
    star.check_views(workspace)


def test_a_fact_that_is_empty_at_first(workspace: Workspace, tmp_path: Path) -> None:
    """It is one table without rows; the first rows make segments, and later ones increments."""
    tiny_star.run_sql(workspace, "DELETE FROM sales")
    _deploy(workspace, star.write_model(tmp_path / "model"))
    assert set(star.reasons(star.build(workspace)).values()) == {"table: `sales` holds no rows"}
    star.check_views(workspace)
    star.load(workspace, *star.HISTORY)
    assert set(star.reasons(star.build(workspace)).values()) == {"it was built as one table the last time"}
    star.check_views(workspace)
    assert set(star.reasons(star.build(workspace)).values()) == {""}


def test_an_indicator_that_falls_is_told_with_every_batch(workspace: Workspace, tmp_path: Path) -> None:
    """Every new row is lower than all before: none of them is read, each is counted, nothing is wrong silently."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    star.build(workspace, BuildType.FULL)
    for number, rows in enumerate(("1 row", "2 rows", "3 rows")):
        star.load(workspace, Sale(at=START - 70 - 20 * number))
        notes = star.build(workspace, at=START + number).batch.notes
        assert any(note.startswith(f"{rows} of sales came later") for note in notes)
    star.build(workspace, BuildType.FULL)
    star.check_views(workspace)


@pytest.mark.parametrize("duration", ["2s", "2m", "2h", "2d", "2w", "2"])
def test_grace_periods_of_one_batch(workspace: Workspace, tmp_path: Path, duration: str) -> None:
    """Every unit is accepted while both settings are on; either of them alone refuses it."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    star.build(workspace, BuildType.FULL)
    request = BatchRequest(grace_periods={"sales": duration})
    for switched_on in ((), _OVERRIDES[:1], _OVERRIDES[1:]):
        for key in _OVERRIDES:
            star.put_setting(workspace, key, key in switched_on)
        with pytest.raises(GracePeriodError, match="overrides are switched off"):
            star.build(workspace, request=request)
    for key in _OVERRIDES:
        star.put_setting(workspace, key, value=True)

    report = star.build(workspace, request=request)

    assert f"Grace period of sales: {duration} instead of 10s." in report.batch.notes
    star.check_views(workspace)


@pytest.mark.parametrize(
    ("dataset", "duration", "expected"),
    [
        ("sales", "soon", "it is not of the form 12h"),
        ("sales", "-5s", "it is not of the form 12h"),
        ("sales", "1y", "it is not of the form 12h"),
        ("shop", "1h", "the dataset has no incremental indicator"),
    ],
)
def test_grace_periods_that_cannot_be_meant(
    workspace: Workspace, tmp_path: Path, dataset: str, duration: str, expected: str
) -> None:
    """They are refused with the reason before anything is begun; so is a name that the model does not have."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    for key in _OVERRIDES:
        star.put_setting(workspace, key, value=True)
    with pytest.raises(GracePeriodError, match=expected):
        star.build(workspace, request=BatchRequest(grace_periods={dataset: duration}))
    with pytest.raises(UnknownNameError, match="Did you mean `sales`"):
        star.build(workspace, request=BatchRequest(grace_periods={"sale": duration}))
    assert workspace.read.batches.find() == ()


def test_deploying_the_same_model_again_is_no_edit(workspace: Workspace, tmp_path: Path) -> None:
    """Increments go on; the model is the same."""
    _deploy(workspace, star.write_model(tmp_path / "model"))
    star.build(workspace, BuildType.FULL)

    _deploy(workspace, tmp_path / "model")

    assert set(star.reasons(star.build(workspace)).values()) == {""}
