"""Several keys are asked about in one pass, and each has its own answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.sql.keys_together import group_claims, violated_keys_query
from airflow_atscale_aggs.engine.sql.probes import Claim, UniqueKey
from tests.support.stars.small_star import SmallStar, small_star

_SHOP, _DAY, _ITEM = (UniqueKey(name, ("id",)) for name in ("shop", "day", "item"))
_PAIR = UniqueKey("pair", ("id", "part"))


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """Shops with one row each, days of which two stand twice, no items, and parts that repeat in other pairs only."""
    with small_star() as star:
        star.add(
            "shop", "id name:varchar", "1, 'N'", "2, 'S'", "NULL, 'X'", "NULL, 'Y'", calculated={"twice": "id * 2"}
        )
        star.add("day", "id", "1", "2", "2", "3", "3", "3", "NULL")
        star.add("item", "id")
        star.add("pair", "id part", "1, 1", "1, 2", "2, 1", "NULL, 1", "NULL, 1", "1, NULL", "1, NULL")
        yield star


def test_keys_of_one_type_are_asked_about_together(star: SmallStar) -> None:
    """What is calculated, is no whole number or text, or is not there, stands alone; so does a hierarchy."""
    star.add("price", "id:decimal(9,2)", "1.50")
    star.add("other", "id part:bigint", "1, 1")
    alone: list[Claim] = [
        UniqueKey("price", ("id",)),
        UniqueKey("shop", ("twice",)),
        UniqueKey("shop", ("gone",)),
        Dependency("shop", ("id",), (), ("name",), is_join_key=False),
        UniqueKey("other", ("id", "part")),
    ]

    assert group_claims([_SHOP, *alone, _PAIR, _DAY, _ITEM], star.sources()) == (
        (_SHOP, _DAY, _ITEM),
        *((claim,) for claim in alone),
        (_PAIR,),
    )


def test_values_that_a_key_holds_twice_are_counted_for_each_key(star: SmallStar) -> None:
    """Equal values of two datasets are not one value twice, and NULLs are none."""
    query = violated_keys_query([_SHOP, _DAY, _ITEM], star.sources())

    assert star.rows(query) == [(1, 2)]


def test_pairs_are_twice_where_both_parts_are(star: SmallStar) -> None:
    assert star.rows(violated_keys_query([_PAIR, _PAIR], star.sources())) == []

    star.run("INSERT INTO pair VALUES (2, 1)")

    assert sorted(star.rows(violated_keys_query([_PAIR, _PAIR], star.sources()))) == [(0, 1), (1, 1)]
