# ruff: noqa: ARG005 - a planted bug ignores what it should not
"""The traps that other aggregate engines fell into: each has a case by name, and most a planted bug that must be found.

Here are the list, kept true, and the cases that stand nowhere else: changed tables, and bugs of semi-additive metrics.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.rewriting.compose import compose as composing
from airflow_atscale_aggs.engine.sql.rows import FactRows
from tests.support.stars import tiny_star

_TESTS = Path(__file__).parents[1]

_TRAPS: dict[str, tuple[str, ...]] = {
    "COUNT(*) and COUNT(nullable)": ("rows and non-NULL values are counted apart", "_rows_from_a_count"),
    "NULL group keys": ("a NULL group is a group", "_null_groups_are_lost"),
    "NULL join keys": ("a total counts all rows, orphans included", "_no_join_rule"),
    "equal keys still need re-aggregation": ("names group, not keys", "_no_regrouping"),
    "OR over nested AND and NOT": ("or over nested and and not", "_or_becomes_and"),
    "always-false filter": ("always false", "a filter that nothing passes, without a group", "_filter_is_dropped"),
    "equality on a key that is dropped": ("an equality on a key that is not shown", "_filter_is_dropped"),
    "HAVING": ("having on a metric that is not shown", "_having_is_dropped"),
    "average of averages": ("averages from sums and counts", "_average_of_averages"),
    "MIN and MAX after a delete inside the grace period": ("test_increments_equal_a_full_rebuild",),
    "COUNT DISTINCT to a coarser grain": ("exact distinct counts do not add up", "_distinct_counts_add_up"),
    "distinct sketch across segments": ("test_exact_distinct_counts_are_full",),
    "semi-additive over time": (
        "what is in stock at the end of each year, and lowest over all of it",
        "_edges_are_forgotten",
    ),
    "fan-out join": (
        "tpch: orders are not multiplied by their items",
        "internet sales: an aggregate by reason is no source for a total",
        "_bridges_are_joins",
    ),
    "role-playing dimensions": ("two roles of one dimension in one query", "_roles_are_one"),
    "inner and left join with orphan facts": (
        "a used dimension leaves out rows without a member",
        "_always_inner_joins",
        "_left_joins_are_inner",
        "_foreign_keys_are_keys",
    ),
    "range partly outside the built range": (
        "test_old_aggregates_are_not_used_where_the_query_is_strict",
        "test_verify_tells_behind_from_wrong",
    ),
    "late row exactly on the grace boundary": ("test_a_row_that_is_late_by_exactly_the_grace_period_is_found",),
    "indicator ties at the last value": ("test_a_row_that_is_late_by_exactly_the_grace_period_is_found",),
    "time zones and daylight saving": ("test_a_time_zone_and_clocks_that_are_put_back",),
    "empty build": ("test_an_empty_build_answers_as_empty_facts_do", "test_an_empty_increment_makes_no_table"),
    "dimension changed after the build": (
        "test_a_renamed_member_is_new_where_it_is_joined_back_and_old_where_it_is_stored",
    ),
    "row security that the aggregate lacks": ("test_a_model_with_row_security_is_not_asked",),
    "schema change of the fact between build and query": ("test_a_table_that_changed_is_answered_as_of_the_build",),
}
"""Trap to its cases (names in `cases/queries`), tests and planted bugs."""


@pytest.mark.parametrize("trap", _TRAPS)
def test_each_trap_has_its_case(trap: str) -> None:
    """It is looked up by name, so that a case that is renamed or removed is missed."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in sorted(_TESTS.rglob("*.py")))
    cases = "\n".join(file.read_text(encoding="utf-8") for file in sorted((_TESTS / "cases").rglob("*.sql")))
    there = {*re.findall(r"^def (\w+)\(", code, re.MULTILINE), *re.findall(r"^-- case: (.+)$", cases, re.MULTILINE)}

    assert set(_TRAPS[trap]) <= there


