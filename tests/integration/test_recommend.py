"""Demand-defined aggregates on real warehouses: asked, recommended, defined, built, and then they answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import RecommendReport
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from tests.support.stars import tiny_star

_MORE_FACTS = "INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales a CROSS JOIN sales b"
_FACT_ROWS = tiny_star.FACT_ROWS + tiny_star.FACT_ROWS**2
_BY_MONTH = 'SELECT "Month", "Amount" FROM tiny_sales'
_BY_CITY = 'SELECT "City", "Quantity" FROM tiny_sales WHERE "Month" = \'month 1\''
_BY_SHOP = 'SELECT "Shop", "Average Amount" FROM tiny_sales'
_QUERIES = (_BY_MONTH, _BY_MONTH, _BY_CITY, _BY_SHOP)


@pytest.fixture
def warehouse(warehouse_url: str) -> str:
    """The tiny star with some thousand facts, without aggregates."""
    with open_workspace(registry="sqlite:///:memory:", warehouse=warehouse_url) as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL, _MORE_FACTS)
    return warehouse_url


@pytest.fixture
def workspace(warehouse: str, tmp_path: Path) -> Iterator[Workspace]:
    """The model deployed without user-defined aggregates."""
    tiny_star.write_model(tmp_path / "m", {})
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse=warehouse) as opened:
        deploy(opened, tmp_path / "m", now=utc_now())
        yield opened


def _put_settings(workspace: Workspace, **values: str) -> None:
    for key, value in values.items():
        workspace.registry.settings.put(None, f"aggregates.{key.replace('_', '.')}", value)


def _run_queries(workspace: Workspace, times: int = 1) -> None:
    with QueryRouter(workspace) as router:
        for sql in _QUERIES * times:
            router.answer(sql)


def _grains(report: RecommendReport) -> list[set[str]]:
    return [
        {attribute.query_name for attribute in recommendation.definition.grain}
        for recommendation in report.recommendations
    ]


def test_asked_recommended_defined_built_used(workspace: Workspace) -> None:
    """Answers stay what they were; afterwards there is nothing left to recommend."""
    _run_queries(workspace, times=5)
    before = [sorted(map(str, answer(workspace, sql).rows)) for sql in _QUERIES]
    report = recommend(workspace, "tiny_sales", apply=True, now=utc_now())

    assert report.recommendations
    assert report.cost_after < report.cost_before / 20
    assert {recommendation.outcome for recommendation in report.recommendations} == {"added"}
    run_batch(workspace, "tiny_sales", owner=process_owner())
    results = [answer(workspace, sql) for sql in _QUERIES]
    assert all(result.plan.uses_aggregates for result in results)
    assert [sorted(map(str, result.rows)) for result in results] == before
    rows = {instance.step.aggregate: instance.rows for instance in workspace.read.instances.serving(report.model_id)}
    for recommendation in report.recommendations:
        assert recommendation.error is not None
        counted = rows[recommendation.definition.name]
        assert counted is not None
        assert abs(recommendation.rows - counted) <= max(1.0, recommendation.error * counted)
    assert not recommend(workspace, "tiny_sales", now=utc_now()).recommendations


def test_queries_stand_for_history(workspace: Workspace) -> None:
    """Priming: one aggregate at the most serves all three grains; its reason and evidence are recorded."""
    request = RecommendRequest(queries=_QUERIES, most=1)
    report = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now())

    (recommendation,) = report.recommendations
    assert _grains(report) == [{"Month", "City", "Shop"}]
    assert recommendation.definition.name == "sales_by_month_shop_city"
    assert recommendation.definition.metrics == ("Amount", "Average Amount", "Quantity")
    assert recommendation.queries == 4
    assert report.cost_before == 4 * _FACT_ROWS
    assert report.cost_after == 4 * recommendation.rows
    (record,) = workspace.read.definitions.of_model(report.model_id)
    assert record.definition.origin is DefinitionOrigin.DEMAND_DEFINED
    assert (
        record.reason
        == f"asked 2 times: Month reads {recommendation.rows} rows instead of {_FACT_ROWS:,}; answers 2 times more"
    )
    assert record.evidence["predicted_rows"] == recommendation.rows
    again = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now())
    assert all(each.outcome != "duplicate" for each in again.recommendations)


def test_blocked_ones_stay_blocked(workspace: Workspace) -> None:
    """They are named in the report, not proposed."""
    request = RecommendRequest(queries=[_BY_MONTH])
    (recommendation,) = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now()).recommendations
    registry = workspace.registry
    registry.definitions.set_status(
        [recommendation.definition.id],
        DefinitionStatus.BLOCKED,
        "wrong",
        expected=DefinitionStatus.DEFINED,
        now=utc_now(),
    )
    report = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now())

    assert report.recommendations == ()
    assert report.unserved[0].reason == "`sales_by_month` would answer, but a person has blocked it"
    assert registry.read.definitions.get(recommendation.definition.id).status == "blocked"


def test_a_name_that_is_taken_is_made_another(workspace: Workspace, tmp_path: Path) -> None:
    """Some digits of the fingerprint are added, before and after it is applied."""
    tiny_star.write_model(tmp_path / "m", {"sales_by_month": (("City",), ("Amount",))})
    deploy(workspace, tmp_path / "m", now=utc_now())
    request = RecommendRequest(queries=[_BY_MONTH])
    (proposal,) = recommend(workspace, "tiny_sales", request=request, now=utc_now()).recommendations
    (recommendation,) = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now()).recommendations

    assert (
        recommendation.definition.name
        == proposal.definition.name
        == f"sales_by_month_{recommendation.definition.fingerprint[:6]}"
    )


def test_what_is_asked_less_often_than_it_would_be_rebuilt_is_not_worth_it(workspace: Workspace) -> None:
    """It was asked once and built ten times."""
    user = RecommendRequest(queries=[_BY_SHOP], most=1)
    recommend(workspace, "tiny_sales", request=user, apply=True, now=utc_now())
    for _ in range(10):
        run_batch(workspace, "tiny_sales", owner=process_owner())
    with QueryRouter(workspace) as router:
        router.answer(_BY_MONTH)

    assert not recommend(workspace, "tiny_sales", now=utc_now()).recommendations


def test_old_queries_weigh_less(workspace: Workspace) -> None:
    """The weight halves with each half-life; the recommendation's weight shows it."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    model_id = workspace.read.models.get("tiny_sales").id
    record = QueryRecord(
        model_id=model_id,
        fingerprint="f" * 32,
        asked_at=now - timedelta(days=14),
        shape='SELECT "Month", "Amount" FROM tiny_sales WHERE "City" = ?',
        keys=("Month",),
        metrics=("Amount",),
        predicates=("City",),
        planned=(),
        actual=(),
        rows=4,
        seconds=1.0,
        weight=8,
    )
    workspace.registry.queries.record([record])
    (recommendation,) = recommend(workspace, "tiny_sales", now=now).recommendations

    assert recommendation.queries == pytest.approx(4)
    assert {each.query_name for each in recommendation.definition.grain} == {"Month", "City"}


