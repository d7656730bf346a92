"""Queries are answered from aggregates or from the facts. Plans are kept by the shape of a query. All is logged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.errors import (
    AtScaleAggsError,
    PermanentWarehouseError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.stars import standing_star
from tests.support.stars.standing_star import (
    LATER,
    NOW,
    build,
    definition,
    model_id,
    put_settings,
    rows_of,
    run_sql,
    serving,
)

_BY_CITY = 'SELECT "City", "Amount" FROM tiny_sales'
_NORTH = 'SELECT "Amount" FROM tiny_sales WHERE "City" = \'North\''
_ROWS = [("North", 555), ("South", 292.5), (None, 302.5)]
"""By hand: 20 sales in the North, 10 in the South, 10 in a shop that has no city."""


class _Clock:
    """The moment that a router takes for now."""

    def __init__(self) -> None:
        self.now = LATER

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let some time pass."""
        self.now += timedelta(seconds=seconds)


def _log(workspace: Workspace) -> list[QueryRecord]:
    """The queries that were logged, the oldest first."""
    return list(reversed(workspace.read.queries.find(model_id(workspace))))


def test_an_answer_tells_where_it_comes_from(asked_star: Workspace) -> None:
    answered = answer(asked_star, _BY_CITY)

    assert answered.columns == ("City", "Amount")
    assert sorted(answered.rows, key=str) == _ROWS
    assert [source.aggregate for source in answered.planned] == ["by_city"]
    assert (answered.planned, answered.fallback_reason, answered.log_loss) == (answered.plan.sources, "", "")


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ('SELECT "Amount" FROM tiny_sales WHERE "City" = ?', ["North"]),
        ('SELECT "Amount" FROM tiny_sales WHERE "City" = %(city)s', {"city": "North"}),
        ('SELECT "Amount" FROM tiny_sales WHERE "City" = $1', ["North"]),
        (_NORTH, None),
    ],
)
def test_values_are_bound_to_their_marks(
    asked_star: Workspace, sql: str, parameters: list[object] | dict[str, object] | None
) -> None:
    assert answer(asked_star, sql, parameters=parameters).rows == [(555,)]
    assert explain(asked_star, sql, parameters=parameters).uses_aggregates


def test_an_explanation_runs_nothing_and_tells_the_others(asked_star: Workspace) -> None:
    before = len(_log(asked_star))

    plan = explain(asked_star, _BY_CITY, estimate=False)

    assert [source.aggregate for source in plan.sources] == ["by_city"]
    assert [(c.aggregate, c.miss) for c in plan.candidates[0]] == [("by_day_and_shop", Miss.DEARER)]
    assert plan.verdict(0) == "`by_city` answers, with 4 rows, instead of `sales`."
    assert len(_log(asked_star)) == before


def test_a_query_may_be_answered_from_the_facts_on_demand(asked_star: Workspace) -> None:
    answered = answer(asked_star, _BY_CITY, use_aggregates=False)

    assert sorted(answered.rows, key=str) == _ROWS
    assert not answered.plan.uses_aggregates
    assert not answer(asked_star, _BY_CITY, max_staleness=timedelta(0)).plan.uses_aggregates


def test_when_an_aggregate_cannot_be_read_the_facts_answer(built_star: Workspace) -> None:
    """Its table was dropped after the query was planned."""
    with QueryRouter(built_star, clock=_Clock()) as router:
        router.answer(_BY_CITY)
        run_sql(built_star, f'DROP TABLE aggs."{serving(built_star, "by_city").table}" CASCADE')
        answered = router.answer(_BY_CITY)

    assert sorted(answered.rows, key=str) == _ROWS
    assert [source.aggregate for source in answered.planned] == ["by_city"]
    assert [source.aggregate for source in answered.plan.sources] == [None]
    assert "by_city" in answered.fallback_reason
    last = _log(built_star)[-1]
    assert ([s.aggregate for s in last.planned], [s.aggregate for s in last.actual]) == (["by_city"], [""])
    assert last.fallback_reason == answered.fallback_reason


