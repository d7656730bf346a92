"""Events of a batch build, for listeners such as a progress bar or a task log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

EventKind = Literal[
    "batch", "start", "source", "sql", "segment", "verified", "undecided", "done", "failed", "activated"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEvent:
    """One thing that happened.

    Attributes:
        kind: ``batch`` begun or resumed, ``start`` of an attempt, ``source`` chosen, ``sql`` sent, ``segment`` made,
            ``verified`` against the facts, ``undecided`` whether the facts agree, ``done``, ``failed``, ``activated``.
        position, total: place of the aggregate in the batch, 0-based, and the number of aggregates.
        text: the SQL, the error, or a sentence.
    """

    kind: EventKind
    aggregate: str = ""
    instance_id: str = ""
    position: int = 0
    total: int = 0
    attempt: int = 0
    rows: int | None = None
    seconds: float | None = None
    source: str = ""
    text: str = ""


OnEvent = Callable[[BuildEvent], None]


class EventSender:
    """Sends the events of one attempt, with the fields that every event repeats.

    Args:
        total: the number of aggregates of the batch.
    """

    def __init__(self, step: BuildStep, attempt: int, total: int, on_event: OnEvent) -> None:
        self._step, self._attempt, self._total, self._on_event = step, attempt, total, on_event

    def __call__(
        self,
        kind: EventKind,
        *,
        rows: int | None = None,
        seconds: float | None = None,
        source: str = "",
        text: str = "",
    ) -> None:
        """Send one event."""
        step = self._step
        self._on_event(
            BuildEvent(
                kind=kind,
                aggregate=step.aggregate,
                instance_id=step.instance_id,
                position=step.position,
                total=self._total,
                attempt=self._attempt,
                rows=rows,
                seconds=seconds,
                source=source,
                text=text,
            )
        )


def ignore_event(event: BuildEvent) -> None:
    """Do nothing with an event: for callers that do not listen."""
