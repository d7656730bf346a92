"""A SELECT on the flat table of a model is read as a query with keys, outputs and order, or its clause is refused."""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.rewriting.model_query import Ref, references
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_condition
from airflow_atscale_aggs.engine.sql.statements import parse_text
from tests.support.oracles.spelled_queries import flat_rows, flat_sql, read_query, spell
from tests.support.stars.shop_star import shop_names

_CITY = GrainAttribute(Role("Shops"), "City")


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "City", SUM("Amount") AS a FROM shop_star GROUP BY 1',
        'SELECT SUM("Amount") AS a FROM shop_star GROUP BY "City"',
        'SELECT DISTINCT "City", "Size" FROM shop_star GROUP BY "City", "Size", "Shop"',
        'SELECT "City" AS c, COUNT(*) AS n FROM shop_star WHERE "Year" = 1 GROUP BY c',
        'SELECT UPPER("City") AS c, "Year" + 1 AS y, COUNT("Amount") AS n FROM shop_star GROUP BY UPPER("City"), 2',
        'SELECT "City", COUNT(*) AS n FROM shop_star GROUP BY "City" HAVING SUM("Amount") > 1 OR n > 2',
        'SELECT "City", COUNT(*) AS n FROM shop_star GROUP BY 1 ORDER BY n DESC, "City" NULLS FIRST LIMIT 2 OFFSET 1',
        'SELECT "City", MAX("Shop") AS s FROM shop_star GROUP BY 1 ORDER BY 2, 1 DESC',
        'SELECT "City", SUM("Quantity") AS q FROM shop_star GROUP BY 1 ORDER BY SUM("Amount") DESC, COUNT(*), 1',
        'SELECT "City", "Year", COUNT(*) AS n FROM shop_star GROUP BY ROLLUP ("City", "Year")',
        'SELECT "City", "Year", COUNT(*) AS n, GROUPING("Year") AS g FROM shop_star GROUP BY CUBE ("City", "Year")',
        'SELECT "City", COUNT(*) AS n FROM shop_star GROUP BY GROUPING SETS (("City", "Size"), ("City"), ())',
        'SELECT "Size", COUNT(*) AS n, RANK() OVER (ORDER BY COUNT(*) DESC) AS r FROM shop_star GROUP BY 1',
        "SELECT 1 AS one FROM shop_star GROUP BY 1",
        "SELECT 1 AS one FROM shop_star WHERE \"City\" = 'nowhere' GROUP BY 1",
        "SELECT COUNT(*) AS n FROM shop_star WHERE \"City\" = 'nowhere'",
        'SELECT COUNT(*) AS n FROM shop_star WHERE "City" = \'nowhere\' GROUP BY "City"',
        "SELECT COUNT(*) AS n FROM shop_star WHERE NOT \"City\" IN ('North', 'South') AND \"Year\" IS NULL",
        'SELECT CASE WHEN "City" IS NULL THEN \'none\' ELSE "City" END AS c, COUNT(*) AS n FROM shop_star GROUP BY 1',
        'SELECT shop_star."City", s."Size" FROM shop_star AS s GROUP BY s."City", shop_star."Size"',
    ],
)
def test_a_select_has_the_rows_of_the_same_select_on_a_flat_table(sales: duckdb.DuckDBPyConnection, sql: str) -> None:
    on_table = sql.replace("shop_star.", "s.") if " AS s " in sql else sql

    assert flat_rows(sales, flat_sql(read_query(sql))) == flat_rows(sales, on_table)


@pytest.mark.parametrize(
    ("selected", "keys", "shown"),
    [
        ('"City", "Amount"', ['"City"'], ['"City"', "{Amount}"]),
        ('"City", UPPER("City"), SUM("Amount")', ['"City"', 'UPPER("City")'], ['"City"', 'UPPER("City")', "{Amount}"]),
        ('UPPER("City")', ['UPPER("City")'], ['UPPER("City")']),
        ('SUM("Amount"), 1', [], ["{Amount}", "1"]),
        ("1, 2", ["1"], ["1", "2"]),
        ('MAX("City")', [], ['MAX("City")']),
    ],
)
def test_what_is_selected_without_an_aggregate_is_a_key(selected: str, keys: list[str], shown: list[str]) -> None:
    """A tool may leave GROUP BY out. Constants alone are one group of the rows that are there."""
    query = read_query(f"SELECT {selected} FROM shop_star")

    assert [spell(query, key) for key in query.keys] == keys
    assert [spell(query, output.expression) for output in query.outputs] == shown


