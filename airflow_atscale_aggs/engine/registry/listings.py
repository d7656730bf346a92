"""Rows of lists as values: what pages show of definitions, instances, batches and queries, without their documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from enum import StrEnum

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.records import BatchRecord, QueryRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionListing:
    """A definition with its statistics.

    A definition over several facts has an instance for each; then rows and seconds are those of all of them together,
    and `built_at` is the oldest one's.

    Attributes:
        shown_status: ``unavailable`` while it is blocked, ``active`` where an instance serves, else the newest batch's.
        newest_status: of the instance of the newest batch that has the definition, whether or not an older one serves;
            None before the first.
        reason: why it exists; empty for user-defined ones.
        status_reason: why it is retired or blocked.
        uses: how many queries were answered from it, ever, with those of the definitions that it replaced.
        rows: of the active instance, else of the newest one; None where that is not built.
        seconds: that its build took.
        built_at: when its build ended.
        active_instance_ids, newest_instance_ids: one for each fact, in order of the facts.
        score: as it was judged last, from 0 to 100; None before the first judgement.
        size_bytes: of the tables when it was judged last; None where the warehouse did not tell.
        seconds_saved: by all its uses together, as it was judged last; None when not known.
        facts: the fact datasets.
        attributes: of its grain, by query name, sorted.
        metrics: metrics and calculations asked for, as named in the model.
    """

    id: str
    model_id: str
    name: str
    label: str
    origin: DefinitionOrigin
    status: DefinitionStatus
    shown_status: ShownStatus
    newest_status: ShownStatus | None
    created_at: datetime
    reason: str = ""
    status_reason: str = ""
    uses: int = 0
    last_used_at: datetime | None = None
    rows: int | None = None
    seconds: float | None = None
    built_at: datetime | None = None
    active_instance_ids: tuple[str, ...] = ()
    newest_instance_ids: tuple[str, ...] = ()
    score: float | None = None
    size_bytes: int | None = None
    seconds_saved: float | None = None
    facts: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceListing:
    """An instance without its build step; fields as in `InstanceRecord`.

    Attributes:
        aggregate: name for people: ``Q2 (web_sales)``.
        fact: the fact dataset.
        position: 0-based place in the order of its batch.
        schema: where its table is; empty: where the warehouse's sessions begin.
        batch_created_at: when its batch began.
    """

    id: str
    batch_id: str
    model_id: str
    definition_id: str
    aggregate: str
    fact: str
    position: int
    status: InstanceStatus
    shown_status: ShownStatus
    batch_created_at: datetime
    schema: str = ""
    attempt: int = 0
    failures: int = 0
    table: str | None = None
    rows: int | None = None
    seconds: float | None = None
    source: str | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    activated_at: datetime | None = None
    superseded_at: datetime | None = None
    drop_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchListing:
    """A batch, and how many of its instances stand where; statuses that none has are left out."""

    batch: BatchRecord
    instances: Mapping[InstanceStatus, int]


class QueryOutcome(StrEnum):
    """Where the answer of a query came from."""

    HIT = "hit"
    """From aggregates, as planned."""

    PARTIAL = "partial"
    """From aggregates and from facts, as planned. Where there is no word for it, it counts as a hit."""

    MISS = "miss"
    """From the facts, as planned."""

    FALLBACK = "fallback"
    """From the facts, since the aggregate that was meant could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryListing:
    """A query of the log. ``id`` grows with every query that is recorded.

    Attributes:
        seconds_saved: each time, an estimate, see `query_days.seconds_saved`; None where no aggregate answered, or
            nothing is known.
    """

    id: int
    outcome: QueryOutcome
    query: QueryRecord
    seconds_saved: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDay:
    """What was asked of a model on one day (UTC). A record that stands for several queries counts as several.

    Attributes:
        queries: hits, misses and fallbacks.
        seconds: in the warehouse, together.
        rows_read: about how many rows the queries read, of aggregates and of facts.
        fact_rows: about how many they would have read of the facts.
        seconds_saved: an estimate, made when the queries were recorded; of the hits in `savings_known`.
        savings_known: hits of which something about the facts' time was known.
    """

    model_id: str
    day: date
    queries: int = 0
    hits: int = 0
    misses: int = 0
    fallbacks: int = 0
    seconds: float = 0.0
    rows_read: int = 0
    fact_rows: int = 0
    seconds_saved: float = 0.0
    savings_known: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Things that want attention: how many, and the ids of the first of them."""

    number: int = 0
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What wants attention in some models.

    Attributes:
        failed_instances: FAILED instances of each model's newest batch.
        failed_batches: models' newest batches that FAILED.
        pending_views: batches of which some stable view does not show what serves.
        never_used: definitions that serve, were created long ago, and have answered no query.
        stale: definitions whose active instance was built long ago.
        blocked: definitions that a person has blocked.
    """

    failed_instances: Finding = field(default_factory=Finding)
    failed_batches: Finding = field(default_factory=Finding)
    pending_views: Finding = field(default_factory=Finding)
    never_used: Finding = field(default_factory=Finding)
    stale: Finding = field(default_factory=Finding)
    blocked: Finding = field(default_factory=Finding)
