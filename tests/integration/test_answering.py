"""Queries through the public life cycle on DuckDB and PostgreSQL: what serves, what does not any more, what is
remembered.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy

from airflow_atscale_aggs.engine.errors import (
    AmbiguousColumnError,
    NotRegisteredError,
    PermanentWarehouseError,
    QueryError,
    RegistryUnavailableError,
    UnknownColumnError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.stars import tiny_star

_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'North\''


def _now() -> datetime:
    return datetime.now(UTC)


def _model_id(workspace: Workspace) -> str:
    return workspace.read.models.get("tiny_sales").id


def test_a_dropped_table_falls_back_and_is_told(workspace: Workspace) -> None:
    """The record has both sources; the use is not counted for the aggregate."""
    wanted = answer(workspace, _BY_CITY, use_aggregates=False).rows
    router = QueryRouter(workspace)
    plan = router.plan(_BY_CITY)
    (instance,) = [
        instance
        for instance in workspace.read.instances.serving(_model_id(workspace))
        if instance.id == plan.sources[0].instance_id
    ]
    tiny_star.run_sql(workspace, *(f'DROP VIEW "aggs"."{instance.step.view}"', f'DROP TABLE "aggs"."{instance.table}"'))

    result = router.answer(_BY_CITY)
    router.close()

    assert result.rows == wanted
    assert (result.planned[0].aggregate, result.plan.sources[0].aggregate) == ("by_city", None)
    assert str(instance.table) in result.fallback_reason
    record = workspace.read.queries.find(_model_id(workspace))[0]
    assert (record.planned[0].aggregate, record.actual[0].aggregate) == ("by_city", "")
    assert record.fallback_reason == result.fallback_reason
    assert workspace.read.queries.usages(_model_id(workspace)) == ()


def test_an_error_on_the_facts_is_an_error(workspace: Workspace) -> None:
    """There is nothing to fall back to."""
    tiny_star.run_sql(workspace, "DROP TABLE sales CASCADE")

    with pytest.raises((PermanentWarehouseError, UnsupportedQueryError)):
        answer(workspace, _BY_CITY, use_aggregates=False)


def test_aggregates_of_another_model_version_do_not_serve(workspace: Workspace, tmp_path: Path) -> None:
    """The city is another column now: the old tables hold something else under its name, until they are built anew."""
    folder = tmp_path / "model"
    shops = folder / "shops.yml"
    shops.write_text(
        shops.read_text(encoding="utf-8").replace("[city]", "[shop_name]").replace("n: city", "n: shop_name")
    )
    deploy(workspace, folder, now=_now())

    query = 'SELECT "City", "Amount" FROM tiny.tiny_sales ORDER BY 1'
    plan = explain(workspace, query)
    result = answer(workspace, query)

    # What has the shop itself is joined back to today's cities.
    assert plan.sources[0].aggregate == "by_day_and_shop"
    blocked = {candidate.aggregate for candidate in plan.candidates[0] if candidate.miss is Miss.OTHER_VERSION}
    assert blocked == {"by_city", "by_month_and_city"}
    assert [row[0] for row in result.rows] == ["Closed", "North 1", "North 2", "South"]
    assert result.rows == answer(workspace, query, use_aggregates=False).rows
    run_batch(workspace, "tiny_sales", owner="test")
    assert answer(workspace, query).plan.sources[0].aggregate == "by_city"
    assert answer(workspace, query).rows == result.rows


def test_a_new_label_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """What the tables hold is the same."""
    shops = tmp_path / "model" / "shops.yml"
    shops.write_text(shops.read_text(encoding="utf-8").replace("label: City", "label: Town"))
    deploy(workspace, tmp_path / "model", now=_now())

    result = answer(workspace, 'SELECT "Town", "Amount" FROM tiny.tiny_sales WHERE "Town" = \'North\'')

    assert (result.plan.sources[0].aggregate, result.columns, len(result.rows)) == ("by_city", ("Town", "Amount"), 1)


def test_old_aggregates_are_not_used_where_the_query_is_strict(workspace: Workspace) -> None:
    """The bound is compared with the moment when the build began."""
    with QueryRouter(workspace, clock=lambda: _now() + timedelta(hours=2)) as router:
        strict = router.plan(_BY_CITY, max_staleness=timedelta(hours=1))
        easy = router.plan(_BY_CITY, max_staleness=timedelta(hours=3))
        why = router.explain(_BY_CITY, max_staleness=timedelta(hours=1)).candidates[0]

    assert (strict.sources[0].aggregate, easy.sources[0].aggregate) == (None, "by_city")
    assert why[0].miss is Miss.STALE


def test_a_router_sees_what_is_activated_and_deployed(workspace: Workspace, tmp_path: Path) -> None:
    """It reads the registry again when the registry's version changes."""
    moments = iter(_now() + timedelta(minutes=number) for number in range(100))
    with QueryRouter(workspace, clock=lambda: next(moments)) as router:
        before = router.plan(_BY_CITY).sources[0].instance_id
        run_batch(workspace, "tiny_sales", owner="test")
        after = router.plan(_BY_CITY).sources[0].instance_id
        tiny_star.write_model(tmp_path / "model", {"by_month": (("Month",), ("Quantity",))})
        deploy(workspace, tmp_path / "model", now=_now())
        retired = router.plan(_BY_CITY).sources[0].aggregate

    assert before != after
    # What left the model serves on until the next batch.
    assert retired == "by_city"


