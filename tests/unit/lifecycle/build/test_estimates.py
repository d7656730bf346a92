"""Rows of aggregates are estimated by sketches, one scan of each fact for many of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.lifecycle.build.estimates import (
    PARTS_PER_SCAN,
    count_groups,
    estimate_rows,
    is_buildable,
)
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate
from tests.support.stars.small_star import CITY, FACT, SHOP, SmallStar, attribute, part, small_star

_SHOP_ID = attribute("shop", "shop", "shop_id", "shop_id", SHOP)
_SOLD_IN = attribute("sold in", FACT, "shop_id", "shop_id")
_AWAY = attribute("owner", "shop", "owner", "owner", SHOP)
"""Of a column that no table has."""


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """Five sales in three shops of two cities, and one in a shop that is not there."""
    with small_star() as star:
        star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, 'S'", "4, NULL")
        star.add("sales", "shop_id amount", "1, 1", "1, 1", "2, 5", "3, NULL", "3, 2", "9, 1")
        yield star


def _candidate(name: str, *attributes: BoundAttribute) -> Candidate:
    whole: FactPart = part(*attributes)
    definition = AggregateDefinition(
        model_id="m",
        name=name,
        label=name,
        origin=DefinitionOrigin.USER_DEFINED,
        metrics=(),
        parts=(whole,),
    )
    return Candidate(definition=definition, part=whole, defined_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_an_estimate_counts_the_groups_of_each_grain(star: SmallStar) -> None:
    candidates = [
        _candidate("by_city", CITY),
        _candidate("by_shop", _SHOP_ID),
        _candidate("by_key", _SOLD_IN),
        _candidate("whole"),
        _candidate("by_owner", _AWAY),
    ]
    proven = star.constraints(*(candidate.part for candidate in candidates[:4]))

    rows = estimate_rows(star.session, candidates, star.sources(), proven)

    names = {candidate.definition.id: candidate.name for candidate in candidates}
    # N, S and no shop; three shops and no shop; four keys; what cannot be built has no estimate.
    assert {names[identity]: count for (identity, _), count in rows.items()} == {
        "by_city": 3,
        "by_shop": 4,
        "by_key": 4,
        "whole": 1,
    }


def test_many_parts_are_counted_in_several_scans(star: SmallStar) -> None:
    proven = star.constraints(part(CITY), part(_SHOP_ID))
    parts = [part(CITY), *[part(_SHOP_ID)] * PARTS_PER_SCAN]

    assert count_groups(star.session, parts, star.sources(), proven) == [3, *[4] * PARTS_PER_SCAN]
    assert count_groups(star.session, [], star.sources(), proven) == []


@pytest.mark.parametrize(("attributes", "expected"), [((CITY,), True), ((), True), ((_AWAY,), False)])
def test_a_part_is_buildable_when_the_tables_have_its_columns(
    star: SmallStar, attributes: tuple[BoundAttribute, ...], *, expected: bool
) -> None:
    whole = part(*attributes)

    assert is_buildable(whole, star.sources(), star.constraints(part(CITY))) is expected


def test_a_part_is_not_buildable_when_its_join_meets_several_rows(star: SmallStar) -> None:
    star.run("INSERT INTO shop VALUES (1, 'S')")

    assert not is_buildable(part(CITY), star.sources(), star.constraints(part(CITY)))
