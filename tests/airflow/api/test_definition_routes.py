"""Routes about definitions, instances and attempts: lists with filters, and everything about one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QuerySource, SuccessionRecord
from airflow_atscale_aggs.plugins.api.instance_rows import describe_verification
from tests.support.api_server import ApiServer
from tests.support.query_records import make_query_record

pytestmark = pytest.mark.airflow

NOW = datetime(2026, 11, 1, tzinfo=UTC)
_LIST = "connections/tiny/definitions"


@pytest.fixture(scope="module")
def used(server: ApiServer) -> ApiServer:
    """``by_city`` was used three times and judged, ``by_month`` is blocked and was to give way to ``by_city``."""
    registry = server.registry
    model_id = registry.read.models.get("tiny_sales").id
    ids = registry.read.definitions.ids_of_names(model_id, ["by_city", "by_day_and_shop", "by_month"])
    source = QuerySource(fact="sales", aggregate="by_city", definition_id=ids["by_city"], rows=4, fact_rows=60)
    registry.queries.record([make_query_record(source, model_id=model_id, asked_at=NOW, weight=3)])
    registry.evaluations.record(
        [
            EvaluationRecord(
                model_id=model_id,
                definition_id=ids["by_city"],
                evaluated_at=NOW,
                score=0.5,
                parts={"use": 1.0, "age": 0.5},
                uses=3,
                seconds_saved=1.5,
                measured_share=0.25,
            )
        ]
    )
    proposal = SuccessionRecord(
        old_id=ids["by_day_and_shop"],
        new_id=ids["by_city"],
        model_id=model_id,
        reason="finer",
        facts=("sales",),
        proposed_at=NOW,
    )
    registry.successions.propose([proposal])
    registry.definitions.set_status(
        [ids["by_month"]], DefinitionStatus.BLOCKED, "it is wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )
    return server


def _ids(server: ApiServer) -> dict[str, str]:
    found = server.get(_LIST, model="tiny_sales", state=["defined", "blocked"])
    return {row["name"]: row["id"] for row in found["items"]}


def _names(document: Any) -> list[str]:
    return [row["name"] for row in document["items"]]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["by_city", "by_day_and_shop", "by_month_and_city"]),
        ({"state": ["defined", "blocked"]}, ["by_city", "by_day_and_shop", "by_month", "by_month_and_city"]),
        ({"state": "blocked", "status": "unavailable"}, ["by_month"]),
        ({"status": "unavailable"}, []),
        ({"status": ["active", "pending"], "search": "AND"}, ["by_day_and_shop", "by_month_and_city"]),
        ({"origin": "demand_defined"}, []),
        ({"origin": ["user_defined", "demand_defined"], "search": "city"}, ["by_city", "by_month_and_city"]),
        ({"used_since": "2026-11-01T00:00:00Z"}, ["by_city"]),
        ({"used_since": "2026-11-01T00:30:00+01:00"}, ["by_city"]),
        ({"used_since": "2026-11-01T00:00:01"}, []),
        ({"never_used": True}, ["by_day_and_shop", "by_month_and_city"]),
        ({"unused_since": "2026-11-02T00:00:00Z"}, ["by_city", "by_day_and_shop", "by_month_and_city"]),
        (
            {"built_before": "2126-11-02T00:00:00Z", "status": "active"},
            ["by_city", "by_day_and_shop", "by_month_and_city"],
        ),
        ({"built_before": "2000-01-01T00:00:00Z"}, []),
        ({"sort": "uses", "descending": True, "limit": 1}, ["by_city"]),
        ({"sort": "last_used_at"}, ["by_city", "by_day_and_shop", "by_month_and_city"]),
        ({"sort": "created_at", "limit": 0}, None),
        ({"model": "tiny.tiny_sales", "search": "\0"}, None),
        ({"sort": "colour"}, None),
        ({"used_since": "0001-01-01T00:00:00+14:00"}, None),
        ({"nonsense": 1}, None),
        ({"cursor": "x"}, None),
    ],
    ids=str,
)
def test_definitions_are_filtered_and_sorted(used: ApiServer, filters: dict[str, Any], names: list[str] | None) -> None:
    """What is malformed is told with its place."""
    answer = used.client("tiny_viewer").get(f"/api/{_LIST}", params=filters)

    if names is None:
        assert answer.status_code == 422
        assert answer.json()["detail"]
    else:
        assert sorted(_names(answer.json())) == names


@pytest.mark.parametrize(
    "sort", ["name", "model", "status", "uses", "last_used_at", "rows", "size", "saved", "built_at", "score"]
)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_definitions_together_are_the_whole_list(used: ApiServer, sort: str, descending: bool) -> None:
    """Over both models, of which one has no instances."""
    options = {"sort": sort, "descending": descending, "count": True}
    whole = used.get(_LIST, **options)
    rows, page = [], used.get(_LIST, limit=3, **options)
    while True:
        rows += page["items"]
        if page["next_cursor"] is None:
            break
        page = used.get(_LIST, limit=3, cursor=page["next_cursor"], **options)

    assert rows == whole["items"]
    assert whole["total"] == len(rows) == 7


def test_nobody_sees_definitions_of_models_that_he_may_not_read(used: ApiServer) -> None:
    """Although both models are in one registry."""
    of_hidden = [row["id"] for row in used.get("connections/other/definitions", "viewer")["items"]]

    assert {row["model"] for row in used.get(_LIST, "tiny_viewer", limit=200)["items"]} == {"tiny_sales"}
    assert {row["model"] for row in used.get(_LIST, "op", limit=200)["items"]} == {"tiny_sales", "hidden_sales"}
    assert used.status(_LIST, "tiny_viewer", params={"model": "hidden_sales"}) == 404
    assert used.status(f"{_LIST}/{of_hidden[0]}", "tiny_viewer") == 404
    assert used.status(f"{_LIST}/{of_hidden[0]}", "op") == 200
    assert used.status(f"{_LIST}/nobody", "op") == 404
    assert used.status(_LIST, None) == 401


def test_a_definition_tells_what_it_stores_and_what_it_is_worth(used: ApiServer) -> None:
    definition = used.get(f"{_LIST}/{_ids(used)['by_city']}", "tiny_viewer")

    assert (definition["attributes"], definition["metrics"], definition["uses"]) == (["City"], ["Amount"], 3)
    (part,) = definition["parts"]
    measures = [(measure["text"], measure["rolls_up"]) for measure in part["measures"]]
    assert (part["fact"], measures) == ("sales", [("count_rows(sales)", True), ("sum(sales.amount)", True)])
    score = definition["score_detail"]
    assert (score["value"], score["parts"][0]) == (0.5, {"name": "age", "value": 0.5})
    assert (definition["average_saving_seconds"], definition["average_saving_measured_share"]) == (0.5, 0.25)
    assert [instance["id"] for instance in definition["instances"]] == [definition["active_instance_id"]]
    assert definition["can_delete"] is False


def test_a_definition_tells_where_its_data_comes_from_and_goes_to(used: ApiServer) -> None:
    """Facts, dimensions and aggregates; views that people read."""
    ids = _ids(used)
    finest = used.get(f"{_LIST}/{ids['by_day_and_shop']}", "tiny_viewer")
    coarser = used.get(f"{_LIST}/{ids['by_month_and_city']}", "tiny_viewer")

    def nodes(definition: Any, side: str) -> set[tuple[str, str, str | None]]:
        return {(node["kind"], node["name"], node["definition_id"]) for node in definition["lineage"][side]}

    assert nodes(finest, "sources") == {
        ("fact", "sales", None),
        ("dimension", "day", None),
        ("dimension", "shop", None),
    }
    assert ("aggregate", "by_month_and_city", ids["by_month_and_city"]) in nodes(finest, "targets")
    assert "view" in {kind for kind, _, _ in nodes(finest, "targets")}
    assert ("aggregate", "by_day_and_shop", ids["by_day_and_shop"]) in nodes(coarser, "sources")
    assert (finest["successor"], coarser["successor"]) == ("by_city", "")


def test_a_blocked_definition_says_why(used: ApiServer) -> None:
    definition = used.get(f"{_LIST}/{_ids(used)['by_month']}", "tiny_viewer")

    assert (definition["state"], definition["status"]) == ("blocked", "unavailable")
    assert definition["state_reason"] == "it is wrong"


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({}, 4),
        ({"status": "active"}, 4),
        ({"status": ["failed", "building"]}, 0),
        ({"status": "pending"}, 0),
        ({"table": "BY_CITY"}, 1),
        ({"table": "_"}, 4),
        ({"table": "%"}, 0),
        ({"batch_id": "nobody"}, 0),
        ({"started_before": "2026-01-01T00:00:00Z"}, 0),
        ({"started_after": "2026-01-01T00:00:00Z", "sort": "rows"}, 4),
        ({"sort": "aggregate", "descending": False}, 4),
        ({"sort": "seconds"}, 4),
    ],
    ids=str,
)
def test_instances_are_filtered(used: ApiServer, filters: dict[str, Any], number: int) -> None:
    page = used.get("connections/tiny/instances", "tiny_viewer", count=True, **filters)

    assert (len(page["items"]), page["total"]) == (number, number)


def test_an_instance_tells_how_it_was_built(used: ApiServer) -> None:
    """From which source by which statements, in which attempts, by which task."""
    definition_id = _ids(used)["by_month_and_city"]
    (row,) = used.get("connections/tiny/instances", "tiny_viewer", definition_id=definition_id)["items"]
    instance = used.get(f"connections/tiny/instances/{row['id']}", "tiny_viewer")

    assert {name: instance[name] for name in row} == row
    assert (instance["build"], instance["source"]) == ("full", "by_day_and_shop")
    assert "as_agg_" in instance["sql"]
    assert "__attempt__" not in instance["sql"]
    assert "\n  " in instance["sql"]
    assert (instance["dag_id"], instance["run_id"]) == ("batch_build_tiny_sales", "manual__first")
    assert (instance["task_id"], instance["map_index"]) == ("build", instance["position"])
    (attempt,) = instance["attempts"]
    assert (attempt["number"], attempt["status"], attempt["table"]) == (1, "done", row["table"])
    assert attempt["verified"].startswith("It agrees with its facts")
    assert used.get(f"connections/tiny/instances/{row['id']}/attempts", "tiny_viewer") == [attempt]
    assert (instance["segments"], instance["missing_tables"]) == ([], None)


@pytest.mark.parametrize("path", ["instances/nobody", "instances/nobody/attempts", "definitions/nobody"])
@pytest.mark.parametrize(("user", "status"), [("tiny_viewer", 404), ("outsider", 403), (None, 401)])
def test_what_is_not_there_is_not_found(used: ApiServer, path: str, user: str | None, status: int) -> None:
    """By those who may look."""
    assert used.status(f"connections/tiny/{path}", user) == status


def test_a_text_that_no_registry_keeps_is_malformed(used: ApiServer) -> None:
    assert used.status("connections/tiny/instances/%00", "op") == 422
    assert used.status("connections/tiny/definitions/a%00b", "op") == 422
    assert used.status("connections/ti%00ny/definitions", "op") == 422
    assert used.status("connections/tiny/models/%00", "op") == 422
    assert used.status("dags/%00/models", "op") == 422


@pytest.mark.parametrize(
    ("verified", "sentence"),
    [
        (None, ""),
        (Verified(level="off"), ""),
        (Verified(level="full", totals={}), "It agrees with its facts (`full`)."),
        (
            Verified(level="totals", totals={}, undecided=("`x`: sums are floating",)),
            "It agrees with its facts (`totals`); not decided: `x`: sums are floating.",
        ),
        (
            Verified(level="totals", undecided=("the facts have changed",)),
            "Whether it agrees with its facts was not decided: the facts have changed.",
        ),
    ],
)
def test_a_comparison_with_the_facts_is_told_in_a_sentence(verified: Verified | None, sentence: str) -> None:
    assert describe_verification(verified) == sentence
