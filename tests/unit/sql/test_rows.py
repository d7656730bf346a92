"""A fact with its dimensions, and an aggregate's table, give the same answers when they are asked alike."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import DefinitionError, NotMeasurableError, UnsupportedMetricError
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, EmptyMember
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints, groupable
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of
from airflow_atscale_aggs.engine.sql.rows import (
    ROWS,
    AggregateRows,
    AnswerRows,
    EdgeMetric,
    FactRows,
    MetricPieces,
    add_condition,
)
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import (
    CITY,
    DUCKDB,
    SHOP,
    Rows,
    SmallStar,
    attribute,
    described_sources,
    join,
    measures,
    part,
)

_SHOP_LEVEL = attribute("shop", "shop", "shop_id", "shop_id", SHOP, determines="city")
_STORED = part(_SHOP_LEVEL, measures=measures("sum count minimum maximum centered_squares"))
_SUM = MetricPieces("sum", "amount")

_BOTH = pytest.mark.parametrize("is_routed", [False, True], ids=["from facts", "from an aggregate"])


def _fact_rows(star: SmallStar, *attributes: BoundAttribute) -> FactRows:
    needed = part(*attributes)
    return FactRows(needed, star.sources(), star.constraints(needed))


def _rows(star: SmallStar, is_routed: bool, *attributes: BoundAttribute) -> AnswerRows:
    """What a query over some attributes is composed over: the facts, or the aggregate by shop."""
    if not is_routed:
        return _fact_rows(star, *attributes)
    needed = part(*attributes, measures=_STORED.measures)
    way = star.way(needed, _STORED)
    assert way is not None
    table = star.create_aggregate("agg", _STORED)
    constraints = star.constraints(needed, _STORED)
    return AggregateRows(needed, stored_columns(_STORED), way, table, star.sources(), constraints)


def _answer(
    star: SmallStar,
    rows: AnswerRows,
    attributes: Sequence[BoundAttribute],
    *metrics: MetricPieces,
    only: exp.Expr | None = None,
) -> Rows:
    """The answer of a query that groups by the attributes."""
    others = [only] if only is not None else []
    values = rows.prepare_groups([rows.value(bound) for bound in attributes], others)
    groups, condition = values[: len(attributes)], values[-1] if others else None
    shown = [*groups, *(rows.metric(metric, condition) for metric in metrics)]
    rows.select.select(*(alias_as(value.copy(), f"c{place}") for place, value in enumerate(shown)), copy=False)
    rows.select.set("group", exp.Group(expressions=groupable(groups)) if attributes else None)
    return star.rows(rows.select)


@pytest.fixture
def sales(star: SmallStar) -> SmallStar:
    """The values of N are 1, 2, NULL and 9; S has 5 and shop 4, which has no city, has NULL; 7 and 3 are nowhere."""
    star.add("sales", "shop_id amount", "1, 1", "1, 2", "2, NULL", "2, 9", "3, 5", "4, NULL", "NULL, 7", "99, 3")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, 'S'", "4, NULL")
    return star


_BY_CITY: dict[MetricPieces, tuple[float | None, ...]] = {
    ROWS: (4, 1, 3),
    _SUM: (12, 5, 10),
    MetricPieces("count non-null", "amount"): (3, 1, 2),
    MetricPieces("minimum", "amount"): (1, 5, 3),
    MetricPieces("maximum", "amount"): (9, 5, 7),
    MetricPieces("average", "amount"): (4.0, 5.0, 5.0),
    # The squared distances from the means are 9, 4 and 25 of N, and 4 and 4 of those without a city.
    MetricPieces("var_pop", "amount"): (38 / 3, 0.0, 4.0),
    MetricPieces("var_samp", "amount"): (19.0, None, 8.0),
    MetricPieces("stddev_pop", "amount"): ((38 / 3) ** 0.5, 0.0, 2.0),
    MetricPieces("stddev_samp", "amount"): (19**0.5, None, 8**0.5),
}


@_BOTH
def test_each_metric_of_the_sales_in_n_in_s_and_without_a_city(sales: SmallStar, is_routed: bool) -> None:
    rows = _answer(sales, _rows(sales, is_routed, CITY), [CITY], *_BY_CITY)

    assert [row[0] for row in rows] == ["N", "S", None]
    for place, (metric, expected) in enumerate(_BY_CITY.items(), start=1):
        answer = [row[place] for row in rows]
        assert answer == [value if value is None else pytest.approx(value) for value in expected], metric


def test_metrics_that_do_not_roll_up_are_taken_from_the_facts(star: SmallStar) -> None:
    star.add("sales", "kind amount", "1, 2", "1, 2", "1, 5", "1, NULL", "2, NULL")
    kind = attribute("kind", "sales", "kind", "kind")
    methods = ("count distinct", "sum distinct", "estimated count distinct", "percentile")
    metrics = [MetricPieces(method, "amount", "0.5") for method in methods]

    assert _answer(star, _fact_rows(star, kind), [kind], *metrics) == [(1, 2, 7, 2, 2.0), (2, 0, None, 0, None)]


@pytest.mark.parametrize(("method", "expected"), [("count distinct", [2, 0]), ("sum distinct", [7, None])])
def test_distinct_values_are_taken_as_they_are_stored_at_the_very_grain(
    star: SmallStar, method: str, expected: list[int | None]
) -> None:
    """Of rows that meet a condition as well: a count of no rows is 0."""
    star.add("sales", "kind amount", "1, 2", "1, 2", "1, 5", "1, NULL", "2, NULL")
    kind = attribute("kind", "sales", "kind", "kind")
    stored = part(kind, measures=measures("count_distinct sum_distinct"))
    way = star.way(stored, stored)
    assert way is not None
    metric, table = MetricPieces(method, "amount"), star.create_aggregate("agg", stored)

    def ask(only: exp.Expr | None) -> list[object]:
        layout, constraints = stored_columns(stored), ProvenConstraints()
        rows = AggregateRows(stored, layout, way, table.copy(), star.sources(), constraints)
        return [row[1] for row in _answer(star, rows, [kind], metric, only=only)]

    assert ask(None) == ask(exp.true()) == expected
    assert ask(exp.false()) == ([0, 0] if method == "count distinct" else [None, None])


@_BOTH
def test_metrics_of_the_rows_that_meet_a_condition(sales: SmallStar, is_routed: bool) -> None:
    """A condition that no row of a group meets leaves the group in the answer."""
    rows = _rows(sales, is_routed, CITY, _SHOP_LEVEL)
    first_shop = exp.EQ(this=rows.value(_SHOP_LEVEL), expression=exp.Literal.number(1))
    metrics = [ROWS, *(MetricPieces(method, "amount") for method in ("sum", "count non-null", "average"))]

    assert _answer(sales, rows, [CITY], *metrics, only=first_shop) == [
        ("N", 2, 3, 2, 1.5),
        ("S", 0, None, 0, None),
        (None, 0, None, 0, None),
    ]


@_BOTH
@pytest.mark.parametrize(
    ("filter_empty", "expected"),
    [("yes", [("N", 4), ("S", 1), (None, 1)]), ("no", [("N", 4), ("S", 1), (None, 3)])],
)
def test_rows_without_a_member_are_left_out_where_the_join_rule_says_so(
    sales: SmallStar, filter_empty: str, expected: Rows, is_routed: bool
) -> None:
    """Shop 4 is a member, and its city is NULL."""
    city = attribute("city", "shop", "city", "city", SHOP, filter_empty=filter_empty)
    rows = _rows(sales, is_routed, city)
    conditions = rows.conditions_of_members([city])

    rows.keep_members([city])

    assert ("LEFT JOIN" in render(rows.select, DUCKDB)) is (filter_empty == "no")
    assert len(conditions) == (filter_empty == "yes")
    assert _answer(sales, rows, [city], ROWS) == expected


@_BOTH
def test_the_conditions_of_members_leave_out_the_same_rows(sales: SmallStar, is_routed: bool) -> None:
    rows = _rows(sales, is_routed, CITY)

    (condition,) = rows.conditions_of_members([CITY])
    add_condition(rows.select, condition)

    assert _answer(sales, rows, [CITY], ROWS) == [("N", 4), ("S", 1), (None, 1)]


@_BOTH
def test_members_are_kept_by_a_condition_where_the_join_cannot_tell(star: SmallStar, is_routed: bool) -> None:
    """The shop's number is no unique key here, so one row per key is joined, or the matched flag is stored."""
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "9, 4")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "1, 'N'", "2, NULL")
    if is_routed:
        needed = part(CITY)
        way = star.way(needed, needed)
        assert way is not None
        table = star.create_aggregate("agg", needed)
        layout, constraints = stored_columns(needed), star.constraints(needed)
        rows: AnswerRows = AggregateRows(needed, layout, way, table, star.sources(), constraints)
    else:
        rows = _fact_rows(star, CITY)

    rows.keep_members([CITY])

    assert _answer(star, rows, [CITY], _SUM) == [("N", 1), (None, 2)]


