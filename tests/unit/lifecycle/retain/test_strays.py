"""Tables and views with names of ours that this registry never recorded are found, and a person decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import SchemaOwnedError
from airflow_atscale_aggs.engine.lifecycle.retain.strays import Stray, adopt_strays, drop_strays, find_strays
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars.standing_star import LATER, run_sql, serving, tables_of

_TABLE = "CREATE TABLE aggs.as_agg_01234567_lost_a1 AS SELECT 1 AS x"
_SEGMENT_VIEW = "CREATE VIEW aggs.as_agg_89abcdef_cut_a1 AS SELECT * FROM aggs.as_agg_01234567_lost_a1"
_VIEW = "CREATE VIEW aggs.agg_lost AS SELECT * FROM aggs.as_agg_01234567_lost_a1"


def _list_strays(workspace: Workspace) -> list[tuple[str, str]]:
    return [(stray.table, stray.kind) for stray in find_strays(workspace)]


@pytest.mark.parametrize(
    ("statements", "strays"),
    [
        pytest.param((), [], id="all that is there was recorded"),
        pytest.param((_TABLE,), [("as_agg_01234567_lost_a1", "table")], id="a table of ours"),
        pytest.param(
            (_TABLE, _VIEW), [("agg_lost", "view"), ("as_agg_01234567_lost_a1", "table")], id="and its stable view"
        ),
        pytest.param(
            (_TABLE, _SEGMENT_VIEW),
            [("as_agg_89abcdef_cut_a1", "view"), ("as_agg_01234567_lost_a1", "table")],
            id="a view of segments",
        ),
        pytest.param(("CREATE TABLE aggs.report AS SELECT 1 AS x",), [], id="not named as ours"),
        pytest.param(("CREATE VIEW aggs.agg_shops AS SELECT * FROM shop",), [], id="a view on other tables"),
        pytest.param(("CREATE TABLE aggs.agg_shops AS SELECT 1 AS x",), [], id="a table named as a view"),
        pytest.param(("CREATE TABLE as_agg_01234567_lost_a1 AS SELECT 1 AS x",), [], id="in another schema"),
    ],
)
def test_strays_are_found_by_name_and_by_what_they_read(
    built_star: Workspace, statements: Sequence[str], strays: list[tuple[str, str]]
) -> None:
    run_sql(built_star, *statements)

    assert _list_strays(built_star) == strays


def test_nothing_is_looked_for_in_a_schema_without_a_mark(deployed_star: Workspace) -> None:
    run_sql(deployed_star, _TABLE)

    assert find_strays(deployed_star) == ()


def test_a_schema_of_another_registry_may_know_them(built_star: Workspace, tmp_path: Path) -> None:
    with open_workspace(registry=f"sqlite:///{tmp_path / 'other.sqlite'}", warehouse="duckdb:///:memory:") as other:
        stranger = replace(built_star, registry=other.registry)

        with pytest.raises(SchemaOwnedError, match="writes there"):
            find_strays(stranger)


def test_a_stray_that_somebody_reads_stays_with_what_it_reads(built_star: Workspace) -> None:
    run_sql(built_star, _TABLE, _VIEW, "CREATE VIEW report AS SELECT * FROM aggs.agg_lost")

    view, table = find_strays(built_star)
    dropped = drop_strays(built_star, (view, table))

    assert "report" in view.kept_for
    assert "agg_lost" in table.kept_for
    assert [(stray.dropped, stray.error) for stray in dropped] == [(False, ""), (False, "")]
    assert {"agg_lost", "as_agg_01234567_lost_a1"} <= tables_of(built_star)


def test_strays_are_dropped_and_nothing_else_is(built_star: Workspace) -> None:
    run_sql(built_star, _TABLE, _VIEW)
    before = tables_of(built_star)

    dropped = drop_strays(built_star, find_strays(built_star))

    assert [stray.dropped for stray in dropped] == [True, True]
    assert tables_of(built_star) == before - {"agg_lost", "as_agg_01234567_lost_a1"}
    assert serving(built_star, "by_city").table in tables_of(built_star)
    assert find_strays(built_star) == ()


def test_a_stray_that_cannot_be_dropped_is_told_and_stops_no_other(built_star: Workspace) -> None:
    """It has become a view since it was found."""
    run_sql(built_star, "CREATE VIEW aggs.as_agg_89abcdef_cut_a1 AS SELECT 1 AS x", _TABLE)
    changed = Stray(table="as_agg_89abcdef_cut_a1", schema="aggs", kind="table")
    (stray,) = [stray for stray in find_strays(built_star) if stray.kind == "table"]

    first, second = drop_strays(built_star, (changed, stray))

    assert (first.dropped, second.dropped) == (False, True)
    assert "as_agg_89abcdef_cut_a1" in first.error


def test_strays_that_are_adopted_are_not_offered_again(built_star: Workspace) -> None:
    run_sql(built_star, _TABLE)

    (adopted,) = adopt_strays(built_star, find_strays(built_star), now=LATER)

    assert (adopted.adopted, adopted.dropped) == (True, False)
    assert find_strays(built_star) == ()
    assert adopted.table in tables_of(built_star)
