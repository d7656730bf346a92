"""Why batches begin: requests that another batch answers, signals that come twice, subsets for a repair."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.errors import AtScaleAggsError, BatchHeldError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch, cancel_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, BegunBatch, begin_batch, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.planning.requests import signal_of_request
from tests.support.stars import tiny_star

_MODEL = "tiny_sales"
_T0 = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)


def _at(minutes: float) -> datetime:
    return _T0 + timedelta(minutes=minutes)


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A tiny star with its model deployed."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    deploy(empty_workspace, tiny_star.write_model(tmp_path / "model"), now=_at(0))
    return empty_workspace


def _begin(
    workspace: Workspace, owner: str, now: datetime, request: BatchRequest, build_type: BuildType = BuildType.FULL
) -> BegunBatch:
    lease = timedelta(hours=1)
    return begin_batch(workspace, _MODEL, build_type=build_type, owner=owner, now=now, lease=lease, request=request)


def _finish(workspace: Workspace, begun: BegunBatch, owner: str, now: datetime) -> None:
    for instance in begun.instances:
        build_instance(workspace, instance.id, owner=owner, lease=timedelta(hours=1))
    activate_batch(workspace, begun.batch.id, owner=owner, now=now)


def test_requests_while_a_batch_runs_become_one_further_batch(workspace: Workspace) -> None:
    """One runs; four are asked for meanwhile: the first of them begins a batch, which answers the other three."""
    first = _begin(workspace, "run 1", _at(0), BatchRequest(requested_at=_at(0)))
    with pytest.raises(BatchHeldError):
        _begin(workspace, "run 2", _at(2), BatchRequest(requested_at=_at(1)))
    _finish(workspace, first, "run 1", _at(5))

    second = _begin(workspace, "run 2", _at(6), BatchRequest(requested_at=_at(1)))
    assert not second.is_coalesced
    _finish(workspace, second, "run 2", _at(7))
    others = [_begin(workspace, f"run {n}", _at(8), BatchRequest(requested_at=_at(n))) for n in (3, 4, 5)]

    assert [(begun.is_coalesced, begun.batch.id, begun.instances) for begun in others] == [
        (True, second.batch.id, ())
    ] * 3
    assert not _begin(workspace, "run 6", _at(9), BatchRequest(requested_at=_at(8))).is_coalesced


def test_a_clock_that_is_a_little_ahead_loses_nothing(workspace: Workspace) -> None:
    """A batch that began less than a second after the request may have begun before it."""
    _finish(workspace, _begin(workspace, "a", _at(1), BatchRequest()), "a", _at(2))

    assert not _begin(workspace, "b", _at(3), BatchRequest(requested_at=_at(1) - timedelta(seconds=0.9))).is_coalesced


def test_a_failed_batch_answers_and_stays_open_for_its_repair(workspace: Workspace) -> None:
    """Otherwise each queued run would close the batch that a person is about to repair."""
    first = _begin(workspace, "a", _at(1), BatchRequest())
    workspace.registry.batches.fail(first.batch.id, owner="a", now=_at(2))

    answer = _begin(workspace, "b", _at(3), BatchRequest(requested_at=_at(0)))

    assert (answer.is_coalesced, answer.batch.id) == (True, first.batch.id)
    assert workspace.read.batches.get(first.batch.id).status is BatchStatus.FAILED


def test_a_narrower_or_shallower_batch_answers_nothing(workspace: Workspace) -> None:
    """A subset does not answer for all, an incremental batch does not for a full one; the other way round they do."""
    subset = BatchRequest(aggregates=("by_month",), requested_at=_at(0))
    whole = BatchRequest(requested_at=_at(0))
    _finish(workspace, _begin(workspace, "a", _at(1), subset), "a", _at(2))
    second = _begin(workspace, "b", _at(3), whole, BuildType.INCREMENTAL)
    assert not second.is_coalesced
    _finish(workspace, second, "b", _at(4))
    third = _begin(workspace, "c", _at(5), whole)
    assert not third.is_coalesced
    _finish(workspace, third, "c", _at(6))

    assert _begin(workspace, "d", _at(7), subset).batch.id == third.batch.id
    assert _begin(workspace, "e", _at(7), whole, BuildType.INCREMENTAL).batch.id == third.batch.id


def test_an_increment_with_a_grace_period_of_its_own_is_answered_by_full_batches_only(workspace: Workspace) -> None:
    """Another increment may not have read as far back."""
    _make_incremental(workspace, is_on=True)
    request = BatchRequest(requested_at=_at(0), grace_periods={"sales": "9d"})
    _finish(workspace, _begin(workspace, "a", _at(1), BatchRequest(), BuildType.INCREMENTAL), "a", _at(2))
    own = _begin(workspace, "b", _at(3), request, BuildType.INCREMENTAL)
    assert not own.is_coalesced
    _finish(workspace, own, "b", _at(4))
    full = _begin(workspace, "c", _at(5), BatchRequest())
    _finish(workspace, full, "c", _at(6))

    assert _begin(workspace, "d", _at(7), request, BuildType.INCREMENTAL).batch.id == full.batch.id


def test_the_same_run_again_gets_its_own_batch(workspace: Workspace) -> None:
    """A plan is tried again; a whole run that is cleared after it ended well begins anew."""
    request = BatchRequest(requested_at=_at(0), signals=("s1",))
    first = _begin(workspace, "a", _at(1), request)
    again = _begin(workspace, "a", _at(2), request)
    assert (again.is_resumed, again.batch.id) == (True, first.batch.id)
    _finish(workspace, again, "a", _at(3))
    cleared = _begin(workspace, "a", _at(4), request)

    assert not cleared.is_coalesced
    assert cleared.batch.id != first.batch.id


def test_a_signal_has_one_effect(workspace: Workspace) -> None:
    """It may come twice, with any others, or after a newer batch closed its own; a cancelled batch does not count."""
    many = tuple(f"s3://bucket/{'long/' * 50}{number}" for number in range(1200))
    first = _begin(workspace, "a", _at(1), BatchRequest(signals=many))
    workspace.registry.batches.fail(first.batch.id, owner="a", now=_at(2))
    second = _begin(workspace, "b", _at(3), BatchRequest(signals=("other", many[0])))
    assert not second.is_coalesced, "one of them is new"
    _finish(workspace, second, "b", _at(4))

    assert _begin(workspace, "c", _at(5), BatchRequest(signals=many)).batch.id == second.batch.id
    assert _begin(workspace, "c", _at(5), BatchRequest(signals=("other",))).is_coalesced
    third = _begin(workspace, "d", _at(6), BatchRequest(signals=("third",)))
    cancel_batch(workspace, third.batch.id, now=_at(7))
    assert not _begin(workspace, "e", _at(8), BatchRequest(signals=("third",))).is_coalesced


def test_a_request_is_remembered_with_the_batch_that_answers_it(workspace: Workspace) -> None:
    """Whoever asked finds it by the request, whether it began the batch or another one answered it."""
    mine, other = signal_of_request("mine"), signal_of_request("another's")
    first = _begin(workspace, "a", _at(1), BatchRequest(requested_at=_at(0), signals=(mine,)))
    _finish(workspace, first, "a", _at(2))
    second = _begin(workspace, "b", _at(3), BatchRequest(requested_at=_at(0), signals=(other,)))

    model_ids = [workspace.read.models.get(_MODEL).id]
    answering = [workspace.read.batches.of_signal(model_ids, signal) for signal in (mine, other)]
    assert second.is_coalesced
    assert [batch.id for batch in answering if batch] == [first.batch.id, first.batch.id]
    assert workspace.read.batches.of_signal(model_ids, signal_of_request("nobody's")) is None


def test_a_request_that_was_answered_asks_anew_when_its_run_is_cleared(workspace: Workspace) -> None:
    """As any other run of a person: a completion signal that comes twice has one effect, a person's wish has two."""
    _finish(workspace, _begin(workspace, "a", _at(1), BatchRequest()), "a", _at(2))
    asked = BatchRequest(requested_at=_at(0), signals=(signal_of_request("x"),))
    assert _begin(workspace, "b", _at(3), asked).is_coalesced

    cleared = _begin(workspace, "b", _at(5), replace(asked, requested_at=_at(4)))

    assert not cleared.is_coalesced
    found = workspace.read.batches.of_signal([workspace.read.models.get(_MODEL).id], asked.signals[0])
    assert found is not None
    assert found.id == cleared.batch.id


