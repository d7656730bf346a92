"""How far a batch is and when it will end, from how long its steps usually take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus as Status
from airflow_atscale_aggs.plugins.api.batch_progress import StepProgress, built_share, progress_of

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
_DONE, _NEW = Status.DONE, Status.NEW


def _in(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _building(usual: float | None, since: float) -> StepProgress:
    return StepProgress(Status.IN_PROGRESS, usual, NOON - timedelta(seconds=since))


@pytest.mark.parametrize(
    ("steps", "elapsed", "usual", "share", "left"),
    [
        # At the pace of the batch itself: 10 of 40 took 20 seconds.
        ([StepProgress(_DONE, 10), StepProgress(_NEW, 30)], 20, None, 0.25, 60),
        # Nothing is done yet: at the usual pace, in which 40 seconds of builds take 80.
        ([StepProgress(_NEW, 10), StepProgress(_NEW, 30)], 5, 80, 0.0, 80),
        ([StepProgress(_NEW, 10), StepProgress(_NEW, 30)], 5, None, 0.0, 40),
        # Nothing is known of anything, until something is done.
        ([StepProgress(_NEW), StepProgress(_NEW)], 5, None, 0.0, None),
        ([StepProgress(_DONE), StepProgress(_NEW), StepProgress(_NEW)], 5, None, 1 / 3, 10),
        # What was never built weighs as much as the others.
        ([StepProgress(_DONE, 10), StepProgress(_NEW)], 10, None, 0.5, 10),
        # A step that takes longer than usual is never taken to be over.
        ([StepProgress(_DONE, 10), _building(10, 500)], 19.5, None, 0.975, 0.5),
        ([StepProgress(_DONE, 10), _building(10, 5)], 15, None, 0.75, 5),
        # What has failed is over as well.
        ([StepProgress(Status.FAILED, 10), StepProgress(_NEW, 10)], 10, None, 0.5, 10),
        ([StepProgress(_DONE, 10), StepProgress(_DONE, 10)], 30, 20, 1.0, 0),
        # It was interrupted for a day: at most ten times the usual pace.
        ([StepProgress(_DONE, 10), StepProgress(_NEW, 10)], 86_400, 20, 0.5, 100),
        ([], 5, None, 0.0, None),
        ([], 5, 10, 0.0, 0),
    ],
)
def test_the_rest_takes_as_long_as_what_is_done_lets_expect(
    steps: list[StepProgress], elapsed: float, usual: float | None, share: float, left: float | None
) -> None:
    progress = progress_of(steps, began_at=_in(-elapsed), now=NOON, usual_seconds=usual)

    assert progress.share == pytest.approx(share)
    assert progress.ends_at == (None if left is None else _in(left))


@pytest.mark.parametrize(
    ("statuses", "share"),
    [
        ([_DONE, Status.FAILED, _NEW, Status.CANCELLED], 0.25),
        ([Status.ACTIVE, Status.SUPERSEDED, Status.DELETED], 1.0),
        ([Status.IN_PROGRESS], 0.0),
        ([], 0.0),
    ],
)
def test_of_a_batch_that_is_over_the_built_steps_count(statuses: list[Status], share: float) -> None:
    assert built_share(statuses) == share
