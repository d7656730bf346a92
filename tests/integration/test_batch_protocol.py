"""The batch protocol on real warehouses: fencing, leases, failures, resume, cancel, drop delay, side by side,
retirement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.errors import (
    BatchFailedError,
    BatchHeldError,
    IllegalTransitionError,
    StaleStatusError,
)
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport, activate_batch, cancel_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance, run_attempt
from airflow_atscale_aggs.engine.lifecycle.build.batch import BegunBatch, begin_batch, resume_batch, run_batch
from airflow_atscale_aggs.engine.lifecycle.build.known_batch import KnownBatch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars.tiny_star import AGGREGATES, SETUP_SQL, write_model

MODEL = "tiny_sales"
SCHEMA = "aggs"
ME, OTHER = "somewhere:1:1", "elsewhere:2:2"
"""Owners on other machines: whether they are alive is known by their leases only."""

WITH_QUANTITY = {"by_day_and_shop", "by_month", "by_month_and_city"}
BREAK = (
    "ALTER TABLE sales RENAME TO sales_rows",
    (
        "CREATE VIEW sales AS SELECT day_id, shop_id, amount, CAST(CASE WHEN quantity = 3 THEN 'three' ELSE '3' END "
        "AS INTEGER) AS quantity FROM sales_rows"
    ),
)
"""Quantities that cannot be read: whatever sums them fails, whatever does not is built."""
REPAIR = ("DROP VIEW sales", "ALTER TABLE sales_rows RENAME TO sales")


@dataclass(frozen=True)
class Star:
    """The tiny star, deployed."""

    workspace: Workspace
    folder: Path

    def run(self, *statements: str) -> None:
        """Change the facts."""
        with self.workspace.warehouse.session() as session:
            for sql in statements:
                session.execute(sql)

    def begin(self, owner: str = ME, after: timedelta = timedelta(0)) -> BegunBatch:
        """Begin a batch, or go on with one, some time from now."""
        return begin_batch(
            self.workspace,
            MODEL,
            build_type=BuildType.FULL,
            owner=owner,
            now=utc_now() + after,
            lease=timedelta(minutes=1),
        )

    def tables(self) -> set[str]:
        """Tables, without the stable views."""
        with self.workspace.warehouse.session() as session:
            return {name for name in session.tables(SCHEMA) if name.startswith("as_agg_")}

    def views(self) -> set[str]:
        """The stable views."""
        with self.workspace.warehouse.session() as session:
            return {name for name in session.tables(SCHEMA) if name.startswith("agg_")}

    def served_amount(self) -> object:
        """The total that the smallest aggregate's stable view answers."""
        with self.workspace.warehouse.session() as session:
            return session.fetch_all(f"SELECT SUM(sum_amount) FROM {SCHEMA}.agg_{MODEL}_by_city")[0][0]

    def amount(self) -> object:
        """The total of the facts."""
        with self.workspace.warehouse.session() as session:
            return session.fetch_all("SELECT SUM(amount) FROM sales")[0][0]

    def active_tables(self) -> dict[str, str]:
        """Aggregate to the table that serves."""
        model = self.workspace.read.models.get(MODEL)
        return {
            instance.step.aggregate: str(instance.table) for instance in self.workspace.read.instances.serving(model.id)
        }

    def statuses(self, batch_id: str) -> dict[str, str]:
        """Aggregate to the status of its instance in a batch."""
        return {
            instance.step.aggregate: str(instance.status)
            for instance in self.workspace.read.instances.find(batch_id=batch_id)
        }


@pytest.fixture(params=["sqlite and duckdb", "postgres"])
def star(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Star]:
    """A workspace on files, or on one PostgreSQL database."""
    if request.param == "postgres":
        registry = warehouse = request.getfixturevalue("postgres_url")
    else:
        registry, warehouse = f"sqlite:///{tmp_path / 'r.sqlite'}", f"duckdb:///{tmp_path / 'w.duckdb'}?threads=1"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema=SCHEMA) as workspace:
        deployed_star = Star(workspace, tmp_path / "model")
        deployed_star.run(*SETUP_SQL)
        deploy(workspace, write_model(deployed_star.folder), now=utc_now())
        yield deployed_star


def test_a_late_zombie_touches_nobodys_table(star: Star) -> None:
    """Its attempt was taken over. It drops its own table, and the table of the newer attempt stays."""
    first = star.begin().instances[0]
    zombie = star.workspace.registry.attempts.claim(first.id, owner=ME, now=utc_now())
    star.begin(OTHER, after=timedelta(minutes=2))
    done = build_instance(star.workspace, first.id, owner=OTHER)

    with pytest.raises(StaleStatusError):
        run_attempt(star.workspace, zombie, known=KnownBatch(star.workspace.settings))

    assert star.workspace.read.instances.get(first.id) == done
    assert done.attempt == 2
    assert star.tables() == {done.table}


