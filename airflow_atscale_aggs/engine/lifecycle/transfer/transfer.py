"""System-defined definitions travel: from one system to a file, and from the file to another system with the same model.

Only names travel. Where columns and tables are is the target's own affair: every definition is resolved against the model
that is deployed there, and has the identity that it gets there.

Source: AtScale, "Exporting And Importing System-Defined Aggregate Definitions".
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, definition_id
from airflow_atscale_aggs.engine.aggregates.exported import (
    FORMAT,
    FORMAT_VERSION,
    PLAIN_ROLE,
    ExportedAttribute,
    ExportedDefinition,
    ExportedStatistics,
    ExportFile,
    ExportHeader,
    read_export,
    write_export,
)
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.system_defined import NamedMeaning, ResolvedMeaning, SystemDefiner
from airflow_atscale_aggs.engine.errors import ImportRefusedError, ModelRetiredError, NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.registry.records import (
    DefinitionRecord,
    InstanceRecord,
    ModelRecord,
    ProposedDefinition,
    UsageRecord,
)
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.system_definitions import DefinitionOutcome

SOURCE_PREFIX = "source_"
"""Names of figures in a definition's evidence that tell how it fared on the system it came from."""


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
    """One definition of the file. ``name`` is the one it has here; ``why`` is for people, empty when it was imported."""

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
        return dict(Counter(str(one.outcome) for one in self.definitions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file of definitions: its content, and how many are in it."""

    model: str
    data: bytes
    definitions: int


def export_definitions(workspace: Workspace, model: str, *, now: datetime) -> Export:
    """The system-defined definitions of a model as a file, with their statistics and the reason why they exist.

    Retired and blocked ones stay; user-defined ones are part of the model.

    Args:
        model: name or id.

    Raises:
        NotRegisteredError: no such model.
    """
    registry = workspace.registry
    record = registry.model(model)
    header = ExportHeader(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        product_version=__version__,
        model_id=record.id,
        catalog=record.catalog,
        model=record.name,
        model_version=record.version,
        model_hash=registry.content_hash(record.deployment_id),
        exported_at=now,
    )
    with _no_collection():
        figures = _Figures(registry, record.id)
        found = [one for one in registry.definitions(record.id) if one.definition.origin.is_system_defined]
        data = write_export(header, (_exported(one, figures) for one in found))
    return Export(model=record.name, data=data, definitions=len(found))


def import_definitions(
    workspace: Workspace, model: str, data: bytes, *, where: str = "The file", now: datetime
) -> ImportReport:
    """Record the definitions of a file. Nothing is built; ``to_build`` says what is to be.

    Duplicates and definitions that this model cannot have are told one by one and stop nobody. The same file again changes
    nothing.

    Args:
        model: name or id of the deployed model that they are for.
        data: the file.
        where: its name, for messages.

    Raises:
        ImportRefusedError: the model is not deployed here, the file is of another model or of a newer version, damaged or
            hostile; nothing was recorded.
    """
    registry = workspace.registry
    try:
        record = registry.deployed_model(model)
    except (NotRegisteredError, ModelRetiredError) as error:
        reason = f"the model is not deployed here ({str(error).rstrip('.')})"
        remedy = "Deploy the same SML here first: `atscale-aggs deploy DIR`."
        raise ImportRefusedError(where, reason, remedy) from error
    with _no_collection():
        found, warnings = read_export(data, where=where, product_version=__version__)
    if found.model_id != record.id:
        reason = (
            f"it is of model `{found.catalog}.{found.model}` with ModelID {found.model_id}, and `{record.catalog}."
            f"{record.name}` has ModelID {record.id}"
        )
        remedy = "Definitions move between models with the same ModelID only: deploy the same catalog and model here."
        raise ImportRefusedError(where, reason, remedy)
    if found.model_hash != registry.content_hash(record.deployment_id):
        warnings += ("The model deployed here is not the same as where the file was made.",)
    with _no_collection():
        outcomes = _Importing(workspace.registry, record).run(found, now)
    begun = registry.definitions_with_instances(record.id)
    waiting = {
        one.definition_id: one.name
        for one in outcomes
        if one.outcome not in {ImportOutcome.BLOCKED, ImportOutcome.REFUSED} and one.definition_id not in begun
    }
    return ImportReport(
        model=record.name,
        model_id=record.id,
        product_version=found.product_version,
        exported_at=found.exported_at,
        definitions=outcomes,
        to_build=tuple(waiting.values()),
        warnings=warnings,
    )


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Everything made here lives until the end; the collector would look at all of it again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_IGNORED = {"defined": DefinitionOutcome.DUPLICATE, "blocked": DefinitionOutcome.BLOCKED}
"""What stands here already is not even made: importing the same file again is cheap."""


class _Importing:
    """One import into one model."""

    def __init__(self, registry: Registry, record: ModelRecord) -> None:
        self._registry, self._record = registry, record
        model = read_deployed_model(registry, record)
        self._definer = SystemDefiner(record.id, model, JoinPaths(model))

    def run(self, found: ExportFile, now: datetime) -> tuple[ImportedDefinition, ...]:
        """Resolve everything, record what is new in one transaction, tell what became of each."""
        known = self._registry.known_definitions(self._record.id)
        resolved = [self._resolve(one) for one in found.definitions]
        outcomes: list[DefinitionOutcome | None] = []
        proposed: list[ProposedDefinition] = []
        identities: list[str] = []
        for one, meaning in zip(found.definitions, resolved, strict=True):
            identity = definition_id(meaning.fingerprint) if isinstance(meaning, ResolvedMeaning) else ""
            identities.append(identity)
            outcomes.append(_IGNORED.get(known.get(identity, ("", ""))[1]))
            if isinstance(meaning, ResolvedMeaning) and outcomes[-1] is None:
                proposed.append(self._proposal(one, meaning, identity))
        recorded = iter(self._registry.add_definitions(proposed, now=now))
        if proposed:
            known = self._registry.known_definitions(self._record.id)
        return tuple(
            _refused(one, meaning)
            if not isinstance(meaning, ResolvedMeaning)
            else _told(one, outcome or next(recorded), identity, known[identity][0])
            for one, meaning, outcome, identity in zip(found.definitions, resolved, outcomes, identities, strict=True)
        )

    def _resolve(self, one: ExportedDefinition) -> ResolvedMeaning | tuple[str, ...]:
        grain = dict.fromkeys([(each.dimension, each.role, each.attribute) for each in one.attributes])
        facts = one.facts if len(one.facts) == 1 else tuple(sorted(set(one.facts)))
        return self._definer.resolve(NamedMeaning(facts, tuple(grain), one.metrics))

    def _proposal(self, one: ExportedDefinition, resolved: ResolvedMeaning, identity: str) -> ProposedDefinition:
        definition = self._definer.define(
            resolved, name=one.name, label=one.label or one.name, origin=DefinitionOrigin(one.origin)
        )
        evidence = {**one.evidence, **_source_figures(one.statistics)}
        return ProposedDefinition(
            definition=definition,
            reason=one.reason,
            evidence=evidence,
            identity=(identity, resolved.fingerprint),
        )


def _told(one: ExportedDefinition, outcome: DefinitionOutcome, identity: str, name: str) -> ImportedDefinition:
    match outcome:
        case DefinitionOutcome.ADDED:
            why = "" if name == one.name else f"the file calls it `{one.name}`, a name that is taken here"
            return ImportedDefinition(name, ImportOutcome.IMPORTED, why, identity)
        case DefinitionOutcome.RETURNED:
            return ImportedDefinition(name, ImportOutcome.RETURNED, "it was retired here", identity)
        case DefinitionOutcome.DUPLICATE:
            why = "it is defined here already" if name == one.name else f"it means the same as `{name}` of this system"
            return ImportedDefinition(one.name, ImportOutcome.DUPLICATE, why, identity)
        case DefinitionOutcome.BLOCKED:
            why = f"a person has blocked `{name}` here; it stays so"
            return ImportedDefinition(one.name, ImportOutcome.BLOCKED, why, identity)


def _refused(one: ExportedDefinition, lacking: tuple[str, ...]) -> ImportedDefinition:
    why = f"the model deployed here lacks {'; '.join(lacking)}"
    return ImportedDefinition(one.name, ImportOutcome.REFUSED, why)


_NO_STATISTICS = ExportedStatistics()


def _source_figures(statistics: ExportedStatistics) -> dict[str, float]:
    """How it fared elsewhere, as evidence; figures that are not known are left out."""
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


class _Figures:
    """Statistics of a model's definitions, read once."""

    def __init__(self, registry: Registry, model_id: str) -> None:
        self._usages: dict[str, list[UsageRecord]] = {}
        for usage in registry.usages(model_id):
            self._usages.setdefault(usage.definition_id, []).append(usage)
        self._newest: dict[tuple[str, str], InstanceRecord] = {}
        for instance in registry.instances(model_id=model_id):
            if instance.status in _BUILT:
                self._newest.setdefault((instance.step.definition_id, instance.step.fact), instance)
        self._judged = {one.definition_id: one for one in registry.evaluations(model_id)}

    def of(self, record: DefinitionRecord, definition: str) -> ExportedStatistics:
        """The statistics of one definition, all its facts together."""
        usages = self._usages.get(definition, [])
        newest = [self._newest.get((definition, part.fact)) for part in record.definition.parts]
        built = [one for one in newest if one is not None]
        judged = self._judged.get(definition)
        return ExportedStatistics(
            uses=sum(one.uses for one in usages),
            query_seconds=sum(one.seconds for one in usages),
            last_used_at=max((one.last_used_at for one in usages), default=None),
            rows=sum(one.rows or 0 for one in built) if built else None,
            build_seconds=sum(one.seconds or 0.0 for one in built) if built else None,
            size_bytes=judged.size_bytes if judged is not None else None,
            score=judged.score if judged is not None else None,
        )


_BUILT = frozenset({InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED, InstanceStatus.DELETED})


def _exported(record: DefinitionRecord, figures: _Figures) -> ExportedDefinition:
    definition = record.definition
    fingerprint = definition.fingerprint
    return ExportedDefinition(
        name=definition.name,
        label="" if definition.label == definition.name else definition.label,
        origin="demand_defined" if definition.origin is DefinitionOrigin.DEMAND_DEFINED else "prediction_defined",
        fingerprint=fingerprint,
        facts=tuple(part.fact for part in definition.parts),
        attributes=tuple(_exported_attribute(bound.attribute) for bound in definition.parts[0].attributes),
        metrics=definition.metrics,
        defined_at=record.defined_at,
        reason=record.reason,
        evidence={name: value for name, value in record.evidence.items() if math.isfinite(value)},
        statistics=figures.of(record, definition_id(fingerprint)),
    )


def _exported_attribute(one: GrainAttribute) -> ExportedAttribute:
    """The role where there is one."""
    role = one.role
    if role.template == PLAIN_ROLE:
        return ExportedAttribute(role.dimension, one.name)
    return ExportedAttribute(role.dimension, one.name, role.template)
