"""The statuses in the words of the product's Aggregates page.

Source: AtScale, "Monitoring Aggregate Usage": statuses on the Definitions tab.
"""

from __future__ import annotations

from enum import StrEnum

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus


class ShownStatus(StrEnum):
    """How a definition or an instance is doing, as the page says it."""

    ACTIVE = "active"
    """It serves queries."""

    BUILDING = "building"
    QUEUED = "queued"
    """Its batch has begun and it waits for its turn."""

    STAGED = "staged"
    """It is built and waits for the rest of its batch."""

    FAILED = "failed"
    PENDING = "pending"
    """It is defined and no batch has begun to build it."""

    INACTIVE = "inactive"
    """It has served and was superseded, deactivated or pruned; or it is neither defined nor was it ever built."""

    UNAVAILABLE = "unavailable"
    """A person has blocked the definition: it is neither used nor built."""

    CANCELED = "canceled"
    DELETED = "deleted"
    """Its table was dropped."""


SHOWN = {
    InstanceStatus.NEW: ShownStatus.QUEUED,
    InstanceStatus.IN_PROGRESS: ShownStatus.BUILDING,
    InstanceStatus.DONE: ShownStatus.STAGED,
    InstanceStatus.FAILED: ShownStatus.FAILED,
    InstanceStatus.ACTIVE: ShownStatus.ACTIVE,
    InstanceStatus.SUPERSEDED: ShownStatus.INACTIVE,
    InstanceStatus.DELETED: ShownStatus.DELETED,
    InstanceStatus.CANCELLED: ShownStatus.CANCELED,
}
"""What is shown for an instance."""

BY_URGENCY = (
    InstanceStatus.FAILED,
    InstanceStatus.IN_PROGRESS,
    InstanceStatus.NEW,
    InstanceStatus.DONE,
    InstanceStatus.CANCELLED,
    InstanceStatus.ACTIVE,
    InstanceStatus.SUPERSEDED,
    InstanceStatus.DELETED,
)
"""Where the instances of a definition's facts stand differently in one batch, the first of these is told."""
