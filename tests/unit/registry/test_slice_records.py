"""Named slices are counted, due until all that serves was built with them, and not lost with a batch."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import MODEL, NOW, OTHER_MODEL, REVENUE, make_step, open_batch, run_batch

_FIRST = NamedSlice(dataset="sales", first="1", last="2")
_SECOND = NamedSlice(dataset="sales", first="7", last="7")


def _name(registry: Registry, *slices: NamedSlice, owner: str = "me", is_new: bool = True) -> None:
    registry.slices.name(MODEL, slices, named_by=owner, is_new=is_new, now=NOW)


def _due(registry: Registry) -> list[tuple[int, str]]:
    return [(named.number, str(named)) for named in registry.read.slices.due(MODEL)]


def test_a_slice_is_due_until_all_that_serves_was_built_with_it(registry: Registry) -> None:
    _name(registry, _FIRST, _SECOND)
    assert _due(registry) == [(1, "1..2"), (2, "7")]
    run_batch(registry, "b")
    assert _due(registry) == [(1, "1..2"), (2, "7")]

    # One of the two aggregates is built with both of them, the other one with the first.
    run_batch(registry, "c", slices_through=1)
    assert _due(registry) == [(2, "7")]
    run_batch(registry, "d", steps=[make_step(REVENUE, "d")], slices_through=2)
    assert _due(registry) == [(2, "7")]
    run_batch(registry, "e", slices_through=2)

    assert _due(registry) == []
    assert registry.read.batches.get("e").slices_through == registry.read.slices.newest(MODEL) == 2
    assert (registry.read.slices.newest(OTHER_MODEL), registry.read.slices.due(OTHER_MODEL)) == (0, ())


def test_slices_that_everything_was_built_with_are_forgotten_and_their_numbers_are_not(registry: Registry) -> None:
    _name(registry, _FIRST)
    run_batch(registry, "b", slices_through=1)

    _name(registry, _FIRST)

    assert _due(registry) == [(2, "1..2")]
    _name(registry)
    assert registry.read.slices.newest(MODEL) == 2


def test_a_run_that_asks_again_names_nothing_twice(registry: Registry) -> None:
    """Unless it has built with it already, or says that it has changed again."""
    for _ in range(2):
        _name(registry, _FIRST, is_new=False)
    assert _due(registry) == [(1, "1..2")]
    _name(registry, _FIRST, owner="other", is_new=False)
    _name(registry, _FIRST, is_new=True)
    assert [number for number, _ in _due(registry)] == [1, 2, 3]

    run_batch(registry, "b", slices_through=3)
    _name(registry, _FIRST, is_new=False)

    assert _due(registry) == [(4, "1..2")]


def test_a_cancelled_batch_loses_nothing(registry: Registry) -> None:
    _name(registry, _FIRST)
    open_batch(registry, "b", slices_through=1)

    registry.batches.cancel("b", now=NOW)

    assert _due(registry) == [(1, "1..2")]
