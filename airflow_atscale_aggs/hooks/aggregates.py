"""Opens the engine's workspace from an Airflow connection, and turns the engine's errors into Airflow's.

The engine is imported inside methods: a DAG file that imports operators must not pay for SQL libraries.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.log import mask_secret

from airflow_atscale_aggs.hooks.postgres_urls import POSTGRES_TYPES, extras_of, libpq_url
from airflow_atscale_aggs.hooks.secrets import secrets_of_url, with_password
from airflow_atscale_aggs.hooks.sentences import where_to_read_more, without_sql
from airflow_atscale_aggs.hooks.sql_connections import dialect_of_connection, open_connection, url_of
from airflow_atscale_aggs.metrics.emission import emit_query

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_atscale_aggs.engine.errors import AtScaleAggsError
    from airflow_atscale_aggs.engine.lifecycle.query.router import Answer
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader
    from airflow_atscale_aggs.engine.settings import Settings
    from airflow_atscale_aggs.engine.sql.capabilities import Dialect
    from airflow_atscale_aggs.engine.warehouse.base import Warehouse

CONFIG_SECTION = "atscale_aggs"

_CLEAR = "The table before it serves on. Repair the cause, then clear this task with its downstream tasks."
_log = logging.getLogger(__name__)


class AggregatesHook(BaseHook):
    """Connection type ``atscale_aggs``: where the registry and the warehouse are.

    Args:
        aggs_conn_id: the connection. Its extra fields:
            ``registry_url`` or ``registry_conn_id`` (a PostgreSQL connection): our own memory;
            ``warehouse_url`` or ``warehouse_conn_id`` (any SQL connection whose dialect has a capability row);
            ``registry_password`` and ``warehouse_password``: of a URL that names a user and no password;
            ``aggregate_schema``: where aggregate tables go.
    """

    conn_name_attr = "aggs_conn_id"
    default_conn_name = "atscale_aggs_default"
    conn_type = "atscale_aggs"
    hook_name = "Aggregate tables"

    def __init__(self, aggs_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.aggs_conn_id = aggs_conn_id
        self._read: tuple[Connection, Mapping[str, Any]] | None = None

    def get_conn(self, *, is_followed: bool = False) -> Workspace:
        """Open the workspace. Close it afterwards, or use it in a ``with`` block.

        Args:
            is_followed: it is used at once, and another task opens the same soon, as in the builds of a batch. The
                warehouse is opened beside the registry, and the log of a registry in SQLite is left for the next task.

        Raises:
            AirflowFailException: the connection does not say where registry or warehouse are.
            AtScaleAggsError: either cannot be opened.
        """
        from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

        connection = self.get_connection(self.aggs_conn_id)
        settings = read_settings()
        if not is_followed:
            return Workspace(self._registry(connection), self._warehouse(connection), settings).with_memory()
        warehouse = self._warehouse(connection)
        warehouse.open_ahead()
        try:
            registry = self._registry(connection)
        except BaseException:
            warehouse.close()
            raise
        registry.database.leaves_log = True
        return Workspace(registry, warehouse, settings).with_memory()

    @contextlib.contextmanager
    def get_registry(self) -> Iterator[RegistryReader]:
        """Open only the registry, for those that read and do not build. It raises the errors of `get_conn`."""
        registry = self._registry(self.get_connection(self.aggs_conn_id))
        try:
            yield registry.read
        finally:
            registry.close()

    def warehouse_url(self) -> str:
        """The warehouse's URL, which may hold a password.

        Raises AirflowFailException when the connection names none.
        """
        connection = self.get_connection(self.aggs_conn_id)
        url = self._url(connection, "warehouse")
        return url or url_of(self.get_connection(self._conn_id(connection, "warehouse")))

    def warehouse_dialect(self) -> Dialect:
        """The capability row of the warehouse, without connecting to it.

        Raises:
            AirflowFailException: the connection names no warehouse, or one that no installed provider runs SQL on.
            UnsupportedOnDialectError: no row fits it.
        """
        from airflow_atscale_aggs.engine.sql.dialects import dialect_of_url

        connection = self.get_connection(self.aggs_conn_id)
        url = self._url(connection, "warehouse")
        if url:
            return dialect_of_url(url)
        return dialect_of_connection(self.get_connection(self._conn_id(connection, "warehouse")))

    def answer(
        self, sql: str, *, as_user: str | None = None, as_groups: Sequence[str] | None = None, **options: Any
    ) -> Answer:
        """Run a query on a model, or plain SQL on tables, from aggregates where they serve.

        Args:
            as_user: who asks, for models with row security.
            as_groups: all groups that he belongs to, for row security by group.
            options: as `engine.lifecycle.query.router.answer` has them: ``model``, ``dialect``, ``use_aggregates``,
                ``max_staleness``, ``parameters``, ``user``.

        Raises:
            AirflowFailException: the query cannot be answered as asked; says which clause.
        """
        from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import bounds_of
        from airflow_atscale_aggs.engine.lifecycle.query.router import answer

        started = time.monotonic()
        with airflow_errors(), self.get_conn() as workspace:
            answered = answer(workspace, sql, bounds=bounds_of(as_user, as_groups), **options)
        emit_query(answered, time.monotonic() - started)
        return answered

    def get_records(self, sql: str, parameters: Any = None, **options: Any) -> list[tuple[Any, ...]]:
        """The rows of `answer`, as Airflow's SQL hooks return them."""
        return self.answer(sql, parameters=parameters, **options).rows

    def test_connection(self) -> tuple[bool, str]:
        """Open both databases, for Airflow's Test button. An error is returned as a sentence and never raised."""
        from airflow_atscale_aggs.engine.errors import AtScaleAggsError

        try:
            with self.get_conn() as workspace:
                workspace.read.models.current()
                with workspace.warehouse.session() as session:
                    session.fetch_all("SELECT 1")
        except (AtScaleAggsError, AirflowException) as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - drivers and other people's hooks raise anything, and the button shows it
            return False, f"The connection `{self.aggs_conn_id}` cannot be used: {type(error).__name__}: {error}"
        return True, "Registry and warehouse answer."

    def registry_url(self) -> str:
        """The registry's URL, which may hold a password. Raises AirflowFailException when the connection names none."""
        return self._registry_url(self.get_connection(self.aggs_conn_id))

    def open_warehouse(self, *, lock_timeout: float | None = None) -> Warehouse:
        """Open only the warehouse. It raises the errors of `get_conn`.

        Args:
            lock_timeout: seconds at most to wait while another process holds a DuckDB file; None: as its URL says.
        """
        return self._warehouse(self.get_connection(self.aggs_conn_id), lock_timeout)

    def _registry(self, connection: Connection) -> Registry:
        from airflow_atscale_aggs.engine.registry.registry import open_registry

        return open_registry(self._registry_url(connection))

    def _registry_url(self, connection: Connection) -> str:
        return self._url(connection, "registry") or self._postgres_url(connection, "registry")

    def _warehouse(self, connection: Connection, lock_timeout: float | None = None) -> Warehouse:
        from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

        schema = self._text(connection, "aggregate_schema")
        url = self._url(connection, "warehouse")
        if url:
            return open_warehouse(url, aggregate_schema=schema, lock_timeout=lock_timeout)
        warehouse = self.get_connection(self._conn_id(connection, "warehouse"))
        if warehouse.conn_type not in POSTGRES_TYPES:
            return open_connection(warehouse, aggregate_schema=schema)
        return open_warehouse(self._postgres_url(connection, "warehouse"), aggregate_schema=schema)

    def _url(self, connection: Connection, what: str) -> str:
        """The URL that the connection itself holds, with its password; empty when it holds none."""
        url = self._text(connection, f"{what}_url")
        if not url:
            return ""
        complete = with_password(url, self._text(connection, f"{what}_password"))
        for secret in secrets_of_url(complete):
            mask_secret(secret)
        return complete

    def _postgres_url(self, connection: Connection, what: str) -> str:
        """The URL of the PostgreSQL connection that the connection names."""
        conn_id = self._conn_id(connection, what)
        postgres = self.get_connection(conn_id)
        if postgres.conn_type not in POSTGRES_TYPES:
            message = f"Connection `{conn_id}` is a {postgres.conn_type} connection; the {what} needs PostgreSQL here."
            raise AirflowFailException(message)
        url = libpq_url(postgres)
        for secret in secrets_of_url(url):
            mask_secret(secret)
        return url

    def _conn_id(self, connection: Connection, what: str) -> str:
        conn_id = self._text(connection, f"{what}_conn_id")
        if conn_id:
            return conn_id
        message = (
            f"Connection `{self.aggs_conn_id}` does not say where the {what} is: fill in `{what}_url`, or "
            f"`{what}_conn_id` with the id of another Airflow connection."
        )
        raise AirflowFailException(message)

    def _text(self, connection: Connection, key: str) -> str:
        if self._read is None or self._read[0] is not connection:
            # Each look at the extras of a connection has Airflow's supervisor told what to mask, and waits for it.
            self._read = connection, extras_of(connection)
        value = self._read[1].get(key)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        message = f"Connection `{self.aggs_conn_id}`: the extra `{key}` must be a text, not {type(value).__name__}."
        raise AirflowFailException(message)


