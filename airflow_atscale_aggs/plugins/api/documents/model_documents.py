"""Documents about connections, models, their structure, and the state of the service."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from airflow_atscale_aggs.plugins.api.documents.shared_documents import Document


class ConnectionProblem(Document):
    """Why nothing can be read over a connection."""

    connection: str
    title: str
    detail: str


class ModelSummary(Document):
    """A deployed model, reached over one Airflow connection."""

    connection: str = Field(examples=["retail_aggs"])
    """Id of the Airflow connection of type `atscale_aggs`."""

    id: str
    """The ModelID: equal wherever the same SML is deployed."""

    catalog: str = Field(examples=["retail"])
    catalog_id: str
    """The id under which the published paths know the catalog."""

    name: str = Field(examples=["retail"])
    label: str
    version: int
    deployed_at: datetime
    dag_id: str | None
    """The DAG that builds the model over this connection; absent when no DAG that you may read does."""

    may_build: bool
    """Whether you may start a batch."""

    may_manage: bool
    """Whether you may block, unblock, import and apply recommendations."""

    may_administer: bool
    """Whether you may delete instances and change settings."""

    definitions: int
    """Definitions that are defined, of whatever origin."""

    active: int
    """Instances that serve."""

    open_batch_id: str | None
    """The batch that is in progress."""

    last_activated_at: datetime | None


class ModelList(Document):
    """All models that you may read, over all connections, and the connections that do not work."""

    models: list[ModelSummary]
    problems: list[ConnectionProblem]
    timezone: str = "UTC"
    """Airflow's default time zone, for those who have chosen none."""


class LevelNode(Document):
    """One attribute in a hierarchy of a dimension, coarsest first."""

    name: str = Field(examples=["Sold Calendar Year"])
    """The query name: with the role-play template applied."""

    label: str


class HierarchyNode(Document):
    """One hierarchy of a dimension in one role."""

    dimension: str
    role: str
    """The role-play template; empty for the plain role."""

    name: str
    label: str
    levels: list[LevelNode]
    """Coarsest first."""


class MetricNode(Document):
    """A metric of a model."""

    name: str
    label: str
    fact: str
    """The fact dataset; empty for a calculated metric."""

    method: str = Field(examples=["sum"])
    """The calculation method; `calculated` for a calculated metric."""

    expression: str = ""
    """Of a calculated metric."""


class ModelStructure(Document):
    """What a model consists of: enough to draw a grain on the hierarchies of its dimensions."""

    hierarchies: list[HierarchyNode]
    attributes: list[LevelNode]
    """All attributes, also those in no hierarchy."""

    metrics: list[MetricNode]
    facts: list[str]


class Health(Document):
    """Whether the service works, connection by connection."""

    status: str = Field(examples=["healthy"])
    """`healthy`, or `degraded` when some connection cannot be used."""

    version: str
    """Of this package."""

    connections: list[ConnectionHealth]


class ConnectionHealth(Document):
    """Whether a registry answers."""

    connection: str
    status: str
    """`healthy` or `unhealthy`."""

    detail: str = ""
    """Why it is unhealthy."""

    milliseconds: float | None = None
    """How long the registry took to answer."""


class SettingValue(Document):
    """One setting, what is in force, and where it comes from."""

    key: str = Field(examples=["aggregates.batch.max.failures"])
    value: str | int | float | bool
    default: str | int | float | bool
    source: str = Field(examples=["model"])
    """`default`, `airflow` (configuration or environment), `all models`, `sml`, or `model`."""

    meaning: str
    without_effect: str = ""
    """Why the key is accepted and does nothing; empty for those that do something."""


class SettingChange(Document):
    """A new value of a setting."""

    value: str | int | float | bool
    for_all_models: bool = False
    """For all models of the registry instead of this one."""


Health.model_rebuild()
