"""The rows of the tables about models, from the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelTable
from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownAttribute
from airflow_atscale_aggs.engine.model.model_folders import schema_of
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter, DefinitionSort
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter, InstanceSort
from airflow_atscale_aggs.engine.registry.listings import (
    DefinitionListing,
    InstanceListing,
    QueryListing,
)
from airflow_atscale_aggs.engine.registry.page import MOST_ROWS, Page
from airflow_atscale_aggs.engine.registry.query_lists import QueryFilter
from airflow_atscale_aggs.engine.registry.records import ModelRecord, QueryRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.server.miss_reasons import AskedQuery, MissReasons
from airflow_atscale_aggs.server.overview_tables import MOST_DEFINITIONS, MOST_INSTANCES, MOST_QUERIES

Row = dict[str, Any]
_Listing = TypeVar("_Listing")


def overview_rows(
    read: RegistryReader, records: Sequence[ModelRecord], tables: Sequence[ModelTable], reasons: MissReasons
) -> Mapping[str, list[Row]]:
    """Rows by table of `overview_tables.TABLES`.

    Of models with row security nothing is told that is counted over all rows, or that others have asked; nor of models
    that were deployed a moment ago, of which that is not known yet.

    Args:
        records: the models that are seen, and ``tables``: these as tables.
        reasons: why no aggregate answered queries.
    """
    names = {record.id: record.name for record in records}
    ids = {table.model_id for table in tables if not table.is_secured} & set(names)
    versions = {model_id: read.models.version(model_id) for model_id in ids}

    def why(query: QueryRecord) -> str:
        return reasons.of(AskedQuery(query.model_id, versions[query.model_id], query.shape))

    whole = [table for table in tables if not table.perspective_of and table.model_id in names]
    definitions = _all(
        lambda cursor: read.lists.definitions.page(
            DefinitionFilter(model_ids=ids),
            sort=DefinitionSort.CREATED,
            descending=True,
            limit=MOST_ROWS,
            cursor=cursor,
        ),
        MOST_DEFINITIONS,
    )
    instances = _all(
        lambda cursor: read.lists.instances.page(
            InstanceFilter(model_ids=ids), sort=InstanceSort.BATCH, limit=MOST_ROWS, cursor=cursor
        ),
        MOST_INSTANCES,
    )
    queries = _all(
        lambda cursor: read.lists.queries.page(QueryFilter(model_ids=ids), limit=MOST_ROWS, cursor=cursor), MOST_QUERIES
    )
    return {
        "models": _models(read, records, whole),
        "attributes": [row for table in whole for row in _attributes(table)],
        "hierarchies": [row for table in whole for row in _hierarchies(table)],
        "metrics": [row for table in whole for row in _metrics(table)],
        "definitions": [_definition(listing, names[listing.model_id]) for listing in definitions],
        "instances": [_instance(listing, names[listing.model_id]) for listing in instances],
        "queries": [_query(listing, names[listing.query.model_id], why) for listing in queries],
    }


def _all(page_after: Callable[[str | None], Page[_Listing]], most: int) -> list[_Listing]:
    """The rows of all pages, up to a number."""
    rows: list[_Listing] = []
    cursor: str | None = None
    while True:
        page = page_after(cursor)
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None or len(rows) >= most:
            return rows[:most]


def _models(read: RegistryReader, records: Sequence[ModelRecord], tables: Sequence[ModelTable]) -> list[Row]:
    """Also those that were deployed a moment ago, whose tables are made for the next client."""
    descriptions = {table.model_id: table.description for table in tables}
    are_open = {table.model_id for table in tables if not table.is_secured}
    figures = read.models.figures({record.id for record in records})
    return [
        {
            "model": record.name,
            "schema_name": schema_of(record.folder),
            "label": record.label,
            "description": descriptions.get(record.id, ""),
            "perspectives": list(record.perspectives),
            "version": record.version,
            "deployed_at": _time(record.deployed_at),
            "definitions": figures[record.id].definitions,
            "active_instances": figures[record.id].active,
            "aggregate_rows": figures[record.id].rows if record.id in are_open else None,
            "last_activated_at": _time(figures[record.id].last_activated_at),
            "open_batch_id": figures[record.id].open_batch_id,
        }
        for record in records
    ]


def _attributes(table: ModelTable) -> list[Row]:
    return [
        {
            "model": table.name,
            "attribute": column.name,
            "kind": column.shown.origin.kind,
            "dimension": column.shown.origin.dimension,
            "hierarchies": list(column.shown.origin.hierarchies),
            "level": column.shown.origin.level,
            "label": column.shown.label,
            "folder": column.shown.folder,
            "description": column.shown.description,
            "type": column.type_name.lower(),
        }
        for column in table.columns
        if isinstance(column.shown.origin, ShownAttribute)
    ]


def _hierarchies(table: ModelTable) -> list[Row]:
    return [
        {
            "model": table.name,
            "dimension": hierarchy.dimension,
            "hierarchy": hierarchy.name,
            "position": position,
            "attribute": level,
            "label": hierarchy.label,
            "folder": hierarchy.folder,
            "description": hierarchy.description,
        }
        for hierarchy in table.hierarchies
        for position, level in enumerate(hierarchy.levels, 1)
    ]


def _metrics(table: ModelTable) -> list[Row]:
    return [
        {
            "model": table.name,
            "metric": column.name,
            "kind": column.shown.origin.kind,
            "aggregation": column.shown.origin.aggregation,
            "semi_additive": column.shown.origin.position,
            "dataset": column.shown.origin.dataset,
            "expression": column.shown.origin.expression,
            "label": column.shown.label,
            "folder": column.shown.folder,
            "description": column.shown.description,
            "type": column.type_name.lower(),
        }
        for column in table.columns
        if not isinstance(column.shown.origin, ShownAttribute)
    ]


def _definition(listing: DefinitionListing, model: str) -> Row:
    return {
        "definition_id": listing.id,
        "model": model,
        "aggregate": listing.name,
        "label": listing.label,
        "origin": listing.origin,
        "standing": listing.status,
        "status": listing.shown_status,
        "facts": list(listing.facts),
        "attributes": list(listing.attributes),
        "metrics": list(listing.metrics),
        "rows": listing.rows,
        "size_bytes": listing.size_bytes,
        "build_seconds": listing.seconds,
        "built_at": _time(listing.built_at),
        "uses": listing.uses,
        "last_used_at": _time(listing.last_used_at),
        "seconds_saved": listing.seconds_saved,
        "score": listing.score,
        "reason": listing.reason,
        "standing_reason": listing.status_reason,
        "created_at": _time(listing.created_at),
    }


def _instance(listing: InstanceListing, model: str) -> Row:
    return {
        "instance_id": listing.id,
        "definition_id": listing.definition_id,
        "model": model,
        "aggregate": listing.aggregate,
        "fact": listing.fact,
        "batch_id": listing.batch_id,
        "batch_began_at": _time(listing.batch_created_at),
        "status": listing.shown_status,
        "attempts": listing.attempt,
        "schema_name": listing.schema,
        "table_name": listing.table,
        "rows": listing.rows,
        "seconds": listing.seconds,
        "built_from": listing.source,
        "error": listing.error,
        "started_at": _time(listing.started_at),
        "finished_at": _time(listing.finished_at),
        "activated_at": _time(listing.activated_at),
        "superseded_at": _time(listing.superseded_at),
    }


def _query(listing: QueryListing, model: str, why: Callable[[QueryRecord], str]) -> Row:
    query = listing.query
    used = [source for source in query.actual if source.aggregate]
    missed = [source for source in query.actual if not source.aggregate]
    read = [source.rows if source.aggregate else source.fact_rows for source in query.actual]
    return {
        "query_id": listing.id,
        "asked_at": _time(query.asked_at),
        "user_name": query.user,
        "model": model,
        "outcome": listing.outcome,
        "aggregates": _names(source.aggregate for source in used),
        "facts": _names(source.fact for source in missed),
        "reason": query.fallback_reason or (why(query) if missed else ""),
        "seconds": query.seconds,
        "rows": query.rows,
        "rows_read": None if None in read else sum(rows or 0 for rows in read),
        "seconds_saved": listing.seconds_saved,
        "stands_for": query.weight,
        "attributes": list(query.keys),
        "filters": list(query.predicates),
        "metrics": [metric or "COUNT(*)" for metric in query.metrics],
        "query": query.shape,
    }


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