def test_what_is_reached_over_two_joins_keeps_only_rows_with_both_members(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "9, 8")
    star.add("shop", "shop_id region_id", "1, 7", "2, NULL", "3, 99")
    star.add("region", "id name:varchar", "7, 'west'")
    region = attribute(
        "region", "region", "name", "name", SHOP, join("unique_key", "shop", "region_id", "region", "id")
    )
    rows = _fact_rows(star, region)

    rows.keep_members([region])

    assert "LEFT JOIN" not in render(rows.select, DUCKDB)
    assert _answer(star, rows, [region], _SUM) == [("west", 1)]


def test_what_is_reached_over_a_bridge_is_kept_by_a_condition(star: SmallStar) -> None:
    """Reason 77 of sale 2 is not there, and sale 3 has no reason."""
    star.add("sales", "why amount", "1, 10", "2, 1", "3, 100")
    star.add("bridge", "why reason", "1, 1", "1, 2", "2, 2", "2, 77")
    star.add("reason", "reason kind:varchar", "1, 'x'", "2, NULL")
    steps = (
        join("bridge", "sales", "why", "bridge", "why"),
        join("unique_key", "bridge", "reason", "reason", "reason"),
    )
    kind = attribute("kind", "reason", "kind", "kind", *steps)
    rows = _fact_rows(star, kind)

    rows.keep_members([kind])

    assert _answer(star, rows, [kind], _SUM) == [("x", 10), (None, 11)]


