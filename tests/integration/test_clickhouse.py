"""The engine on ClickHouse in this process, by chDB: aggregates, views replaced one by one, what tables are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.command_line import run_command
from tests.support.stars import incremental_star, tiny_star
from tests.support.stars.incremental_star import INDICATORS, START, Sale

AGGREGATES = {"by_city": (("City",), ("Amount",)), "by_month": (("Month",), ("Quantity",))}
CITY, MONTH = "agg_tiny_sales_by_city", "agg_tiny_sales_by_month"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A folder of its own."""
    return f"chdb://{tmp_path}/data"


@pytest.fixture
def star(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """The tiny star, deployed."""
    registry, options = f"sqlite:///{tmp_path / 'registry.sqlite'}", getattr(request, "param", "")
    with open_workspace(registry=registry, warehouse=url + options, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model", AGGREGATES), now=utc_now())
        yield workspace


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


def test_a_view_is_never_gone_while_it_is_replaced(url: str) -> None:
    """A hundred times, under two readers."""
    is_over, seen, errors = threading.Event(), list[object](), list[WarehouseError]()
    with contextlib.closing(open_warehouse(url)) as warehouse, warehouse.session() as session:
        session.make_schema("aggs")
        for number in (1, 2):
            session.execute(f"CREATE TABLE aggs.t{number} AS SELECT {number} AS n")
        session.execute("CREATE VIEW aggs.v AS SELECT n FROM aggs.t1")

        def read() -> None:
            with warehouse.session() as reader:
                while not is_over.is_set():
                    try:
                        seen.extend(reader.fetch_all("SELECT n FROM aggs.v"))
                    except WarehouseError as error:
                        errors.append(error)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for number in (2, 1) * 50:
            session.execute(f"CREATE OR REPLACE VIEW aggs.v AS SELECT n FROM aggs.t{number}")
        is_over.set()
        for reader in readers:
            reader.join()
    assert errors == []
    assert set(seen) == {(1,), (2,)}


@pytest.mark.parametrize("star", ["?table_options=ENGINE%3DMergeTree%20ORDER%20BY%20tuple()"], indirect=True)
def test_a_connection_says_what_tables_are_made_of(star: Workspace) -> None:
    run_batch(star, "tiny_sales", owner="test")

    with star.warehouse.session() as session:
        made = "SELECT DISTINCT engine, sorting_key FROM system.tables WHERE database = 'aggs' AND engine <> 'View'"
        assert session.fetch_all(made) == [("MergeTree", "")]
        assert session.fetch_all(f"SELECT SUM(row_count) FROM aggs.{CITY}") == session.fetch_all(
            "SELECT COUNT(*) FROM sales"
        )


@pytest.mark.parametrize("indicator", INDICATORS)
def test_three_batches_of_each_kind(url: str, tmp_path: Path, indicator: str) -> None:
    """The second and the third are increments, in a zone whose clocks change; all views equal a full rebuild."""
    grace = "10" if indicator == "plain" else "10s"
    with incremental_star.open_star(tmp_path, f"{url}?session_timezone=Europe/Berlin") as workspace:
        incremental_star.deploy_and_build(
            workspace, tmp_path, indicator=indicator, grace=grace, aggregates=incremental_star.AGGREGATES
        )
        incremental_star.put_setting(workspace, "aggregates.batch.verify", "full")
        for at in (START + 20, START + 40):
            late, new = Sale(at=at - 25, shop=2, amount=5), Sale(at=at, day=3, amount=7)
            incremental_star.load(workspace, late, new)
            reasons = incremental_star.reasons(incremental_star.build(workspace, at=at))
            assert set(map(incremental_star.is_incremental, reasons.values())) == {True}, reasons
            incremental_star.check_views(workspace, tuple(incremental_star.AGGREGATES))


def test_the_command_line_builds_and_asks(tmp_path: Path, url: str, star: Workspace) -> None:
    """Each command is a process, and gives the folder back."""
    star.warehouse.close()
    connection = ("--registry", f"sqlite:///{tmp_path / 'registry.sqlite'}", "--warehouse", url, "--schema", "aggs")

    assert run_command(tmp_path, "build", "tiny_sales", *connection)[0] == 0
    code, out, err = run_command(tmp_path, "query", 'SELECT "City", "Amount" FROM tiny_sales ORDER BY 1', *connection)

    assert code == 0, err
    assert "by_city" in out + err
