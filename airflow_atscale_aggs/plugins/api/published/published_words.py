"""Statuses in the words of AtScale's REST API, and which of ours its filters mean.

requested  →  new       its run has not begun it
ours          theirs
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus

BATCH_WORDS: Mapping[BatchStatus, str] = {
    BatchStatus.IN_PROGRESS: "running",
    BatchStatus.DONE: "done",
    BatchStatus.FAILED: "failed",
    BatchStatus.CANCELLED: "cancelled",
}

NEW_BATCH = "new"
"""Of a batch that was just asked for."""

WAITING_BATCH = "pending"
"""Of a batch in the history that its run has not begun yet."""

INSTANCE_WORDS: Mapping[InstanceStatus, str] = {
    InstanceStatus.NEW: "new",
    InstanceStatus.IN_PROGRESS: "inprogress",
    InstanceStatus.DONE: "done",
    InstanceStatus.FAILED: "failed",
    InstanceStatus.ACTIVE: "active",
    InstanceStatus.SUPERSEDED: "invalid",
    InstanceStatus.DELETED: "deleted",
    InstanceStatus.CANCELLED: "cancelled",
}

INSTANCES_OF_WORD: Mapping[str, tuple[InstanceStatus, ...]] = {
    **{word: (status,) for status, word in INSTANCE_WORDS.items()},
    "pending": (InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.DONE),
}
"""What a filter of instances means."""

DEFINITIONS_OF_WORD: Mapping[str, tuple[ShownStatus, ...]] = {
    "active": (ShownStatus.ACTIVE,),
    "pending": (ShownStatus.PENDING, ShownStatus.QUEUED, ShownStatus.BUILDING, ShownStatus.STAGED),
    "invalid": (
        ShownStatus.INACTIVE,
        ShownStatus.UNAVAILABLE,
        ShownStatus.FAILED,
        ShownStatus.CANCELED,
        ShownStatus.DELETED,
    ),
}
"""What a filter of definitions means."""

SUBTYPES: Mapping[DefinitionOrigin, str] = {
    DefinitionOrigin.USER_DEFINED: "manual",
    DefinitionOrigin.DEMAND_DEFINED: "demand_defined",
    DefinitionOrigin.PREDICTION_DEFINED: "prediction_defined",
}

ORIGINS_OF_SUBTYPE: Mapping[str, tuple[DefinitionOrigin, ...]] = {
    **{word: (origin,) for origin, word in SUBTYPES.items()},
    "hinted": (),
}
"""There are no hinted aggregates here."""


def iso_duration(seconds: float) -> str:
    """Seconds as ISO 8601 has them.

    >>> iso_duration(3.232), iso_duration(0)
    ('PT3.232S', 'PT0S')
    """
    return f"PT{f'{seconds:.3f}'.rstrip('0').rstrip('.')}S"
