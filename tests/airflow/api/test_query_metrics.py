"""Metrics of queries that are asked through the API, as a StatsD server receives them from the API server's process."""

from __future__ import annotations

import pytest
from airflow.observability import stats
from airflow.observability.metrics.stats_utils import get_stats_factory

from tests.support.api_server import ApiServer
from tests.support.stars import tiny_star
from tests.support.statsd_server import StatsdServer, statsd_server, without_durations

pytestmark = pytest.mark.airflow

_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales'
_TIMED = {"atscale_aggs.query.duration,model=tiny_sales": ["…|ms"]}


def test_queries_are_hits_misses_and_fallbacks(server: ApiServer) -> None:
    """Explanations, refusals, and what no model has to do with are not counted."""
    with statsd_server(stats, get_stats_factory) as statsd:
        assert _received(server, statsd, _BY_CITY) == {"atscale_aggs.queries.hits,model=tiny_sales": ["1|c"], **_TIMED}
        missed = _received(server, statsd, _BY_CITY, use_aggregates=False)
        assert missed == {"atscale_aggs.queries.misses,model=tiny_sales": ["1|c"], **_TIMED}
        assert _received(server, statsd, _BY_CITY, verb="explain") == {}
        assert _received(server, statsd, "SELECT 1") == {}
        assert _received(server, statsd, "DROP TABLE sales", status=422) == {}
        with server.workspace() as workspace:
            for instance in workspace.read.instances.find():
                tiny_star.run_sql(workspace, f"ALTER TABLE aggs.{instance.table} RENAME COLUMN sum_amount TO amount")
        fell_back = _received(server, statsd, _BY_CITY)
        assert fell_back == {"atscale_aggs.queries.fallbacks,model=tiny_sales": ["1|c"], **_TIMED}


def _received(
    server: ApiServer, statsd: StatsdServer, sql: str, *, verb: str = "query", status: int = 200, **options: object
) -> dict[str, list[str]]:
    answer = server.client("op").post(f"/api/connections/tiny/{verb}", json={"sql": sql, **options})
    assert answer.status_code == status, answer.text
    return without_durations(statsd.received())
