"""What all lists of the API take: models, the size of a page, and where to read on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from airflow_atscale_aggs.plugins.api.identities import Identity

_FIRST_YEAR, _LAST_YEAR = 1900, 9000
"""In UTC, points in time at the ends of the calendar may be beyond it."""


def _aware(moment: datetime) -> datetime:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        message = f"a point in time of the years {_FIRST_YEAR} to {_LAST_YEAR} is needed"
        raise ValueError(message)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]
"""A point in time; without an offset it is UTC."""


class ListOptions(BaseModel):
    """What all lists take, as query parameters."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: list[Identity] = Field(default_factory=list, max_length=200)
    """Names or ids of models; none: all that you may read."""

    limit: int = Field(default=50, ge=1, le=200)
    """Rows of a page."""

    cursor: str | None = Field(default=None, max_length=2000)
    """Where to read on: `next_cursor` of the page before, with the same filters."""

    count: bool = False
    """Also count all rows with these filters."""