@pytest.mark.parametrize(
    ("selected", "dialect", "names"),
    [
        ('"City", "Amount", COUNT(*), SUM("Amount")', "postgres", ("City", "Amount", "count", "Amount")),
        ('"City" AS c, COUNT(*) AS n', "postgres", ("c", "n")),
        ('"Price", "Price" * 2, UPPER("City"), MAX("City")', "postgres", ("Price", "column_2", "column_3", "column_4")),
        ('"city", "amount"', "postgres", ("city", "amount")),
        ("CITY, `Amount`", "bigquery", ("City", "Amount")),
        ("'x', 1", "postgres", ("column_1", "column_2")),
    ],
)
def test_a_column_without_an_alias_has_the_name_of_what_it_shows(
    selected: str, dialect: str, names: tuple[str, ...]
) -> None:
    """Where the case of names does not matter, it is the model's."""
    assert read_query(f"SELECT {selected} FROM shop_star", dialect=dialect).names == names


@pytest.mark.parametrize(
    ("clause", "limit", "offset"),
    [
        ("LIMIT 5", 5, None),
        ("LIMIT 5 OFFSET 2", 5, 2),
        ("LIMIT (5)", 5, None),
        ("LIMIT ALL", None, None),
        ("LIMIT NULL", None, None),
        ("FETCH FIRST 3 ROWS ONLY", 3, None),
        ("FETCH FIRST ROW ONLY", 1, None),
        ("OFFSET 4", None, 4),
    ],
)
def test_a_number_of_rows_is_read(clause: str, limit: int | None, offset: int | None) -> None:
    query = read_query(f'SELECT "City" FROM shop_star {clause}')

    assert (query.limit, query.offset) == (limit, offset)


@pytest.mark.parametrize(
    ("order", "terms"),
    [
        ("1", [('"City"', False, False)]),
        ("2 DESC", [("{Amount}", True, True)]),
        ("a NULLS FIRST", [("{Amount}", False, True)]),
        ('"City" DESC NULLS LAST, COUNT(*)', [('"City"', True, False), ("{rows}", False, False)]),
        ('"Year"', [('"City"', False, False)]),
        ('UPPER("City")', [('UPPER("City")', False, False)]),
    ],
)
def test_order_is_by_place_by_name_or_by_what_the_model_has(order: str, terms: list[tuple[str, bool, bool]]) -> None:
    """A name of the answer goes before one of the model, as in SQL."""
    query = read_query(f'SELECT "City" AS "Year", SUM("Amount") AS a FROM shop_star ORDER BY {order}')

    assert [(spell(query, term.expression), term.is_descending, term.nulls_first) for term in query.order_by] == terms


def test_a_name_in_group_by_is_the_models_before_it_is_the_answers() -> None:
    query = read_query('SELECT UPPER("Shop") AS "City", COUNT(*) AS n FROM shop_star GROUP BY "City", UPPER("Shop")')

    assert {spell(query, key) for key in query.keys} == {'"City"', 'UPPER("Shop")'}


