"""Who may ask a secured model, what serves him, and what nobody is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.query.secured_rows import WITHHELD, SecuredRows, withheld_errors
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.rewriting.parse.parameterization import holds_mark, parameterize
from tests.support.stars import secured_star
from tests.support.stars.secured_star import Rule, Tables

_TABLES: Tables = {
    "sales": [(1, 1, 1, "a", 1, 10), (2, 2, 2, "b", 2, 20), (3, 1, None, "a", 3, 40), (4, 9, 9, None, 4, 80)],
    "returns": [(1, 5), (2, 6)],
    "shop": [(1, "one", 1), (2, "two", 2), (3, "three", None)],
    "city": [(1, "Bonn", "north"), (2, "Ulm", "south")],
    "day": [(1, "monday", "may"), (2, "tuesday", "june")],
    "rights": [("ann", "red", "north"), ("ann", "red", "north"), ("bob", "red", None), ("cid", "blue", "south")],
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Built aggregates; regions are secured by person."""
    folder = tmp_path_factory.mktemp("secured")
    with open_workspace(registry=f"sqlite:///{folder}/r.db", warehouse=f"duckdb:///{folder}/w.duckdb") as workspace:
        secured_star.create(workspace)
        secured_star.load(workspace, _TABLES)
        secured_star.deploy_star(workspace, folder / "model", Rule(("region",)))
        secured_star.build(workspace)
        yield workspace


def _router(workspace: Workspace, reader: Reader | None) -> QueryRouter:
    return QueryRouter(workspace, bounds=QueryBounds(reader=reader))


@pytest.mark.parametrize(
    ("user", "amount", "regions"), [("ann", 10, ["north"]), ("bob", None, []), ("cid", 20, ["south"]), ("x", None, [])]
)
def test_each_sees_his_own(secured: Workspace, user: str, amount: int | None, regions: list[str]) -> None:
    """Rights that stand twice multiply nothing; NULL is nobody's."""
    router = _router(secured, Reader(user))

    total = router.answer('SELECT "Amount" FROM star')
    assert (total.rows, total.plan.sources[0].aggregate) == ([(amount,)], "by_region")
    assert [row[0] for row in router.answer('SELECT "Region", "Returned" FROM star').rows] == regions
    assert [row[0] for row in router.answer('SELECT "Region" FROM star').rows] == regions


def test_without_a_user_nobody_is_answered_and_columns_are_shown(secured: Workspace) -> None:
    router = _router(secured, None)

    with pytest.raises(UnsupportedQueryError, match=r"depends on who asks \(row security `own_0`\)"):
        router.answer('SELECT "Amount" FROM star')
    with pytest.raises(UnsupportedQueryError, match="depends on who asks"):
        router.explain('SELECT "Amount" FROM star')
    assert "Amount" in router.answer("SELECT * FROM star LIMIT 0").columns


@pytest.mark.parametrize("name", ["", "a\x00", "a\n"])
def test_a_name_that_none_has_is_refused(secured: Workspace, name: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="is empty or holds characters"):
        _router(secured, Reader(name)).answer('SELECT "Amount" FROM star')


def test_a_reader_whose_name_is_a_mark_for_values_is_nobody_else(secured: Workspace) -> None:
    """Or the value of his query would stand in place of his name."""
    sql = """SELECT "Amount" FROM star WHERE "Region" <> 'ann'"""
    query = parameterize(sql)
    assert query is not None
    mark = query.marked.rpartition("<> '")[2].rstrip("'")

    assert holds_mark(mark)
    assert not holds_mark("ann")
    assert _router(secured, Reader("ann")).answer(sql).rows == [(10,)]
    assert _router(secured, Reader(mark)).answer(sql).rows == [(None,)]


def test_an_explanation_says_what_is_missing_and_no_number_of_rows(secured: Workspace) -> None:
    plan = _router(secured, Reader("ann")).explain('SELECT "City", "Amount" FROM star')

    misses = {candidate.aggregate: candidate for candidate in plan.candidates[0]}
    assert plan.verdict(0) == "`by_everything` answers, instead of `sales`, with the rows that the user may see."
    assert (misses["by_city"].miss, misses["by_city"].missing) == (Miss.NOT_SECURED, ("Region",))
    assert misses["by_city"].change == "add attribute `Region` to `by_city`"
    assert {candidate.rows for candidate in misses.values()} == {None}
    assert plan.sources[0].rows is None


def test_the_warehouses_words_are_withheld(secured: Workspace) -> None:
    """They would quote the name of a city."""
    with pytest.raises(PermanentWarehouseError, match="its own words are withheld") as caught:
        _router(secured, Reader("ann")).answer('SELECT CAST("City" AS INTEGER), "Amount" FROM star GROUP BY 1')

    assert "Ulm" not in str(caught.value)
    assert "Bonn" not in str(caught.value)


def test_a_condition_that_fails_for_a_hidden_row_fails_for_nobody_else(secured: Workspace) -> None:
    sql = """SELECT "Amount" FROM star WHERE CASE WHEN "City" = 'Ulm' THEN CAST("City" AS INTEGER) ELSE 1 END = 1"""

    assert _router(secured, Reader("ann")).answer(sql).rows == [(10,)]
    with pytest.raises(PermanentWarehouseError):
        _router(secured, Reader("cid")).answer(sql)


def test_groups_that_are_not_known_are_asked_for(secured: Workspace) -> None:
    snapshot = _router(secured, None)._models.all("star", secured_star.NOW)[0]
    by_group = {name: replace(own, id_type="group") for name, own in snapshot.model.row_securities.items()}
    grouped = replace(snapshot, model=replace(snapshot.model, row_securities=by_group))

    with pytest.raises(UnsupportedQueryError, match="is by group, and the groups of `ann` are not known"):
        SecuredRows(secured, grouped, Reader("ann"))


def test_a_warehouse_where_it_was_never_tried_is_not_asked(secured: Workspace) -> None:
    snapshot = _router(secured, None)._models.all("star", secured_star.NOW)[0]
    sources = snapshot.sources
    elsewhere = replace(snapshot, sources=type(sources)({}, {}, replace(sources.dialect, name="other", fence=None)))

    with pytest.raises(UnsupportedQueryError, match="which is not applied on other"):
        SecuredRows(secured, elsewhere, Reader("ann"))


@pytest.mark.parametrize("is_secured", [True, False])
def test_only_errors_of_secured_models_lose_their_words(is_secured: bool) -> None:
    with pytest.raises(PermanentWarehouseError) as caught, withheld_errors(is_secured=is_secured):
        raise PermanentWarehouseError("duckdb", "SELECT 1", "no integer: `Ulm`")

    assert caught.value.reason == (WITHHELD if is_secured else "no integer: `Ulm`")
