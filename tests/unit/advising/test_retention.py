"""Which instances are pruned when there are too many, and which definitions count as unused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.advising.retention import (
    RetainedInstance,
    choose_instances_to_prune,
    is_unused,
    rank_instances,
)

_NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _instance(
    name: str, uses: int, days_ago: int, *, definition: str = "", is_active: bool = True, aggregate: str = ""
) -> RetainedInstance:
    return RetainedInstance(
        id=name,
        definition_id=definition or name,
        aggregate=aggregate or name,
        is_active=is_active,
        uses=uses,
        last_used_at=_NOW - timedelta(days=days_ago),
    )


@pytest.mark.parametrize(
    ("instances", "order"),
    [
        ([_instance("a", 1, 0), _instance("b", 2, 0)], "ba"),
        ([_instance("a", 1, 1), _instance("b", 1, 0)], "ba"),
        ([_instance("a", 9, 9), _instance("b", 1, 0)], "ab"),
        ([_instance("a", 5, 2), _instance("b", 4, 1), _instance("c", 3, 0), _instance("d", 6, 3)], "dabc"),
        ([_instance("a", 9, 9), _instance("b", 8, 0), _instance("c", 1, 1)], "bac"),
        ([_instance("a", 1, 0, is_active=False), _instance("b", 1, 0)], "ba"),
        ([_instance("b", 1, 0), _instance("a", 1, 0)], "ab"),
        ([_instance("a", 1, 0, aggregate="y"), _instance("b", 1, 0, aggregate="x")], "ba"),
        ([], ""),
    ],
    ids=[
        *("more uses", "later use", "a tie: more uses", "all tie", "both together", "a tie: active", "a tie: name"),
        *("the aggregate's name before the id", "nothing"),
    ],
)
def test_instances_are_ranked_by_recency_and_frequency(instances: list[RetainedInstance], order: str) -> None:
    """Both count the same."""
    assert "".join(instance.id for instance in rank_instances(instances)) == order


def _pruned(instances: list[RetainedInstance], desired: int, excess: int) -> list[tuple[int, str]]:
    return [
        (rank, instance.id) for rank, instance in choose_instances_to_prune(instances, desired=desired, excess=excess)
    ]


@pytest.mark.parametrize(
    ("desired", "excess", "pruned"),
    [
        (2, 1, [(3, "c"), (4, "d")]),
        (2, 2, [(3, "c"), (4, "d")]),
        (2, 3, []),
        (4, 0, []),
        (3, 0, [(4, "d")]),
        (0, 4, [(1, "a"), (2, "b"), (3, "c"), (4, "d")]),
    ],
)
def test_those_beyond_the_desired_number_go_once_there_are_enough_of_them(
    desired: int, excess: int, pruned: list[tuple[int, str]]
) -> None:
    instances = [_instance(name, uses, 0) for name, uses in (("d", 1), ("a", 4), ("c", 2), ("b", 3))]

    assert _pruned(instances, desired, excess) == pruned


def test_parts_of_one_definition_go_together() -> None:
    """It is not built any more, so its other part would grow old; its inactive instances wait for their own rank."""
    parts = [
        _instance("x1", 5, 0, definition="x"),
        _instance("x2", 1, 3, definition="x"),
        _instance("y", 3, 1),
        _instance("x0", 9, 0, definition="x", is_active=False),
    ]

    assert _pruned(parts[:3], 2, 1) == [(1, "x1"), (3, "x2")]
    assert _pruned(parts, 3, 1) == [(2, "x1"), (4, "x2")]


def test_an_inactive_instance_takes_no_other_with_it() -> None:
    instances = [_instance("new", 5, 0, definition="x"), _instance("old", 1, 9, definition="x", is_active=False)]

    assert _pruned(instances, 1, 1) == [(2, "old")]


@pytest.mark.parametrize(
    ("used_days_ago", "serving_days_ago", "is_old"),
    [(None, 45, True), (None, 44, False), (45, 100, True), (44, 100, False), (100, 44, False), (46, 45, True)],
    ids=["never used", "never used, new", "long ago", "lately", "used long ago, defined again", "just long enough"],
)
def test_a_definition_is_unused_when_it_was_neither_used_nor_new_for_so_long(
    used_days_ago: int | None, serving_days_ago: int, is_old: bool
) -> None:
    last = None if used_days_ago is None else _NOW - timedelta(days=used_days_ago)

    assert is_unused(last, _NOW - timedelta(days=serving_days_ago), days=45, now=_NOW) is is_old
