"""Records of the log of queries, for tests that do not ask the queries themselves."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource


def make_query_record(
    *sources: QuerySource,
    model_id: str = "m",
    fingerprint: str = "f",
    asked_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    seconds: float = 0.1,
    weight: int = 1,
) -> QueryRecord:
    """A query that was answered from `sources`, as planned."""
    return QueryRecord(
        model_id=model_id,
        fingerprint=fingerprint,
        asked_at=asked_at,
        shape="",
        keys=(),
        metrics=(),
        predicates=(),
        planned=sources,
        actual=sources,
        rows=1,
        seconds=seconds,
        weight=weight,
    )
