"""What increments depend on: the segments that serve, and one look at each fact's indicator per batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.errors import DefinitionError, PermanentWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.source_changes import (
    Checksums,
    KeptSegments,
    ReadPart,
    checksum_columns,
    damages,
    source_states,
)
from airflow_atscale_aggs.engine.lifecycle.proofs import check_alive
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import datasets_of, needed_by, what_differs
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate
from airflow_atscale_aggs.engine.planning.increment_notes import notes_of
from airflow_atscale_aggs.engine.planning.increments import (
    Decision,
    FullTable,
    IncrementsInput,
    LastBuild,
    Prospect,
    decide,
    moments,
    prospect,
    starts,
)
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ModelRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts, lookup_statement, read_lookup
from airflow_atscale_aggs.engine.sql.source_descriptions import ChecksumRequest, columns_of_part
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Decided:
    """How the aggregates of a batch are built, by (definition id, fact), sentences about it, and why some cannot be."""

    decisions: Mapping[Key, Decision]
    notes: tuple[str, ...] = ()
    refusals: Mapping[Key, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementRequest:
    """What is asked of one batch; ``grace_periods``: by dataset, instead of the model's. ``surroundings``: of its plan."""

    build_type: BuildType
    now: datetime
    grace_periods: Mapping[str, str]
    surroundings: Surroundings = field(default_factory=Surroundings)


def decide_increments(
    workspace: Workspace,
    session: WarehouseSession,
    record: ModelRecord,
    candidates: Sequence[Candidate],
    sources: Sources,
    request: IncrementRequest,
) -> Decided:
    """How each aggregate is built. Asks the registry for segments, and each fact once for its indicator.

    A second look at a fact is taken only when nothing was found above the last segments: then somebody must say whether
    the rest is still there.
    """
    datasets = workspace.registry.datasets(record.deployment_id)
    facts = {one.part.fact for one in candidates}
    if not any(name in datasets and datasets[name].incremental for name in facts):
        is_asked = request.build_type is BuildType.INCREMENTAL
        return Decided({}, ("Built in full: no fact dataset of the model has an incremental indicator.",) * is_asked)
    settings = workspace.settings_of(record.id)
    last = _last_builds(workspace, session, record, (candidates, request.surroundings, sources))
    if request.build_type is BuildType.INCREMENTAL:
        last = _with_damages(session, last, candidates, record, workspace.warehouse.aggregate_schema)
    given = IncrementsInput(
        build_type=request.build_type,
        deployment_id=record.deployment_id,
        now=request.now,
        datasets=datasets,
        sources=sources,
        settings=settings,
        grace_periods=request.grace_periods,
        last=last,
        states=_states(session, candidates, datasets, sources) if settings.incremental else {},
    )
    decisions, refusals = _decided(session, candidates, given)
    names = {(one.definition.id, one.part.fact): one.name for one in candidates}
    told = {names[key]: decision for key, decision in decisions.items()}
    return Decided(decisions, notes_of(told, given, {name: fact for (_, fact), name in names.items()}), refusals)


def _decided(
    session: WarehouseSession, candidates: Sequence[Candidate], given: IncrementsInput
) -> tuple[dict[Key, Decision], dict[Key, str]]:
    """The decisions; and why there is none, for the aggregates of a fact whose indicator cannot be read."""
    decisions: dict[Key, Decision] = {}
    refusals: dict[Key, str] = {}
    by_fact: dict[str, dict[Key, Prospect]] = {}
    for one in candidates:
        key = one.definition.id, one.part.fact
        if one.part.fact not in given.datasets or _is_not_there(one, given):
            continue
        found = prospect(one.definition, one.part, given)
        if isinstance(found, FullTable):
            decisions[key] = found
        else:
            by_fact.setdefault(one.part.fact, {})[key] = found
    for fact, found_here in by_fact.items():
        checksums = Checksums(session, given.sources, fact)
        try:
            looked_up = _look_up(session, fact, list(found_here.values()), given, checksums)
        except WarehouseError as error:
            check_alive(session, error)
            refusals |= dict.fromkeys(found_here, f"dataset `{fact}` cannot be read: {error.reason}")
            continue
        for key, found in found_here.items():
            try:
                decisions[key] = _with_checksums(decide(found, looked_up, given), found, given, checksums)
            except WarehouseError as error:
                # A column that only some of them read.
                check_alive(session, error)
                refusals[key] = f"dataset `{fact}` cannot be read: {error.reason}"
    return decisions, refusals


def _with_checksums(decision: Decision, found: Prospect, given: IncrementsInput, checksums: Checksums) -> Decision:
    """With the checksums of the rows that will be settled, taken before anything is built.

    What changes between now and the build is then told as late, or rebuilt, by the next increment, never overlooked.
    """
    if isinstance(decision, FullTable) or found.state is None or not given.settings.check_older_rows:
        return decision
    kept, kept_rows = found.settled_checksum, _kept_rows(found)
    if kept_rows is not None:
        # Nothing is added to what cannot be compared any more.
        checksums.of(kept_rows)
    if decision.full_reason or not found.kept:
        read = {column for dataset, column in columns_of_part(found.part, found.column) if dataset == found.part.fact}
        columns = checksum_columns(found.state, found.part.fact, given.sources[found.part.fact].hashable(read))
    else:
        if kept is None:
            return decision
        columns = kept.columns
    *settled, _ = decision.ranges
    return replace(decision, checksums=(*(checksums.of(ChecksumRequest(rows, columns)) for rows in settled), None))


