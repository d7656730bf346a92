"""How long aggregates usually build."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.records import BuiltParts
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.usual_builds import find_usual_seconds, note_usual_seconds
from tests.support.registry_content import HOUR, NOW, make_steps, make_system_aggregate, open_batch, propose


def test_a_usual_build_is_the_median_of_the_last_five_of_the_same(any_registry: Registry) -> None:
    """Older ones do not count; nothing is told of what was never built."""
    registry = any_registry
    for number, seconds in enumerate((1000, 1000, 1, 2, 3, 40, 50)):
        batch, now = f"b{number}", NOW + number * HOUR
        open_batch(registry, batch, now=now)
        claim = registry.attempts.claim(f"{batch}-revenue", owner="me", now=now)
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=seconds, source="sales", now=now)
        registry.batches.activate(batch, owner="me", now=now, drop_after=now)
    open_batch(registry, "next", now=NOW + 9 * HOUR)

    assert registry.read.lists.batches.usual_seconds("next") == {"next-revenue": 3.0}
    with registry.database.writing() as connection:
        note_usual_seconds(connection, "next")
        assert find_usual_seconds(connection, "next") == {"next-revenue": 3.0}
        assert find_usual_seconds(connection, "nobody") == {}


def test_facts_are_built_by_themselves(any_registry: Registry) -> None:
    both = make_system_aggregate("both", "tax", "sales", "visits")
    propose(any_registry, both)
    for batch in ("a", "b"):
        open_batch(any_registry, batch, steps=make_steps([both], batch))
        if batch == "a":
            for fact, seconds in (("sales", 1.0), ("visits", 7.0)):
                claim = any_registry.attempts.claim(f"a-both-{fact}", owner="me", now=NOW)
                any_registry.attempts.finish(claim, BuiltParts(rows=1), seconds=seconds, source=fact, now=NOW)
            any_registry.batches.activate("a", owner="me", now=NOW, drop_after=NOW)

    assert any_registry.read.lists.batches.usual_seconds("b") == {"b-both-sales": 1.0, "b-both-visits": 7.0}
