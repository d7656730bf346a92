"""What functions around metrics measure, and which branches a conditional value has."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.rewriting.parse.aggregate_calls import (
    branches_of,
    is_composed,
    is_conditional,
    is_zero,
    keeps_calculation,
    method_of,
    number_of,
    split_factor,
)


def _parse(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="postgres")


@pytest.mark.parametrize(
    ("own", "function", "method"),
    [
        ("sum", "SUM(x)", ""),
        ("sum", "AVG(x)", "average"),
        ("sum", "MIN(x)", "minimum"),
        ("sum", "COUNT(x)", "count non-null"),
        ("sum", "COUNT(DISTINCT x)", "count distinct"),
        ("sum", "SUM(DISTINCT x)", "sum distinct"),
        ("sum", "STDDEV(x)", "stddev_samp"),
        ("sum", "VAR_POP(x)", "var_pop"),
        ("sum", "MIN(DISTINCT x)", "minimum"),
        ("sum", "AVG(DISTINCT x)", None),
        ("sum", "BOOL_AND(x)", None),
        ("average", "AVG(x)", ""),
        ("average", "SUM(x)", ""),
        ("average", "MAX(x)", "maximum"),
        ("minimum", "MIN(x)", ""),
        ("minimum", "MIN(DISTINCT x)", ""),
        ("minimum", "MAX(x)", "maximum"),
        ("minimum", "COUNT(DISTINCT x)", "count distinct"),
        ("minimum", "AVG(x)", ""),
        ("minimum", "STDDEV(x)", None),
        ("maximum", "SUM(DISTINCT x)", None),
        ("count non-null", "COUNT(x)", ""),
        ("count non-null", "SUM(x)", ""),
        ("count non-null", "COUNT(DISTINCT x)", None),
        ("sum distinct", "SUM(DISTINCT x)", ""),
        ("percentile", "AVG(x)", ""),
        ("percentile", "COUNT(x)", None),
        ("count distinct", "COUNT(DISTINCT x)", ""),
        ("count distinct", "SUM(x)", ""),
        ("count distinct", "MAX(x)", ""),
        ("count distinct", "STDDEV(x)", None),
        ("var_pop", "SUM(x)", ""),
        ("var_pop", "COUNT(x)", None),
    ],
)
def test_a_function_means_the_metric_as_it_is_or_its_column_by_another_method_or_nothing(
    own: str, function: str, method: str | None
) -> None:
    """An empty method is the metric's own."""
    metric = Metric(name="x", label="x", calculation_method=own, dataset="t", column="c")
    call = _parse(function)

    assert method_of(call, metric, is_distinct=isinstance(call.this, exp.Distinct)) == method


@pytest.mark.parametrize(
    ("function", "keeps"),
    [
        ("SUM(x)", True),
        ("AVG(x)", True),
        ("MIN(x)", True),
        ("ANY_VALUE(x)", True),
        ("COUNT(x)", False),
        ("STDDEV(x)", False),
        ("SUM(DISTINCT x)", False),
    ],
)
def test_a_calculated_metric_stays_as_it_is_in_what_tools_put_around_every_number(function: str, keeps: bool) -> None:
    call = _parse(function)

    assert keeps_calculation(call, is_distinct=isinstance(call.this, exp.Distinct)) is keeps


@pytest.mark.parametrize(
    ("value", "branches"),
    [
        ("m", ["always: m"]),
        ("(m)", ["always: m"]),
        ("CASE WHEN a THEN m END", ["a: m", "CASE WHEN a THEN 1 ELSE 0 END = 0: NULL"]),
        ("CASE WHEN a THEN m ELSE 0 END", ["a: m", "CASE WHEN a THEN 1 ELSE 0 END = 0: 0"]),
        (
            "CASE k WHEN 1 THEN m ELSE 0 END",
            ["k = 1: m", "CASE WHEN k = 1 THEN 1 ELSE 0 END = 0: 0"],
        ),
        (
            "CASE k OR l WHEN n > 1 THEN m END",
            ["(k OR l) = (n > 1): m", "CASE WHEN (k OR l) = (n > 1) THEN 1 ELSE 0 END = 0: NULL"],
        ),
        (
            "CASE WHEN a THEN m WHEN b THEN n END",
            [
                "a: m",
                "CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 0 END = 2: n",
                "CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 0 END = 0: NULL",
            ],
        ),
        (
            "CASE WHEN a THEN CASE WHEN b THEN m ELSE 1 END ELSE 0 END",
            [
                "a AND b: m",
                "a AND (CASE WHEN b THEN 1 ELSE 0 END = 0): 1",
                "CASE WHEN a THEN 1 ELSE 0 END = 0: 0",
            ],
        ),
        (
            "m * CASE WHEN a THEN 1 ELSE 0 END",
            ["a: 1 * m", "CASE WHEN a THEN 1 ELSE 0 END = 0: 0 * m"],
        ),
        ("CASE WHEN a THEN m END * 2", ["a: m * 2", "CASE WHEN a THEN 1 ELSE 0 END = 0: NULL"]),
        (
            "(m + n) * CASE WHEN a THEN NULL ELSE 2 END",
            ["a: NULL", "CASE WHEN a THEN 1 ELSE 0 END = 0: 2 * (m + n)"],
        ),
        (
            "CASE WHEN a THEN 1 END * CASE WHEN b THEN m END",
            ["always: CASE WHEN a THEN 1 END * CASE WHEN b THEN m END"],
        ),
    ],
)
def test_each_branch_has_a_value_and_the_condition_under_which_it_is_taken(value: str, branches: list[str]) -> None:
    texts = [
        f"{branch.condition.sql() if branch.condition else 'always'}: {branch.value.sql()}"
        for branch in branches_of(_parse(value))
    ]

    assert texts == branches


