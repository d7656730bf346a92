"""Batches through the public life cycle, on DuckDB with SQLite and on PostgreSQL: failures, attempts, jobs, views."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.errors import (
    AggregatesRefusedError,
    BatchFailedError,
    BatchHeldError,
    BuildFailedError,
    IllegalTransitionError,
    InvalidModelError,
    PermanentWarehouseError,
    TransientWarehouseError,
)
from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch, cancel_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch, resume_batch, run_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, is_dead_process, open_workspace, process_owner
from tests.support.stars import tiny_star

_MODEL = "tiny_sales"
_TOTALS = "SELECT COUNT(*), SUM(amount) FROM sales"


def _now() -> datetime:
    return datetime.now(UTC)


def _open_files_or_server(folder: Path, url: str | None) -> Workspace:
    registry = url or f"sqlite:///{folder / 'registry.sqlite'}"
    return open_workspace(
        registry=registry, warehouse=url or f"duckdb:///{folder / 'w.duckdb'}", aggregate_schema="aggs"
    )


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A tiny star with its model deployed."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None
    with _open_files_or_server(tmp_path, url) as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
        deploy(opened, tiny_star.write_model(tmp_path / "model"), now=_now())
        yield opened


def _run_sql(workspace: Workspace, *statements: str) -> list[tuple[object, ...]]:
    with workspace.warehouse.session() as session:
        for statement in statements[:-1]:
            session.execute(statement)
        if statements[-1].startswith("SELECT"):
            return session.fetch_all(statements[-1])
        session.execute(statements[-1])
    return []


def _break(workspace: Workspace) -> None:
    """Shops cannot be read any more; plans look at views, so this is for batches that are planned already."""
    failing = (
        "error('broken')" if workspace.warehouse.dialect.name == "duckdb" else "CAST(shop_name AS INTEGER)::VARCHAR"
    )
    _run_sql(
        workspace,
        "ALTER TABLE shop RENAME TO shop_table",
        (
            f"CREATE VIEW shop AS SELECT shop_id, shop_name, CASE WHEN shop_id > 0 THEN {failing} END AS city "
            "FROM shop_table"
        ),
    )


def _mend(workspace: Workspace) -> None:
    _run_sql(workspace, "DROP VIEW shop", "ALTER TABLE shop_table RENAME TO shop")


def _statuses(workspace: Workspace, batch_id: str) -> dict[str, str]:
    return {
        instance.step.aggregate: instance.status.value for instance in workspace.read.instances.find(batch_id=batch_id)
    }


def test_views_show_the_new_totals_after_each_build(workspace: Workspace) -> None:
    """Old instances serve until activation; the views' totals equal the facts'."""
    run_batch(workspace, _MODEL, owner="me")
    first = _run_sql(workspace, "SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_tiny_sales_by_month_and_city")
    _run_sql(workspace, "INSERT INTO sales VALUES (1, 2, 3, 100.00)")
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now())
    for instance in begun.instances:
        build_instance(workspace, instance.id, owner="me")
    before = _run_sql(workspace, "SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_tiny_sales_by_month_and_city")
    activate_batch(workspace, begun.batch.id, owner="me", now=_now())
    after = _run_sql(workspace, "SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_tiny_sales_by_month_and_city")

    assert before == first
    assert after == _run_sql(workspace, _TOTALS)
    assert after != before


def test_a_failed_aggregate_stops_no_other_and_no_old_one(workspace: Workspace) -> None:
    """The batch is FAILED, built ones stay staged, a resume builds only what is missing."""
    run_batch(workspace, _MODEL, owner="me")
    serving = {instance.table for instance in workspace.read.instances.serving(workspace.read.models.get(_MODEL).id)}
    batch_id = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now()).batch.id
    _break(workspace)
    with pytest.raises(BatchFailedError) as caught:
        run_batch(workspace, _MODEL, owner="me", resume=batch_id)

    assert set(caught.value.failed) == {"by_city", "by_month_and_city"}
    assert _statuses(workspace, batch_id) == {
        "by_day_and_shop": "done",
        "by_month": "done",
        "by_month_and_city": "failed",
        "by_city": "failed",
    }
    assert {
        instance.table for instance in workspace.read.instances.serving(workspace.read.models.get(_MODEL).id)
    } == serving
    assert workspace.read.batches.get(batch_id).status is BatchStatus.FAILED

    _mend(workspace)
    report = run_batch(workspace, _MODEL, owner="you", resume=batch_id)
    assert report.batch.status is BatchStatus.DONE
    assert {instance.step.aggregate: instance.attempt for instance in report.instances} == {
        "by_day_and_shop": 1,
        "by_month": 1,
        "by_month_and_city": 2,
        "by_city": 2,
    }


def test_max_failures_tolerates_some(workspace: Workspace) -> None:
    """The others go live; the failed ones' old instances serve on."""
    run_batch(workspace, _MODEL, owner="me")
    workspace.registry.settings.put(None, "aggregates.batch.max.failures", "2")
    batch_id = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now()).batch.id
    _break(workspace)
    report = run_batch(workspace, _MODEL, owner="me", resume=batch_id)
    _mend(workspace)

    active = workspace.read.instances.serving(workspace.read.models.get(_MODEL).id)
    assert report.batch.status is BatchStatus.DONE
    assert {instance.step.aggregate for instance in active} == set(tiny_star.AGGREGATES)
    assert len({instance.batch_id for instance in active}) == 2


