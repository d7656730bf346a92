"""Why an aggregate does not answer a query, which change would make it, and which one stands nearest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss, explain_miss, nearness, why_only_facts
from tests.support.stars.asked_star import AskedStar


@pytest.mark.parametrize(
    ("sql", "stored", "miss", "missing", "change"),
    [
        (
            'SELECT "City", "Month", "Amount" FROM market',
            "City: Amount",
            Miss.ATTRIBUTE_NOT_STORED,
            "Month",
            "add attribute `Month` to `by City`",
        ),
        (
            """SELECT "City", "Amount" FROM market WHERE "Month" = '2024-01'""",
            "City: Amount",
            Miss.FILTER_NOT_STORED,
            "Month",
            "add attribute `Month` to `by City`",
        ),
        (
            """SELECT "Month", "Amount" FROM market WHERE "Channel" = 'web'""",
            "City: Amount",
            Miss.ATTRIBUTE_NOT_STORED,
            "Channel, Month",
            "add attribute `Channel`, attribute `Month` to `by City`",
        ),
        (
            'SELECT "City", "Amount", "Highest" FROM market',
            "City: Amount",
            Miss.METRIC_NOT_STORED,
            "Highest",
            "add metric `Highest` to `by City`",
        ),
        (
            'SELECT "City", "Mean" FROM market',
            "City: Amount",
            Miss.METRIC_NOT_STORED,
            "Mean",
            "add metric `Mean` to `by City`",
        ),
        (
            'SELECT "City", "Customers" FROM market',
            "City, Month: Customers",
            Miss.NOT_ADDITIVE,
            "Customers",
            "define an aggregate with exactly `City` and its metrics",
        ),
        (
            'SELECT "City", "Customers" FROM market',
            "Month: Amount",
            Miss.ATTRIBUTE_NOT_STORED,
            "City, Customers",
            "define an aggregate with exactly `City` and its metrics",
        ),
        (
            'SELECT "Customers" FROM market',
            "City: Customers",
            Miss.NOT_ADDITIVE,
            "Customers",
            "define an aggregate with exactly no attributes and its metrics",
        ),
        (
            """SELECT "Customers" FROM market WHERE "City" > 'A'""",
            "City: Customers",
            Miss.NOT_ADDITIVE,
            "Customers",
            "",
        ),
        (
            'SELECT "City", "Customers" FROM market',
            "City: Amount",
            Miss.METRIC_NOT_STORED,
            "Customers",
            "add metric `Customers` to `by City`",
        ),
        ('SELECT "Kind", "Amount" FROM market', "City: Amount", Miss.MANY_TO_MANY, "Kind", ""),
        ('SELECT "City", "Amount" FROM market', "City, Kind: Amount", Miss.MANY_TO_MANY, "Kind", ""),
        ('SELECT "City", "Amount" FROM market', "City: Amount", Miss.DEARER, "", ""),
        ('SELECT "City", "Mean" FROM market', "Shop, Month: Amount, Mean, Spread", Miss.DEARER, "", ""),
    ],
)
def test_the_most_specific_reason_is_told(
    market: AskedStar, sql: str, stored: str, miss: Miss, missing: str, change: str
) -> None:
    query, fact_query = market.only_part(sql)
    attributes, metrics = (names.split(", ") for names in stored.split(": "))
    instance = market.instance(attributes, metrics)
    proven = market.proven(fact_query.needed, instance.part).functional

    candidate = explain_miss(query, fact_query, instance, proven)

    assert (candidate.miss, ", ".join(candidate.missing), candidate.change) == (miss, missing, change)
    assert (InstanceIndex([instance]).find(query, fact_query, proven) is not None) is (miss is Miss.DEARER)


def test_a_hierarchy_that_the_data_does_not_confirm_is_named(market: AskedStar) -> None:
    query, fact_query = market.only_part('SELECT "City", "Amount" FROM market')
    instance = market.instance(["Shop"], ["Amount"])

    candidate = explain_miss(query, fact_query, instance, frozenset())

    assert candidate.miss is Miss.HIERARCHY_NOT_FUNCTIONAL
    assert candidate.change == "add attribute `City` to `by Shop`"
    assert [bound.attribute.name for bound in candidate.lacking] == ["City"]


def test_an_aggregate_of_another_fact_is_no_aggregate_of_this_one(market: AskedStar) -> None:
    query, fact_query = market.only_part('SELECT "City", "Amount" FROM market')
    instance = market.instance(["City"], ["Visitors"], fact="visits")

    assert explain_miss(query, fact_query, instance, frozenset()).miss is Miss.OTHER_FACT


def test_a_metric_adds_no_rows_and_an_attribute_an_unknown_number(market: AskedStar) -> None:
    instance = market.instance(["City"], ["Amount"])
    queries = {"metric": 'SELECT "City", "Highest" FROM market', "attribute": 'SELECT "Month", "Amount" FROM market'}
    extra = {
        what: explain_miss(*market.only_part(sql), instance, frozenset()).extra_rows for what, sql in queries.items()
    }

    assert extra == {"metric": 0, "attribute": None}


@pytest.mark.parametrize(
    ("sql", "miss", "missing"),
    [
        ('SELECT "City", "Last Quantity", "Amount" FROM market', Miss.SEMI_ADDITIVE, ("Last Quantity",)),
        ('SELECT "Month", "Mean to Date" FROM market', Miss.NOT_ADDITIVE, ("Mean",)),
        (
            """SELECT "City", SUM("Spread") FILTER (WHERE "Channel" = 'web') AS s FROM market""",
            *(Miss.NOT_ADDITIVE, ("Spread",)),
        ),
        ("""SELECT "Amount" FROM market WHERE "Kind" IN ('Media', 'Other')""", Miss.SEVERAL_MEMBERS, ("Kind",)),
        ('SELECT "City", "About Customers", "Amount" FROM market', Miss.SKETCH, ("About Customers",)),
    ],
)
def test_some_queries_are_for_the_facts_alone(
    market: AskedStar, sql: str, miss: Miss, missing: tuple[str, ...]
) -> None:
    query, fact_query = market.only_part(sql)
    everything = replace(market.instance([], ()), part=fact_query.needed)

    assert why_only_facts(query, fact_query) == (miss, missing)
    assert explain_miss(query, fact_query, everything, frozenset()).miss is miss


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "City", "Spread", "Mean", "Customers" FROM market',
        'SELECT "Month", "Amount to Date" FROM market',
        """SELECT "City", SUM("Mean") FILTER (WHERE "Channel" = 'web') AS s FROM market""",
        """SELECT "Amount" FROM market WHERE "Kind" = 'Media'""",
    ],
)
def test_other_queries_are_not(market: AskedStar, sql: str) -> None:
    assert why_only_facts(*market.only_part(sql)) is None


def test_the_nearest_candidate_lacks_least() -> None:
    def candidate(name: str, miss: Miss, *missing: str, rows: int = 5) -> Candidate:
        return Candidate(aggregate=name, fact="sales", miss=miss, missing=missing, rows=rows)

    far_to_near = [
        candidate("another fact", Miss.OTHER_FACT),
        candidate("another grain", Miss.MANY_TO_MANY, "Kind"),
        candidate("two attributes", Miss.ATTRIBUTE_NOT_STORED, "Month", "City"),
        candidate("a metric of many rows", Miss.METRIC_NOT_STORED, "Amount", rows=900),
        candidate("a metric of few rows", Miss.METRIC_NOT_STORED, "Amount"),
        candidate("not built", Miss.NOT_BUILT, rows=1),
        candidate("a cheaper one answers", Miss.DEARER),
        candidate("the facts are cheaper", Miss.FACTS_CHEAPER),
    ]

    assert sorted(far_to_near, key=nearness) == far_to_near[::-1]
