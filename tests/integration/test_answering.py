"""Queries through the public life cycle on DuckDB and PostgreSQL: what serves, what does not any more, what is
remembered.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

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
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.query.query_log import BATCH, QueryHistory
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.stars import tiny_star

_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'North\''


def _now() -> datetime:
    return datetime.now(UTC)


def _model_id(workspace: Workspace) -> str:
    return workspace.read.models.get("tiny_sales").id


def test_a_query_is_remembered_without_its_values(workspace: Workspace) -> None:
    """Fingerprint, names, source, rows; the city that was asked for is nobody's business."""
    answer(workspace, _BY_CITY, user="ann")
    answer(workspace, _BY_CITY.replace("North", "South"), use_aggregates=False)

    later, first = workspace.read.queries.find(_model_id(workspace))
    assert first.fingerprint == later.fingerprint
    assert (first.keys, first.metrics, first.predicates) == (("City",), ("Amount",), ("City",))
    assert (first.user, first.rows, first.weight, first.fallback_reason) == ("ann", 1, 1, "")
    assert [source.aggregate for source in (*first.actual, *later.actual)] == ["by_city", ""]
    assert "North" not in repr(first)
    (usage,) = workspace.read.queries.usages(_model_id(workspace))
    assert (usage.uses, usage.fact) == (1, "sales")
    answer(workspace, _BY_CITY)
    assert workspace.read.queries.usages(_model_id(workspace))[0].uses == 2


def test_conditions_of_metrics_are_remembered(workspace: Workspace) -> None:
    """An aggregate for such queries needs the attribute as well."""
    answer(workspace, """SELECT "Month", SUM("Amount") FILTER (WHERE "City" = 'North') AS north FROM tiny.tiny_sales""")

    (asked,) = workspace.read.queries.find(_model_id(workspace))
    assert (asked.keys, asked.metrics, asked.predicates) == (("Month",), ("Amount",), ("City",))
    assert [source.aggregate for source in asked.actual] == ["by_month_and_city"]


def test_values_are_kept_where_a_setting_says_so(workspace: Workspace) -> None:
    """And nothing at all where another says so."""
    model_id = _model_id(workspace)
    workspace.registry.settings.put(model_id, "query.history.literals", "true")
    answer(workspace, _BY_CITY)
    assert "'North'" in workspace.read.queries.find(model_id)[0].shape
    workspace.registry.settings.put(model_id, "query.history.enabled", "false")
    answer(workspace, _BY_CITY)
    assert len(workspace.read.queries.find(model_id)) == 1


def test_a_dropped_table_falls_back_and_is_told(workspace: Workspace) -> None:
    """The record has both sources; the use is not counted for the aggregate."""
    wanted = answer(workspace, _BY_CITY, use_aggregates=False).rows
    router = QueryRouter(workspace)
    plan = router.plan(_BY_CITY)
    (instance,) = [
        one for one in workspace.read.instances.serving(_model_id(workspace)) if one.id == plan.sources[0].instance_id
    ]
    tiny_star.run_sql(workspace, *(f'DROP VIEW "aggs"."{instance.step.view}"', f'DROP TABLE "aggs"."{instance.table}"'))

    found = router.answer(_BY_CITY)
    router.close()

    assert found.rows == wanted
    assert (found.planned[0].aggregate, found.plan.sources[0].aggregate) == ("by_city", None)
    assert str(instance.table) in found.fallback_reason
    record = workspace.read.queries.find(_model_id(workspace))[0]
    assert (record.planned[0].aggregate, record.actual[0].aggregate) == ("by_city", "")
    assert record.fallback_reason == found.fallback_reason
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
    found = answer(workspace, query)

    # What has the shop itself is joined back to today's cities.
    assert plan.sources[0].aggregate == "by_day_and_shop"
    blocked = {one.aggregate for one in plan.candidates[0] if one.miss is Miss.OTHER_VERSION}
    assert blocked == {"by_city", "by_month_and_city"}
    assert [row[0] for row in found.rows] == ["Closed", "North 1", "North 2", "South"]
    assert found.rows == answer(workspace, query, use_aggregates=False).rows
    run_batch(workspace, "tiny_sales", owner="test")
    assert answer(workspace, query).plan.sources[0].aggregate == "by_city"
    assert answer(workspace, query).rows == found.rows


