"""Two registries and one schema: told before anything is changed; models that are let go; tables that nobody knows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.cli.main import run as cli
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import ModelRetiredError, SchemaOwnedError
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.prune import delete_instance
from airflow_atscale_aggs.engine.lifecycle.retain.retire import retire
from airflow_atscale_aggs.engine.lifecycle.retain.strays import adopt_strays, drop_strays, find_strays
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import adopt_schema, mark_schema, schema_mark
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from tests.support.stars import tiny_star

CITY = "aggs.agg_tiny_sales_by_city"
_LATER = timedelta(days=30)


@pytest.fixture
def first(warehouse_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """A registry that has built in the schema."""
    with _open(warehouse_url, tmp_path / "first.sqlite") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        _build(workspace)
        yield workspace


def _open(url: str, registry: Path) -> Workspace:
    return open_workspace(registry=f"sqlite:///{registry}", warehouse=url, aggregate_schema="aggs")


def _second(first: Workspace, url: str, tmp_path: Path, registry: str = "second.sqlite") -> Workspace:
    """Another system on the same warehouse; a DuckDB file is open in one process only, so they share it."""
    opened = _open(url, tmp_path / registry)
    return Workspace(opened.registry, first.warehouse, opened.settings)


def _build(workspace: Workspace, model: str = "tiny_sales") -> None:
    owner = f"builder {utc_now().isoformat()}"
    assert run_batch(workspace, model, owner=owner).batch.status == "done"


def _relations(workspace: Workspace) -> frozenset[str]:
    with workspace.warehouse.session() as session:
        return session.tables("aggs")


def _total(workspace: Workspace) -> object:
    with workspace.warehouse.session() as session:
        return session.fetch_all(f"SELECT SUM(sum_amount) FROM {CITY}")[0][0]


def test_a_second_registry_is_told_before_anything_is_changed(
    first: Workspace, warehouse_url: str, tmp_path: Path
) -> None:
    before = _relations(first)
    second = _second(first, warehouse_url, tmp_path)
    deploy(second, tmp_path / "model", now=utc_now())

    with pytest.raises(SchemaOwnedError, match=r"schema `aggs`.*first\.sqlite.*atscale-aggs adopt"):
        _build(second)
    with pytest.raises(SchemaOwnedError):
        sweep(second, dry_run=False, now=utc_now() + _LATER)

    assert _relations(first) == before
    assert second.read.batches.find() == ()
    # Who means it may.
    adopt_schema(second, now=utc_now())
    _build(second)
    with pytest.raises(SchemaOwnedError, match=r"second\.sqlite"):
        _build(first)


def test_a_copy_of_a_registry_and_its_original_do_not_both_write(
    first: Workspace, warehouse_url: str, tmp_path: Path
) -> None:
    _copy(first, tmp_path)
    copy = _second(first, warehouse_url, tmp_path, "copy.sqlite")
    _build(first)

    with pytest.raises(SchemaOwnedError, match="a copy of this registry"):
        _build(copy)
    (active, *_) = copy.read.instances.serving(copy.read.models.get("tiny_sales").id)
    deploy(copy, tiny_star.write_model(tmp_path / "less", {}), now=utc_now())
    with pytest.raises(SchemaOwnedError):
        delete_instance(copy, active.id, now=utc_now())
    with pytest.raises(SchemaOwnedError):
        retire(copy, "tiny_sales", dry_run=False, now=utc_now())
    assert copy.read.instances.get(active.id).status == "active"
    # The same is a registry that was put back from a backup, which takes its schema over.
    adopt_schema(copy, now=utc_now())
    with pytest.raises(SchemaOwnedError):
        _build(first)


def test_an_original_notices_its_copy(first: Workspace, warehouse_url: str, tmp_path: Path) -> None:
    _copy(first, tmp_path)
    _build(_second(first, warehouse_url, tmp_path, "copy.sqlite"))

    with pytest.raises(SchemaOwnedError, match=r"copy\.sqlite"):
        _build(first)


def test_a_registry_that_was_moved_goes_on(first: Workspace, warehouse_url: str, tmp_path: Path) -> None:
    _copy(first, tmp_path)
    _build(_second(first, warehouse_url, tmp_path, "copy.sqlite"))
    moved = _second(first, warehouse_url, tmp_path, "copy.sqlite")

    _build(moved)

    mark = schema_mark(moved)
    assert mark is not None
    assert mark.registry.endswith("copy.sqlite")


def test_tables_without_a_mark_are_somebodys(first: Workspace, warehouse_url: str, tmp_path: Path) -> None:
    """Older versions put no mark into a schema."""
    tiny_star.run_sql(first, f"DROP TABLE aggs.{MARK_TABLE}")
    second = _second(first, warehouse_url, tmp_path)
    deploy(second, tmp_path / "model", now=utc_now())

    with pytest.raises(SchemaOwnedError, match="4 aggregate tables that this registry has not made"):
        _build(second)

    _build(first)
    with pytest.raises(SchemaOwnedError, match=r"first\.sqlite"):
        _build(second)


def test_of_two_that_begin_at_one_moment_one_is_told(
    first: Workspace, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_star.run_sql(first, "CREATE SCHEMA empty")
    monkeypatch.setattr(first.warehouse, "aggregate_schema", "empty")
    second = _second(first, warehouse_url, tmp_path)
    deploy(second, tmp_path / "model", now=utc_now())
    begun = begin_batch(first, "tiny_sales", build_type=BuildType.FULL, owner="me", now=utc_now())
    tiny_star.run_sql(first, f"DROP TABLE empty.{MARK_TABLE}")

    mark_schema(second, _begun_elsewhere(second), now=utc_now())

    # The slower one has written its batch down already, and nothing in the warehouse.
    with pytest.raises(SchemaOwnedError, match=r"second\.sqlite"):
        mark_schema(first, begun.batch.id, now=utc_now())


def _begun_elsewhere(workspace: Workspace) -> str:
    workspace.registry.ownership.put_stamp("0" * 36)
    return "0" * 36


def _copy(first: Workspace, tmp_path: Path) -> None:
    first.registry.database.dispose()
    shutil.copy(tmp_path / "first.sqlite", tmp_path / "copy.sqlite")


def test_a_retired_model_is_let_go_and_comes_back(first: Workspace, tmp_path: Path) -> None:
    registry = first.registry
    served = registry.read.instances.serving(registry.read.models.get("tiny_sales").id)
    tiny_star.run_sql(first, f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    was = _total(first)

    assert retire(first, "tiny_sales", dry_run=True, now=utc_now()).dry_run
    assert registry.read.models.current() != ()
    report = retire(first, "tiny_sales", dry_run=False, now=utc_now())

    assert set(report.tables) == {instance.table for instance in served}
    assert ["report" in note for note in report.notes] == [True]
    assert registry.read.models.current() == ()
    with pytest.raises(ModelRetiredError, match="Deploy it again"):
        _build(first)
    swept = sweep(first, dry_run=False, now=utc_now() + _LATER)
    assert not any(swept_table.error for swept_table in swept.tables)
    # A view of somebody else still reads one of them.
    assert {swept_table.aggregate for swept_table in swept.tables if not swept_table.dropped} == {"by_city"}
    assert _total(first) == was
    retire(first, "tiny_sales", dry_run=False, now=utc_now())

    outcome = deploy(first, tmp_path / "model", now=utc_now()).models[0]
    assert set(outcome.appeared) == set(tiny_star.AGGREGATES)
    _build(first)
    assert _total(first) == was


def test_a_model_of_the_same_name_in_another_catalog_stays(first: Workspace, tmp_path: Path) -> None:
    catalog = tiny_star.write_model(tmp_path / "renamed") / "catalog.yml"
    catalog.write_text(
        catalog.read_text(encoding="utf-8").replace("unique_name: tiny", "unique_name: new"), encoding="utf-8"
    )
    deploy(first, tmp_path / "renamed", now=utc_now())

    retire(first, "tiny.tiny_sales", dry_run=False, now=utc_now())

    assert [model.catalog for model in first.read.models.current()] == ["new"]
    _build(first)
    assert first.read.batches.with_pending_views() == ()


def test_tables_that_no_registry_knows_are_listed_and_dropped_when_asked(
    first: Workspace, warehouse_url: str, tmp_path: Path
) -> None:
    second = _second(first, warehouse_url, tmp_path)
    deploy(
        second, tiny_star.write_model(tmp_path / "less", {"by_month": tiny_star.AGGREGATES["by_month"]}), now=utc_now()
    )
    with pytest.raises(SchemaOwnedError):
        find_strays(second)
    adopt_schema(second, now=utc_now())
    _build(second)
    tiny_star.run_sql(
        second,
        f"CREATE VIEW report AS SELECT city FROM {CITY}",
    )
    relations = _relations(second)

    strays = find_strays(second)

    own_tables = {instance.table for instance in first.read.instances.serving(first.read.models.current()[0].id)}
    views = {f"agg_tiny_sales_{name}" for name in tiny_star.AGGREGATES if name != "by_month"}
    assert {stray.table for stray in strays} == own_tables | views
    # The view that is read stays, and its table with it.
    stays = [stray.table for stray in strays if stray.kept_for]
    assert len(stays) == 2
    assert all("by_city" in table for table in stays)
    assert not sweep(second, dry_run=False, now=utc_now() + _LATER).tables
    assert _relations(second) == relations

    dropped_strays = drop_strays(second, strays)

    assert [stray.table for stray in dropped_strays if not stray.dropped] == stays
    assert not any(stray.error for stray in dropped_strays)
    adopted = adopt_strays(second, find_strays(second), now=utc_now())
    assert len(adopted) == 2
    assert find_strays(second) == ()


def test_the_command_line_asks_before_it_drops_or_retires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for key, value in {
        "REGISTRY": f"sqlite:///{tmp_path / 'r.sqlite'}",
        "WAREHOUSE": f"duckdb:///{tmp_path / 'w.duckdb'}",
        "SCHEMA": "aggs",
    }.items():
        monkeypatch.setenv(f"ATSCALE_AGGS_{key}", value)
    with open_workspace(
        registry="sqlite:///r.sqlite", warehouse="duckdb:///w.duckdb", aggregate_schema="aggs"
    ) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL, 'CREATE TABLE aggs."mine" AS SELECT 1 AS one')
    tiny_star.write_model(tmp_path / "model")
    assert cli(["deploy", "model"]) == cli(["build", "tiny_sales"]) == 0
    with open_workspace(
        registry="sqlite:///r.sqlite", warehouse="duckdb:///w.duckdb", aggregate_schema="aggs"
    ) as workspace:
        tiny_star.run_sql(workspace, 'CREATE TABLE aggs."as_agg_12345678_lost_a1" AS SELECT 1 AS one')
    capsys.readouterr()

    def document(*arguments: str) -> Any:
        assert cli([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert [stray["table"] for stray in document("sweep")["unknown"]] == ["as_agg_12345678_lost_a1"]
    assert [stray["dropped"] for stray in document("sweep", "--yes")["unknown"]] == [False]
    assert [stray["dropped"] for stray in document("sweep", "--unknown", "drop")["unknown"]] == [False]
    assert [stray["dropped"] for stray in document("sweep", "--yes", "--unknown", "drop", "--dry-run")["unknown"]] == [
        False
    ]
    assert [stray["dropped"] for stray in document("sweep", "--yes", "--unknown", "drop")["unknown"]] == [True]
    assert document("sweep")["unknown"] == []
    assert document("retire", "tiny_sales")["dry_run"] is True
    assert len(document("models")) == 1
    assert document("retire", "tiny_sales", "--yes")["dry_run"] is False
    assert document("models") == []
    assert document("adopt")["adopted"] is False
    assert document("adopt", "--yes")["adopted"] is True
    assert cli(["build", "tiny_sales"]) == 1
    assert "was retired" in capsys.readouterr().err
    assert cli(["instances"]) == cli(["batches"]) == 0