def test_a_duplicated_key_is_noticed_when_proofs_are_old(workspace: Workspace) -> None:
    """A shop that stands twice would count its sales twice."""
    moment = _now()
    query = 'SELECT "Shop", "Quantity" FROM tiny.tiny_sales'
    with QueryRouter(workspace, clock=lambda: moment) as router:
        before = router.answer(query, use_aggregates=False).rows
        tiny_star.run_sql(workspace, "INSERT INTO shop SELECT * FROM shop WHERE shop_id = 1")
        moment += timedelta(hours=1)
        after = router.answer(query, use_aggregates=False).rows

    assert sorted(after) == sorted(before)


def test_three_answers_to_why_it_is_not_used(workspace: Workspace, tmp_path: Path) -> None:
    """It is not defined, not built, or does not match; then the smallest change is named, with its rows."""
    explanation = explain(workspace, 'SELECT "City", "Day", "Average Amount" FROM tiny.tiny_sales')
    assert explanation.verdict(0).startswith("`by_day_and_shop` answers, with 60 rows")
    remaining = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_month")}
    deploy(workspace, tiny_star.write_model(tmp_path / "model", remaining), now=_now())
    run_batch(workspace, "tiny_sales", owner="test")
    missed = explain(workspace, 'SELECT "Month", "Quantity" FROM tiny.tiny_sales WHERE "City" = \'North\'')
    nearest, other = missed.candidates[0]
    assert "none of them matches" in missed.verdict(0)
    assert (nearest.aggregate, nearest.miss, nearest.missing) == ("by_month", Miss.FILTER_NOT_STORED, ("City",))
    assert (nearest.change, nearest.rows) == ("add attribute `City` to `by_month`", 4)
    assert nearest.extra_rows is not None
    assert 6 <= nearest.extra_rows <= 14
    assert (other.aggregate, other.miss) == ("by_city", Miss.ATTRIBUTE_NOT_STORED)
    assert other.change == "add attribute `Month`, metric `Quantity` to `by_city`"
    tiny_star.write_model(tmp_path / "model", {"new": (("City",), ("Quantity",))})
    deploy(workspace, tmp_path / "model", now=_now())
    with workspace.registry.database.writing() as connection:
        connection.execute(sqlalchemy.text("UPDATE atscale_aggs_instances SET status = 'superseded'"))
        connection.execute(sqlalchemy.text("UPDATE atscale_aggs_models SET change_counter = change_counter + 1"))
    assert "defined for them, but not built" in explain(workspace, _BY_CITY).verdict(0)
    with workspace.registry.database.writing() as connection:
        connection.execute(sqlalchemy.text("UPDATE atscale_aggs_definitions SET status = 'retired'"))
    assert "no aggregate is defined" in explain(workspace, _BY_CITY).verdict(0)


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ('SELECT "Cty" FROM tiny.tiny_sales', UnknownColumnError, "Did you mean `City`"),
        ('SELECT "City" FROM tiny.tiny_sale', NotRegisteredError, "tiny_sales"),
        ("SELECT FROM WHERE", UnreadableQueryError, "cannot be read"),
        ("DELETE FROM tiny.tiny_sales", UnreadableQueryError, "only queries"),
        ("SELECT 1; SELECT 2", UnreadableQueryError, "2 statements"),
        ("SELECT * FROM tiny.tiny_sales", UnsupportedQueryError, "`*` is not answered"),
        ('SELECT "City" FROM tiny.tiny_sales WHERE "Amount" > 1', UnsupportedQueryError, 'WHERE "Amount" > 1'),
        ('SELECT AVG(DISTINCT "Amount") FROM tiny.tiny_sales', UnsupportedQueryError, 'AVG(DISTINCT "Amount")'),
        ('SELECT SUM("City") FROM tiny.tiny_sales', UnsupportedQueryError, 'SUM("City")'),
        (
            'SELECT "Amount" FROM tiny.tiny_sales GROUP BY ROLLUP ("Amount")',
            UnsupportedQueryError,
            "an aggregated value",
        ),
        ('SELECT "City", "Amount" FROM tiny.tiny_sales ORDER BY "Month"', UnsupportedQueryError, '"Month"'),
        ('SELECT "City", "Amount" FROM tiny.tiny_sales ORDER BY 3', UnsupportedQueryError, "position 3 of 2"),
        ('SELECT "Amount" FROM tiny.tiny_sales HAVING "City" = \'x\'', UnsupportedQueryError, "neither selected"),
        (
            'SELECT "City" FROM tiny.tiny_sales GROUP BY RANK() OVER (ORDER BY "City")',
            UnsupportedQueryError,
            "subquery",
        ),
        (
            (
                'SELECT "Amount" FROM tiny.tiny_sales WHERE EXISTS (SELECT 1 FROM tiny.tiny_sales t '
                'WHERE t."City" = tiny_sales."City")'
            ),
            UnsupportedQueryError,
            "depends on a row around it",
        ),
        ('SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = :city', UnsupportedQueryError, "parameter"),
        ('SELECT "City", "Amount" FROM tiny.tiny_sales LIMIT 1 + 1', UnsupportedQueryError, "1 + 1"),
        ('SELECT my_function("City"), "Amount" FROM tiny.tiny_sales', UnsupportedQueryError, "not known"),
        ('SELECT shop."City", "Amount" FROM tiny.tiny_sales', UnsupportedQueryError, "`shop` is not the model"),
    ],
)
def test_what_is_not_answered_is_refused_with_its_clause(
    workspace: Workspace, sql: str, kind: type[Exception], message: str
) -> None:
    """The error is ours and names the clause."""
    assert issubclass(kind, QueryError) or kind is NotRegisteredError
    with pytest.raises(kind) as caught:
        answer(workspace, sql)

    assert message in str(caught.value)


