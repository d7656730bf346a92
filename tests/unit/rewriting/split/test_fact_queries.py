"""A query split by fact: which keys, measures and conditions each fact gets, and which queries are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.compose.grouping_levels import level_queries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import pieces_of, split_by_fact
from tests.support.part_text import part_text
from tests.support.stars.asked_star import SHOPS_ON_TWO_TABLES, AskedStar, market_model


def _parts(market: AskedStar, sql: str) -> list[str]:
    query = market.read(sql)
    return [part_text(query, fact_query) for fact_query in split_by_fact(query, market.model, market.paths)]


def _check_refused(market: AskedStar, sql: str, clause: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        market.split(sql)

    assert f"`{clause}`" in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ('SELECT "City", "Amount", "Mean" FROM market', ["sales by City: Amount, Mean"]),
        (
            'SELECT "City", "Amount", "Visitors", "Lines" FROM market',
            ["sales by City: Amount, Lines", "visits by City: Visitors"],
        ),
        ('SELECT "Channel", "Amount", "Guests" FROM market', ["sales by Channel: Amount", "visits: Guests (repeated)"]),
        ('SELECT "Channel", "Guests", "Amount" FROM market', ["sales by Channel: Amount", "visits: Guests (repeated)"]),
        ('SELECT "City", "Channel", "Amount", "Passers" FROM market', ["sales by City, Channel: Amount"]),
        (
            'SELECT "City", "Channel", "Amount", "Guests" FROM market',
            ["sales by City, Channel: Amount", "visits by City: Guests (repeated)"],
        ),
        ('SELECT "Channel", COUNT(*) FROM market', ["sales by Channel: rows"]),
        ('SELECT "City", COUNT(*) FROM market', ["sales by City: rows", "visits by City: rows"]),
        ('SELECT "City", COUNT(*), "Visitors" FROM market', ["visits by City: rows, Visitors"]),
        ('SELECT "City", "Month" FROM market', ["sales by City, Month: rows", "visits by City, Month: rows"]),
    ],
)
def test_each_fact_gives_its_metrics_under_the_keys_that_it_reaches(
    market: AskedStar, sql: str, parts: list[str]
) -> None:
    assert _parts(market, sql) == parts


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        (
            """SELECT "City", "Amount" FROM market WHERE "Channel" = 'web' AND "Month" = '2024-01'""",
            ["""sales by City: Amount where "Channel" = 'web' AND "Month" = '2024-01'"""],
        ),
        (
            """SELECT "City", "Amount", "Guests" FROM market WHERE "Channel" = 'web' AND "Month" = '2024-01'""",
            [
                """sales by City: Amount where "Channel" = 'web' AND "Month" = '2024-01'""",
                """visits by City: Guests where "Month" = '2024-01'""",
            ],
        ),
        (
            """SELECT "City", "Amount", "Guests" FROM market WHERE 1 = 1 AND "Channel" = 'web'""",
            ["""sales by City: Amount where 1 = 1 AND "Channel" = 'web'""", "visits by City: Guests where 1 = 1"],
        ),
        (
            """SELECT SUM("Amount") FILTER (WHERE "City" = 'North'), "Lines" FROM market WHERE "Channel" = 'web'""",
            ["""sales: Amount if "City" = 'North', Lines where "Channel" = 'web'"""],
        ),
        (
            'SELECT "Channel", "Amount in North", "Amount" FROM market',
            ["""sales by Channel: Amount if "City" = 'North', Amount"""],
        ),
        (
            """SELECT SUM("Amount in North") FILTER (WHERE "Channel" = 'web') AS a FROM market""",
            ["""sales: Amount if "City" = 'North' AND "Channel" = 'web'"""],
        ),
    ],
)
def test_a_fact_gets_the_conditions_on_what_it_reaches(market: AskedStar, sql: str, parts: list[str]) -> None:
    """Conditions on unrelated attributes alone do not concern a fact whose metrics are computed without them."""
    assert _parts(market, sql) == parts


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ('SELECT "City", "Shop" FROM market', "shop by City, Shop"),
        ("""SELECT "City" FROM market WHERE "Shop" = 'South'""", """shop by City where "Shop" = 'South'"""),
        ('SELECT "Kind", "Reason" FROM market', "reason by Kind, Reason"),
        ('SELECT "Channel" FROM market', "sales by Channel"),
    ],
)
def test_a_query_on_members_reads_the_dataset_of_their_dimension(market: AskedStar, sql: str, part: str) -> None:
    assert _parts(market, sql) == [part]


def test_a_fact_without_its_own_metrics_says_at_which_members_others_are_shown(market: AskedStar) -> None:
    """Shifted metrics are shown in the groups that the fact has."""
    sql = 'SELECT "Month", "Amount Before", "Visitors" FROM market'

    assert _parts(market, sql) == ["visits by Month: Visitors", "sales by Month", "sales by Month: Amount"]


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        (
            'SELECT "Channel", "Amount", "Visitors" FROM market',
            *("Visitors", "no relationship leads from its fact `visits` to `Channel`"),
        ),
        (
            """SELECT "City", "Amount", "Visitors" FROM market WHERE "Channel" = 'web'""",
            *("Visitors", "no relationship leads from its fact `visits` to `Channel`"),
        ),
        ('SELECT "Channel", "Guests" FROM market', "Guests", "none of its metrics is related to `Channel`"),
        ('SELECT "Channel", "Passers" FROM market', "Passers", "none of its metrics is related to `Channel`"),
        (
            """SELECT "City", "Amount", "Guests" FROM market WHERE "Channel" = 'web' OR "Month" = '2024-01'""",
            *("WHERE", "the condition on `Channel` is bound to others that are related to `visits`"),
        ),
        (
            'SELECT "City" || "Channel" AS x, "Amount", "Guests" FROM market',
            *("x", "only a part of it is related to `visits`"),
        ),
        (
            'SELECT "City", COUNT(DISTINCT "Month"), "Amount", "Visitors" FROM market',
            *("COUNT", "with metrics of several facts it has no one meaning"),
        ),
        (
            'SELECT "City", MAX("Month"), "Channel", "Amount", "Guests" FROM market',
            *("MAX", "with metrics of several facts it has no one meaning"),
        ),
        (
            """SELECT "City", SUM("Visitors") FILTER (WHERE "Channel" = 'web') AS v FROM market""",
            *("Channel", "a metric of `visits` is measured under a condition on it"),
        ),
        (
            """SELECT "City", SUM("Last Quantity") FILTER (WHERE "Channel" = 'web') AS q FROM market""",
            *("Last Quantity", "under a condition of its own"),
        ),
        ('SELECT "City", "Amount in North" FROM market', "Amount", "whose dimension the query uses as well"),
        ('SELECT "Amount by TV" FROM market', "Reason", "rows have several members of it"),
        (
            'SELECT "City", MAX("Month"), "Amount Before" FROM market',
            *("MAX", "beside metrics that are measured at other members"),
        ),
        (
            'SELECT "Quarters" FROM market',
            *("Quarters", "3 quantiles, and says none by itself. Ask for `Quarters_instance_0.25`"),
        ),
    ],
)
def test_a_query_that_has_no_one_meaning_is_refused_by_name(
    market: AskedStar, sql: str, clause: str, reason: str
) -> None:
    _check_refused(market, sql, clause, reason)


def test_a_percentile_is_measured_at_the_one_quantile_that_it_names(market: AskedStar) -> None:
    silent = market.changed(market_model(("metric_Middle", "named_quantiles: median\n", "")))
    sql = 'SELECT "Middle" FROM market'

    assert _parts(market, sql) == ["sales: Middle"]
    _check_refused(
        silent, sql, "Middle", "0 quantiles, and says none by itself. Add `named_quantiles` to it at metric_M"
    )


_MONTHS = "[Calendar].[Calendar levels]"


@pytest.mark.parametrize(
    ("expression", "keys", "clause", "reason"),
    [
        (
            f"({_MONTHS}.CurrentMember.PrevMember, [Measures].[Guests])",
            '"Channel", "Month"',
            *("Guests", "it is measured at other members, and repeated for attributes that it is not related to"),
        ),
        (
            f"Aggregate(PeriodsToDate({_MONTHS}.[Year], {_MONTHS}.CurrentMember), [Measures].[Last Quantity])",
            *('"Month"', "Last Quantity", "`Aggregate` of a semi-additive metric is not answered"),
        ),
        (
            "([Shops].[City].&[North], [Measures].[Spread])",
            *('"Channel"', "Spread", "deviations of a tuple's members are not answered"),
        ),
        (
            "([Channels].[Channel].&[web], [Measures].[Visitors])",
            *('"City"', "Channel", "a tuple names it, but `visits` does not reach it"),
        ),
        (
            "([Shops].[Shop].&[3], [Measures].[Amount])",
            *('"Channel"', "Shop", "a tuple names its member by a key that queries do not see"),
        ),
    ],
)
def test_a_calculation_that_a_query_does_not_go_with_is_refused_by_name(
    market: AskedStar, expression: str, keys: str, clause: str, reason: str
) -> None:
    star = market.with_calculations({"Calculated": expression})

    _check_refused(star, f'SELECT {keys}, "Calculated" FROM market', clause, reason)


@pytest.mark.parametrize(
    ("sql", "attributes", "measures"),
    [
        (
            """SELECT "City", "Mean", SUM("Quantity") FILTER (WHERE "Month" = 'x') AS q FROM market WHERE "Year" = 1""",
            ["Year", "City", "Month"],
            ["count(sales.amount)", "count_rows(sales)", "sum(sales.amount)", "sum(sales.quantity)"],
        ),
        ('SELECT COUNT(*), "Customers" FROM market', [], ["count_distinct(sales.customer)", "count_rows(sales)"]),
        ('SELECT "City", "Last Quantity" FROM market', ["City", "Day"], ["count_rows(sales)", "sum(sales.quantity)"]),
    ],
)
def test_an_aggregate_needs_all_attributes_and_all_pieces(
    market: AskedStar, sql: str, attributes: list[str], measures: list[str]
) -> None:
    needed = market.only_part(sql)[1].needed

    assert [bound.attribute.name for bound in needed.attributes] == attributes
    assert [str(measure) for measure in needed.measures] == measures


@pytest.mark.parametrize(
    ("metric", "pieces"),
    [("Mean", ["sum(sales.amount)", "count(sales.amount)"]), ("Lowest", ["minimum(sales.amount)"])],
)
def test_a_metric_is_made_of_stored_pieces(market: AskedStar, metric: str, pieces: list[str]) -> None:
    assert [str(piece) for piece in pieces_of(market.model.metrics[metric], "sales")] == pieces


def test_the_number_of_rows_is_a_piece_of_its_fact(market: AskedStar) -> None:
    assert [str(piece) for piece in pieces_of(None, "visits")] == ["count_rows(visits)"]


def test_a_function_around_a_metric_changes_how_it_is_measured(market: AskedStar) -> None:
    _, fact_query = market.only_part('SELECT "City", AVG("Amount"), SUM("Amount"), MAX("Amount") FROM market')

    methods = [metric.calculation_method for metric in fact_query.metrics.values() if metric is not None]
    assert methods == ["average", "sum", "maximum"]


def test_a_metric_that_no_fact_gives_is_empty_and_known_as_a_number_or_not(market: AskedStar) -> None:
    lowest = replace(market.model.metrics["Lowest"], unrelated_dimensions_handling="empty")
    more = {
        "First Reason": replace(lowest, name="First Reason", dataset="reason", column="reason"),
        "Fewest Visitors": replace(lowest, name="Fewest Visitors", dataset="visits", column="visitors"),
    }
    star = market.changed(replace(market.model, metrics={**market.model.metrics, **more}))

    _, fact_query = star.only_part(
        'SELECT "Channel", "Passers", "Amount", "First Reason", "Fewest Visitors" FROM market'
    )

    assert (sorted(fact_query.metrics), fact_query.numbers) == ([1], frozenset({0, 3}))


def test_a_shifted_metric_without_a_current_member_is_empty_everywhere(market: AskedStar) -> None:
    query, fact_query = market.only_part('SELECT "City", "Amount Before" FROM market')

    assert part_text(query, fact_query) == "sales by City"
    assert fact_query.numbers == {0}


def test_keys_of_a_shifted_part_are_those_that_it_shows(market: AskedStar) -> None:
    _, spread = market.only_part('SELECT "Month", "City", "Amount of All Shops" FROM market')
    _, moved = market.only_part('SELECT "Month", "City", "Amount Before" FROM market')

    assert (spread.keys, spread.shown, spread.is_repeated) == ((0,), (0,), True)
    assert (moved.keys, moved.shown, moved.is_repeated) == ((0, 1), (0, 1), False)


def test_each_level_of_a_rollup_keeps_the_joins_that_leave_rows_out(market: AskedStar) -> None:
    """One attribute of each join is enough."""
    parts = []
    for level in level_queries(market.read('SELECT "City", "Shop", "Month" FROM market GROUP BY ROLLUP (1, 2, 3)')):
        (fact_query, *_) = split_by_fact(level, market.model, market.paths)
        parts.append([bound.attribute.name for bound in fact_query.attributes.values()])

    assert parts == [["City", "Shop", "Month"], ["City", "Shop", "Month"], ["City", "Month"], ["City", "Month"]]


_VALUES = "(VALUES ('North', 1)) AS v (name, weight)"


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        (
            f'SELECT m."Month", "Amount Before" FROM market AS m JOIN {_VALUES} ON v.name = m."City"',
            *("JOIN", "a metric that is measured at other members is not answered beside a joined relation"),
        ),
        (
            f'SELECT m."City", "Amount", "Guests" FROM market AS m JOIN {_VALUES} ON v.name = m."Channel"',
            *("Channel", "a relation is joined by it, and no relationship leads to it from `visits`"),
        ),
    ],
)
def test_relations_are_joined_only_where_every_fact_reaches_their_attributes(
    market: AskedStar, sql: str, clause: str, reason: str
) -> None:
    _check_refused(market, sql, clause, reason)


def test_a_joined_relation_uses_the_attributes_of_its_condition(market: AskedStar) -> None:
    _, fact_query = market.only_part(f'SELECT "Amount" FROM market AS m JOIN {_VALUES} ON v.name = m."City"')

    assert [bound.attribute.name for bound in fact_query.attributes.values()] == ["City"]


def test_a_default_member_is_one_more_condition(market: AskedStar) -> None:
    rule = "    filter_empty: 'yes'\n"
    default = rule + "    default_member: {expression: '[Shops].[Shops levels].[Shop].&[3]'}\n"
    star = market.changed(market_model(("shops", rule, default)))

    assert _parts(star, """SELECT "Amount" FROM market WHERE "Channel" = 'web'""") == [
        """sales: Amount where "Channel" = 'web' AND "Shop.shop_id" = '3'"""
    ]
    assert _parts(star, 'SELECT "City", "Amount" FROM market') == ["sales by City: Amount"]


@pytest.mark.parametrize(
    ("sql", "is_refused"),
    [
        ('SELECT "City", "Amount" FROM market', False),
        ('SELECT "Shop", "Amount" FROM market', False),
        ("""SELECT "Month", "Amount" FROM market WHERE "City" = 'North'""", False),
        ("""SELECT SUM("Amount") FILTER (WHERE "City" = 'North') AS a FROM market""", False),
        ('SELECT "Month", "Amount" FROM market', True),
        ("""SELECT UPPER("City") AS c, "Amount" FROM market""", True),
        ("""SELECT "Amount", SUM("Amount") FILTER (WHERE "City" = 'North') AS a FROM market""", True),
    ],
)
def test_members_that_are_not_added_up_are_grouped_by_or_held_to_one(
    market: AskedStar, sql: str, is_refused: bool
) -> None:
    city = "name_column: city, is_unique_key: false"
    star = market.changed(market_model(("shops", city, f"{city}, is_aggregatable: false")))

    if is_refused:
        _check_refused(star, sql, "Amount", "members of `City` are not added up")
    else:
        assert len(star.split(sql)) == 1


def test_attributes_that_no_dataset_has_together_need_a_metric(market: AskedStar) -> None:
    """Members are read from one dataset."""
    roles = market.changed(
        market_model(("model", "unique_name: visits_shop", 'unique_name: visits_shop, role_play: "Seen {0}"'))
    )
    _check_refused(
        roles,
        'SELECT "Channel", "Seen City" FROM market',
        "Channel, Seen City",
        "attributes of 2 dimensions are linked by facts, and it names no metric",
    )
    _check_refused(roles, 'SELECT "Channel", "Seen City", COUNT(*) FROM market', "COUNT(*)", "no fact")

    two_tables = market.changed(market_model(*SHOPS_ON_TWO_TABLES))
    sql = 'SELECT "Shop", "Opening" FROM market'
    _check_refused(two_tables, sql, "Shop, Opening", "no dataset of dimension `Shops` has them all")
