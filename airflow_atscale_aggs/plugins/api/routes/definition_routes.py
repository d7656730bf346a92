"""Definitions, instances and attempts: lists, and one of each."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from airflow_atscale_aggs.engine.aggregates import shown_status
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.registry import definition_lists, instance_lists
from airflow_atscale_aggs.plugins.api.access import ReachableConnection
from airflow_atscale_aggs.plugins.api.definition_rows import definition_detail, definition_row
from airflow_atscale_aggs.plugins.api.documents.definition_documents import (
    Attempt,
    DefinitionDetail,
    DefinitionRow,
    InstanceDetail,
    InstanceRow,
    ShownStatus,
)
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Page
from airflow_atscale_aggs.plugins.api.identities import Identity, SearchText
from airflow_atscale_aggs.plugins.api.instance_rows import (
    attempts_of,
    instance_detail,
    instance_row,
    missing_tables_of,
)
from airflow_atscale_aggs.plugins.api.list_options import ListOptions, Moment

router = APIRouter(tags=["Definitions"])

Origin = Literal["user_defined", "demand_defined", "prediction_defined"]
State = Literal["defined", "blocked", "retired"]

_DEFINITION_SORTS = {
    "last_used_at": definition_lists.DefinitionSort.LAST_USED,
    "created_at": definition_lists.DefinitionSort.CREATED,
}
"""Those of which the engine has another name."""

_INSTANCE_SORTS = {
    "started_at": instance_lists.InstanceSort.STARTED,
    "aggregate": instance_lists.InstanceSort.NAME,
}
_STATUS_OF_SHOWN = {shown.value: status for status, shown in shown_status.SHOWN.items()}


class DefinitionFilter(ListOptions):
    """What definitions are listed, in which order."""

    origin: list[Origin] = Field(default_factory=list)
    state: list[State] = Field(default_factory=lambda: list[State](("defined",)))
    status: list[ShownStatus] = Field(default_factory=list)
    search: SearchText = ""
    """A part of a name, in any case."""

    used_since: Moment | None = None
    unused_since: Moment | None = None
    """Those that answered no query since then, or never any."""

    never_used: bool = False
    built_before: Moment | None = None
    """Those whose last build is older."""

    sort: Literal[
        "name",
        "model",
        "status",
        "uses",
        "last_used_at",
        "rows",
        "size",
        "saved",
        "built_at",
        "seconds",
        "score",
        "created_at",
    ] = "name"
    descending: bool = False


class InstanceFilter(ListOptions):
    """What instances are listed, in which order."""

    definition_id: Identity | None = None
    batch_id: Identity | None = None
    status: list[ShownStatus] = Field(default_factory=list)
    table: SearchText | None = None
    """A part of the table's name, in any case."""

    started_after: Moment | None = None
    started_before: Moment | None = None
    sort: Literal["started_at", "rows", "seconds", "aggregate"] = "started_at"
    descending: bool = True


@router.get("/connections/{connection}/definitions")
def list_definitions(place: ReachableConnection, options: Annotated[DefinitionFilter, Query()]) -> Page[DefinitionRow]:
    """Definitions of aggregates. Those without what is sorted by come last, whatever the direction."""
    which = definition_lists.DefinitionFilter(
        model_ids=place.model_ids(options.model),
        origins=[DefinitionOrigin(origin) for origin in options.origin],
        statuses=[DefinitionStatus(state) for state in options.state],
        shown_statuses=[shown_status.ShownStatus(status) for status in options.status],
        name_contains=options.search,
        used_after=options.used_since,
        used_before=options.unused_since,
        never_used=options.never_used or options.unused_since is not None,
        built_before=options.built_before,
    )
    lists = place.read.lists.definitions
    page = lists.page(
        which,
        sort=_DEFINITION_SORTS.get(options.sort) or definition_lists.DefinitionSort(options.sort),
        descending=options.descending,
        limit=options.limit,
        cursor=options.cursor,
    )
    models = {model.id: model for model in place.models}
    return Page(
        items=[definition_row(listing, models[listing.model_id]) for listing in page.rows],
        next_cursor=page.next_cursor,
        total=lists.count(which).number if options.count else None,
    )


@router.get("/connections/{connection}/definitions/{definition_id}")
def read_definition(place: ReachableConnection, definition_id: Identity) -> DefinitionDetail:
    """One definition with its statistics, instances, lineage and score."""
    return definition_detail(place, definition_id)


@router.get("/connections/{connection}/instances")
def list_instances(place: ReachableConnection, options: Annotated[InstanceFilter, Query()]) -> Page[InstanceRow]:
    """Instances: one physical table each. Those without what is sorted by come last, whatever the direction.

    `total` stops at 10,000.
    """
    model_ids = place.model_ids(options.model)
    statuses = [_STATUS_OF_SHOWN[status] for status in options.status if status in _STATUS_OF_SHOWN]
    if options.status and not statuses:
        # Words that definitions have and instances have not.
        return Page(items=[], total=0 if options.count else None)
    which = instance_lists.InstanceFilter(
        model_ids=model_ids,
        definition_id=options.definition_id,
        batch_id=options.batch_id,
        statuses=statuses,
        table_contains=options.table or "",
        started_after=options.started_after,
        started_before=options.started_before,
    )
    lists = place.read.lists.instances
    page = lists.page(
        which,
        sort=_INSTANCE_SORTS.get(options.sort) or instance_lists.InstanceSort(options.sort),
        descending=options.descending,
        limit=options.limit,
        cursor=options.cursor,
    )
    return Page(
        items=[instance_row(listing) for listing in page.rows],
        next_cursor=page.next_cursor,
        total=lists.count(which).number if options.count else None,
    )


@router.get("/connections/{connection}/instances/{instance_id}")
def read_instance(place: ReachableConnection, instance_id: Identity, *, check_tables: bool = False) -> InstanceDetail:
    """One instance with its attempts, segments and SQL.

    `check_tables` also asks the warehouse whether the tables of an active one are there.
    """
    instance = place.instance(instance_id)
    missing = missing_tables_of(place, instance) if check_tables else None
    return instance_detail(place, instance, missing=missing)


@router.get("/connections/{connection}/instances/{instance_id}/attempts")
def list_attempts(place: ReachableConnection, instance_id: Identity) -> list[Attempt]:
    """The attempts to build an instance, oldest first."""
    return attempts_of(place, place.instance(instance_id).id)
