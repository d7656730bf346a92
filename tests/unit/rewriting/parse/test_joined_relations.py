"""What may be joined to a model, whose a column then is, and which relation may stand first."""

from __future__ import annotations

from typing import NoReturn

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import (
    COLUMNS,
    JoinedRelations,
    Relation,
    put_first,
    relations_of,
)
from tests.support.stars.shop_star import shop_names


def _select(sql: str) -> exp.Select:
    select = sqlglot.parse_one(sql, read="postgres")
    assert isinstance(select, exp.Select)
    return select


def _relation(joined: str) -> Relation:
    select = _select(f"SELECT 1 FROM m {joined}")
    for table in select.find_all(exp.Table):
        if table.name == "known":
            table.meta[COLUMNS] = {"a": "int", "b": "text"}
    (relation,) = relations_of(select, "postgres")
    return relation


@pytest.mark.parametrize(
    ("joined", "alias", "rows", "columns"),
    [
        ("JOIN known ON TRUE", "known", "SELECT * FROM known", ("a", "b")),
        ("JOIN s.known AS k ON TRUE", "k", "SELECT * FROM s.known AS k", ("a", "b")),
        ("JOIN unknown AS u ON TRUE", "u", "SELECT * FROM unknown AS u", None),
        ("JOIN known AS k (x, y) ON TRUE", "k", "SELECT * FROM known AS k(x, y)", ("x", "y")),
        ("JOIN (SELECT a, b + 1 AS c FROM t) AS u ON TRUE", "u", "SELECT a, b + 1 AS c FROM t", ("a", "c")),
        ("JOIN (SELECT * FROM t) AS u ON TRUE", "u", "SELECT * FROM t", None),
        (
            "JOIN (SELECT a FROM t UNION SELECT b FROM t) AS u ON TRUE",
            "u",
            "SELECT a FROM t UNION SELECT b FROM t",
            ("a",),
        ),
        ("JOIN (SELECT a FROM t) AS u (x) ON TRUE", "u", "SELECT * FROM (SELECT a FROM t) AS u(x)", ("x",)),
        ("JOIN (VALUES (1), (2)) AS v (x) ON TRUE", "v", "SELECT * FROM (VALUES (1), (2)) AS v(x)", ("x",)),
    ],
)
def test_a_relation_is_a_query_with_names_of_columns_where_they_are_known(
    joined: str, alias: str, rows: str, columns: tuple[str, ...] | None
) -> None:
    relation = _relation(joined)

    assert (relation.alias, relation.query.sql("postgres"), relation.columns) == (alias, rows, columns)


@pytest.mark.parametrize(
    ("joined", "is_left", "on", "using"),
    [
        ("JOIN t ON t.a = 1", False, "t.a = 1", ()),
        ("INNER JOIN t USING (a, b)", False, None, ("a", "b")),
        ("LEFT JOIN t ON TRUE", True, "TRUE", ()),
        ("LEFT OUTER JOIN t USING (a)", True, None, ("a",)),
        ("CROSS JOIN t", False, None, ()),
        (", t", False, None, ()),
    ],
)
def test_inner_left_and_cross_joins_are_answered(
    joined: str, is_left: bool, on: str | None, using: tuple[str, ...]
) -> None:
    relation = _relation(joined)

    assert (relation.is_left, relation.on and relation.on.sql(), relation.using) == (is_left, on, using)


