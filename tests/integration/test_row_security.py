"""Row security on both warehouses, through the command line, over the wire, and in what is recommended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.advise.workload import workload_of_queries
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import bounds_of
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.query.secured_rows import WITHHELD
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.conftest import PostgresDatabase
from tests.support.command_line import run_command
from tests.support.stars import secured_star
from tests.support.stars.documents import calculation
from tests.support.stars.secured_star import Rule, Tables

_TABLES: Tables = {
    "sales": [
        (1, 1, 1, "a", 1, 10),
        (2, 2, 2, "b", 2, 20),
        (3, 1, None, "a", 3, 40),
        (4, 9, 9, None, 4, 80),
        (5, 2, 1, "b", 5, 160),
    ],
    "returns": [(1, 5), (2, 6)],
    "shop": [(1, "one", 1), (2, "two", 2), (3, "three", None)],
    "city": [(1, "Bonn", "north"), (2, "Ulm", "south")],
    "day": [(1, "monday", "may"), (2, "tuesday", "june")],
    "rights": [("ann", "red", "north"), ("ann", "red", "north"), ("bob", None, None), ("cid", "blue", "south")],
}


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def secured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_database: PostgresDatabase
) -> Iterator[Workspace]:
    """Regions are secured by person."""
    folder = tmp_path_factory.mktemp("secured")
    with postgres_database(f"secured_{request.param}") as url:
        warehouse = f"duckdb:///{folder / 'w.duckdb'}" if request.param == "duckdb" else url
        registry = f"sqlite:///{folder / 'r.sqlite'}"
        with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
            secured_star.create(workspace)
            secured_star.load(workspace, _TABLES)
            secured_star.deploy_star(workspace, folder / "model", Rule(("region",), scope="fact"))
            secured_star.build(workspace)
            yield workspace


def _ask(workspace: Workspace, user: str, sql: str, **options: Any) -> list[tuple[Any, ...]]:
    return answer(workspace, sql, bounds=bounds_of(user), **options).rows


def test_each_sees_his_own_from_aggregates_and_from_facts(secured: Workspace) -> None:
    """The number of rows, distinct values, totals over levels, and members by themselves."""
    shown = 'SELECT "Kind", "Amount", COUNT(*), COUNT(DISTINCT "City")'
    by_kind = f'{shown} FROM star GROUP BY ROLLUP ("Kind") ORDER BY 1'
    for use_aggregates in (True, False):
        for user, total, rows in (("ann", 170, [("a", 10, 1, 1), ("b", 160, 1, 1)]), ("cid", 20, [("b", 20, 1, 1)])):
            answered = _ask(secured, user, by_kind, use_aggregates=use_aggregates)
            assert answered == [*rows, (None, total, len(rows), 1)], (user, use_aggregates)
        assert _ask(secured, "bob", by_kind, use_aggregates=use_aggregates) == [(None, None, 0, 0)]
    assert _ask(secured, "ann", 'SELECT "Shop" FROM star') == [("one",)]
    assert len(_ask(secured, "bob", 'SELECT "Day" FROM star')) == 2


def test_a_condition_fails_only_for_rows_that_are_seen(secured: Workspace) -> None:
    """Neither on the facts nor on an aggregate is it told that there is a hidden city of a name."""
    hidden = """SELECT "Amount" FROM star WHERE CASE WHEN "City" = 'Ulm' THEN CAST("City" AS INTEGER) ELSE 1 END = 1"""
    for use_aggregates in (True, False):
        assert _ask(secured, "ann", hidden, use_aggregates=use_aggregates) == [(170,)]
        with pytest.raises(PermanentWarehouseError) as caught:
            _ask(secured, "cid", hidden, use_aggregates=use_aggregates)
        assert caught.value.reason == WITHHELD


def test_plain_sql_is_run_as_it_stands_and_shapes_are_kept_for_one_reader(secured: Workspace) -> None:
    """The warehouse's own rights count there, and no aggregate of a secured model is used."""
    plain = answer(secured, "SELECT SUM(amount) FROM sales", bounds=bounds_of("ann"))
    assert (plain.rows, plain.plan.uses_aggregates) == ([(310,)], False)
    ann, cid = (QueryRouter(secured, bounds=bounds_of(user)) for user in ("ann", "cid"))
    for region in ("north", "south", "north"):
        sql = f"""SELECT "Amount" FROM star WHERE "Region" = '{region}'"""
        assert ann.answer(sql).rows == [(170 if region == "north" else None,)]
        assert cid.answer(sql).rows == [(20 if region == "south" else None,)]


def test_an_aggregate_that_is_gone_is_told_without_words(secured: Workspace) -> None:
    router = QueryRouter(secured, bounds=bounds_of("ann"))
    source = router.plan('SELECT "Amount" FROM star').sources[0]
    (instance,) = [
        instance
        for instance in secured.read.instances.serving(secured.read.models.get("star").id)
        if instance.id == source.instance_id
    ]
    with secured.warehouse.session() as session:
        session.execute(f'DROP VIEW "aggs"."{instance.step.view}"')
        session.execute(f'DROP TABLE "aggs"."{instance.table}"')

    answered = router.answer('SELECT "Amount" FROM star')

    assert answered.rows == [(170,)]
    assert "withheld" in answered.fallback_reason