class _Flaky:
    """A warehouse whose first builds of one aggregate fail as if a connection was lost."""

    def __init__(self, workspace: Workspace, times: int) -> None:
        self._times = times
        inner = workspace.warehouse.session
        outer = self

        class _Warehouse(type(workspace.warehouse)):  # type: ignore[misc] # a class that only the run knows
            def session(self, **options: Any) -> Any:
                return _Session(inner(**options))

        class _Session:
            def __init__(self, context: Any) -> None:
                self._context = context

            def __enter__(self) -> Any:
                self._session = self._context.__enter__()
                return self

            def __exit__(self, *error: object) -> Any:
                return self._context.__exit__(*error)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._session, name)

            def execute(self, sql: str) -> int | None:
                if sql.startswith("CREATE TABLE") and re.search(r"_by_month_a\d", sql) and outer._times > 0:
                    outer._times -= 1
                    raise TransientWarehouseError("duckdb", sql, "connection lost")
                return self._session.execute(sql)

        self.warehouse = object.__new__(_Warehouse)
        self.warehouse.__dict__.update(workspace.warehouse.__dict__)


@pytest.mark.parametrize(("times", "is_built"), [(2, True), (3, False)])
def test_transient_failures_are_tried_up_to_the_limit(workspace: Workspace, times: int, is_built: bool) -> None:
    """Three attempts by default; each failed one counts."""
    flaky = Workspace(workspace.registry, _Flaky(workspace, times).warehouse, workspace.settings)

    if is_built:
        report = run_batch(flaky, _MODEL, owner="me")
        attempts = {instance.step.aggregate: (instance.attempt, instance.failures) for instance in report.instances}
        assert attempts["by_month"] == (3, 2)
    else:
        with pytest.raises(BatchFailedError, match="by_month"):
            run_batch(flaky, _MODEL, owner="me")


def test_the_batch_limit_ends_retries_too(workspace: Workspace) -> None:
    """maxAttemptsPerBatch counts the failures of all aggregates."""
    workspace.registry.settings.put(None, "aggregates.batch.retry.maxAttemptsPerBatch", "1")
    flaky = Workspace(workspace.registry, _Flaky(workspace, 1).warehouse, workspace.settings)

    with pytest.raises(BatchFailedError):
        run_batch(flaky, _MODEL, owner="me")


def test_permanent_failures_are_not_tried_again(workspace: Workspace) -> None:
    """The same SQL would fail again."""
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now())
    _break(workspace)
    city = next(instance for instance in begun.instances if instance.step.aggregate == "by_month_and_city")

    with pytest.raises(BuildFailedError) as caught:
        build_instance(workspace, city.id, owner="me")

    assert not caught.value.may_retry
    assert isinstance(caught.value.__cause__, PermanentWarehouseError)


