"""The whole model: roles that relationships play, and metrics."""

from __future__ import annotations

from airflow_atscale_aggs.engine.discovery.model_proposal import Findings, propose
from airflow_atscale_aggs.engine.discovery.proposal import Proposal
from airflow_atscale_aggs.engine.discovery.references import Names, Reference
from tests.support.stars.table_rows import Columns, profiles_of, violations_in

_TABLES: dict[str, Columns] = {
    "orders": {"customer_id": [1, 2, 1], "shop_id": [1, 1, 2], "amount": [5, 7, 9], "unit_price": [2, 3, 4]},
    "customers": {"customer_id": [1, 2], "town_id": [1, 2], "tier": ["gold", "gold"]},
    "shops": {"shop_id": [1, 2], "town_id": [1, 1]},
    "towns": {"town_id": [1, 2], "mood": ["x", "x"]},
}
_EDGES = (
    ("orders", "customer_id", "customers"),
    ("orders", "shop_id", "shops"),
    ("customers", "town_id", "towns"),
    ("shops", "town_id", "towns"),
)


def _propose(tables: dict[str, Columns], edges: tuple[tuple[str, str, str], ...]) -> Proposal:
    references = tuple(Reference(table, (column,), target, (column,), (), "why") for table, column, target in edges)
    findings = Findings(
        model="m",
        database="",
        schema="main",
        names=Names(profiles_of(tables)),
        keys=[(target, column) for _, column, target in edges],
        references=references,
        questions=(),
        left_out=(),
    )
    return propose(findings, violations_in(tables))


def test_two_ways_to_one_dimension_are_two_roles() -> None:
    proposal = _propose(_TABLES, _EDGES)
    roles = {edge.name: edge.role_play for edges in proposal.embedded.values() for edge in edges}

    assert sorted(roles.values()) in (["", "Customers {0}"], ["", "Shops {0}"])
    assert [edge.role_play for edge in proposal.relationships] == ["", ""]


def test_sums_of_what_adds_up_and_averages_of_what_does_not() -> None:
    methods = {metric.name: metric.method for metric in _propose(_TABLES, _EDGES).metrics}

    assert methods == {
        "Orders Rows": "count non-null",
        "Amount": "sum",
        "Average Unit Price": "average",
        "Lowest Unit Price": "minimum",
        "Highest Unit Price": "maximum",
    }


def test_rows_are_counted_by_a_calculated_column_where_each_column_has_nulls() -> None:
    tables = {**_TABLES, "orders": {"customer_id": [1, None, 2], "shop_id": [None, 1, 1], "amount": [None, 1, 2]}}
    proposal = _propose(tables, _EDGES)

    assert proposal.metrics[0].column == "row_of_fact"
    assert [column.name for column in proposal.calculated["orders"]] == ["row_of_fact"]
