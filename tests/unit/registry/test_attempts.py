"""Attempts to build an instance: claimed, finished or failed by compare-and-set, so that the newest one wins."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.errors import IllegalTransitionError, NotRegisteredError, StaleStatusError
from airflow_atscale_aggs.engine.registry.attempts import AttemptWriter, Success
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim, InstanceRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.tables import standings
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    build,
    make_aggregate,
    make_deployment,
    make_steps,
    open_batch,
)


def _claim(registry: Registry, instance_id: str = "b-revenue", **others: Any) -> Claim:
    return registry.attempts.claim(instance_id, owner="me", now=NOW, **others)


def _finish(registry: Registry, claim: Claim, *, rows: int = 1, verified: Verified | None = None) -> None:
    registry.attempts.finish(claim, BuiltParts(rows=rows), seconds=1, source="sales", now=LATER, verified=verified)


def _attempts(registry: Registry, instance_id: str = "b-revenue") -> list[tuple[int, str]]:
    return [(attempt.number, attempt.status) for attempt in registry.read.attempts.find(instance_id=instance_id)]


def test_a_claim_writes_the_attempt_and_its_table_down_before_the_table_exists(registry: Registry) -> None:
    """The step of the claim carries the attempt's number."""
    open_batch(registry)

    claim = _claim(registry)

    (attempt,) = registry.read.attempts.find(instance_id="b-revenue")
    assert (attempt.number, attempt.status, attempt.owner, attempt.started_at) == (1, "in_progress", "me", NOW)
    assert (attempt.table, attempt.drop_sql) == ("as_agg_b_revenue_a1", "DROP TABLE as_agg_b_revenue_a1")
    assert (claim.attempt, claim.owner, claim.instance.step.table) == (1, "me", "as_agg_b_revenue_a1")
    instance = registry.read.instances.get("b-revenue")
    assert (instance.status, instance.attempt, instance.table) == ("in_progress", 1, "as_agg_b_revenue_a1")


@pytest.mark.parametrize("allowance", [None, "first"])
def test_an_instance_that_was_seen_is_claimed_without_being_read(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, allowance: str | None
) -> None:
    open_batch(registry)
    seen = registry.read.instances.get("b-revenue")
    with monkeypatch.context() as patched:
        patched.setattr(AttemptWriter, "_lock", None)
        claim = registry.attempts.claim("b-revenue", owner="me", now=NOW, seen=seen, allowance=allowance)

    now = registry.read.instances.get("b-revenue")
    assert claim.instance == replace(now, step=now.step.of_attempt(1))
    assert claim.planned == now.step
    done = registry.attempts.finish(claim, BuiltParts(rows=7), seconds=1, source="sales", now=LATER)
    assert done == registry.read.instances.get("b-revenue")


def test_an_instance_that_is_not_as_it_was_seen_is_read_again(registry: Registry) -> None:
    """Its next attempt is the one after the newest; and in a batch that is over there is none."""
    open_batch(registry)
    seen = registry.read.instances.get("b-revenue")
    registry.attempts.fail(_claim(registry), error="broken", now=NOW)

    claim = registry.attempts.claim("b-revenue", owner="me", now=NOW, seen=seen)

    assert (claim.attempt, claim.instance.failures) == (2, 1)
    failed = registry.attempts.fail(claim, error="broken", now=NOW)
    fresh = registry.attempts.claim("b-revenue", owner="me", now=NOW, seen=failed, allowance="second")
    assert (fresh.attempt, fresh.instance.failures) == (3, 0)
    assert registry.read.batches.get("b").failures == 0
    failed = registry.attempts.fail(fresh, error="broken", now=NOW)
    registry.batches.cancel("b", now=NOW)
    with pytest.raises(IllegalTransitionError, match="cancelled"):
        registry.attempts.claim("b-revenue", owner="me", now=NOW, seen=failed)