def test_a_logged_query_that_cannot_be_read_again_counts_by_what_was_noted(workspace: Workspace) -> None:
    """Its attributes and metrics are in the log beside its text."""
    with QueryRouter(workspace) as router:
        router.answer(_BY_CITY)
    (record,) = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)
    workspace.registry.queries.record([_unreadable(record)])
    report = recommend(workspace, "tiny_sales", now=utc_now())

    assert report.queries == pytest.approx(4, rel=1e-3)
    assert report.unserved == ()
    assert _grains(report) == [{"City", "Month"}]


def _unreadable(record: QueryRecord) -> QueryRecord:
    from dataclasses import replace

    return replace(record, fingerprint="0" * 32, shape="(unreadable", weight=3)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("create.joins.enabled", "false", "is joined, which `aggregates.create.joins.enabled` forbids"),
        ("create.joins.maximumDepth", "0", "is 1 joins away"),
        ("create.joins.maximumKeyCardinality", "3", "is joined by 20 keys"),
        ("create.joins.compression", "1000", "has one value per"),
    ],
)
def test_settings_on_joins(workspace: Workspace, key: str, value: str, reason: str) -> None:
    """What is not joined is told by name with the setting."""
    workspace.registry.settings.put(None, f"aggregates.{key}", value)
    report = recommend(workspace, "tiny_sales", request=RecommendRequest(queries=[_BY_MONTH]), now=utc_now())

    assert report.recommendations == ()
    assert [unserved_query.reason.startswith(f"`Month` {reason}") for unserved_query in report.unserved] == [True]