def read_settings() -> Settings:
    """The engine's settings from Airflow's configuration section ``[atscale_aggs]``.

    Raises:
        SettingError: an unknown option (with near names), or a value out of range.
    """
    from dataclasses import fields

    from airflow.sdk.configuration import conf

    from airflow_atscale_aggs.engine.errors import SettingError, near_names
    from airflow_atscale_aggs.engine.settings import Settings

    keys = {spec.name: spec.metadata["key"] for spec in fields(Settings)}
    section: dict[str, Any] = conf.getsection(CONFIG_SECTION) or {}
    for option in section:
        if option not in keys:
            raise SettingError(f"[{CONFIG_SECTION}] {option}", "there is no such option", near_names(option, keys))
    return Settings().with_values({keys[option]: value for option, value in section.items() if value not in {None, ""}})


@contextlib.contextmanager
def airflow_errors(logged: Container[str] = ()) -> Iterator[None]:
    """The one place that decides what Airflow does about an error of the engine.

    An error that is worth a retry (connection, lock, deadlock, another batch under way, attempts left) is raised, and
    Airflow retries. Every other error would occur again. It becomes an AirflowFailException with the same sentence: no
    retry.

    Either comes with one traceback, that of the innermost error of the engine: Airflow logs a chain of errors link by
    link, each with the same sentence. The statement that the warehouse refused stands in the log by itself, and not in
    the sentence.

    Args:
        logged: statements that are in the log already.
    """
    from airflow_atscale_aggs.engine.errors import AtScaleAggsError

    try:
        yield
    except AtScaleAggsError as error:
        innermost = _innermost(error)
        _log_statement(innermost, logged)
        raise _for_people(error).with_traceback(innermost.__traceback__) from None


