"""A model has one batch at a time: it is begun, gone on with, answered by another one, or run in one process."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import (
    AggregatesRefusedError,
    AtScaleAggsError,
    BatchDamagedError,
    BatchFailedError,
    BatchHeldError,
    IllegalTransitionError,
    NotRegisteredError,
    UnknownNameError,
)
from airflow_atscale_aggs.engine.lifecycle.build.batch import (
    BatchRequest,
    BegunBatch,
    begin_batch,
    resume_batch,
    run_batch,
)
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.attempts import AttemptWriter
from airflow_atscale_aggs.engine.registry.records import Claim
from tests.support.stars import standing_star
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    NOW,
    OWNER,
    model_id,
    open_batch,
    put_settings,
    run_sql,
    serving,
)

_OTHER = "somebody else"
_TOMORROW = LATER + timedelta(days=1)
"""When the lease of the staged batch is over."""

_REPAIRED = "CREATE TABLE shop AS SELECT 1 AS shop_id, 'North 1' AS shop_name, 'North' AS city"


def _begin(
    workspace: Workspace,
    *,
    owner: str = _OTHER,
    now: datetime = _TOMORROW,
    build_type: BuildType = BuildType.FULL,
    request: BatchRequest | None = None,
) -> BegunBatch:
    return begin_batch(workspace, MODEL, build_type=build_type, owner=owner, now=now, request=request or BatchRequest())


def test_a_new_batch_has_an_instance_of_each_aggregate_and_a_lease(deployed_star: Workspace) -> None:
    put_settings(deployed_star, lease_seconds=90)

    begun = _begin(deployed_star, owner=OWNER, now=NOW)

    assert [(i.step.aggregate, str(i.status)) for i in begun.instances] == [
        ("by_day_and_shop", "new"),
        ("by_city", "new"),
    ]
    assert (begun.is_resumed, begun.is_coalesced, begun.reason) == (False, False, "")
    assert (begun.batch.status, begun.batch.owner) == ("in_progress", OWNER)
    assert begun.batch.lease_until == NOW + timedelta(seconds=90)


def test_a_batch_may_be_of_some_aggregates_only(deployed_star: Workspace) -> None:
    begun = _begin(deployed_star, request=BatchRequest(aggregates=("by_city",)))

    assert [instance.step.aggregate for instance in begun.instances] == ["by_city"]
    assert begun.batch.aggregates == ("by_city",)


@pytest.mark.parametrize(
    ("model", "aggregates", "error", "message"),
    [
        ("tiny_sale", (), NotRegisteredError, "no model `tiny_sale`. Did you mean `tiny_sales`"),
        (MODEL, ("by_town",), UnknownNameError, "no aggregate `by_town`"),
        (MODEL, ("by_cities",), UnknownNameError, "Did you mean `by_city`"),
    ],
)
def test_names_that_mean_nothing_begin_no_batch(
    deployed_star: Workspace, model: str, aggregates: tuple[str, ...], error: type[AtScaleAggsError], message: str
) -> None:
    request = BatchRequest(aggregates=aggregates)

    with pytest.raises(error, match=message):
        begin_batch(deployed_star, model, build_type=BuildType.FULL, owner=OWNER, now=NOW, request=request)

    assert deployed_star.read.batches.find(model_id(deployed_star)) == ()


def test_a_batch_of_which_nothing_can_be_built_is_not_begun(deployed_star: Workspace) -> None:
    run_sql(deployed_star, "DROP TABLE shop")

    with pytest.raises(AggregatesRefusedError, match="none of what was asked for can be built") as caught:
        _begin(deployed_star)

    assert {name for name, _ in caught.value.refused} == {"by_city", "by_day_and_shop"}
    assert all("shop" in reason for _, reason in caught.value.refused)
    assert deployed_star.read.batches.find(model_id(deployed_star)) == ()


@pytest.mark.parametrize("change", ["ALTER TABLE sales DROP quantity", "ALTER TABLE sales RENAME quantity TO number"])
def test_what_cannot_be_built_is_noted_and_does_not_stop_the_others(deployed_star: Workspace, change: str) -> None:
    run_sql(deployed_star, change)

    begun = _begin(deployed_star)

    assert [instance.step.aggregate for instance in begun.instances] == ["by_city"]
    (note,) = begun.batch.notes
    assert note.startswith("by_day_and_shop is not built: ")
    assert "quantity" in note


def test_an_owner_who_asks_again_gets_the_same_batch(staged_star: Workspace) -> None:
    open_before = open_batch(staged_star)

    begun = _begin(staged_star, owner=OWNER, now=LATER + timedelta(seconds=10))

    assert begun.batch.id == open_before.id
    assert begun.is_resumed
    assert begun.reason == f"Batch {open_before.id} of {OWNER} is gone on with: its own run asks for it again."
    assert begun.batch.lease_until == open_before.lease_until + timedelta(seconds=10)


def test_while_another_owner_is_alive_no_batch_is_begun(staged_star: Workspace) -> None:
    message = f"{open_batch(staged_star).id} of model `tiny_sales` is under way: a test holds the lease until 2026-01-0"

    with pytest.raises(BatchHeldError, match=message):
        _begin(staged_star, now=LATER + timedelta(seconds=59))
    with pytest.raises(BatchHeldError, match=message):
        resume_batch(staged_star, open_batch(staged_star).id, owner=_OTHER, now=LATER)


def test_the_batch_of_a_silent_owner_is_gone_on_with_when_a_new_one_would_be_the_same(staged_star: Workspace) -> None:
    before = open_batch(staged_star)

    begun = _begin(staged_star, now=LATER + timedelta(seconds=60))

    assert (begun.batch.id, begun.batch.owner, begun.is_resumed) == (before.id, _OTHER, True)
    assert {str(instance.status) for instance in begun.instances} == {"done"}
    assert begun.reason.endswith("a new one would do the same, of the same facts.")


def test_a_dead_process_of_this_machine_is_silent_before_its_lease_is_over(deployed_star: Workspace) -> None:
    dead = f"{socket.gethostname()}:999999999:1"
    first = _begin(deployed_star, owner=dead, now=NOW)

    assert _begin(deployed_star, now=NOW + timedelta(seconds=1)).batch.id == first.batch.id


@pytest.mark.parametrize(
    ("change", "owner", "request_", "reason"),
    [
        pytest.param(
            "INSERT INTO sales VALUES (1, 1, 1, 1)",
            _OTHER,
            BatchRequest(),
            "`sales` changed since it was begun",
            id="loaded",
        ),
        pytest.param(
            "SELECT 1",
            _OTHER,
            BatchRequest(aggregates=("by_city",)),
            "it builds all aggregates, and `by_city` are asked for",
            id="asked for something else",
        ),
        pytest.param(
            "SELECT 1",
            OWNER,
            BatchRequest(aggregates=("by_city",)),
            "it builds all aggregates, and `by_city` are asked for",
            id="by its own owner",
        ),
        pytest.param(
            "SELECT 1",
            OWNER,
            BatchRequest(requested_at=_TOMORROW, is_new=True),
            "it was begun before this run was asked for",
            id="its owner wants a new one",
        ),
    ],
)
def test_the_batch_of_a_silent_owner_is_closed_when_a_new_one_would_be_another(
    staged_star: Workspace, change: str, owner: str, request_: BatchRequest, reason: str
) -> None:
    before = open_batch(staged_star)
    run_sql(staged_star, change)

    begun = _begin(staged_star, owner=owner, request=request_)

    assert not begun.is_resumed
    assert begun.reason == f"Batch {before.id} of {OWNER} is closed and not gone on with: {reason}."
    assert begun.batch.notes == (begun.reason,)
    assert staged_star.read.batches.get(before.id).status == "cancelled"
    assert open_batch(staged_star).id == begun.batch.id


def test_a_failed_batch_is_opened_again_by_its_own_run_and_closed_by_another(staged_star: Workspace) -> None:
    before = open_batch(staged_star)
    staged_star.registry.batches.fail(before.id, owner=OWNER, now=LATER)

    own = _begin(staged_star, owner=OWNER)
    assert (own.batch.id, own.batch.status, own.is_resumed) == (before.id, "in_progress", True)

    staged_star.registry.batches.fail(before.id, owner=OWNER, now=LATER)
    other = _begin(staged_star)
    assert other.batch.id != before.id
    assert "it had failed, and only --resume, or its own run, goes on with a failed one" in other.reason
    assert staged_star.read.batches.get(before.id).status == "cancelled"


@pytest.mark.parametrize(
    ("minutes", "is_answered"),
    [pytest.param(-1, True, id="begun after the request"), pytest.param(0, False, id="nobody knows"), (1, False)],
)
def test_a_batch_that_was_begun_after_the_request_answers_it(
    built_star: Workspace, minutes: int, *, is_answered: bool
) -> None:
    (last,) = built_star.read.batches.find(model_id(built_star))

    begun = _begin(built_star, request=BatchRequest(requested_at=NOW + timedelta(minutes=minutes)))

    assert begun.is_coalesced is is_answered
    assert (begun.batch.id == last.id) is is_answered
    assert (begun.instances == ()) is is_answered


def test_a_request_without_a_moment_or_of_the_owner_of_a_batch_is_answered_by_a_new_one(built_star: Workspace) -> None:
    """An owner who has a batch and asks for another one knows why."""
    of_owner = _begin(built_star, owner=OWNER, request=BatchRequest(requested_at=NOW - timedelta(days=1)))
    assert not of_owner.is_coalesced

    built_star.registry.batches.cancel(of_owner.batch.id, now=LATER)
    assert not _begin(built_star).is_coalesced


@pytest.mark.parametrize(
    ("signals", "is_only", "is_answered"),
    [
        pytest.param(("a",), True, True, id="answered before"),
        pytest.param(("b", "a"), True, True, id="all of them"),
        pytest.param(("a", "c"), True, False, id="one of them is new"),
        pytest.param(("a",), False, False, id="something else asks as well"),
    ],
)
def test_signals_that_a_batch_has_answered_have_no_second_effect(
    built_star: Workspace, signals: tuple[str, ...], *, is_only: bool, is_answered: bool
) -> None:
    """Also when the batch has failed: it waits for its repair."""
    first = _begin(built_star, request=BatchRequest(signals=("a", "b")))
    built_star.registry.batches.fail(first.batch.id, owner=_OTHER, now=_TOMORROW)

    begun = _begin(built_star, owner="a third one", request=BatchRequest(signals=signals, is_signals_only=is_only))

    assert begun.is_coalesced is is_answered
    assert (begun.batch.id == first.batch.id) is is_answered


@pytest.mark.parametrize(
    ("build_type", "aggregates"),
    [
        pytest.param(BuildType.INCREMENTAL, (), id="a full batch does what an increment does"),
        pytest.param(BuildType.FULL, ("by_city",), id="and one of all aggregates what one of some does"),
    ],
)
def test_a_wider_batch_answers_a_narrower_request(
    built_star: Workspace, build_type: BuildType, aggregates: tuple[str, ...]
) -> None:
    request = BatchRequest(requested_at=NOW - timedelta(days=1), aggregates=aggregates)

    assert _begin(built_star, build_type=build_type, request=request).is_coalesced


def test_a_failed_batch_is_resumed_with_a_fresh_allowance(staged_star: Workspace) -> None:
    batch = open_batch(staged_star)
    city = next(i for i in staged_star.read.instances.find(batch_id=batch.id) if i.step.aggregate == "by_city")
    claim = staged_star.registry.attempts.claim(city.id, owner=OWNER, now=LATER, rebuild=True)
    staged_star.registry.attempts.fail(claim, error="no room", now=LATER)
    failed = staged_star.registry.batches.fail(batch.id, owner=OWNER, now=LATER)
    assert (failed.failures, staged_star.read.instances.get(city.id).failures) == (1, 1)

    resumed = resume_batch(staged_star, batch.id, owner=_OTHER, now=_TOMORROW, lease=timedelta(minutes=5))

    assert (resumed.batch.status, resumed.batch.owner, resumed.is_resumed) == ("in_progress", _OTHER, True)
    assert resumed.batch.lease_until == _TOMORROW + timedelta(minutes=5)
    assert (resumed.batch.failures, {instance.failures for instance in resumed.instances}) == (0, {0})


def test_a_batch_that_is_over_is_not_resumed(built_star: Workspace) -> None:
    (batch,) = built_star.read.batches.find(model_id(built_star))

    with pytest.raises(IllegalTransitionError, match="is done and cannot become in_progress"):
        resume_batch(built_star, batch.id, owner=OWNER, now=LATER)


def test_a_batch_whose_tables_somebody_has_changed_is_not_resumed(staged_star: Workspace) -> None:
    batch = open_batch(staged_star)
    (city,) = [i for i in staged_star.read.instances.find(batch_id=batch.id) if i.step.aggregate == "by_city"]
    run_sql(staged_star, f'DELETE FROM aggs."{city.table}"')

    with pytest.raises(BatchDamagedError, match="`by_city`, which it has built, had 4 rows and has 0 now"):
        resume_batch(staged_star, batch.id, owner=_OTHER, now=_TOMORROW)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_whole_batch_runs_in_one_process(deployed_star: Workspace, jobs: int) -> None:
    events: list[BuildEvent] = []

    report = run_batch(deployed_star, MODEL, jobs=jobs, owner=OWNER, on_event=events.append)

    assert report.batch.status == "done"
    # However many are built at once, a derived aggregate waits for its source.
    done = [(event.aggregate, event.source) for event in events if event.kind == "done"]
    assert done == [("by_day_and_shop", "sales"), ("by_city", "by_day_and_shop")]
    assert (events[0].kind, events[0].total, events[-1].kind) == ("batch", 2, "activated")
    assert serving(deployed_star, "by_city").rows == 4


def test_each_next_aggregate_is_claimed_with_the_end_of_the_one_before(
    deployed_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So only the first one is claimed by itself, where statements are sent one at a time."""
    deployed_star.warehouse.dialect = replace(deployed_star.warehouse.dialect, statements_at_once=1)
    claimed: list[str] = []
    claim = AttemptWriter.claim

    def watched(writer: AttemptWriter, instance_id: str, **others: Any) -> Claim:
        claimed.append(instance_id)
        return claim(writer, instance_id, **others)

    monkeypatch.setattr(AttemptWriter, "claim", watched)

    report = run_batch(deployed_star, MODEL, jobs=1, owner=OWNER)

    assert claimed == [report.instances[0].id]
    assert [instance.attempt for instance in report.instances] == [1, 1]


