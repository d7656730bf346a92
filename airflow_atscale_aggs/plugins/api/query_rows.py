"""Queries of the log as lists show them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.listings import QueryListing
from airflow_atscale_aggs.engine.registry.query_days import rows_saved
from airflow_atscale_aggs.engine.registry.records import ModelRecord, QuerySource
from airflow_atscale_aggs.plugins.api.documents.query_documents import QueryRow, QuerySourceNode


def query_row(listing: QueryListing, model: ModelRecord) -> QueryRow:
    """A query that was asked of a model."""
    query = listing.query
    return QueryRow(
        id=str(listing.id),
        model_id=query.model_id,
        model=model.name,
        asked_at=query.asked_at,
        user=query.user,
        sql=query.shape,
        outcome=listing.outcome,
        sources=[_source(source) for source in query.actual],
        rows=query.rows,
        seconds=query.seconds,
        rows_saved=rows_saved(query),
        seconds_saved=listing.seconds_saved,
        weight=query.weight,
        fallback_reason=query.fallback_reason,
        attributes=list(query.keys),
        # A count of rows has a metric without a name.
        metrics=[metric or "COUNT(*)" for metric in query.metrics],
        filters=list(query.predicates),
    )


def _source(source: QuerySource) -> QuerySourceNode:
    return QuerySourceNode(
        fact=source.fact,
        aggregate=source.aggregate or None,
        definition_id=source.definition_id or None,
        rows=source.rows,
        fact_rows=source.fact_rows,
    )