def test_the_compression_threshold(workspace: Workspace) -> None:
    """An aggregate of 20 rows of 3,660 facts compresses 183 times."""
    request = RecommendRequest(queries=['SELECT "Day", "Amount" FROM tiny_sales'])
    workspace.registry.settings.put(None, "aggregates.create.compression.threshold", "200")
    assert recommend(workspace, "tiny_sales", request=request, now=utc_now()).recommendations == ()
    workspace.registry.settings.put(None, "aggregates.create.threshold.enabled", "false")
    assert len(recommend(workspace, "tiny_sales", request=request, now=utc_now()).recommendations) == 1


def test_widening_and_its_limit(workspace: Workspace) -> None:
    """Without widening an aggregate has the measures of its heaviest query only, and says so in what it saves."""
    queries = [_BY_MONTH, _BY_MONTH, 'SELECT "Month", "Quantity" FROM tiny_sales']
    request = RecommendRequest(queries=queries, most=1)
    (wide,) = recommend(workspace, "tiny_sales", request=request, now=utc_now()).recommendations
    workspace.registry.settings.put(None, "aggregates.create.widening.enabled", "false")
    (narrow,) = recommend(workspace, "tiny_sales", request=request, now=utc_now()).recommendations

    assert (wide.definition.metrics, wide.queries) == (("Amount", "Quantity"), 3)
    assert (narrow.definition.metrics, narrow.queries) == (("Amount",), 2)


def test_narrowing(workspace: Workspace) -> None:
    """Fewer dimensions than a defined aggregate: only if that is allowed."""
    by_day_shop = RecommendRequest(queries=['SELECT "Day", "Shop", "Amount" FROM tiny_sales'])
    recommend(workspace, "tiny_sales", request=by_day_shop, apply=True, now=utc_now())
    request = RecommendRequest(queries=[_BY_MONTH])

    assert _grains(recommend(workspace, "tiny_sales", request=request, now=utc_now())) == [{"Month"}]
    workspace.registry.settings.put(None, "aggregates.create.narrowing.enabled", "false")
    assert recommend(workspace, "tiny_sales", request=request, now=utc_now()).recommendations == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("calendar", "label: Month\n", "label: Month\n    exclude_from_fact_agg: true\n", "`exclude_from_fact_agg`"),
        (
            "catalog",
            "version: 1.6\n",
            "version: 1.6\ndataset_properties: {sales: {allow_aggregates: false}}\n",
            "dataset `sales` has `allow_aggregates: false`",
        ),
    ],
)
def test_what_the_model_keeps_out(
    workspace: Workspace, tmp_path: Path, file: str, old: str, new: str, reason: str
) -> None:
    """An attribute or a dataset is kept out."""
    path = tmp_path / "m" / f"{file}.yml"
    path.write_text(path.read_text().replace(old, new, 1))
    deploy(workspace, tmp_path / "m", now=utc_now())
    report = recommend(workspace, "tiny_sales", request=RecommendRequest(queries=[_BY_MONTH]), now=utc_now())

    assert report.recommendations == ()
    assert [reason in unserved_query.reason for unserved_query in report.unserved] == [True]


