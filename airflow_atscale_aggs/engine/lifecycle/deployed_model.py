"""Read a model as it is deployed: from the content that the registry keeps, without the folder that it came from."""

from __future__ import annotations

from airflow_atscale_aggs.engine.model.resolving import resolve_stored_model
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader


def read_deployed_model(
    read: RegistryReader, record: ModelRecord, *, deployment_id: str | None = None
) -> SemanticModel:
    """The model of a deployment; None: of the one that stands.

    Raises:
        ModelFileError: what the registry keeps of it cannot be read.
    """
    return resolve_stored_model(read.models.content(deployment_id or record.deployment_id), record.name)
