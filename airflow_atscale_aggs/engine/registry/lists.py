"""All lists that pages show, put together."""

from __future__ import annotations

from typing import Self

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.attention import AttentionReader
from airflow_atscale_aggs.engine.registry.batch_lists import BatchLists
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionLists
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceLists
from airflow_atscale_aggs.engine.registry.query_lists import QueryLists


@dataclass(frozen=True, slots=True)
class ListReader:
    """Lists that are filtered, sorted and paged by cursor, quick at any length. Safe to share between threads."""

    definitions: DefinitionLists
    instances: InstanceLists
    batches: BatchLists
    queries: QueryLists
    attention: AttentionReader

    @classmethod
    def over(cls, database: RegistryDatabase) -> Self:
        """The lists of a database."""
        return cls(
            DefinitionLists(database),
            InstanceLists(database),
            BatchLists(database),
            QueryLists(database),
            AttentionReader(database),
        )