def test_a_new_label_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """What the tables hold is the same."""
    shops = tmp_path / "model" / "shops.yml"
    shops.write_text(shops.read_text(encoding="utf-8").replace("label: City", "label: Town"))
    deploy(workspace, tmp_path / "model", now=_now())

    found = answer(workspace, 'SELECT "Town", "Amount" FROM tiny.tiny_sales WHERE "Town" = \'North\'')

    assert (found.plan.sources[0].aggregate, found.columns, len(found.rows)) == ("by_city", ("Town", "Amount"), 1)


def test_old_aggregates_are_not_used_where_the_query_is_strict(workspace: Workspace) -> None:
    """The bound is compared with the moment when the build began."""
    with QueryRouter(workspace, clock=lambda: _now() + timedelta(hours=2)) as router:
        strict = router.plan(_BY_CITY, max_staleness=timedelta(hours=1))
        easy = router.plan(_BY_CITY, max_staleness=timedelta(hours=3))
        why = router.explain(_BY_CITY, max_staleness=timedelta(hours=1)).candidates[0]

    assert (strict.sources[0].aggregate, easy.sources[0].aggregate) == (None, "by_city")
    assert why[0].miss is Miss.STALE


def test_a_router_sees_what_is_activated_and_deployed(workspace: Workspace, tmp_path: Path) -> None:
    """Its knowledge ends with the registry's version."""
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
    """Nothing defined, defined but not built, built but not matching; with the smallest change and its rows."""
    built = explain(workspace, 'SELECT "City", "Day", "Average Amount" FROM tiny.tiny_sales')
    assert built.verdict(0).startswith("`by_day_and_shop` answers, with 60 rows")
    kept = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_month")}
    deploy(workspace, tiny_star.write_model(tmp_path / "model", kept), now=_now())
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
    ("sql", "kind", "told"),
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
            'SELECT "Amount" FROM tiny.tiny_sales WHERE EXISTS (SELECT 1 FROM tiny.tiny_sales t WHERE t."City" = tiny_sales."City")',
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
    workspace: Workspace, sql: str, kind: type[Exception], told: str
) -> None:
    """Never a guess, never a driver's error."""
    assert issubclass(kind, QueryError) or kind is NotRegisteredError
    with pytest.raises(kind) as caught:
        answer(workspace, sql)

    assert told in str(caught.value)


def test_names_that_mean_several_things_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    """Two labels are one."""
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

    with pytest.raises(UnsupportedQueryError, match="has row security"):
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
    """No groups; one row without a group, its counts 0 and its sums NULL."""
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
    """And not where a value means something to whoever plans."""
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
    """Backticks of BigQuery, brackets of T-SQL."""
    bigquery = answer(
        workspace, "SELECT `City`, `Amount` FROM tiny.tiny_sales WHERE `City` = 'North'", dialect="bigquery"
    )
    tsql = answer(workspace, "SELECT [City], [Amount] FROM tiny.tiny_sales WHERE [City] = 'North'", dialect="tsql")

    assert bigquery.rows == tsql.rows == answer(workspace, _BY_CITY).rows
    with pytest.raises(UnreadableQueryError, match="no SQL dialect `klingon`"):
        answer(workspace, _BY_CITY, dialect="klingon")


def test_the_log_is_written_in_batches_and_sampled_under_load(workspace: Workspace) -> None:
    """Thousand queries in a burst are some records that stand for most of them; a broken registry loses no query."""
    history = QueryHistory(workspace.registry)
    moment = _now()
    answer(workspace, _BY_CITY)
    (one,) = workspace.read.queries.find(_model_id(workspace))
    for _ in range(1000):
        history.add(one)
    assert workspace.read.queries.find(_model_id(workspace)) == (one,)
    history.write(Settings(), now=moment)

    records = workspace.read.queries.find(_model_id(workspace))[: -1 or None]
    assert len(records) < 300
    assert sum(record.weight for record in records) >= 990
    _forget(workspace, one, moment)


def _forget(workspace: Workspace, one: QueryRecord, moment: datetime) -> None:
    history = QueryHistory(workspace.registry)
    history.add(one)
    history.write(Settings(), now=moment + timedelta(days=91))
    assert workspace.read.queries.find(_model_id(workspace)) == ()
    with workspace.registry.database.writing() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE atscale_aggs_queries RENAME TO gone"))
    assert answer(workspace, _BY_CITY).rows
    with workspace.registry.database.writing() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE gone RENAME TO atscale_aggs_queries"))