def test_failures_that_were_forgotten_since_are_not_remembered_again(registry: Registry) -> None:
    open_batch(registry)
    seen = registry.attempts.fail(_claim(registry), error="broken", now=NOW)
    registry.batches.take_over("b", owner="me", previous_owner="me", lease_until=LATER, fresh_allowance=True)

    claim = registry.attempts.claim("b-revenue", owner="me", now=NOW, seen=seen)

    assert (claim.attempt, claim.instance.failures) == (2, 0)
    assert registry.read.instances.get("b-revenue").failures == 0


def test_a_finished_attempt_makes_its_instance_done(registry: Registry) -> None:
    open_batch(registry)

    _finish(registry, _claim(registry), rows=7)

    instance = registry.read.instances.get("b-revenue")
    assert (instance.status, instance.rows, instance.seconds, instance.source) == ("done", 7, 1.0, "sales")
    assert (instance.started_at, instance.finished_at, instance.error) == (NOW, LATER, None)
    assert _attempts(registry) == [(1, "done")]


def _end_and_claim(registry: Registry, claim: Claim, then: InstanceRecord) -> Claim | None:
    """End an attempt well and claim the next instance as it was seen."""
    success = Success(built=BuiltParts(rows=7), seconds=1, source="sales")
    done, following = registry.attempts.finish_and_claim(claim, success, now=LATER, then=then)
    assert done == registry.read.instances.get(claim.instance.id)
    return following


def test_the_next_instance_is_claimed_with_the_end_of_an_attempt(any_registry: Registry) -> None:
    """It is then as if it had been claimed by itself, and lists show both as they stand."""
    registry = any_registry
    open_batch(registry)
    claim, then = _claim(registry), registry.read.instances.get("b-units")

    following = _end_and_claim(registry, claim, then)

    now = registry.read.instances.get("b-units")
    assert following is not None
    assert following.instance == replace(now, step=now.step.of_attempt(1))
    assert (following.planned, following.owner, now.status, now.started_at) == (now.step, "me", "in_progress", LATER)
    assert (_attempts(registry), _attempts(registry, "b-units")) == ([(1, "done")], [(1, "in_progress")])
    with registry.database.reading() as connection:
        shown = connection.execute(select(standings.c.shown_status).order_by(standings.c.name_key)).scalars().all()
    assert shown == ["staged", "building"]
    _finish(registry, following)


@pytest.mark.parametrize("meanwhile", ["claimed", "failed", "cancelled batch"])
def test_an_instance_that_is_not_as_it_was_seen_is_not_claimed_with_the_end_of_an_attempt(
    registry: Registry, meanwhile: str
) -> None:
    """The attempt ends well all the same, unless it was overtaken itself: then nothing is claimed."""
    open_batch(registry)
    claim, then = _claim(registry), registry.read.instances.get("b-units")
    if meanwhile == "cancelled batch":
        registry.batches.cancel("b", now=NOW)
        with pytest.raises(StaleStatusError):
            _end_and_claim(registry, claim, then)
        assert _attempts(registry, "b-units") == []
        return
    other = _claim(registry, "b-units")
    if meanwhile == "failed":
        registry.attempts.fail(other, error="broken", now=NOW)
    before = _attempts(registry, "b-units")

    assert _end_and_claim(registry, claim, then) is None

    assert _attempts(registry, "b-units") == before


def test_a_zombie_claims_nothing_with_its_end(any_registry: Registry) -> None:
    registry = any_registry
    open_batch(registry)
    zombie, then = _claim(registry), registry.read.instances.get("b-units")
    _claim(registry)

    with pytest.raises(StaleStatusError):
        _end_and_claim(registry, zombie, then)

    assert registry.read.instances.get("b-units") == then
    assert _attempts(registry, "b-units") == []


def test_a_failed_attempt_keeps_its_error_until_the_next_one_begins(registry: Registry) -> None:
    open_batch(registry)

    registry.attempts.fail(_claim(registry), error="broken", now=LATER)

    instance = registry.read.instances.get("b-revenue")
    assert (instance.status, instance.error, instance.failures) == ("failed", "broken", 1)
    _claim(registry)
    assert registry.read.instances.get("b-revenue").error is None
    assert [(attempt.status, attempt.error) for attempt in registry.read.attempts.find()] == [
        ("failed", "broken"),
        ("in_progress", None),
    ]