_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales ORDER BY 1'
_PLAIN = "SELECT s.city, SUM(f.amount) AS a FROM sales f JOIN shop s ON f.shop_id = s.shop_id GROUP BY 1 ORDER BY 1"


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A tiny star with a semi-additive metric, its model deployed and built."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    folder = tiny_star.write_model(tmp_path / "model")
    (folder / "edge.yml").write_text(
        "unique_name: Edge\nobject_type: metric\nlabel: Edge\ncalculation_method: sum\ndataset: sales\ncolumn: "
        "quantity\n"
        "semi_additive: {position: last, relationships: [sales_day]}\n",
        encoding="utf-8",
    )
    model = folder / "model.yml"
    model.write_text(
        model.read_text(encoding="utf-8").replace("metrics:\n", "metrics:\n  - unique_name: Edge\n", 1),
        encoding="utf-8",
    )
    deploy(empty_workspace, folder, now=datetime.now(UTC))
    run_batch(empty_workspace, "tiny_sales", owner="test")
    return empty_workspace


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER TABLE sales RENAME COLUMN amount TO amount_2", "column `amount` of dataset `sales`"),
        ("ALTER TABLE shop RENAME COLUMN city TO town", "column `city` of dataset `shop`"),
        ("ALTER TABLE sales ADD COLUMN city VARCHAR(9)", ""),
        ("ALTER TABLE sales ALTER COLUMN amount TYPE DOUBLE PRECISION", ""),
    ],
)
def test_a_table_that_changed_is_answered_as_of_the_build(workspace: Workspace, change: str, message: str) -> None:
    """What is stored is what it was; facts that cannot be read any more say which column, and plain SQL is the
    warehouse's.
    """
    before = answer(workspace, _BY_CITY)
    tiny_star.run_sql(workspace, change)

    after = answer(workspace, _BY_CITY)

    assert (after.rows, after.plan.sources[0].aggregate) == (before.rows, "by_city")
    if not message:
        from_facts = answer(workspace, _BY_CITY, use_aggregates=False).rows
        assert [(city, float(amount)) for city, amount in from_facts] == [
            (city, float(amount)) for city, amount in before.rows
        ]
        assert answer(workspace, _PLAIN).rows == before.rows
        return
    with pytest.raises(UnsupportedQueryError, match=message):
        answer(workspace, _BY_CITY, use_aggregates=False)
    with pytest.raises(PermanentWarehouseError):
        answer(workspace, _PLAIN)


def _edges_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A semi-additive metric adds up over its dimension."""
    patch.setattr(
        composing._Group,
        "_prepare_rows",
        lambda self, keys, others: [
            *self._rows.prepare_groups(keys, others),
            *(exp.true() for _ in self._fact_query.edges),
        ],
    )


def _last_is_first(patch: pytest.MonkeyPatch) -> None:
    """The other end is taken."""
    plain = FactRows._edge_condition
    patch.setattr(
        FactRows, "_edge_condition", lambda self, edge, groups: plain(self, replace(edge, is_last=False), groups)
    )


def _edges_are_everywhere(patch: pytest.MonkeyPatch) -> None:
    """The last member of all rows is taken for that of each group."""
    plain = FactRows._edge_condition
    patch.setattr(FactRows, "_edge_condition", lambda self, edge, groups: plain(self, edge, ()))


@pytest.mark.parametrize("plant", [None, _edges_are_forgotten, _last_is_first, _edges_are_everywhere])
def test_bugs_of_semi_additive_metrics_are_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None] | None
) -> None:
    """The case that stands without them finds them."""
    tiny_star.run_sql(workspace, "DELETE FROM sales WHERE shop_id = 3 AND day_id > 11")
    wanted = []
    with workspace.warehouse.session() as session:
        rows = session.fetch_all(
            "SELECT s.city, f.day_id, f.quantity FROM sales f JOIN shop s ON f.shop_id = s.shop_id "
            "WHERE f.quantity IS NOT NULL"
        )
    for city in {row[0] for row in rows}:
        last = max(day for row_city, day, _ in rows if row_city == city)
        wanted.append((city, sum(quantity for row_city, day, quantity in rows if (row_city, day) == (city, last))))
    if plant is not None:
        plant(monkeypatch)

    answer_rows = answer(workspace, 'SELECT "City", "Edge" FROM tiny.tiny_sales').rows

    assert (sorted(answer_rows, key=str) == sorted(wanted, key=str)) == (plant is None)