def test_nothing_asked_and_what_cannot_be_read(workspace: Workspace) -> None:
    """Without needs there are no recommendations and no scan; an unreadable query is reported."""
    nothing = recommend(workspace, "tiny_sales", now=utc_now())
    report = recommend(workspace, "tiny_sales", request=RecommendRequest(queries=["SELECT 1 +"]), now=utc_now())

    assert (nothing.queries, nothing.recommendations, nothing.scans) == (0, (), 0)
    assert [unserved_query.query for unserved_query in report.unserved] == ["SELECT 1 +"]


def test_from_structure(workspace: Workspace) -> None:
    """Without any history: all metrics of the fact at levels that dashboards are likely to use."""
    report = recommend(workspace, "tiny_sales", request=RecommendRequest(from_structure=True), now=utc_now())

    assert report.source == "structure"
    assert all(
        set(recommendation.definition.metrics) == {"Amount", "Average Amount", "Quantity"}
        for recommendation in report.recommendations
    )
    assert {"Month", "City"} in _grains(report) or any(grain > {"Month", "City"} for grain in _grains(report))


_BUYERS = (
    "unique_name: Buyers\nobject_type: metric\nlabel: Buyers\ncalculation_method: count distinct\ndataset: sales\n"
    "column: shop_id\n"
)


def test_exact_distinct_counts_are_off_unless_allowed(workspace: Workspace, tmp_path: Path) -> None:
    """Where they are allowed, they are stored at the very grain, and answer there only."""
    (tmp_path / "m" / "metric_Buyers.yml").write_text(_BUYERS)
    model = tmp_path / "m" / "model.yml"
    model.write_text(model.read_text().replace("metrics:\n", "metrics:\n  - unique_name: Buyers\n", 1))
    deploy(workspace, tmp_path / "m", now=utc_now())
    by_month = 'SELECT "Month", "Buyers" FROM tiny_sales'
    request = RecommendRequest(queries=[by_month, by_month, 'SELECT "Month", "Amount" FROM tiny_sales'])
    report = recommend(workspace, "tiny_sales", request=request, now=utc_now())
    assert [recommendation.definition.metrics for recommendation in report.recommendations] == [("Amount",)]
    assert "does not roll up" in report.unserved[0].reason

    key = "aggregates.create.allowExactDistinctCountMeasures.enabled"
    workspace.registry.settings.put(None, key, "true")
    report = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now())
    assert report.unserved == ()
    from_facts = sorted(answer(workspace, by_month).rows)
    run_batch(workspace, "tiny_sales", owner=process_owner())
    result = answer(workspace, by_month)
    assert result.plan.uses_aggregates
    assert sorted(result.rows) == from_facts
    assert not answer(workspace, 'SELECT "Buyers" FROM tiny_sales').plan.uses_aggregates


