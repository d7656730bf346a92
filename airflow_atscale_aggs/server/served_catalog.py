"""A catalog that is served: what all sessions on it share, its models, the empty tables, threads that ask."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import field, replace
from typing import Any

import psycopg
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, QueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_tables import type_in_postgresql
from airflow_atscale_aggs.engine.rewriting.parse.bind_parameters import with_values
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of, pointer
from airflow_atscale_aggs.engine.warehouse.drivers import one_line
from airflow_atscale_aggs.server.answering import AnswerPool, Visitor
from airflow_atscale_aggs.server.backend import BackendAddress
from airflow_atscale_aggs.server.client_statements import selects_all, without_catalog
from airflow_atscale_aggs.server.descriptions import Describer, Description
from airflow_atscale_aggs.server.messages import ResultColumn, error_response
from airflow_atscale_aggs.server.overview import Overview
from airflow_atscale_aggs.server.remembered import Remembered
from airflow_atscale_aggs.server.sql_errors import SqlError

_MOST = 5000

_log = logging.getLogger(__name__)


@dataclass
class ServedCatalog:
    """One catalog, as those see it who see the same models of it.

    Attributes:
        model_ids: the models that are there; None: all.
        star_tables: tables of the warehouse that may be asked, see `star_tables.written_names`.
        backend: the server with the empty tables, and ``shells``: the database on it.
        look: looks whether models have changed.
        own_backend: the server as one user finds it, by his name.
    """

    catalog: str
    model_ids: frozenset[str] | None
    star_tables: frozenset[tuple[str, str]]
    backend: BackendAddress
    shells: str
    pool: AnswerPool
    describer: Describer
    overview: Overview
    dialect: Dialect
    look: Callable[[], Coroutine[Any, Any, object]]
    own_backend: Callable[[str], BackendAddress]
    _own_backends: dict[str, BackendAddress] = field(default_factory=dict)
    _aside: set[asyncio.Task[object]] = field(default_factory=set)
    _names_model: Remembered[str, bool] = field(default_factory=lambda: Remembered(_MOST))
    _answered_columns: Remembered[str, tuple[ResultColumn, ...]] = field(default_factory=lambda: Remembered(_MOST))

    def visitor(self, asks: Visitor) -> Visitor:
        """Somebody as he asks in it."""
        return replace(asks, model_ids=self.model_ids, catalog=self.catalog, star_tables=self.star_tables)

    async def backend_of(self, visitor: Visitor) -> BackendAddress:
        """The server as somebody finds it: with a role of his own, if he has proven who he is.

        Raises:
            psycopg.Error: the server refuses.
        """
        if visitor.reader is None:
            return self.backend
        name = visitor.reader.user
        if name not in self._own_backends:
            self._own_backends[name] = await self.pool.run(lambda: self.own_backend(name))
        return self._own_backends[name]

    async def refresh_overview(self) -> None:
        """Bring the tables about models up to date. It needs none of the threads that queries wait for."""
        if self.overview.is_old:
            await asyncio.to_thread(self.overview.refresh)
            # Both may ask the warehouse. What they find is told next time.
            self._do_aside(self.look())
            reasons = self.overview.reasons
            if reasons.are_wanted:
                self._do_aside(self.pool.ask(Visitor("", self.model_ids, self.catalog), reasons.find))

    def _do_aside(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(work)
        self._aside.add(task)
        task.add_done_callback(self._end_aside)

    def _end_aside(self, task: asyncio.Task[object]) -> None:
        self._aside.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.warning("What the catalog `%s` has is not known anew: %s", self.catalog, one_line(error))

    async def names_model(self, visitor: Visitor, sql: str) -> bool:
        """Whether a statement is for the engine. Remembered by its text."""
        if sql not in self._names_model:
            self._names_model[sql] = await self.pool.ask(visitor, lambda router: router.names_model(sql))
        return self._names_model[sql]

    async def describe(self, visitor: Visitor, sql: str, parameter_oids: tuple[int, ...]) -> Description:
        """What a statement on models takes and gives.

        PostgreSQL says it, of the empty tables. What it refuses the engine may understand, such as names in another
        case, labels, or the catalog before the name of a model.

        Raises:
            psycopg.Error: PostgreSQL refuses it, and its parameters need types that only PostgreSQL finds.
            SqlError: neither understands it: the state is PostgreSQL's, and the sentence the engine's.
        """
        description = await self._describe(visitor, sql, parameter_oids)
        return await self._with_answered_columns(visitor, sql, description) if selects_all(sql) else description

    async def _describe(self, visitor: Visitor, sql: str, parameter_oids: tuple[int, ...]) -> Description:
        if (known := self.describer.find(sql, parameter_oids)) is not None:
            return known
        describe = self.describer.describe
        try:
            return await self.pool.run(lambda: describe(sql, parameter_oids))
        except psycopg.Error as refusal:
            stripped = without_catalog(sql, self.catalog)
            if stripped != sql:
                with contextlib.suppress(psycopg.Error):
                    return await self.pool.run(lambda: describe(stripped, parameter_oids))
            if parameter_oids or "$" in sql:
                raise
            return await self._describe_by_engine(visitor, sql, refusal.sqlstate or "0A000")

    async def _with_answered_columns(self, visitor: Visitor, sql: str, description: Description) -> Description:
        """The description with the columns that a star has in the engine's answer.

        Of a model with several facts, a sample shows one fact: its rows have fewer columns than the empty table.
        """
        if sql not in self._answered_columns:
            values = [None] * len(description.parameter_oids)
            try:
                bound = with_values(sql, values, "postgres") if values else sql
                columns = (await self._describe_by_engine(visitor, bound, "0A000")).columns
            except (AtScaleAggsError, SqlError):
                # The query itself will be refused, and tell why.
                return description
            self._answered_columns[sql] = columns
        columns = self._answered_columns[sql]
        has_same_names = [column.name for column in columns] == [column.name for column in description.columns]
        return description if has_same_names else Description(description.parameter_oids, columns)

    async def _describe_by_engine(self, visitor: Visitor, sql: str, state: str) -> Description:
        try:
            columns = await self.pool.ask(visitor, lambda router: router.result_columns(sql))
        except QueryError as error:
            raise SqlError(error_response(state, str(error), H=pointer(codes_of(error)))) from error
        casts = (
            exp.alias_(exp.cast(exp.Null(), type_in_postgresql(kind, self.dialect)), name, quoted=True)
            for name, kind in columns
        )
        select = exp.select(*casts).sql("postgres")
        return await self.pool.run(lambda: self.describer.describe(select, ()))