def _is_not_there(one: Candidate, given: IncrementsInput) -> bool:
    """A fact whose table is missing, or may not be read, is refused by name later on."""
    try:
        given.sources[one.part.fact].relation("t")
    except DefinitionError:
        return True
    return False


def _look_up(
    session: WarehouseSession, fact: str, found: Sequence[Prospect], given: IncrementsInput, checksums: Checksums
) -> IndicatorFacts:
    """The indicator of one fact, as far as its aggregates must know it."""
    first, source = found[0], given.sources[fact]
    bounds = starts(found)
    rows = RowRange(column=first.column, kind=first.kind)
    clock = moments(first, given)

    def look(above: Sequence[int], up_to: Sequence[int]) -> IndicatorFacts:
        statement = lookup_statement(rows, source, above=above, up_to=up_to, moments=clock)
        return read_lookup(first.kind, session.fetch_all(render(statement, source.dialect)))

    looked_up = look(bounds, bounds if given.settings.count_late_rows else ())
    if given.settings.check_older_rows:
        looked_up = replace(looked_up, checksums=_kept_checksums(found, checksums))
    if bounds and looked_up.greatest is None and looked_up.is_readable:
        whole = look((), bounds)
        return replace(whole, above=looked_up.above, checksums=looked_up.checksums)
    return looked_up


def _kept_checksums(found: Sequence[Prospect], checksums: Checksums) -> Mapping[tuple[int, tuple[str, ...]], Checksum]:
    """Of the rows that increments would not read, as they are now; without those that cannot be read."""
    now: dict[tuple[int, tuple[str, ...]], Checksum] = {}
    for one in found:
        asked = _kept_rows(one)
        if asked is None or one.start is None:
            continue
        try:
            checksum = checksums.of(asked)
        except PermanentWarehouseError:
            # `_with_checksums` asks again, so that this one is refused by name, and the others are not.
            continue
        if checksum is not None:
            now[one.start, asked.columns] = checksum
    return now


def _kept_rows(found: Prospect) -> ChecksumRequest | None:
    """The rows that an increment would not read, as they were summed up when they were settled."""
    if found.start is None or found.settled_checksum is None:
        return None
    rows = RowRange(column=found.column, kind=found.kind, through=found.start)
    return ChecksumRequest(rows, found.settled_checksum.columns)


def _states(
    session: WarehouseSession, candidates: Sequence[Candidate], datasets: Mapping[str, Dataset], sources: Sources
) -> Mapping[Key, SourceState]:
    """What the sources of aggregates with an indicator are now; those that are not all there are refused later on."""
    parts: dict[Key, ReadPart] = {}
    for one in candidates:
        incremental = datasets[one.part.fact].incremental if one.part.fact in datasets else None
        if incremental is None:
            continue
        read = columns_of_part(one.part, incremental.column)
        try:
            for dataset, column in read:
                sources[dataset].column(column, "")
                sources[dataset].relation("t")
        except DefinitionError:
            continue
        parts[one.definition.id, one.part.fact] = ReadPart(part=one.part, indicator=incremental.column)
    return source_states(session, parts, sources) if parts else {}


def _with_damages(
    session: WarehouseSession,
    last: Mapping[Key, LastBuild],
    candidates: Sequence[Candidate],
    record: ModelRecord,
    schema: str,
) -> Mapping[Key, LastBuild]:
    """With what is wrong with the settled segments that an increment would keep."""
    kept: dict[Key, KeptSegments] = {}
    for one in candidates:
        key = one.definition.id, one.part.fact
        build = last.get(key)
        if build is not None and build.are_there and build.deployment_id == record.deployment_id:
            settled = [segment for segment in build.segments if segment.is_settled]
            if settled:
                kept[key] = KeptSegments(part=one.part, schema=schema, segments=settled)
    damaged = damages(session, kept) if kept else {}
    return {key: replace(build, damage=damaged.get(key, "")) for key, build in last.items()}


def _last_builds(
    workspace: Workspace,
    session: WarehouseSession,
    record: ModelRecord,
    planned: tuple[Sequence[Candidate], Surroundings, Sources],
) -> Mapping[Key, LastBuild]:
    """The instances that serve, with their segments.

    Args:
        planned: what the batch is planned for, and in.
    """
    candidates, now, sources = planned
    parts = {(one.definition.id, one.part.fact): one.part for one in candidates}
    registry = workspace.registry
    existing: Mapping[str, frozenset[str]] = {}
    deployments: dict[str, tuple[str, str]] = {}
    found: dict[Key, LastBuild] = {}
    for instance in registry.active_instances(record.id):
        if instance.batch_id not in deployments:
            batch = registry.batch(instance.batch_id)
            deployments[instance.batch_id] = batch.deployment_id, batch.schema
        deployment, schema = deployments[instance.batch_id]
        segments = registry.segments_of(instance.id) if instance.step.increment is not None else ()
        part = parts.get((instance.step.definition_id, instance.step.fact))
        if segments and schema not in existing:
            existing = {**existing, schema: session.tables(schema)}
        found[instance.step.definition_id, instance.step.fact] = LastBuild(
            deployment_id=deployment,
            increment=instance.step.increment,
            segments=segments,
            moved="" if part is None or not segments else _moved(registry, instance, part, now, sources),
            are_there=schema == workspace.warehouse.aggregate_schema
            and all(one.table in existing[schema] for one in segments),
        )
    return found


def _moved(registry: Registry, instance: InstanceRecord, part: FactPart, now: Surroundings, sources: Sources) -> str:
    """In which way the batch is planned in other surroundings than the segments were; empty where that does not matter."""
    then = registry.surroundings(instance.batch_id)
    return what_differs(then, now, needed_by(instance.step, part, sources), datasets_of([part]))