def test_the_second_of_two_builds_is_told_who_holds_the_lease(workspace: Workspace) -> None:
    """The same owner gets its own batch back."""
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="airflow:dag/run", now=_now())

    with pytest.raises(BatchHeldError, match="airflow:dag/run holds the lease until"):
        run_batch(workspace, _MODEL, owner="me")
    again = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="airflow:dag/run", now=_now())
    assert (again.batch.id, again.is_resumed) == (begun.batch.id, True)
    assert [instance.id for instance in again.instances] == [instance.id for instance in begun.instances]


def test_an_expired_lease_is_taken_over(workspace: Workspace) -> None:
    """What was built is kept; in progress ones are restarted without counting as failures."""
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="gone", now=_now() - timedelta(hours=1))
    build_instance(workspace, begun.instances[0].id, owner="gone", lease=timedelta(seconds=-60))
    zombie = workspace.registry.attempts.claim(begun.instances[1].id, owner="gone", now=_now())

    report = run_batch(workspace, _MODEL, owner="me")

    assert report.batch.id == begun.batch.id
    assert [(instance.attempt, instance.failures) for instance in report.instances] == [(1, 0), (2, 0), (1, 0), (1, 0)]
    assert zombie.attempt == 1


def test_a_dead_process_holds_no_lease(workspace: Workspace) -> None:
    """Its successor on the same machine need not wait."""
    host, pid, _ = process_owner().rsplit(":", 2)
    dead = f"{host}:{pid}:1"
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner=dead, now=_now())

    assert is_dead_process(dead)
    assert not is_dead_process(process_owner())
    assert run_batch(workspace, _MODEL, owner="me").batch.id == begun.batch.id


def test_several_jobs_give_the_same_result_and_wait_for_sources(workspace: Workspace) -> None:
    """Derived aggregates still come from their sources."""
    report = run_batch(workspace, _MODEL, owner="me", jobs=3)

    assert {instance.step.aggregate: instance.source for instance in report.instances} == {
        "by_day_and_shop": "sales",
        "by_month_and_city": "by_day_and_shop",
        "by_city": "by_month_and_city",
        "by_month": "by_month_and_city",
    }
    assert _run_sql(workspace, "SELECT SUM(row_count) FROM aggs.agg_tiny_sales_by_city") == [(tiny_star.FACT_ROWS,)]


def test_a_source_that_failed_is_passed_over(workspace: Workspace) -> None:
    """The next source, or the facts, stand in."""
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now())
    by_name = {instance.step.aggregate: instance for instance in begun.instances}

    instance = build_instance(workspace, by_name["by_city"].id, owner="me")

    assert instance.source == "sales"


def test_cancelling_leaves_the_old_ones(workspace: Workspace) -> None:
    """Nothing of the batch goes live, a new one can begin, sweep drops what it had built."""
    run_batch(workspace, _MODEL, owner="me")
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now())
    instance = build_instance(workspace, begun.instances[0].id, owner="me")
    cancel_batch(workspace, begun.batch.id, now=_now())

    with pytest.raises(IllegalTransitionError):
        activate_batch(workspace, begun.batch.id, owner="me", now=_now())
    with pytest.raises(IllegalTransitionError):
        resume_batch(workspace, begun.batch.id, owner="me", now=_now())
    listed = sweep(workspace, dry_run=True, now=_now())
    assert [(swept_table.table, swept_table.dropped) for swept_table in listed.tables] == [(instance.table, False)]
    assert [
        (swept_table.table, swept_table.dropped) for swept_table in sweep(workspace, dry_run=False, now=_now()).tables
    ] == [(instance.table, True)]
    assert sweep(workspace, dry_run=False, now=_now()).tables == ()


def test_superseded_tables_stay_for_the_drop_delay(workspace: Workspace) -> None:
    """After the delay they are dropped, and nothing else is."""
    run_batch(workspace, _MODEL, owner="me")
    run_batch(workspace, _MODEL, owner="me")
    with workspace.warehouse.session() as session:
        before = session.tables("aggs")

    assert sweep(workspace, dry_run=False, now=_now()).tables == ()
    swept = sweep(workspace, dry_run=False, now=_now() + timedelta(hours=2)).tables
    with workspace.warehouse.session() as session:
        after = session.tables("aggs")
    assert {swept_table.table for swept_table in swept} == before - after
    assert len(swept) == len(tiny_star.AGGREGATES)
    assert all(swept_table.dropped for swept_table in swept)
    assert _run_sql(workspace, "SELECT SUM(row_count) FROM aggs.agg_tiny_sales_by_month") == [(tiny_star.FACT_ROWS,)]