def test_decode_and_iif_have_branches_as_well() -> None:
    """DECODE takes NULL for a value, so a NULL equals a NULL there."""
    decode = list(branches_of(sqlglot.parse_one("DECODE(k, NULL, m, 1, n, 0)", read="oracle")))
    iif = list(branches_of(sqlglot.parse_one("IIF(a, m, 0)", read="tsql")))

    assert decode[0].condition is not None
    assert decode[0].condition.sql("postgres") == "k IS NOT DISTINCT FROM NULL"
    assert [branch.value.sql() for branch in decode] == ["m", "n", "0"]
    assert [(branch.condition and branch.condition.sql(), branch.value.sql()) for branch in iif] == [
        ("a", "m"),
        ("CASE WHEN a THEN 1 ELSE 0 END = 0", "0"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 3 END",
        "CASE WHEN a THEN 1 WHEN b THEN 2 END",
        "CASE WHEN a THEN CASE WHEN b THEN 1 ELSE 2 END WHEN c THEN 3 ELSE 4 END",
        "CASE WHEN a OR b THEN 1 WHEN NOT c THEN CASE WHEN a IS NULL THEN 2 END ELSE 3 END",
        "CASE a WHEN b THEN 1 WHEN c THEN 2 ELSE 3 END",
        "CASE WHEN a THEN 5 ELSE 7 END * 2",
    ],
)
def test_exactly_one_branch_is_taken_also_where_a_condition_is_null(value: str) -> None:
    """Compared for all truth values of three conditions: the branch whose condition holds has the value."""
    branches = list(branches_of(_parse(value)))
    taken = [f"COALESCE({branch.condition.sql()}, FALSE)" for branch in branches if branch.condition is not None]
    choice = "".join(f" WHEN {branch.condition} THEN {branch.value}" for branch in branches)
    truths = "(SELECT * FROM (VALUES (TRUE), (FALSE), (NULL)) AS t ({0}))"

    rows = duckdb.execute(
        f"SELECT {' + '.join(f'{condition}::INT' for condition in taken)}, CASE{choice} END, {value} "
        f"FROM {truths.format('a')} CROSS JOIN {truths.format('b')} CROSS JOIN {truths.format('c')}"
    ).fetchall()

    assert len(rows) == 27
    assert len(taken) == len(branches)
    assert {number for number, _, _ in rows} == {1}
    assert [chosen for _, chosen, _ in rows] == [expected for _, _, expected in rows]


@pytest.mark.parametrize(
    ("value", "conditional", "composed"),
    [
        ("m", False, False),
        ("m + 1", False, False),
        ("1", False, True),
        ("'1'", False, False),
        ("-1.5", False, True),
        ("-m", False, True),
        ("m * 2", False, True),
        ("COALESCE(m, 0)", False, True),
        ("(CASE WHEN a THEN m END)", True, True),
        ("CASE WHEN a THEN m END", True, True),
    ],
)
def test_what_may_be_made_of_metrics_conditions_and_numbers(value: str, conditional: bool, composed: bool) -> None:
    assert (is_conditional(_parse(value)), is_composed(_parse(value))) == (conditional, composed)


@pytest.mark.parametrize(
    ("value", "rest", "factor"),
    [
        ("m", "m", None),
        ("m * 2", "m", "2"),
        ("2.5 * (m)", "m", "2.5"),
        ("m * -2", "m", "-2"),
        ("m * 1", "m", None),
        ("-m", "m", "-1"),
        ("-(m)", "m", "-1"),
        ("-2", "-2", None),
        ("2 * 3", "2 * 3", None),
        ("m * n", "m * n", None),
        ("m / 2", "m / 2", None),
    ],
)
def test_a_number_is_split_from_what_it_multiplies(value: str, rest: str, factor: str | None) -> None:
    plain, number = split_factor(_parse(value))

    assert (plain.sql(), number.sql() if number is not None else None) == (rest, factor)


@pytest.mark.parametrize(
    ("value", "number", "zero"),
    [
        ("0", "0", True),
        ("0.00", "0.00", True),
        ("-0", "-0", True),
        ("CAST(0 AS NUMERIC)", "CAST(0 AS DECIMAL)", True),
        ("(3)", "3", False),
        ("-1e3", "-1e3", False),
        ("'0'", None, False),
        ("m", None, False),
        ("1 + 2", None, False),
        ("CAST('0' AS INT)", None, False),
    ],
)
def test_a_plain_number_is_told_from_other_values(value: str, number: str | None, zero: bool) -> None:
    plain = number_of(_parse(value))

    assert (plain.sql() if plain is not None else None) == number
    assert (plain is not None and is_zero(plain)) is zero
