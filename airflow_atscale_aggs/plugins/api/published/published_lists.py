"""Definitions and instances as AtScale's paths list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus, catalog_id
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter
from airflow_atscale_aggs.engine.registry.listings import DefinitionListing, InstanceListing
from airflow_atscale_aggs.engine.registry.page import Page
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.published.published_documents import (
    DefinitionStats,
    InstanceStats,
    NamedAttribute,
    PublishedDefinition,
    PublishedInstance,
    PublishedList,
)
from airflow_atscale_aggs.plugins.api.published.published_pages import PageOptions, ReadPage, walk
from airflow_atscale_aggs.plugins.api.published.published_words import INSTANCE_WORDS, SUBTYPES

Sources = Sequence[tuple[Place, Sequence[ModelRecord]]]
"""The connections that are read, and which of their models."""

Listing = TypeVar("Listing")
Row = TypeVar("Row")
ReadSource = Callable[[Place, list[str]], tuple[int, ReadPage[Listing]]]
"""How many rows some models have over a connection, and how to read them."""

ShowRows = Callable[[Place, Mapping[str, ModelRecord], list[Listing]], list[Row]]


def list_definitions(
    sources: Sources, which: DefinitionFilter, options: PageOptions, *, definition_id: str | None = None
) -> PublishedList[PublishedDefinition]:
    """Definitions of some models, by name; those of one registry after those of another.

    Args:
        which: its models are those of the sources.
        definition_id: only the one with this id, whatever ``which`` says.
    """

    def read(place: Place, model_ids: list[str]) -> tuple[int, ReadPage[DefinitionListing]]:
        lists, own = place.read.lists.definitions, replace(which, model_ids=model_ids)
        if definition_id is not None:
            one = tuple(listing for listing in lists.get([definition_id]) if listing.model_id in model_ids)
            return len(one), lambda _limit, _cursor: Page(one)
        return lists.count(own).number, lambda limit, cursor: lists.page(own, limit=limit, cursor=cursor)

    rows, total = _walk(sources, options, read, _definitions)
    return PublishedList(data=rows, total=total, size=options.size, page=options.page, offset=options.offset)


def of_batch(which: InstanceFilter, batch_id: str) -> InstanceFilter:
    """The same of one batch."""
    return replace(which, batch_id=batch_id)


def list_instances(
    sources: Sources, which: InstanceFilter, options: PageOptions, *, batch_id: str = ""
) -> PublishedList[PublishedInstance]:
    """Instances of some models, the newest first; those of one registry after those of another.

    Args:
        which: its models are those of the sources.
        batch_id: under which the instances are shown; empty: their batches' own.
    """

    def read(place: Place, model_ids: list[str]) -> tuple[int, ReadPage[InstanceListing]]:
        lists, own = place.read.lists.instances, replace(which, model_ids=model_ids)
        return lists.count(own).number, lambda limit, cursor: lists.page(own, limit=limit, cursor=cursor)

    def show(
        place: Place, models: Mapping[str, ModelRecord], listings: list[InstanceListing]
    ) -> list[PublishedInstance]:
        return [instance_of(place, models[listing.model_id], listing, batch_id) for listing in listings]

    rows, total = _walk(sources, options, read, show)
    return PublishedList(data=rows, total=total, size=options.size, page=options.page, offset=options.offset)


def _walk(
    sources: Sources, options: PageOptions, read: ReadSource[Listing], show: ShowRows[Listing, Row]
) -> tuple[list[Row], int]:
    """The rows of a page, and how many there are on all pages."""
    rows: list[Row] = []
    total, offset = 0, options.offset
    for place, records in sources:
        models = {model.id: model for model in records}
        number, read_page = read(place, list(models))
        wanted = options.size - len(rows)
        # Of many rows it is not known how many there are.
        found = walk(read_page, offset, wanted) if wanted > 0 else []
        rows += show(place, models, found)
        offset, total = max(offset - number, 0), total + number
    return rows, total


def _definitions(
    place: Place, models: Mapping[str, ModelRecord], listings: list[DefinitionListing]
) -> list[PublishedDefinition]:
    ids = [
        identity
        for listing in listings
        for identity in (*listing.active_instance_ids[:1], *listing.newest_instance_ids[:1])
    ]
    instances = {instance.id: instance for instance in place.read.lists.instances.some(sorted(set(ids)))}
    incremental = {
        model.id: {
            name for name, dataset in place.read.models.datasets(model.deployment_id).items() if dataset.incremental
        }
        for model in models.values()
        if any(listing.model_id == model.id for listing in listings)
    }

    def shown(model: ModelRecord, identities: tuple[str, ...]) -> PublishedInstance | None:
        found = next((instances[identity] for identity in identities if identity in instances), None)
        return None if found is None else instance_of(place, model, found)

    return [
        _definition(
            place,
            models[listing.model_id],
            listing,
            is_incremental=set(listing.facts) <= incremental[listing.model_id],
            latest=shown(models[listing.model_id], listing.newest_instance_ids),
            active=shown(models[listing.model_id], listing.active_instance_ids),
        )
        for listing in listings
    ]


def _incremental_datasets(place: Place, model: ModelRecord) -> set[str]:
    datasets = place.read.models.datasets(model.deployment_id)
    return {name for name, dataset in datasets.items() if dataset.incremental is not None}


def _definition(
    place: Place,
    model: ModelRecord,
    listing: DefinitionListing,
    *,
    is_incremental: bool,
    latest: PublishedInstance | None,
    active: PublishedInstance | None,
) -> PublishedDefinition:
    is_user_defined = listing.origin is DefinitionOrigin.USER_DEFINED
    return PublishedDefinition(
        id=listing.id,
        name=listing.name,
        type="user_defined" if is_user_defined else "system_defined",
        subtype=SUBTYPES[listing.origin],
        incremental=is_incremental,
        catalog_id=catalog_id(model.catalog),
        catalog_caption=model.catalog,
        model_id=model.id,
        connection_id=place.connection,
        blocked=listing.status is DefinitionStatus.BLOCKED,
        attributes=[
            *(NamedAttribute(name=name, type="dimension") for name in listing.attributes),
            *(NamedAttribute(name=name, type="measure") for name in listing.metrics),
        ],
        stats=DefinitionStats(
            created_at=listing.created_at,
            average_build_duration=_milliseconds(listing.seconds),
            query_utilization=listing.uses,
            most_recent_query=listing.last_used_at,
        ),
        latest_instance=latest,
        active_instance=active,
        most_recent_invalidation_reason=listing.status_reason or None,
    )


def instance_of(place: Place, model: ModelRecord, listing: InstanceListing, batch_id: str = "") -> PublishedInstance:
    """An instance.

    Args:
        batch_id: under which it is shown; empty: its batch's own.
    """
    return PublishedInstance(
        id=listing.id,
        status=INSTANCE_WORDS[listing.status],
        message=listing.error or _MESSAGES[listing.status],
        table_name=listing.table,
        table_schema=listing.schema,
        batch_id=batch_id or listing.batch_id,
        stats=InstanceStats(
            materialization_start_time=listing.started_at,
            materialization_end_time=listing.finished_at,
            build_duration=_milliseconds(listing.seconds),
            number_of_rows=listing.rows,
        ),
        catalog_id=catalog_id(model.catalog),
        model_id=model.id,
        definition_id=listing.definition_id,
        connection_id=place.connection,
        invalidation_reason=_MESSAGES[listing.status] if listing.status in _GONE else None,
    )


_MESSAGES: Mapping[InstanceStatus, str] = {
    InstanceStatus.NEW: "It waits for its turn in its batch.",
    InstanceStatus.IN_PROGRESS: "It is being built.",
    InstanceStatus.DONE: "It is built and waits for the rest of its batch.",
    InstanceStatus.FAILED: "It could not be built.",
    InstanceStatus.ACTIVE: "It serves queries.",
    InstanceStatus.SUPERSEDED: "A newer instance serves, or its definition is not in use any more.",
    InstanceStatus.DELETED: "Its table was dropped.",
    InstanceStatus.CANCELLED: "Its batch was cancelled.",
}
_GONE = {InstanceStatus.SUPERSEDED, InstanceStatus.DELETED, InstanceStatus.CANCELLED}


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
