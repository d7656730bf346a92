"""What all documents share: a page of a list, and the problem that an error is told as."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Row = TypeVar("Row")


class Document(BaseModel):
    """A JSON object of the API. Its keys are fixed; an unknown key in a request is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, use_enum_values=True)


class Page(Document, Generic[Row]):
    """One page of a list."""

    items: list[Row]
    """The rows of this page, in the order that was asked for."""

    next_cursor: str | None = None
    """Give it as `cursor` to read on; absent on the last page."""

    total: int | None = None
    """How many there are with these filters; only where `count=true` was asked for."""


class Problem(BaseModel):
    """An error, as RFC 9457 has it (`application/problem+json`)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str = "about:blank"
    """A URI that tells the kind of the problem; its fragment is a word such as `not-registered`."""

    title: str = Field(examples=["Not found"])
    """The kind of the problem in a few words."""

    status: int = Field(examples=[404])
    """The HTTP status."""

    detail: str = Field(examples=["The registry has no model `retial`. Did you mean `retail`?"])
    """What, where, why, and what to do, in the words of the command line."""

    instance: str = ""
    """The path that was asked for."""

    errors: list[dict[str, str]] = Field(default_factory=list)
    """Of a request that is malformed: `where` and `why` of each fault."""
