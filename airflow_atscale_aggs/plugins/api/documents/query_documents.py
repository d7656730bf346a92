"""Documents about queries: the history, an answer, an explanation, and what is recommended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from airflow_atscale_aggs.plugins.api.documents.shared_documents import Document


class QuerySourceNode(Document):
    """What one part of a query was answered from."""

    fact: str
    aggregate: str | None
    definition_id: str | None
    rows: int | None
    fact_rows: int | None


class QueryRow(Document):
    """A query that was asked."""

    id: str
    model_id: str
    model: str
    asked_at: datetime
    user: str
    sql: str
    """Without its literals, unless a setting keeps them."""

    outcome: str
    """`hit`, `partial`, `miss` or `fallback`."""

    sources: list[QuerySourceNode]
    rows: int
    seconds: float
    rows_saved: int | None
    seconds_saved: float | None
    weight: int
    fallback_reason: str
    attributes: list[str]
    metrics: list[str]
    filters: list[str]


class AskRequest(Document):
    """A query."""

    sql: str = Field(
        min_length=1, max_length=200_000, examples=['SELECT "Sold Year", "Store Revenue" FROM retail.retail']
    )
    model: str | None = None
    """The model that is meant where FROM names none that is deployed."""

    dialect: str = Field(default="postgres", max_length=40, pattern="^[A-Za-z][A-Za-z0-9_]*$")
    """The SQL that the query is written in; plain SQL on tables is written in the warehouse's own."""

    use_aggregates: bool = True
    max_staleness: str | None = Field(default=None, max_length=20)
    """Use no aggregate that is older, such as `12h`."""

    parameters: list[Any] | dict[str, Any] | None = None
    """Values for `?`, `%s`, `$1` (a list), or for `:name`, `%(name)s` (an object)."""

    as_user: str | None = Field(default=None, min_length=1, max_length=200)
    """Who asks, for models with row security; it is you where this is left out. To name somebody else you need to be
    allowed to edit the connection.
    """

    as_groups: list[str] | None = Field(default=None, max_length=1000)
    """All groups that the user belongs to, for row security by group; you need the same right."""

    most_rows: int = Field(default=1000, ge=1, le=100_000)
    timeout_seconds: float = Field(default=30, gt=0, le=300)
    estimate: bool = True
    """Of an explanation of a miss: scan the facts for the rows that the smallest change would add. You need to be
    allowed to build each model that you see.
    """


class CandidateNode(Document):
    """An aggregate that does not answer, and why."""

    aggregate: str
    rows: int | None
    reason: str
    explanation: str
    missing: list[str]
    change: str
    """The smallest change after which it would answer; empty when none would."""

    extra_rows: int | None


class PlanPart(Document):
    """One part of a query and what answers it."""

    model: str
    fact: str
    aggregate: str | None
    definition_id: str | None
    instance_id: str | None
    rows: int | None
    as_of: datetime | None
    fact_rows: int | None
    verdict: str
    joined_back: list[str]
    """Attributes that are joined back from dimensions, since the aggregate stores their key only."""

    candidates: list[CandidateNode]


class QueryExplanation(Document):
    """How a query would be answered now."""

    sql: str
    """For the warehouse, formatted."""

    meant: list[str]
    untouched: list[str]
    parts: list[PlanPart]


class QueryAnswer(Document):
    """The rows of a query and where they came from."""

    columns: list[str]
    rows: list[list[Any]]
    """A decimal that no JSON number holds exactly is a text."""

    is_cut: bool
    """Whether there were more than `most_rows` rows."""

    seconds: float
    parts: list[PlanPart]
    sql: str
    fallback_reason: str


class RecommendRequest(Document):
    """What to look at, and how much to propose."""

    apply: bool = False
    only: list[str] = Field(default_factory=list, max_length=1000)
    """With `apply`: names of those to define; empty: all that are recommended."""

    queries: list[str] | None = Field(default=None, max_length=1000)
    """SQL that stands for history; absent: the log of queries."""

    from_structure: bool = False
    most: int | None = Field(default=None, ge=0, le=1000)
    budget_percent: int | None = Field(default=None, ge=0, le=1000)


class RecommendedAggregate(Document):
    """One aggregate that should be defined."""

    name: str
    label: str
    fact: str
    attributes: list[str]
    metrics: list[str]
    rows: int
    size_bytes: int
    rows_saved: int
    share: float
    """Of the cost of all queries that is saved, from 0 to 1."""

    queries: float
    reason: str
    outcome: str | None
    """What became of it when it was applied: `added`, `returned`, `duplicate`, `blocked`."""

    gives_way: list[str]
    sml: str
    """The same as an entry of `aggregates:` in the SML of the model."""


class UnservedNode(Document):
    """What no aggregate may answer, and why."""

    what: str
    queries: float
    why: str


class RecommendAnswer(Document):
    """What a model should have."""

    source: str
    queries: float
    cost_before: int
    cost_after: int
    recommendations: list[RecommendedAggregate]
    unserved: list[UnservedNode]
    message: str


class ImportedNode(Document):
    """One definition of an imported file."""

    name: str
    outcome: str
    """`imported`, `returned`, `duplicate`, `blocked` or `refused`."""

    why: str
    definition_id: str | None


class ImportAnswer(Document):
    """What an import did."""

    model: str
    product_version: str
    exported_at: datetime | None
    counts: dict[str, int]
    warnings: list[str]
    definitions: list[ImportedNode]
    to_build: list[str]
    run_url: str | None
    """Of the run that builds them, where `build=true` was asked for."""

    message: str
