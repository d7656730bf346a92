"""What is recommended through the API is defined there, or pasted into SML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.advised_api import ASKED, PATH, advised_api
from tests.support.api_server import ApiServer
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow


def _recommend(server: ApiServer, user: str | None = "user", **request: Any) -> Any:
    return server.client(user).post(PATH, json={"queries": ASKED, **request})


def _defined(workspace: Workspace) -> set[str]:
    model = workspace.read.models.get("tiny_sales")
    records = workspace.read.definitions.of_model(model.id)
    return {record.definition.name for record in records if record.status is DefinitionStatus.DEFINED}


def test_what_is_chosen_is_defined_and_built_by_the_next_batch(tmp_path: Path) -> None:
    with advised_api(tmp_path) as server:
        document = _recommend(server, apply=True, only=["sales_by_shop"]).json()

        outcomes = {recommended["name"]: recommended["outcome"] for recommended in document["recommendations"]}
        assert outcomes == {"sales_by_shop": "added", "sales_by_day": None}
        assert document["message"].endswith("1 of them is defined now; the next batch builds them.")
        with server.workspace() as workspace:
            assert {"sales_by_shop"} == _defined(workspace) - {"by_city"}
            run_batch(workspace, "tiny_sales", owner="test")
            assert answer(workspace, ASKED[0]).plan.sources[0].aggregate == "sales_by_shop"


def test_the_sml_of_a_recommendation_can_be_pasted(tmp_path: Path) -> None:
    """Deployed with it, the model has an aggregate of the very same meaning."""
    with advised_api(tmp_path) as server:
        document = _recommend(server, apply=True).json()
        entries = [entry for item in document["recommendations"] for entry in yaml.safe_load(item["sml"])]
        folder = tiny_star.write_model(tmp_path / "pasted", {})
        text = (folder / "model.yml").read_text()
        (folder / "model.yml").write_text(text + yaml.safe_dump({"aggregates": entries}))

        with server.workspace() as workspace:
            model = workspace.read.models.get("tiny_sales")
            recommended = {
                record.definition.name: record.definition.fingerprint
                for record in workspace.read.definitions.of_model(model.id)
                if record.definition.origin.is_system_defined
            }
        registry, warehouse = (f"{kind}:///{tmp_path}/other.{kind}" for kind in ("sqlite", "duckdb"))
        with open_workspace(registry=registry, warehouse=warehouse) as other:
            tiny_star.run_sql(other, *tiny_star.SETUP_SQL)
            deploy(other, folder, now=utc_now())
            records = other.read.definitions.of_model(other.read.models.get("tiny_sales").id)
            pasted = {record.definition.name: record.definition.fingerprint for record in records}
        assert pasted == recommended
        assert len(pasted) == 2
