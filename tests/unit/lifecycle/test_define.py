"""Settings that live beside a model's SML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import InvalidModelError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars import tiny_star

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_KEY = "aggregates.batch.max.failures"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A registry on disk, a warehouse in memory, the tiny model in m/."""
    tiny_star.write_model(tmp_path / "m")
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb:///:memory:") as place:
        yield place


def _write_settings(folder: Path, model: str, lines: str) -> None:
    text = f"unique_name: s\nobject_type: aggregate_settings\nmodel: {model}\nsettings: {lines}\n"
    (folder / "m" / "settings.yml").write_text(text)


def _in_force(workspace: Workspace) -> int:
    return workspace.settings_of(workspace.read.models.get("tiny_sales").id).max_failures


def test_the_model_wins_over_all_models_and_the_hand_over_the_model(workspace: Workspace, tmp_path: Path) -> None:
    """Default 0, for all models 1, in the SML 2, by hand for this model 3; gone from the SML at redeploy."""
    workspace.registry.settings.put(None, _KEY, "1")
    _write_settings(tmp_path, "tiny_sales", f"{{{_KEY.upper()}: 2}}")
    deploy(workspace, tmp_path / "m", now=_NOW)
    assert _in_force(workspace) == 2
    model_id = workspace.read.models.get("tiny_sales").id
    workspace.registry.settings.put(model_id, _KEY, "3")
    assert _in_force(workspace) == 3
    workspace.registry.settings.delete(model_id, _KEY)
    (tmp_path / "m" / "settings.yml").unlink()
    deploy(workspace, tmp_path / "m", now=_NOW)
    assert _in_force(workspace) == 1


@pytest.mark.parametrize(
    ("model", "lines", "expected"),
    [
        ("tiny_sales", "{aggregates.batch.max.failure: 2}", "Did you mean `aggregates.batch.max.failures`"),
        ("tiny_sales", f"{{{_KEY}: -1}}", "below its least value 0"),
        ("tiny_sale", f"{{{_KEY}: 1}}", "Did you mean `tiny_sales`"),
        ("tiny_sales", "[1]", "must be a mapping"),
    ],
)
def test_wrong_settings_stop_the_deployment(
    workspace: Workspace, tmp_path: Path, model: str, lines: str, expected: str
) -> None:
    """With file, line and near names; nothing is registered."""
    _write_settings(tmp_path, model, lines)

    with pytest.raises(InvalidModelError) as caught:
        deploy(workspace, tmp_path / "m", now=_NOW)

    assert expected in str(caught.value)
    assert "settings.yml:" in str(caught.value)
    assert workspace.read.models.current() == ()


def test_keys_of_the_product_that_change_nothing_are_told(workspace: Workspace, tmp_path: Path) -> None:
    """The model is deployed; the warning has the place and the reason."""
    _write_settings(tmp_path, "tiny_sales", f"{{aggregates.create.joins.noninner.enabled: true, {_KEY}: 2}}")
    report = deploy(workspace, tmp_path / "m", now=_NOW)

    (found,) = [issue for issue in report.issues if issue.code == "setting"]
    assert str(found).startswith("settings.yml:")
    assert "setting `aggregates.create.joins.noninner.enabled` has no effect: joins of aggregates lose no rows" in str(
        found
    )
    assert _in_force(workspace) == 2
