"""SQL arithmetic is said in MDX so that it is empty where SQL is NULL, or it is refused by name."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.expression_mdx import ExpressionError, as_mdx, measure, names_in

_MEASURES = {name: measure(name) for name in ("a", "b", "c")}


@pytest.mark.parametrize(
    ("sql", "mdx"),
    [
        ("a / b", "[Measures].[a] / [Measures].[b]"),
        ("cast(a as double) / nullif(b, 0)", "[Measures].[a] / NULLIF([Measures].[b], 0)"),
        ("a * 100", "[Measures].[a] * 100"),
        (
            "a - b",
            (
                "(CASE WHEN ISEMPTY([Measures].[a]) OR ISEMPTY([Measures].[b]) THEN NULL "
                "ELSE [Measures].[a] - [Measures].[b] END)"
            ),
        ),
        ("a + 1", "(CASE WHEN ISEMPTY([Measures].[a]) THEN NULL ELSE [Measures].[a] + 1 END)"),
        ("coalesce(a, 0)", "COALESCE([Measures].[a], 0)"),
        ("case when a > 0 then b else null end", "CASE WHEN [Measures].[a] > 0 THEN [Measures].[b] ELSE NULL END"),
        ("a is null or not b <= 2", "ISEMPTY([Measures].[a]) OR NOT [Measures].[b] <= 2"),
        ("round(abs(-a), 2)", "ROUND(ABS((-[Measures].[a])), 2)"),
    ],
)
def test_what_mdx_says(sql: str, mdx: str) -> None:
    assert as_mdx(sql, _MEASURES) == mdx


@pytest.mark.parametrize(
    "sql",
    [
        "a || b",
        "a % b",
        "sqrt(a)",
        "unknown + a",
        "t.a",
        "'text'",
        "case a when 1 then b end",
        "a in (1, 2)",
        "cast(a as int)",
        "(select 1)",
        "a +",
        "; drop table x",
        "a + " * 3000 + "a",
        "(" * 5000 + "a" + ")" * 5000,
    ],
    ids=lambda sql: sql[:20],
)
def test_what_mdx_does_not_say_is_refused(sql: str) -> None:
    with pytest.raises(ExpressionError):
        as_mdx(sql, _MEASURES)


def test_the_names_of_an_expression() -> None:
    assert names_in("b / nullif(a + b, 0)") == ("b", "a")
