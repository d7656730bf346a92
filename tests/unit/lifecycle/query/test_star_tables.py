"""Tables of stars beside their models."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.star_tables import read_star_tables, written_names
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import secured_star, standing_star, tiny_star


def test_there_are_none_where_the_warehouse_is_no_postgresql(tmp_path: Path) -> None:
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        assert read_star_tables(workspace, "tiny", sees=lambda _: True, now=utc_now()) == []


@pytest.mark.postgres
def test_the_tables_of_models_that_are_seen_with_their_types(tmp_path: Path, postgres_url: str) -> None:
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=postgres_url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        tables = read_star_tables(workspace, "tiny", sees=lambda _: True, now=utc_now())
        none = read_star_tables(workspace, "tiny", sees=lambda _: False, now=utc_now())

    assert [(table.schema, table.name, table.models) for table in tables] == [
        ("public", name, ("tiny_sales",)) for name in ("day", "sales", "shop")
    ]
    assert dict(tables[1].columns)["amount"].startswith("DECIMAL")
    assert ("", "sales") in written_names(tables)
    assert none == []


@pytest.mark.postgres
def test_tables_of_secured_models_are_left_out_in_every_catalog(tmp_path: Path, postgres_url: str) -> None:
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=postgres_url, aggregate_schema="aggs") as workspace:
        secured_star.create(workspace)
        secured_star.deploy_star(workspace, tmp_path / "open", None)
        catalog = workspace.read.models.current()[0].catalog
        before = read_star_tables(workspace, catalog, sees=lambda _: True, now=utc_now())
        secured_star.deploy_star(workspace, tmp_path / "secured", secured_star.Rule(("region",)))
        after = read_star_tables(workspace, catalog, sees=lambda _: True, now=utc_now())

    assert before
    assert after == []
