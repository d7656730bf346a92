"""Log queries and what answered them. They are collected without slowing queries, and written in batches.

The memory is bounded: when many queries come between two writes, only every tenth is kept and counts ten times. When
another process has locked the registry, no query waits longer than `PATIENCE`; the write is tried again later. Queries
that cannot be written at the end are lost and counted. The answers do not depend on it.
"""

from __future__ import annotations

import threading
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

PATIENCE = timedelta(milliseconds=200)
"""How long an answer may be held up by another process that writes to the registry."""

_SAMPLED_FROM = 200
_EVERY = 10
_MOST = 1000


class QueryHistory:
    """The queries of one router that are not written yet. Safe to share between threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._waiting: list[QueryRecord] = []
        self._skipped = 0
        self._written_at: datetime | None = None
        self._is_refused = False
        self._reason = ""
        self._lock = threading.Lock()
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
        is_much = len(self._waiting) >= BATCH and not self._is_refused
        return is_much or (bool(self._waiting) and now - since >= LONGEST_WAIT)

    def write(self, settings: Settings, *, now: datetime) -> None:
        """Write what is waiting, and delete what is older than the log's retention.

        Where that fails, the queries go on waiting.
        """
        with self._lock:
            self._written_at = now
            # Another thread may add some meanwhile.
            written = self._waiting[:]
            if not written:
                return
            forget_before = now - timedelta(days=settings.history_days)
            try:
                self._registry.queries.record(written, forget_before=forget_before, patience=PATIENCE)
            except RegistryError as error:
                self._is_refused, self._reason = True, str(error)
            else:
                self._is_refused = False
                del self._waiting[: len(written)]

    def close(self, settings: Settings, *, now: datetime) -> None:
        """Write what is waiting, for the last time."""
        self.write(settings, now=now)
        self.lost += sum(record.weight for record in self._waiting)
        self._waiting = []

    @property
    def log_loss(self) -> str:
        """What the log lacks, in one sentence; empty when nothing was lost."""
        if not self.lost:
            return ""
        number = "1 query is" if self.lost == 1 else f"{self.lost:,} queries are"
        return (
            f"{number} missing in the log of queries and in the counts of what uses each aggregate, so that advice "
            "does not "
            f"know of {'it' if self.lost == 1 else 'them'}: {self._reason or 'too many came between two writes.'}"
        )