def test_a_signal_whose_run_was_answered_has_no_second_effect(workspace: Workspace) -> None:
    """The batch that answered the run answers the signal, too."""
    first = _begin(workspace, "a", _at(1), BatchRequest())
    _finish(workspace, first, "a", _at(2))
    _begin(workspace, "b", _at(3), BatchRequest(requested_at=_at(0), signals=("loaded",)))

    again = _begin(workspace, "c", _at(5), BatchRequest(requested_at=_at(4), signals=("loaded",)))

    assert (again.is_coalesced, again.batch.id) == (True, first.batch.id)


def test_a_subset_builds_and_replaces_only_what_is_named(workspace: Workspace) -> None:
    """The others serve on; a name that is not defined is refused with near ones."""
    run_batch(workspace, _MODEL, owner="a")
    model_id = workspace.read.models.get(_MODEL).id
    before = {instance.step.aggregate: instance.table for instance in workspace.read.instances.serving(model_id)}

    report = run_batch(workspace, _MODEL, owner="a", request=BatchRequest(aggregates=("by_city",)))

    after = {instance.step.aggregate: instance.table for instance in workspace.read.instances.serving(model_id)}
    assert report.batch.aggregates == ("by_city",)
    assert {name for name in before if before[name] != after[name]} == {"by_city"}
    with pytest.raises(UnknownNameError, match="Did you mean `by_city`"):
        run_batch(workspace, _MODEL, owner="a", request=BatchRequest(aggregates=("by_citi",)))


