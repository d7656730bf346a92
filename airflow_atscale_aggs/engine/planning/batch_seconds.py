"""How long a batch will take, by how long the tables that serve took, and how much their facts have grown since."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBuild:
    """How a part of an aggregate was made that serves.

    Attributes:
        seconds: of its attempt, its comparison with the facts included.
        kind: ``full`` or ``increment``.
        is_derived: it was made from another aggregate.
    """

    seconds: float
    kind: str
    is_derived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSeconds:
    """Seconds of the builds of a batch.

    Attributes:
        total: about, one build after the other; None where nothing like them was built yet.
        guessed: aggregates that were never built in this way: they are taken to need what others of their fact do.
    """

    total: float | None = None
    guessed: tuple[str, ...] = ()


def estimate_seconds(
    steps: Sequence[BuildStep],
    past: Mapping[tuple[str, str], PastBuild],
    rows_now: Mapping[str, int | None],
    rows_then: Mapping[str, int],
) -> BatchSeconds:
    """Seconds of a batch of these steps.

    What a full build takes grows with the rows of its fact. What an increment takes does not: it reads what is new.

    Args:
        past: by (definition id, fact).
        rows_now: of facts, about; None, or no entry, where nobody knows: as many as there were.
        rows_then: of facts, as the tables that serve were compared with them.
    """
    total, guessed = 0.0, []
    for step in steps:
        own = past.get((step.definition_id, step.fact))
        is_known = own is not None and own.kind == step.kind
        seconds = own.seconds if own is not None and is_known else _seconds_of_alike(step, past)
        if seconds is None:
            return BatchSeconds()
        if not is_known:
            guessed.append(step.aggregate)
        total += seconds * _growth(step, rows_now, rows_then)
    return BatchSeconds(total=total, guessed=tuple(guessed)) if steps else BatchSeconds()


def _seconds_of_alike(step: BuildStep, past: Mapping[tuple[str, str], PastBuild]) -> float | None:
    """The median of what is most like a step; None where nothing of that kind was built."""
    alike = [(key, build) for key, build in past.items() if build.kind == step.kind]
    is_derived = len(step.sources) > 1
    for seconds in (
        [build.seconds for (_, fact), build in alike if fact == step.fact and build.is_derived == is_derived],
        [build.seconds for (_, fact), build in alike if fact == step.fact],
    ):
        if seconds:
            return statistics.median(seconds)
    return None


def _growth(step: BuildStep, rows_now: Mapping[str, int | None], rows_then: Mapping[str, int]) -> float:
    now, then = rows_now.get(step.fact), rows_then.get(step.fact)
    return now / then if step.kind == "full" and now is not None and then else 1.0
