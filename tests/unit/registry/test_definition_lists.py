"""Lists of definitions: filters, orders, pages, and what a row tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.errors import CursorError
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter, DefinitionSort
from airflow_atscale_aggs.engine.registry.listings import DefinitionListing
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QuerySource
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.query_records import make_query_record
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    UNITS,
    make_aggregate,
    make_deployment,
    make_step,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
)
from tests.support.stars.small_star import CITY

TAX = make_system_aggregate("Tax 100%_a", "tax")
VISITS = make_aggregate("visits", "seen", "visits", model=OTHER_MODEL)


@pytest.fixture(scope="module")
def lived_in(module_registry: Registry) -> Registry:
    """``revenue`` serves and was used twice, ``units`` serves and was not, ``Tax`` is defined, ``visits`` elsewhere."""
    run_batch(module_registry, "a", steps=[make_step(REVENUE, "a"), make_step(UNITS, "a", 1)])
    propose(module_registry, TAX, now=LATER)
    other = make_deployment(VISITS, model_id=OTHER_MODEL, name="visits")
    module_registry.models.record_deployments([other], now=LATER)
    source = QuerySource(fact="sales", aggregate="revenue", definition_id=REVENUE.id)
    module_registry.queries.record([make_query_record(source, model_id=MODEL, asked_at=NOW, weight=2)])
    record = EvaluationRecord(
        model_id=MODEL, definition_id=REVENUE.id, evaluated_at=NOW, score=0.5, parts={}, size_bytes=9, seconds_saved=1.5
    )
    module_registry.evaluations.record([record, replace(record, evaluated_at=LATER, score=0.75)])
    return module_registry


def _names(registry: Registry, **which: object) -> list[str]:
    return [row.name for row in registry.read.lists.definitions.page(DefinitionFilter(**which)).rows]  # type: ignore[arg-type]


def test_a_row_tells_everything_about_a_definition(lived_in: Registry) -> None:
    (row,) = lived_in.read.lists.definitions.get([REVENUE.id, "nobody"])

    assert row == DefinitionListing(
        id=REVENUE.id,
        model_id=MODEL,
        name="revenue",
        label="revenue",
        origin=DefinitionOrigin.USER_DEFINED,
        status=DefinitionStatus.DEFINED,
        shown_status=ShownStatus.ACTIVE,
        newest_status=ShownStatus.ACTIVE,
        created_at=NOW,
        uses=2,
        last_used_at=NOW,
        rows=5,
        seconds=0.5,
        built_at=NOW,
        active_instance_ids=("a-revenue",),
        newest_instance_ids=("a-revenue",),
        score=0.75,
        size_bytes=9,
        seconds_saved=1.5,
        facts=("sales",),
        metrics=("amount",),
    )


def test_attributes_that_definitions_share_are_told_by_their_query_names(registry: Registry) -> None:
    by_city = replace(TAX, parts=(replace(TAX.parts[0], attributes=(CITY,)),))
    propose(registry, by_city)

    (row,) = registry.read.lists.definitions.get([by_city.id])
    assert (row.attributes, row.reason) == ((CITY.attribute.query_name,), "asked")


def test_the_newest_instance_is_told_beside_the_active_one(registry: Registry) -> None:
    run_batch(registry, "a", steps=[make_step(REVENUE, "a")])
    open_batch(registry, "b", steps=[make_step(REVENUE, "b")], now=LATER)

    (row,) = registry.read.lists.definitions.get([REVENUE.id])
    assert (row.active_instance_ids, row.newest_instance_ids) == (("a-revenue",), ("b-revenue",))


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ({}, ["revenue", "Tax 100%_a", "units", "visits"]),
        ({"model_ids": [OTHER_MODEL]}, ["visits"]),
        ({"model_ids": []}, []),
        ({"origins": [DefinitionOrigin.DEMAND_DEFINED, DefinitionOrigin.PREDICTION_DEFINED]}, ["Tax 100%_a"]),
        ({"statuses": [DefinitionStatus.RETIRED]}, []),
        ({"shown_statuses": [ShownStatus.PENDING]}, ["Tax 100%_a", "visits"]),
        ({"name_contains": "UNI"}, ["units"]),
        ({"name_contains": "0%_A"}, ["Tax 100%_a"]),
        ({"name_contains": "0__"}, []),
        ({"name_contains": "%"}, ["Tax 100%_a"]),
        ({"name_contains": "\0"}, []),
        ({"name_contains": "\ud800"}, []),
        ({"used_after": NOW}, ["revenue"]),
        ({"used_after": NOW + timedelta(seconds=1)}, []),
        ({"used_before": NOW}, []),
        ({"used_before": LATER}, ["revenue"]),
        ({"never_used": True}, ["Tax 100%_a", "units", "visits"]),
        ({"built_before": LATER + timedelta(days=1)}, ["revenue", "units"]),
        ({"built_before": NOW - timedelta(days=1)}, []),
        ({"used_before": LATER, "never_used": True, "model_ids": [MODEL]}, ["revenue", "Tax 100%_a", "units"]),
    ],
    ids=str,
)
def test_filters(lived_in: Registry, which: dict[str, object], names: list[str]) -> None:
    assert _names(lived_in, **which) == names
    assert lived_in.read.lists.definitions.count(DefinitionFilter(**which)).number == len(names)  # type: ignore[arg-type]


def test_definitions_are_counted_by_what_is_shown(lived_in: Registry) -> None:
    counts = lived_in.read.lists.definitions.count_by_status(DefinitionFilter(model_ids=[MODEL]))

    assert counts == {ShownStatus.ACTIVE: 2, ShownStatus.PENDING: 1}


def _pages(registry: Registry, sort: DefinitionSort, *, descending: bool, limit: int) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = registry.read.lists.definitions.page(sort=sort, descending=descending, limit=limit, cursor=cursor)
        yield [row.name for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("sort", DefinitionSort)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_together_are_the_whole_list(lived_in: Registry, sort: DefinitionSort, descending: bool) -> None:
    """Every page but the last is full."""
    (whole,) = _pages(lived_in, sort, descending=descending, limit=50)
    pages = list(_pages(lived_in, sort, descending=descending, limit=2))

    assert [name for page in pages for name in page] == whole
    assert [len(page) for page in pages] == [2, 2]
    assert sorted(whole) == ["Tax 100%_a", "revenue", "units", "visits"]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        (DefinitionSort.NAME, "visits"),
        (DefinitionSort.MODEL, "visits"),
        (DefinitionSort.USES, "revenue"),
        (DefinitionSort.LAST_USED, "revenue"),
        (DefinitionSort.SCORE, "revenue"),
    ],
)
def test_descending_orders_begin_with_the_most(lived_in: Registry, sort: DefinitionSort, first: str) -> None:
    assert lived_in.read.lists.definitions.page(sort=sort, descending=True).rows[0].name == first


def test_a_cursor_of_another_order_is_refused(lived_in: Registry) -> None:
    lists = lived_in.read.lists.definitions
    cursor = lists.page(limit=1).next_cursor

    with pytest.raises(CursorError, match="another list or another order"):
        lists.page(sort=DefinitionSort.USES, cursor=cursor)


def test_what_comes_meanwhile_moves_no_page(registry: Registry) -> None:
    lists = registry.read.lists.definitions
    first = lists.page(limit=1)
    propose(registry, make_system_aggregate("a first one", "tax"), now=NOW + HOUR)

    assert [row.name for row in lists.page(limit=5, cursor=first.next_cursor).rows] == ["units"]
