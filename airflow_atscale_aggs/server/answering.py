"""Queries on models in threads: the engine is not asyncio, and a warehouse may take long."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.query_planner import QueryOptions
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.server.messages import data_row, error_response
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.stopping import BY_USER
from airflow_atscale_aggs.server.values import Encode

_T = TypeVar("_T")

_ROWS_AT_ONCE = 500
_BATCHES_WAITING = 4
_MOST_ROUTERS = 32
"""Of a thread: visitors whose snapshots and plans are kept."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        name: for the log of queries.
        model_ids: the models that are there for them; None: all.
    """

    name: str
    model_ids: frozenset[str] | None

    def bounds(self) -> QueryBounds:
        """What their queries may read: models that they see, and nothing that does more than read."""
        ids = self.model_ids
        return QueryBounds(
            sees=lambda record: ids is None or record.id in ids, is_guarded=True, keeps_plans=True, reads_tables=False
        )


class AnswerPool:
    """Threads with a router for each visitor. Their number bounds the connections to the warehouse.

    Args:
        size: how many queries run at the same time; others wait.
    """

    def __init__(self, workspace: Workspace, *, size: int) -> None:
        self._workspace = workspace
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="answers")
        self._own = threading.local()
        self._all_routers: list[OrderedDict[Visitor, QueryRouter]] = []

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run something in one of the threads; what it raises is raised here."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def run_aside(self, work: Callable[[], None]) -> None:
        """Run something at once, also while all threads are busy."""
        await asyncio.to_thread(work)

    async def ask(self, visitor: Visitor, work: Callable[[QueryRouter], _T]) -> _T:
        """Run something with a router that sees what the visitor sees."""
        return await self.run(lambda: work(self._router(visitor)))

    def _router(self, visitor: Visitor) -> QueryRouter:
        routers: OrderedDict[Visitor, QueryRouter] | None = getattr(self._own, "routers", None)
        if routers is None:
            routers = self._own.routers = OrderedDict()
            self._all_routers.append(routers)
        if visitor not in routers:
            routers[visitor] = QueryRouter(self._workspace, user=visitor.name, bounds=visitor.bounds())
            if len(routers) > _MOST_ROUTERS:
                routers.popitem(last=False)[1].close()
        routers.move_to_end(visitor)
        return routers[visitor]

    def close(self) -> None:
        """Wait for what runs, and write the log of queries."""
        self._threads.shutdown(cancel_futures=True)
        for routers in self._all_routers:
            for router in routers.values():
                router.close()


class _CanceledError(Exception):
    """Ends a thread whose rows nobody wants any more."""


class RowStream:
    """The rows of one query, as messages, while they come.

    No more than a few batches of rows wait: a client that reads slowly makes the warehouse wait.

    Args:
        encoders: of the columns that the client was told.
    """

    def __init__(
        self, pool: AnswerPool, visitor: Visitor, sql: str, options: QueryOptions, encoders: Sequence[Encode]
    ) -> None:
        self._pool, self._visitor, self._sql, self._options, self._encoders = pool, visitor, sql, options, encoders
        self._loop = asyncio.get_running_loop()
        self._batches: asyncio.Queue[list[bytes] | None] = asyncio.Queue(_BATCHES_WAITING)
        self._waiting: list[bytes] = []
        self._session: WarehouseSession | None = None
        self._is_canceled = threading.Event()
        # A session may be kept, and must not be canceled when it answers somebody else.
        self._lock = threading.Lock()
        self._job: asyncio.Task[None] | None = None
        self.sources = ""

    async def take(self, most: int) -> tuple[list[bytes], bool]:
        """The next rows, and whether there may be more.

        Args:
            most: 0: a batch, as large as it comes.

        Raises what the query raises, and SqlError when it was canceled.
        """
        if self._job is None and not self._is_canceled.is_set():
            self._job = asyncio.ensure_future(self._pool.ask(self._visitor, self._read))
        job = self._job
        while job is not None and not self._waiting and not self._is_canceled.is_set():
            batch = await self._next_batch(job)
            if batch is None and not self._is_canceled.is_set():
                await job
                return [], False
            self._waiting = batch or []
        if self._is_canceled.is_set():
            raise SqlError(error_response("57014", BY_USER))
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
            await self._pool.run_aside(self._cancel)
            with contextlib.suppress(asyncio.QueueEmpty):
                while True:
                    self._batches.get_nowait()
            await asyncio.wait([job], timeout=0.05)
        with contextlib.suppress(Exception):
            job.result()

    async def _next_batch(self, job: asyncio.Task[None]) -> list[bytes] | None:
        """The next batch; None at the end, or when the job has failed."""
        getting = asyncio.ensure_future(self._batches.get())
        try:
            await asyncio.wait([getting, job], return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
            return self._batches.get_nowait() if not self._batches.empty() else None
        finally:
            getting.cancel()

    def _read(self, router: QueryRouter) -> None:
        """In a thread: run the query and hand out its rows."""
        if self._is_canceled.is_set():
            return
        with router.stream(self._sql, watch=self._watch, **self._options) as answered:
            if len(answered.columns) != len(self._encoders):
                # The client was told other columns, such as those of a model that was deployed anew meanwhile.
                text = f"the answer has {len(answered.columns)} columns, and {len(self._encoders)} were described"
                raise SqlError(error_response("0A000", text, H="Prepare the statement anew."))
            self.sources = ", ".join(source.aggregate or source.fact for source in answered.plan.sources)
            while rows := list(itertools.islice(answered.rows, _ROWS_AT_ONCE)):
                answered.count += len(rows)
                self._put([self._message(row) for row in rows])
            if self._is_canceled.is_set():
                # The session is not kept: a cancel request may still be on its way to it.
                raise _CanceledError
        self._put(None)

    def _watch(self, session: WarehouseSession | None) -> None:
        with self._lock:
            self._session = session

    def _cancel(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.cancel()

    def _message(self, row: Sequence[Any]) -> bytes:
        return data_row([encode(value) for encode, value in zip(self._encoders, row, strict=True)])

    def _put(self, batch: list[bytes] | None) -> None:
        if self._is_canceled.is_set():
            raise _CanceledError
        asyncio.run_coroutine_threadsafe(self._batches.put(batch), self._loop).result()