def test_a_table_is_made_while_another_one_is_compared(waiting_star: Workspace) -> None:
    events: list[BuildEvent] = []
    is_next_made, status_then = threading.Event(), []

    def wait_for_the_next(event: BuildEvent) -> None:
        events.append(event)
        if event.kind == "sql" and event.position == 1:
            (first,) = [i for i in waiting_star.read.instances.find() if i.step.position == 0]
            status_then.append(first.status)
            is_next_made.set()
        if event.kind == "verified" and event.position == 0:
            assert is_next_made.wait(20)

    report = run_batch(waiting_star, MODEL, jobs=1, owner=OWNER, on_event=wait_for_the_next)

    assert {(i.step.aggregate, i.source, str(i.status)) for i in report.instances} == {
        ("by_day_and_shop", "sales", "active"),
        ("by_city", "sales", "active"),
    }
    assert status_then == ["in_progress"]
    verified = [waiting_star.read.attempts.verification(i.id, i.attempt) for i in report.instances]
    assert [one is not None and one.totals is not None and one.undecided for one in verified] == [(), ()]


def test_what_is_not_compared_yet_is_no_source(waiting_star: Workspace) -> None:
    put_settings(waiting_star, build_from_existing=True)
    order: list[tuple[str, str, str]] = []

    run_batch(
        waiting_star,
        MODEL,
        jobs=1,
        owner=OWNER,
        on_event=lambda event: order.append((event.kind, event.aggregate, event.source)),
    )

    assert order.index(("done", "by_day_and_shop", "sales")) < order.index(("start", "by_city", ""))
    assert ("done", "by_city", "by_day_and_shop") in order


