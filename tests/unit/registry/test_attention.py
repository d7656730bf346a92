"""What wants attention: each finding alone, and none where all is well."""

from __future__ import annotations

from datetime import timedelta

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.registry.listings import Attention, Finding
from airflow_atscale_aggs.engine.registry.records import QuerySource
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.query_records import make_query_record
from tests.support.registry_content import HOUR, MODEL, NOW, OTHER_MODEL, REVENUE, UNITS, open_batch, run_batch

_DAY = timedelta(days=1)


def test_where_all_is_well_nothing_is_found(any_registry: Registry) -> None:
    registry = any_registry
    run_batch(registry)
    registry.batches.record_view_switch("b")

    assert registry.read.lists.attention.find([MODEL], now=NOW + HOUR) == Attention()


def test_only_what_failed_in_the_newest_batch_wants_attention(any_registry: Registry) -> None:
    registry = any_registry
    open_batch(registry, "a")
    registry.attempts.fail(registry.attempts.claim("a-units", owner="me", now=NOW), error="broken", now=NOW)
    registry.batches.fail("a", owner="me", now=NOW)
    found = registry.read.lists.attention.find([MODEL], now=NOW)
    assert (found.failed_instances, found.failed_batches) == (Finding(1, ("a-units",)), Finding(1, ("a",)))
    assert registry.read.lists.attention.find([OTHER_MODEL], now=NOW) == Attention()
    run_batch(registry, "b", now=NOW + HOUR)

    found = registry.read.lists.attention.find(None, now=NOW + HOUR)
    assert (found.failed_instances, found.failed_batches) == (Finding(), Finding())


def test_what_serves_and_was_never_used_for_long(any_registry: Registry) -> None:
    registry = any_registry
    run_batch(registry)
    source = QuerySource(fact="sales", aggregate="revenue", definition_id=REVENUE.id)
    registry.queries.record([make_query_record(source, model_id=MODEL, asked_at=NOW)])
    find = registry.read.lists.attention.find

    assert find([MODEL], now=NOW + 10 * _DAY, unused_after=10 * _DAY).never_used == Finding()
    assert find([MODEL], now=NOW + 10 * _DAY, unused_after=9 * _DAY).never_used == Finding(1, (UNITS.id,))


def test_what_was_built_long_ago_is_stale(any_registry: Registry) -> None:
    registry = any_registry
    run_batch(registry)
    find = registry.read.lists.attention.find

    assert find([MODEL], now=NOW + 2 * HOUR, stale_after=2 * HOUR).stale == Finding()
    assert find([MODEL], now=NOW + 3 * HOUR, stale_after=2 * HOUR).stale.number == 2


def test_what_is_aged_is_found_by_itself(any_registry: Registry) -> None:
    """The same as among everything else."""
    registry = any_registry
    run_batch(registry)
    attention = registry.read.lists.attention
    after, ages = NOW + 10 * _DAY, {"unused_after": 9 * _DAY, "stale_after": 2 * HOUR}

    found = attention.find([MODEL], now=after, **ages)
    assert attention.find_aged([MODEL], now=after, **ages) == (found.never_used, found.stale)
    assert (found.never_used.number, found.stale.number) > (0, 0)
    assert attention.find_aged([OTHER_MODEL], now=after, **ages) == (Finding(), Finding())


def test_views_that_show_something_else_and_what_is_blocked(any_registry: Registry) -> None:
    registry = any_registry
    run_batch(registry)
    registry.definitions.set_status(
        [UNITS.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )

    found = registry.read.lists.attention.find([MODEL], now=NOW)
    assert (found.pending_views, found.blocked) == (Finding(1, ("b",)), Finding(1, (UNITS.id,)))
