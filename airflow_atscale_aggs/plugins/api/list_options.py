"""What all lists of the API take: models, the size of a page, and where to read on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ListOptions(BaseModel):
    """What all lists take, as query parameters."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: list[str] = Field(default_factory=list, max_length=200)
    """Names or ids of models; none: all that you may read."""

    limit: int = Field(default=50, ge=1, le=200)
    """Rows of a page."""

    cursor: str | None = Field(default=None, max_length=2000)
    """Where to read on: `next_cursor` of the page before, with the same filters."""

    count: bool = False
    """Also count all rows with these filters."""
