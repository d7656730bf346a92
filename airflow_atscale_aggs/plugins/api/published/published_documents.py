"""What the published paths answer: AtScale's names and shapes.

Source: AtScale, "container-api": aggregates-batch, aggregates, aggregate-instances, aggregate-block, export, import.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Row = TypeVar("Row")


class PublishedDocument(BaseModel):
    """A JSON object with names in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True)


class PublishedList(PublishedDocument, Generic[Row]):
    """One page of a list."""

    data: list[Row]
    total: int
    """With these filters. For instances counting stops at 10,000."""

    size: int
    page: int
    offset: int


class HistoryList(PublishedDocument, Generic[Row]):
    """One page of a list of the product's own page."""

    data: list[Row]
    total: int


class StartedBatch(PublishedDocument):
    """The batch that was started."""

    id: str
    """Of the request: the filter `batchId` of instances and the history know it."""

    catalog_id: str
    model_id: str
    create_date: datetime
    status: str = Field(examples=["new"])
    estimate_time: int
    """Milliseconds that a batch of this model usually takes; 0 before the first."""

    is_full_build: bool
    batch_type: str = "aggregate_batch"


class BatchAnswer(PublishedDocument):
    """Whether a batch was started."""

    batch: StartedBatch
    success: bool = True


class HistoryBatch(StartedBatch):
    """A batch of the history: `done`, `failed`, `running`, `cancelled`, or `pending` before its run has begun it."""

    start_time: datetime | None
    end_time: datetime | None
    sum_of_instance_build_times: str = Field(examples=["PT3.232S"])


class InstanceStats(PublishedDocument):
    """How an instance was built."""

    materialization_start_time: datetime | None
    materialization_end_time: datetime | None
    build_duration: int | None
    """Milliseconds."""

    number_of_rows: int | None


class PublishedInstance(PublishedDocument):
    """An instance of a definition."""

    id: str
    status: str = Field(examples=["active"])
    message: str
    table_name: str | None
    table_schema: str
    batch_id: str
    """As it was asked for: the id of a request stays that."""

    stats: InstanceStats
    build_query_id: str | None = None
    """Always absent: a build has no query id here."""

    catalog_id: str
    model_id: str
    definition_id: str
    connection_id: str
    """The Airflow connection."""

    invalidation_reason: str | None


class DefinitionStats(PublishedDocument):
    """How a definition is used."""

    created_at: datetime
    average_build_duration: int | None
    """Milliseconds, of the last build."""

    query_utilization: int
    most_recent_query: datetime | None


class NamedAttribute(PublishedDocument):
    """An attribute or a metric of a definition."""

    name: str
    type: str = Field(examples=["dimension"])
    partitioned: bool = False


class PublishedDefinition(PublishedDocument):
    """A definition of an aggregate."""

    id: str
    name: str
    type: str = Field(examples=["system_defined"])
    subtype: str = Field(examples=["demand_defined"])
    incremental: bool
    """Whether each of its facts has an incremental indicator."""

    catalog_id: str
    catalog_caption: str
    model_id: str
    connection_id: str
    imported_at: datetime | None = None
    system_defined_with_distinct_count: bool = False
    promoted: bool = False
    blocked: bool
    distribution: dict[str, Any] = Field(default_factory=lambda: {"distributionKeys": [], "bucketCount": 0})
    partitions: list[str] = Field(default_factory=list)
    indexes: dict[str, Any] = Field(default_factory=lambda: {"indexColumns": []})
    attributes: list[NamedAttribute]
    stats: DefinitionStats
    latest_instance: PublishedInstance | None
    active_instance: PublishedInstance | None
    most_recent_invalidation_reason: str | None


class BlockAnswer(PublishedDocument):
    """Whether a definition is blocked now."""

    blocked: bool = True


class UnblockAnswer(PublishedDocument):
    """Whether a definition is not blocked any more."""

    unblocked: bool = True


class ImportedValue(PublishedDocument):
    """What became of one definition of a file."""

    id: str
    new_id: str | None
    imported: bool
    reason: str
    """Why it was not imported; empty when it was."""


class ImportedValues(PublishedDocument):
    """What became of the definitions of a file, in its order."""

    count: int
    values: list[ImportedValue]


class PublishedImport(PublishedDocument):
    """What an import did."""

    at_scale_export_version: str
    export_catalog_id: str
    import_catalog_id: str
    model_id: str
    number_of_definitions_imported: int
    number_of_definitions_ignored: int
    aggregates: ImportedValues
