"""The lattice of a model as a graph: facts as roots, edges between neighbours, at most so many nodes."""

from __future__ import annotations

import pytest

from tests.support.api_calls import edges_of
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow

_PATH = "connections/tiny/models/tiny_sales/lattice"
_CHAIN = {
    ("sales", "by_day_and_shop"),
    ("by_day_and_shop", "by_month_and_city"),
    ("by_month_and_city", "by_city"),
    ("by_month_and_city", "by_month"),
}


def test_edges_lead_from_the_fact_through_what_is_derived(server: ApiServer) -> None:
    """Those that follow from others are left out; those by which tables were built are marked."""
    graph = server.get(_PATH, "tiny_viewer")

    assert edges_of(graph) == edges_of(graph, only_used=True) == _CHAIN
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

    assert edges_of(graph, only_used=True) == set()
    assert {edge for edge in edges_of(graph) if edge[0] == "sales"} == {
        ("sales", "by_day_and_shop"),
        ("sales", "by_month_and_city"),
    }


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
