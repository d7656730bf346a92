"""Members without facts in SQL: each beside every combination of the other keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from airflow_atscale_aggs.engine.rewriting.compose.laid_members import all_members, rows_of_members, typed_null
from tests.support.stars.asked_star import AskedStar


@dataclass
class _Names:
    """Names inside a query, as lists of them."""

    parts: list[str]
    keys: list[str]
    metrics: list[str]
    is_there: str = "is there"
    shown: str = "shown members"


_SALES = _Names(parts=["sales"], keys=["City", "Month"], metrics=["Amount"])


@pytest.mark.parametrize(
    ("keys", "tables", "sql"),
    [
        (["City"], {"shop members": (0,)}, 'SELECT "shop members"."City" AS "City" FROM "shop members"'),
        (
            ["City", "Month"],
            {"shop members": (0,)},
            (
                'SELECT "shop members"."City" AS "City", "beside"."Month" AS "Month" FROM "shop members" '
                'CROSS JOIN (SELECT DISTINCT "sales"."Month" FROM "sales") AS "beside"'
            ),
        ),
        (
            ["City", "Month"],
            {"day members": (1,), "shop members": (0,)},
            (
                'SELECT "shop members"."City" AS "City", "day members"."Month" AS "Month" FROM "day members" '
                'CROSS JOIN "shop members"'
            ),
        ),
    ],
    ids=["one key", "another key", "two dimensions"],
)
def test_every_member_stands_beside_the_keys_that_the_facts_have(
    market: AskedStar, keys: list[str], tables: dict[str, Sequence[int]], sql: str
) -> None:
    whole = market.split('SELECT "City", "Month", "Amount" FROM market')

    assert all_members(tables, whole, _Names(["sales"], keys, ["Amount"])).sql(dialect="duckdb") == sql


def test_keys_of_all_facts_are_taken_but_not_those_of_shifted_metrics(market: AskedStar) -> None:
    whole = market.split('SELECT "City", "Month", "Amount", "Visitors", "Amount Before" FROM market')
    names = _Names(["sales", "visits", "sales 1 before"], ["City", "Month"], ["Amount", "Visitors", "Amount 2"])

    select = all_members({"shop members": (0,)}, whole, names)

    assert (
        '(SELECT DISTINCT "sales"."Month" FROM "sales" UNION SELECT "visits"."Month" FROM "visits") AS "beside"'
        in select.sql(dialect="duckdb")
    )


def test_members_are_rows_whose_metrics_are_empty(market: AskedStar) -> None:
    whole = market.split('SELECT "City", "Month", "Amount" FROM market')

    assert rows_of_members(whole, _SALES).sql(dialect="duckdb") == (
        'SELECT "shown members"."City", "shown members"."Month", '
        '(SELECT "sales"."Amount" FROM "sales" WHERE FALSE) AS "Amount" FROM "shown members"'
    )


def test_members_are_there_where_shifted_metrics_are_not(market: AskedStar) -> None:
    whole = market.split('SELECT "City", "Month", "Amount", "Amount Before" FROM market')
    names = _Names(["sales", "sales 1 before"], ["City", "Month"], ["Amount", "Amount 2"])

    sql = rows_of_members(whole, names).sql(dialect="duckdb")

    assert sql.endswith('1 AS "is there" FROM "shown members"')


def test_a_typed_null_has_the_type_of_its_column(market: AskedStar) -> None:
    columns = [typed_null(column, "sales").sql(dialect="duckdb") for column in ("amount", "channel")]

    (row,) = market.session.fetch_all(f"SELECT {', '.join(f'{sql}, typeof({sql})' for sql in columns)}")
    assert row == (None, "INTEGER", None, "VARCHAR")
