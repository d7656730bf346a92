"""Queries of the log as lists show them."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_atscale_aggs.engine.registry.listings import QueryListing
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
        rows_saved=rows_saved(query.actual),
        seconds_saved=None,
        weight=query.weight,
        fallback_reason=query.fallback_reason,
        attributes=list(query.keys),
        # A count of rows has a metric without a name.
        metrics=[metric or "COUNT(*)" for metric in query.metrics],
        filters=list(query.predicates),
    )


def rows_saved(sources: Sequence[QuerySource]) -> int | None:
    """About how many rows of the facts were not read; None where no aggregate was, or a figure is not known."""
    served = [source for source in sources if source.definition_id]
    known = [(source.fact_rows, source.rows) for source in served]
    if not served or any(fact_rows is None or rows is None for fact_rows, rows in known):
        return None
    return sum(max((fact_rows or 0) - (rows or 0), 0) for fact_rows, rows in known)


def _source(source: QuerySource) -> QuerySourceNode:
    return QuerySourceNode(
        fact=source.fact,
        aggregate=source.aggregate or None,
        definition_id=source.definition_id or None,
        rows=source.rows,
        fact_rows=source.fact_rows,
    )
