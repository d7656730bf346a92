"""The overview of a model as its first batch leaves it.

`test_overview` records queries, failures and notes; here nothing is changed, so that the order does not matter.
"""

from __future__ import annotations

import pytest

from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow


def test_a_model_that_is_well_wants_no_attention(server: ApiServer) -> None:
    overview = server.get("connections/tiny/models/tiny_sales/overview", "tiny_viewer")

    assert overview["attention"] == []
    assert (overview["active"], overview["definitions"], overview["fact_rows"]) == (4, 4, 60)
    assert overview["rows"] == sum(tile["rows"] for tile in overview["sizes"])
    assert overview["last_batch"]["counts"] == {"active": 4}
    largest = overview["sizes"][0]
    assert (largest["aggregate"], largest["rows"], largest["bytes"]) == ("by_day_and_shop", 60, None)
