"""Every event of an attempt tells of which aggregate, which attempt and which place in the batch it is."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent, EventSender
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.standing_star import serving


def test_events_repeat_what_the_step_says(built_star: Workspace) -> None:
    step, events = serving(built_star, "by_city").step, list[BuildEvent]()
    tell = EventSender(step, 3, 2, events.append)

    tell("start")
    tell("done", rows=4, seconds=0.5, source="sales")
    tell("failed", text="no room")

    of_all = BuildEvent(kind="start", aggregate="by_city", instance_id=step.instance_id, position=1, total=2, attempt=3)
    assert events == [
        of_all,
        replace(of_all, kind="done", rows=4, seconds=0.5, source="sales"),
        replace(of_all, kind="failed", text="no room"),
    ]
