"""A request with a wrong name is refused before anything begins, from the registry alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import AtScaleAggsError, GracePeriodError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.request_check import check_request
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.stars.standing_star import MODEL

_ON = Settings(grace_overrides=True, grace_overrides_of_model=True)


def _check(
    workspace: Workspace, *aggregates: str, settings: Settings = _ON, grace_periods: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    return check_request(
        workspace.read,
        workspace.read.models.get(MODEL),
        settings,
        build_type=BuildType.INCREMENTAL,
        aggregates=aggregates,
        grace_periods=grace_periods or {},
    )


def test_a_request_with_names_that_are_there_passes(deployed_star: Workspace) -> None:
    """Also one that names nothing, which asks for all."""
    assert _check(deployed_star) == ()
    assert _check(deployed_star, "by_city") == ()


@pytest.mark.parametrize(
    ("aggregates", "settings", "grace_periods", "error", "message"),
    [
        pytest.param(("by_citi",), _ON, {}, UnknownNameError, "Did you mean `by_city`", id="aggregate"),
        pytest.param((), _ON, {"salez": "2d"}, UnknownNameError, "Did you mean `sales`", id="dataset"),
        pytest.param((), _ON, {"sales": "2d"}, GracePeriodError, "no incremental indicator", id="no indicator"),
        pytest.param((), Settings(), {"sales": "2d"}, GracePeriodError, "switched off", id="switched off"),
    ],
)
def test_a_request_that_could_only_fail_is_refused(
    deployed_star: Workspace,
    aggregates: tuple[str, ...],
    settings: Settings,
    grace_periods: Mapping[str, str],
    error: type[AtScaleAggsError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        _check(deployed_star, *aggregates, settings=settings, grace_periods=grace_periods)


def test_a_grace_period_is_noted_as_the_batch_will_note_it(incremental_star: Workspace) -> None:
    """In the words of the batch."""
    model = incremental_star.read.models.current()[0]
    dataset = next(
        name
        for name, dataset in incremental_star.read.models.datasets(model.deployment_id).items()
        if dataset.incremental
    )

    notes = check_request(
        incremental_star.read, model, _ON, build_type=BuildType.INCREMENTAL, grace_periods={dataset: "2d"}
    )

    assert len(notes) == 1
    assert notes[0].startswith(f"Grace period of {dataset}: 2d instead of ")
