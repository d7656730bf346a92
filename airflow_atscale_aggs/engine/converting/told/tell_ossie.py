"""Stable views as a semantic model of Ossie: a dataset for each, and a metric for each column that can be combined."""

from __future__ import annotations

from typing import Any

from airflow_atscale_aggs.engine.converting.sml_objects import as_yaml
from airflow_atscale_aggs.engine.converting.told.told_aggregate import ToldAggregate, ToldColumn, ToldModel, plain_name

_VERSION = "0.2.0.dev0"


def tell_ossie(model: ToldModel) -> dict[str, str]:
    """The Ossie file by path; none where there is no aggregate, since a model of Ossie has one dataset at least."""
    if not model.aggregates:
        return {}
    name = f"{plain_name(model.name)}_aggregates"
    value = {
        "name": name,
        "description": f"Stable views of the aggregates of model {model.name}.",
        "datasets": [_dataset(told, model.schema) for told in model.aggregates],
        "metrics": [_metric(told, column) for told in model.aggregates for column in told.columns if column.rolled_up],
    }
    return {f"{name}.yaml": as_yaml({"version": _VERSION, "semantic_model": [value]})}


def _dataset(told: ToldAggregate, schema: str) -> dict[str, Any]:
    return {
        "name": plain_name(told.view),
        "source": f"{_quoted(schema)}.{_quoted(told.view)}" if schema else _quoted(told.view),
        "description": f"Aggregate {told.aggregate} of {told.fact}.",
        "fields": [
            {
                "name": column.name,
                "expression": _expression(_quoted(column.name)),
                **({} if column.is_measure else {"dimension": {"is_time": False}}),
                "description": column.description,
            }
            for column in told.columns
        ],
    }


def _metric(told: ToldAggregate, column: ToldColumn) -> dict[str, Any]:
    view = plain_name(told.view)
    return {
        "name": f"{view}_{column.name}",
        "expression": _expression(f"{column.rolled_up.upper()}({view}.{_quoted(column.name)})"),
        "description": column.description,
    }


def _expression(sql: str) -> dict[str, Any]:
    return {"dialects": [{"dialect": "ANSI_SQL", "expression": sql}]}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
