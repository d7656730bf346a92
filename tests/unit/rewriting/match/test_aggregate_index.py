"""Which aggregate answers a query with the fewest rows read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from tests.support.stars.asked_star import AskedStar

_BY_CITY = 'SELECT "City", "Amount" FROM market'

_MORNING, _NOON = datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC)


def _instances(market: AskedStar) -> list[ServingInstance]:
    """The dearest one first."""
    return [
        market.instance(["Day", "Shop", "Channel"], ["Amount", "Mean"], rows=5000),
        market.instance(["Day", "Shop"], ["Amount", "Mean", "Customers"], rows=900),
        market.instance(["Shop"], ["Amount"], rows=50),
        market.instance(["Month", "City"], ["Amount", "Customers"], rows=40),
        market.instance(["City", "Kind"], ["Amount", "Customers"], rows=9),
        market.instance([], ["Amount", "Customers"], rows=1),
        market.instance(["City"], ["Visitors"], rows=3, fact="visits"),
    ]


def _found(market: AskedStar, sql: str, instances: list[ServingInstance]) -> str:
    query, fact_query = market.only_part(sql)
    proven = market.proven(fact_query.needed, *(instance.part for instance in instances)).functional
    match = InstanceIndex(instances).find(query, fact_query, proven)
    return match.instance.aggregate if match is not None else ""


@pytest.mark.parametrize(
    ("sql", "aggregate"),
    [
        ('SELECT "Amount" FROM market', "by "),
        (_BY_CITY, "by Month, City"),
        ('SELECT "City", "Shop", "Amount" FROM market', "by Shop"),
        ("""SELECT "Amount" FROM market WHERE "Shop" = 'South'""", "by Shop"),
        ('SELECT "Year", "City", "Amount" FROM market', "by Month, City"),
        ('SELECT "Weekday", "Amount" FROM market', "by Day, Shop"),
        ('SELECT "City", "Mean" FROM market', "by Day, Shop"),
        ('SELECT "City", "Channel", "Amount" FROM market', "by Day, Shop, Channel"),
        ('SELECT "Kind", "Amount" FROM market', "by City, Kind"),
        ('SELECT "Month", "City", "Customers" FROM market', "by Month, City"),
        ("""SELECT "City", "Customers" FROM market WHERE "Month" = '2024-01'""", "by Month, City"),
        ('SELECT "Customers" FROM market', "by "),
        ('SELECT "City", "Visitors" FROM market', "by City"),
        ('SELECT "City", COUNT(*) FROM market GROUP BY 1 HAVING SUM("Visitors") > 1', "by City"),
        ('SELECT "City", "Customers" FROM market', ""),
        ("""SELECT "City", "Customers" FROM market WHERE "Month" > '2024-01'""", ""),
        ('SELECT "Highest" FROM market', ""),
        ('SELECT "Channel", "Mean", "Customers" FROM market', ""),
        ('SELECT "Reason", "Amount" FROM market', ""),
        ('SELECT "City", "Last Quantity" FROM market', ""),
        ('SELECT "Month", "Visitors" FROM market', ""),
    ],
)
def test_the_smallest_aggregate_that_serves_answers(market: AskedStar, sql: str, aggregate: str) -> None:
    assert _found(market, sql, _instances(market)) == aggregate


def test_of_equal_rows_the_one_with_fewer_attributes_is_taken(market: AskedStar) -> None:
    wide, narrow = market.instance(["Month", "City"], ["Amount"]), market.instance(["City"], ["Amount"])

    assert _found(market, _BY_CITY, [wide, narrow]) == "by City"


def test_nothing_is_found_in_an_empty_index(market: AskedStar) -> None:
    assert _found(market, _BY_CITY, []) == ""


def test_rows_of_dimensions_that_are_joined_back_are_paid_for(market: AskedStar) -> None:
    instances = [
        market.instance(["Shop"], ["Amount"], rows=50),
        market.instance(["Month", "City"], ["Amount"], rows=90),
    ]
    query, fact_query = market.only_part(_BY_CITY)
    proven = market.proven(fact_query.needed, *(instance.part for instance in instances)).functional
    costs = {}
    for shops in (0, 30, 40, 50):
        match = InstanceIndex(instances).find(query, fact_query, proven, rows_of={"shop": shops}.__getitem__)
        assert match is not None
        costs[shops] = (match.instance.aggregate, match.cost)

    assert costs == {0: ("by Shop", 50), 30: ("by Shop", 80), 40: ("by Shop", 90), 50: ("by Month, City", 90)}
    match = InstanceIndex(instances).find(query, fact_query, proven)
    assert match is not None
    assert match.cost == 50


def test_only_aggregates_that_know_the_facts_of_a_moment_answer(market: AskedStar) -> None:
    old = replace(market.instance(["City"], ["Amount"], rows=4), as_of=_MORNING)
    new = replace(market.instance(["City", "Month"], ["Amount"], rows=40), as_of=_NOON)
    query, fact_query = market.only_part(_BY_CITY)
    index = InstanceIndex([old, new])
    matches = {since: index.find(query, fact_query, frozenset(), since=since) for since in (None, _MORNING, _NOON)}
    late = index.find(query, fact_query, frozenset(), since=_NOON.replace(hour=13))

    assert {since: match and match.instance.aggregate for since, match in matches.items()} == {
        None: "by City",
        _MORNING: "by City",
        _NOON: "by City, Month",
    }
    assert late is None


@pytest.mark.parametrize(
    ("sql", "answering", "wanted"),
    [
        (_BY_CITY, ["by Month, City"], []),
        ('SELECT "City", "Quantity" FROM market', [], []),
        ('SELECT "Year", "Amount" FROM market', [], ["Day", "Month"]),
        ('SELECT "Year", "Channel", "Amount" FROM market', [], ["Day"]),
        ('SELECT "City", "Mean" FROM market', [], ["Shop"]),
        ('SELECT "Day", "Year", "Amount" FROM market', [], ["Day"]),
        ('SELECT "Shop", "Amount" FROM market', ["by Shop", "by Day, Shop", "by Day, Shop, Channel"], []),
        ('SELECT "Customers", "Year" FROM market', [], []),
        ('SELECT "Order", "Amount" FROM market', [], []),
    ],
)
def test_what_is_worth_proving_is_told_before_anything_is_proven(
    market: AskedStar, sql: str, answering: list[str], wanted: list[str]
) -> None:
    """Stored attributes whose keys may determine what is asked for; none where no cheaper aggregate is to be won."""
    index = InstanceIndex(_instances(market))
    bits, sources = index.find_improvements(*market.only_part(sql), frozenset())

    assert [index.instances[place].aggregate for place in range(7) if bits >> place & 1] == answering
    assert sorted(source.attribute.name for source in sources) == wanted


def test_bits_that_were_found_before_are_not_looked_for_again(market: AskedStar) -> None:
    index = InstanceIndex(_instances(market))
    query, fact_query = market.only_part(_BY_CITY)
    bits, _ = index.find_improvements(query, fact_query, frozenset())

    match = index.find(query, fact_query, frozenset(), among=bits)

    assert match is not None
    assert match.instance.aggregate == "by Month, City"
    assert index.find(query, fact_query, frozenset(), among=0) is None


def test_claims_of_the_model_lead_from_what_is_asked_for_to_what_is_stored(market: AskedStar) -> None:
    index = InstanceIndex(_instances(market))
    sources = {
        name: {source.attribute.name for source in index.claimed_sources(market.only_part(sql)[1])}
        for name, sql in {
            "Year": 'SELECT "Year", "Amount" FROM market',
            "City and Weekday": 'SELECT "City", "Weekday", "Amount" FROM market',
            "Channel": 'SELECT "Channel", "Amount" FROM market',
            "Kind": 'SELECT "Kind", "Amount" FROM market',
        }.items()
    }

    assert sources == {"Year": {"Day", "Month"}, "City and Weekday": {"Shop", "Day"}, "Channel": set(), "Kind": set()}


def test_popularity_counts_the_aggregates_of_a_fact_that_store_an_attribute(market: AskedStar) -> None:
    index = InstanceIndex(_instances(market))
    city = market.attribute("City")

    assert (index.popularity("sales", city), index.popularity("visits", city)) == (2, 1)
    assert index.popularity("sales", market.attribute("Reason")) == 0


def test_every_other_aggregate_of_the_fact_is_told_with_its_reason_the_nearest_first(market: AskedStar) -> None:
    query, fact_query = market.only_part(_BY_CITY)
    instances = _instances(market)
    proven = market.proven(fact_query.needed, *(instance.part for instance in instances)).functional
    misses = InstanceIndex(instances).misses(query, fact_query, proven)

    assert [(candidate.aggregate, candidate.miss) for candidate in misses] == [
        ("by Shop", Miss.DEARER),
        ("by Day, Shop", Miss.DEARER),
        ("by Day, Shop, Channel", Miss.DEARER),
        ("by ", Miss.ATTRIBUTE_NOT_STORED),
        ("by City, Kind", Miss.MANY_TO_MANY),
    ]


def test_an_aggregate_that_would_answer_is_dearer_to_join_or_too_old(market: AskedStar) -> None:
    query, fact_query = market.only_part(_BY_CITY)
    small = replace(market.instance(["Shop"], ["Amount"], rows=5), as_of=_NOON)
    old = market.instance(["City"], ["Amount"], rows=2)
    chosen = replace(market.instance(["Month", "City"], ["Amount"], rows=40), as_of=_NOON)
    proven = market.proven(fact_query.needed, small.part).functional

    misses = InstanceIndex([small, old, chosen]).misses(
        query, fact_query, proven, since=_NOON, rows_of={"shop": 900}.__getitem__
    )

    assert {candidate.aggregate: candidate.miss for candidate in misses} == {
        "by Shop": Miss.JOINS_DEARER,
        "by City": Miss.STALE,
    }


def test_an_aggregate_serves_a_reader_by_what_tells_whose_rows_it_has(market: AskedStar) -> None:
    """Of each condition one carrier must be stored; without carriers only the facts answer."""
    instances = _instances(market)
    query, fact_query = market.only_part('SELECT "Amount" FROM market')
    needed = [instance.part for instance in instances]
    proven = market.proven(fact_query.needed, *needed).functional
    city, month, shop = (
        next(bound for part in needed for bound in part.attributes if bound.attribute.name == name)
        for name in ("City", "Month", "Shop")
    )

    def found(*guards: tuple[BoundAttribute, ...]) -> str:
        match = InstanceIndex(instances).find(query, replace(fact_query, guards=guards), proven)
        return match.instance.aggregate if match is not None else ""

    assert found((city,)) == "by Month, City"
    assert found((month,), (city,)) == "by Month, City"
    assert found((shop, city)) == "by Month, City"
    assert found((shop,)) == "by Shop"
    assert found((shop,), (city,)) == ""
    assert found((city,), ()) == ""
    missed = InstanceIndex(instances).misses(query, replace(fact_query, guards=((city,),)), proven)
    assert {candidate.missing for candidate in missed if candidate.miss is Miss.NOT_SECURED} == {("City",)}