def test_what_a_person_gives_up_counts_as_no_failure(workspace: Workspace) -> None:
    """The batch activates without it, its old instance serves on, and the registry says so."""
    run_batch(workspace, _MODEL, owner="a")
    model_id = workspace.read.models.get(_MODEL).id
    before = {instance.step.aggregate: instance.table for instance in workspace.read.instances.serving(model_id)}
    begun = _begin(workspace, "b", _at(9e6), BatchRequest())
    by_city = next(instance for instance in begun.instances if instance.step.aggregate == "by_city")
    for instance in begun.instances:
        if instance.id != by_city.id:
            build_instance(workspace, instance.id, owner="b", lease=timedelta(hours=1))

    report = activate_batch(workspace, begun.batch.id, owner="b", now=_at(9e6), given_up={by_city.id})

    after = {instance.step.aggregate: instance.table for instance in workspace.read.instances.serving(model_id)}
    assert report.batch.status is BatchStatus.DONE
    assert {name for name in before if before[name] == after[name]} == {"by_city"}
    assert workspace.read.instances.get(by_city.id).status == "failed"
    assert str(workspace.read.instances.get(by_city.id).error).startswith("given up by a person")


@pytest.mark.postgres
def test_a_switch_of_views_gives_way_to_readers(postgres_url: str, tmp_path: Path) -> None:
    """A reader that holds one view and then asks for another neither dies of a deadlock nor waits behind the switch."""
    with open_workspace(registry=postgres_url, warehouse=postgres_url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=_at(0))
        run_batch(workspace, _MODEL, owner="a")
        begun = _begin(workspace, "b", _at(9e6), BatchRequest())
        for instance in begun.instances:
            build_instance(workspace, instance.id, owner="b", lease=timedelta(hours=1))
        views = sorted(instance.step.view for instance in begun.instances)
        switch = threading.Thread(
            target=activate_batch, args=(workspace, begun.batch.id), kwargs={"owner": "b", "now": _at(9e6)}
        )
        with psycopg.connect(postgres_url.replace("+psycopg", "", 1)) as reader:
            for number, view in enumerate(reversed(views)):
                reader.execute(f'SELECT COUNT(*) FROM aggs."{view}"')
                if number == 0:
                    switch.start()
                    time.sleep(1.5)
        switch.join(timeout=30)

        assert not switch.is_alive()
        assert not workspace.read.batches.get(begun.batch.id).views_pending


@pytest.mark.parametrize(
    ("overrides", "is_on", "expected"),
    [
        ({"sales": "2d"}, False, "switched off"),
        ({"salez": "2d"}, True, "Did you mean `sales`"),
        ({"shop": "2d"}, True, "no incremental indicator"),
        ({"sales": "two days"}, True, "not of the form"),
    ],
)
def test_grace_periods_that_cannot_be_meant_are_refused(
    workspace: Workspace, overrides: dict[str, str], is_on: bool, expected: str
) -> None:
    """They are refused before a batch is begun; both settings must allow them."""
    _make_incremental(workspace, is_on=is_on)

    with pytest.raises(AtScaleAggsError, match=expected):
        _begin(workspace, "a", _at(1), BatchRequest(grace_periods=overrides))

    assert workspace.read.batches.find() == ()


def test_a_grace_period_is_noted_with_the_batch(workspace: Workspace) -> None:
    """The note also says that it changes nothing as long as the batch is built in full."""
    _make_incremental(workspace, is_on=True)

    begun = _begin(workspace, "a", _at(1), BatchRequest(grace_periods={"sales": "2d"}))

    assert any("sales: 2d instead of 7d; without effect" in note for note in begun.batch.notes)


def _make_incremental(workspace: Workspace, *, is_on: bool) -> None:
    model = workspace.read.models.get(_MODEL)
    for key in ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled"):
        workspace.registry.settings.put(model.id, key, str(is_on))
    with tempfile.TemporaryDirectory() as folder:
        written = tiny_star.write_model(Path(folder))
        file = next(path for path in written.rglob("*.yml") if "unique_name: sales\n" in path.read_text())
        file.write_text(file.read_text() + "incremental: {column: day_id, grace_period: 7d}\n")
        deploy(workspace, written, now=_at(0))
