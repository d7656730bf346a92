"""The lattice of a model as a graph: facts as roots, edges between neighbours, at most so many nodes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from tests.support.api_server import ApiServer
from tests.support.strategies.system_definitions import define

pytestmark = pytest.mark.airflow

_PATH = "connections/tiny/models/tiny_sales/lattice"
_CHAIN = {
    ("sales", "by_day_and_shop"),
    ("by_day_and_shop", "by_month_and_city"),
    ("by_month_and_city", "by_city"),
    ("by_month_and_city", "by_month"),
}


def _edges(graph: Any, *, only_used: bool = False) -> set[tuple[str, str]]:
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    return {
        (names[edge["source"]], names[edge["target"]]) for edge in graph["edges"] if edge["is_used"] or not only_used
    }


def test_edges_lead_from_the_fact_through_what_is_derived(server: ApiServer) -> None:
    """Those that follow from others are left out; those by which tables were built are marked."""
    graph = server.get(_PATH, "tiny_viewer")

    assert _edges(graph) == _edges(graph, only_used=True) == _CHAIN
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert (nodes["sales"]["kind"], nodes["sales"]["rows"]) == ("fact", 60)
    assert (nodes["by_city"]["kind"], nodes["by_city"]["attributes"], nodes["by_city"]["status"]) == (
        "aggregate",
        ["City"],
        "active",
    )
    assert graph["is_cut"] is False


def test_without_a_batch_nothing_is_proven(server: ApiServer) -> None:
    """Then only stored attributes can be derived: a month does not follow from a day."""
    graph = server.get("connections/tiny/models/hidden_sales/lattice", "op")

    assert _edges(graph, only_used=True) == set()
    assert {edge for edge in _edges(graph) if edge[0] == "sales"} == {
        ("sales", "by_day_and_shop"),
        ("sales", "by_month_and_city"),
    }


def test_users_definitions_come_first_where_there_are_too_many(server: ApiServer) -> None:
    """A repair builds from the facts, which is an edge of its own."""
    with server.workspace() as workspace:
        define(workspace, {"learnt": (("Month",), ("Amount",))})
        run_batch(workspace, "tiny_sales", owner="me", request=BatchRequest(aggregates=("by_city", "learnt")))

    whole, part, cut = (server.get(_PATH, "tiny_viewer", most=most) for most in (200, 4, 2))

    assert {node["name"] for node in whole["nodes"] if node["origin"] == "demand_defined"} == {"learnt"}
    assert {node["origin"] for node in part["nodes"]} == {"user_defined", ""}
    assert (whole["is_cut"], part["is_cut"], cut["is_cut"]) == (False, True, True)
    assert len(cut["nodes"]) == 3
    assert ("sales", "by_city") in _edges(whole, only_used=True)
    assert ("by_month_and_city", "by_city") in _edges(whole) - _edges(whole, only_used=True)


@pytest.mark.parametrize(
    ("user", "most", "status"),
    [
        (None, 1, 401),
        ("outsider", 1, 403),
        ("tiny_viewer", 0, 422),
        ("tiny_viewer", 1001, 422),
        ("tiny_viewer", 1, 200),
    ],
)
def test_a_lattice_is_bounded_and_for_those_who_may_read_the_model(
    server: ApiServer, user: str | None, most: int, status: int
) -> None:
    assert server.status(_PATH, user, params={"most": most}) == status
