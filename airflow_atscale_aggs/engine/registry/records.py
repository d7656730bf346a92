"""Rows of the registry as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, SegmentKey
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A model that was deployed.

    Attributes:
        deployment_id: the newest deployment.
        retired_at: when it was let go; None: it is deployed.
        perspectives: names under which it shows a part of itself.
        perspective: the one that is meant, where a query names it; ``name`` stays the model's.
        folder: in which it stands among others, see `model_folders.folder_of`.
    """

    id: str
    catalog: str
    name: str
    label: str
    deployment_id: str
    version: int
    deployed_at: datetime
    connection: str | None
    retired_at: datetime | None = None
    perspectives: tuple[str, ...] = ()
    perspective: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """What a model has.

    Attributes:
        definitions: that are defined, of whatever origin.
        active: instances that serve.
        open_batch_id: the batch that is in progress.
        rows: of the instances that serve, together.
        last_activated_at: when an instance went live last.
    """

    definitions: int = 0
    active: int = 0
    rows: int = 0
    open_batch_id: str | None = None
    last_activated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionRecord:
    """A definition and where it stands; it and its statistics are kept for ever (law 5).

    Attributes:
        retired_at: when it ceased to be defined.
        reason: why it exists, in a sentence; empty for user-defined ones.
        status_reason: why it is retired or blocked.
        evidence: figures that spoke for it, such as ``predicted_rows``.
        defined_at: when it was defined last: it may have been retired and have come back.
    """

    definition: AggregateDefinition
    status: DefinitionStatus
    created_at: datetime
    retired_at: datetime | None = None
    reason: str = ""
    status_reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    defined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionMeaning:
    """What a definition means and whether it is defined, without when and why.

    Attributes:
        document: as it is stored. The same document means the same.
    """

    definition: AggregateDefinition
    status: DefinitionStatus
    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedDefinition:
    """A system-defined definition that is to be recorded; fields as in `DefinitionRecord`.

    ``identity``: the definition's id and fingerprint, where the caller knows them already; None: they are computed.
    """

    definition: AggregateDefinition
    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    identity: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutline:
    """A build step without its SQL; fields as in `BuildStep`.

    Attributes:
        source: the one that it was planned to be built from.
    """

    aggregate: str
    source: str
    kind: str
    view: str
    estimated_rows: int | None
    reason: str
    full_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """One physical table of one batch.

    Attributes:
        attempt: number of the newest attempt; 0 before the first. The winning one when DONE or ACTIVE.
        failures: failed attempts within the current allowance.
        allowance: names the allowance, see `AttemptWriter.claim`.
        source: what it was built from (aggregate or fact name), once DONE.
        drop_after: a superseded table may be dropped from then on; None: it is retained.
        superseded_at: since when it serves no more.
    """

    id: str
    batch_id: str
    model_id: str
    status: InstanceStatus
    step: BuildStep
    attempt: int = 0
    failures: int = 0
    allowance: str = ""
    table: str | None = None
    rows: int | None = None
    seconds: float | None = None
    source: str | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    activated_at: datetime | None = None
    drop_after: datetime | None = None
    superseded_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRecord:
    """An instance that serves: what a router must know of it, without its build step.

    Attributes:
        aggregate: name for people: ``Q2 (web_sales)``.
        table: the physical table's name; of the view over its segments where there are some.
        settings_needed: as in `BuildStep`.
        segments: the tables of its segments.
    """

    id: str
    batch_id: str
    definition_id: str
    aggregate: str
    fact: str
    table: str
    rows: int
    started_at: datetime | None
    settings_needed: tuple[str, ...] | None
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt to build an instance; its table may exist in the warehouse unless ``dropped_at`` is set.

    ``verified`` tells how the table was compared with the facts, once DONE.
    """

    instance_id: str
    number: int
    table: str
    drop_sql: str
    owner: str
    status: AttemptStatus
    started_at: datetime
    finished_at: datetime | None = None
    error: str | None = None
    dropped_at: datetime | None = None
    verified: Verified | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """One batch build of one model.

    Attributes:
        owner: who drives it: ``host:pid`` or an Airflow run.
        lease_until: the owner is taken to be alive until then.
        failures: failed attempts of all instances within the current allowance.
        views_pending: True between activation in the registry and the switch of the stable views.
        aggregates: names of the aggregates it was asked to build; empty: all of the model.
        grace_periods: durations by dataset that it was asked to use instead of the model's.
        sources: the state in which it has found the datasets; none in batches of versions that did not note it.
        slices_through: number of the last slice that had been named when it was planned; 0 where there was none.
    """

    id: str
    model_id: str
    deployment_id: str
    build_type: BuildType
    status: BatchStatus
    owner: str
    lease_until: datetime
    created_at: datetime
    finished_at: datetime | None = None
    failures: int = 0
    views_pending: bool = False
    schema: str = ""
    notes: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()
    grace_periods: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[SourceMark, ...] = ()
    slices_through: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write one attempt's table, won by compare-and-set.

    Attributes:
        instance: as it is with the claim; its step is the attempt's, see `BuildStep.of_attempt`.
        planned: the step as the batch has it.
    """

    instance: InstanceRecord
    attempt: int
    owner: str
    planned: BuildStep


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltParts:
    """What a winning attempt has made.

    Attributes:
        rows: of all that the instance consists of.
        segments: that were made.
        uses: all segments that the instance consists of, in order of their ranges; empty where it is one table.
    """

    rows: int
    segments: tuple[BuiltSegment, ...] = ()
    uses: tuple[SegmentKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnneededSegment:
    """The table of a segment that may still exist and that no instance consists of any more."""

    key: SegmentKey
    table: str
    drop_sql: str
    schema: str
    aggregate: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySource:
    """What a part of a query was answered from; ``definition_id`` is empty for the facts.

    Attributes:
        rows: of the aggregate.
        fact_rows: of the facts, about; None when the warehouse does not tell.
        fact_cost: of them, how many the part would read, see `rewriting/match/fact_cost.py`.
    """

    fact: str
    aggregate: str = ""
    definition_id: str = ""
    rows: int | None = None
    fact_rows: int | None = None
    fact_cost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRecord:
    """One query that was answered.

    Attributes:
        fingerprint: of the query without its literals: equal queries but for values have one.
        shape: the SQL without its literals; with them where a setting allows.
        keys: attributes that it groups by, by query name.
        metrics: base metrics; an empty name for COUNT(*).
        predicates: attributes that it filters by.
        planned, actual: where the answer was meant to come from, and came from.
        fallback_reason: why they differ.
        seconds: in the warehouse.
        user: empty when not known.
        weight: how many queries the record stands for; more than 1 under load.
    """

    model_id: str
    fingerprint: str
    asked_at: datetime
    shape: str
    keys: tuple[str, ...]
    metrics: tuple[str, ...]
    predicates: tuple[str, ...]
    planned: tuple[QuerySource, ...]
    actual: tuple[QuerySource, ...]
    rows: int
    seconds: float
    fallback_reason: str = ""
    user: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """How often a definition's instances answered queries, ever.

    Attributes:
        uses: with those of the definitions that it replaced.
        seconds: of the queries, together.
        inherited: how many of the uses were of the definitions that it replaced.
    """

    definition_id: str
    fact: str
    uses: int
    seconds: float
    last_used_at: datetime
    inherited: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessionRecord:
    """One definition takes the place of another, once it serves.

    Attributes:
        facts: for all of them the successor must be Active first.
        done_at: None while it waits.
        old_name, new_name: for people; not needed in a proposal.
    """

    old_id: str
    new_id: str
    model_id: str
    reason: str
    facts: tuple[str, ...]
    proposed_at: datetime
    done_at: datetime | None = None
    old_name: str = ""
    new_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """How long a definition has served.

    Attributes:
        first_at: when its first instance ever went live.
        since: when the first one went live after it was defined last.
        builds: instances that went live.
        build_seconds: of those together.
    """

    first_at: datetime
    since: datetime
    builds: int
    build_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """How good a definition was when it was judged; the figures are explained in `engine.aggregates.quality`.

    Attributes:
        parts: what the score is the product of, by name, each from 0 to 1.
        uses: own ones since it was first defined, without inherited ones.
        rows: of its active instances; None when it has none.
        size_bytes: of their tables; None where the warehouse does not tell, and while there are none.
        fact_rows: of the facts behind them; None when they could not be counted.
        rows_saved, seconds_saved: by all its uses together; None when that is not known.
        measured_share: share of the queries behind `seconds_saved` whose saving was measured; the rest is estimated.
        build_seconds: of all its builds together.
        predicted_rows: what was expected when it was defined; None when nothing was.
    """

    model_id: str
    definition_id: str
    evaluated_at: datetime
    score: float
    parts: Mapping[str, float]
    uses: int = 0
    last_used_at: datetime | None = None
    rows: int | None = None
    size_bytes: int | None = None
    fact_rows: int | None = None
    rows_saved: int | None = None
    seconds_saved: float | None = None
    measured_share: float = 0.0
    build_seconds: float = 0.0
    builds: int = 0
    predicted_rows: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnneededTable:
    """A table that may still exist and that nothing needs. ``view``: the stable view that may still show it."""

    attempt: AttemptRecord
    schema: str
    aggregate: str
    why: str
    view: str = ""
    drop_view_sql: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment records of one model.

    Attributes:
        content: the SML documents, compressed.
        content_hash: of the documents' meaning as read; an equal hash makes no new version.
        datasets: the resolved datasets by name.
        definitions: the user-defined aggregates.
        settings: product keys and values that the SML folder holds for the model.
        rebound: system-defined definitions of the registry as they are in this version of the model.
        left: system-defined definitions that this version of the model has no more: id to reason.
        perspectives: names under which the model shows a part of itself.
        folder: in which it stands among others.
    """

    model_id: str
    catalog: str
    name: str
    label: str
    connection: str | None
    content: bytes
    content_hash: str
    datasets: Mapping[str, Dataset]
    definitions: tuple[AggregateDefinition, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    rebound: tuple[AggregateDefinition, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    perspectives: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentOutcome:
    """What a deployment changed, by names of aggregates.

    ``left`` are system-defined ones that the model has no more.
    """

    model: str
    model_id: str
    version: int
    is_new_version: bool
    appeared: tuple[str, ...]
    changed: tuple[str, ...]
    retired: tuple[str, ...]
    unchanged: tuple[str, ...]
    left: tuple[str, ...] = ()
