"""What others do to the facts while a batch is built in sessions that remember which files the facts had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import tiny_star

_FROM_FACTS = BatchRequest(aggregates=("by_city", "by_month"))
"""Neither derives from the other."""


@pytest.fixture
def workspace(spark_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star, deployed."""
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=spark_url, aggregate_schema="aggs") as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
        deploy(opened, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        yield opened


def _run_once(workspace: Workspace, sql: str, at: str) -> Callable[[BuildEvent], None]:
    """Runs a statement in a session of its own when the first event of a kind is told."""
    left = [sql]

    def on_event(event: BuildEvent) -> None:
        if event.kind == at and left:
            with workspace.warehouse.session() as session:
                session.execute(left.pop())

    return on_event


@pytest.mark.parametrize(
    ("sql", "at"),
    [
        ("INSERT INTO sales VALUES (1, 1, 1, 1)", "done"),
        # The files that a session has listed are gone.
        ("INSERT OVERWRITE sales VALUES (1, 1, 2, 1.25)", "sql"),
    ],
    ids=["more", "others"],
)
def test_a_batch_during_which_facts_change_says_so_and_the_next_one_reads_them_anew(
    workspace: Workspace, sql: str, at: str
) -> None:
    report = run_batch(
        workspace, "tiny_sales", request=_FROM_FACTS, owner="test", on_event=_run_once(workspace, sql, at)
    )
    after = run_batch(workspace, "tiny_sales", owner="test")
    verified = verify(workspace, "tiny_sales", level=VerificationLevel.SAMPLE)

    assert any("sales" in note for note in report.batch.notes)
    assert after.batch.notes == ()
    assert {instance.finding for instance in verified.instances} == {Finding.AGREES}
