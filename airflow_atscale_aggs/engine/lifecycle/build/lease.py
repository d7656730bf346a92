"""Keeps a batch's lease alive while the warehouse works."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

from airflow_atscale_aggs.engine.errors import RegistryError
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.registry.registry import Registry


class LeaseKeeper:
    """Renews a lease three times per lease in a thread of its own, for the length of a ``with`` block.

    A renewal that fails is tried again at the next turn: compare-and-set on every status decides who may go on, the
    lease only tells others not to begin.
    """

    def __init__(self, registry: Registry, batch_id: str, *, owner: str, lease: timedelta) -> None:
        self._registry, self._batch_id, self._owner, self._lease = registry, batch_id, owner, lease
        self._over = threading.Event()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        self._schedule()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        self._timer = threading.Timer(self._lease.total_seconds() / 3, self._renew)
        self._timer.daemon = True
        self._timer.start()

    def _renew(self) -> None:
        if self._over.is_set():
            return
        try:
            self._registry.batches.renew_lease(self._batch_id, owner=self._owner, until=utc_now() + self._lease)
        except RegistryError:
            pass
        finally:
            if not self._over.is_set():
                self._schedule()
