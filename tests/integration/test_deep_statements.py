"""Statements that programs write, on models and on tables: thousands of values, conditions or SELECTs, also nested."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.errors import UnreadableQueryError
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import recommend
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.oracles.query_oracle import same_rows


def _chain(column: str) -> str:
    return " OR ".join([f"{column} = 'x{number}'" for number in range(1000)] + [f"{column} = 'North'"])


def _nested_left(column: str) -> str:
    return "(" * 1000 + f"{column} = 'North'" + "".join(f" OR {column} = 'x{number}')" for number in range(1000))


def _nested_right(column: str) -> str:
    return "".join(f"({column} = 'x{number}' OR " for number in range(1000)) + f"{column} = 'North'" + ")" * 1000


def _conjuncts(column: str) -> str:
    return f"{column} = 'North'" + "".join(f" AND ({column} <> 'x{number}')" for number in range(1000))


def _nested_both(column: str) -> str:
    start = "".join(f"({column} = 'x{number}' OR ({column} <> 'y{number}' AND " for number in range(200))
    return f"{start}{column} = 'North'" + "))" * 200


def _parentheses(column: str) -> str:
    return "(" * 500 + f"{column} = 'North'" + ")" * 500


def _values(column: str) -> str:
    return f"{column} IN (" + ", ".join(f"'x{number}'" for number in range(10_000)) + ", 'North')"


_CONDITIONS = {
    "ORs": _chain,
    "to the left": _nested_left,
    "to the right": _nested_right,
    "ANDs": _conjuncts,
    "both": _nested_both,
}
_CONDITIONS |= {"parentheses": _parentheses, "values": _values}


@pytest.mark.parametrize("condition", _CONDITIONS.values(), ids=_CONDITIONS)
def test_conditions_may_be_long_and_deep(workspace: Workspace, condition: Callable[[str], str]) -> None:
    """The aggregate answers as if the query named that one member; the process is left as it was."""
    limits = sys.getrecursionlimit(), threading.stack_size()
    on_tables = "SELECT s.city, SUM(f.amount) AS a FROM sales f JOIN shop s ON f.shop_id = s.shop_id"
    with workspace.warehouse.session() as session:
        wanted = session.fetch_all(f"{on_tables} WHERE s.city = 'North' GROUP BY 1")
    on_model = (
        f'SELECT "City", SUM("Amount") AS a FROM tiny_sales WHERE {condition(chr(34) + "City" + chr(34))} GROUP BY 1'
    )

    for sql in (on_model, f"{on_tables} WHERE {condition('s.city')} GROUP BY 1"):
        result = answer(workspace, sql)
        assert same_rows(result.rows, wanted) == ""
        assert [source.aggregate for source in result.plan.sources] == ["by_city"]
        explained_sources = explain(workspace, sql, estimate=False).sources
        assert [source.instance_id for source in explained_sources] == [
            source.instance_id for source in result.plan.sources
        ]
    assert (sys.getrecursionlimit(), threading.stack_size()) == limits
    recommend(workspace, "tiny_sales", now=datetime.now(UTC))


def test_hundreds_of_selects_are_laid_together(workspace: Workspace) -> None:
    """A UNION ALL of SELECTs on the model equals one of SELECTs on tables."""
    on_model = " UNION ALL ".join(['SELECT "Amount" AS a FROM tiny_sales'] * 300)
    on_tables = " UNION ALL ".join(["SELECT SUM(amount) AS a FROM sales"] * 300)
    assert same_rows(answer(workspace, on_model).rows, answer(workspace, on_tables).rows) == ""


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
def test_a_thousand_conditions_that_no_aggregate_answers_are_run_as_they_stand(workspace: Workspace) -> None:
    """They are nested, so they meet the warehouse's own bound."""
    sql = f"SELECT COUNT(*) AS n FROM shop WHERE {_nested_left('shop.city')}"
    result = answer(workspace, sql)
    assert (result.rows, result.plan.sql) == ([(2,)], sql)


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
def test_what_is_nested_beyond_measure_is_refused(workspace: Workspace) -> None:
    """It is refused with a sentence; the process does not crash."""
    sql = 'SELECT "Amount" FROM tiny_sales WHERE ' + "(" * 100_000 + "\"City\" = 'North'" + ")" * 100_000
    with pytest.raises(UnreadableQueryError, match="nested too deeply"):
        answer(workspace, sql)


def test_shapes_of_long_lists_keep_what_is_no_value(workspace: Workspace) -> None:
    """A value becomes a mark and a column stays, in lists of any length."""
    values = ", ".join(f"'x{number}'" for number in range(3_000))
    plan = explain(workspace, f'SELECT "Amount" FROM tiny_sales WHERE "City" IN ({values}, "Shop") LIMIT 7')

    assert plan.asked.shape.count("%s") == 3_000
    assert "x1" not in plan.asked.shape
    assert '"Shop"' in plan.asked.shape
    assert plan.asked.shape.endswith("LIMIT 7")


@pytest.mark.parametrize("sql", ["SELECT '\udcff' AS x", 'SELECT "Amount" FROM tiny_sales WHERE "City" = \'\ud800\''])
def test_bytes_that_are_no_text_are_refused(workspace: Workspace, sql: str) -> None:
    """A command line hands such bytes on; the sentence about them can be shown."""
    for ask in (answer, explain):
        with pytest.raises(UnreadableQueryError, match="no UTF-8 text") as caught:
            ask(workspace, sql)
        assert str(caught.value).encode()
