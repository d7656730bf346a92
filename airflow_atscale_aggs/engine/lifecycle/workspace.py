"""What every step of the life cycle works on: a registry, a warehouse, settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.settings_in_force import settings_in_force
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader, open_registry
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.warehouse.base import Warehouse
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse


@dataclass(frozen=True, slots=True)
class Workspace:
    """Passed to every function of the life cycle; it decides nothing itself.

    Attributes:
        registry: our memory, for those that write; whoever only reads is handed `read`.
        warehouse: the database with the facts.
        settings: defaults, overridden by the environment; a model's own values come on top (`settings_of`).
    """

    registry: Registry
    warehouse: Warehouse
    settings: Settings

    @property
    def read(self) -> RegistryReader:
        """What the registry knows; it cannot be written through this."""
        return self.registry.read

    def settings_of(self, model_id: str) -> Settings:
        """The settings in force for a model.

        Later ones win: the environment and Airflow, values set for all models, those in the model's SML folder, values
        set for this model by hand.
        """
        return settings_in_force(self.read, self.settings, model_id)

    def with_memory(self) -> Self:
        """This workspace, whose registry remembers what was proven of its warehouse."""
        contact = self.warehouse.first_contact if isinstance(self.warehouse, DbApiWarehouse) else None
        if contact is not None and contact.memory is None:
            contact.memory = _ProofMemory(self.registry)
        return self

    def close(self) -> None:
        """Give connections back."""
        self.warehouse.close()
        self.registry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _ProofMemory:
    """What was proven of warehouses, in the registry. See `warehouse.first_contact.ProofMemory`."""

    registry: Registry

    def recall(self, place: str) -> str:
        """What was proven of a warehouse; empty: nothing."""
        return self.registry.read.warehouse_proofs.find(place)

    def remember(self, place: str, proof: str) -> None:
        """Keep what was proven of a warehouse."""
        self.registry.warehouse_proofs.put(place, proof)


def open_workspace(
    *, registry: str, warehouse: str, aggregate_schema: str = "", settings: Mapping[str, object] | None = None
) -> Workspace:
    """A workspace on two database URLs.

    Args:
        registry: ``sqlite:///…`` or ``postgresql+psycopg://…``; an empty database is initialised.
        warehouse: ``duckdb:///…``, ``postgresql+psycopg://…`` or another SQLAlchemy URL whose dialect has a capability
            row.
        aggregate_schema: where aggregate tables and views go; empty: the warehouse's default schema.
        settings: values under the product's keys.

    Raises:
        RegistryVersionError: the registry's schema is older or newer than this program.
        SettingError: an unknown key or a value out of range.
    """
    values = Settings().with_values(settings or {})
    opened = open_warehouse(warehouse, aggregate_schema=aggregate_schema)
    return Workspace(open_registry(registry), opened, values).with_memory()


def utc_now() -> datetime:
    """The current time, for callers without a clock of their own."""
    return datetime.now(UTC)


def process_owner() -> str:
    """``host:pid:start`` of this process: who holds a lease, told apart from a later process with the same pid."""
    return f"{_host()}:{os.getpid()}:{_process_start(os.getpid())}"


def is_dead_process(owner: str) -> bool:
    """True when the owner was a process of this very machine that runs no more, so that its lease means nothing."""
    host, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if host != _host() or not pid.isdigit() or not start:
        return False
    return _process_start(int(pid)) != start


def _host() -> str:
    import socket  # noqa: PLC0415 - who only asks holds no lease

    return socket.gethostname()


def _process_start(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty when there is no such process or no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
