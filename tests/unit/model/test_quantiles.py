"""Which quantiles a percentile metric has, and their names."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.quantiles import quantile_metrics, quantiles_of
from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.model.yaml_reader import SmlMapping


@pytest.mark.parametrize(
    ("said", "quantiles"),
    [
        ({"named_quantiles": "median"}, ("0.5",)),
        ({"named_quantiles": " Quartiles"}, ("0.25", "0.5", "0.75")),
        ({"named_quantiles": "deciles"}, tuple(f"0.{n}" for n in range(1, 10))),
        ({"custom_quantiles": [0.99, "0.10", 1, 0, 1e-3]}, ("0", "0.001", "0.1", "0.99", "1")),
        ({"named_quantiles": "median", "custom_quantiles": [0.5, 0.25]}, ("0.25", "0.5")),
        ({"named_quantiles": "thirds", "custom_quantiles": [2, -1, "nan", "many", None]}, ()),
        ({}, ()),
    ],
)
def test_named_and_custom_quantiles_are_one_list(said: dict[str, object], quantiles: tuple[str, ...]) -> None:
    """In order, each once; what is no number from 0 to 1 is left out."""
    assert quantiles_of(SmlMapping(said)) == quantiles


def test_overrides_rename_quantiles_as_well() -> None:
    """The name on the query surface is what stands in front."""
    metric = Metric(
        name="m", label="M", calculation_method="percentile", dataset="f", column="c", quantiles=("0.25", "0.5")
    )

    found = quantile_metrics([metric], {"m": "Latency"})

    assert [(name, one.label, one.quantiles) for name, one in found.items()] == [
        ("Latency_instance_0.25", "M 0.25", ("0.25",)),
        ("Latency_instance_0.5", "M 0.5", ("0.5",)),
    ]