def test_names_that_mean_several_things_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    """Two attributes have one label."""
    shops = tmp_path / "model" / "shops.yml"
    shops.write_text(
        shops.read_text(encoding="utf-8")
        .replace("label: City", "label: Place")
        .replace("label: Shop\n", "label: Place\n")
    )
    deploy(workspace, tmp_path / "model", now=_now())

    with pytest.raises(AmbiguousColumnError, match="attribute `City` of dimension `Shops`"):
        answer(workspace, 'SELECT "Place", "Amount" FROM tiny.tiny_sales')


def test_a_model_with_row_security_is_not_asked(workspace: Workspace, tmp_path: Path) -> None:
    """Nobody's rows are shown to somebody else, from facts or from aggregates."""
    (tmp_path / "model" / "own_shops.yml").write_text(
        "unique_name: own_shops\nobject_type: row_security\nlabel: Own shops\ndataset: shop\nfilter_key_column: city\n"
        "ids_column: shop_name\nid_type: user\nscope: all\n",
        encoding="utf-8",
    )
    deploy(workspace, tmp_path / "model", now=_now())

    with pytest.raises(UnsupportedQueryError, match="row security `own_shops` is not applied"):
        answer(workspace, _BY_CITY)


def test_a_renamed_member_is_new_where_it_is_joined_back_and_old_where_it_is_stored(workspace: Workspace) -> None:
    """A dimension that changed after the build: aggregates show it as it was until they are built again."""
    tiny_star.run_sql(workspace, "UPDATE shop SET city = 'West' WHERE city = 'South'")
    stored = answer(workspace, 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'South\'')
    joined = answer(workspace, 'SELECT "City", "Day", "Amount" FROM tiny.tiny_sales WHERE "City" = \'West\'')
    fresh = answer(workspace, 'SELECT "City", "Amount" FROM tiny.tiny_sales', max_staleness=timedelta(0))

    assert (stored.plan.sources[0].aggregate, len(stored.rows)) == ("by_city", 1)
    assert (joined.plan.sources[0].aggregate, len(joined.rows) > 1) == ("by_day_and_shop", True)
    assert "West" in {row[0] for row in fresh.rows}
    run_batch(workspace, "tiny_sales", owner="test")
    assert answer(workspace, 'SELECT "Amount" FROM tiny.tiny_sales WHERE "City" = \'South\'').rows == [(None,)]


