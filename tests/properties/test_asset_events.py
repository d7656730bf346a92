"""Whatever the order of events, runs and batches: each event is followed by a batch that was begun after it.

Airflow is imitated as its scheduler works (3.3.2): the first event of an asset queues the DAG, later ones queue nothing
while it is queued; a run is made when none is active, its ``run_after`` is the time of the first event, and it is told
of the events until then only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.assets.run_events import moment_of_request
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.planning.requests import CLOCK_SKEW, Asked, covers, is_begun_after

_T0 = datetime(2026, 1, 1, tzinfo=UTC)
_ASKED = Asked(build_type=BuildType.FULL)
_ACTIONS = ("event", "event", "trigger", "schedule", "plan", "restart plan", "end", "end")


@dataclass
class _Run:
    run_type: str
    run_after: datetime
    events: tuple[datetime, ...] = ()
    began_at: datetime | None = None
    batch: datetime | None = None


@dataclass
class _Scheduler:
    """One DAG with ``max_active_runs=1``, whose runs plan, build and end."""

    now: datetime = _T0
    events: list[datetime] = field(default_factory=list)
    queued_at: datetime | None = None
    triggered: list[_Run] = field(default_factory=list)
    active: _Run | None = None
    ended: list[_Run] = field(default_factory=list)
    batches: list[datetime] = field(default_factory=list)
    requests: list[datetime] = field(default_factory=list)

    def do(self, action: str, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        getattr(self, action.replace(" ", "_"))()

    def event(self) -> None:
        self.events.append(self.now)
        self.queued_at = self.queued_at or self.now

    def trigger(self) -> None:
        self.requests.append(self.now)
        self.triggered.append(_Run("manual", self.now))

    def schedule(self) -> None:
        if self.active is not None:
            return
        if self.queued_at is not None:
            since = max((run.run_after for run in self.ended if run.run_type == "asset_triggered"), default=_T0)
            event_times = tuple(at for at in self.events if since < at <= self.queued_at)
            self.active, self.queued_at = _Run("asset_triggered", self.queued_at, event_times), None
        elif self.triggered:
            self.active = self.triggered.pop(0)

    def plan(self) -> None:
        run = self.active
        if run is None or run.batch is not None:
            return
        run.began_at = run.began_at or self.now
        asked_at = moment_of_request(
            run_type=run.run_type, run_after=run.run_after, began_at=run.began_at, events=run.events
        )
        run.batch = next(
            (begun for begun in self.batches if is_begun_after(begun, asked_at) and covers(_ASKED, _ASKED)), None
        )
        if run.batch is None:
            run.batch = self.now
            self.batches.append(self.now)

    def restart_plan(self) -> None:
        """Its process died before anything was recorded."""
        if self.active is not None and self.active.batch is None:
            self.active.began_at = None

    def end(self) -> None:
        if self.active is not None and self.active.batch is not None:
            self.ended.append(self.active)
            self.active = None

    def settle(self) -> None:
        while self.active is not None or self.queued_at is not None or self.triggered:
            for action in ("schedule", "plan", "end"):
                self.do(action, 2)


@given(st.lists(st.tuples(st.sampled_from(_ACTIONS), st.sampled_from((0.001, 0.4, 1.5, 60))), max_size=60))
def test_each_event_and_request_is_followed_by_a_batch_that_was_begun_after_it(steps: list[tuple[str, float]]) -> None:
    """There are no more batches than runs, and no runs without an event or a request."""
    scheduler = _Scheduler()
    for action, seconds in steps:
        scheduler.do(action, seconds)
    scheduler.settle()

    for asked_at in (*scheduler.events, *scheduler.requests):
        assert any(begun >= asked_at for begun in scheduler.batches)
    assert len(scheduler.batches) <= len(scheduler.ended) <= len(scheduler.events) + len(scheduler.requests)


@given(st.integers(2, 50))
def test_a_burst_makes_two_batches(size: int) -> None:
    """One is of the first event, and one of all that came while it ran; queued requests of people share one, too."""
    scheduler = _Scheduler()
    scheduler.do("event", 1)
    scheduler.do("schedule", 1)
    scheduler.do("plan", 1)
    for _ in range(size):
        scheduler.do("event", 0.1)
        scheduler.do("trigger", 0.1)
    scheduler.do("end", CLOCK_SKEW.total_seconds())
    scheduler.settle()

    assert len(scheduler.batches) == 2
