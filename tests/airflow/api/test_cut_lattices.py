"""The lattice of a model with more definitions than are asked for.

This defines and builds more, so that it has a server of its own.
"""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from tests.support.api_calls import edges_of
from tests.support.api_server import ApiServer
from tests.support.strategies.system_definitions import define

pytestmark = pytest.mark.airflow


def test_users_definitions_come_first_where_there_are_too_many(server: ApiServer) -> None:
    """A repair builds from the facts, which is an edge of its own."""
    with server.workspace() as workspace:
        define(workspace, {"learnt": (("Month",), ("Amount",))})
        run_batch(workspace, "tiny_sales", owner="me", request=BatchRequest(aggregates=("by_city", "learnt")))

    whole, part, cut = (
        server.get("connections/tiny/models/tiny_sales/lattice", "tiny_viewer", most=most) for most in (200, 4, 2)
    )

    assert {node["name"] for node in whole["nodes"] if node["origin"] == "demand_defined"} == {"learnt"}
    assert {node["origin"] for node in part["nodes"]} == {"user_defined", ""}
    assert (whole["is_cut"], part["is_cut"], cut["is_cut"]) == (False, True, True)
    assert len(cut["nodes"]) == 3
    assert ("sales", "by_city") in edges_of(whole, only_used=True)
    assert ("by_month_and_city", "by_city") in edges_of(whole) - edges_of(whole, only_used=True)
