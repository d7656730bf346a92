"""Slices of a request are read, checked before anything changes, and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, SliceError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest
from airflow_atscale_aggs.engine.lifecycle.build.named_slices import check_slices, name_slices, read_slices
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from tests.support.stars import incremental_star as star


def _model(workspace: Workspace) -> ModelRecord:
    return workspace.read.models.current()[0]


def test_slices_are_read_each_once() -> None:
    slices = read_slices([("sales", "1..2"), ("sales", " 1 .. 2 "), ("returns", "2026-01-03")])

    assert [(named.dataset, str(named)) for named in slices] == [("sales", "1..2"), ("returns", "2026-01-03")]


@pytest.mark.parametrize("text", ["", "..", "yesterday", "2026-01-03.."])
def test_a_text_that_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(SliceError, match=r"cannot be read; write FROM\.\.THROUGH with values of its indicator"):
        read_slices([("sales", text)])


@pytest.mark.parametrize(
    ("dataset", "text", "error", "expected"),
    [
        ("sale", "2026-01-01", UnknownNameError, "There is no dataset `sale`. Did you mean `sales`?"),
        ("shop", "2026-01-01", SliceError, "no `incremental` in the model"),
        ("sales", "2026-01-02..2026-01-01", SliceError, "it ends before it begins"),
        ("sales", "5..7", SliceError, "`5` is no value of `loaded_at`, a timestamp"),
        ("sales", "2026-01-01T07Z", SliceError, "without an offset"),
    ],
)
def test_what_cannot_be_made_anew_is_refused_and_not_recorded(
    incremental_star: Workspace, dataset: str, text: str, error: type[AtScaleAggsError], expected: str
) -> None:
    model, request = _model(incremental_star), BatchRequest(changed=read_slices([(dataset, text)]))
    with pytest.raises(error) as refused:
        name_slices(incremental_star, model, request, owner="me", now=utc_now())

    assert expected in str(refused.value)
    assert incremental_star.read.slices.newest(model.id) == 0


def test_numbers_and_times_pass_while_nothing_was_built(tmp_path: Path) -> None:
    """The first batch is full in any case. What ends before it begins does so for every kind of indicator."""
    with star.open_star(tmp_path) as workspace:
        deploy(workspace, star.write_model(tmp_path / "model"), now=utc_now())
        model = _model(workspace)

        check_slices(workspace.read, model, read_slices([("sales", "1..5"), ("sales", "2026-01")]))
        with pytest.raises(SliceError, match="it ends before it begins"):
            check_slices(workspace.read, model, read_slices([("sales", "7..5")]))
