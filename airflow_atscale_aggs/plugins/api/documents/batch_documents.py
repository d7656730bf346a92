"""Documents about batches and the overview."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from airflow_atscale_aggs.plugins.api.documents.shared_documents import Document
from airflow_atscale_aggs.plugins.api.identities import Identity

MOST_AGGREGATES = 10_000
"""Names that one request for a batch may have."""


class BatchRow(Document):
    """A row of the Batches tab."""

    id: str
    model_id: str
    model: str
    build_type: str
    status: str = Field(examples=["in_progress"])
    """`requested` (its run has not begun it yet), `in_progress`, `done`, `failed` or `cancelled`."""

    owner: str
    created_at: datetime
    finished_at: datetime | None
    seconds: float | None
    usual_seconds: float | None
    """Median of the model's last batches that ended well. Null after its end, while these are fewer than three."""

    failures: int
    counts: dict[str, int]
    """Instances by shown status."""

    aggregates: list[str]
    """Names that it was asked for; empty: all of the model."""

    dag_id: str | None
    run_id: str | None


class BatchStep(Document):
    """One aggregate of a batch."""

    instance_id: str
    definition_id: str
    aggregate: str
    fact: str
    position: int
    status: str
    build: str
    source: str | None
    planned_source: str
    rows: int | None
    estimated_rows: int | None
    seconds: float | None
    usual_seconds: float | None
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    failures: int
    error: str | None
    map_index: int | None
    """Of the task instance `build` in the batch's run."""


class BatchDetail(BatchRow):
    """A batch with its steps."""

    notes: list[str]
    grace_periods: dict[str, str]
    steps: list[BatchStep]
    """In the order in which they are built; with `changed_after`, only those that have changed."""

    is_partial: bool
    """Whether `steps` leaves out those that have not changed."""

    as_of: datetime
    """When this was read: what to give as `changed_after` next time."""

    done_share: float
    """From 0 to 1, by the usual seconds of the steps."""

    estimated_end_at: datetime | None
    """While it runs; absent without history."""

    out_of_attempts: list[str]
    request_id: str | None
    """The request that was answered by this batch, where one was asked for by its id."""

    build_task_id: str | None
    """The mapped task in the run; absent where no run drives it, or you may not read the DAG."""


class RunBatch(BatchRow):
    """A batch of a run."""

    connection: str


class BatchStart(Document):
    """A batch that is asked for."""

    build_type: str = Field(default="incremental", pattern="^(full|incremental)$")
    aggregates: list[Identity] = Field(default_factory=list, max_length=MOST_AGGREGATES)
    """Names of those to build; empty: all of the model."""

    grace_periods: dict[Identity, Identity] = Field(default_factory=dict, max_length=1000)
    """Durations by dataset, instead of the model's: `{"store_sales": "2d"}`."""

    changed: dict[Identity, Annotated[list[Identity], Field(max_length=1000)]] = Field(
        default_factory=dict, max_length=1000
    )
    """Ranges of the indicator that have changed, by dataset; they are made anew, however old they are:
    `{"store_sales": ["2026-01-03..2026-01-05"]}`."""

    max_concurrent_builds: int | None = Field(default=None, ge=1, le=1000)

    dag_id: Identity | None = None
    """The DAG of which a run builds; needed only where each DAG that builds the model does other things as well."""


class BatchStarted(Document):
    """The run that was started for a batch."""

    id: str
    """Of the request. Ask for the batch by it; when another batch answers the request, you get that one."""

    dag_id: str
    run_id: str
    run_url: str
    status: str
    message: str


class DayFigures(Document):
    """One day of queries."""

    day: str = Field(examples=["2026-11-28"])
    queries: int
    hits: int
    misses: int
    fallbacks: int
    seconds: float
    rows_read: int
    fact_rows: int
    """What the facts would have read."""

    seconds_saved: float


class Attention(Document):
    """Something that wants attention."""

    kind: str
    """`failed`, `stale`, `never_used`, `late_rows`, `refused_joins`, `missing_table`, `not_built` or `no_dag`."""

    severity: str
    """`error`, `warning` or `info`."""

    text: str
    """What, where and what to do, in a sentence."""

    count: int
    definition_ids: list[str]
    batch_id: str | None = None
    hours: int | None = None
    """Of `stale`: the age, in hours, from which the model's settings call an aggregate so."""


class SizeTile(Document):
    """How much room one aggregate takes."""

    definition_id: str
    aggregate: str
    rows: int
    bytes: int | None
    uses: int


class Overview(Document):
    """How a model's aggregates are doing."""

    days: list[DayFigures]
    last_batch: BatchRow | None
    attention: list[Attention]
    sizes: list[SizeTile]
    """The largest 50."""

    active: int
    definitions: int
    rows: int
    fact_rows: int | None
