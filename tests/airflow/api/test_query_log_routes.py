"""The log of queries: filters, pages, and who sees which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.registry.records import QuerySource
from tests.support.api_server import ApiServer
from tests.support.query_records import make_query_record

pytestmark = pytest.mark.airflow

NOW = datetime(2026, 11, 1, tzinfo=UTC)
_FACTS = QuerySource(fact="sales", fact_rows=60)


@pytest.fixture(scope="module")
def log(server: ApiServer) -> ApiServer:
    """A hit, a miss, a partial hit and a fallback of one model, and a miss of another one."""
    registry = server.registry
    tiny, hidden = (registry.read.models.get(name).id for name in ("tiny_sales", "hidden_sales"))
    city = registry.read.definitions.ids_of_names(tiny, ["by_city"])["by_city"]
    served = QuerySource(fact="sales", aggregate="by_city", definition_id=city, rows=4, fact_rows=60)
    records = [
        replace(make_query_record(served), shape="SELECT City", keys=("City",), metrics=("Amount", ""), user="ann"),
        replace(make_query_record(_FACTS), shape="SELECT Shop", predicates=("Month",)),
        replace(make_query_record(served, _FACTS), shape="SELECT both"),
        replace(make_query_record(_FACTS), shape="SELECT gone", planned=(served,), fallback_reason="no table"),
        replace(make_query_record(_FACTS), shape="SELECT hidden", model_id=hidden),
    ]
    registry.queries.record(
        [
            replace(
                record,
                model_id=record.model_id if record.model_id == hidden else tiny,
                asked_at=NOW + timedelta(hours=number),
            )
            for number, record in enumerate(records)
        ]
    )
    return server


@pytest.mark.parametrize(
    ("filters", "queries"),
    [
        ({}, ["gone", "both", "Shop", "City"]),
        ({"outcome": "hit"}, ["City"]),
        ({"outcome": ["partial", "fallback"]}, ["gone", "both"]),
        ({"outcome": "miss"}, ["Shop"]),
        ({"user": "ann"}, ["City"]),
        ({"search": "select S"}, ["Shop"]),
        ({"asked_after": "2026-11-01T02:00:00Z"}, ["gone", "both"]),
        ({"asked_before": "2026-11-01T02:00:00+01:00"}, ["City"]),
        ({"definition_id": "nobody"}, []),
        ({"model": "tiny_sales", "limit": 2}, ["gone", "both"]),
    ],
    ids=str,
)
def test_queries_are_filtered_newest_first(log: ApiServer, filters: dict[str, Any], queries: list[str]) -> None:
    page = log.get("connections/tiny/queries", "tiny_viewer", **filters)

    assert [row["sql"].removeprefix("SELECT ") for row in page["items"]] == queries


def test_a_query_tells_what_answered_it(log: ApiServer) -> None:
    """And what that saved; a count of rows has a name of its own."""
    (hit,) = log.get("connections/tiny/queries", "tiny_viewer", outcome="hit")["items"]
    (fallback,) = log.get("connections/tiny/queries", "tiny_viewer", outcome="fallback")["items"]

    assert (hit["attributes"], hit["metrics"], hit["rows_saved"]) == (["City"], ["Amount", "COUNT(*)"], 56)
    built = log.get("connections/tiny/instances", "tiny_viewer", sort="seconds")["items"]
    from_facts = next(instance["seconds"] for instance in built if instance["source"] == "sales")
    assert hit["seconds_saved"] == pytest.approx(from_facts - hit["seconds"])
    assert fallback["seconds_saved"] is None
    (source,) = hit["sources"]
    assert (source["aggregate"], source["rows"], source["fact_rows"]) == ("by_city", 4, 60)
    assert (fallback["fallback_reason"], fallback["rows_saved"]) == ("no table", None)
    assert fallback["sources"][0]["aggregate"] is None


def test_a_query_is_read_by_its_id(log: ApiServer) -> None:
    """By those who may read its model, while the log has it."""
    (hit,) = log.get("connections/tiny/queries", "tiny_viewer", outcome="hit")["items"]
    hidden = next(row for row in log.get("connections/tiny/queries", "op")["items"] if row["model"] == "hidden_sales")

    assert log.get(f"connections/tiny/queries/{hit['id']}", "tiny_viewer") == hit
    assert log.status(f"connections/tiny/queries/{hidden['id']}", "tiny_viewer") == 404
    assert log.status("connections/tiny/queries/4711", "tiny_viewer") == 404
    assert log.status(f"connections/tiny/queries/{2**63}", "tiny_viewer") == 422


def test_pages_of_the_log_together_are_the_whole_log(log: ApiServer) -> None:
    document = log.get("connections/tiny/queries", "op", count=True)
    whole, total = document["items"], document["total"]
    first = log.get("connections/tiny/queries", "op", limit=3)
    rest = log.get("connections/tiny/queries", "op", limit=3, cursor=first["next_cursor"])

    assert len(whole) == total == 5
    assert first["items"] + rest["items"] == whole
    assert rest["next_cursor"] is None


def test_nobody_reads_queries_on_models_that_he_may_not_read(log: ApiServer) -> None:
    assert {row["model"] for row in log.get("connections/other/queries", "viewer")["items"]} == {"hidden_sales"}
    assert log.status("connections/tiny/queries", "tiny_viewer", params={"model": "hidden_sales"}) == 404
    assert log.status("connections/tiny/queries", "outsider") == 403
    assert log.status("connections/tiny/queries", None) == 401
    assert log.status("connections/tiny/queries", "op", params={"cursor": "?"}) == 422
