"""Queries on models in threads: the engine is not asyncio, and a warehouse may take long."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.server.messages import data_row
from airflow_atscale_aggs.server.values import Encode

_T = TypeVar("_T")

_ROWS_AT_ONCE = 500
_BATCHES_WAITING = 4


class AnswerPool:
    """Threads with a router each. Their number bounds the connections to the warehouse.

    Args:
        size: how many queries run at the same time; others wait.
    """

    def __init__(self, workspace: Workspace, bounds: QueryBounds, *, size: int) -> None:
        self._workspace, self._bounds = workspace, bounds
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="answers")
        self._own = threading.local()
        self._routers: list[QueryRouter] = []

    async def run(self, work: Callable[[QueryRouter], _T]) -> _T:
        """Run something with a router; what it raises is raised here."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(self._router()))

    def _router(self) -> QueryRouter:
        router: QueryRouter | None = getattr(self._own, "router", None)
        if router is None:
            router = self._own.router = QueryRouter(self._workspace, bounds=self._bounds)
            self._routers.append(router)
        return router

    def close(self) -> None:
        """Wait for what runs, and write the log of queries."""
        self._threads.shutdown(cancel_futures=True)
        for router in self._routers:
            router.close()


class RowStream:
    """The rows of one query, as messages, while they come.

    No more than a few batches of rows wait: a client that reads slowly makes the warehouse wait.

    Args:
        encoders: of the columns that the client was told.
    """

    def __init__(self, pool: AnswerPool, sql: str, options: dict[str, Any], encoders: Sequence[Encode]) -> None:
        self._pool, self._sql, self._options, self._encoders = pool, sql, options, encoders
        self._loop = asyncio.get_running_loop()
        self._batches: asyncio.Queue[list[bytes] | None] = asyncio.Queue(_BATCHES_WAITING)
        self._waiting: list[bytes] = []
        self._session: WarehouseSession | None = None
        self._is_canceled = threading.Event()
        self._job: asyncio.Task[None] | None = None
        self.sources = ""

    async def take(self, most: int) -> tuple[list[bytes], bool]:
        """The next rows, and whether there may be more.

        Args:
            most: 0: a batch, as large as it comes.

        Raises what the query raises.
        """
        if self._job is None:
            self._job = asyncio.ensure_future(self._pool.run(self._read))
        while not self._waiting:
            batch = await self._next_batch()
            if batch is None:
                await self._job
                return [], False
            self._waiting = batch
        size = most or len(self._waiting)
        rows, self._waiting = self._waiting[:size], self._waiting[size:]
        return rows, True

    async def close(self) -> None:
        """Stop the query, if it still runs, and wait until it has stopped."""
        self._is_canceled.set()
        job, self._job = self._job, None
        if job is None:
            return
        while not job.done():
            if self._session is not None:
                self._session.cancel()
            with contextlib.suppress(asyncio.QueueEmpty):
                while True:
                    self._batches.get_nowait()
            await asyncio.wait([job], timeout=0.05)
        with contextlib.suppress(Exception):
            job.result()

    async def _next_batch(self) -> list[bytes] | None:
        """The next batch; None at the end, or when the job has failed."""
        assert self._job is not None  # noqa: S101 - take has started it
        getting = asyncio.ensure_future(self._batches.get())
        try:
            await asyncio.wait([getting, self._job], return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
            return self._batches.get_nowait() if not self._batches.empty() else None
        finally:
            getting.cancel()

    def _read(self, router: QueryRouter) -> None:
        """In a thread: run the query and hand out its rows."""
        if self._is_canceled.is_set():
            return
        with router.stream(self._sql, **self._options) as answered:
            self._session = answered.session
            self.sources = ", ".join(source.aggregate or source.fact for source in answered.plan.sources)
            while not self._is_canceled.is_set():
                rows = list(itertools.islice(answered.rows, _ROWS_AT_ONCE))
                answered.count += len(rows)
                if not rows:
                    break
                self._put([self._message(row) for row in rows])
            self._session = None
        self._put(None)

    def _message(self, row: Sequence[Any]) -> bytes:
        return data_row([encode(value) for encode, value in zip(self._encoders, row, strict=True)])

    def _put(self, batch: list[bytes] | None) -> None:
        if not self._is_canceled.is_set():
            asyncio.run_coroutine_threadsafe(self._batches.put(batch), self._loop).result()