def test_a_zombie_cannot_finish(any_registry: Registry) -> None:
    """A newer attempt fences the older one off, whatever it does; its table may be dropped."""
    registry = any_registry
    open_batch(registry)
    old, new = _claim(registry), _claim(registry)

    with pytest.raises(StaleStatusError, match="expected to be in_progress, attempt 1 but is in_progress, attempt 2"):
        _finish(registry, old)
    with pytest.raises(StaleStatusError):
        registry.attempts.fail(old, error="late", now=NOW)
    _finish(registry, new, rows=2)

    done = registry.read.instances.get("b-revenue")
    assert (done.status, done.rows, done.attempt, done.failures) == (InstanceStatus.DONE, 2, 2, 0)
    assert _attempts(registry) == [(1, "interrupted"), (2, "done")]
    assert [table.attempt.number for table in registry.read.tables.to_drop(NOW)] == [1]


def test_each_attempt_is_won_once(any_registry: Registry) -> None:
    """Eight threads that claim the same instance get eight different attempts; one of them finishes."""
    registry = any_registry
    open_batch(registry)
    numbers: list[int] = []
    finished: list[int] = []

    def work() -> None:
        claim = _claim(registry)
        numbers.append(claim.attempt)
        barrier.wait()
        try:
            _finish(registry, claim, rows=claim.attempt)
            finished.append(claim.attempt)
        except StaleStatusError:
            pass

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(numbers) == list(range(1, 9))
    assert finished == [8]
    assert registry.read.instances.get("b-revenue").rows == 8


def test_failures_are_counted_and_a_fresh_allowance_forgets_them(any_registry: Registry) -> None:
    """On the instance and on the batch; another allowance name, or a resume, begins at zero."""
    registry = any_registry
    open_batch(registry)

    def failures() -> tuple[int, int]:
        return registry.read.instances.get("b-revenue").failures, registry.read.batches.get("b").failures

    for _ in range(2):
        registry.attempts.fail(_claim(registry, allowance="first"), error="broken", now=NOW)
    assert failures() == (2, 2)

    registry.attempts.fail(_claim(registry, allowance="second"), error="broken", now=NOW)
    assert failures() == (1, 1)

    registry.batches.fail("b", owner="me", now=NOW)
    batch = registry.batches.take_over("b", owner="you", previous_owner="me", lease_until=LATER, fresh_allowance=True)
    assert (batch.status, batch.owner) == ("in_progress", "you")
    assert failures() == (0, 0)


@pytest.mark.parametrize("is_rebuild", [False, True])
def test_what_is_done_is_built_again_only_on_purpose(registry: Registry, is_rebuild: bool) -> None:
    """The table that had won is lost then."""
    open_batch(registry)
    build(registry, "b-revenue")

    if is_rebuild:
        assert _claim(registry, rebuild=True).attempt == 2
        assert _attempts(registry) == [(1, "interrupted"), (2, "in_progress")]
        assert registry.read.instances.get("b-revenue").rows is None
    else:
        with pytest.raises(IllegalTransitionError, match="Instance b-revenue is done and cannot become in_progress"):
            _claim(registry)
        assert _attempts(registry) == [(1, "done")]


@pytest.mark.parametrize(("end", "status"), [("fail", "failed"), ("cancel", "cancelled"), ("activate", "done")])
def test_nothing_is_built_in_a_batch_that_has_ended(registry: Registry, end: str, status: str) -> None:
    open_batch(registry)
    if end == "fail":
        registry.batches.fail("b", owner="me", now=NOW)
    elif end == "cancel":
        registry.batches.cancel("b", now=NOW)
    else:
        registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)

    with pytest.raises(IllegalTransitionError, match=f"Batch b is {status} and cannot become in progress again"):
        _claim(registry)
    assert registry.read.attempts.find() == ()


def test_an_instance_that_is_not_there_cannot_be_claimed(registry: Registry) -> None:
    with pytest.raises(NotRegisteredError, match="no instance `b-tax`"):
        _claim(registry, "b-tax")


