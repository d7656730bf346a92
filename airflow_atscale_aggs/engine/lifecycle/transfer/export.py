"""Export the system-defined definitions of a model to a file, with their statistics and the reason why they exist.

Only names go into the file. Where tables and columns are is decided by the model that is deployed where the file is
imported.

Source: AtScale, "Exporting And Importing System-Defined Aggregate Definitions".
"""

from __future__ import annotations

from datetime import datetime

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, definition_id
from airflow_atscale_aggs.engine.aggregates.exported import (
    FORMAT,
    FORMAT_VERSION,
    PLAIN_ROLE,
    ExportedAttribute,
    ExportedDefinition,
    ExportedStatistics,
    ExportHeader,
    write_export,
)
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.transfer.garbage_collection import pause_collection
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, InstanceRecord, UsageRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader

_EVER_BUILT = frozenset({InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED, InstanceStatus.DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file of definitions: its content, and how many are in it."""

    model: str
    data: bytes
    definitions: int


def export_definitions(workspace: Workspace, model: str, *, now: datetime) -> Export:
    """Write the system-defined definitions of a model to a file.

    Retired and blocked definitions are left out. User-defined ones are left out too, since they are part of the model.

    Args:
        model: name or id.

    Raises:
        NotRegisteredError: no such model.
    """
    read = workspace.read
    model_record = read.models.get(model)
    header = ExportHeader(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        product_version=__version__,
        model_id=model_record.id,
        catalog=model_record.catalog,
        model=model_record.name,
        model_version=model_record.version,
        model_hash=read.models.content_hash(model_record.deployment_id),
        exported_at=now,
    )
    with pause_collection():
        figures = _Figures(read, model_record.id)
        records = [
            record
            for record in read.definitions.of_model(model_record.id)
            if record.definition.origin.is_system_defined
        ]
        data = write_export(header, (_export_definition(record, figures) for record in records))
    return Export(model=model_record.name, data=data, definitions=len(records))


class _Figures:
    """Statistics of a model's definitions, read once."""

    def __init__(self, read: RegistryReader, model_id: str) -> None:
        self._usages: dict[str, list[UsageRecord]] = {}
        for usage in read.queries.usages(model_id):
            self._usages.setdefault(usage.definition_id, []).append(usage)
        self._newest: dict[tuple[str, str], InstanceRecord] = {}
        for instance in read.instances.find(model_id=model_id):
            if instance.status in _EVER_BUILT:
                self._newest.setdefault((instance.step.definition_id, instance.step.fact), instance)
        self._evaluations = {evaluation.definition_id: evaluation for evaluation in read.evaluations.find(model_id)}

    def of(self, record: DefinitionRecord, definition: str) -> ExportedStatistics:
        """The statistics of one definition, all its facts together."""
        usages = self._usages.get(definition, [])
        newest = [self._newest.get((definition, part.fact)) for part in record.definition.parts]
        built = [instance for instance in newest if instance is not None]
        evaluation = self._evaluations.get(definition)
        return ExportedStatistics(
            uses=sum(usage.uses for usage in usages),
            query_seconds=sum(usage.seconds for usage in usages),
            last_used_at=max((usage.last_used_at for usage in usages), default=None),
            rows=sum(instance.rows or 0 for instance in built) if built else None,
            build_seconds=sum(instance.seconds or 0.0 for instance in built) if built else None,
            size_bytes=evaluation.size_bytes if evaluation is not None else None,
            score=evaluation.score if evaluation is not None else None,
        )


def _export_definition(record: DefinitionRecord, figures: _Figures) -> ExportedDefinition:
    definition = record.definition
    fingerprint = definition.fingerprint
    return ExportedDefinition(
        name=definition.name,
        label="" if definition.label == definition.name else definition.label,
        origin="demand_defined" if definition.origin is DefinitionOrigin.DEMAND_DEFINED else "prediction_defined",
        fingerprint=fingerprint,
        facts=tuple(part.fact for part in definition.parts),
        attributes=tuple(_export_attribute(bound.attribute) for bound in definition.parts[0].attributes),
        metrics=definition.metrics,
        defined_at=record.defined_at,
        reason=record.reason,
        evidence=dict(record.evidence),
        statistics=figures.of(record, definition_id(fingerprint)),
    )


def _export_attribute(attribute: GrainAttribute) -> ExportedAttribute:
    """The attribute by its names. The role is left out where it is the plain attribute."""
    role = attribute.role
    if role.template == PLAIN_ROLE:
        return ExportedAttribute(role.dimension, attribute.name)
    return ExportedAttribute(role.dimension, attribute.name, role.template)
