"""Which quantiles a percentile metric has, what they are called, and what is told of wrong ones."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.quantiles import check_quantiles, quantile_metrics, quantile_name, quantiles_of
from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import IssueList


@pytest.mark.parametrize(
    ("written", "quantiles"),
    [
        ({"named_quantiles": "median"}, ("0.5",)),
        ({"named_quantiles": " Quartiles"}, ("0.25", "0.5", "0.75")),
        ({"named_quantiles": "deciles"}, tuple(f"0.{n}" for n in range(1, 10))),
        ({"custom_quantiles": [0.99, "0.10", 1, 0, 1e-3]}, ("0", "0.001", "0.1", "0.99", "1")),
        ({"named_quantiles": "median", "custom_quantiles": [0.5, 0.25]}, ("0.25", "0.5")),
        ({"named_quantiles": "thirds", "custom_quantiles": [2, -1, "nan", "inf", "many", None]}, ()),
        ({}, ()),
    ],
)
def test_named_and_custom_quantiles_are_one_list(written: dict[str, object], quantiles: tuple[str, ...]) -> None:
    """In order, each once; what is no number from 0 to 1 is left out."""
    assert quantiles_of(SmlMapping(written)) == quantiles


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ({"named_quantiles": "MEDIAN"}, []),
        ({"custom_quantiles": [0.5, 1]}, []),
        ({"named_quantiles": "thirds", "calculation_method": "sum"}, []),
        (
            {"named_quantiles": "thirds"},
            [
                "`named_quantiles` of metric `L` is `thirds`, none of median, quartiles, deciles",
                "metric `L` names no quantile, so it cannot be queried; add `named_quantiles`",
            ],
        ),
        (
            {"custom_quantiles": [0.5, 50]},
            ["`custom_quantiles` of metric `L` has `50`, which is no number from 0 to 1"],
        ),
        ({}, ["metric `L` names no quantile, so it cannot be queried; add `named_quantiles`"]),
    ],
)
def test_wrong_quantiles_of_a_percentile_are_warnings(written: dict[str, object], messages: list[str]) -> None:
    issues = IssueList()
    whole = {"unique_name": "L", "calculation_method": " Percentile"} | written

    check_quantiles(SmlMapping(whole), "l.yml:1", issues)

    assert sorted(issue.message for issue in issues.all()) == messages
    assert {str(issue.severity) for issue in issues.all()} <= {"warning"}


def test_a_quantile_is_a_metric_of_its_own_under_the_name_on_the_query_surface() -> None:
    metric = Metric(
        name="m", label="M", calculation_method="percentile", dataset="f", column="c", quantiles=("0.25", "0.5")
    )

    renamed, plain = quantile_metrics([metric], {"m": "Latency"}), quantile_metrics([metric], {})

    assert {name: (quantile.label, quantile.quantiles) for name, quantile in renamed.items()} == {
        "Latency_instance_0.25": ("M 0.25", ("0.25",)),
        "Latency_instance_0.5": ("M 0.5", ("0.5",)),
    }
    assert list(plain) == [quantile_name("m", "0.25"), quantile_name("m", "0.5")]
