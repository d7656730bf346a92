"""The facts whose rows a query counts: those of its metrics, or those that reach everything it uses."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.row_counts import with_facts_of_rows
from tests.support.oracles.spelled_queries import read_query, spell
from tests.support.stars.shop_star import shop_model, shop_paths

_BOTH = "(COALESCE({rows of sales}, 0) + COALESCE({rows of visits}, 0))"
_FEB = "\"Month\" = 'Feb'"


def _counted(sql: str) -> ModelQuery:
    return with_facts_of_rows(read_query(sql), shop_model(), shop_paths())


@pytest.mark.parametrize(
    ("selected", "shown"),
    [
        ("COUNT(*)", [_BOTH]),
        ('"City", COUNT(*)', ['"City"', _BOTH]),
        ('"Sent Month", COUNT(*)', ['"Sent Month"', "{rows}"]),
        ('"Amount", COUNT(*)', ["{Amount}", "{rows}"]),
        ('"Visitors", COUNT(*)', ["{Visitors}", "{rows}"]),
        ('"Amount", "Visitors", COUNT(*)', ["{Amount}", "{Visitors}", _BOTH]),
        (
            '"Amount", "Visitors", MAX("Sent Month"), COUNT(*)',
            ["{Amount}", "{Visitors}", 'MAX("Sent Month")', "{rows}"],
        ),
        ('MAX("Sent Month"), COUNT(*)', ['MAX("Sent Month")', "{rows}"]),
        ("SUM(1) * 2", [f"NULLIF({_BOTH}, 0) * 2"]),
        (
            f"COUNT(*) FILTER (WHERE {_FEB})",
            [f"(COALESCE({{rows of sales where {_FEB}}}, 0) + COALESCE({{rows of visits where {_FEB}}}, 0))"],
        ),
        ("COUNT(*) FILTER (WHERE \"Sent Month\" = 'Feb')", ["{rows where \"Sent Month\" = 'Feb'}"]),
    ],
)
def test_the_rows_of_all_facts_that_reach_everything_are_added_up(selected: str, shown: list[str]) -> None:
    """With metrics, the rows of their facts count."""
    query = _counted(f"SELECT {selected} FROM shop_star")

    assert [spell(query, output.expression) for output in query.outputs] == shown


def test_a_number_of_rows_whose_fact_is_said_is_left_alone() -> None:
    sql = 'SELECT COUNT(CASE WHEN "City" = \'x\' THEN "Amount" ELSE 1 END) FROM shop_star'

    assert "sales" in read_query(sql).counted_facts.values()
    assert _counted(sql) == read_query(sql)


@pytest.mark.parametrize(
    "clause",
    [
        "WHERE \"Sent Month\" = 'Feb'",
        "JOIN (SELECT 'Feb' AS c) AS t ON \"Sent Month\" = t.c",
        'GROUP BY "Sent Month"',
    ],
)
def test_a_fact_that_does_not_reach_an_attribute_of_any_clause_is_not_counted(clause: str) -> None:
    query = _counted(f"SELECT COUNT(*) FROM shop_star {clause}")

    assert (query.metrics, query.counted_facts) == (("",), {})


def test_rows_are_added_up_in_every_clause() -> None:
    query = _counted('SELECT "City" FROM shop_star GROUP BY 1 HAVING COUNT(*) > 1 ORDER BY COUNT(*)')

    assert spell(query, query.having) == f"{_BOTH} > 1"
    assert spell(query, query.order_by[0].expression) == _BOTH
    assert query.counted_facts == {0: "sales", 1: "visits"}


@pytest.mark.parametrize(
    ("selected", "facts"),
    [
        ('"City", "Month"', ["sales", "visits"]),
        ('"City", "Sent Month"', ["sales"]),
        ("1", ["sales", "visits"]),
        ('"City", MAX("Month")', ["sales", "visits"]),
        ('"City"', []),
        ('"City", "Size"', []),
        ('"City", "Month", "Amount"', []),
    ],
)
def test_attributes_of_several_dimensions_are_those_of_rows_of_the_facts(selected: str, facts: list[str]) -> None:
    """Members of one dimension belong together without a fact."""
    query = _counted(f"SELECT {selected} FROM shop_star")

    assert list(query.counted_facts.values()) == facts
    assert query.outputs == read_query(f"SELECT {selected} FROM shop_star").outputs
