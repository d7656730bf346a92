"""Grace periods of one batch are noted, or refused where they cannot take effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import AtScaleAggsError, GracePeriodError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.grace_periods import check_grace_periods
from airflow_atscale_aggs.engine.model.datasets import Incremental
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.stars.small_star import table_dataset

_SALES = replace(table_dataset("sales", ["seq"]), incremental=Incremental(column="seq", grace_period="1h"))
_VISITS = replace(table_dataset("visits", ["at"]), incremental=Incremental(column="at", grace_period="2d"))
_DATASETS = {"sales": _SALES, "visits": _VISITS, "shop": table_dataset("shop", ["shop_id"])}
_ON = Settings(grace_overrides=True, grace_overrides_of_model=True)


@pytest.mark.parametrize(
    ("overrides", "build_type", "notes"),
    [
        ({}, BuildType.INCREMENTAL, ()),
        ({"sales": "12h"}, BuildType.INCREMENTAL, ("Grace period of sales: 12h instead of 1h.",)),
        (
            {"visits": "600", "sales": "3d"},
            BuildType.INCREMENTAL,
            ("Grace period of sales: 3d instead of 1h.", "Grace period of visits: 600 instead of 2d."),
        ),
        (
            {"sales": "12h"},
            BuildType.FULL,
            ("Grace period of sales: 12h instead of 1h; without effect, since this batch is built in full.",),
        ),
    ],
)
def test_each_override_is_noted(overrides: dict[str, str], build_type: BuildType, notes: tuple[str, ...]) -> None:
    assert check_grace_periods(overrides, _DATASETS, _ON, build_type) == notes


@pytest.mark.parametrize(
    ("overrides", "settings", "error", "message"),
    [
        pytest.param({"sales": "12h"}, Settings(), GracePeriodError, "switched off", id="both settings are off"),
        pytest.param(
            {"sales": "12h"}, Settings(grace_overrides=True), GracePeriodError, "switched off", id="that of the model"
        ),
        pytest.param(
            {"sales": "12h"},
            Settings(grace_overrides_of_model=True),
            GracePeriodError,
            "switched off",
            id="that of the engine",
        ),
        ({"sale": "12h"}, _ON, UnknownNameError, "There is no dataset `sale`. Did you mean `sales`?"),
        # Only datasets with an indicator are offered.
        ({"shops": "12h"}, _ON, UnknownNameError, "There is no dataset `shops`.$"),
        ({"shop": "12h"}, _ON, GracePeriodError, "`12h` of dataset `shop`: the dataset has no incremental indicator"),
        ({"sales": "soon"}, _ON, GracePeriodError, "`soon` of dataset `sales`: it is not of the form 12h"),
        ({"sales": "-1h"}, _ON, GracePeriodError, "it is not of the form 12h"),
    ],
)
def test_overrides_without_effect_are_refused(
    overrides: dict[str, str], settings: Settings, error: type[AtScaleAggsError], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_grace_periods(overrides, _DATASETS, settings, BuildType.INCREMENTAL)


def test_without_overrides_the_settings_do_not_matter() -> None:
    assert check_grace_periods({}, _DATASETS, Settings(), BuildType.INCREMENTAL) == ()
