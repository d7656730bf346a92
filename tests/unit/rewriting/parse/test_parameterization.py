"""Values are taken out of a query's text, so that one plan serves every query that differs in them alone."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.rewriting.parse.parameterization import (
    ParameterizedQuery,
    SqlTemplate,
    find_template,
    parameterize,
    restore_values,
)

_SELECT = "SELECT x FROM m WHERE "


def _parameterize(condition: str) -> ParameterizedQuery:
    query = parameterize(_SELECT + condition)
    assert query is not None
    return query


def _template(query: ParameterizedQuery) -> SqlTemplate:
    template = find_template(query.marked, query)
    assert template is not None
    return template


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("a = 'p' AND b IN (1, 2)", ("'p'", "1", "2")),
        ("a <> 1.5 OR a >= 2 OR b != 3", ("1.5", "2", "3")),
        ("a LIKE 'p%' OR a ILIKE 'q'", ("'p%'", "'q'")),
        ("a BETWEEN 1 AND 2 AND b = 3", ("1", "2", "3")),
        ("a BETWEEN 'p' AND 'p'", ("'p'",)),
        ("a = 'it''s'", ("'it''s'",)),
        ("a = 7 OR b = 7", ("7",)),
        ("a IN (1) AND b + 4 < c", ("1",)),
        ("a = b AND TO_CHAR(d, 'YYYY') IS NULL", ()),
        ("\"a = 'p'\" > 1", ("1",)),
    ],
)
def test_values_in_comparisons_are_taken_out(condition: str, values: tuple[str, ...]) -> None:
    """Formats, units and terms of sums stay in the text: they may change the plan."""
    query = _parameterize(condition)

    assert query.values == values
    assert _template(query).fill(query.values) == _SELECT + condition


@pytest.mark.parametrize(
    ("condition", "other"),
    [
        ("a = 'p' AND b IN (1, 2)", "a = 'q' AND b IN (3, 4)"),
        ("a BETWEEN 'p' AND 'p'", "a BETWEEN 'z' AND 'z'"),
        ("a > 5.5 / 2", "a > 7.5 / 2"),
        ("a = '2000-01-02'", "a = '1999-12-31'"),
    ],
)
def test_one_plan_serves_queries_that_differ_in_values_alone(condition: str, other: str) -> None:
    query, second = _parameterize(condition), _parameterize(other)

    assert query.key == second.key
    assert _template(query).fill(second.values) == _SELECT + other


@pytest.mark.parametrize(
    ("condition", "other"),
    [
        ("a BETWEEN 'p' AND 'p'", "a BETWEEN 'p' AND 'q'"),
        ("a = 'p' OR b = 'p'", "a = 'p' OR b = 'q'"),
        ("a = 1", "a = '1'"),
        ("a > 5.5 / 2", "a > 5 / 2"),
        ("a > 5.5 / 2", "a > 5.25 / 2"),
        ("a = '2000-01-02'", "a = 'x'"),
        ("a IN (1, 2)", "a IN (1, 2, 3)"),
        ("a = 1 LIMIT 5", "a = 1 LIMIT 6"),
        ("a = 1 AND b + 1 > c", "a = 1 AND b + 2 > c"),
    ],
)
def test_values_of_another_kind_or_number_have_another_plan(condition: str, other: str) -> None:
    """A range from a value to itself is that value, and what is computed with decimals has a type by their length."""
    assert _parameterize(condition).key != _parameterize(other).key


@pytest.mark.parametrize(
    "condition",
    [
        "a = 'p' OR 'p' = a",
        "a LIKE 'p!_%' ESCAPE '!'",
        "a = E'p'",
        "a = X'41'",
        "a = $1",
        "a = ?",
        "a = 'p' -- and more",
        "a = /* so */ 'p'",
        r"a = 'p\'",
    ],
)
def test_a_text_that_is_not_taken_apart_safely_is_planned_as_it_is(condition: str) -> None:
    """Whoever plans must see equal texts as equal, and an escape with its pattern."""
    assert parameterize(_SELECT + condition) is None


def test_a_text_elsewhere_hinders_only_where_it_is_one_of_the_values() -> None:
    assert _parameterize("a = 'p' OR 'q' = a").values == ("'p'",)


@pytest.mark.parametrize(
    ("part", "changed"),
    [("'", ""), ("b = '791900016007'", "TRUE"), ("0001", "0007"), ("6007' AND", "6007x' AND"), ("'79", "'x79")],
)
def test_a_plan_in_which_a_mark_is_not_as_it_went_in_has_no_template(part: str, changed: str) -> None:
    """A text became a number, a value is gone or not known, or a mark is a part of another text."""
    query = _parameterize("a = 'p' AND b = 'q'")
    assert query.marked == f"{_SELECT}a = '791900006007' AND b = '791900016007'"

    assert find_template(query.marked.replace(part, changed), query) is None


def test_a_value_may_come_out_several_times_and_in_another_order() -> None:
    query = _parameterize("a = 'p' AND b = 2")
    first, second = query.marked.split(" AND ")
    template = find_template(f"{second} OR {first} OR {second}", query)

    assert template is not None
    assert template.fill(("'q'", "3")) == f"b = 3 OR {_SELECT}a = 'q' OR b = 3"


def test_a_query_without_values_is_its_own_plan() -> None:
    query = _parameterize("a IS NULL")

    assert _template(query) == SqlTemplate((f"{_SELECT}a IS NULL",), ())
    assert _template(query).fill(()) == query.key == query.marked


def test_people_see_values_in_the_place_of_marks() -> None:
    query = _parameterize("a = 'p' AND b = 2.50")

    assert restore_values(f"cannot read {query.marked}", query.values) == f"cannot read {_SELECT}a = 'p' AND b = 2.50"
    assert restore_values(query.marked, query.values[:1]) == f"{_SELECT}a = 'p' AND b = …"