def test_a_registry_that_is_away_breaks_no_query(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A router answers on by what it knows, from aggregates too, for some minutes; then it says what is missing."""
    moment = _now()
    nowhere = sqlalchemy.create_engine("postgresql+psycopg://127.0.0.1:1/nowhere")
    with QueryRouter(workspace, clock=lambda: moment) as router:
        wanted = router.answer(_BY_CITY).rows
        with monkeypatch.context() as patch:
            patch.setattr(workspace.registry.database, "engine", nowhere)
            moment += timedelta(minutes=2)
            found = router.answer(_BY_CITY)
            moment += timedelta(minutes=4)
            with pytest.raises(RegistryUnavailableError):
                router.answer(_BY_CITY)
        again = router.answer(_BY_CITY)

    assert found.rows == again.rows == wanted
    assert found.plan.uses_aggregates


def test_a_killed_process_loses_no_more_than_a_batch(tmp_path: Path) -> None:
    """Queries are written by fifties while it lives; what waits when it dies is all that is lost."""
    program = f"""
import os, pathlib, datetime
from tests.support.stars import tiny_star
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
folder, now = pathlib.Path({str(tmp_path)!r}), datetime.datetime.now(datetime.UTC)
registry, warehouse = f"sqlite:///{{folder / 'r.sqlite'}}", f"duckdb:///{{folder / 'w.duckdb'}}"
with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as place:
    tiny_star.run_sql(place, *tiny_star.SETUP_SQL)
    deploy(place, tiny_star.write_model(folder / "model"), now=now)
    router = QueryRouter(place, clock=lambda: now)
    for _ in range({BATCH} + 7):
        router.answer('SELECT "City", "Amount" FROM tiny_sales')
    os._exit(9)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    died = subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=300)

    assert died.returncode == 9
    address = {"registry": f"sqlite:///{tmp_path / 'r.sqlite'}", "warehouse": f"duckdb:///{tmp_path / 'w.duckdb'}"}
    with open_workspace(**address, aggregate_schema="aggs") as place:
        assert len(place.read.queries.find(place.read.models.get("tiny_sales").id)) == BATCH


@pytest.mark.parametrize(("position", "pick"), [("last", "MAX"), ("first", "MIN")])
def test_semi_additive_metrics_are_those_of_the_first_or_last_member(
    workspace: Workspace, tmp_path: Path, position: str, pick: str
) -> None:
    """Per group, by the level's key, where there is a value; NULL values and days that are not there are nowhere last."""
    tiny_star.run_sql(
        workspace, "INSERT INTO sales VALUES (777, 1, 5, 1), (NULL, 1, 6, 1), (19, 1, NULL, 1), (0, 4, NULL, 1)"
    )
    _deploy_with(workspace, tmp_path, f"{{position: {position}, relationships: [sales_day]}}")

    found = answer(workspace, 'SELECT "City", "Edge", "Amount" FROM tiny.tiny_sales')
    whole = answer(workspace, 'SELECT "Edge" FROM tiny.tiny_sales WHERE "Month" <> \'month 1\'')

    rows = "FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id LEFT JOIN day d ON d.day_id = f.day_id"
    best = f"SELECT {pick}(d.day_id) {rows} WHERE f.quantity IS NOT NULL"
    with workspace.warehouse.session() as session:
        wanted = session.fetch_all(
            f"SELECT o.city, (SELECT SUM(f.quantity) {rows} WHERE s.shop_id IS NOT NULL AND s.city IS NOT DISTINCT FROM o.city "
            f"AND d.day_id = ({best} AND s.shop_id IS NOT NULL AND s.city IS NOT DISTINCT FROM o.city)), "
            "SUM(g.amount) FROM sales g JOIN shop o ON g.shop_id = o.shop_id GROUP BY o.city"
        )
        ((total,),) = session.fetch_all(
            f"SELECT SUM(f.quantity) {rows} WHERE d.day_id = ({best} AND d.month <> 'month 1')"
        )
    assert sorted(found.rows, key=str) == sorted(wanted, key=str)
    assert whole.rows == [(total,)]
    assert not found.plan.uses_aggregates
    (candidate, *_) = explain(workspace, 'SELECT "City", "Edge" FROM tiny.tiny_sales', estimate=False).candidates[0]
    assert (candidate.miss, candidate.missing, candidate.change) == (Miss.SEMI_ADDITIVE, ("Edge",), "")


