"""The batch that is asked for is the batch that runs: what becomes of an interrupted or failed one, and what is told."""

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
class _Place:
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

    def interrupted(self, owner: str = _GONE) -> BegunBatch:
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
            (facts,) = session.fetch_all("SELECT COUNT(*), SUM(amount) FROM sales")
            views = [
                session.fetch_all(f"SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_{_MODEL}_{name}")[0]
                for name in ("by_city", "by_month_and_city")
            ]
        return all(view == facts for view in views)


def _in(minutes: float) -> datetime:
    return utc_now() + timedelta(minutes=minutes)


@pytest.fixture
def place(empty_workspace: Workspace, tmp_path: Path) -> _Place:
    found = _Place(empty_workspace, tmp_path / "model")
    found.sql(*tiny_star.SETUP_SQL)
    found.deploy()
    return found


@dataclass(frozen=True)
class _Meanwhile:
    """What happens between the interruption and the next build, and how the reason begins."""

    reason: str
    do: Callable[[_Place], None] = lambda _: None
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
        lambda p: (
            p.sql("CREATE TABLE kept AS SELECT * FROM sales", "DELETE FROM sales")
            or p.sql("INSERT INTO sales SELECT day_id, shop_id, 1, 1 FROM kept")
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
def test_an_interrupted_batch_that_is_not_what_is_asked_for_is_closed(place: _Place, kind: str) -> None:
    """A new one begins with it, says why, and shows one state of the facts; the old one's tables are swept."""
    meanwhile = _MEANWHILE[kind]
    run_batch(place.workspace, _MODEL, owner=_ME)
    old = place.interrupted()
    staged = place.workspace.read.instances.get(old.instances[0].id).table
    meanwhile.do(place)

    begun = place.begin(_ME, build_type=meanwhile.build_type, request=meanwhile.request)

    assert begun.batch.id != old.batch.id
    assert f"Batch {old.batch.id} of {_GONE} is closed and not gone on with: {meanwhile.reason}" in begun.reason
    assert begun.batch.notes[0] == begun.reason
    assert place.workspace.read.batches.get(old.batch.id).status is BatchStatus.CANCELLED
    place.finish(begun, _ME)
    assert kind == "subset" or place.is_consistent()
    assert staged in {one.table for one in sweep(place.workspace, dry_run=False, now=utc_now()).tables}


@pytest.mark.parametrize(
    "request_",
    [BatchRequest(), BatchRequest(requested_at=_in(-60)), BatchRequest(signals=("s",))],
    ids=["plain", "asked for earlier", "with a signal"],
)
def test_an_interrupted_batch_that_is_the_same_is_gone_on_with(place: _Place, request_: BatchRequest) -> None:
    """What was built stays, the reason is told, and it answers the signals of who goes on with it."""
    run_batch(place.workspace, _MODEL, owner=_ME)
    old = place.interrupted()

    begun = place.begin(_ME, request=request_)

    assert (begun.batch.id, begun.is_resumed) == (old.batch.id, True)
    assert "is gone on with: a new one would do the same" in begun.reason
    assert place.finish(begun, _ME) == ()
    assert place.workspace.read.instances.get(old.instances[0].id).attempt == 1
    assert place.is_consistent()
    answered = place.workspace.read.batches.of_signals(begun.batch.model_id, request_.signals)
    assert set(answered.values()) == ({old.batch.id} if request_.signals else set())


def test_a_batch_of_an_older_version_is_closed(place: _Place) -> None:
    """It did not note what it had found."""
    old = place.interrupted()
    with place.workspace.registry.database.writing() as connection:
        connection.exec_driver_sql("UPDATE atscale_aggs_batches SET sources = NULL")

    begun = place.begin(_ME)

    assert begun.batch.id != old.batch.id
    assert "the state of the facts was not noted" in begun.reason


def test_a_view_of_facts_is_told_by_its_values(place: _Place) -> None:
    """Its rows do not know who wrote them."""
    place.sql("ALTER TABLE sales RENAME TO sales_rows", "CREATE VIEW sales AS SELECT * FROM sales_rows")
    old = place.interrupted()
    assert place.begin(_ME).batch.id == old.batch.id
    place.sql("UPDATE sales_rows SET shop_id = 3 WHERE shop_id = 1")

    begun = place.begin(_GONE, minutes=5)

    assert begun.batch.id != old.batch.id
    assert "`sales` changed" in begun.reason


@pytest.mark.parametrize(
    "damage", ["DELETE FROM {table}", "INSERT INTO {table} SELECT * FROM {table}", "DROP TABLE {table}"]
)
@pytest.mark.parametrize("owner", [_GONE, _RUN])
def test_a_batch_whose_tables_were_changed_is_not_gone_on_with(place: _Place, damage: str, owner: str) -> None:
    """What it has built would go live as it is now."""
    old = place.interrupted(owner)
    built = place.workspace.read.instances.get(old.instances[0].id)
    place.sql(damage.format(table=f'aggs."{built.table}"'))

    with pytest.raises(BatchDamagedError, match=f"`{built.table}` of `{built.step.aggregate}`"):
        resume_batch(place.workspace, old.batch.id, owner="somebody", now=_in(60))
    begun = place.begin(owner)

    assert not begun.is_resumed
    assert f"`{built.table}`" in begun.reason
    place.finish(begun, owner)
    assert place.is_consistent()


def test_an_owner_that_is_alive_is_left_alone(place: _Place) -> None:
    """Whatever is asked for; nothing is closed."""
    held = place.begin(_GONE)
    place.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")

    with pytest.raises(BatchHeldError, match=_GONE):
        place.begin(_ME, build_type=BuildType.INCREMENTAL)

    assert place.workspace.read.batches.get(held.batch.id).status is BatchStatus.IN_PROGRESS


def test_a_restarted_run_goes_on_with_its_own_batch_and_tells_what_it_saw(place: _Place) -> None:
    """Interrupted or failed; rows that came in between are in what is built later only, and that is noted."""
    place.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    first = place.interrupted(_RUN)
    place.workspace.registry.batches.fail(first.batch.id, owner=_RUN, now=utc_now())
    place.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")

    again = place.begin(_RUN)

    assert (again.batch.id, again.is_resumed) == (first.batch.id, True)
    (note,) = place.finish(again, _RUN)
    assert note.startswith("The aggregates of this batch saw different states of `sales`")
    assert f"{tiny_star.FACT_ROWS} by `{first.instances[0].step.aggregate}`" in note
    assert f"{tiny_star.FACT_ROWS + 1} by " in note


def test_a_restarted_run_builds_the_model_that_was_deployed_since(place: _Place) -> None:
    """A person who has mended the model and clears the whole run wants the mended one."""
    first = place.interrupted(_RUN)
    place.deploy(tiny_star.AGGREGATES | {"by_shop": (("Shop",), ("Amount",))})

    again = place.begin(_RUN)

    assert again.batch.id != first.batch.id
    assert "by_shop" in {instance.step.aggregate for instance in again.instances}


def test_a_failed_batch_of_somebody_else_is_closed_and_named(place: _Place) -> None:
    """Its own run, or a resume by its id, goes on with it; nobody else."""
    failed = place.interrupted()
    place.workspace.registry.batches.fail(failed.batch.id, owner=_GONE, now=utc_now())

    begun = place.begin(_ME)

    assert begun.batch.id != failed.batch.id
    assert f"Batch {failed.batch.id} of {_GONE} is closed" in begun.reason


@pytest.mark.parametrize("level", ["totals", "off"])
def test_rows_that_come_while_a_batch_is_built_are_told(place: _Place, level: str) -> None:
    """Also where nothing was verified; a batch during which nothing comes has no notes."""
    place.workspace.registry.settings.put(None, "aggregates.batch.verify", level)
    place.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    quiet = place.begin(_ME)
    assert place.finish(quiet, _ME) == ()
    begun = place.begin(_ME)
    build_instance(place.workspace, begun.instances[0].id, owner=_ME)
    place.sql("DELETE FROM sales WHERE day_id = 1")

    (note,) = place.finish(begun, _ME)

    assert note.startswith("The aggregates of this batch saw different states of `sales`")


def test_a_dimension_that_changes_while_a_batch_is_built_is_told(place: _Place) -> None:
    """Totals do not show it."""
    place.workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    begun = place.begin(_ME)
    build_instance(place.workspace, begun.instances[0].id, owner=_ME)
    place.sql("UPDATE shop SET city = 'East' WHERE shop_id = 1")

    (note,) = place.finish(begun, _ME)

    assert note.startswith("`shop` changed after this batch was begun")


def test_what_derives_from_one_aggregate_agrees_with_it(place: _Place) -> None:
    """Rows that come in between are in none of them."""
    begun = place.begin(_ME)
    build_instance(place.workspace, begun.instances[0].id, owner=_ME)
    place.sql("INSERT INTO sales VALUES (1, 2, 3, 100.00)")

    assert place.finish(begun, _ME) == ()
