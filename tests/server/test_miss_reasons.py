"""Why no aggregate answered queries of the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.miss_reasons import UNKNOWN, AskedQuery, MissReasons
from tests.support.stars import tiny_star

_LACKS_MONTH = (
    "The facts `sales` answer: aggregates are built, but none of them matches. Nearest is `by_city`: filter on an "
    "attribute that is not stored (Month). Smallest change: add attribute `Month` to `by_city`."
)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryRouter]:
    """Of a model with one aggregate."""
    folder = tmp_path_factory.mktemp("missed")
    registry, warehouse = f"sqlite:///{folder / 'registry.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        aggregates = {"by_city": (("City",), ("Amount",))}
        deploy(workspace, tiny_star.write_model(folder / "model", aggregates), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        yield QueryRouter(workspace)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (
            'SELECT "Amount" FROM tiny_sales WHERE "City" IN (?, ?)',
            "An aggregate that serves by now would answer it.",
        ),
        (
            'SELECT "Amount" FROM tiny_sales WHERE "City" = ? AND "Month" LIKE ?',
            _LACKS_MONTH,
        ),
        ('SELECT "Nothing" FROM tiny_sales WHERE "City" = ?', UNKNOWN),
        ("SELECT FROM WHERE ((", UNKNOWN),
    ],
)
def test_a_reason_is_found_aside(router: QueryRouter, shape: str, told: str) -> None:
    reasons, query = MissReasons(), AskedQuery("m", 1, shape)

    assert reasons.of(query) == UNKNOWN
    assert reasons.are_wanted
    reasons.find(router)

    assert (reasons.of(query), reasons.are_wanted) == (told, False)
    # With another version of the model other aggregates serve.
    reasons.of(AskedQuery("m", 2, shape))
    assert reasons.are_wanted
