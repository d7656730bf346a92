"""One stable view: what may stand in its way, how it is switched, what stays of it, and how it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import ViewStaysError
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import (
    columns_of_tables,
    describe_readers,
    drop_stable_view,
    find_nothing,
    helper_name,
    make_helper,
    obstacle,
    read_view_places,
)
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Dependent, Relation
from tests.support.stars.stable_views import VIEW, ViewScene, change_catalog, forget_catalog, view_scene

_TABLE = "as_agg_00000001_revenue_a1"
_OTHERS = {_TABLE: "aggregate `revenue` of model `web.sales`"}


@pytest.fixture
def scene() -> Iterator[ViewScene]:
    """A schema ``aggs`` without any relation."""
    with view_scene() as opened:
        yield opened


def _relation(kind: str, *, owner: str = "", may_replace: bool = True) -> Relation:
    return Relation(VIEW, kind, owner, may_replace=may_replace, is_own=may_replace)


@pytest.mark.parametrize(
    ("relation", "reads", "others", "why"),
    [
        (None, set(), {}, ""),
        (_relation("view"), {_TABLE}, {}, ""),
        (_relation("view"), {f"{_TABLE}_s1", "shop"}, {}, ""),
        (_relation("table"), set(), {}, "a table has its name; rename the table, or drop it"),
        (
            _relation("materialized view", owner="ann"),
            {_TABLE},
            {},
            "a materialized view of role `ann` has its name; rename the materialized view, or drop it",
        ),
        (
            _relation("view"),
            {"sales"},
            {},
            "a view has its name that shows no aggregate and is not ours; rename that view, or drop it",
        ),
        (
            _relation("view"),
            {_TABLE},
            _OTHERS,
            (
                "it shows aggregate `revenue` of model `web.sales`, which has the same name; rename one of the two, or "
                "use another schema for one"
            ),
        ),
        (
            _relation("view", owner="ann", may_replace=False),
            {_TABLE},
            {},
            "it belongs to role `ann`, which role `me` may not act for; make `me` a member of `ann`, or its owner",
        ),
    ],
    ids=[
        "nothing",
        "ours",
        "ours, over segments",
        "a table",
        "of a role",
        "a person's view",
        "another model's",
        "a role",
    ],
)
def test_what_stands_in_the_place_of_a_view(
    relation: Relation | None, reads: set[str], others: dict[str, str], why: str
) -> None:
    assert obstacle(relation, frozenset(reads), "me", others) == why


def test_a_view_that_is_not_there_is_made(scene: ViewScene) -> None:
    """No helper is needed for it."""
    step = scene.build(1, "SELECT 'York' AS city, 5 AS amount")

    assert make_helper(scene.session, step, scene.places()) == ""
    scene.show(step)

    assert scene.rows(f"SELECT * FROM aggs.{VIEW}") == [("York", 5)]
    assert scene.session.tables("aggs") == {VIEW, _TABLE}


def test_a_view_is_switched_and_keeps_its_comments(scene: ViewScene) -> None:
    """Comments of columns that are gone go with them. The helper is not there any more afterwards."""
    scene.show(scene.build(1, "SELECT 'York' AS city, 5 AS amount, 1 AS old"))
    scene.run(f"COMMENT ON VIEW aggs.{VIEW} IS 'it''s ours'")
    scene.run(*(f"COMMENT ON COLUMN aggs.{VIEW}.{column} IS 'about {column}'" for column in ("city", "old")))

    scene.show(scene.build(2, "SELECT 'Leeds' AS city, 6 AS amount"))

    assert scene.rows(f"SELECT * FROM aggs.{VIEW}") == [("Leeds", 6)]
    assert scene.rows("SELECT comment FROM duckdb_views() WHERE view_name = 'agg_revenue'") == [("it's ours",)]
    comments = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'agg_revenue' ORDER BY 1"
    assert scene.rows(comments) == [("amount", None), ("city", "about city")]
    assert scene.session.tables("aggs") == {VIEW, _TABLE, "as_agg_00000002_revenue_a1"}


@pytest.mark.parametrize(
    ("before", "after", "columns"),
    [
        ("1 AS a, 2 AS b", "2 AS b, 1 AS a", [("a", "INTEGER"), ("b", "INTEGER")]),
        ("1 AS a, 2 AS b", "3 AS c, 2 AS b", [("b", "INTEGER"), ("c", "INTEGER")]),
        ("1 AS a", "'x' AS a", [("a", "VARCHAR")]),
    ],
    ids=["another order", "a column goes and a new one comes", "another type"],
)
def test_columns_of_before_keep_their_places_and_new_ones_come_last(
    scene: ViewScene, before: str, after: str, columns: list[tuple[str, str]]
) -> None:
    scene.show(scene.build(1, f"SELECT {before}"))
    scene.show(scene.build(2, f"SELECT {after}"))

    assert scene.columns() == columns


@pytest.mark.parametrize(
    ("report", "is_refused"),
    [
        ("SELECT city FROM aggs.agg_revenue", False),
        ("SELECT COUNT(*) AS n FROM aggs.agg_revenue", False),
        ("SELECT OLD + 1 AS more FROM aggs.agg_revenue", True),
    ],
    ids=["it reads another column", "it counts rows", "it reads the column"],
)
def test_a_view_whose_readers_need_a_column_that_is_gone_stays(scene: ViewScene, report: str, is_refused: bool) -> None:
    """With the rows of before, and a sentence that names the column and the reader."""
    scene.show(scene.build(1, "SELECT 'York' AS city, 1 AS old"))
    scene.run(f"CREATE VIEW report AS {report}")
    step = scene.build(2, "SELECT 'Leeds' AS city")

    if is_refused:
        with pytest.raises(
            ViewStaysError, match=r"column `old` is not stored any more; view main\.report depends on it"
        ):
            scene.show(step)
    else:
        scene.show(step)
    assert scene.rows(f"SELECT city FROM aggs.{VIEW}") == [("York" if is_refused else "Leeds",)]
    assert len(scene.rows("SELECT * FROM report")) == 1


def test_what_is_no_view_is_taken_to_read_all_columns(scene: ViewScene) -> None:
    """A function on the type of the view, for instance."""
    scene.show(scene.build(1, "SELECT 'York' AS city, 1 AS old"))
    change_catalog(
        scene.session, dependents="SELECT 'agg_revenue', 'main.f()', 'function', NULL WHERE 'agg_revenue' IN ({names})"
    )

    with pytest.raises(
        ViewStaysError, match=r"column `old` is not stored any more; function main\.f\(\) depends on it"
    ):
        scene.show(scene.build(2, "SELECT 'Leeds' AS city"))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE TABLE aggs.agg_revenue AS SELECT 42 AS mine", "a table has its name"),
        ("CREATE VIEW aggs.agg_revenue AS SELECT 42 AS mine", "a view has its name that shows no aggregate"),
    ],
)
def test_what_is_in_the_way_stays(scene: ViewScene, statement: str, why: str) -> None:
    step = scene.build(1, "SELECT 5 AS amount")
    scene.run(statement)

    with pytest.raises(ViewStaysError, match=why):
        scene.show(step)
    assert scene.rows(f"SELECT mine FROM aggs.{VIEW}") == [(42,)]


def test_a_view_on_another_models_table_is_not_taken_from_it(scene: ViewScene) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount"))

    with pytest.raises(ViewStaysError, match=r"it shows aggregate `revenue` of model `web\.sales`"):
        scene.show(scene.build(2, "SELECT 6 AS amount"), others=_OTHERS)
    assert scene.rows(f"SELECT * FROM aggs.{VIEW}") == [(5,)]


_WIDENINGS = frozenset({("INTEGER", "BIGINT")})


def _keep_places(scene: ViewScene) -> None:
    """Let it be a warehouse whose CREATE OR REPLACE VIEW adds columns and does nothing else."""
    change_catalog(scene.session, replaces_any_columns=False, lost_by_replace=frozenset(), widenings=_WIDENINGS)


@pytest.mark.parametrize(
    ("before", "after", "columns", "rows"),
    [
        (
            "5 AS amount, 1 AS old",
            "6 AS amount",
            [("amount", "INTEGER"), ("old", "INTEGER")],
            [(6, None)],
        ),
        ("5::BIGINT AS amount", "6::INTEGER AS amount", [("amount", "BIGINT")], [(6,)]),
        ("5 AS amount", "'x' AS note, 6 AS amount", [("amount", "INTEGER"), ("note", "VARCHAR")], [(6, "x")]),
    ],
    ids=["a column that nobody reads is empty", "a narrower type is cast", "a new column comes last"],
)
def test_a_view_with_readers_keeps_its_shape_where_a_warehouse_asks_for_it(
    scene: ViewScene, before: str, after: str, columns: list[tuple[str, str]], rows: list[tuple[object, ...]]
) -> None:
    _keep_places(scene)
    scene.show(scene.build(1, f"SELECT {before}"))
    scene.run("CREATE VIEW report AS SELECT amount FROM aggs.agg_revenue")

    scene.show(scene.build(2, f"SELECT {after}"))

    assert scene.columns() == columns
    assert scene.rows(f"SELECT * FROM aggs.{VIEW}") == rows


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("SELECT 6::BIGINT AS amount", "column `amount` is BIGINT now, it was INTEGER"),
        ("SELECT 1 AS other", "column `amount` is not stored any more"),
    ],
)
def test_a_view_whose_shape_cannot_be_kept_stays_for_its_readers(scene: ViewScene, after: str, why: str) -> None:
    _keep_places(scene)
    scene.show(scene.build(1, "SELECT 5 AS amount"))
    scene.run("CREATE VIEW report AS SELECT amount FROM aggs.agg_revenue")

    with pytest.raises(ViewStaysError, match=f"{why}; view main.report depends on it. Drop that, build"):
        scene.show(scene.build(2, after))
    assert scene.rows("SELECT * FROM report") == [(5,)]


def test_a_view_without_readers_is_made_anew_with_all_that_belongs_to_it(scene: ViewScene) -> None:
    """What a new view gets by default is taken from it first."""
    _keep_places(scene)
    scene.show(scene.build(1, "SELECT 'York' AS city, 5 AS amount"))
    scene.run(f"COMMENT ON VIEW aggs.{VIEW} IS 'ours'", "CREATE TABLE revoked (name VARCHAR)")
    scene.run(f"COMMENT ON COLUMN aggs.{VIEW}.city IS 'where'", f"COMMENT ON COLUMN aggs.{VIEW}.amount IS 'what'")
    change_catalog(scene.session, revocations="SELECT 'INSERT INTO revoked VALUES (''' || {target} || ''')'")

    scene.show(scene.build(2, "SELECT 'Leeds' AS city, 6::BIGINT AS more"))

    assert scene.columns() == [("city", "VARCHAR"), ("more", "BIGINT")]
    comments = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'agg_revenue' ORDER BY 1"
    assert scene.rows(comments) == [("city", "where"), ("more", None)]
    assert scene.rows("SELECT comment FROM duckdb_views() WHERE view_name = 'agg_revenue'") == [("ours",)]
    assert scene.rows("SELECT name FROM revoked") == [('"aggs"."agg_revenue"',)]


@pytest.mark.parametrize("is_own", [True, False])
def test_the_owner_of_a_view_may_read_what_it_is_to_show(scene: ViewScene, is_own: bool) -> None:
    """Where that is another role, which the session may act for."""
    scene.show(scene.build(1, "SELECT 5 AS amount"))
    scene.run("CREATE TABLE granted (name VARCHAR)")
    change_catalog(
        scene.session,
        relations=f"SELECT 'agg_revenue', 'view', 'ann', TRUE, {is_own} WHERE 'agg_revenue' IN ({{names}})",
        grant_select="SELECT 'INSERT INTO granted VALUES (''' || {target} || ''')'",
    )

    scene.show(scene.build(2, "SELECT 6 AS amount"))

    expected = [] if is_own else [('"aggs"."as_agg_00000002_revenue_a1"',)]
    assert scene.rows("SELECT name FROM granted") == expected
    assert scene.rows(f"SELECT * FROM aggs.{VIEW}") == [(6,)]


def test_a_helper_tells_the_columns_of_what_is_to_be_shown(scene: ViewScene) -> None:
    """It is made only for a view that is there and can be switched."""
    scene.show(scene.build(1, "SELECT 5 AS amount"))
    step = scene.build(2, "SELECT 6 AS amount")

    assert make_helper(scene.session, step, scene.places()) == "as_agg_00000002_revenue_a1_v"
    assert "as_agg_00000002_revenue_a1_v" in scene.session.tables("aggs")
    assert make_helper(scene.session, step, scene.places(others=_OTHERS)) == ""


def test_what_is_shown_as_it_is_needs_no_helper(scene: ViewScene) -> None:
    """Names and types are those of the table, whatever is in a name."""
    columns = """5 AS amount, 'x' AS "a ""b"", c", CAST(1.5 AS DECIMAL(7, 2)) AS "FROM" """
    scene.show(scene.build(1, f"SELECT {columns}"))
    step = scene.build(2, f"SELECT {columns}")
    before = scene.columns()

    (found,) = columns_of_tables([step], scene.places(show=step.table)).items()

    assert found == (helper_name(step), tuple(before))
    scene.show(step)
    assert scene.columns() == before
    assert scene.session.tables("aggs") == {VIEW, "as_agg_00000001_revenue_a1", step.table}
    assert columns_of_tables([step], scene.places(others={step.table: "another"}, show=step.table)) == {}


@pytest.mark.parametrize(
    "statement",
    [
        'CREATE OR REPLACE VIEW "aggs"."v" AS SELECT "city", "amount" FROM "aggs"."t"',
        'CREATE OR REPLACE VIEW "aggs"."v" AS SELECT "amount" FROM "aggs"."t"',
        'CREATE OR REPLACE VIEW "aggs"."v" AS SELECT "amount", "city", 1 AS "one" FROM "aggs"."t"',
    ],
    ids=["in another order", "not all", "more"],
)
def test_what_is_shown_otherwise_needs_a_helper(scene: ViewScene, statement: str) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount, 'a' AS city"))
    step = replace(scene.build(2, "SELECT 6 AS amount, 'a' AS city"), view_statements=(statement,))

    assert columns_of_tables([step], scene.places(show=step.table)) == {}


def test_a_view_keeps_the_order_of_its_columns_when_a_table_has_another_one(scene: ViewScene) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount, 'a' AS city"))

    scene.show(scene.build(2, "SELECT 'b' AS city, 6 AS amount"))

    assert [name for name, _ in scene.columns()] == ["amount", "city"]
    assert scene.rows(f"SELECT * FROM aggs.{VIEW}") == [(6, "b")]


def test_the_view_of_an_aggregate_that_is_gone_is_dropped(scene: ViewScene) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount"))

    drop_stable_view(scene.session, VIEW.upper(), scene.places())

    assert not scene.has_view()
    drop_stable_view(scene.session, VIEW, scene.places())


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE aggs.agg_revenue AS SELECT 42 AS mine", "CREATE VIEW aggs.agg_revenue AS SELECT 42 AS mine"],
)
def test_what_is_not_ours_is_not_dropped(scene: ViewScene, statement: str) -> None:
    scene.run(statement)

    drop_stable_view(scene.session, VIEW, scene.places())

    assert scene.has_view()


def test_a_view_that_shows_another_model_is_not_dropped(scene: ViewScene) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount"))

    drop_stable_view(scene.session, VIEW, scene.places(others=_OTHERS))

    assert scene.has_view()


def test_a_view_that_somebody_reads_is_not_dropped(scene: ViewScene) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount"))
    scene.run("CREATE VIEW report AS SELECT amount FROM aggs.agg_revenue")

    with pytest.raises(
        ViewStaysError, match=r"its aggregate is gone, but view main\.report reads it, and sees its last"
    ):
        drop_stable_view(scene.session, VIEW, scene.places())
    assert scene.has_view()


def test_a_view_of_another_role_is_not_dropped(scene: ViewScene) -> None:
    scene.show(scene.build(1, "SELECT 5 AS amount"))
    change_catalog(
        scene.session,
        relations="SELECT 'agg_revenue', 'view', 'ann', FALSE, FALSE WHERE 'agg_revenue' IN ({names})",
        rights="SELECT 'me', TRUE, TRUE",
    )

    with pytest.raises(ViewStaysError, match="it belongs to role `ann`, which role `me` may not act for"):
        drop_stable_view(scene.session, VIEW, scene.places())
    assert scene.has_view()


def test_a_warehouse_that_nobody_knows_well_enough_is_not_asked(scene: ViewScene) -> None:
    forget_catalog(scene.session)

    assert read_view_places(scene.session, "aggs", [VIEW], find_nothing) is None


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "view a"),
        (["a", "b", "c"], "view a, view b, view c"),
        (["a", "b", "c", "d", "e"], "view a, view b, view c and 2 more"),
    ],
)
def test_the_first_few_of_many_readers_are_named(names: Sequence[str], text: str) -> None:
    assert describe_readers([Dependent(name, "view") for name in names]) == text
