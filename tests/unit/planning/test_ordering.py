"""What others derive from comes first; settings order the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.planning.ordering import (
    Waiting,
    derivability_order,
    nearest_sources,
    priority,
    without_cycles,
)
from airflow_atscale_aggs.engine.settings import Settings

_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def _waiting(name: str, *, is_new: bool = False, is_user_defined: bool = True, age: int = 0) -> Waiting:
    return Waiting(name=name, is_new=is_new, is_user_defined=is_user_defined, defined_at=_DAY + timedelta(days=age))


@pytest.mark.parametrize(("mode", "first"), [(0, "new"), (1, "rebuild"), (2, "old")])
def test_queue_mode_decides_what_goes_first(mode: int, first: str) -> None:
    """Mode 0 prefers new definitions, 1 rebuilds, 2 the oldest definition."""
    settings = Settings(queue_priority_mode=mode)
    steps = [_waiting("new", is_new=True, age=2), _waiting("rebuild", age=1), _waiting("old", is_new=mode == 1, age=0)]

    chosen = min(steps, key=lambda step: priority(step, settings))

    assert chosen.name == first


def test_user_defined_go_first_when_the_setting_says_so() -> None:
    """aggregate.queue.priority.userDefined.enabled outranks the queue mode."""
    steps = [_waiting("system", is_user_defined=False), _waiting("user", is_new=True)]

    first = {
        enabled: min(steps, key=lambda step: priority(step, Settings(user_defined_first=enabled))).name
        for enabled in (False, True)
    }

    assert first == {False: "system", True: "user"}


@st.composite
def _relations(draw: st.DrawFn) -> list[frozenset[int]]:
    """A transitive, acyclic relation over up to eight steps, in any numbering."""
    size = draw(st.integers(1, 8))
    rank = draw(st.permutations(range(size)))
    direct = [{s for s in range(size) if rank[s] < rank[step] and draw(st.booleans())} for step in range(size)]
    for _ in range(size):
        direct = [sources.union(*(direct[source] for source in sources)) for sources in direct]
    return [frozenset(sources) for sources in direct]


@given(_relations())
def test_sources_stand_before_what_derives_from_them(parents: list[frozenset[int]]) -> None:
    """Every step appears once, after all of its sources."""
    keys = {step: priority(_waiting(str(step)), Settings()) for step in range(len(parents))}

    order = derivability_order(parents, keys)

    assert sorted(order) == list(range(len(parents)))
    assert all(order.index(source) < order.index(step) for step, sources in enumerate(parents) for source in sources)


@given(_relations())
def test_nearest_sources_keep_a_way_to_every_source(parents: list[frozenset[int]]) -> None:
    """A source that is passed over lies above one that is kept; no kept source lies above another."""
    nearest_by_step = nearest_sources(parents)

    for step, sources in enumerate(parents):
        nearest = set(nearest_by_step[step])
        assert nearest <= sources
        assert all(any(far in parents[near] for near in nearest) for far in sources - nearest)
        assert not any(a in parents[b] for a in nearest for b in nearest)


@pytest.mark.parametrize(
    ("mode", "is_user_first", "order"),
    [
        (0, False, ["new", "new system", "old", "old system"]),
        (1, False, ["old", "old system", "new", "new system"]),
        (2, False, ["old", "old system", "new", "new system"]),
        (0, True, ["new", "old", "new system", "old system"]),
        (2, True, ["old", "new", "old system", "new system"]),
    ],
)
def test_age_and_name_decide_within_a_class(mode: int, is_user_first: bool, order: list[str]) -> None:
    settings = Settings(queue_priority_mode=mode, user_defined_first=is_user_first)
    steps = [
        _waiting("new system", is_new=True, is_user_defined=False, age=2),
        _waiting("old system", is_user_defined=False, age=1),
        _waiting("new", is_new=True, age=2),
        _waiting("old", age=1),
    ]

    assert [step.name for step in sorted(steps, key=lambda step: priority(step, settings))] == order


@pytest.mark.parametrize(
    ("parents", "names", "order"),
    [
        ([set(), set(), set()], "cab", "abc"),
        ([set(), {0}, {1}], "cba", "cba"),
        ([{2}, set(), set()], "abc", "bca"),
        ([{1, 2}, set(), {1}], "abc", "bca"),
        ([{1}, set(), set()], "abc", "bac"),
    ],
    ids=["free steps by key", "a chain", "a source late by key", "two sources", "a step becomes free at once"],
)
def test_free_steps_go_by_their_key(parents: list[set[int]], names: str, order: str) -> None:
    keys = {step: priority(_waiting(name), Settings()) for step, name in enumerate(names)}
    steps = derivability_order([frozenset(sources) for sources in parents], keys)

    assert "".join(names[step] for step in steps) == order


def test_a_cycle_is_no_order() -> None:
    keys = {step: priority(_waiting("x"), Settings()) for step in range(3)}
    parents = [frozenset({1}), frozenset({2}), frozenset({0})]

    with pytest.raises(AssertionError, match="Derivability holds a cycle"):
        derivability_order(parents, keys)


@pytest.mark.parametrize(
    ("parents", "nearest"),
    [
        ([set(), {0}, {0, 1}], [(), (0,), (1,)]),
        ([set(), set(), {0, 1}], [(), (), (0, 1)]),
        ([set(), {0}, {0}, {0, 1, 2}], [(), (0,), (0,), (1, 2)]),
    ],
    ids=["a chain", "two sources", "a diamond"],
)
def test_a_source_is_passed_over_when_another_lies_between(
    parents: list[set[int]], nearest: list[tuple[int, ...]]
) -> None:
    assert nearest_sources([frozenset(sources) for sources in parents]) == nearest


def test_mutual_derivability_is_broken() -> None:
    """Two grains of one meaning: the earlier one is the source."""
    assert without_cycles([frozenset({1}), frozenset({0})]) == [frozenset(), frozenset({0})]