@_BOTH
def test_rows_without_a_member_are_shown_under_the_empty_member(sales: SmallStar, is_routed: bool) -> None:
    """A city that is NULL is no member either, where the city is its own key."""
    city = attribute("city", "shop", "city", "city", SHOP, empty=EmptyMember("nowhere", ("nowhere",)))
    rows = _rows(sales, is_routed, city)

    rows.keep_members([city])

    assert _answer(sales, rows, [city], _SUM) == [("N", 12), ("S", 5), ("nowhere", 10)]


@pytest.mark.parametrize(
    ("is_last", "expected"),
    [(True, [("N", 8, 15), ("S", 4, 4)]), (False, [("N", 3, 15), ("S", 4, 4)])],
    ids=["last", "first"],
)
def test_a_metric_of_the_first_or_last_day_of_each_group(star: SmallStar, is_last: bool, expected: Rows) -> None:
    """Day 4 of N has no value, so day 3 is its last one. Two sales tie on day 1. Day 9 is not there."""
    star.add("sales", "d city:varchar amount", *("1, 'N', 1", "1, 'N', 2", "2, 'N', 4", "3, 'N', 8", "4, 'N', NULL"))
    star.run("INSERT INTO sales VALUES (2, 'S', 4), (9, 'S', NULL)")
    star.add("day", "d", "1", "2", "3", "4")
    city = attribute("city", "sales", "city", "city")
    day = attribute("day", "day", "d", "d", join("unique_key", "sales", "d", "day", "d"))
    rows = _fact_rows(star, city, day)

    edge = EdgeMetric("amount", day, is_last)
    group, condition = rows.mark_edges([rows.value(city)], [], [edge], ["amount", "amount"])

    shown = {"c": group, "edge": rows.metric(_SUM, condition), "all": rows.metric(_SUM)}
    rows.select.select(*(alias_as(value, name) for name, value in shown.items()), copy=False)
    rows.select.group_by(group.copy(), copy=False)
    assert star.rows(rows.select) == expected


def test_each_fact_row_counts_once_in_a_group_by_however_many_members_it_is_met(star: SmallStar) -> None:
    """Sale 1 has three reasons of two kinds; two sales are alike. The second metric counts rows with reason 1 or 2."""
    star.add("sales", "why shop amount", "1, 1, 10", "2, 1, 5", "2, 1, 5", "9, 2, 100")
    star.add("bridge", "why reason kind:varchar", "1, 1, 'x'", "1, 2, 'x'", "1, 3, 'y'", "2, 3, 'x'")
    bridge = join("bridge", "sales", "why", "bridge", "why")
    shop = attribute("shop", "sales", "shop", "shop")
    reason, kind = (attribute(name, "bridge", name, name, bridge) for name in ("reason", "kind"))
    rows = _fact_rows(star, shop, reason, kind)
    early = exp.LT(this=rows.value(reason), expression=exp.Literal.number(3))

    (group, member), (first, first_early) = rows.count_once(
        [rows.value(shop)], [rows.value(kind)], [None, early], ["amount"]
    )

    shown = [group, rows.metric(_SUM, first), rows.metric(ROWS, first), rows.metric(_SUM, first_early)]
    shown += [exp.Max(this=member), rows.metric(ROWS)]
    rows.select.select(*(alias_as(value.copy(), f"c{place}") for place, value in enumerate(shown)), copy=False)
    rows.select.group_by(group.copy(), copy=False)
    assert star.rows(rows.select) == [(1, 20, 3, 10, "y", 5), (2, 100, 1, None, None, 1)]


