"""What queries of somebody may read is decided before the warehouse is asked anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError, OutOfReachError, QueryError, UnreadableQueryError
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import UNBOUND, QueryBounds, bounds_of
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import parse_with_tables
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from tests.support.stars import standing_star, tiny_star

_BY_CITY = 'SELECT "City", "Amount" FROM tiny_sales'
_MODELS_ONLY = QueryBounds(reads_tables=False, is_guarded=True)
_GUARDED = QueryBounds(is_guarded=True)


def test_without_bounds_everything_is_taken() -> None:
    root, tables = parse_with_tables("SELECT read_text('x') FROM \"a.csv\"", dialect="duckdb")

    UNBOUND.check("", root, "duckdb")
    UNBOUND.check_names(tables, "duckdb")
    UNBOUND.check_tables(["secret"])
    assert UNBOUND.rows is None


@pytest.mark.parametrize(
    ("user", "groups", "reader"),
    [
        (None, ["red"], None),
        ("ann", None, Reader("ann")),
        ("ann", [], Reader("ann")),
        ("ann", ["red"], Reader("ann", ("red",))),
    ],
)
def test_who_asks_is_nobody_unless_it_is_said(
    user: str | None, groups: list[str] | None, reader: Reader | None
) -> None:
    """No groups are groups that are not known."""
    assert bounds_of(user, groups).reader == reader


@pytest.mark.parametrize("name", ["secret", "shop"])
def test_tables_are_out_of_reach_whether_they_exist_or_not(asked_star: Workspace, name: str) -> None:
    """The sentence is the same, so that nobody learns what is there."""
    sentence = f"`{name}` is not answered: it is no model that you may ask, and tables of the warehouse are out of"
    for sql in (f"SELECT * FROM {name}", f"SELECT 1 FROM ({_BY_CITY}) AS m, {name}"):
        with pytest.raises(OutOfReachError, match=re.escape(sentence)):
            answer(asked_star, sql, bounds=_MODELS_ONLY)
        with pytest.raises(OutOfReachError, match=re.escape(sentence)):
            explain(asked_star, sql, bounds=_MODELS_ONLY)


def test_a_query_without_a_name_in_it_asks_no_model(asked_star: Workspace) -> None:
    with pytest.raises(OutOfReachError, match="names no model"):
        answer(asked_star, "SELECT 1", bounds=_MODELS_ONLY)
    with pytest.raises(UnreadableQueryError, match="is not a query"):
        answer(asked_star, "DROP TABLE shop", bounds=_MODELS_ONLY)


def test_a_model_is_asked_within_bounds_and_answers_the_same(asked_star: Workspace) -> None:
    for sql in (_BY_CITY, f'WITH m AS ({_BY_CITY}) SELECT * FROM m WHERE "Amount" > 300 /* many */ ORDER BY 1'):
        assert answer(asked_star, sql, bounds=_MODELS_ONLY).rows == answer(asked_star, sql).rows


def test_the_model_that_is_meant_may_be_said_beside_the_query(asked_star: Workspace) -> None:
    """No name in FROM is looked up in the warehouse then, not even one of a table."""
    sql = 'SELECT "City", "Amount" FROM shop'

    answered = answer(asked_star, sql, model="tiny_sales", bounds=_MODELS_ONLY)

    assert answered.plan.meant == ()
    assert sorted(answered.rows, key=str) == sorted(answer(asked_star, _BY_CITY).rows, key=str)


def test_a_table_of_a_models_name_is_not_there_for_who_may_ask_models_only(tmp_path: Path) -> None:
    sql = 'SELECT SUM("Amount") FROM tiny_sales'
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as star:
        expected = answer(star, sql).rows
        tiny_star.run_sql(star, 'CREATE TABLE tiny_sales AS SELECT 1 AS "Amount"')

        assert answer(star, sql, bounds=_MODELS_ONLY).rows == expected
        assert answer(star, sql).rows == [(1,)]


def test_a_model_that_is_not_seen_is_as_one_that_was_never_deployed(asked_star: Workspace) -> None:
    blind = QueryBounds(sees=lambda _: False, reads_tables=False, is_guarded=True)
    with pytest.raises(OutOfReachError, match="no model that you may ask"):
        answer(asked_star, 'SELECT "City" FROM tiny.tiny_sales', bounds=blind)
    with pytest.raises(NotRegisteredError) as raised:
        answer(asked_star, 'SELECT "City" FROM x', model="tiny_sale", bounds=blind)
    assert raised.value.near == ()

    sees_tables = QueryBounds(sees=lambda _: False)
    with pytest.raises(NotRegisteredError, match="has no model, and the warehouse no table"):
        answer(asked_star, 'SELECT "City" FROM tiny.tiny_sales', bounds=sees_tables)
    shown = answer(asked_star, "SELECT table_name FROM information_schema.tables", bounds=sees_tables)
    everything = answer(asked_star, "SELECT table_name FROM information_schema.tables")
    assert {row[0] for row in everything.rows} - {row[0] for row in shown.rows} == {"tiny_sales"}


def test_a_model_may_be_seen_and_not_asked(asked_star: Workspace) -> None:
    asked = []

    def refuse(record: ModelRecord) -> None:
        asked.append(record.name)
        raise OutOfReachError(record.name, "it is not yours")

    with pytest.raises(OutOfReachError):
        answer(asked_star, _BY_CITY, bounds=QueryBounds(check_model=refuse))
    assert set(asked) == {"tiny_sales"}


def test_plain_sql_is_run_as_it_was_read_and_not_as_it_was_sent(asked_star: Workspace) -> None:
    sql = "SELECT shop_name /* where comments end, parsers may not agree */ FROM shop ORDER BY 1"

    plan = explain(asked_star, sql, bounds=_GUARDED)

    assert plan.sql == 'SELECT "shop_name" FROM "shop" ORDER BY 1'
    assert answer(asked_star, sql, bounds=_GUARDED).rows == answer(asked_star, sql).rows


def test_what_is_rewritten_without_bounds_is_rewritten_within_them(asked_star: Workspace) -> None:
    sql = "SELECT s.city, SUM(f.amount) AS a FROM sales AS f JOIN shop AS s USING (shop_id) GROUP BY 1"

    answered = answer(asked_star, sql, bounds=_GUARDED)

    assert [source.aggregate for source in answered.plan.sources] == ["by_city"]
    assert sorted(answered.rows, key=str) == sorted(answer(asked_star, sql).rows, key=str)


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "DESCRIBE shop",
        "SUMMARIZE shop",
        "PIVOT shop ON city USING COUNT(*)",
        "EXPLAIN SELECT 1",
        "SELECT * FROM shop; SELECT 1",
        "FROM read_csv('/etc/passwd')",
        "FROM '/etc/passwd'",
        "SELECT 'a\x00b' FROM shop",
        f"{_BY_CITY} WHERE \"City\" = '\x00'",
    ],
)
def test_what_cannot_be_read_is_not_run(asked_star: Workspace, sql: str) -> None:
    """Without bounds, statements that only show something are run as they stand."""
    for bounds in (_GUARDED, _MODELS_ONLY):
        with pytest.raises(QueryError):
            answer(asked_star, sql, bounds=bounds)


def test_of_an_answer_the_first_rows_are_fetched(asked_star: Workspace) -> None:
    def bounds(rows: int) -> QueryBounds:
        return QueryBounds(rows=RowBounds(rows, 10**6))

    cut = answer(asked_star, f"{_BY_CITY} ORDER BY 1 NULLS FIRST", bounds=bounds(2))
    whole = answer(asked_star, _BY_CITY, bounds=bounds(3))

    assert ([row[0] for row in cut.rows], cut.is_cut) == ([None, "North"], True)
    assert (len(whole.rows), whole.is_cut) == (3, False)