def test_bytes_are_predicted_measured_and_spent(workspace: Workspace) -> None:
    """A budget in bytes counts what the tables take where the warehouse tells, else what was predicted of them."""
    tiny_star.run_sql(
        workspace,
        "INSERT INTO shop SELECT a.day_id * 400 + b.day_id * 20 + c.day_id + 100, "
        "'shop ' || a.day_id || ' ' || b.day_id || ' ' || c.day_id, 'some city' FROM day a, day b, day c",
        "INSERT INTO sales SELECT 3, s.shop_id, 1, 2 FROM shop s, (VALUES (1), (2), (3)) AS v (n)",
        *(("ANALYZE",) if workspace.warehouse.dialect.needs_analyze else ()),
    )
    _put_settings(workspace, create_compression_threshold="1", create_joins_compression="1")
    request = RecommendRequest(queries=[_BY_SHOP], percent=100)
    (recommendation,) = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now()).recommendations
    run_batch(workspace, "tiny_sales", owner=process_owner())
    (evaluation,) = evaluate(workspace, "tiny_sales", now=utc_now()).evaluations
    more = RecommendRequest(queries=[_BY_MONTH], budget_bytes=recommendation.size_bytes // 2)
    report = recommend(workspace, "tiny_sales", request=more, now=utc_now())

    assert report.recommendations == ()
    if workspace.warehouse.dialect.table_bytes is None:
        assert evaluation.record.size_bytes is None
        assert report.budget.spent == pytest.approx(recommendation.size_bytes, rel=0.1)
    else:
        assert evaluation.record.size_bytes == report.budget.spent
        # PostgreSQL makes room for rows to come.
        assert recommendation.size_bytes / 2 < (evaluation.record.size_bytes or 0) < recommendation.size_bytes * 3


@pytest.mark.parametrize("rule", ["yes", "no"])
def test_inner_and_other_joins_are_alike(workspace: Workspace, tmp_path: Path, rule: str) -> None:
    """One aggregate is advised and answers as the facts do, whether the model keeps facts without a shop or not."""
    path = tmp_path / "m" / "shops.yml"
    path.write_text(path.read_text().replace("filter_empty: 'yes'", f"filter_empty: '{rule}'"))
    deploy(workspace, tmp_path / "m", now=utc_now())
    sql = 'SELECT "City", "Quantity" FROM tiny_sales'
    on_facts = sorted(map(str, answer(workspace, sql).rows))
    report = recommend(workspace, "tiny_sales", request=RecommendRequest(queries=[sql]), apply=True, now=utc_now())
    run_batch(workspace, "tiny_sales", owner=process_owner())
    result = answer(workspace, sql)

    assert len(report.recommendations) == 1
    assert result.plan.uses_aggregates
    assert sorted(map(str, result.rows)) == on_facts
    ((total,),) = answer(workspace, 'SELECT "Quantity" FROM tiny_sales').rows
    assert (sum(row[1] for row in result.rows) == total) is (rule == "no")


def _ask_at(workspace: Workspace, sql: str, when: datetime) -> None:
    with QueryRouter(workspace, clock=lambda: when) as router:
        for _ in range(5):
            router.answer(sql)


def test_what_queries_need_no_more_makes_room_once_the_new_one_serves(workspace: Workspace) -> None:
    """A budget of 36 rows holds one of two aggregates of 20: the old one gives way, not before the new one is built."""
    _put_settings(workspace, demandDefined_budgetPercent="1")
    by_day, by_shop = 'SELECT "Day", "Amount" FROM tiny_sales', 'SELECT "Month", "Shop", "Quantity" FROM tiny_sales'
    with QueryRouter(workspace) as router:
        for _ in range(5):
            router.answer(by_day)
    (old,) = recommend(workspace, "tiny_sales", apply=True, now=utc_now()).recommendations
    run_batch(workspace, "tiny_sales", owner=process_owner())
    soon, later = utc_now() + timedelta(days=1), utc_now() + timedelta(days=60)
    for when in (soon, later):
        _ask_at(workspace, by_shop, when)

    assert recommend(workspace, "tiny_sales", apply=True, now=soon).recommendations == (), "the old one is new"
    report = recommend(workspace, "tiny_sales", apply=True, now=later)
    (new,) = report.recommendations
    assert dict(report.giving_way) == {old.definition.name: new.definition.name}
    assert answer(workspace, by_day).plan.sources[0].definition_id == old.definition.id
    run_batch(workspace, "tiny_sales", owner=process_owner())
    assert answer(workspace, by_shop).plan.sources[0].definition_id == new.definition.id
    record = workspace.read.definitions.get(old.definition.id)
    assert (record.status, record.status_reason.startswith(f"superseded by `{new.definition.name}`")) == (
        "retired",
        True,
    )


def test_nobody_gives_way_where_there_is_room(workspace: Workspace) -> None:
    """Retention takes care of what is not used; until then it costs a build only."""
    _run_queries(workspace)
    recommendations = recommend(workspace, "tiny_sales", apply=True, now=utc_now()).recommendations
    run_batch(workspace, "tiny_sales", owner=process_owner())
    later = utc_now() + timedelta(days=60)
    with QueryRouter(workspace, clock=lambda: later) as router:
        for _ in range(9):
            router.answer('SELECT "Day", "Quantity" FROM tiny_sales')
    report = recommend(workspace, "tiny_sales", apply=True, now=later)

    assert recommendations
    assert report.recommendations
    assert dict(report.giving_way) == {}
