"""The overview of a model: queries by day, the last batch, sizes, and what wants attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QuerySource
from airflow_atscale_aggs.plugins.api.access import Place, Visitor
from airflow_atscale_aggs.plugins.api.model_attention import attention_of, kind_of_note
from tests.support.api_server import ApiServer, user_of
from tests.support.query_records import make_query_record

pytestmark = pytest.mark.airflow

_PATH = "connections/tiny/models/tiny_sales/overview"


@pytest.fixture(autouse=True)
def no_open_batch(server: ApiServer) -> Iterator[None]:
    """Each test leaves no open batch behind."""
    yield
    for batch in server.registry.read.batches.find():
        if batch.status in {"in_progress", "failed"}:
            server.registry.batches.cancel(batch.id, now=utc_now())


def _model_id(server: ApiServer) -> str:
    return server.registry.read.models.get("tiny_sales").id


def _attention(server: ApiServer, user: str = "tiny_viewer", path: str = _PATH) -> dict[str, Any]:
    return {attention["kind"]: attention for attention in server.get(path, user)["attention"]}


def test_queries_are_counted_by_day(server: ApiServer) -> None:
    """Days without queries are there as well; today stands last."""
    ids = server.registry.read.definitions.ids_of_names(_model_id(server), ["by_city"])
    hit = QuerySource(fact="sales", aggregate="by_city", definition_id=ids["by_city"], rows=4, fact_rows=60)
    miss = QuerySource(fact="sales", fact_rows=60)
    now = datetime.now(UTC)
    records = [
        make_query_record(hit, asked_at=now, weight=2),
        replace(make_query_record(miss, asked_at=now), planned=(hit,), fallback_reason="no table"),
        make_query_record(miss, asked_at=now - timedelta(days=2)),
        make_query_record(miss, asked_at=now - timedelta(days=9)),
    ]
    server.registry.queries.record([replace(record, model_id=_model_id(server)) for record in records])

    days = server.get(_PATH, "tiny_viewer", days=3)["days"]

    assert [day["queries"] for day in days] == [1, 0, 3]
    today = days[-1]
    assert today["day"] == now.date().isoformat()
    assert (today["hits"], today["misses"], today["fallbacks"]) == (2, 0, 1)
    assert (today["rows_read"], today["fact_rows"]) == (68, 180)
    assert len(server.get(_PATH, "tiny_viewer")["days"]) == 30
    assert _attention(server)["missing_table"]["text"].startswith("1 query fell back to the facts")


def test_bytes_are_those_of_the_last_judgement(server: ApiServer) -> None:
    """So that the warehouse need not be asked."""
    ids = server.registry.read.definitions.ids_of_names(_model_id(server), ["by_city"])
    record = EvaluationRecord(
        model_id=_model_id(server),
        definition_id=ids["by_city"],
        evaluated_at=utc_now(),
        score=1.0,
        parts={},
        size_bytes=4096,
    )
    server.registry.evaluations.record([record])

    sizes = {tile["aggregate"]: tile["bytes"] for tile in server.get(_PATH, "tiny_viewer")["sizes"]}
    assert sizes == {"by_day_and_shop": None, "by_month_and_city": None, "by_month": None, "by_city": 4096}


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (["by_city"], "1 aggregate of the newest batch failed; what served before serves on."),
        (["by_city", "by_month"], "2 aggregates of the newest batch failed; what served before serves on."),
        ([], "The newest batch failed; what served before serves on."),
    ],
)
def test_what_failed_comes_first(server: ApiServer, failing: list[str], words: str) -> None:
    with server.workspace() as workspace:
        begun = begin_batch(
            workspace,
            "tiny_sales",
            build_type=BuildType.FULL,
            owner="me",
            now=utc_now(),
            request=BatchRequest(is_new=True),
        )
    failed = [instance for instance in begun.instances if instance.step.aggregate in failing]
    for instance in failed:
        claim = server.registry.attempts.claim(instance.id, owner="me", now=utc_now())
        server.registry.attempts.fail(claim, error="no room left", now=utc_now())
    server.registry.batches.fail(begun.batch.id, owner="me", now=utc_now())

    overview = server.get(_PATH, "tiny_viewer")
    attention = overview["attention"][0]

    assert (attention["kind"], attention["severity"], attention["batch_id"]) == ("failed", "error", begun.batch.id)
    assert attention["text"].startswith(words)
    assert set(attention["definition_ids"]) == {instance.step.definition_id for instance in failed}
    assert overview["last_batch"]["status"] == "failed"


def test_a_model_without_a_dag_or_a_batch_says_what_to_do(server: ApiServer) -> None:
    attention = _attention(server, "op", "connections/tiny/models/hidden_sales/overview")

    assert 'batch_build_dag("hidden_sales", aggs_conn_id="tiny")' in attention["no_dag"]["text"]
    assert attention["not_built"]["text"] == "4 aggregates are defined and not built yet. Start a batch."
    assert len(attention["not_built"]["definition_ids"]) == 4
    assert "no_dag" not in _attention(server, "viewer", "connections/other/models/hidden_sales/overview")


def test_what_is_old_or_useless_is_told(server: ApiServer) -> None:
    """As it will be in two months; blocking and building are what helps."""
    place = Place(Visitor(user_of("admin")), "tiny", (), Visitor(user_of("admin")).place("tiny").right)
    model = server.registry.read.models.get("tiny_sales")

    found = attention_of(place, model, None, [], now=utc_now() + timedelta(days=60))

    by_kind = {attention.kind: attention for attention in found}
    assert "36 hours" in by_kind["stale"].text
    assert "30 days" in by_kind["never_used"].text
    assert by_kind["stale"].text.startswith("4 aggregates were built more than 36 hours ago.")
    assert by_kind["never_used"].count == len(by_kind["never_used"].definition_ids) >= 3
    assert [attention.severity for attention in found] == sorted(
        (attention.severity for attention in found), key=["error", "warning", "info"].index
    )


def test_what_is_old_or_useless_is_a_setting_of_the_model(server: ApiServer) -> None:
    """Half a week is old for one model and young for another."""
    place = Visitor(user_of("admin")).place("tiny")
    model = server.registry.read.models.get("tiny_sales")
    keys = {"aggregates.attention.staleAfterHours": "1", "aggregates.attention.unusedAfterDays": "1"}

    def kinds(hours: int) -> set[str]:
        found = attention_of(place, model, None, [], now=utc_now() + timedelta(hours=hours))
        return {attention.kind for attention in found} & {"stale", "never_used"}

    before = kinds(25)
    for key, value in keys.items():
        server.registry.settings.put(model.id, key, value)
    try:
        short = kinds(2), kinds(25)
        (stale,) = [a.text for a in attention_of(place, model, None, [], now=utc_now() + timedelta(hours=2))]
        for key in keys:
            server.registry.settings.put(model.id, key, "100")
        long = kinds(99), kinds(101)
    finally:
        for key in keys:
            server.registry.settings.delete(model.id, key)

    assert before == set()
    assert short == ({"stale"}, {"stale", "never_used"})
    assert stale.startswith("4 aggregates were built more than 1 hour ago.")
    assert long == (set(), {"stale"})


@pytest.mark.parametrize(
    ("note", "kind"),
    [
        (
            "3 rows of sales came later than the grace period of 2d allows, with `day` up to 5. A full one does.",
            "late_rows",
        ),
        ("`a`.`x` (TEXT) is joined to `b`.`y` (INTEGER), which duckdb refuses to compare", "refused_joins"),
        ("by_city is not built: column `amount` of dataset `sales` cannot be read: division by zero", "not_built"),
        ("Stable view `by_city` still shows another table: it is locked.", "failed"),
        ("Built in full: by_city: the model was changed.", None),
    ],
)
def test_notes_of_a_batch_want_attention_by_what_they_say(server: ApiServer, note: str, kind: str | None) -> None:
    batch = server.registry.read.batches.find(_model_id(server), 1)[0]
    server.registry.batches.add_notes(batch.id, [note])

    assert kind_of_note(note) == kind
    told = [
        attention["kind"] for attention in server.get(_PATH, "tiny_viewer")["attention"] if attention["text"] == note
    ]
    assert told == ([] if kind is None else [kind])


@pytest.mark.parametrize(("days", "status"), [(0, 422), (1, 200), (365, 200), (366, 422), ("x", 422)])
def test_the_number_of_days_is_bounded(server: ApiServer, days: object, status: int) -> None:
    assert server.status(_PATH, "tiny_viewer", params={"days": days}) == status


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("outsider", 403), ("tiny_viewer", 200), ("op", 200)])
def test_an_overview_is_for_those_who_may_read_the_model(server: ApiServer, user: str | None, status: int) -> None:
    assert server.status(_PATH, user) == status
