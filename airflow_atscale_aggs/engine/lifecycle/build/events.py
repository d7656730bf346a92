"""Events of a batch build, for listeners such as a progress bar or a task log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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


def ignore_event(event: BuildEvent) -> None:
    """Do nothing with an event: for callers that do not listen."""
