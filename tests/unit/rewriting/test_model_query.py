"""A query as a value: its names, and the references that its expressions are made of."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import (
    Ref,
    argument_of,
    attribute_at,
    is_reference,
    rebuild,
    ref,
    reference_of,
    references,
    substitute,
    with_names,
)
from tests.support.oracles.spelled_queries import read_query


def _over_references(sql: str) -> exp.Expr:
    """An expression in which a name such as ``A0`` is a reference."""
    return rebuild(
        sqlglot.parse_one(sql, read="postgres"),
        lambda node: (
            ref(Ref(node.name[0]), int(node.name[1:]))
            if isinstance(node, exp.Column) and node.name[0] in set(Ref) and node.name[1:].isdigit()
            else None
        ),
    )


@pytest.mark.parametrize(
    ("kind", "number", "text"), [(Ref.ATTRIBUTE, 0, "A0"), (Ref.METRIC, 12, "M12"), (Ref.JOINED, 3, "J3")]
)
def test_a_reference_is_a_placeholder_with_a_letter_and_a_place(kind: Ref, number: int, text: str) -> None:
    reference = ref(kind, number)

    assert reference.this == text
    assert reference_of(reference) == (kind, number)


@pytest.mark.parametrize(
    ("node", "is_ours"),
    [
        (ref(Ref.KEY, 0), True),
        (exp.Placeholder(), False),
        (exp.Placeholder(this="name"), False),
        (exp.column("A0"), False),
    ],
)
def test_a_parameter_of_the_query_is_no_reference(node: exp.Expr, is_ours: bool) -> None:
    assert is_reference(node) is is_ours


@pytest.mark.parametrize(("node", "place"), [("A2", 2), ("M2", None), ("x", None), ("A2 + 1", None), ("(A2)", None)])
def test_an_attribute_by_itself_has_a_place(node: str, place: int | None) -> None:
    assert attribute_at(_over_references(node)) == place


@pytest.mark.parametrize(
    ("sql", "places"),
    [("A1", [1]), ("A2 + A0 * A2", [2, 0, 2]), ("M0 > 1", []), ("CASE WHEN A1 = 'x' THEN M0 ELSE A3 END", [1, 3])],
)
def test_references_of_a_kind_are_told_in_the_order_of_the_text(sql: str, places: list[int]) -> None:
    assert list(references(_over_references(sql), Ref.ATTRIBUTE)) == places


def test_no_expression_refers_to_nothing() -> None:
    assert list(references(None, Ref.ATTRIBUTE)) == []


@pytest.mark.parametrize(
    ("expression", "value", "substituted"),
    [
        ("M0", "a + b", "a + b"),
        ("M0 * 2", "a", "a * 2"),
        ("M0 * 2", "a + b", "(a + b) * 2"),
        ("NOT M0", "a OR b", "NOT (a OR b)"),
        ("M0 = 1", "NOT a", "(NOT a) = 1"),
        ("SUM(M0) + A0 + K1", "a", "SUM(a) + :A0 + :K1"),
        ("M0 + M0", "a - b", "(a - b) + (a - b)"),
    ],
)
def test_a_value_stays_together_in_the_place_of_a_reference(expression: str, value: str, substituted: str) -> None:
    """References of other kinds stay."""
    before = _over_references(expression)
    text = before.sql()

    after = substitute(before, {Ref.METRIC: lambda _place: sqlglot.parse_one(value)})

    assert after.sql() == substituted
    assert before.sql() == text


def test_a_part_of_an_expression_is_rebuilt_with_all_below_it_and_the_rest_is_copied() -> None:
    before = sqlglot.parse_one("f(a + 1, b, c) > a")

    after = rebuild(before, lambda node: exp.Literal.number(9) if isinstance(node, exp.Add) else None)

    assert (before.sql(), after.sql()) == ("F(a + 1, b, c) > a", "F(9, b, c) > a")
    before.find_all(exp.Column).__next__().set("this", exp.to_identifier("changed"))
    assert "changed" not in after.sql()


@pytest.mark.parametrize(
    ("member", "argument"),
    [("MIN(A0)", ":A0"), ("COUNT(DISTINCT A0 + 1)", ":A0 + 1"), ("MAX(UPPER(A0))", "UPPER(:A0)")],
)
def test_what_an_aggregate_of_members_is_of(member: str, argument: str) -> None:
    assert argument_of(_over_references(member)).sql() == argument


def test_a_query_tells_its_names() -> None:
    query = read_query(
        'SELECT "City" AS town, UPPER("Size") AS large, COUNT(*), SUM("Amount") FILTER (WHERE "Week" = 1) AS a '
        'FROM shop_star WHERE "Month" = \'Jan\' AND "City" <> \'South\' GROUP BY "City", UPPER("Size"), LOWER("Shop")'
    )

    assert query.names == ("town", "large", "count", "a")
    assert query.key_names == ("City", "Size", "Shop")
    assert query.predicate_names == ("Month", "City", "Week")
    assert [query.name_of_key(number) for number in range(3)] == ["City", "large", "key 3"]


def test_people_see_names_in_the_place_of_references() -> None:
    query = read_query(
        'SELECT "City" || MAX("Shop") AS a, SUM("Amount") / COUNT(*) + n AS b, GROUPING("City", n) AS c '
        'FROM shop_star JOIN (SELECT 1 AS n) AS t ON "Year" = n GROUP BY CUBE ("City", n)'
    )

    assert [with_names(output.expression, query).sql("postgres") for output in query.outputs] == [
        '"City" || MAX("Shop")',
        '"Amount" / "count" + "n"',
        'GROUPING("City", "n")',
    ]
    assert with_names(exp.Placeholder(this="name"), query).this == "name"


def test_the_groups_of_a_query_are_asked_without_what_filters_orders_or_cuts_them() -> None:
    groups = 'SELECT "City", COUNT(*) FROM shop_star WHERE "Year" = 1 GROUP BY 1'
    query = read_query(
        f"{groups.replace('SELECT', 'SELECT DISTINCT')} HAVING COUNT(*) > (SELECT 1) ORDER BY 2 LIMIT 3 OFFSET 4"
    )

    assert [name for name, _ in query.subqueries] == ["subquery 1"]
    assert query.without_clauses_on_groups() == read_query(groups)