def is_worth_retrying(error: Exception) -> bool:
    """Whether Airflow's next try may succeed."""
    from airflow_atscale_aggs.engine.errors import BatchHeldError, BuildFailedError

    if isinstance(error, BuildFailedError):
        return error.may_retry
    return isinstance(error, BatchHeldError) or bool(getattr(error, "is_transient", False))


def _innermost(error: AtScaleAggsError) -> AtScaleAggsError:
    """The error of the engine that the others were raised from."""
    from airflow_atscale_aggs.engine.errors import AtScaleAggsError

    while isinstance(error.__cause__, AtScaleAggsError):
        error = error.__cause__
    return error


def _for_people(error: AtScaleAggsError) -> Exception:
    """What is raised in place of an error: without its chain and without SQL; a build's failure says what to do."""
    from airflow_atscale_aggs.engine.errors import BuildFailedError, WarehouseError

    more = where_to_read_more(error)
    shown = copy.copy(error)
    if isinstance(error, BuildFailedError):
        shown = BuildFailedError(
            error.aggregate, error.instance_id, error.used, error.allowed, without_sql(error.cause)
        )
    elif isinstance(error, WarehouseError):
        shown = type(error)(error.dialect, "", error.reason)
    if is_worth_retrying(error):
        # The page shows no notes of exceptions, but lines of the log.
        shown.add_note(more)
        _log.info(more)
        return shown
    if not isinstance(shown, BuildFailedError):
        return AirflowFailException(f"{shown}\n{more}")
    # A line for each: Airflow's page does not wrap them, and the last ones say what to do.
    what = f"Aggregate `{shown.aggregate}` failed (attempt {shown.used} of {shown.allowed}):"
    return AirflowFailException(f"{what}\n{shown.cause}\n{_CLEAR}\n{more}")


def _log_statement(error: AtScaleAggsError, logged: Container[str]) -> None:
    from airflow_atscale_aggs.engine.errors import WarehouseError

    if not isinstance(error, WarehouseError) or not error.sql or error.sql in logged:
        return
    from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
    from airflow_atscale_aggs.engine.sql.statements import format_sql

    row = DIALECTS.get(error.dialect)
    _log.error("The warehouse refused:\n%s", format_sql(error.sql, row.sqlglot_name if row else ""))