@pytest.mark.parametrize(
    ("joined", "clause", "reason"),
    [
        ("RIGHT JOIN t ON TRUE", "RIGHT JOIN t ON TRUE", "inner, left and cross joins are answered"),
        ("FULL JOIN t ON TRUE", "FULL JOIN t ON TRUE", "inner, left and cross joins are answered"),
        ("NATURAL JOIN t", "NATURAL JOIN t", "inner, left and cross joins are answered"),
        ("JOIN generate_series(1, 2) AS g ON TRUE", "GENERATE_SERIES(1, 2) AS g", "this cannot be joined to a model"),
        ("CROSS JOIN LATERAL (SELECT 1) AS l", "LATERAL (SELECT 1) AS l", "this cannot be joined to a model"),
        ("JOIN (t JOIN u ON TRUE) ON TRUE", "(t JOIN u ON TRUE)", "or one has none"),
        ("JOIN t ON TRUE JOIN s.T ON TRUE", "SELECT 1", "two relations have one name, or one has none"),
        ("JOIN (SELECT 1) ON TRUE", "SELECT 1", "two relations have one name, or one has none"),
    ],
)
def test_other_joins_are_refused(joined: str, clause: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        relations_of(_select(f"SELECT 1 FROM m {joined}"), "postgres")

    assert clause in error.value.clause
    assert reason in error.value.reason


def _joined(**columns: tuple[str, ...] | None) -> JoinedRelations:
    """Relations by alias with the columns that are known of them; `City` of the first is that of the model."""
    relations = JoinedRelations(shop_names())
    for number, (alias, names) in enumerate(columns.items()):
        using = ("City",) if number == 0 and names is not None and "City" in names else ()
        relations.add(Relation(alias, exp.select("1"), names, False, None, using), f"subquery {number + 1}")
    return relations


def _refuse(column: exp.Expr, reason: str, _remedy: str) -> NoReturn:
    raise UnsupportedQueryError(column.sql(), reason)


@pytest.mark.parametrize(
    ("column", "owner"),
    [
        ("t.a", ("subquery 1", "a")),
        ("T.a", ("subquery 1", "a")),
        ("m.a", None),
        ("a", ("subquery 1", "a")),
        ("b", ("subquery 2", "b")),
        ('"City"', None),
        ('"Amount"', None),
        ('"month"', ("subquery 2", "month")),
        ("nothing", None),
    ],
)
def test_a_column_belongs_to_the_relation_that_has_it(column: str, owner: tuple[str, str] | None) -> None:
    """Of a name in another case than the model's, a relation that spells it so goes first."""
    relations = _joined(t=("City", "a"), u=("b", "month"))

    assert relations.find(exp.maybe_parse(column, dialect="postgres"), _refuse) == owner


def test_a_name_that_no_relation_is_known_to_have_belongs_to_the_unknown_one() -> None:
    relations = _joined(t=("a",), u=None)

    assert relations.find(exp.column("x"), _refuse) == ("subquery 2", "x")
    assert relations.find(exp.column("city"), _refuse) is None
    assert _joined(t=None, u=None).find(exp.column("x"), _refuse) is None


@pytest.mark.parametrize("column", ["a", "Month"])
def test_a_name_that_two_relations_have_is_refused(column: str) -> None:
    relations = _joined(t=("a", "Month"), u=("a",))

    with pytest.raises(UnsupportedQueryError, match="several relations of this SELECT have it"):
        relations.find(exp.column(column), _refuse)


def test_nothing_is_joined_where_nothing_was_added() -> None:
    assert JoinedRelations(shop_names()).find(exp.column("a", table="t"), _refuse) is None


def test_using_says_that_the_columns_of_both_are_equal() -> None:
    assert _joined(t=("City",), u=("a",)).equal("City", "subquery 1").sql() == '"City" = "t"."City"'


_TABLES = """
CREATE TABLE a AS SELECT * FROM (VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, 'y')) AS t (n, p);
CREATE TABLE b AS SELECT * FROM (VALUES (1, 10), (2, 20), (2, 21), (NULL, 30)) AS t (n, q);
CREATE TABLE c AS SELECT * FROM (VALUES ('x', 10), ('y', 20), (NULL, 21)) AS t (p, q)
"""


@pytest.mark.parametrize(
    ("joins", "first"),
    [
        ("a JOIN b ON a.n = b.n", "b"),
        ("a JOIN b USING (n)", "b"),
        ("a CROSS JOIN b", "b"),
        ("a JOIN b ON a.n = b.n JOIN c ON c.q = b.q AND c.p = a.p", "b"),
        ("a JOIN b ON a.n = b.n JOIN c ON c.q = b.q", "c"),
        ("(SELECT * FROM a) AS a JOIN b ON a.n = b.n", "b"),
    ],
)
def test_a_relation_stands_first_where_the_rows_are_the_same(joins: str, first: str) -> None:
    names = [name for name in ("a", "b", "c") if f"{name} " in f"{joins} " or f"AS {name}" in joins]
    sql = f"SELECT {', '.join(f'{name}.*' for name in names)} FROM {joins}"
    select = _select(sql)
    table = next(table for table in select.find_all(exp.Table) if table.name == first)

    assert put_first(select, table)

    assert select.args["from_"].this.alias_or_name == first
    with duckdb.connect() as connection:
        connection.execute(_TABLES)
        before, after = (connection.execute(text).fetchall() for text in (sql, select.sql("duckdb")))
    assert before
    assert sorted(after, key=repr) == sorted(before, key=repr)


@pytest.mark.parametrize(
    "joins",
    [
        "a LEFT JOIN b ON a.n = b.n",
        "a RIGHT JOIN b ON a.n = b.n",
        "a NATURAL JOIN b",
        "a JOIN b USING (n) JOIN c USING (p)",
        "a JOIN b ON TRUE LEFT JOIN c ON TRUE",
        "UNNEST(ARRAY[1]) AS g JOIN b ON TRUE",
        "(SELECT * FROM b) AS b",
    ],
)
def test_a_relation_stays_where_the_order_means_something(joins: str) -> None:
    select = _select(f"SELECT 1 FROM {joins}")
    text = select.sql()
    table = next(table for table in select.find_all(exp.Table) if table.name == "b")

    assert not put_first(select, table)
    assert select.sql() == text
