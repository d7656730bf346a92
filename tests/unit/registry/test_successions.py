"""Successions: one definition takes the place of another, once it serves for all of its facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionStatus
from airflow_atscale_aggs.engine.registry.records import QuerySource, SuccessionRecord, UsageRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.query_records import make_query_record
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    REVENUE,
    build,
    make_steps,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
    statuses,
)

A, B, C = (make_system_aggregate(name, name) for name in "abc")
BOTH = make_system_aggregate("both", "both", "returns", "sales")


def _succession(
    old: AggregateDefinition, new: AggregateDefinition, *, reason: str = "finer", facts: Sequence[str] = ("sales",)
) -> SuccessionRecord:
    return SuccessionRecord(
        old_id=old.id, new_id=new.id, model_id=MODEL, reason=reason, facts=tuple(facts), proposed_at=NOW
    )


def _names(records: Sequence[SuccessionRecord]) -> list[str]:
    return [f"{record.old_name} to {record.new_name}" for record in records]


def _complete(registry: Registry) -> list[str]:
    return _names(registry.successions.complete(MODEL, now=LATER))


def _status(registry: Registry, aggregate: AggregateDefinition) -> tuple[str, str]:
    record = registry.read.definitions.get(aggregate.id)
    return record.status, record.status_reason


def test_a_proposal_is_recorded_once_and_changes_nothing(registry: Registry) -> None:
    propose(registry, A, B)

    assert registry.successions.propose([_succession(A, B)]) == 1
    assert registry.successions.propose([_succession(A, B), _succession(B, A)]) == 1
    assert registry.successions.propose([]) == 0
    assert set(_names(registry.read.successions.find(MODEL, pending=True))) == {"a to b", "b to a"}
    assert registry.read.successions.find("another model") == ()
    assert _status(registry, A) == ("defined", "")


def test_a_definition_gives_way_once_its_successor_is_active(registry: Registry) -> None:
    """Its instances serve no more, and their tables are kept for comparisons."""
    propose(registry, A, B)
    run_batch(registry, "b", steps=make_steps([A], "b"))
    registry.successions.propose([_succession(A, B)])
    assert _complete(registry) == []
    before = registry.read.models.version(MODEL)

    run_batch(registry, "c", steps=make_steps([B], "c"), now=LATER)

    assert _status(registry, A) == ("retired", "superseded by `b`: finer")
    old = registry.read.instances.get("b-a")
    assert (old.status, old.superseded_at, old.drop_after) == ("superseded", LATER, None)
    (record,) = registry.read.successions.find(MODEL)
    assert (record.done_at, record.facts) == (LATER, ("sales",))
    assert registry.read.successions.find(MODEL, pending=True) == ()
    assert registry.read.models.version(MODEL) == before + 1


def test_a_successor_that_serves_already_takes_its_place_at_once(registry: Registry) -> None:
    """That is a new version of the model; where nothing is done there is none."""
    propose(registry, A, B)
    run_batch(registry, "b", steps=make_steps([A, B], "b"))
    registry.successions.propose([_succession(A, B)])
    before = registry.read.models.version(MODEL)

    assert _complete(registry) == ["a to b"]
    assert _complete(registry) == []
    assert registry.read.models.version(MODEL) == before + 1
    assert statuses(registry) == {"b-a": "superseded", "b-b": "active"}


def test_a_successor_must_be_active_for_all_facts(registry: Registry) -> None:
    propose(registry, BOTH, A)
    registry.successions.propose([_succession(A, BOTH, facts=("returns", "sales"))])
    steps = make_steps([BOTH], "b")
    open_batch(registry, "b", steps=steps)
    build(registry, "b-both-sales")
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)
    assert _status(registry, A) == ("defined", "")

    run_batch(registry, "c", steps=make_steps([BOTH], "c"))

    assert _status(registry, A)[0] == "retired"


@pytest.mark.parametrize(
    ("hours", "done"), [((0, 1), ["a to b", "b to c"]), ((1, 0), ["b to c"])], ids=["first first", "last first"]
)
def test_a_successor_that_has_given_way_itself_takes_no_place_any_more(
    registry: Registry, hours: tuple[int, int], done: list[str]
) -> None:
    """Both succesions stand in one transaction, the older proposal first."""
    propose(registry, A, B, C)
    run_batch(registry, "b", steps=make_steps([A, B, C], "b"))
    pairs = zip((_succession(A, B), _succession(B, C)), hours, strict=True)
    registry.successions.propose([replace(pair, proposed_at=NOW + delay * HOUR) for pair, delay in pairs])

    assert _complete(registry) == done
    assert _status(registry, A)[0] == ("retired" if "a to b" in done else "defined")
    assert _status(registry, C)[0] == "defined"


def test_of_two_successors_that_serve_one_takes_the_place_and_the_uses(registry: Registry) -> None:
    propose(registry, A, B, C)
    run_batch(registry, "b", steps=make_steps([A, B, C], "b"))
    registry.queries.record([make_query_record(QuerySource(fact="sales", definition_id=A.id), weight=3)])
    registry.successions.propose([_succession(A, B), replace(_succession(A, C), proposed_at=LATER)])

    assert _complete(registry) == ["a to b"]
    assert _status(registry, A) == ("retired", "superseded by `b`: finer")
    uses = {usage.definition_id: usage.uses for usage in registry.read.queries.usages(MODEL)}
    assert uses == {A.id: 3, B.id: 3}


@pytest.mark.parametrize("status", [DefinitionStatus.RETIRED, DefinitionStatus.BLOCKED])
@pytest.mark.parametrize("whose", ["old", "new"])
def test_what_is_not_defined_neither_gives_way_nor_takes_a_place(
    registry: Registry, status: DefinitionStatus, whose: str
) -> None:
    propose(registry, A, B)
    run_batch(registry, "b", steps=make_steps([A, B], "b"))
    registry.successions.propose([_succession(A, B)])
    aggregate = A if whose == "old" else B
    registry.definitions.set_status([aggregate.id], status, "why", expected=DefinitionStatus.DEFINED, now=NOW)

    assert _complete(registry) == []
    assert _status(registry, aggregate) == (status, "why")
    assert len(registry.read.successions.find(MODEL, pending=True)) == (0 if whose == "old" else 1)


def test_what_a_user_has_defined_never_gives_way(registry: Registry) -> None:
    propose(registry, A)
    run_batch(registry, "b", steps=make_steps([REVENUE, A], "b"))
    registry.successions.propose([_succession(REVENUE, A)])

    assert _complete(registry) == []
    assert _status(registry, REVENUE) == ("defined", "")


def test_a_pair_that_was_done_may_come_again(registry: Registry) -> None:
    """The old one has come back meanwhile. It is nothing new, and has the reason of now."""
    propose(registry, A, B)
    run_batch(registry, "b", steps=make_steps([A, B], "b"))
    registry.successions.propose([_succession(A, B)])
    _complete(registry)
    propose(registry, A)

    assert registry.successions.propose([_succession(A, B, reason="cheaper")]) == 0
    assert _complete(registry) == ["a to b"]
    assert _status(registry, A) == ("retired", "superseded by `b`: cheaper")


@pytest.mark.parametrize(
    ("reason", "rest"),
    [
        ("finer", {"a to c", "b to c"}),
        ("", set()),
        ("100_", {"a to b", "a to c", "b to c"}),
        ("100%", {"a to b", "b to c"}),
        ("coarser", {"a to b", "a to c", "b to c"}),
    ],
)
def test_proposals_are_withdrawn_by_how_their_reason_begins(registry: Registry, reason: str, rest: set[str]) -> None:
    """Signs that SQL matches by mean themselves. Only those of the named definitions go."""
    propose(registry, A, B, C)
    registry.successions.propose(
        [_succession(A, B, reason="finer: x"), _succession(A, C, reason="100% covered"), _succession(B, C)]
    )
    gone = registry.successions.withdraw([A.id] if reason else [A.id, B.id], reason=reason)

    assert set(_names(registry.read.successions.find(MODEL))) == rest
    assert gone == 3 - len(rest)


def test_what_is_done_is_not_withdrawn(registry: Registry) -> None:
    propose(registry, A, B)
    run_batch(registry, "b", steps=make_steps([A, B], "b"))
    registry.successions.propose([_succession(A, B)])
    _complete(registry)

    assert registry.successions.withdraw([A.id], reason="finer") == 0
    assert _names(registry.read.successions.find(MODEL)) == ["a to b"]


def test_a_successor_inherits_the_uses(registry: Registry) -> None:
    """They are added to its own, and marked."""
    propose(registry, A, B)
    run_batch(registry, "b", steps=make_steps([A, B], "b"))
    registry.queries.record(
        [
            make_query_record(QuerySource(fact="sales", definition_id=A.id), asked_at=LATER, seconds=2.0, weight=3),
            make_query_record(QuerySource(fact="returns", definition_id=A.id), asked_at=NOW, seconds=4.0),
            make_query_record(QuerySource(fact="sales", definition_id=B.id), asked_at=NOW, seconds=1.0),
        ]
    )
    registry.successions.propose([_succession(A, B)])

    _complete(registry)

    usages = {(usage.definition_id, usage.fact): usage for usage in registry.read.queries.usages(MODEL)}
    assert usages[B.id, "sales"] == UsageRecord(
        definition_id=B.id, fact="sales", uses=4, seconds=7.0, last_used_at=LATER, inherited=3
    )
    assert usages[B.id, "returns"] == UsageRecord(
        definition_id=B.id, fact="returns", uses=1, seconds=4.0, last_used_at=NOW, inherited=1
    )
    assert usages[A.id, "sales"].uses == 3


def test_successions_are_listed_oldest_first(registry: Registry) -> None:
    propose(registry, A, B, C)
    registry.successions.propose([replace(_succession(A, C), proposed_at=LATER), _succession(B, C)])

    assert _names(registry.read.successions.find(MODEL)) == ["b to c", "a to c"]


def test_the_successor_of_a_definition_is_who_was_proposed_last(registry: Registry) -> None:
    """Done or not; what nobody is to replace has none."""
    propose(registry, A, B, C)
    registry.successions.propose([_succession(A, B), replace(_succession(A, C), proposed_at=LATER), _succession(B, C)])

    successor = registry.read.successions.successor_of(A.id)

    assert successor is not None
    assert (successor.old_name, successor.new_name, successor.done_at) == ("a", "c", None)
    assert registry.read.successions.successor_of(C.id) is None
