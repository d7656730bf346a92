"""Opens registries and warehouses for requests, and keeps registries open between them.

A registry is opened once for each connection, with a pool of connections that bounds what the server holds. A
warehouse is opened for one request and closed after it, since DuckDB lets one process at a time open a file, and the
builds need it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook, read_settings
from airflow_atscale_aggs.plugins.api.bounds import configured_bound
from airflow_atscale_aggs.plugins.api.problems import ProblemError

_MOST_REGISTRIES = 32
_CONNECT_SECONDS = 5
"""For which a request waits for the server of a registry."""

_LOOK_AGAIN = 10.0
"""Seconds after which a registry that could not be opened is tried again. A page asks for all of them all the time, and
each of its requests would wait.
"""

_LOCK_TIMEOUT = 1.5
"""Seconds for which a request waits for a DuckDB file that a task holds; then it is told when to ask again.

It has a slot of `access.warehouse_slots` meanwhile. So it waits for a shorter time than others wait for a slot:
requests for a file that is held refuse none for other warehouses.
"""


@dataclass(slots=True)
class _OpenRegistry:
    url: str
    registry: Registry


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a registry could not be opened; ``until``: it is not tried again before."""

    url: str
    error: RegistryUnavailableError
    until: float


class Places:
    """The registries that are open. Safe to share between threads.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _OpenRegistry] = OrderedDict()
        self._failed: dict[str, _Failure] = {}

    def hook(self, connection: str) -> AggregatesHook:
        """The hook of a connection.

        Raises:
            ProblemError: 404: there is no such connection; 409: it is of another type.
        """
        hook = AggregatesHook(connection)
        try:
            found = hook.get_connection(connection)
        except AirflowNotFoundException:
            detail = (
                f"There is no Airflow connection `{connection}`. Make one of type Aggregate tables, under Admin and "
                f"Connections, or as the variable AIRFLOW_CONN_{connection.upper()}."
            )
            raise ProblemError(HTTPStatus.NOT_FOUND, detail, "no-connection") from None
        if found.conn_type != hook.conn_type:
            detail = f"Airflow connection `{connection}` is of type `{found.conn_type}`; `{hook.conn_type}` is needed."
            raise ProblemError(HTTPStatus.CONFLICT, detail, "wrong-connection-type")
        return hook

    def registry(self, connection: str) -> Registry:
        """The registry of a connection; it is opened anew when the connection was changed.

        Raises:
            ProblemError: as `hook`.
            AirflowException, AtScaleAggsError: the registry cannot be opened.
        """
        url = self.hook(connection).registry_url()
        with self._lock:
            known = self._open.get(connection)
            if known is not None and known.url == url:
                self._open.move_to_end(connection)
                return known.registry
        opened = _OpenRegistry(url, self._try_to_open(connection, url))
        with self._lock:
            old = self._open.pop(connection, None)
            self._open[connection] = opened
            gone = [old] if old is not None else []
            while len(self._open) > _MOST_REGISTRIES:
                gone.append(self._open.popitem(last=False)[1])
        for closed in gone:
            # Connections that are in use go back to a pool that is no more, and are closed there.
            closed.registry.close()
        return opened.registry

    def _try_to_open(self, connection: str, url: str) -> Registry:
        """Open a registry. One that could not be opened just now raises the same error again."""
        with self._lock:
            failed = self._failed.get(connection)
            if failed is not None and failed.url == url and self._clock() < failed.until:
                raise failed.error.with_traceback(None)
        try:
            pool_size = configured_bound("registry_connections", 8)
            registry = open_registry(url, connect_seconds=_CONNECT_SECONDS, pool_size=pool_size)
        except RegistryUnavailableError as error:
            with self._lock:
                self._failed[connection] = _Failure(url, error, self._clock() + _LOOK_AGAIN)
            raise
        with self._lock:
            self._failed.pop(connection, None)
        return registry

    @contextlib.contextmanager
    def workspace(self, connection: str) -> Iterator[Workspace]:
        """Registry and warehouse, for the length of the block.

        Raises as `registry` does, and what opening the warehouse raises.
        """
        registry = self.registry(connection)
        warehouse = self.hook(connection).open_warehouse(lock_timeout=_LOCK_TIMEOUT)
        try:
            yield Workspace(registry, warehouse, read_settings()).with_memory()
        finally:
            warehouse.close()

    def close(self) -> None:
        """Close all registries."""
        with self._lock:
            gone, self._open = list(self._open.values()), OrderedDict()
            self._failed.clear()
        for opened in gone:
            opened.registry.close()
