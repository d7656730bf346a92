"""The batch that is begun is the one that was requested: an interrupted or failed one goes on, or is closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.errors import BatchDamagedError, BatchHeldError
from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import (
    BatchRequest,
    BegunBatch,
    begin_batch,
    resume_batch,
    run_batch,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import tiny_star

_MODEL = "tiny_sales"
_GONE, _ME = "elsewhere:1:1", "somewhere:2:2"
_RUN = "airflow:batch_build/run 1"


@dataclass
class _Star:
    workspace: Workspace
    folder: Path

    def sql(self, *statements: str) -> None:
        tiny_star.run_sql(self.workspace, *statements)

    def deploy(self, aggregates: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None) -> None:
        deploy(self.workspace, tiny_star.write_model(self.folder, aggregates), now=utc_now())

    def begin(
        self,
        owner: str,
        *,
        minutes: float = 0,
        build_type: BuildType = BuildType.FULL,
        request: BatchRequest = BatchRequest(),
    ) -> BegunBatch:
        """Some minutes from now; the lease is one minute long."""
        return begin_batch(
            self.workspace,
            _MODEL,
            build_type=build_type,
            owner=owner,
            now=_in(minutes),
            lease=timedelta(minutes=1),
            request=request,
        )

    def interrupt_batch(self, owner: str = _GONE) -> BegunBatch:
        """A batch whose owner has built one aggregate and fell silent."""
        begun = self.begin(owner, minutes=-10)
        build_instance(self.workspace, begun.instances[0].id, owner=owner, lease=timedelta(hours=1))
        return begun

    def finish(self, begun: BegunBatch, owner: str) -> tuple[str, ...]:
        """Build what is not built, activate; the notes."""
        for instance in begun.instances:
            build_instance(self.workspace, instance.id, owner=owner)
        return activate_batch(self.workspace, begun.batch.id, owner=owner, now=utc_now()).batch.notes

    def is_consistent(self) -> bool:
        """Every stable view has the facts' totals."""
        with self.workspace.warehouse.session() as session:
            (totals,) = session.fetch_all("SELECT COUNT(*), SUM(amount) FROM sales")
            views = [
                session.fetch_all(f"SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_{_MODEL}_{name}")[0]
                for name in ("by_city", "by_month_and_city")
            ]
        return all(view == totals for view in views)


def _in(minutes: float) -> datetime:
    return utc_now() + timedelta(minutes=minutes)


@pytest.fixture
def star(empty_workspace: Workspace, tmp_path: Path) -> _Star:
    deployed_star = _Star(empty_workspace, tmp_path / "model")
    deployed_star.sql(*tiny_star.SETUP_SQL)
    deployed_star.deploy()
    return deployed_star


@dataclass(frozen=True)
class _Meanwhile:
    """What happens between the interruption and the next build, and how the reason begins."""

    reason: str
    do: Callable[[_Star], None] = lambda _: None
    build_type: BuildType = BuildType.FULL
    request: BatchRequest = field(default_factory=BatchRequest)