def test_an_instance_that_was_read_a_while_ago_is_built_as_it_is_now(star: Star) -> None:
    """Its attempt before is fenced off; and where its batch was closed meanwhile, nothing is built."""
    begun = star.begin()
    first, second = begun.instances[:2]
    star.workspace.registry.attempts.claim(first.id, owner=ME, now=utc_now())
    done = build_instance(star.workspace, first, owner=ME)
    cancel_batch(star.workspace, begun.batch.id, now=utc_now())

    with pytest.raises(IllegalTransitionError, match="cancelled"):
        build_instance(star.workspace, second, owner=ME)

    assert done.attempt == 2
    assert star.workspace.read.attempts.find(instance_id=second.id) == ()


def test_the_second_of_two_builds_is_told_who_holds_the_lease(star: Star) -> None:
    """It waits until the lease ends; then the same batch goes on under the new owner."""
    begun = star.begin()

    with pytest.raises(BatchHeldError) as held:
        star.begin(OTHER, after=timedelta(seconds=30))
    taken = star.begin(OTHER, after=timedelta(seconds=90))

    assert (held.value.owner, held.value.batch_id, held.value.model) == (ME, begun.batch.id, MODEL)
    assert (taken.batch.id, taken.batch.owner, taken.is_resumed) == (begun.batch.id, OTHER, True)
    with pytest.raises(StaleStatusError):
        star.workspace.registry.batches.renew_lease(begun.batch.id, owner=ME, until=utc_now())


def test_the_same_owner_gets_the_same_batch(star: Star) -> None:
    """A scheduler that asks twice begins once."""
    assert star.begin().batch.id == star.begin().batch.id


def test_an_owner_that_was_taken_over_activates_nothing(star: Star) -> None:
    """Nothing goes live, even when everything is built."""
    begun = star.begin()
    for instance in begun.instances:
        build_instance(star.workspace, instance.id, owner=ME)
    star.begin(OTHER, after=timedelta(minutes=2))

    with pytest.raises(StaleStatusError):
        activate_batch(star.workspace, begun.batch.id, owner=ME, now=utc_now())

    assert star.active_tables() == {}
    assert star.views() == set()


def test_a_failure_stops_nobody_and_the_old_ones_serve_until_the_resume(star: Star) -> None:
    """What does not fail is staged; the resume builds only what failed; then all go live together."""
    old = run_batch(star.workspace, MODEL, owner=ME)
    serving, amount = star.active_tables(), star.served_amount()
    star.run("INSERT INTO sales VALUES (1, 1, 1, 500)", *BREAK)

    with pytest.raises(BatchFailedError) as failed:
        run_batch(star.workspace, MODEL, owner=ME)

    batch_id = failed.value.batch_id
    assert set(failed.value.failed) == WITH_QUANTITY
    assert star.statuses(batch_id) == dict.fromkeys(WITH_QUANTITY, "failed") | {"by_city": "done"}
    assert star.active_tables() == serving
    assert star.served_amount() == amount != star.amount()

    star.run(*REPAIR)
    report = run_batch(star.workspace, MODEL, owner=OTHER, resume=batch_id)

    assert report.batch.id == batch_id != old.batch.id
    assert report.batch.status is BatchStatus.DONE
    attempts = {instance.step.aggregate: instance.attempt for instance in report.instances}
    assert attempts["by_city"] == 1
    assert all(attempts[name] > 1 for name in WITH_QUANTITY)
    assert star.served_amount() == star.amount()


def test_a_permanent_error_is_not_tried_again(star: Star) -> None:
    """The same SQL would fail again; its allowance is spent at once."""
    star.run(*BREAK)

    with pytest.raises(BatchFailedError) as failed:
        run_batch(star.workspace, MODEL, owner=ME)

    instances = star.workspace.read.instances.find(batch_id=failed.value.batch_id)
    assert {instance.step.aggregate: instance.attempt for instance in instances} == dict.fromkeys(AGGREGATES, 1)
    assert all("three" in str(instance.error) for instance in instances if instance.step.aggregate in WITH_QUANTITY)


def test_failures_within_the_limit_go_without(star: Star) -> None:
    """`aggregates.batch.max.failures` tolerated: what is built goes live, what failed keeps its old instance."""
    run_batch(star.workspace, MODEL, owner=ME)
    serving = star.active_tables()
    star.run("INSERT INTO sales VALUES (1, 1, 1, 500)", *BREAK)
    star.workspace.registry.settings.put(None, "aggregates.batch.max.failures", "3")

    report = run_batch(star.workspace, MODEL, owner=ME)

    assert star.statuses(report.batch.id) == dict.fromkeys(WITH_QUANTITY, "failed") | {"by_city": "active"}
    assert {name for name, table in star.active_tables().items() if table == serving[name]} == WITH_QUANTITY
    assert star.served_amount() == star.amount()


