"""Aggregates for Lightdash: pre-aggregates in the model of each fact, as dbt's YAML carries them.

Lightdash materializes them itself, from dimensions and metrics of its own; so these tell it which ones pay. A metric
that cannot be combined from groups is left out, since Lightdash answers only what can be.

Source: Lightdash documentation, "Pre-aggregates".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_atscale_aggs.engine.converting.sml_objects import as_yaml
from airflow_atscale_aggs.engine.converting.told.told_aggregate import ToldAggregate, ToldModel, plain_name

_GRAINS = ("hour", "day", "week", "month", "quarter", "year")


def tell_lightdash(model: ToldModel, *, explores: Mapping[str, str]) -> dict[str, str]:
    """The YAML of dbt models with pre-aggregates, by path.

    Args:
        explores: the dbt model of a fact, by the fact's name; others are named like their fact.
    """
    by_model: dict[str, list[dict[str, Any]]] = {}
    for told in model.aggregates:
        pre_aggregate = _pre_aggregate(told)
        if pre_aggregate["dimensions"] and pre_aggregate["metrics"]:
            by_model.setdefault(explores.get(told.fact, plain_name(told.fact)), []).append(pre_aggregate)
    models = [
        {"name": name, "config": {"meta": {"pre_aggregates": pre_aggregates}}}
        for name, pre_aggregates in sorted(by_model.items())
    ]
    return {f"{plain_name(model.name)}_pre_aggregates.yml": as_yaml({"version": 2, "models": models})}


def _pre_aggregate(told: ToldAggregate) -> dict[str, Any]:
    """One pre-aggregate; an attribute that dbt would call `ordered_at__day` is its time dimension."""
    times = [name.rpartition("__") for name in told.attributes if name.rpartition("__")[2] in _GRAINS]
    finest = min(times, key=lambda parts: _GRAINS.index(parts[2]), default=None)
    of_time = {f"{name}__{grain}" for name, _, grain in times if finest is not None and name == finest[0]}
    dimensions = [plain_name(name) for name in told.attributes if name not in of_time]
    return {
        "name": plain_name(told.view),
        "dimensions": list(dict.fromkeys(dimensions)),
        "metrics": list(dict.fromkeys(plain_name(name) for name in told.metrics)),
        **({"time_dimension": plain_name(finest[0]), "granularity": finest[2]} if finest is not None else {}),
    }
