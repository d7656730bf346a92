"""A deployed model is read from what the registry keeps, without the folder that it came from."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import ModelFileError, NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from tests.support.registry_content import spoil_content
from tests.support.stars.standing_star import LATER, MODEL


def test_the_model_is_that_of_its_folder(deployed_star: Workspace, tmp_path: Path) -> None:
    from_folder = ModelResolver(read_model_folder(tmp_path / "model")).resolve(MODEL)
    shutil.rmtree(tmp_path / "model")

    model = read_deployed_model(deployed_star.read, deployed_star.read.models.get(MODEL))

    assert model == from_folder
    assert set(model.metrics) == {"Quantity", "Amount", "Average Amount"}


def test_an_older_deployment_can_be_read(deployed_star: Workspace, tmp_path: Path) -> None:
    first = deployed_star.read.models.get(MODEL)
    file = tmp_path / "model" / "model.yml"
    file.write_text(file.read_text().replace("label: Tiny sales", "label: New label"))
    deploy(deployed_star, tmp_path / "model", now=LATER)
    second = deployed_star.read.models.get(MODEL)

    assert read_deployed_model(deployed_star.read, second).label == "New label"
    older = read_deployed_model(deployed_star.read, second, deployment_id=first.deployment_id)
    assert older.label == "Tiny sales"


def test_a_deployment_that_is_not_there_is_named(deployed_star: Workspace) -> None:
    record = deployed_star.read.models.get(MODEL)

    with pytest.raises(NotRegisteredError, match="no deployment `d9`"):
        read_deployed_model(deployed_star.read, record, deployment_id="d9")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{}", "incorrect header check"),
        (zlib.compress(b"no JSON"), "Expecting value"),
        (zlib.compress(b"[]"), "it has no texts"),
        (zlib.compress(b"{}"), "it has no texts"),
        (zlib.compress(json.dumps({"texts": {}}).encode()), "it has no variables"),
        (zlib.compress(json.dumps({"texts": {"a": 1}, "variables": {}}).encode()), "it has no texts"),
        (zlib.compress(json.dumps({"texts": {}, "variables": {}}).encode()), "the file of the model is not among them"),
    ],
)
def test_content_that_cannot_be_read_is_told_and_mended_by_the_next_deployment(
    deployed_star: Workspace, tmp_path: Path, content: bytes, why: str
) -> None:
    record = deployed_star.read.models.get(MODEL)
    spoil_content(deployed_star.registry, MODEL, content)

    with pytest.raises(ModelFileError, match=rf"^Model `{MODEL}`: the files .* \(.*{why}.*\)\. Deploy it once more"):
        read_deployed_model(deployed_star.read, record)

    deploy(deployed_star, tmp_path / "model", now=LATER)
    assert read_deployed_model(deployed_star.read, deployed_star.read.models.get(MODEL)).name == MODEL
    assert deployed_star.read.models.get(MODEL).version == record.version
