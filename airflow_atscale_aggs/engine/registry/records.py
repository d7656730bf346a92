"""Rows of the registry as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.model.datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A model that was deployed. ``deployment_id`` is the newest deployment."""

    id: str
    catalog: str
    name: str
    label: str
    deployment_id: str
    version: int
    deployed_at: datetime
    connection: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionRecord:
    """A definition and where it stands; it and its statistics are kept for ever (law 5).

    Attributes:
        status: ``defined`` | ``retired`` (it left the model, or the engine needs it no more) | ``blocked`` (by a person). Only
            defined ones are built.
        retired_at: when it ceased to be defined.
        reason: why it exists, in a sentence; empty for user-defined ones.
        status_reason: why it is retired or blocked.
        evidence: figures that spoke for it, such as ``predicted_rows``.
    """

    definition: AggregateDefinition
    status: str
    created_at: datetime
    retired_at: datetime | None = None
    reason: str = ""
    status_reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedDefinition:
    """A system-defined definition that is to be recorded; fields as in `DefinitionRecord`."""

    definition: AggregateDefinition
    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """One physical table of one batch.

    Attributes:
        attempt: number of the newest attempt; 0 before the first. The winning one when DONE or ACTIVE.
        failures: failed attempts within the current allowance.
        allowance: names the allowance, see `Registry.claim_instance`.
        source: what it was built from (aggregate or fact name), once DONE.
        drop_after: a superseded table may be dropped from then on.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write one attempt's table, won by compare-and-set."""

    instance: InstanceRecord
    attempt: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySource:
    """What a part of a query was answered from; ``definition_id`` is empty for the facts.

    Attributes:
        rows: of the aggregate.
        fact_rows: of the facts, about; None when the warehouse does not tell.
        fact_cost: of them, how many the part would read, see `rewriting/costs.py`.
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
    """How often a definition's instances answered queries, ever. ``seconds``: of those queries, together."""

    definition_id: str
    fact: str
    uses: int
    seconds: float
    last_used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnneededTable:
    """A table that may still exist and that nothing needs."""

    attempt: AttemptRecord
    schema: str
    aggregate: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment records of one model.

    Attributes:
        content: the SML documents, compressed.
        content_hash: of the documents' meaning as read; an equal hash makes no new version.
        datasets: the resolved datasets by name.
        definitions: the user-defined aggregates.
        settings: product keys and values that the SML folder holds for the model.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentOutcome:
    """What a deployment changed, by names of aggregates."""

    model: str
    model_id: str
    version: int
    is_new_version: bool
    appeared: tuple[str, ...]
    changed: tuple[str, ...]
    retired: tuple[str, ...]
    unchanged: tuple[str, ...]
