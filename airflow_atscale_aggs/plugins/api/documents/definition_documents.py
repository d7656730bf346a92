"""Documents about definitions, instances, attempts and the lattice."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from airflow_atscale_aggs.plugins.api.documents.shared_documents import Document


class ShownStatus(StrEnum):
    """The statuses of the Aggregates page (AtScale, "Monitoring Aggregate Usage")."""

    ACTIVE = "active"
    BUILDING = "building"
    CANCELED = "canceled"
    DELETED = "deleted"
    FAILED = "failed"
    INACTIVE = "inactive"
    """Superseded, or nothing is defined any more."""

    PENDING = "pending"
    """Defined and not built yet."""

    QUEUED = "queued"
    STAGED = "staged"
    """Built, and waiting for the rest of its batch."""

    UNAVAILABLE = "unavailable"
    """Blocked by a person, or its table is not in the warehouse any more."""


class DefinitionRow(Document):
    """A row of the Definitions tab."""

    id: str
    model_id: str
    model: str
    catalog: str
    name: str
    label: str
    origin: str = Field(examples=["demand_defined"])
    """`user_defined`, `demand_defined` or `prediction_defined`."""

    state: str = Field(examples=["defined"])
    """`defined`, `blocked` or `retired`."""

    status: ShownStatus
    """Of its active instance; where there is none, of its newest."""

    reason: str
    """Why it exists, in a sentence; empty for user-defined ones."""

    uses: int
    """Queries that it answered, ever."""

    last_used_at: datetime | None
    rows: int | None
    seconds: float | None
    """Of the last build."""

    built_at: datetime | None
    score: float | None
    """From 0 to 100, at its last evaluation."""

    size_bytes: int | None = None
    """Of its tables, at its last evaluation, where the warehouse tells it."""

    seconds_saved: float | None = None
    """By all its uses together, at its last evaluation."""

    attributes: list[str]
    metrics: list[str]
    created_at: datetime
    active_instance_id: str | None
    newest_instance_id: str | None


class ScorePart(Document):
    """One factor of a score."""

    name: str
    value: float
    """From 0 to 1."""


class Score(Document):
    """How good a definition was when it was judged last."""

    value: float
    """From 0 to 100."""

    parts: list[ScorePart]
    evaluated_at: datetime
    rows: int | None
    fact_rows: int | None
    size_bytes: int | None
    rows_saved: int | None
    seconds_saved: float | None
    measured_share: float
    """Share of the queries behind `seconds_saved` whose saving was measured; the rest is estimated."""

    build_seconds: float
    builds: int
    predicted_rows: float | None


class StoredMeasureNode(Document):
    """A column that is stored for metrics."""

    text: str = Field(examples=["sum(ss_ext_sales_price)"])
    rolls_up: bool
    """Whether coarser groups can be computed from it."""


class DefinitionPart(Document):
    """The share of a definition on one fact: one physical table."""

    fact: str
    attributes: list[str]
    measures: list[StoredMeasureNode]


class LineageNode(Document):
    """Where data comes from or goes to."""

    kind: str
    """`fact`, `dimension`, `aggregate` or `view`."""

    name: str
    definition_id: str | None = None


class Lineage(Document):
    """What a definition's tables are made from, and what is made from them."""

    sources: list[LineageNode]
    targets: list[LineageNode]


class InstanceRow(Document):
    """One physical table of one batch."""

    id: str
    definition_id: str
    batch_id: str
    model_id: str
    aggregate: str
    fact: str
    status: ShownStatus
    table: str | None
    schema_name: str
    rows: int | None
    seconds: float | None
    source: str | None
    """What it was built from: an aggregate's name or the fact's."""

    attempt: int
    failures: int
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    activated_at: datetime | None
    drop_after: datetime | None


class DefinitionDetail(DefinitionRow):
    """Everything about one definition."""

    state_reason: str
    evidence: dict[str, float]
    """Figures that spoke for it when it was defined, such as `predicted_rows`."""

    parts: list[DefinitionPart]
    score_detail: Score | None
    average_saving_seconds: float | None
    average_saving_measured_share: float | None
    instances: list[InstanceRow]
    """Its newest instances, at most 20."""

    lineage: Lineage
    successor: str
    """Name of the definition that took or is to take its place; empty without one."""

    can_delete: bool
    """Always false: definitions are kept for ever; block one instead."""


class Attempt(Document):
    """One attempt to build an instance."""

    number: int
    status: str
    table: str
    owner: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    dropped_at: datetime | None
    verified: str
    """How its table was compared with the facts, in a sentence; empty when it was not."""


class SegmentRow(Document):
    """One table of an incremental aggregate."""

    table: str
    after: str | None
    through: str
    is_settled: bool
    rows: int | None


class InstanceDetail(InstanceRow):
    """Everything about one instance."""

    view: str
    position: int
    build: str
    """`full` or `increment`."""

    reason: str
    """Why it stands where it stands in the batch's order."""

    full_reason: str
    estimated_rows: int | None
    attempts: list[Attempt]
    segments: list[SegmentRow]
    sql: str
    """The statements that make its table, formatted."""

    missing_tables: list[str] | None
    """Tables that are not in the warehouse any more; absent where `check_tables=true` was not asked for, where it does
    not serve, and when nobody could ask.
    """

    dag_id: str | None
    run_id: str | None
    task_id: str | None
    """Absent where you may not read the DAG, or it is there no more."""

    map_index: int | None
    """The task instance that builds it; clear it to build again."""


class LatticeNode(Document):
    """A fact or a definition, as the lattice draws it."""

    id: str
    kind: str
    """`fact` or `aggregate`."""

    name: str
    rows: int | None
    uses: int
    built_at: datetime | None
    status: str
    origin: str
    attributes: list[str]


class LatticeEdge(Document):
    """`target` can be derived from `source`."""

    source: str
    target: str
    is_used: bool
    """Whether the target's active instance was built from it."""


class LatticeGraph(Document):
    """Which aggregate derives from which, without edges that follow from others."""

    nodes: list[LatticeNode]
    edges: list[LatticeEdge]
    is_cut: bool
    """Whether only the most used ones are in it."""


class BlockRequest(Document):
    """Why a definition is to be blocked."""

    why: str = Field(default="blocked by a person", max_length=2000, pattern=r"^[^\x00]*$")


class Done(Document):
    """What was done, in a sentence."""

    message: str