_REPLACED = (
    "CREATE TABLE sales_new AS SELECT day_id, shop_id, amount + 1 AS amount, quantity FROM sales",
    "DROP TABLE sales",
    "ALTER TABLE sales_new RENAME TO sales",
)
_MEANWHILE = {
    "insert": _Meanwhile("`sales` changed", lambda p: p.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")),
    "delete": _Meanwhile("`sales` changed", lambda p: p.sql("DELETE FROM sales WHERE day_id = 1")),
    "update of a measure": _Meanwhile(
        "`sales` changed", lambda p: p.sql("UPDATE sales SET amount = amount + 1 WHERE day_id = 1")
    ),
    "update of a key": _Meanwhile(
        "`sales` changed",
        lambda p: p.sql("UPDATE sales SET shop_id = CASE shop_id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE shop_id END"),
    ),
    "as many other rows": _Meanwhile(
        "`sales` changed",
        lambda p: p.sql(
            "CREATE TABLE kept AS SELECT * FROM sales",
            "DELETE FROM sales",
            "INSERT INTO sales SELECT day_id, shop_id, 1, 1 FROM kept",
        ),
    ),
    "table replaced": _Meanwhile("`sales` changed", lambda p: p.sql(*_REPLACED)),
    "dimension": _Meanwhile("`shop` changed", lambda p: p.sql("UPDATE shop SET city = 'East' WHERE shop_id = 1")),
    "deployment": _Meanwhile(
        "the model was deployed anew",
        lambda p: p.deploy(tiny_star.AGGREGATES | {"by_shop": (("Shop",), ("Amount",))}),
    ),
    "setting": _Meanwhile(
        "a new one is planned otherwise",
        lambda p: p.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false"),
    ),
    "build type": _Meanwhile("it is a full rebuild", build_type=BuildType.INCREMENTAL),
    "subset": _Meanwhile("it builds all aggregates", request=BatchRequest(aggregates=("by_city",))),
    "a later request": _Meanwhile("it was begun before", request=BatchRequest(requested_at=_in(86_400))),
}


@pytest.mark.parametrize("kind", _MEANWHILE)
def test_an_interrupted_batch_that_is_not_what_is_asked_for_is_closed(star: _Star, kind: str) -> None:
    """A new one begins with it, says why, and shows one state of the facts; the old one's tables are swept."""
    meanwhile = _MEANWHILE[kind]
    run_batch(star.workspace, _MODEL, owner=_ME)
    old = star.interrupt_batch()
    staged = star.workspace.read.instances.get(old.instances[0].id).table
    meanwhile.do(star)

    begun = star.begin(_ME, build_type=meanwhile.build_type, request=meanwhile.request)

    assert begun.batch.id != old.batch.id
    assert f"Batch {old.batch.id} of {_GONE} is closed and not gone on with: {meanwhile.reason}" in begun.reason
    assert begun.batch.notes[0] == begun.reason
    assert star.workspace.read.batches.get(old.batch.id).status is BatchStatus.CANCELLED
    star.finish(begun, _ME)
    assert kind == "subset" or star.is_consistent()
    assert staged in {swept_table.table for swept_table in sweep(star.workspace, dry_run=False, now=utc_now()).tables}


@pytest.mark.parametrize(
    "request_",
    [BatchRequest(), BatchRequest(requested_at=_in(-60)), BatchRequest(signals=("s",))],
    ids=["plain", "asked for earlier", "with a signal"],
)
def test_an_interrupted_batch_that_is_the_same_is_gone_on_with(star: _Star, request_: BatchRequest) -> None:
    """What was built stays, the reason is told, and it answers the signals of who goes on with it."""
    run_batch(star.workspace, _MODEL, owner=_ME)
    old = star.interrupt_batch()

    begun = star.begin(_ME, request=request_)

    assert (begun.batch.id, begun.is_resumed) == (old.batch.id, True)
    assert "is gone on with: a new one would do the same" in begun.reason
    assert star.finish(begun, _ME) == ()
    assert star.workspace.read.instances.get(old.instances[0].id).attempt == 1
    assert star.is_consistent()
    answered = star.workspace.read.batches.of_signals(begun.batch.model_id, request_.signals)
    assert set(answered.values()) == ({old.batch.id} if request_.signals else set())


def test_a_batch_of_an_older_version_is_closed(star: _Star) -> None:
    """Such a batch did not note the state of the facts."""
    old = star.interrupt_batch()
    with star.workspace.registry.database.writing() as connection:
        connection.exec_driver_sql("UPDATE atscale_aggs_batches SET sources = NULL")

    begun = star.begin(_ME)

    assert begun.batch.id != old.batch.id
    assert "the state of the facts was not noted" in begun.reason


def test_a_view_of_facts_is_told_by_its_values(star: _Star) -> None:
    """The rows of a view have no mark of their writer, so their values are compared."""
    star.sql("ALTER TABLE sales RENAME TO sales_rows", "CREATE VIEW sales AS SELECT * FROM sales_rows")
    old = star.interrupt_batch()
    assert star.begin(_ME).batch.id == old.batch.id
    star.sql("UPDATE sales_rows SET shop_id = 3 WHERE shop_id = 1")

    begun = star.begin(_GONE, minutes=5)

    assert begun.batch.id != old.batch.id
    assert "`sales` changed" in begun.reason


@pytest.mark.parametrize(
    "damage", ["DELETE FROM {table}", "INSERT INTO {table} SELECT * FROM {table}", "DROP TABLE {table}"]
)
@pytest.mark.parametrize("owner", [_GONE, _RUN])
def test_a_batch_whose_tables_were_changed_is_not_gone_on_with(star: _Star, damage: str, owner: str) -> None:
    """Otherwise the damaged table would go live."""
    old = star.interrupt_batch(owner)
    instance = star.workspace.read.instances.get(old.instances[0].id)
    star.sql(damage.format(table=f'aggs."{instance.table}"'))

    with pytest.raises(BatchDamagedError, match=f"`{instance.table}` of `{instance.step.aggregate}`"):
        resume_batch(star.workspace, old.batch.id, owner="somebody", now=_in(60))
    begun = star.begin(owner)

    assert not begun.is_resumed
    assert f"`{instance.table}`" in begun.reason
    star.finish(begun, owner)
    assert star.is_consistent()


def test_an_owner_that_is_alive_is_left_alone(star: _Star) -> None:
    """Nothing is closed, whatever build is requested."""
    held = star.begin(_GONE)
    star.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")

    with pytest.raises(BatchHeldError, match=_GONE):
        star.begin(_ME, build_type=BuildType.INCREMENTAL)

    assert star.workspace.read.batches.get(held.batch.id).status is BatchStatus.IN_PROGRESS


def test_a_restarted_run_goes_on_with_its_own_batch_and_tells_what_it_saw(star: _Star) -> None:
    """It was interrupted or failed. Rows that came in between are only in what is built later, and a note says so."""
    star.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    first = star.interrupt_batch(_RUN)
    star.workspace.registry.batches.fail(first.batch.id, owner=_RUN, now=utc_now())
    star.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")

    again = star.begin(_RUN)

    assert (again.batch.id, again.is_resumed) == (first.batch.id, True)
    (note,) = star.finish(again, _RUN)
    assert note.startswith("The aggregates of this batch saw different states of `sales`")
    assert f"{tiny_star.FACT_ROWS} by `{first.instances[0].step.aggregate}`" in note
    assert f"{tiny_star.FACT_ROWS + 1} by " in note


def test_a_restarted_run_builds_the_model_that_was_deployed_since(star: _Star) -> None:
    """A person who has mended the model and clears the whole run wants the mended one."""
    first = star.interrupt_batch(_RUN)
    star.deploy(tiny_star.AGGREGATES | {"by_shop": (("Shop",), ("Amount",))})

    again = star.begin(_RUN)

    assert again.batch.id != first.batch.id
    assert "by_shop" in {instance.step.aggregate for instance in again.instances}


def test_a_failed_batch_of_somebody_else_is_closed_and_named(star: _Star) -> None:
    """Its own run, or a resume by its id, goes on with it; nobody else."""
    failed = star.interrupt_batch()
    star.workspace.registry.batches.fail(failed.batch.id, owner=_GONE, now=utc_now())

    begun = star.begin(_ME)

    assert begun.batch.id != failed.batch.id
    assert f"Batch {failed.batch.id} of {_GONE} is closed" in begun.reason


@pytest.mark.parametrize("level", ["totals", "off"])
def test_rows_that_come_while_a_batch_is_built_are_told(star: _Star, level: str) -> None:
    """A note says so also where nothing was verified. A batch during which nothing comes has no notes."""
    star.workspace.registry.settings.put(None, "aggregates.batch.verify", level)
    star.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    quiet = star.begin(_ME)
    assert star.finish(quiet, _ME) == ()
    begun = star.begin(_ME)
    build_instance(star.workspace, begun.instances[0].id, owner=_ME)
    star.sql("DELETE FROM sales WHERE day_id = 1")

    (note,) = star.finish(begun, _ME)

    assert note.startswith("The aggregates of this batch saw different states of `sales`")


def test_a_dimension_that_changes_while_a_batch_is_built_is_told(star: _Star) -> None:
    """Totals do not show it."""
    star.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    begun = star.begin(_ME)
    build_instance(star.workspace, begun.instances[0].id, owner=_ME)
    star.sql("UPDATE shop SET city = 'East' WHERE shop_id = 1")

    (note,) = star.finish(begun, _ME)

    assert note.startswith("`shop` changed after this batch was begun")


def test_what_derives_from_one_aggregate_agrees_with_it(star: _Star) -> None:
    """Rows that come in between are in none of them."""
    begun = star.begin(_ME)
    build_instance(star.workspace, begun.instances[0].id, owner=_ME)
    star.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")

    assert star.finish(begun, _ME) == ()