@pytest.mark.parametrize(
    "said",
    ["{position: last_child, relationships: [sales_day]}", "{position: last, relationships: [sales_day, sales_shop]}"],
)
def test_other_semi_additive_metrics_are_refused_by_name(workspace: Workspace, tmp_path: Path, said: str) -> None:
    """Empty members would count for a child, and two dimensions have no one order."""
    report = _deploy_with(workspace, tmp_path, said)

    assert [issue.file for issue in report.issues if issue.code == "not-honoured"] == ["edge.yml"]
    with pytest.raises(UnsupportedQueryError, match="`Edge` is not answered: it is semi-additive by more than"):
        answer(workspace, 'SELECT "Edge" FROM tiny.tiny_sales')


def _deploy_with(workspace: Workspace, tmp_path: Path, semi_additive: str) -> DeployReport:
    """The model with a metric `Edge`."""
    folder = tmp_path / "model"
    (folder / "edge.yml").write_text(
        "unique_name: Edge\nobject_type: metric\nlabel: Edge\ncalculation_method: sum\ndataset: sales\ncolumn: quantity\n"
        f"semi_additive: {semi_additive}\n",
        encoding="utf-8",
    )
    model = folder / "model.yml"
    text = model.read_text(encoding="utf-8")
    model.write_text(text.replace("metrics:\n", "metrics:\n  - unique_name: Edge\n", 1), encoding="utf-8")
    return deploy(workspace, folder, now=_now())


@pytest.mark.parametrize(
    ("expression", "by_python"),
    [
        ('"Quantity" / COUNT(*)', lambda of: int(of.quantity / of.rows)),
        ('(0 - "Quantity") / 7', lambda of: int(-of.quantity / 7)),
        ('("Quantity" / COUNT(*)) / 2', lambda of: int(int(of.quantity / of.rows) / 2)),
        ('"Quantity" * 1.0 / COUNT(*)', lambda of: of.quantity / of.rows),
        ('CAST("Quantity" AS DOUBLE PRECISION) / 7', lambda of: of.quantity / 7),
        ('"Amount" / COUNT(*)', lambda of: float(of.amount) / of.rows),
        ('1 / "Average Amount"', lambda of: of.rows / float(of.amount)),
    ],
)
def test_a_division_means_what_it_means_in_its_own_dialect(
    workspace: Workspace, expression: str, by_python: Callable[[SimpleNamespace], float]
) -> None:
    """PostgreSQL's `/` of whole numbers leaves the remainder out, on whatever warehouse; from facts and from
    aggregates.
    """
    sql = f'SELECT "Shop", "Quantity", "Amount", COUNT(*), {expression} AS found FROM tiny.tiny_sales'

    for use in (True, False):
        rows = answer(workspace, sql, use_aggregates=use).rows
        assert len(rows) == 4
        for _, quantity, amount, count, found in rows:
            assert float(found) == pytest.approx(
                by_python(SimpleNamespace(quantity=quantity, amount=amount, rows=count))
            )


def test_a_division_around_a_model_means_what_it_is_written_as(workspace: Workspace) -> None:
    """The types of a model's answer are known around it; a dialect without whole divisions means the quotient."""
    inner = 'SELECT "Quantity" AS q FROM tiny.tiny_sales'
    (remainder_left_out,) = answer(workspace, f"SELECT t.q / 7 AS found FROM ({inner}) t").rows[0]
    (total,), (whole,), (quotient,) = (
        answer(workspace, sql, dialect=dialect).rows[0]
        for sql, dialect in (
            (inner, "postgres"),
            (f"SELECT CAST(t.q AS DOUBLE PRECISION) / 7 AS found FROM ({inner}) t", "postgres"),
            (f"SELECT t.q / 7 AS found FROM ({inner}) t", "duckdb"),
        )
    )
    assert float(whole) == float(quotient) == pytest.approx(total / 7)
    assert remainder_left_out == total // 7 != whole