def test_no_more_tables_are_made_at_once_than_jobs_say(waiting_star: Workspace) -> None:
    """Workers that may compare make no tables beside those that do."""
    making: set[str] = set()
    most = []

    def count(event: BuildEvent) -> None:
        if event.kind == "start":
            making.add(event.aggregate)
            most.append(len(making))
        if event.kind in {"verified", "failed"}:
            making.discard(event.aggregate)

    put_settings(waiting_star, verify="off")
    run_batch(waiting_star, MODEL, jobs=1, owner=OWNER, on_event=lambda event: count(_done_as_verified(event)))

    assert most == [1, 1]


def _done_as_verified(event: BuildEvent) -> BuildEvent:
    """Without a comparison, a table is made when its attempt is over."""
    return replace(event, kind="verified") if event.kind == "done" else event


def test_a_wrong_table_is_found_while_the_next_one_is_made(waiting_star: Workspace) -> None:
    """A shop gets a second row after its key was proven: both tables count its sales twice."""
    put_settings(waiting_star, max_attempts_per_aggregate=1)

    def double_shop(event: BuildEvent) -> None:
        if event.kind == "batch":
            run_sql(waiting_star, "INSERT INTO shop SELECT * FROM shop WHERE shop_id = 1")

    with pytest.raises(BatchFailedError, match="2 failed") as caught:
        run_batch(waiting_star, MODEL, jobs=1, owner=OWNER, on_event=double_shop)

    instances = waiting_star.read.instances.find(batch_id=caught.value.batch_id)
    assert {str(instance.status) for instance in instances} == {"failed"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_fails_for_a_while_is_tried_again_after_the_others(tmp_path: Path, jobs: int) -> None:
    """The facts of the first attempts are a file that is away."""
    file, away = tmp_path / "sales.parquet", tmp_path / "away"
    events: list[BuildEvent] = []

    def bring_back(event: BuildEvent) -> None:
        events.append(event)
        if event.kind == "batch":
            file.rename(away)
        if event.kind == "failed" and away.exists():
            away.rename(file)

    with standing_star.open_standing(tmp_path / "star", standing_star.deploy_model) as workspace:
        view = f"CREATE VIEW sales AS SELECT * FROM read_parquet('{file}')"
        run_sql(workspace, f"COPY sales TO '{file}'", "DROP TABLE sales", view)
        run_batch(workspace, MODEL, jobs=jobs, owner=OWNER, on_event=bring_back)

        assert serving(workspace, "by_city").rows == 4
    tries = [(event.kind, event.aggregate, event.attempt) for event in events if event.kind in {"done", "failed"}]
    assert tries[0] == ("failed", "by_day_and_shop", 1)
    assert ("done", "by_day_and_shop", 2) in tries


def test_a_batch_that_failed_is_repaired_and_resumed(deployed_star: Workspace) -> None:
    events: list[BuildEvent] = []

    def lose_shops(event: BuildEvent) -> None:
        if event.kind == "batch":
            run_sql(deployed_star, "DROP TABLE shop")

    with pytest.raises(BatchFailedError, match=r"2 failed \(by_day_and_shop, by_city\)") as caught:
        run_batch(deployed_star, MODEL, owner=OWNER, on_event=lose_shops)
    run_sql(deployed_star, _REPAIRED)

    report = run_batch(deployed_star, MODEL, owner=_OTHER, resume=caught.value.batch_id, on_event=events.append)

    assert (report.batch.id, report.batch.status) == (caught.value.batch_id, "done")
    assert events[0].text == f"Resumed batch {report.batch.id}."
    assert {instance.attempt for instance in report.instances} == {2}