def test_attempts_are_found_by_instance_and_by_batch(registry: Registry) -> None:
    open_batch(registry)
    build(registry, "b-units", "b-revenue")
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)
    open_batch(registry, "c")
    _claim(registry, "c-units")

    def ids(**filters: str) -> list[str]:
        return [attempt.instance_id for attempt in registry.read.attempts.find(**filters)]

    assert ids() == ["b-revenue", "b-units", "c-units"]
    assert ids(batch_id="b") == ["b-revenue", "b-units"]
    assert ids(instance_id="b-units") == ["b-units"]
    assert ids(instance_id="b-units", batch_id="c") == []


def test_how_a_table_was_compared_is_kept_with_its_attempt(registry: Registry) -> None:
    open_batch(registry)
    verified = Verified(level="totals", facts_key="k", totals={"rows": "3", "sum": None}, undecided=("`avg`: why",))
    _finish(registry, _claim(registry), verified=verified)
    _finish(registry, _claim(registry, "b-units"))

    assert registry.read.attempts.verification("b-revenue", 1) == verified
    assert registry.read.attempts.verification("b-units", 1) is None
    assert registry.read.attempts.verification("b-units", 9) is None
    assert [attempt.verified for attempt in registry.read.attempts.find()] == [verified, None]


def test_the_totals_of_a_fact_are_those_that_a_build_of_the_batch_has_taken_last(registry: Registry) -> None:
    """Totals that nobody could decide on are no totals."""
    steps = make_steps([make_aggregate(name, name) for name in ("x", "y", "z")])
    registry.models.record_deployments(
        [make_deployment(*(make_aggregate(name, name) for name in ("x", "y", "z")), content="2")], now=NOW
    )
    open_batch(registry, steps=steps)
    for hours, totals in enumerate(({"rows": "3"}, {"rows": "4"}, None)):
        claim = _claim(registry, steps[hours].instance_id)
        verified = Verified(level="totals", facts_key="k", totals=totals)
        end = NOW + hours * HOUR
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1, source="s", now=end, verified=verified)

    assert registry.read.attempts.fact_totals("b", "k") == {"rows": "4"}
    assert registry.read.attempts.fact_totals("b", "another key") is None
    assert registry.read.attempts.fact_totals("another batch", "k") is None


def test_rows_of_facts_are_those_that_serving_tables_were_compared_with(any_registry: Registry) -> None:
    """The newest comparison counts; where members are many to many it counts more, and the least is meant."""
    registry = any_registry
    assert registry.read.attempts.fact_rows(MODEL) == {}
    comparisons = {"revenue": ("k", 4), "units": ("many", 9)}
    for batch, more in (("b", 0), ("c", 1)):
        open_batch(registry, batch, now=NOW + more * HOUR)
        for name, (key, rows) in comparisons.items():
            claim = registry.attempts.claim(f"{batch}-{name}", owner="me", now=NOW)
            verified = Verified(level="totals", facts_key=key, totals={"count_rows(sales)": str(rows + more)})
            now = NOW + more * HOUR
            registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1, source="s", now=now, verified=verified)
        assert registry.read.attempts.fact_rows(MODEL) == ({} if not more else {"sales": 4})
        registry.batches.activate(batch, owner="me", now=NOW, drop_after=NOW)

    assert registry.read.attempts.fact_rows(MODEL) == {"sales": 5}


def test_totals_of_batches_are_those_that_their_attempts_noted(registry: Registry) -> None:
    """An attempt that noted none is not among them."""
    open_batch(registry)
    first, second = registry.read.instances.find(batch_id="b")[:2]
    totals = {"rows": "3"}
    claim = registry.attempts.claim(first.id, owner="me", now=NOW)
    _finish(registry, claim, verified=Verified(level="totals", facts_key="k", totals=totals))
    claim = registry.attempts.claim(second.id, owner="me", now=NOW)
    _finish(registry, claim, verified=Verified(level="totals", facts_key="k", undecided=("why",)))

    assert registry.read.attempts.totals_of_batches(["b", "other"]) == {(first.id, 1): totals}
    assert registry.read.attempts.totals_of_batches([]) == {}
