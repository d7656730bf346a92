"""Words that are written together are taken apart only where other names prove the parts."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.discovery.joined_words import JoinedWords

_SCHEMA = {
    "customer": ["c_custkey", "c_name", "c_birth_date"],
    "orders": ["o_orderkey", "o_custkey", "o_orderdate", "o_comment"],
    "warehouse": ["w_id", "w_ware", "w_house"],
    "date_dim": ["d_year", "d_yearmonth", "d_month", "d_week", "d_end"],
}


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("orderdate", ("order", "date")),
        ("custkey", ("cust", "key")),
        ("orderkey", ("order", "key")),
        ("customername", ("customer", "name")),
        ("birthyearmonth", ("birth", "year", "month")),
        ("custid", ("cust", "id")),
    ],
)
def test_proven_parts(word: str, parts: tuple[str, ...]) -> None:
    assert JoinedWords(_SCHEMA).split(word) == parts


@pytest.mark.parametrize(
    "word",
    ["candidate", "warehouse", "update", "paid", "monkey", "orders", "order", "name2name", "namexyz", "weekend", ""],
)
def test_what_nothing_proves_stays_together(word: str) -> None:
    assert JoinedWords(_SCHEMA).split(word) == (word,)


def test_a_key_does_not_prove_its_own_parts() -> None:
    """`whis` stands only before `key`, in the very word that is asked about."""
    alone = JoinedWords({"bar": ["whiskey", "date"]})

    assert alone.split("whiskey") == ("whiskey",)
    assert alone.split("whisdate") == ("whis", "date")


def test_two_ways_are_none() -> None:
    known = JoinedWords({"t": ["abcd", "efghi", "abcde", "fghi"]})

    assert known.split("abcdefghi") == ("abcdefghi",)
