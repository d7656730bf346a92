"""From how many rows on another aggregate is a dearer source than the facts, and where that is not known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import RowsBetween
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import AttributeOrigin, Derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinStep
from airflow_atscale_aggs.engine.planning.source_limits import dearer_rows
from tests.support.stars.small_star import CITY, SHOP, attribute, described_sources, join, part, table_dataset

_DAY_JOIN = join("unique_key", "sales", "day_id", "day", "day_id")
_ITEM_JOIN = join("unique_key", "sales", "item_id", "item", "item_id")
_SHOP_ID = attribute("shop", "shop", "shop_id", "name", SHOP)
_DAY = attribute("day", "day", "day_id", "day_id", _DAY_JOIN)
_MONTH = attribute("month", "day", "month", "month", _DAY_JOIN)
_ITEM = attribute("item", "item", "item_id", "item_id", _ITEM_JOIN)
_CHANNEL = attribute("channel", "sales", "channel", "channel")
_ALL = (SHOP, _DAY_JOIN, _ITEM_JOIN)
_SOURCES = described_sources(
    "duckdb",
    table_dataset("sales", ["shop_id", "day_id", "item_id", "channel", "amount"], {"profit": "amount * 2"}),
    sales="shop_id integer, day_id integer, item_id integer, channel varchar, amount integer",
    shop="shop_id integer, name varchar, city varchar",
    day="day_id integer, month varchar",
    item="item_id integer",
)
_ROWS = {"sales": 1_000, "shop": 10}
_DEARER = RowsBetween(least=900, most=1_050)


def _stored(bound: BoundAttribute) -> AttributeOrigin:
    return AttributeOrigin(bound, bound)


def _dearer(
    *origins: AttributeOrigin, coded: Collection[JoinStep] = _ALL, is_same_grain: bool = False
) -> RowsBetween | None:
    way = Derivation(origins, is_same_grain=is_same_grain)
    return dearer_rows(part(*(origin.attribute for origin in origins)), way, coded, _SOURCES, _ROWS)


_CITY_OF_SHOP = AttributeOrigin(CITY, _SHOP_ID)
_MONTH_OF_DAY = AttributeOrigin(_MONTH, _DAY)


@pytest.mark.parametrize(
    "origins",
    [
        (_CITY_OF_SHOP,),
        (_CITY_OF_SHOP, _MONTH_OF_DAY),
        (_CITY_OF_SHOP, _stored(_DAY)),
        (_CITY_OF_SHOP, _stored(_SHOP_ID), _stored(_DAY)),
        (_CITY_OF_SHOP, _stored(_CHANNEL)),
    ],
    ids=["joined", "both joined", "one of two joined", "the name of a dimension joined", "a column of the facts"],
)
def test_a_source_that_is_joined_as_the_facts_are_is_dearer_with_nearly_as_many_rows(
    origins: tuple[AttributeOrigin, ...],
) -> None:
    assert _dearer(*origins) == _DEARER


@pytest.mark.parametrize(
    "origins",
    [
        (),
        (_stored(CITY),),
        (_stored(_DAY),),
        (_CITY_OF_SHOP, _stored(_DAY), _stored(_ITEM)),
        (_CITY_OF_SHOP, _stored(_MONTH)),
        (AttributeOrigin(_MONTH, replace(_DAY, key_columns=("month",))),),
    ],
    ids=["nothing shown", "a stored name", "a stored key", "one of three joined", "another name stored", "another key"],
)
def test_a_source_that_saves_joins_is_not_known_to_be_dearer(origins: tuple[AttributeOrigin, ...]) -> None:
    assert _dearer(*origins) is None


def test_facts_whose_dimensions_are_not_all_coded_are_not_known_to_be_cheaper() -> None:
    assert _dearer(_CITY_OF_SHOP, _MONTH_OF_DAY, coded=[SHOP]) is None
    assert _dearer(_CITY_OF_SHOP, coded=[]) is None


def test_a_copy_of_the_same_grain_groups_nothing() -> None:
    assert _dearer(_CITY_OF_SHOP, is_same_grain=True) is None


def test_what_is_calculated_from_the_facts_may_cost_more_than_any_join() -> None:
    profit = StoredMeasure(StoredFunction.SUM, "sales", "profit")
    calculated: FactPart = part(CITY, measures=(profit,))
    way = Derivation((_CITY_OF_SHOP,), is_same_grain=False)

    assert dearer_rows(calculated, way, _ALL, _SOURCES, _ROWS) is None
