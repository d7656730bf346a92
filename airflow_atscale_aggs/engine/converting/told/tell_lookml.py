"""Aggregates for Looker: an `aggregate_table` in the explore of each fact, and a view on each stable view.

Looker builds its aggregate tables itself, from fields of its own model, so these tell it which ones pay. The views read
our tables as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_atscale_aggs.engine.converting.told.told_aggregate import ToldAggregate, ToldColumn, ToldModel, plain_name

_MEASURE_TYPES = {"sum": "sum", "min": "min", "max": "max"}


def tell_lookml(model: ToldModel, *, explores: Mapping[str, str], datagroup: str) -> dict[str, str]:
    """The LookML files by path.

    Args:
        explores: the explore of a fact, by the fact's name; others are named like their fact.
        datagroup: the datagroup that says when Looker builds its tables anew.
    """
    by_explore: dict[str, list[ToldAggregate]] = {}
    for told in model.aggregates:
        by_explore.setdefault(explores.get(told.fact, plain_name(told.fact)), []).append(told)
    aggregates = "\n".join(_explore(name, told, datagroup) for name, told in sorted(by_explore.items()))
    name = plain_name(model.name)
    return {
        f"{name}_aggregates.lkml": aggregates,
        **{f"views/{plain_name(told.view)}.view.lkml": _view(told, model.schema) for told in model.aggregates},
    }


def _explore(explore: str, aggregates: list[ToldAggregate], datagroup: str) -> str:
    tables = "\n".join(_aggregate_table(told, datagroup) for told in aggregates)
    return f"explore: +{explore} {{\n{tables}}}\n"


def _aggregate_table(told: ToldAggregate, datagroup: str) -> str:
    dimensions = ", ".join(dict.fromkeys(plain_name(name) for name in told.attributes))
    measures = ", ".join(dict.fromkeys(plain_name(name) for name in told.metrics))
    return (
        f"  aggregate_table: {plain_name(told.view)} {{\n"
        f"    query: {{\n      dimensions: [{dimensions}]\n      measures: [{measures}]\n    }}\n"
        f"    materialization: {{\n      datagroup_trigger: {datagroup}\n    }}\n  }}\n"
    )


def _view(told: ToldAggregate, schema: str) -> str:
    place = f"{_quoted(schema)}.{_quoted(told.view)}" if schema else _quoted(told.view)
    fields = "".join(_fields(told))
    return f"view: {plain_name(told.view)} {{\n  sql_table_name: {place} ;;\n{fields}}}\n"


def _fields(told: ToldAggregate) -> Iterator[str]:
    taken: set[str] = set()
    for column in told.columns:
        name, number = plain_name(column.name), 1
        while name in taken:
            number += 1
            name = f"{plain_name(column.name)}_{number}"
        taken.add(name)
        if not column.is_measure:
            yield _field("dimension", name, column, "string")
        elif column.rolled_up:
            yield _field("measure", name, column, _MEASURE_TYPES[column.rolled_up])


def _field(kind: str, name: str, column: ToldColumn, type_: str) -> str:
    text = column.description.replace("\\", "").replace('"', "'").replace("\n", " ")
    return (
        f'  {kind}: {name} {{\n    type: {type_}\n    description: "{text}"\n'
        f"    sql: ${{TABLE}}.{_quoted(column.name)} ;;\n  }}\n"
    )


def _quoted(name: str) -> str:
    # Two semicolons end an expression of LookML, wherever they stand.
    return '"' + name.replace('"', '""').replace(";;", "; ;") + '"'
