"""Totals of facts are taken once for each fact, in the order of the batch, and whoever needs them waits."""

from __future__ import annotations

import threading

import pytest

from airflow_atscale_aggs.engine.aggregates.verification import Totals
from airflow_atscale_aggs.engine.errors import BatchFailedError, PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.attempt import take_fact_totals
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.compare import UndecidedError, facts_key
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.known_batch import KnownBatch
from airflow_atscale_aggs.engine.lifecycle.build.totals_ahead import TotalsAhead, no_totals
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars.standing_star import MODEL, OWNER, open_batch, put_settings, run_sql

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


def test_totals_of_a_fact_are_taken_once_also_for_a_table_that_is_made_beside_a_comparison(
    waiting_star: Workspace,
) -> None:
    sent: list[str] = []
    fetch_all, execute = DbApiSession.fetch_all, DbApiSession.execute

    def noted_query(session: DbApiSession, sql: str) -> list[Row]:
        sent.append(sql)
        return fetch_all(session, sql)

    def noted(session: DbApiSession, sql: str) -> int | None:
        sent.append(sql)
        return execute(session, sql)

    is_next_made = threading.Event()

    def wait_for_the_next(event: BuildEvent) -> None:
        if event.kind == "sql" and event.position == 1:
            is_next_made.set()
        if event.kind == "verified" and event.position == 0:
            assert is_next_made.wait(20)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbApiSession, "fetch_all", noted_query)
        patch.setattr(DbApiSession, "execute", noted)
        report = run_batch(waiting_star, MODEL, jobs=1, owner=OWNER, on_event=wait_for_the_next)

    (facts_sql,) = {i.step.verification.facts.sql for i in report.instances if i.step.verification}
    steps = [sql for sql in sent if sql == facts_sql or ("as_agg_" in sql and sql.startswith("CREATE TABLE"))]
    assert [sql.partition(" ")[0] for sql in steps] == ["SELECT", "CREATE", "CREATE"]


def test_where_there_are_snapshots_a_table_is_made_before_the_totals_of_its_fact_are_there(
    deployed_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB. Its comparison waits for them, whenever they are taken, while the next table is made."""
    put_settings(deployed_star, build_from_existing=False)
    is_next_begun, waited = threading.Event(), list[bool]()
    events: list[tuple[str, int]] = []

    def take_late(workspace: Workspace, known: KnownBatch, instance: InstanceRecord) -> Totals:
        waited.append(is_next_begun.wait(20))
        return take_fact_totals(workspace, known, instance)

    def note(event: BuildEvent) -> None:
        events.append((event.kind, event.position))
        if events[-1] == ("sql", 1):
            is_next_begun.set()

    monkeypatch.setattr("airflow_atscale_aggs.engine.lifecycle.build.batch.take_fact_totals", take_late)
    report = run_batch(deployed_star, MODEL, jobs=1, owner=OWNER, on_event=note)

    assert waited == [True]
    assert events.index(("sql", 1)) < events.index(("verified", 0))
    assert {str(instance.status) for instance in report.instances} == {"active"}


def test_a_wrong_table_is_told_from_facts_that_change_after_their_totals_were_taken_ahead(
    waiting_star: Workspace,
) -> None:
    """The table is made anew, after totals of its own: nothing has changed since these."""
    put_settings(waiting_star, max_attempts_per_aggregate=1)
    events: list[BuildEvent] = []

    def sell_and_double_shop(event: BuildEvent) -> None:
        events.append(event)
        if [(seen.kind, seen.position) for seen in events].count(("sql", 1)) == 1 and event.kind == "sql":
            run_sql(
                waiting_star,
                "INSERT INTO sales SELECT * FROM sales LIMIT 1",
                "INSERT INTO shop SELECT * FROM shop WHERE shop_id = 1",
            )

    with pytest.raises(BatchFailedError, match=r"1 failed \(by_day_and_shop\)"):
        run_batch(waiting_star, MODEL, jobs=1, owner=OWNER, on_event=sell_and_double_shop)

    of_second = [event for event in events if event.position == 1 and event.aggregate]
    assert [event.kind for event in of_second] == ["start", "source", "sql", "undecided", "sql", "failed"]
    assert "should be 61 but is" in of_second[-1].text