def test_a_setting_that_has_changed_since_the_plan_leads_to_the_facts(built_star: Workspace) -> None:
    """As after a change of a role's default: an aggregate of texts may hold other groups than they would be now."""
    with QueryRouter(built_star, clock=_Clock()) as router:
        assert router.plan(_BY_CITY).uses_aggregates
        run_sql(built_star, "SET GLOBAL default_collation = 'nocase'")
        answered = router.answer(_BY_CITY)

    assert answered.fallback_reason == "default_collation of its session was `` and is now `nocase`"
    assert sorted(answered.rows, key=str) == _ROWS
    assert not answered.plan.uses_aggregates


def test_an_aggregate_is_read_under_the_settings_that_it_relies_on(tmp_path: Path) -> None:
    """Another session would see other groups in its texts."""
    with standing_star.open_standing(tmp_path, standing_star.build_aggregates) as workspace:
        with QueryRouter(workspace, clock=_Clock()) as router:
            plan = router.plan(_BY_CITY)
            assert [dict(source.relies_on) for source in plan.sources] == [{"default_collation": ""}]
        registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    warehouse = f"duckdb:///{tmp_path / 'w.duckdb'}?threads=1&default_collation=nocase"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as other:
        assert not answer(other, _BY_CITY).plan.uses_aggregates


def test_what_the_warehouse_refuses_is_told_as_it_says_it(asked_star: Workspace) -> None:
    with pytest.raises(PermanentWarehouseError, match="nothing"):
        answer(asked_star, "SELECT nothing FROM shop")


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("DESCRIBE nothing", UnreadableQueryError, "duckdb says: "),
        ("DESCRIBE tiny_sales", UnsupportedQueryError, "`tiny_sales` is a model.*Read information_schema.columns"),
        ("SHOW tiny_sales", UnsupportedQueryError, "Read information_schema.columns, which shows models"),
        ("SUMMARIZE tiny_sales", UnsupportedQueryError, "Write it as a SELECT on the model"),
        ("PIVOT tiny_sales ON City", UnsupportedQueryError, "SUM.CASE WHEN attribute = value"),
    ],
)
def test_statements_that_are_no_select_are_refused_on_a_model(
    asked_star: Workspace, sql: str, error: type[AtScaleAggsError], message: str
) -> None:
    with pytest.raises(error, match=message):
        answer(asked_star, sql)


