"""Settings that live beside a model's SML: of all models, of one, and ours, which have the last word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import InvalidModelError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import check_settings, settings_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.deploy_checks import check_input, lines_of
from tests.support.stars.documents import read_documents, star
from tests.support.stars.standing_star import LATER, NOW, lay_tables, model_id, open_standing

_KEY = "aggregates.batch.max.failures"
_OTHER = "aggregates.batch.leaseSeconds"


def _file(object_type: str, **content: Any) -> dict[str, Any]:
    return {"unique_name": object_type, "object_type": object_type, **content}


def _global(**settings: Any) -> dict[str, Any]:
    return _file("global_settings", settings=settings)


def _ours(settings: Any, model: str = "m") -> dict[str, Any]:
    return _file("aggregate_settings", model=model, settings=settings)


def _lines(*files: dict[str, Any]) -> list[str]:
    """What is said of files beside the star of documents; they are called ``0.yml``, ``1.yml`` and so on."""
    documents = {str(number): content for number, content in enumerate(files)}
    return lines_of(check_settings(check_input({**documents, **star()})))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], {}),
        ([_global(**{_KEY: 1})], {_KEY: "1"}),
        ([_file("model_settings", settings={_KEY: 2}), _global(**{_KEY: 1})], {_KEY: "2"}),
        ([_file("model_settings", settings={_KEY: 2}, overrides={"m": {_KEY: 3}})], {_KEY: "3"}),
        ([_file("model_settings", overrides={"other": {_KEY: 3}})], {}),
        (
            [_ours({_KEY: 4}), _file("model_settings", overrides={"m": {_KEY: 3, _OTHER: 60}})],
            {_KEY: "4", _OTHER: "60"},
        ),
        ([_ours({_KEY: 4}, model="other")], {}),
        ([_global(**{_KEY.upper(): 1})], {_KEY: "1"}),
        ([_global(**{_KEY: -1, _OTHER: 60})], {_OTHER: "60"}),
        ([_global(**{"no.such.key": 1, "aggregates.create.joins.noninner.enabled": True})], {}),
        ([_file("model_settings", overrides=[1]), _ours([1])], {}),
    ],
    ids=[
        "none",
        "of all models",
        "of the models of a file",
        "of a model",
        "of another model",
        "ours",
        "ours for another model",
        "in another case",
        "out of range",
        "keys without an effect",
        "no mappings",
    ],
)
def test_the_more_special_setting_wins_and_what_cannot_be_used_is_left_out(
    files: list[dict[str, Any]], expected: dict[str, str]
) -> None:
    documents = {str(number): content for number, content in enumerate(files)}

    assert settings_of("m", read_documents({**documents, **star()})) == expected


@pytest.mark.parametrize(
    ("file", "severity", "message"),
    [
        (_ours({"no.such.key": 1}), "error", "Setting `no.such.key`: there is no such setting."),
        (
            _global(**{"no.such.key": 1}),
            "warning",
            "a setting that has no effect: Setting `no.such.key`: there is no such setting.",
        ),
        (_ours({_KEY: -1}), "error", f"Setting `{_KEY}`: -1 is below its least value 0."),
        (
            _file("model_settings", overrides={"m": {_KEY: -1}}),
            "warning",
            f"a setting that has no effect: Setting `{_KEY}`: -1 is below its least value 0.",
        ),
    ],
)
def test_a_wrong_setting_is_an_error_in_our_file_and_a_warning_in_those_of_the_product(
    file: dict[str, Any], severity: str, message: str
) -> None:
    """The product has many more settings."""
    assert _lines(file) == [f"{severity} in 0.yml, setting: {message}"]


@pytest.mark.parametrize("file", [_ours, lambda settings: _global(**settings)], ids=["ours", "the product's"])
def test_a_key_of_the_product_that_changes_nothing_is_told_with_the_reason(file: Any) -> None:
    (line,) = _lines(file({"aggregates.create.joins.noninner.enabled": True}))

    assert line.startswith(
        "warning in 0.yml, setting: setting `aggregates.create.joins.noninner.enabled` has no effect: joins of "
        "aggregates lose no rows"
    )


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            _ours({_KEY: 1}, model="mm"),
            "error in 0.yml, unresolved-reference: reference to model `mm`, which does not exist. Did you mean `m`?",
        ),
        (
            _file("model_settings", overrides={"mm": {_KEY: 1}}),
            (
                "warning in 0.yml, unresolved-reference: `overrides` refers to model `mm`, which does not exist. "
                "Did you mean `m`?"
            ),
        ),
        (_ours([1]), "error in 0.yml, wrong-kind: `settings` must be a mapping of product keys to values"),
        (
            _file("model_settings", overrides=[1]),
            (
                "warning in 0.yml, wrong-kind: `overrides` must be a mapping of models to product keys and values; the "
                "file has no effect"
            ),
        ),
    ],
)
def test_settings_for_no_model_and_no_settings_at_all(file: dict[str, Any], line: str) -> None:
    assert _lines(file) == [line]


def test_a_model_that_cannot_be_read_is_not_told_to_be_missing() -> None:
    """Its own file says what is wrong with it."""
    documents = {"0": _ours({_KEY: 1}, model="broken"), **star()}
    documents["broken"] = {"unique_name": "broken", "object_type": "model", "label": "b", "relationships": 5}

    assert lines_of(check_settings(check_input(documents))) == []


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """The tables of the tiny star are there, and its model is in ``model``; nothing is deployed."""
    with open_standing(tmp_path, lay_tables) as opened:
        yield opened


def _write_settings(folder: Path, model: str, lines: str) -> None:
    text = f"unique_name: s\nobject_type: aggregate_settings\nmodel: {model}\nsettings: {lines}\n"
    (folder / "model" / "settings.yml").write_text(text)


def _in_force(workspace: Workspace) -> int:
    return workspace.settings_of(model_id(workspace)).max_failures


def test_the_model_wins_over_all_models_and_the_hand_over_the_model(workspace: Workspace, tmp_path: Path) -> None:
    """Default 0, for all models 1, in the SML 2, by hand for this model 3; gone from the SML at redeploy."""
    workspace.registry.settings.put(None, _KEY, "1")
    _write_settings(tmp_path, "tiny_sales", f"{{{_KEY.upper()}: 2}}")
    deploy(workspace, tmp_path / "model", now=NOW)
    assert _in_force(workspace) == 2
    workspace.registry.settings.put(model_id(workspace), _KEY, "3")
    assert _in_force(workspace) == 3
    workspace.registry.settings.delete(model_id(workspace), _KEY)
    (tmp_path / "model" / "settings.yml").unlink()
    deploy(workspace, tmp_path / "model", now=LATER)
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
        deploy(workspace, tmp_path / "model", now=NOW)

    assert expected in str(caught.value)
    assert "settings.yml:" in str(caught.value)
    assert workspace.read.models.current() == ()


def test_keys_of_the_product_that_change_nothing_are_told(workspace: Workspace, tmp_path: Path) -> None:
    """The model is deployed; the warning has the place and the reason."""
    _write_settings(tmp_path, "tiny_sales", f"{{aggregates.create.joins.noninner.enabled: true, {_KEY}: 2}}")
    report = deploy(workspace, tmp_path / "model", now=NOW)

    (issue,) = [issue for issue in report.issues if issue.code == "setting"]
    assert str(issue).startswith("settings.yml:")
    assert "setting `aggregates.create.joins.noninner.enabled` has no effect: joins of aggregates lose no rows" in str(
        issue
    )
    assert _in_force(workspace) == 2