@pytest.mark.parametrize(
    ("where", "condition", "expected"),
    [
        ("", "a = 1", "a = 1"),
        ("", "a = 1 OR b", "a = 1 OR b"),
        ("a = 1", "b = 2", "a = 1 AND b = 2"),
        ("a OR b", "c", "(a OR b) AND c"),
        ("a", "b OR c", "a AND (b OR c)"),
        ("a AND b", "c", "a AND b AND c"),
    ],
)
def test_a_condition_is_added_without_needless_parentheses(where: str, condition: str, expected: str) -> None:
    select = sqlglot.parse_one(f"SELECT x FROM t{' WHERE ' if where else ''}{where}")
    assert isinstance(select, exp.Select)

    add_condition(select, sqlglot.parse_one(condition))

    assert select.sql() == f"SELECT x FROM t WHERE {expected}"


@pytest.mark.parametrize(
    ("dialect", "kind", "metric", "expected"),
    [
        ("duckdb", "boolean", MetricPieces("average", "x"), 'CAST(AVG(CAST("sales"."x" AS INT)) AS DOUBLE)'),
        ("duckdb", "integer", MetricPieces("estimated count distinct", "x"), 'APPROX_COUNT_DISTINCT("sales"."x")'),
        ("postgres", "integer", MetricPieces("estimated count distinct", "x"), 'COUNT(DISTINCT "sales"."x")'),
        ("tsql", "int", _SUM, "SUM(CAST([sales].[amount] AS BIGINT))"),
        ("tsql", "int", MetricPieces("sum distinct", "x"), "SUM(DISTINCT CAST([sales].[x] AS BIGINT))"),
        ("tsql", "int", ROWS, "COUNT_BIG(*)"),
        (
            "spark",
            "decimal(9,2)",
            MetricPieces("average", "x"),
            "CAST(SUM(`sales`.`x`) AS DOUBLE) / NULLIF(COUNT(`sales`.`x`), 0)",
        ),
        ("postgres", "real", MetricPieces("var_pop", "x"), 'VAR_POP(CAST("sales"."x" AS DOUBLE PRECISION))'),
    ],
)
def test_how_a_metric_of_the_facts_is_said(dialect: str, kind: str, metric: MetricPieces, expected: str) -> None:
    """An exact count is a good estimate where the warehouse has no other."""
    sources = described_sources(dialect, sales=f"x {kind}, amount int")

    rows = FactRows(part(), sources, ProvenConstraints())

    assert render(rows.metric(metric), sources.dialect) == expected


@pytest.mark.parametrize(
    ("dialect", "metric", "error", "words"),
    [
        (
            "duckdb",
            MetricPieces("sum", "city"),
            NotMeasurableError,
            "`city` of dataset `sales` is measured, but it holds",
        ),
        ("duckdb", MetricPieces("sum", "gone"), DefinitionError, "column `gone`"),
        (
            "bigquery",
            MetricPieces("percentile", "amount", "0.5"),
            UnsupportedMetricError,
            "bigquery has no exact quantile",
        ),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused(
    dialect: str, metric: MetricPieces, error: type[Exception], words: str
) -> None:
    rows = FactRows(part(), described_sources(dialect, sales="amount integer, city varchar"), ProvenConstraints())

    with pytest.raises(error, match=words):
        rows.metric(metric)


def test_the_variance_of_one_number_is_what_the_warehouse_says_of_it(sales: SmallStar) -> None:
    """DuckDB says 0 of an infinite number; elsewhere it is the quotient of squares that are not a number."""
    texts = []
    for dialect in ("duckdb", "snowflake"):
        sources = described_sources(dialect, sales="amount double")
        stored = part(measures=measures("sum count centered_squares"))
        way = sales.way(stored, stored)
        assert way is not None
        table = exp.Table(this=exp.to_identifier("agg"))
        rows = AggregateRows(stored, stored_columns(stored), way, table, sources, ProvenConstraints())
        rows.prepare_groups([], [])
        texts.append(render(rows.metric(MetricPieces("var_pop", "amount")), sources.dialect))

    assert ["= 1 THEN 0 ELSE" in text for text in texts] == [True, False]


def test_values_and_keys_of_an_attribute_are_made_anew_each_time(sales: SmallStar) -> None:
    named = attribute("shop", "shop", "shop_id", "city", SHOP)
    rows = _fact_rows(sales, named)

    first, second = rows.value(named), rows.value(named)

    assert (first, first is second) == (second, False)
    assert rows.value(named, "shop_id") == column_of("shop_id", "shop")
