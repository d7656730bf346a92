"""What was asked, and what it was answered from: collected without slowing queries, written in batches.

The memory is bounded: when many queries come between two writes, only every tenth is kept and stands for ten. A registry
that cannot be written loses some history and no query.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.errors import RegistryError
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.settings import Settings

BATCH = 50
"""Queries that are written together."""

LONGEST_WAIT = timedelta(seconds=5)
"""How long a query waits for others; it is written with the next one after that, or when the router is closed."""

_SAMPLED_FROM = 200
_EVERY = 10
_MOST = 1000


class QueryHistory:
    """The queries of one router that are not written yet."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._waiting: list[QueryRecord] = []
        self._skipped = 0
        self._written_at: datetime | None = None
        self.lost = 0
        """Queries that could not be written."""

    def add(self, record: QueryRecord) -> None:
        """Keep a query; while many are waiting, every tenth only."""
        weight = record.weight
        if len(self._waiting) >= _SAMPLED_FROM:
            self._skipped += 1
            if self._skipped < _EVERY:
                return
            weight, self._skipped = self._skipped, 0
        if len(self._waiting) >= _MOST:
            self.lost += weight
            return
        self._waiting.append(replace(record, weight=weight))

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to write."""
        since = self._written_at or now
        if self._written_at is None:
            self._written_at = now
        return len(self._waiting) >= BATCH or (bool(self._waiting) and now - since >= LONGEST_WAIT)

    def write(self, settings: Settings, *, now: datetime) -> None:
        """Write what is waiting, and forget what is older than the log's retention."""
        waiting, self._waiting, self._written_at = self._waiting, [], now
        if not waiting:
            return
        try:
            self._registry.record_queries(waiting, forget_before=now - timedelta(days=settings.history_days))
        except RegistryError:
            self.lost += sum(record.weight for record in waiting)
