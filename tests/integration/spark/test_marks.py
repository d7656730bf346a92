"""Marks of datasets on servers that speak Spark's protocols.

By lists of files; where these cannot be had, by the files that rows are in on Spark, and by values on Sail.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch, read_physical_tables
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import changed_datasets, take_marks
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.engine.planning.batch_cost import ReadReason
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import tiny_star
from tests.support.stars.small_star import table_dataset


@pytest.fixture(params=["listed", "not listed"])
def are_listed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the files of tables can be listed, as they cannot by users who may not read paths."""
    if request.param != "listed":
        monkeypatch.setattr(DbApiSession, "list_files", lambda *_: {})
    return bool(request.param == "listed")


def test_a_load_is_seen_and_nothing_else(
    spark_url: str, tmp_path: Path, request: pytest.FixtureRequest, are_listed: bool
) -> None:
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=spark_url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        batch = run_batch(workspace, "tiny_sales", owner="test").batch
        is_spark = "spark" in request.node.callspec.id
        cost = plan_batch(workspace, "tiny_sales", now=utc_now(), new_id=lambda: "id", with_cost=True).cost
        assert cost is not None
        assert (cost.facts[0].whole.get(ReadReason.MARKS, 0) == 0) == are_listed

        with workspace.warehouse.session() as session:
            assert {"_metadata" in mark.sql for mark in batch.sources} == {is_spark or are_listed}
            assert {(mark.mark or "").startswith("listed/") for mark in batch.sources} == {are_listed}
            assert changed_datasets(session, batch.sources) == ()
            session.execute("INSERT INTO sales VALUES (1, 1, 1, 1)")
        with workspace.warehouse.session() as session:
            assert changed_datasets(session, batch.sources) == ("sales",)


@pytest.mark.usefixtures("are_listed")
def test_tables_are_marked_together_as_each_by_itself(spark_url: str) -> None:
    """Rows in several files, in one, and in none."""
    warehouse = open_warehouse(spark_url)
    with warehouse.session() as session:
        for name, loads in {"one": 1, "several": 3, "empty": 0}.items():
            session.execute(f"CREATE TABLE {name} (a INT)")
            for number in range(loads):
                session.execute(f"INSERT INTO {name} VALUES ({number})")
        parts = [FactPart(fact=n, attributes=(), measures=(row_count(n),)) for n in ("empty", "one", "several")]
        datasets = {part.fact: table_dataset(part.fact, ["a"]) for part in parts}
        sources = Sources(datasets, read_physical_tables(session, datasets, parts), warehouse.dialect)

        together = take_marks(session, parts, sources, warehouse)

        assert together == tuple(mark for part in parts for mark in take_marks(session, [part], sources))
        assert len({mark.mark for mark in together}) == len(parts)
        assert changed_datasets(session, together, warehouse) == ()
        session.execute("INSERT INTO empty VALUES (1)")
        assert changed_datasets(session, together, warehouse) == ("empty",)
    warehouse.close()


def test_a_table_whose_files_can_no_longer_be_listed_counts_as_changed(
    spark_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The query that would mark it otherwise gives another mark."""
    warehouse = open_warehouse(spark_url)
    with warehouse.session() as session:
        session.execute("CREATE TABLE sales AS SELECT 1 AS a")
        part = FactPart(fact="sales", attributes=(), measures=(row_count("sales"),))
        datasets = {"sales": table_dataset("sales", ["a"])}
        sources = Sources(datasets, read_physical_tables(session, datasets, [part]), warehouse.dialect)
        marks = take_marks(session, [part], sources)
        assert changed_datasets(session, marks) == ()
        monkeypatch.setattr(DbApiSession, "list_files", lambda *_: {})
        assert changed_datasets(session, marks) == ("sales",)
        by_query = take_marks(session, [part], sources)
    monkeypatch.undo()
    with warehouse.session() as session:
        assert changed_datasets(session, by_query) == ()
    warehouse.close()


@pytest.mark.usefixtures("are_listed")
def test_what_others_load_is_seen_by_who_asks_later(spark_url: str) -> None:
    """Also by a warehouse that has read the table before, as a server has that runs for days."""
    reading, loading = open_warehouse(spark_url), open_warehouse(spark_url)
    reading.kept_sessions = 2
    with loading.session() as session:
        session.execute("CREATE TABLE loaded (a INT)")
        session.execute("INSERT INTO loaded VALUES (1)")
    part = FactPart(fact="loaded", attributes=(), measures=(row_count("loaded"),))
    datasets = {"loaded": table_dataset("loaded", ["a"])}
    with reading.session() as session:
        sources = Sources(datasets, read_physical_tables(session, datasets, [part]), reading.dialect)
        marks = take_marks(session, [part], sources, reading)

    with loading.session() as session:
        session.execute("INSERT INTO loaded VALUES (2)")

    with reading.session() as session:
        assert changed_datasets(session, marks, reading) == ("loaded",)
        assert session.fetch_all("SELECT SUM(a) FROM loaded") == [(3,)]
    for warehouse in (reading, loading):
        warehouse.close()