def test_what_is_recommended_stores_by_what_rows_are_secured(secured: Workspace) -> None:
    settings = secured.settings.with_values({"aggregates.create.securityDimensions.enabled": "true"})
    snapshot = QueryRouter(secured)._models.all("star", utc_now())[0]

    workload = workload_of_queries(
        snapshot,
        ['SELECT "Month", "Amount" FROM star', 'SELECT "City", "Returned" FROM star', 'SELECT "Shop" FROM star'],
        settings,
        dialect="postgres",
    )

    grains = {
        (requirement.part.fact, tuple(bound.attribute.name for bound in requirement.part.attributes))
        for requirement in workload.requirements
    }
    assert grains >= {("sales", ("Month", "Region")), ("returns", ("City", "Region"))}
    report = recommend(
        secured, "star", request=RecommendRequest(queries=('SELECT "Day", "Amount" FROM star',)), now=utc_now()
    )
    assert "securityDimensions.enabled` is false" in report.unserved[0].reason


def test_the_command_line_asks_as_somebody(tmp_path: Path) -> None:
    registry, warehouse = f"sqlite:///{tmp_path}/r.db", f"duckdb:///{tmp_path}/w.duckdb"
    places = {"ATSCALE_AGGS_REGISTRY": registry, "ATSCALE_AGGS_WAREHOUSE": warehouse}
    with open_workspace(registry=registry, warehouse=warehouse) as workspace:
        secured_star.create(workspace)
        secured_star.load(workspace, {**_TABLES, "rights": [("ann", "red", "a")]})
        secured_star.deploy_star(workspace, tmp_path / "m", Rule(("kind of the sale",), "group"))
    sql = 'SELECT "Amount" FROM star'

    refused = run_command(tmp_path, "query", sql, **places)
    no_groups = run_command(tmp_path, "query", sql, "--as-user", "ann", **places)
    asked = run_command(tmp_path, "query", sql, "--as-user", "ann", "--as-group", "red", "--format", "csv", **places)
    explained = run_command(tmp_path, "explain", sql, "--as-user", "ann", "--as-group", "red", **places)
    nobody = run_command(tmp_path, "query", sql, "--as-group", "red", **places)

    assert (refused[0], "Say who asks: `--as-user NAME`" in refused[2]) == (1, True)
    assert (no_groups[0], "the groups of `ann` are not known" in no_groups[2]) == (1, True)
    assert (asked[0], asked[1]) == (0, "Amount\n50\n"), asked
    assert "with the rows that the user may see" in explained[2]
    assert (nobody[0], "`--as-user`, which is missing" in nobody[2]) == (2, True)


def test_an_old_aggregate_is_bounded_as_any_other(secured: Workspace) -> None:
    fresh = answer(secured, 'SELECT "Amount" FROM star', bounds=bounds_of("ann"), max_staleness=timedelta(0))

    assert (fresh.rows, fresh.plan.uses_aggregates) == ([(170,)], False)


@pytest.mark.parametrize("scope", ["all", "fact"])
def test_members_without_facts_and_members_before(tmp_path: Path, scope: str) -> None:
    """Days are everybody's by scope `fact`; by scope `all` those that facts have, so that none is before another."""
    registry, warehouse = f"sqlite:///{tmp_path}/r.db", f"duckdb:///{tmp_path}/w.duckdb"
    files = secured_star.documents(Rule(("region",), scope=scope))
    files["calendar"]["hierarchies"][0]["filter_empty"] = "no"
    files["calc"] = calculation(
        "Before", "([Calendar].[Calendar levels].CurrentMember.PrevMember, [Measures].[Amount])"
    )
    files["model"]["metrics"].append({"unique_name": "Before"})
    for name, value in files.items():
        (tmp_path / f"{name}.yml").write_text(json.dumps(value))
    with open_workspace(registry=registry, warehouse=warehouse) as workspace:
        secured_star.create(workspace)
        secured_star.load(workspace, _TABLES)
        deploy(workspace, tmp_path, now=utc_now())
        days = _ask(workspace, "cid", 'SELECT "Day", "Amount" FROM star ORDER BY 1')
        moved = 'SELECT "Day", "Before" FROM star ORDER BY 1'
        if scope == "all":
            assert days == [("tuesday", 20)]
            with pytest.raises(UnsupportedQueryError, match="other members of a dimension of which the user may not"):
                _ask(workspace, "cid", moved)
        else:
            assert days == [("monday", None), ("tuesday", 20)]
            assert _ask(workspace, "ann", moved) == [("monday", None), ("tuesday", 10)]


def test_scopes_that_leave_rows_open_are_refused(tmp_path: Path) -> None:
    """Deploy says so, and queries in the same words."""
    registry, warehouse = f"sqlite:///{tmp_path}/r.db", f"duckdb:///{tmp_path}/w.duckdb"
    with open_workspace(registry=registry, warehouse=warehouse) as workspace:
        secured_star.create(workspace)
        report = secured_star.deploy_star(workspace, tmp_path / "model", Rule(("region",), scope="related"))

        assert "its scope `related` leaves queries with metrics open to everybody" in str(report.issues[0])
        with pytest.raises(UnsupportedQueryError, match="its scope `related` leaves queries with metrics open"):
            _ask(workspace, "ann", 'SELECT "Amount" FROM star')
