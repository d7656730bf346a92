"""Totals of facts are taken once for each fact, in the order of the batch, and whoever needs them waits."""

from __future__ import annotations

import threading

import pytest

from airflow_atscale_aggs.engine.aggregates.verification import Totals
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.compare import UndecidedError, facts_key
from airflow_atscale_aggs.engine.lifecycle.build.totals_ahead import TotalsAhead, no_totals
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from tests.support.stars.standing_star import open_batch

_SEEN: Totals = {"sales.row_count": "60"}


@pytest.fixture
def instances(staged_star: Workspace) -> tuple[InstanceRecord, ...]:
    """One that is made from the facts, and one that can be derived from it."""
    return staged_star.read.instances.find(batch_id=open_batch(staged_star).id)


@pytest.fixture
def key(instances: tuple[InstanceRecord, ...]) -> str:
    (verification,) = [i.step.verification for i in instances if len(i.step.sources) == 1]
    assert verification is not None
    return facts_key(verification)


def test_totals_of_a_fact_are_taken_once_for_what_is_made_from_it(
    instances: tuple[InstanceRecord, ...], key: str
) -> None:
    asked: list[str] = []

    def take(instance: InstanceRecord) -> Totals:
        asked.append(instance.step.aggregate)
        return _SEEN

    ahead = TotalsAhead([*instances, *instances], take)
    ahead.take_all()

    assert asked == ["by_day_and_shop"]
    assert (ahead.find(key), ahead.find("of another fact"), no_totals(key)) == (_SEEN, None, None)


def test_who_needs_totals_waits_for_them(instances: tuple[InstanceRecord, ...], key: str) -> None:
    may_answer = threading.Event()

    def take(_: InstanceRecord) -> Totals:
        assert may_answer.wait(20)
        return _SEEN

    ahead = TotalsAhead(instances, take)
    thread = threading.Thread(target=ahead.take_all)
    thread.start()
    threading.Timer(0.05, may_answer.set).start()

    assert ahead.find(key) == _SEEN
    thread.join()


@pytest.mark.parametrize("error", [PermanentWarehouseError("duckdb", "SELECT 1", "out of range"), UndecidedError("no")])
def test_totals_that_the_warehouse_does_not_tell_stay_unknown(
    instances: tuple[InstanceRecord, ...], key: str, error: Exception
) -> None:
    def take(_: InstanceRecord) -> Totals:
        raise error

    ahead = TotalsAhead(instances, take)
    ahead.take_all()

    assert ahead.find(key) is None


def test_nobody_waits_for_totals_that_nobody_takes(instances: tuple[InstanceRecord, ...], key: str) -> None:
    def take(_: InstanceRecord) -> Totals:
        raise ZeroDivisionError

    closed, broken = TotalsAhead(instances, take), TotalsAhead(instances, take)
    closed.close()
    closed.take_all()
    with pytest.raises(ZeroDivisionError):
        broken.take_all()

    assert (closed.find(key), broken.find(key)) == (None, None)