@pytest.mark.parametrize(
    ("sql", "is_refused"), [("DESCRIBE tiny_sales", True), ("DESCRIBE shop", False), ("DESCRIBE nothing", False)]
)
def test_what_is_no_select_on_a_model_is_not_explained(asked_star: Workspace, sql: str, *, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(UnsupportedQueryError, match="`DESCRIBE` is not answered: `tiny_sales` is a model"):
            explain(asked_star, sql)
    else:
        assert explain(asked_star, sql).sql == sql


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def router(built_star: Workspace, clock: _Clock) -> Iterator[QueryRouter]:
    with QueryRouter(built_star, user="ann", clock=clock) as router:
        yield router


def test_a_plan_serves_all_queries_of_a_shape(router: QueryRouter) -> None:
    """Only their values differ."""
    north = router.answer(_NORTH)
    south = router.answer(_NORTH.replace("North", "South"))
    quoted = router.answer(_NORTH.replace("North", "O''Hara"))

    assert ([north.rows, south.rows], quoted.rows) == ([[(555,)], [(292.5,)]], [(None,)])
    assert south.plan.sources is north.plan.sources
    assert south.plan.sql == north.plan.sql.replace("North", "South")
    other = router.answer(_NORTH, use_aggregates=False)
    assert other.plan.sources is not north.plan.sources


def test_a_plan_is_made_anew_when_the_registry_has_changed(
    built_star: Workspace, router: QueryRouter, clock: _Clock
) -> None:
    assert router.plan(_NORTH).uses_aggregates
    for name in ("by_city", "by_day_and_shop"):
        identity = definition(built_star, name).definition.id
        built_star.registry.definitions.set_status(
            [identity], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=NOW
        )
    # The registry is looked at once a second.
    assert router.plan(_NORTH).uses_aggregates

    clock.pass_by(1)

    assert not router.plan(_NORTH).uses_aggregates


def test_a_plan_is_made_anew_when_a_name_means_something_else(
    built_star: Workspace, router: QueryRouter, clock: _Clock
) -> None:
    assert router.plan(_NORTH).uses_aggregates
    run_sql(built_star, 'CREATE TABLE tiny_sales AS SELECT \'North\' AS "City", 7 AS "Amount"')
    assert router.answer(_NORTH).rows == [(555,)]

    clock.pass_by(61)

    assert router.answer(_NORTH).rows == [(7,)]
    assert router.plan(_NORTH).meant[0].startswith("`tiny_sales` is the warehouse's table.")


def test_plans_can_be_forgotten(router: QueryRouter) -> None:
    before = router.plan(_NORTH).sources
    assert router.plan(_NORTH).sources is before

    router.forget_plans()

    assert router.plan(_NORTH).sources is not before


def test_reasons_quote_a_query_with_its_own_values(router: QueryRouter) -> None:
    sql = "SELECT city FROM shop WHERE shop_name = 'South'"

    assert router.plan(sql.replace("South", "North 1")).untouched == (
        f"`{sql.replace('South', 'North 1')}`: it shows rows, not groups of rows.",
    )
    assert router.plan(sql).untouched == (f"`{sql}`: it shows rows, not groups of rows.",)


def test_an_error_quotes_the_query_as_it_was_written(router: QueryRouter) -> None:
    with pytest.raises(AtScaleAggsError, match=r"has no attribute or metric `Citi` .*'North'"):
        router.answer(_NORTH.replace("City", "Citi"))


def test_queries_are_logged_without_their_values(built_star: Workspace, router: QueryRouter) -> None:
    router.answer(_NORTH)
    router.answer(_NORTH.replace("North", "South"), use_aggregates=False)
    router.answer("SELECT 1 AS x")
    assert _log(built_star) == []
    router.close()

    first, second = _log(built_star)
    assert first.fingerprint == second.fingerprint
    assert (first.keys, first.metrics, first.predicates, first.rows) == ((), ("Amount",), ("City",), 1)
    assert "North" not in repr(first)
    assert (first.user, first.asked_at, first.weight) == ("ann", LATER, 1)
    city = definition(built_star, "by_city").definition.id
    assert [(s.aggregate, s.definition_id, s.rows, s.fact_rows) for s in first.actual] == [("by_city", city, 4, 60)]
    assert [(s.aggregate, s.definition_id) for s in second.actual] == [("", "")]
    assert router.log_loss == ""


def test_a_log_that_is_due_is_written_with_the_next_query(
    built_star: Workspace, router: QueryRouter, clock: _Clock
) -> None:
    router.answer(_NORTH)
    clock.pass_by(5)
    router.answer(_NORTH)

    assert len(_log(built_star)) == 2


@pytest.mark.parametrize(
    ("settings", "shapes"),
    [
        pytest.param({"history": False}, [], id="nothing"),
        pytest.param({"history_literals": True}, [_NORTH, _NORTH.replace("North", "South")], id="with values"),
    ],
)
def test_settings_decide_what_is_logged(built_star: Workspace, settings: dict[str, bool], shapes: list[str]) -> None:
    put_settings(built_star, **settings)

    with QueryRouter(built_star, clock=_Clock()) as router:
        router.answer(_NORTH)
        router.answer(_NORTH.replace("North", "South"))

    assert [record.shape for record in _log(built_star)] == shapes


def test_plain_sql_is_logged_when_a_model_could_answer_it(built_star: Workspace, router: QueryRouter) -> None:
    router.answer("SELECT s.city, SUM(f.amount) AS a FROM sales AS f JOIN shop AS s USING (shop_id) GROUP BY 1")
    router.answer("SELECT city FROM shop")
    router.close()

    (record,) = _log(built_star)
    assert (record.keys, record.metrics, [source.aggregate for source in record.actual]) == (
        ("City",),
        ("Amount",),
        ["by_city"],
    )


def test_a_new_batch_answers_with_new_facts(built_star: Workspace, router: QueryRouter, clock: _Clock) -> None:
    assert router.answer(_NORTH).rows == [(555,)]
    run_sql(built_star, "INSERT INTO sales VALUES (1, 1, 1, 1000)")
    build(built_star, now=LATER)
    clock.pass_by(1)

    assert router.answer(_NORTH).rows == [(1555,)]
    assert rows_of(built_star, "SELECT COUNT(*) FROM sales") == [(61,)]
