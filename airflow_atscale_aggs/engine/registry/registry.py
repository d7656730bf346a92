"""Our memory, put together from its parts: one for each subject, a reader and a writer apart.

Whoever only reads is handed a `RegistryReader`, which cannot write: the router, the page, sensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.attempts import AttemptReader, AttemptWriter
from airflow_atscale_aggs.engine.registry.batches import BatchReader, BatchWriter
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.definitions import DefinitionReader, DefinitionWriter
from airflow_atscale_aggs.engine.registry.evaluations import EvaluationReader, EvaluationWriter
from airflow_atscale_aggs.engine.registry.instances import InstanceReader, InstanceWriter
from airflow_atscale_aggs.engine.registry.models import ModelReader, ModelWriter
from airflow_atscale_aggs.engine.registry.ownership import OwnershipReader, OwnershipWriter
from airflow_atscale_aggs.engine.registry.query_records import QueryReader, QueryWriter
from airflow_atscale_aggs.engine.registry.setting_records import SettingReader, SettingWriter
from airflow_atscale_aggs.engine.registry.slice_records import SliceReader, SliceWriter
from airflow_atscale_aggs.engine.registry.successions import SuccessionReader, SuccessionWriter
from airflow_atscale_aggs.engine.registry.users import UserReader, UserWriter
from airflow_atscale_aggs.engine.registry.warehouse_proofs import WarehouseProofReader, WarehouseProofWriter
from airflow_atscale_aggs.engine.registry.written_tables import WrittenTableReader, WrittenTableWriter

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.lists import ListReader


@dataclass(frozen=True, slots=True)
class RegistryReader:
    """Everything that can be read. Every call sees committed data. Safe to share between threads."""

    models: ModelReader
    definitions: DefinitionReader
    instances: InstanceReader
    batches: BatchReader
    attempts: AttemptReader
    tables: WrittenTableReader
    queries: QueryReader
    evaluations: EvaluationReader
    successions: SuccessionReader
    settings: SettingReader
    ownership: OwnershipReader
    warehouse_proofs: WarehouseProofReader
    users: UserReader
    slices: SliceReader

    @classmethod
    def over(cls, database: RegistryDatabase) -> Self:
        """The reader of a database."""
        return cls(
            ModelReader(database),
            DefinitionReader(database),
            InstanceReader(database),
            BatchReader(database),
            AttemptReader(database),
            WrittenTableReader(database),
            QueryReader(database),
            EvaluationReader(database),
            SuccessionReader(database),
            SettingReader(database),
            OwnershipReader(database),
            WarehouseProofReader(database),
            UserReader(database),
            SliceReader(database),
        )

    @property
    def lists(self) -> ListReader:
        """Lists by pages."""
        # Pages show them, and no verb of the command line does.
        from airflow_atscale_aggs.engine.registry.lists import ListReader  # noqa: PLC0415

        return ListReader.over(self.models.database)


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that can be written, and the reader. Safe to share between threads.

    Every write is one transaction, and every status is moved by compare-and-set.
    """

    database: RegistryDatabase
    read: RegistryReader
    models: ModelWriter
    definitions: DefinitionWriter
    instances: InstanceWriter
    batches: BatchWriter
    attempts: AttemptWriter
    tables: WrittenTableWriter
    queries: QueryWriter
    evaluations: EvaluationWriter
    successions: SuccessionWriter
    settings: SettingWriter
    ownership: OwnershipWriter
    warehouse_proofs: WarehouseProofWriter
    users: UserWriter
    slices: SliceWriter

    @classmethod
    def over(cls, database: RegistryDatabase) -> Self:
        """The registry in a database."""
        return cls(
            database,
            RegistryReader.over(database),
            ModelWriter(database),
            DefinitionWriter(database),
            InstanceWriter(database),
            BatchWriter(database),
            AttemptWriter(database),
            WrittenTableWriter(database),
            QueryWriter(database),
            EvaluationWriter(database),
            SuccessionWriter(database),
            SettingWriter(database),
            OwnershipWriter(database),
            WarehouseProofWriter(database),
            UserWriter(database),
            SliceWriter(database),
        )

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
