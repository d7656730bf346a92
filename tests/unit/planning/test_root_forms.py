"""Which aggregates are grouped by codes of members: where facts are many, dimensions are small, and it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import (
    GracePeriod,
    Indicator,
    IndicatorKind,
    IndicatorUnit,
    RowRange,
)
from airflow_atscale_aggs.engine.planning.decisions import FullTable, Segmented
from airflow_atscale_aggs.engine.planning.root_forms import (
    FACTS_PER_MEMBER,
    FACTS_PER_RANKED_MEMBER,
    FEWEST_FACTS,
    FormInput,
    RootForm,
    choose_form,
)
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from tests.support.stars.small_star import CITY, SHOP, attribute, described_sources, join, part

_ONE_TABLE = FullTable(reason="")
_SHOP_ID = attribute("shop", "shop", "shop_id", "city", SHOP)
_OPENED = attribute("opened", "shop", "opened", "opened", SHOP)
_REGION = attribute(
    "region", "region", "region", "region", SHOP, join("unique_key", "shop", "region_id", "region", "region_id")
)
_ROWS = {"sales": FEWEST_FACTS, "shop": 100, "region": 5}
_SEGMENTED = Segmented(
    indicator=Indicator(column="number", data_type="integer", kind=IndicatorKind.INTEGER, unit=IndicatorUnit.SECONDS),
    grace=GracePeriod(0, ""),
    full_reason="",
    full_at=datetime(2026, 1, 1, tzinfo=UTC),
    ranges=(RowRange(column="number", kind=IndicatorKind.INTEGER),),
)


def _given(rows: Mapping[str, int], dialect: str = "duckdb", **settings: Any) -> FormInput:
    sources = described_sources(
        dialect,
        sales="shop_id integer, number integer, amount integer",
        shop="shop_id integer, city varchar, opened date, region_id integer",
        region="region_id integer, region varchar",
    )
    keys = frozenset({("shop", ("shop_id",)), ("region", ("region_id",))})
    return FormInput(
        sources=sources,
        constraints=ProvenConstraints(unique_keys=keys),
        settings=Settings(**settings),
        rows=rows,
    )


def test_many_facts_are_grouped_by_codes_and_the_plan_says_of_what() -> None:
    form = choose_form(part(CITY), _ONE_TABLE, _given(_ROWS))

    assert form == RootForm(
        coded=(SHOP,), reason="codes: `sales` (200,000 rows) by numbers of `shop` (100 rows), names after"
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (_given(_ROWS, group_by_codes=False), "names: aggregates.batch.groupByCodes.enabled is off"),
        (_given(_ROWS, "snowflake"), "names: codes were not shown to pay on snowflake"),
        (_given({"shop": 100}), "names: the catalog does not tell how many rows `sales` has"),
        (
            _given({**_ROWS, "sales": FEWEST_FACTS - 1}),
            "names: `sales` has 199,999 rows, codes pay from 200,000 on",
        ),
        (_given({"sales": FEWEST_FACTS}), "names: no dimension is proven, small and wide enough"),
        (
            replace(_given(_ROWS), constraints=ProvenConstraints()),
            "names: no dimension is proven, small and wide enough",
        ),
    ],
)
def test_why_it_is_grouped_by_names(given: FormInput, why: str) -> None:
    """A view is no table: the catalog tells no rows of it, and it may show other members when it is read again."""
    assert choose_form(part(CITY), _ONE_TABLE, given) == RootForm(reason=why)


@pytest.mark.parametrize(("bound", "factor"), [(CITY, FACTS_PER_RANKED_MEMBER), (_SHOP_ID, FACTS_PER_MEMBER)])
def test_a_large_dimension_is_not_coded(bound: Any, factor: int) -> None:
    for shops, is_coded in ((FEWEST_FACTS // factor, True), (FEWEST_FACTS // factor + 1, False)):
        form = choose_form(part(bound), _ONE_TABLE, _given({**_ROWS, "shop": shops}))
        assert (form.coded == (SHOP,)) is is_coded


def test_datasets_behind_a_dimension_count_too() -> None:
    assert choose_form(part(_REGION), _ONE_TABLE, _given(_ROWS)).coded == (SHOP,)
    assert choose_form(part(_REGION), _ONE_TABLE, _given({"sales": FEWEST_FACTS, "shop": 100})).coded == ()


def test_one_narrow_column_is_as_good_as_its_code() -> None:
    assert choose_form(part(_OPENED), _ONE_TABLE, _given(_ROWS)).coded == ()
    assert choose_form(part(_OPENED, CITY), _ONE_TABLE, _given(_ROWS)).coded == (SHOP,)


def test_segments_made_anew_are_grouped_by_codes_and_increments_are_not() -> None:
    increment = choose_form(part(CITY), _SEGMENTED, _given(_ROWS))
    anew = choose_form(part(CITY), replace(_SEGMENTED, full_reason="it was never built"), _given(_ROWS))

    assert increment == RootForm(reason="names: an increment reads few rows")
    assert anew.coded == (SHOP,)
