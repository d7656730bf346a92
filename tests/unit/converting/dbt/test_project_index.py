"""Names are unique; entities lead to tables with one row a member."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.dbt.project_index import ProjectIndex
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import (
    DbtMetric,
    Dimension,
    Entity,
    Input,
    Measure,
    SemanticProject,
    SemanticTable,
    TimeSpine,
)
from airflow_atscale_aggs.engine.errors import ModelFileError


def _table(name: str, kind: str, *, is_versioned: bool = False, measure: str = "") -> SemanticTable:
    entity = Entity(name="customer", type=kind, sql="id", where="")
    validity = Dimension(name="valid_from", sql="valid_from", grain="day", has_validity=True, where="")
    made = Measure(name=measure, agg="sum", sql="x", time="", where=f"{name}.yml:9", makes_metric=True)
    return SemanticTable(
        name=name,
        table=name,
        where=f"{name}.yml:1",
        entities=(entity,),
        dimensions=(validity,) if is_versioned else (),
        measures=(made,) if measure else (),
    )


def test_an_entity_leads_to_keys_of_other_tables() -> None:
    orders = _table("orders", "foreign")
    tables = [
        orders,
        _table("customers", "primary"),
        _table("emails", "unique"),
        _table("visits", "foreign"),
        _table("history", "natural"),
        _table("versions", "primary", is_versioned=True),
    ]
    index = ProjectIndex(SemanticProject(name="p", tables=tables))

    assert [table.name for table, _ in index.targets("customer", orders)] == ["customers", "emails"]
    assert list(index.targets("branch", orders)) == []


def test_a_measure_may_make_a_metric() -> None:
    tables = [_table("orders", "foreign", measure="amount"), _table("lines", "foreign", measure="value")]
    declared = DbtMetric(name="value", type="simple", where="m.yml:1", measure=Input(name="amount"))
    index = ProjectIndex(SemanticProject(name="p", tables=tables, metrics=[declared]))

    assert list(index.metrics) == ["value", "amount"]
    found = index.table_of_metric(index.metrics["value"])
    assert found is not None
    assert found[0].name == "orders"


def test_a_name_is_taken_once() -> None:
    for project in (
        SemanticProject(name="p", tables=[_table("a", "primary"), _table("a", "primary")]),
        SemanticProject(name="p", tables=[_table("a", "primary", measure="m"), _table("b", "primary", measure="m")]),
        SemanticProject(name="p", metrics=[DbtMetric(name="m", type="", where=f"m.yml:{line}") for line in (1, 2)]),
    ):
        with pytest.raises(ModelFileError, match="is defined twice, first at"):
            ProjectIndex(project)


def test_only_days_are_a_spine_of_days() -> None:
    spines = [TimeSpine(table=grain, column="t", grain=grain, where="") for grain in ("hour", "day")]

    spine = ProjectIndex(SemanticProject(name="p", spines=spines)).day_spine
    assert spine is not None
    assert spine.table == "day"
