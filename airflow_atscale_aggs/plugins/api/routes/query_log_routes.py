"""The log of queries."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from airflow_atscale_aggs.engine.registry import query_lists
from airflow_atscale_aggs.engine.registry.listings import QueryOutcome
from airflow_atscale_aggs.plugins.api.access import ReachableConnection
from airflow_atscale_aggs.plugins.api.documents.query_documents import QueryRow
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Page
from airflow_atscale_aggs.plugins.api.identities import Identity, SearchText
from airflow_atscale_aggs.plugins.api.list_options import ListOptions, Moment
from airflow_atscale_aggs.plugins.api.query_rows import query_row

router = APIRouter(tags=["Queries"])

_GREATEST_ID = 2**63 - 1


class QueryFilter(ListOptions):
    """Which queries of the log are listed, newest first."""

    outcome: list[Literal["hit", "partial", "miss", "fallback"]] = Field(default_factory=list)
    asked_after: Moment | None = None
    asked_before: Moment | None = None
    definition_id: Identity | None = None
    user: SearchText | None = None
    search: SearchText = ""
    """A part of the SQL, in any case."""


@router.get("/connections/{connection}/queries")
def list_queries(place: ReachableConnection, options: Annotated[QueryFilter, Query()]) -> Page[QueryRow]:
    """The log of queries, newest first.

    A page may be shorter than `limit` although there are more: with a filter, each page looks at a bounded number of
    queries. Read on until there is no `next_cursor`. `total` stops where about 5,000 queries were looked at.
    """
    which = query_lists.QueryFilter(
        model_ids=place.model_ids(options.model),
        outcomes=[QueryOutcome(outcome) for outcome in options.outcome],
        asked_after=options.asked_after,
        asked_before=options.asked_before,
        definition_id=options.definition_id,
        user=options.user,
        shape_contains=options.search,
    )
    lists = place.read.lists.queries
    page = lists.page(which, limit=options.limit, cursor=options.cursor)
    models = {model.id: model for model in place.models}
    items = [query_row(listing, models[listing.query.model_id]) for listing in page.rows]
    total = lists.count(which).number if options.count else None
    return Page(items=items, next_cursor=page.next_cursor, total=total)


@router.get("/connections/{connection}/queries/{query_id}")
def read_query(place: ReachableConnection, query_id: Annotated[int, Path(ge=1, le=_GREATEST_ID)]) -> QueryRow:
    """One query of the log, while the log keeps it."""
    listing = place.read.lists.queries.get(query_id)
    if listing is None:
        raise place.missing("query", str(query_id))
    place.check(listing.query.model_id, "query", str(query_id))
    return query_row(listing, place.read.models.get(listing.query.model_id))