def test_a_missing_fact_table_refuses_the_batch_before_it_begins(workspace: Workspace) -> None:
    """Every aggregate is named; nothing changes."""
    run_batch(workspace, _MODEL, owner="me")
    _run_sql(workspace, "ALTER TABLE sales RENAME TO sold")

    with pytest.raises(AggregatesRefusedError) as caught:
        run_batch(workspace, _MODEL, owner="me")

    assert {name for name, _ in caught.value.refused} == set(tiny_star.AGGREGATES)
    assert len(workspace.read.batches.find()) == 1


def test_a_broken_model_registers_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """All errors at once; the old deployment stays."""
    folder = tiny_star.write_model(tmp_path / "broken", {"a": (("City",), ("Amuont",)), "b": (("Citty",), ("Amount",))})

    with pytest.raises(InvalidModelError) as caught:
        deploy(workspace, folder, now=_now())

    assert len([issue for issue in caught.value.issues if issue.is_error]) == 2
    assert workspace.read.models.get(_MODEL).version == 1


def test_plans_estimate_rows_and_write_nothing(workspace: Workspace) -> None:
    """Sketched rows are near the truth; the order needs no estimate."""
    numbers = iter(range(1000))
    plan = plan_batch(workspace, _MODEL, now=_now(), new_id=lambda: f"{next(numbers):036d}", estimate=True)
    row_counts = {
        instance.step.aggregate: instance.rows for instance in run_batch(workspace, _MODEL, owner="me").instances
    }

    assert [step.aggregate for step in plan.steps] == ["by_day_and_shop", "by_month_and_city", "by_city", "by_month"]
    assert all(step.estimate_source == "sketch" for step in plan.steps)
    for step in plan.steps:
        # A sketch counts groups of keys and names; the matched flags can split a group of NULLs once more.
        assert abs((step.estimated_rows or 0) - (row_counts[step.aggregate] or 0)) <= max(
            4, 0.1 * (row_counts[step.aggregate] or 0)
        )


def test_build_from_existing_can_be_switched_off(workspace: Workspace) -> None:
    """A setting or a threshold does it, and the plan says why."""
    for key, value in (
        ("aggregates.batch.buildFromExisting.enabled", "false"),
        ("aggregates.batch.buildFromExisting.threshold", "4"),
        ("aggregates.batch.cube.attributes.threshold", "4"),
    ):
        workspace.registry.settings.put(None, key, value)
        plan = plan_batch(workspace, _MODEL, now=_now(), new_id=lambda: "0" * 36)
        workspace.registry.settings.delete(None, key)
        assert key in plan.ordering
        assert all(len(step.sources) == 1 for step in plan.steps)


def test_events_tell_the_whole_story(workspace: Workspace) -> None:
    """Batch, then start, source, SQL, verified and done of each aggregate, then activation."""
    events: list[BuildEvent] = []
    before = set(threading.enumerate())
    run_batch(workspace, _MODEL, owner="me", on_event=events.append)

    assert events[0].kind == "batch"
    assert events[-1].kind == "activated"
    assert [event.kind for event in events if event.aggregate == "by_city"] == [
        "start",
        "source",
        "sql",
        "verified",
        "done",
    ]
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
    assert not set(threading.enumerate()) - before


def test_a_done_aggregate_can_be_rebuilt_while_its_batch_is_open(workspace: Workspace) -> None:
    """The newer attempt wins; the older table is swept."""
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=_now())
    first = build_instance(workspace, begun.instances[0].id, owner="me")
    same = build_instance(workspace, begun.instances[0].id, owner="me")
    again = build_instance(workspace, begun.instances[0].id, owner="me", rebuild=True)

    assert same.table == first.table
    assert (again.status, again.attempt) == (InstanceStatus.DONE, 2)
    assert [swept_table.table for swept_table in sweep(workspace, dry_run=False, now=_now()).tables] == [first.table]
