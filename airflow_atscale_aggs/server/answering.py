"""Queries on models in threads: the engine is not asyncio, and a warehouse may take long."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.query_planner import QueryOptions
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.warehouse.base import RowMessages, WarehouseSession, WireFormat
from airflow_atscale_aggs.server.messages import ResultColumn, error_response, format_of
from airflow_atscale_aggs.server.row_encoding import encode_rows, too_long
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.stopping import BY_USER, to_the_end
from airflow_atscale_aggs.server.values import Encode, encoders

_T = TypeVar("_T")

_BATCHES_WAITING = 4
_LOOK_SECONDS = 0.05
"""After which somebody who waits looks whether that is still wanted."""

OPEN_ANSWERS = 4
"""For each query that runs at the same time."""

_MOST_ROUTERS = 32
"""Of a thread: visitors whose snapshots and plans are kept."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        name: for the log of queries.
        model_ids: the models that are there for them; None: all.
        catalog: whose models are there; empty: of all catalogs.
        star_tables: schemas and names of the tables that they may read, see `star_tables.written_names`.
        warehouse_role: whose rights count for their queries in the warehouse; empty: those of the connection.
        reader: who they have proven to be; None: nothing was proven, and models with row security are not answered.
    """

    name: str
    model_ids: frozenset[str] | None
    catalog: str = ""
    warehouse_role: str = ""
    star_tables: frozenset[tuple[str, str]] = frozenset()
    reader: Reader | None = None

    def sees(self, record: ModelRecord) -> bool:
        """Whether a model is there for them."""
        is_near = not self.catalog or record.catalog == self.catalog
        return is_near and (self.model_ids is None or record.id in self.model_ids)

    def bounds(self) -> QueryBounds:
        """What their queries may read: models that they see, and nothing that does more than read."""
        return QueryBounds(
            sees=self.sees,
            is_guarded=True,
            keeps_plans=True,
            reads_tables=False,
            tables=self.star_tables,
            role=self.warehouse_role,
            reader=self.reader,
        )


class AnswerPool:
    """Threads with a router for each visitor. Their number bounds the connections to the warehouse.

    Args:
        size: how many queries run at the same time; others wait. `OPEN_ANSWERS` times as many may be open: one whose
            client does not read keeps its connection to the warehouse, and lets another one run.

    Attributes:
        threads: for what is soon over, which thus never waits for rows.
        row_threads: for queries.
        turns: of those that run.
    """

    def __init__(self, workspace: Workspace, *, size: int) -> None:
        self._workspace = workspace
        self.threads = ThreadPoolExecutor(size, thread_name_prefix="answers")
        self.row_threads = ThreadPoolExecutor(OPEN_ANSWERS * size, thread_name_prefix="rows")
        self.turns = threading.Semaphore(size)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._all_routers: list[OrderedDict[Visitor, QueryRouter]] = []

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run something in one of the threads; what it raises is raised here."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def run_aside(self, work: Callable[[], None]) -> None:
        """Run something at once, also while all threads are busy."""
        await asyncio.to_thread(work)

    async def ask(self, visitor: Visitor, work: Callable[[QueryRouter], _T]) -> _T:
        """Run something with a router that sees what the visitor sees."""
        return await self.run(lambda: work(self.router(visitor)))

    def router(self, visitor: Visitor) -> QueryRouter:
        """In one of the threads: a router that sees what the visitor sees."""
        routers: OrderedDict[Visitor, QueryRouter] | None = getattr(self._own, "routers", None)
        if routers is None:
            routers = self._own.routers = OrderedDict()
            self._all_routers.append(routers)
        with self._lock:
            if visitor not in routers:
                routers[visitor] = QueryRouter(self._workspace, user=visitor.name, bounds=visitor.bounds())
                if len(routers) > _MOST_ROUTERS:
                    routers.popitem(last=False)[1].close()
            routers.move_to_end(visitor)
            return routers[visitor]

    def write_log(self) -> None:
        """Write down the queries that the log has not got yet."""
        with self._lock:
            all_routers = [router for routers in self._all_routers for router in routers.values()]
        for router in all_routers:
            router.write_log()

    def close(self) -> None:
        """Wait for what runs, and write the log of queries."""
        self.row_threads.shutdown(cancel_futures=True)
        self.threads.shutdown(cancel_futures=True)
        for routers in self._all_routers:
            for router in routers.values():
                router.close()


class _CanceledError(Exception):
    """Ends a thread whose rows nobody wants any more."""


class _Turn:
    """Of a query to run: held in the block, but while its client does not read.

    Args:
        is_over: nobody wants its rows any more.
    """

    def __init__(self, turns: threading.Semaphore, is_over: threading.Event) -> None:
        self._turns, self._is_over = turns, is_over
        self._is_held = False

    def take(self) -> None:
        """Wait until it is there. Raises _CanceledError."""
        while not self._turns.acquire(timeout=_LOOK_SECONDS):
            if self._is_over.is_set():
                raise _CanceledError
        self._is_held = True

    def give(self) -> None:
        """Let another query run."""
        if self._is_held:
            self._is_held = False
            self._turns.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.give()


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """The columns that the client was told, and how it wants their values.

    Attributes:
        formats: as in a Bind message.
        zone: the time zone of its session.
        longest: bytes of one row.
    """

    columns: Sequence[ResultColumn]
    formats: Sequence[int]
    zone: str
    longest: int

    def wire(self) -> WireFormat:
        """For a warehouse that writes messages itself."""
        return WireFormat(
            type_oids=tuple(column.type_oid for column in self.columns),
            formats=tuple(format_of(self.formats, number) for number in range(len(self.columns))),
            zone=self.zone,
            longest=self.longest,
        )

    def encoders(self) -> Sequence[Encode]:
        """For values that a warehouse gives."""
        try:
            zone: tzinfo = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            zone = UTC
        return encoders(self.columns, self.formats, zone)


class RowStream:
    """The rows of one query, as messages, while they come.

    No more than a few batches of rows wait: a client that reads slowly makes the warehouse wait.
    """

    def __init__(
        self, pool: AnswerPool, visitor: Visitor, sql: str, options: QueryOptions, columns: AnswerColumns
    ) -> None:
        self._pool, self._visitor, self._sql, self._options, self._columns = pool, visitor, sql, options, columns
        self._loop = asyncio.get_running_loop()
        self._batches: deque[RowMessages] = deque()
        self._room = threading.Semaphore(_BATCHES_WAITING)
        self._has_news = asyncio.Event()
        self._session: WarehouseSession | None = None
        self._is_canceled = threading.Event()
        # A session may be kept, and must not be canceled when it answers somebody else.
        self._lock = threading.Lock()
        self._turn = _Turn(pool.turns, self._is_canceled)
        self._job: asyncio.Future[None] | None = None
        self._is_over = False
        self.sources = ""

    async def take(self, most: int) -> RowMessages | None:
        """The next rows; None: there are no more.

        Args:
            most: 0: a batch, as large as it comes.

        Raises what the query raises, and SqlError when it was canceled.
        """
        if self._job is None and not self._is_over and not self._is_canceled.is_set():
            self._job = self._loop.run_in_executor(self._pool.row_threads, self._read)
            self._job.add_done_callback(self._end)
        while not self._batches and not self._is_canceled.is_set():
            if self._is_over:
                return None
            if self._job is not None and self._job.done():
                self._job.result()
                if self._batches:
                    break
                return None
            self._has_news.clear()
            await self._has_news.wait()
        if self._is_canceled.is_set():
            raise SqlError(error_response("57014", BY_USER))
        batch = self._batches.popleft()
        if most and batch.count > most:
            batch, rest = split_rows(batch, most)
            self._batches.appendleft(rest)
        else:
            self._room.release()
        return batch

    async def close(self) -> None:
        """Stop the query, if it still runs, and wait until it has stopped."""
        job, self._job = self._job, None
        if self._is_over:
            # What is left to do is none of the client's business.
            self._batches.clear()
            return
        self._is_canceled.set()
        self._has_news.set()
        if job is None:
            return
        await to_the_end(self._stop(job))

    async def _stop(self, job: asyncio.Future[None]) -> None:
        while not job.done():
            await self._pool.run_aside(self._cancel)
            self._room.release()
            await asyncio.wait([job], timeout=0.05)
        self._batches.clear()
        with contextlib.suppress(Exception):
            job.result()

    def _read(self) -> None:
        """In a thread: run the query and hand out its rows."""
        if not self._is_canceled.is_set():
            with self._turn:
                self._run()

    def _run(self) -> None:
        router = self._pool.router(self._visitor)
        wire = self._columns.wire()
        with router.stream(self._sql, watch=self._watch, wire=wire, **self._options) as answered:
            if len(answered.columns) != len(self._columns.columns):
                # The client was told other columns, such as those of a model that was deployed anew meanwhile.
                text = (
                    f"the answer has {len(answered.columns)} columns, and {len(self._columns.columns)} were described"
                )
                raise SqlError(error_response("0A000", text, H="Prepare the statement anew."))
            self.sources = ", ".join(source.aggregate or source.fact for source in answered.plan.sources)
            encoded = answered.messages
            if encoded is None:
                encoded = encode_rows(answered.rows, self._columns.encoders(), self._columns.longest)
            for batch in encoded:
                if batch.longest > self._columns.longest:
                    raise too_long(self._columns.longest)
                answered.count += batch.count
                self._put(batch)
            if not self._is_canceled.is_set():
                # The client need not wait until the query is written into the log.
                self._loop.call_soon_threadsafe(self._finish)
            else:
                # The session is not kept: a cancel request may still be on its way to it.
                raise _CanceledError

    def _watch(self, session: WarehouseSession | None) -> None:
        with self._lock:
            self._session = session

    def _cancel(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.cancel()

    def _put(self, batch: RowMessages) -> None:
        if not self._room.acquire(blocking=False):
            self._turn.give()
            self._room.acquire()
            if not self._is_canceled.is_set():
                self._turn.take()
        if self._is_canceled.is_set():
            raise _CanceledError
        self._loop.call_soon_threadsafe(self._arrive, batch)

    def _end(self, job: asyncio.Future[None]) -> None:
        # Looked at here, since nobody may want its rows any more.
        if not job.cancelled():
            job.exception()
        self._has_news.set()

    def _finish(self) -> None:
        self._is_over = True
        self._has_news.set()

    def _arrive(self, batch: RowMessages) -> None:
        self._batches.append(batch)
        self._has_news.set()


def split_rows(batch: RowMessages, most: int) -> tuple[RowMessages, RowMessages]:
    r"""The first rows of a batch, and the others.

    >>> split_rows(RowMessages(b"D" + bytes([0, 0, 0, 6, 0, 0]) + b"D" + bytes([0, 0, 0, 4]), 2), 1)[1]
    RowMessages(data=b'D\x00\x00\x00\x04', count=1)
    """
    at = 0
    for _ in range(most):
        at += 1 + int.from_bytes(batch.data[at + 1 : at + 5], "big")
    return RowMessages(batch.data[:at], most), RowMessages(batch.data[at:], batch.count - most)
