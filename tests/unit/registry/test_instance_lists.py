"""Lists of instances: filters, orders, pages; their build steps are not read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter, InstanceSort
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    UNITS,
    build,
    make_step,
    open_batch,
    run_batch,
)


@pytest.fixture(scope="module")
def two_batches(module_registry: Registry) -> Registry:
    """One that serves, and one of which ``revenue`` is built and ``units`` waits."""
    run_batch(module_registry, "a")
    open_batch(module_registry, "b", now=LATER)
    build(module_registry, "b-revenue", rows=9, now=LATER)
    return module_registry


def _ids(registry: Registry, **which: object) -> list[str]:
    return [row.id for row in registry.read.lists.instances.page(InstanceFilter(**which)).rows]  # type: ignore[arg-type]


def test_a_row_tells_what_is_known_of_an_instance(two_batches: Registry) -> None:
    (row,) = two_batches.read.lists.instances.page(InstanceFilter(batch_id="b", table_contains="REVENUE")).rows
    record = two_batches.read.instances.get("b-revenue")

    assert (row.aggregate, row.fact, row.definition_id) == ("revenue", "sales", REVENUE.id)
    assert (row.status, row.shown_status, row.batch_created_at) == (InstanceStatus.DONE, ShownStatus.STAGED, LATER)
    assert row.schema == two_batches.read.batches.get("b").schema
    shared = set(type(row).__slots__) & set(type(record).__slots__)
    assert len(shared) > 15
    assert {name: getattr(row, name) for name in shared} == {name: getattr(record, name) for name in shared}


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        ({}, ["b-revenue", "a-units", "a-revenue", "b-units"]),
        ({"model_ids": [OTHER_MODEL]}, []),
        ({"model_ids": [MODEL], "batch_id": "a"}, ["a-units", "a-revenue"]),
        ({"definition_id": REVENUE.id}, ["b-revenue", "a-revenue"]),
        ({"statuses": [InstanceStatus.NEW, InstanceStatus.DONE]}, ["b-revenue", "b-units"]),
        ({"sources": ["sales", "another"]}, ["b-revenue", "a-units", "a-revenue"]),
        ({"sources": ["another"]}, []),
        ({"table_contains": "_A_UNITS_"}, ["a-units"]),
        ({"table_contains": "%"}, []),
        ({"table_contains": "\0"}, []),
        ({"started_after": LATER}, ["b-revenue"]),
        ({"started_before": LATER}, ["a-units", "a-revenue"]),
    ],
    ids=str,
)
def test_filters(two_batches: Registry, which: dict[str, object], ids: list[str]) -> None:
    assert _ids(two_batches, **which) == ids
    assert two_batches.read.lists.instances.count(InstanceFilter(**which)).number == len(ids)  # type: ignore[arg-type]


def _pages(registry: Registry, sort: InstanceSort, *, descending: bool, limit: int) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = registry.read.lists.instances.page(sort=sort, descending=descending, limit=limit, cursor=cursor)
        yield [row.id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("sort", InstanceSort)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_together_are_the_whole_list(two_batches: Registry, sort: InstanceSort, descending: bool) -> None:
    (whole,) = _pages(two_batches, sort, descending=descending, limit=50)
    pages = list(_pages(two_batches, sort, descending=descending, limit=3))

    assert [identity for page in pages for identity in page] == whole
    assert [len(page) for page in pages] == [3, 1]
    assert sorted(whole) == ["a-revenue", "a-units", "b-revenue", "b-units"]


def test_instances_of_a_batch_stand_in_build_order(two_batches: Registry) -> None:
    assert [row.id for row in two_batches.read.lists.instances.of_batch("a")] == ["a-revenue", "a-units"]


def test_some_are_read_by_their_ids(two_batches: Registry) -> None:
    rows = two_batches.read.lists.instances.some(["a-units", "nothing", "b-revenue"])

    assert {row.id: row.status for row in rows} == {
        "a-units": InstanceStatus.ACTIVE,
        "b-revenue": InstanceStatus.DONE,
    }
    assert two_batches.read.lists.instances.some([]) == ()


def test_those_that_serve_are_found_by_their_definitions(two_batches: Registry) -> None:
    lists = two_batches.read.lists.instances

    assert {row.id for row in lists.serving([UNITS.id, REVENUE.id, "nobody"])} == {"a-revenue", "a-units"}
    assert [row.id for row in lists.serving([UNITS.id])] == ["a-units"]
    assert lists.serving([]) == ()


def test_counting_stops_somewhere(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_atscale_aggs.engine.registry.instance_lists.MOST_COUNTED", 2)
    open_batch(registry, "a")
    count = registry.read.lists.instances.count()
    assert (count.number, count.is_exact) == (2, True)
    registry.batches.cancel("a", now=NOW)
    open_batch(registry, "b", steps=[make_step(REVENUE, "b")], now=NOW + HOUR)

    count = registry.read.lists.instances.count()
    assert (count.number, count.is_exact) == (2, False)


@pytest.mark.parametrize("bounds", [(0, 0), (0, 100), (100, 100)], ids=["by an index", "sorted", "looked up"])
@pytest.mark.parametrize("sort", InstanceSort)
@pytest.mark.parametrize("descending", [False, True])
def test_however_instances_are_found_the_list_is_the_same(
    two_batches: Registry,
    monkeypatch: pytest.MonkeyPatch,
    bounds: tuple[int, int],
    sort: InstanceSort,
    descending: bool,
) -> None:
    """By an index on what is sorted by, or by what is filtered."""
    lists = two_batches.read.lists.instances
    which = InstanceFilter(model_ids=[MODEL, OTHER_MODEL], statuses=[InstanceStatus.ACTIVE, InstanceStatus.NEW])
    expected = [row.id for row in lists.page(which, sort=sort, descending=descending).rows]
    for name, number in zip(("_FEW", "_SOME"), bounds, strict=True):
        monkeypatch.setattr(f"airflow_atscale_aggs.engine.registry.instance_lists.{name}", number)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = lists.page(which, sort=sort, descending=descending, limit=1, cursor=cursor)
        found += [row.id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == expected
    assert sorted(found) == ["a-revenue", "a-units", "b-units"]
