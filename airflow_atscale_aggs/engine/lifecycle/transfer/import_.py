"""Import system-defined definitions from the file of another system.

Only names are in the file. Every definition is resolved against the model that is deployed here, and its identity is
made from that model.

Source: AtScale, "Exporting And Importing System-Defined Aggregate Definitions".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus, definition_id
from airflow_atscale_aggs.engine.aggregates.exported import (
    ExportedDefinition,
    ExportedStatistics,
    ExportFile,
    read_export,
)
from airflow_atscale_aggs.engine.aggregates.system_defined import NamedMeaning, ResolvedMeaning, SystemDefiner
from airflow_atscale_aggs.engine.errors import ImportRefusedError, ModelRetiredError, NotRegisteredError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.transfer.garbage_collection import pause_collection
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.registry.definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.registry.records import ModelRecord, ProposedDefinition
from airflow_atscale_aggs.engine.registry.registry import Registry

SOURCE_PREFIX = "source_"
"""How the names of figures begin that come from the system which exported the definition."""


class ImportOutcome(StrEnum):
    """What became of a definition of the file."""

    IMPORTED = "imported"
    RETURNED = "returned"
    """It had been retired here, and is defined again."""

    DUPLICATE = "duplicate"
    """One of the same meaning is defined here already, by whomever; ignored."""

    BLOCKED = "blocked"
    """A person has blocked it here; ignored."""

    REFUSED = "refused"
    """The model deployed here lacks something that it names."""


class ImportedDefinition(msgspec.Struct, frozen=True, gc=False):
    """One definition of the file.

    ``name`` is the one it has here; ``why`` is for people, empty when it was imported.
    """

    name: str
    outcome: ImportOutcome
    why: str = ""
    definition_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        product_version, exported_at: of the file.
        definitions: one per definition of the file, in its order.
        to_build: names of those definitions of the file for which no batch was begun yet.
    """

    model: str
    model_id: str
    product_version: str
    exported_at: datetime | None
    definitions: tuple[ImportedDefinition, ...]
    to_build: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of definitions by outcome, those that occur."""
        return dict(Counter(str(definition.outcome) for definition in self.definitions))


def import_definitions(
    workspace: Workspace, model: str, data: bytes, *, where: str = "The file", now: datetime
) -> ImportReport:
    """Record the definitions of a file.

    Nothing is built; ``to_build`` of the report names what the next batch must build.

    The report names duplicates and definitions that this model cannot have. They do not stop the others. Importing the
    same file again changes nothing.

    Args:
        model: name or id of the deployed model that they are for.
        data: the file.
        where: its name, for messages.

    Raises:
        ImportRefusedError: the model is not deployed here, the file is of another model or of a newer version, damaged
            or hostile; nothing was recorded.
    """
    read = workspace.read
    try:
        record = read.models.get_deployed(model)
    except (NotRegisteredError, ModelRetiredError) as error:
        reason = f"the model is not deployed here ({str(error).rstrip('.')})"
        remedy = "Deploy the same SML here first: `atscale-aggs deploy DIR`."
        raise ImportRefusedError(where, reason, remedy) from error
    with pause_collection():
        file, warnings = read_export(data, where=where, product_version=__version__)
    if file.model_id != record.id:
        reason = (
            f"it is of model `{file.catalog}.{file.model}` with ModelID {file.model_id}, and `{record.catalog}."
            f"{record.name}` has ModelID {record.id}"
        )
        remedy = "Definitions move between models with the same ModelID only: deploy the same catalog and model here."
        raise ImportRefusedError(where, reason, remedy)
    if file.model_hash != read.models.content_hash(record.deployment_id):
        warnings += ("The model deployed here is not the same as where the file was made.",)
    with pause_collection():
        imported = _Import(workspace.registry, record).run(file, now)
    definitions_in_batches = read.definitions.ids_with_instances(record.id)
    waiting = {
        definition.definition_id: definition.name
        for definition in imported
        if definition.outcome not in _NEVER_BUILT and definition.definition_id not in definitions_in_batches
    }
    return ImportReport(
        model=record.name,
        model_id=record.id,
        product_version=file.product_version,
        exported_at=file.exported_at,
        definitions=imported,
        to_build=tuple(waiting.values()),
        warnings=warnings,
    )


_NEVER_BUILT = (ImportOutcome.BLOCKED, ImportOutcome.REFUSED)

_ORIGINS = {origin.value: origin for origin in DefinitionOrigin}

_IGNORED = {
    DefinitionStatus.DEFINED: DefinitionOutcome.DUPLICATE,
    DefinitionStatus.BLOCKED: DefinitionOutcome.BLOCKED,
}
"""Definitions that stand here already are not made again, so that importing the same file again is cheap."""


class _Import:
    """One import into one model."""

    def __init__(self, registry: Registry, record: ModelRecord) -> None:
        self._registry, self._record = registry, record
        model = read_deployed_model(registry.read, record)
        self._definer = SystemDefiner(record.id, model, JoinPaths(model))

    def run(self, file: ExportFile, now: datetime) -> tuple[ImportedDefinition, ...]:
        """Resolve all definitions, record the new ones in one transaction, and return what became of each."""
        registered = self._registry.read.definitions.names_and_statuses(self._record.id)
        resolved = [self._resolve(exported) for exported in file.definitions]
        outcomes: list[DefinitionOutcome | None] = []
        proposals: list[ProposedDefinition] = []
        identities: list[str] = []
        for exported, meaning in zip(file.definitions, resolved, strict=True):
            identity = definition_id(meaning.fingerprint) if isinstance(meaning, ResolvedMeaning) else ""
            identities.append(identity)
            outcomes.append(_IGNORED.get(registered[identity][1]) if identity in registered else None)
            if isinstance(meaning, ResolvedMeaning) and outcomes[-1] is None:
                proposals.append(self._proposal(exported, meaning, identity))
        recorded = iter(self._registry.definitions.add_named(proposals, now=now))
        return tuple(
            _refuse_definition(exported, meaning)
            if not isinstance(meaning, ResolvedMeaning)
            else _describe_outcome(
                exported, identity, *((outcome, registered[identity][0]) if outcome else next(recorded))
            )
            for exported, meaning, outcome, identity in zip(
                file.definitions, resolved, outcomes, identities, strict=True
            )
        )

    def _resolve(self, exported: ExportedDefinition) -> ResolvedMeaning | tuple[str, ...]:
        grain = dict.fromkeys(
            [(attribute.dimension, attribute.role, attribute.attribute) for attribute in exported.attributes]
        )
        facts = exported.facts if len(exported.facts) == 1 else tuple(sorted(set(exported.facts)))
        return self._definer.resolve(NamedMeaning(facts, tuple(grain), exported.metrics))

    def _proposal(self, exported: ExportedDefinition, resolved: ResolvedMeaning, identity: str) -> ProposedDefinition:
        definition = self._definer.define(
            resolved,
            name=exported.name,
            label=exported.label or exported.name,
            origin=_ORIGINS[exported.origin],
        )
        evidence = {**exported.evidence, **_source_figures(exported.statistics)}
        return ProposedDefinition(
            definition=definition,
            reason=exported.reason,
            evidence=evidence,
            identity=(identity, resolved.fingerprint),
        )


def _describe_outcome(
    exported: ExportedDefinition, identity: str, outcome: DefinitionOutcome, name: str
) -> ImportedDefinition:
    match outcome:
        case DefinitionOutcome.ADDED:
            why = "" if name == exported.name else f"the file calls it `{exported.name}`, a name that is taken here"
            return ImportedDefinition(name, ImportOutcome.IMPORTED, why, identity)
        case DefinitionOutcome.RETURNED:
            return ImportedDefinition(name, ImportOutcome.RETURNED, "it was retired here", identity)
        case DefinitionOutcome.DUPLICATE:
            why = (
                "it is defined here already"
                if name == exported.name
                else f"it means the same as `{name}` of this system"
            )
            return ImportedDefinition(exported.name, ImportOutcome.DUPLICATE, why, identity)
        case DefinitionOutcome.BLOCKED:
            why = f"a person has blocked `{name}` here; it stays so"
            return ImportedDefinition(exported.name, ImportOutcome.BLOCKED, why, identity)


def _refuse_definition(exported: ExportedDefinition, missing: tuple[str, ...]) -> ImportedDefinition:
    why = f"the model deployed here lacks {'; '.join(missing)}"
    return ImportedDefinition(exported.name, ImportOutcome.REFUSED, why)


_NO_STATISTICS = ExportedStatistics()


def _source_figures(statistics: ExportedStatistics) -> dict[str, float]:
    """Figures of the system that the definition came from, as evidence. Unknown figures are left out."""
    if statistics == _NO_STATISTICS:
        return {}
    figures = {
        "uses": statistics.uses,
        "query_seconds": statistics.query_seconds,
        "rows": statistics.rows,
        "build_seconds": statistics.build_seconds,
        "bytes": statistics.size_bytes,
        "score": statistics.score,
    }
    return {f"{SOURCE_PREFIX}{name}": float(value) for name, value in figures.items() if value}