def test_a_failed_batch_is_over_when_another_one_begins(star: Star) -> None:
    """Its staged instances are cancelled and swept; it can be resumed no more."""
    star.run(*BREAK)
    with pytest.raises(BatchFailedError) as failed:
        run_batch(star.workspace, MODEL, owner=ME)
    star.run(*REPAIR)

    report = run_batch(star.workspace, MODEL, owner=OTHER)
    sweep(star.workspace, dry_run=False, now=utc_now())

    assert report.batch.id != failed.value.batch_id
    assert star.tables() == {instance.table for instance in report.instances}
    with pytest.raises(IllegalTransitionError):
        resume_batch(star.workspace, failed.value.batch_id, owner=ME, now=utc_now())


def test_a_cancelled_batch_leaves_nothing(star: Star) -> None:
    """Nothing goes live, its tables are swept, a build that is still under way finds itself cancelled."""
    run_batch(star.workspace, MODEL, owner=ME)
    serving = star.active_tables()
    begun = star.begin()
    first, second, *_ = begun.instances
    build_instance(star.workspace, first.id, owner=ME)
    late = star.workspace.registry.attempts.claim(second.id, owner=ME, now=utc_now())

    cancel_batch(star.workspace, begun.batch.id, now=utc_now())

    with pytest.raises(StaleStatusError):
        run_attempt(star.workspace, late, known=KnownBatch(star.workspace.settings))
    with pytest.raises(IllegalTransitionError):
        activate_batch(star.workspace, begun.batch.id, owner=ME, now=utc_now())
    sweep(star.workspace, dry_run=False, now=utc_now())
    assert star.active_tables() == serving
    assert star.tables() == set(serving.values())


def test_superseded_tables_stay_for_the_queries_that_read_them(star: Star) -> None:
    """They stay for `aggregates.drop.delaySeconds`. A dry run drops nothing."""
    first = {instance.table for instance in run_batch(star.workspace, MODEL, owner=ME).instances}
    second = {instance.table for instance in run_batch(star.workspace, MODEL, owner=ME).instances}
    delay = timedelta(seconds=star.workspace.settings.drop_delay_seconds)

    assert sweep(star.workspace, dry_run=False, now=utc_now()).tables == ()
    assert star.tables() == first | second
    listed = sweep(star.workspace, dry_run=True, now=utc_now() + delay)
    assert {swept_table.table for swept_table in listed.tables} == first
    assert star.tables() == first | second
    sweep(star.workspace, dry_run=False, now=utc_now() + delay)
    assert star.tables() == second


def test_builds_side_by_side_end_as_one_after_another(star: Star) -> None:
    """A derived aggregate waits for its source: rows and sources are the same."""
    one_by_one = run_batch(star.workspace, MODEL, owner=ME, jobs=1)
    side_by_side = run_batch(star.workspace, MODEL, owner=ME, jobs=4)

    def ends(report: BatchReport) -> dict[str, tuple[int | None, str | None]]:
        return {instance.step.aggregate: (instance.rows, instance.source) for instance in report.instances}

    assert ends(one_by_one) == ends(side_by_side)
    assert {source for _, source in ends(one_by_one).values()} == {"sales", "by_day_and_shop", "by_month_and_city"}


def test_an_aggregate_that_left_the_model_serves_no_more_after_the_next_batch(star: Star) -> None:
    """Nobody rebuilds it, so its rows would grow old; its view goes, its table and definition stay."""
    first = {
        instance.step.aggregate: instance.table for instance in run_batch(star.workspace, MODEL, owner=ME).instances
    }
    remaining = {name: content for name, content in AGGREGATES.items() if name != "by_month"}
    deploy(star.workspace, write_model(star.folder, remaining), now=utc_now())

    report = run_batch(star.workspace, MODEL, owner=ME)
    sweep(star.workspace, dry_run=False, now=utc_now() + timedelta(days=1))

    assert set(star.active_tables()) == set(remaining)
    assert star.tables() == {instance.table for instance in report.instances} | {first["by_month"]}
    assert f"agg_{MODEL}_by_month" not in star.views()
    retired = star.workspace.read.definitions.of_model(report.batch.model_id, include_retired=True)
    assert "by_month" in {record.definition.name for record in retired}


def test_an_aggregate_with_other_measures_takes_over_the_view(star: Star) -> None:
    """The view keeps its name and has the new columns; the old table is swept."""
    run_batch(star.workspace, MODEL, owner=ME)
    changed = AGGREGATES | {"by_city": (("City", "Month"), ("Quantity", "Amount"))}
    deploy(star.workspace, write_model(star.folder, changed), now=utc_now())

    report = run_batch(star.workspace, MODEL, owner=ME)
    sweep(star.workspace, dry_run=False, now=utc_now() + timedelta(days=1))

    assert set(star.active_tables()) == set(changed)
    assert star.tables() == {instance.table for instance in report.instances}
    assert star.served_amount() == star.amount()
