"""The API over a star with so many facts that more aggregates are worth having."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.support.api_server import ApiServer, api_server
from tests.support.stars import tiny_star

PATH = "/api/connections/tiny/models/tiny_sales/recommend"
ASKED = ['SELECT "Shop", "Amount" FROM tiny.tiny_sales', 'SELECT "Day", "Quantity" FROM tiny.tiny_sales']
"""Two queries that no aggregate answers; each needs one of its own."""

FACT_ROWS = tiny_star.FACT_ROWS * (tiny_star.FACT_ROWS + 1)

_MANY = "INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales a CROSS JOIN sales b"


@contextlib.contextmanager
def advised_api(folder: Path) -> Iterator[ApiServer]:
    """The server, whose model `tiny_sales` has the aggregate `by_city` alone."""
    (folder / "api").mkdir()
    with api_server(folder / "api") as started:
        model = tiny_star.write_model(folder / "few", {"by_city": (("City",), ("Amount",))})
        with started.workspace() as workspace:
            tiny_star.run_sql(workspace, _MANY)
            deploy(workspace, model, now=utc_now())
        yield started
