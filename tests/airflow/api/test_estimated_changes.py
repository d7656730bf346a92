"""What the smallest change would cost, in an explanation of a miss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from tests.support.advised_api import ASKED, advised_api

pytestmark = pytest.mark.airflow


def test_a_miss_is_explained_with_or_without_a_scan_of_the_facts(tmp_path: Path) -> None:
    """The scan tells how many rows the smallest change would add; all else is known without it."""
    with advised_api(tmp_path) as server:
        with server.workspace() as workspace:
            run_batch(workspace, "tiny_sales", owner="test")

        def explained(**request: Any) -> Any:
            return (
                server.client("admin")
                .post("/api/connections/tiny/explain", json={"sql": ASKED[0], **request})
                .json()["parts"][0]
            )

        with_scan, without = explained(), explained(estimate=False)

    assert with_scan["aggregate"] is None
    (nearest,) = with_scan["candidates"]
    assert nearest["change"] == "add attribute `Shop` to `by_city`"
    assert nearest["extra_rows"] > 0
    assert without["candidates"] == [{**nearest, "extra_rows": None}]