def test_an_empty_build_answers_as_empty_facts_do(workspace: Workspace) -> None:
    """There are no groups; a query without attributes has one row with counts of 0 and sums of NULL."""
    tiny_star.run_sql(workspace, "DELETE FROM sales")
    run_batch(workspace, "tiny_sales", owner="test")

    for query, rows in (
        ('SELECT "City", "Amount" FROM tiny.tiny_sales', []),
        ('SELECT "Amount", "Average Amount", COUNT(*) FROM tiny.tiny_sales', [(None, None, 0)]),
    ):
        routed = answer(workspace, query)
        assert routed.plan.uses_aggregates
        assert routed.rows == answer(workspace, query, use_aggregates=False).rows == rows


def test_one_plan_serves_all_values_of_a_shape(workspace: Workspace) -> None:
    """It does not serve where a value changes the plan."""
    with QueryRouter(workspace) as router:
        for city in ("North", "South", "it''s", "North' OR 'a' = 'a"):
            sql = f'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'{city}\''
            assert router.answer(sql).rows == answer(workspace, sql).rows
        # The last one has one value twice, and is planned by itself: its values belong together.
        assert len(router._plans) == 1
        for limit in (1, 2):
            rows = router.answer(f'SELECT "Shop", "Quantity" FROM tiny.tiny_sales ORDER BY 1 LIMIT {limit}').rows
            assert len(rows) == limit
        sums = [
            router.answer(f'SELECT "Quantity" * {factor} AS q FROM tiny.tiny_sales WHERE 1 = {truth}').rows[0][0]
            for factor, truth in ((1, 1), (2, 1), (1, 0))
        ]
        assert (sums[1], sums[2]) == (2 * sums[0], None)
        with pytest.raises(UnsupportedQueryError, match='"Amount" > 12345'):
            router.answer('SELECT "City" FROM tiny.tiny_sales WHERE "Amount" > 12345')


def test_other_dialects_are_read(workspace: Workspace) -> None:
    """Backticks of BigQuery and brackets of T-SQL quote names."""
    bigquery = answer(
        workspace, "SELECT `City`, `Amount` FROM tiny.tiny_sales WHERE `City` = 'North'", dialect="bigquery"
    )
    tsql = answer(workspace, "SELECT [City], [Amount] FROM tiny.tiny_sales WHERE [City] = 'North'", dialect="tsql")

    assert bigquery.rows == tsql.rows == answer(workspace, _BY_CITY).rows
    with pytest.raises(UnreadableQueryError, match="no SQL dialect `klingon`"):
        answer(workspace, _BY_CITY, dialect="klingon")


def test_a_registry_that_is_away_breaks_no_query(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A router answers on by what it knows, from aggregates too, for some minutes; then it says what is missing."""
    moment = _now()
    nowhere = sqlalchemy.create_engine("postgresql+psycopg://127.0.0.1:1/nowhere")
    with QueryRouter(workspace, clock=lambda: moment) as router:
        wanted = router.answer(_BY_CITY).rows
        with monkeypatch.context() as patch:
            patch.setattr(workspace.registry.database, "engine", nowhere)
            moment += timedelta(minutes=2)
            result = router.answer(_BY_CITY)
            moment += timedelta(minutes=4)
            with pytest.raises(RegistryUnavailableError):
                router.answer(_BY_CITY)
        again = router.answer(_BY_CITY)

    assert result.rows == again.rows == wanted
    assert result.plan.uses_aggregates
