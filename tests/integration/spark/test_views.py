"""Stable views on a warehouse without transactions: they switch one after the other, and a crash can be finished."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.activate import switch_pending_views
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.stable_views.shown_batches import shown_batches, views_that_lag
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.command_line import run_command
from tests.support.kill.kill_places import Place
from tests.support.kill.kill_process import start_worker
from tests.support.stars import tiny_star

AGGREGATES = {"by_city": (("City",), ("Amount",)), "by_month": (("Month",), ("Quantity",))}
CITY, MONTH = "agg_tiny_sales_by_city", "agg_tiny_sales_by_month"
BOTH = """\
SELECT (SELECT SUM("Amount") FROM tiny_sales), (SELECT SUM("Quantity") FROM tiny_sales)"""
"""From two aggregates. Each new sale is of one piece for 1, so in one batch both totals grow alike."""


@pytest.fixture
def place(spark_url: str, tmp_path: Path) -> Place:
    """A registry beside the warehouse."""
    return Place(f"sqlite:///{tmp_path / 'registry.sqlite'}", spark_url)


@pytest.fixture
def star(place: Place, tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star, deployed."""
    with open_workspace(registry=place.registry, warehouse=place.warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model", AGGREGATES), now=utc_now())
        yield workspace


def _sell(workspace: Workspace) -> None:
    tiny_star.run_sql(workspace, "INSERT INTO sales VALUES (1, 1, 1, 1.00)")


def _model_id(workspace: Workspace) -> str:
    return workspace.read.models.get("tiny_sales").id


@pytest.mark.parametrize("spark_url", ["sail"], indirect=True)
def test_what_is_somebody_elses_stays(star: Workspace) -> None:
    """A table and a view have the names of stable views; nothing of theirs is replaced, and the batch says so."""
    star.warehouse.require_schema()
    tiny_star.run_sql(
        star, f"CREATE TABLE aggs.{CITY} AS SELECT 1 AS theirs", f"CREATE VIEW aggs.{MONTH} AS SELECT 2 AS theirs"
    )

    report = run_batch(star, "tiny_sales", owner="test")

    with star.warehouse.session() as session:
        assert session.fetch_all(f"SELECT theirs FROM aggs.{CITY}") == [(1,)]
        assert session.fetch_all(f"SELECT theirs FROM aggs.{MONTH}") == [(2,)]
    notes = " ".join(report.batch.notes)
    assert f"`{CITY}` stays as it is: a table" in notes
    assert f"`{MONTH}` stays as it is: a view has its name that shows no aggregate" in notes
    assert answer(star, 'SELECT SUM("Amount") FROM tiny_sales').plan.uses_aggregates


@pytest.mark.parametrize("spark_url", ["sail"], indirect=True)
def test_a_switch_that_was_killed_half_way_is_told_and_finished(star: Workspace, place: Place, tmp_path: Path) -> None:
    """One view shows the new batch, the other the old one. The router knows only the new one."""
    first = run_batch(star, "tiny_sales", owner="test").batch.id
    _sell(star)
    with start_worker() as worker:
        ended = worker.run(place, kill_after_sql="ALTER VIEW")

    assert ended["signal"] == 9
    second = star.read.batches.find(_model_id(star), 1)[0]
    assert (second.status, second.views_pending) == (BatchStatus.DONE, True)
    shown = {view.view: view.shown for view in shown_batches(star, _model_id(star))}
    assert sorted(shown.values()) == sorted([first, second.id])
    (behind,) = views_that_lag(star, _model_id(star))
    assert str(behind) == f"view `{behind.view}` shows batch {first}, and batch {second.id} serves"
    with QueryRouter(star) as router:
        assert _totals(router) == (1786, 157)
    connection = ("--registry", place.registry, "--warehouse", place.warehouse, "--schema", "aggs")
    code, out, err = run_command(tmp_path, "instances", "--model", "tiny_sales", *connection)
    assert (code, f"View {str(behind).removeprefix('view ')}." in out + err) == (0, True), out + err

    assert switch_pending_views(star) == ()

    assert {view.shown for view in shown_batches(star, _model_id(star))} == {second.id}
    assert not star.read.batches.get(second.id).views_pending


def _totals(router: QueryRouter) -> tuple[int, int]:
    result = router.answer(BOTH)
    assert [source.aggregate for source in result.plan.sources] == ["by_city", "by_month"]
    ((amount, quantity),) = result.rows
    return int(amount), int(quantity)


@pytest.mark.parametrize("spark_url", ["sail"], indirect=True)
def test_readers_of_the_router_see_one_batch_and_no_error(star: Workspace, place: Place) -> None:
    """While batches are activated, every answer from two aggregates is of one and the same batch."""
    run_batch(star, "tiny_sales", owner="test")
    is_over, errors, seen = threading.Event(), [], set()

    def read() -> None:
        try:
            with (
                open_workspace(
                    registry=place.registry, warehouse=place.warehouse, aggregate_schema="aggs"
                ) as workspace,
                QueryRouter(workspace) as router,
            ):
                while not is_over.is_set():
                    result = router.answer(BOTH)
                    assert result.fallback_reason == ""
                    seen.add(tuple(map(int, result.rows[0])))
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(3):
        _sell(star)
        run_batch(star, "tiny_sales", owner="test")
    is_over.set()
    for reader in readers:
        reader.join()

    assert errors == []
    assert {amount - quantity for amount, quantity in seen} == {1785 - 156}
    with QueryRouter(star) as router:
        assert _totals(router) == (1788, 159)


def test_a_view_is_never_gone_while_it_is_altered(spark_url: str) -> None:
    """Three times; a view that is replaced is gone for a moment on Spark."""
    warehouse = open_warehouse(spark_url)
    with warehouse.session() as session:
        session.make_schema("aggs")
        for number in (1, 2):
            session.execute(f"CREATE TABLE aggs.t{number} AS SELECT {number} AS n")
        session.execute("CREATE VIEW aggs.v AS SELECT n FROM aggs.t1")
        is_over, seen, errors = threading.Event(), set(), []

        def read() -> None:
            with warehouse.session() as reader:
                while not is_over.is_set():
                    try:
                        seen.update(reader.fetch_all("SELECT n FROM aggs.v"))
                    except WarehouseError as error:
                        errors.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        for number in (2, 1, 2):
            session.execute(f"ALTER VIEW aggs.v AS SELECT n FROM aggs.t{number}")
        is_over.set()
        thread.join()
        assert session.fetch_all("SELECT n FROM aggs.v") == [(2,)]
    warehouse.close()
    assert errors == []
    assert seen <= {(1,), (2,)}