def test_levels_of_totals_are_sets_of_places_of_keys() -> None:
    query = read_query('SELECT "City", SUM("Amount") FROM shop_star GROUP BY "Size", ROLLUP ("City", "Year")')

    assert [spell(query, key) for key in query.keys] == ['"Size"', '"City"', '"Year"']
    assert query.sets == ((0, 1, 2), (0, 1), (0,))


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        ("SELECT * FROM shop_star", "*", "a model has more columns than anybody wants"),
        ("SELECT s.* FROM shop_star AS s JOIN (SELECT 1) AS t ON TRUE", "s.*", "more columns than anybody wants"),
        ('SELECT DISTINCT ON ("City") * FROM shop_star', "DISTINCT ON", "DISTINCT ON is not part"),
        ('SELECT "City" FROM shop_star FOR UPDATE', "FOR UPDATE", "this clause is not part of the SQL surface"),
        (
            'SELECT "City" FROM shop_star WHERE "Amount" > 1',
            'WHERE "Amount" > 1',
            "it filters rows by an aggregated value",
        ),
        (
            'SELECT "City" FROM shop_star WHERE MAX("Shop") > \'x\'',
            "WHERE MAX",
            "it filters rows by an aggregated value",
        ),
        ('SELECT "City" FROM shop_star GROUP BY 2', "2", "GROUP BY names position 2 of 1 columns"),
        ('SELECT "City" FROM shop_star GROUP BY 1.5', "1.5", "GROUP BY names position 1.5 of 1 columns"),
        ('SELECT SUM("Amount") FROM shop_star GROUP BY 1', "1", "GROUP BY names an aggregated value"),
        ('SELECT "City" FROM shop_star GROUP BY "City", "Amount"', '"Amount"', "GROUP BY names an aggregated value"),
        (
            'SELECT COUNT(*), "City" FROM shop_star GROUP BY "Shop", GROUPING SETS ((), ("Year"))',
            '"City"',
            "neither selected",
        ),
        ("SELECT COUNT(*) FROM shop_star HAVING \"City\" = 'x'", "HAVING", "`City` is neither selected by itself nor"),
        ('SELECT COUNT(*) FROM shop_star ORDER BY "City"', '"City"', "`City` is neither selected by itself nor"),
        ('SELECT "City" FROM shop_star ORDER BY 3', "3", "ORDER BY names position 3 of 1 columns"),
        (
            'SELECT GROUPING("Year") FROM shop_star GROUP BY ROLLUP ("City")',
            "GROUPING",
            "GROUPING is about what GROUP BY",
        ),
        ('SELECT "City" FROM shop_star LIMIT 1 + 1', "LIMIT 1 + 1", "only a plain number of rows is answered"),
        ('SELECT "City" FROM shop_star LIMIT 2.5', "LIMIT 2.5", "only a plain number of rows is answered"),
        ('SELECT "City" FROM shop_star FETCH FIRST 2 ROWS WITH TIES', "WITH TIES", "only a plain number of rows"),
        (
            "SELECT COUNT(*), n FROM shop_star JOIN (SELECT 1 AS n, 2 AS m) AS t ON TRUE ORDER BY m",
            "m",
            "`m` is neither",
        ),
    ],
)
def test_a_clause_that_is_not_answered_is_quoted(sql: str, clause: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        read_query(sql)

    assert clause in error.value.clause
    assert reason in error.value.reason


@pytest.mark.parametrize("name", ["s", "shop_star", "S", "SHOP_STAR"])
def test_the_models_name_or_its_alias_may_stand_before_a_column(name: str) -> None:
    query = read_query(f"SELECT (SELECT COUNT(*) FROM shop_star AS s WHERE {name}.\"City\" = 'x')")

    assert spell(query, query.where) == "\"City\" = 'x'"


@pytest.mark.parametrize(("name", "around"), [("shop_star", "other AS shop_star"), ("other", "other")])
def test_a_name_that_means_something_around_the_select_does_not_mean_the_model(name: str, around: str) -> None:
    with pytest.raises(UnsupportedQueryError, match=f"`{name}` is not the model of this SELECT"):
        read_query(f"SELECT (SELECT COUNT(*) FROM shop_star AS s WHERE {name}.\"City\" = 'x') FROM {around}")


def test_a_condition_on_rows_is_read_beside_attributes_that_are_there() -> None:
    (statement,) = parse_text('SELECT "Year" = 1 AND "City" = \'x\'', "postgres")
    assert statement is not None

    condition, attributes = read_condition(statement.expressions[0], shop_names(), [_CITY], dialect="postgres")

    assert attributes == (_CITY, GrainAttribute(Role("Calendar"), "Year"))
    assert list(references(condition, Ref.ATTRIBUTE)) == [1, 0]


@pytest.mark.parametrize("condition", ['"Amount" > 1', "MAX(\"City\") = 'x'", "COUNT(*) > 1"])
def test_a_condition_on_rows_is_not_on_an_aggregated_value(condition: str) -> None:
    (statement,) = parse_text(f"SELECT {condition}", "postgres")
    assert statement is not None

    with pytest.raises(UnsupportedQueryError, match="it filters rows by an aggregated value"):
        read_condition(statement.expressions[0], shop_names(), [], dialect="postgres")
