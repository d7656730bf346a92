"""Stable views as a dbt package: a source, a model and an exposure for each, with documented columns.

Whoever installs it as a local package writes ref('agg_retail_by_day'), sees columns in dbt's documentation, and sees in
the lineage that the aggregates are read by queries on models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_atscale_aggs.engine.converting.sml_objects import as_yaml
from airflow_atscale_aggs.engine.converting.told.told_aggregate import ToldAggregate, ToldModel, plain_name

_SOURCE = "atscale_aggs"
_OWNER = {"name": "atscale-aggs", "email": "nobody@example.invalid"}


def tell_dbt(model: ToldModel) -> dict[str, str]:
    """The files of a dbt package by path."""
    names = _model_names(model)
    models = [
        {"name": names[told.view], "description": _describe(told), "columns": _columns(told)}
        for told in model.aggregates
    ]
    exposures = [_exposure(model.name, told, names[told.view]) for told in model.aggregates]
    return {
        "dbt_project.yml": _project(f"{plain_name(model.name)}_aggregates"),
        "models/sources.yml": as_yaml({"version": 2, "sources": [_source(model)]}),
        "models/models.yml": as_yaml({"version": 2, "models": models}),
        "models/exposures.yml": as_yaml({"version": 2, "exposures": exposures}),
        **{f"models/{names[told.view]}.sql": _select(told) for told in model.aggregates},
    }


def _project(package: str) -> str:
    return as_yaml(
        {
            "name": package,
            "version": "1.0.0",
            "config-version": 2,
            "profile": package,
            "models": {package: {"+materialized": "ephemeral"}},
        }
    )


def _source(model: ToldModel) -> dict[str, Any]:
    return {
        "name": _SOURCE,
        "description": _plain(f"Stable views of the aggregates of model {model.name}. Batches build them, not dbt."),
        **({"schema": model.schema} if model.schema else {}),
        "tables": [
            {"name": told.view, "description": _describe(told), "columns": _columns(told)} for told in model.aggregates
        ],
    }


def _exposure(model: str, told: ToldAggregate, name: str) -> dict[str, Any]:
    """What reads a stable view: the queries on the model."""
    return {
        "name": f"{name}_router",
        "label": _plain(f"Queries on {model} answered by {told.aggregate}"),
        "type": "application",
        "maturity": "high",
        "description": _plain(f"Queries on model {model} that `{told.aggregate}` answers in place of {told.fact}."),
        "depends_on": [f"ref('{name}')"],
        "owner": _OWNER,
    }


def _model_names(model: ToldModel) -> Mapping[str, str]:
    """A name for dbt for each view: the view's own where dbt takes it."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    for told in model.aggregates:
        name, number = plain_name(told.view), 1
        while name in taken:
            number += 1
            name = f"{plain_name(told.view)}_{number}"
        taken.add(name)
        names[told.view] = name
    return names


def _describe(told: ToldAggregate) -> str:
    by = ", ".join(told.attributes) or "nothing: one row"
    return _plain(f"Aggregate {told.aggregate} of {told.fact}, by {by}.")


def _plain(text: str) -> str:
    """A text in which dbt finds no Jinja; it looks for some in every text of its YAML."""
    return text.replace("{", "(").replace("}", ")")


def _columns(told: ToldAggregate) -> list[dict[str, str]]:
    return [{"name": column.name, "description": _plain(column.description)} for column in told.columns]


def _select(told: ToldAggregate) -> str:
    view = told.view.replace("\\", "\\\\").replace("'", "\\'")
    return f"select *\nfrom {{{{ source('{_SOURCE}', '{view}') }}}}\n"
