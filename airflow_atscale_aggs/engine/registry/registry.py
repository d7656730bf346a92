"""Our memory, put together from its parts: one for each subject, a reader and a writer apart.

Whoever only reads is handed a `RegistryReader`, which cannot write: the router, the page, sensors.
"""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.attempts import AttemptReader, AttemptWriter
    from airflow_atscale_aggs.engine.registry.batches import BatchReader, BatchWriter
    from airflow_atscale_aggs.engine.registry.definitions import DefinitionReader, DefinitionWriter
    from airflow_atscale_aggs.engine.registry.evaluations import EvaluationReader, EvaluationWriter
    from airflow_atscale_aggs.engine.registry.instances import InstanceReader, InstanceWriter
    from airflow_atscale_aggs.engine.registry.lists import ListReader
    from airflow_atscale_aggs.engine.registry.models import ModelReader, ModelWriter
    from airflow_atscale_aggs.engine.registry.ownership import OwnershipReader, OwnershipWriter
    from airflow_atscale_aggs.engine.registry.query_records import QueryReader, QueryWriter
    from airflow_atscale_aggs.engine.registry.setting_records import SettingReader, SettingWriter
    from airflow_atscale_aggs.engine.registry.slice_records import SliceReader, SliceWriter
    from airflow_atscale_aggs.engine.registry.successions import SuccessionReader, SuccessionWriter
    from airflow_atscale_aggs.engine.registry.users import UserReader, UserWriter
    from airflow_atscale_aggs.engine.registry.warehouse_proofs import WarehouseProofReader, WarehouseProofWriter
    from airflow_atscale_aggs.engine.registry.written_tables import WrittenTableReader, WrittenTableWriter

Part = TypeVar("Part")


class _Part(Generic[Part]):
    """A part, whose module is imported when somebody asks for it: most verbs and tasks need a few of them."""

    def __init__(self, name: str) -> None:
        self._module, _, self._class = name.partition(".")

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    @overload
    def __get__(self, holder: None, owner: type) -> Self: ...

    @overload
    def __get__(self, holder: RegistryReader | Registry, owner: type) -> Part: ...

    def __get__(self, holder: RegistryReader | Registry | None, owner: type) -> Self | Part:
        if holder is None:
            return self
        module: Any = importlib.import_module(f"airflow_atscale_aggs.engine.registry.{self._module}")
        part: Part = getattr(module, self._class)(holder.database)
        # Python finds it there from now on. Two threads may each make one, which are the same.
        vars(holder)[self._attribute] = part
        return part


@dataclass(frozen=True)
class RegistryReader:
    """Everything that can be read. Every call sees committed data. Safe to share between threads."""

    database: RegistryDatabase

    models: ClassVar[_Part[ModelReader]] = _Part("models.ModelReader")
    definitions: ClassVar[_Part[DefinitionReader]] = _Part("definitions.DefinitionReader")
    instances: ClassVar[_Part[InstanceReader]] = _Part("instances.InstanceReader")
    batches: ClassVar[_Part[BatchReader]] = _Part("batches.BatchReader")
    attempts: ClassVar[_Part[AttemptReader]] = _Part("attempts.AttemptReader")
    tables: ClassVar[_Part[WrittenTableReader]] = _Part("written_tables.WrittenTableReader")
    queries: ClassVar[_Part[QueryReader]] = _Part("query_records.QueryReader")
    evaluations: ClassVar[_Part[EvaluationReader]] = _Part("evaluations.EvaluationReader")
    successions: ClassVar[_Part[SuccessionReader]] = _Part("successions.SuccessionReader")
    settings: ClassVar[_Part[SettingReader]] = _Part("setting_records.SettingReader")
    ownership: ClassVar[_Part[OwnershipReader]] = _Part("ownership.OwnershipReader")
    warehouse_proofs: ClassVar[_Part[WarehouseProofReader]] = _Part("warehouse_proofs.WarehouseProofReader")
    users: ClassVar[_Part[UserReader]] = _Part("users.UserReader")
    slices: ClassVar[_Part[SliceReader]] = _Part("slice_records.SliceReader")

    @classmethod
    def over(cls, database: RegistryDatabase) -> Self:
        """The reader of a database."""
        return cls(database)

    @property
    def lists(self) -> ListReader:
        """Lists by pages."""
        # Pages show them, and no verb of the command line does.
        from airflow_atscale_aggs.engine.registry.lists import ListReader  # noqa: PLC0415

        return ListReader.over(self.database)


@dataclass(frozen=True)
class Registry:
    """Everything that can be written, and the reader. Safe to share between threads.

    Every write is one transaction, and every status is moved by compare-and-set.
    """

    database: RegistryDatabase

    models: ClassVar[_Part[ModelWriter]] = _Part("models.ModelWriter")
    definitions: ClassVar[_Part[DefinitionWriter]] = _Part("definitions.DefinitionWriter")
    instances: ClassVar[_Part[InstanceWriter]] = _Part("instances.InstanceWriter")
    batches: ClassVar[_Part[BatchWriter]] = _Part("batches.BatchWriter")
    attempts: ClassVar[_Part[AttemptWriter]] = _Part("attempts.AttemptWriter")
    tables: ClassVar[_Part[WrittenTableWriter]] = _Part("written_tables.WrittenTableWriter")
    queries: ClassVar[_Part[QueryWriter]] = _Part("query_records.QueryWriter")
    evaluations: ClassVar[_Part[EvaluationWriter]] = _Part("evaluations.EvaluationWriter")
    successions: ClassVar[_Part[SuccessionWriter]] = _Part("successions.SuccessionWriter")
    settings: ClassVar[_Part[SettingWriter]] = _Part("setting_records.SettingWriter")
    ownership: ClassVar[_Part[OwnershipWriter]] = _Part("ownership.OwnershipWriter")
    warehouse_proofs: ClassVar[_Part[WarehouseProofWriter]] = _Part("warehouse_proofs.WarehouseProofWriter")
    users: ClassVar[_Part[UserWriter]] = _Part("users.UserWriter")
    slices: ClassVar[_Part[SliceWriter]] = _Part("slice_records.SliceWriter")

    @classmethod
    def over(cls, database: RegistryDatabase) -> Self:
        """The registry in a database."""
        return cls(database)

    @cached_property
    def read(self) -> RegistryReader:
        """Everything that can be read."""
        return RegistryReader(self.database)

    def close(self) -> None:
        """Close all connections."""
        self.database.dispose()


def open_registry(url: str, *, connect_seconds: int | None = None, pool_size: int | None = None) -> Registry:
    """The registry in a database; an empty database is initialised.

    Args:
        url: ``sqlite:///registry.sqlite`` or ``postgresql+psycopg://…``.
        connect_seconds, pool_size: as `RegistryDatabase` has them.

    Raises:
        RegistryVersionError: its schema is older or newer; names both versions and the command that upgrades it.
        RegistryUnavailableError: the database cannot be reached.
    """
    database = RegistryDatabase(url, connect_seconds=connect_seconds, pool_size=pool_size)
    if not database.check_version():
        upgrade_registry(url)
    return Registry.over(database)
