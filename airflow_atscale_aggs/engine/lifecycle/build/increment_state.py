"""Find out what increments depend on: the segments that serve, and the indicator of each fact, read once per batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState, add_checksums
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.errors import DefinitionError, PermanentWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
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
from airflow_atscale_aggs.engine.planning.batch_cost import IndicatorReads
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable
from airflow_atscale_aggs.engine.planning.increment_notes import notes_of
from airflow_atscale_aggs.engine.planning.increments import (
    IncrementsInput,
    LastBuild,
    Prospect,
    decide,
    moments,
    prospect,
)
from airflow_atscale_aggs.engine.planning.needed_counts import edges, is_least_needed, named_ranges, starts
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord, ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts, lookup_statement, read_lookup
from airflow_atscale_aggs.engine.sql.source_descriptions import ChecksumRequest, columns_of_part
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class IncrementDecisions:
    """How the aggregates of a batch are built, and why some cannot be.

    Both are by (definition id, fact); notes are about them. ``reads``: of each fact, to decide.
    ``slices_through``: number of the last slice that had been named before.
    """

    decisions: Mapping[Key, Decision]
    notes: tuple[str, ...] = ()
    refusals: Mapping[Key, str] = field(default_factory=dict)
    reads: Mapping[str, IndicatorReads] = field(default_factory=dict)
    slices_through: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementRequest:
    """What is asked of one batch.

    Attributes:
        grace_periods: by dataset, instead of the model's.
        changed: slices that it names, whether they are recorded or not.
        surroundings: of its plan.
    """

    build_type: BuildType
    now: datetime
    grace_periods: Mapping[str, str]
    changed: tuple[NamedSlice, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)

    @property
    def named(self) -> frozenset[str]:
        """The facts of which nothing but the slices that are named, and what is new, is looked at."""
        is_incremental = self.build_type is BuildType.INCREMENTAL
        return frozenset(named.dataset for named in self.changed) if is_incremental else frozenset()


def decide_increments(
    workspace: Workspace,
    session: WarehouseSession,
    record: ModelRecord,
    candidates: Sequence[Candidate],
    sources: Sources,
    request: IncrementRequest,
) -> IncrementDecisions:
    """Decide how each aggregate is built. Reads the segments from the registry, and the indicator of each fact once.

    The indicator of a fact is read a second time only when no row lies above the last segments. The second query tells
    whether the older rows are still there.
    """
    # Before the facts are read: what is named from now on may be newer than what is read.
    slices_through = workspace.read.slices.newest(record.id)
    datasets = workspace.read.models.datasets(record.deployment_id)
    fact_names = {candidate.part.fact for candidate in candidates}
    if not any(fact in datasets and datasets[fact].incremental for fact in fact_names):
        is_asked = request.build_type is BuildType.INCREMENTAL
        return IncrementDecisions(
            {},
            ("Built in full: no fact dataset of the model has an incremental indicator.",) * is_asked,
            slices_through=slices_through,
        )
    settings = workspace.settings_of(record.id)
    last = _last_builds(workspace, session, record, candidates, request, sources)
    if request.build_type is BuildType.INCREMENTAL:
        last = {
            key: replace(build, seen=build.may_merge(settings)) if key[1] in request.named else build
            for key, build in last.items()
        }
        last = _with_damages(session, last, candidates, record, request, workspace.warehouse.aggregate_schema)
    planning = IncrementsInput(
        build_type=request.build_type,
        deployment_id=record.deployment_id,
        now=request.now,
        datasets=datasets,
        sources=sources,
        settings=settings,
        grace_periods=request.grace_periods,
        named=request.named,
        last=last,
        states=_states(session, candidates, datasets, sources) if settings.incremental else {},
    )
    decisions, refusals, reads = _decide(session, candidates, planning)
    names = {(candidate.definition.id, candidate.part.fact): candidate.name for candidate in candidates}
    decisions_by_name = {names[key]: decision for key, decision in decisions.items()}
    return IncrementDecisions(
        decisions,
        notes_of(decisions_by_name, planning, {name: fact for (_, fact), name in names.items()}),
        refusals,
        reads,
        slices_through,
    )


def _decide(
    session: WarehouseSession, candidates: Sequence[Candidate], planning: IncrementsInput
) -> tuple[dict[Key, Decision], dict[Key, str], dict[str, IndicatorReads]]:
    """The decisions, and the reasons for aggregates without one: the indicator of their fact cannot be read."""
    decisions: dict[Key, Decision] = {}
    reads: dict[str, IndicatorReads] = {}
    refusals: dict[Key, str] = {}
    by_fact: dict[str, dict[Key, Prospect]] = {}
    for candidate in candidates:
        key = candidate.definition.id, candidate.part.fact
        if candidate.part.fact not in planning.datasets or _is_not_there(candidate, planning):
            continue
        aggregate_prospect = prospect(candidate.definition, candidate.part, planning)
        if isinstance(aggregate_prospect, FullTable):
            decisions[key] = aggregate_prospect
        else:
            by_fact.setdefault(candidate.part.fact, {})[key] = aggregate_prospect
    for fact, prospects_of_fact in by_fact.items():
        checksums = Checksums(session, planning.sources, fact)
        try:
            looked_up, whole = _look_up(session, fact, list(prospects_of_fact.values()), planning, checksums)
        except WarehouseError as error:
            check_alive(session, error)
            refusals |= dict.fromkeys(prospects_of_fact, f"dataset `{fact}` cannot be read: {error.reason}")
            continue
        for key, aggregate_prospect in prospects_of_fact.items():
            try:
                decisions[key] = _with_checksums(
                    decide(aggregate_prospect, looked_up, planning), aggregate_prospect, planning, checksums
                )
            except WarehouseError as error:
                # Only some of the aggregates read the broken column.
                check_alive(session, error)
                refusals[key] = f"dataset `{fact}` cannot be read: {error.reason}"
        is_marked = fact not in planning.named
        reads[fact] = IndicatorReads(whole=whole, ranges=checksums.ranges_read, is_marked=is_marked)
    return decisions, refusals, reads


def _with_checksums(
    decision: Decision, aggregate_prospect: Prospect, planning: IncrementsInput, checksums: Checksums
) -> Decision:
    """The decision with the checksums of the rows that will be settled, taken before anything is built.

    The next increment then notices rows that change between now and the build: it reports them as late, or rebuilds.
    """
    if isinstance(decision, FullTable) or aggregate_prospect.state is None or not planning.settings.check_older_rows:
        return decision
    for request in _kept_rows(aggregate_prospect):
        # No increment is added to rows that cannot be compared any more: this raises the error.
        checksums.of(request)
    if decision.full_reason or not aggregate_prospect.kept:
        columns_of_fact = {
            column
            for dataset, column in columns_of_part(aggregate_prospect.part, aggregate_prospect.column)
            if dataset == aggregate_prospect.part.fact
        }
        columns = checksum_columns(
            aggregate_prospect.state,
            aggregate_prospect.part.fact,
            planning.sources[aggregate_prospect.part.fact].hashable(columns_of_fact),
        )
    else:
        known = aggregate_prospect.hashed_columns
        if known is None:
            return decision
        columns = known
    settled = (*decision.anew, *decision.ranges[:-1])
    return replace(decision, checksums=(*(checksums.of(ChecksumRequest(rows, columns)) for rows in settled), None))


def _is_not_there(candidate: Candidate, planning: IncrementsInput) -> bool:
    """Whether the fact's table is missing or may not be read. The plan refuses such an aggregate by name later."""
    try:
        planning.sources[candidate.part.fact].relation("t")
    except DefinitionError:
        return True
    return False


def _look_up(
    session: WarehouseSession, fact: str, prospects: Sequence[Prospect], planning: IncrementsInput, checksums: Checksums
) -> tuple[IndicatorFacts, int]:
    """The indicator of one fact, as far as its aggregates must know it, and how often the fact was read for it."""
    first, source = prospects[0], planning.sources[fact]
    bounds, counted = starts(prospects), edges(prospects)
    rows = RowRange(column=first.column, kind=first.kind)
    clock, settings = moments(first, planning), planning.settings
    reads = 0

    def look(above: Sequence[int], up_to: Sequence[int]) -> IndicatorFacts:
        nonlocal reads
        statement = lookup_statement(
            rows,
            source,
            above=above,
            up_to=up_to,
            moments=clock,
            within=named_ranges(prospects),
            with_least=is_least_needed(prospects, settings),
        )
        # Each of its SELECTs stands by itself.
        reads += 1 + len(list(statement.find_all(exp.Union)))
        return read_lookup(first.kind, session.fetch_all(render(statement, source.dialect)))

    looked_up = look(bounds, counted if planning.settings.count_late_rows else ())
    if planning.settings.check_older_rows:
        looked_up = replace(looked_up, checksums=_kept_checksums(prospects, checksums))
    if bounds and looked_up.greatest is None and looked_up.is_readable:
        whole = look((), counted)
        return replace(whole, above=looked_up.above, checksums=looked_up.checksums), reads
    return looked_up, reads


def _kept_checksums(
    prospects: Sequence[Prospect], checksums: Checksums
) -> Mapping[tuple[tuple[RowRange, ...], tuple[str, ...]], Checksum]:
    """Checksums of the rows that increments would not read, as they are now. Rows that cannot be read are left out."""
    now: dict[tuple[tuple[RowRange, ...], tuple[str, ...]], Checksum] = {}
    for aggregate_prospect in prospects:
        requests = _kept_rows(aggregate_prospect)
        try:
            checksum = add_checksums(checksums.of(request) for request in requests)
        except PermanentWarehouseError:
            # `_with_checksums` asks again, so that this one is refused by name, and the others are not.
            continue
        if checksum is not None:
            now[aggregate_prospect.kept_ranges, requests[0].columns] = checksum
    return now


def _kept_rows(aggregate_prospect: Prospect) -> tuple[ChecksumRequest, ...]:
    """The rows that an increment would not read, as they were summed up when they were settled."""
    checksum = aggregate_prospect.settled_checksum
    if aggregate_prospect.start is None or checksum is None:
        return ()
    return tuple(ChecksumRequest(rows, checksum.columns) for rows in aggregate_prospect.kept_ranges)


def _states(
    session: WarehouseSession, candidates: Sequence[Candidate], datasets: Mapping[str, Dataset], sources: Sources
) -> Mapping[Key, SourceState]:
    """What the sources of aggregates with an indicator are now; those that are not all there are refused later on."""
    parts: dict[Key, ReadPart] = {}
    for candidate in candidates:
        incremental = datasets[candidate.part.fact].incremental if candidate.part.fact in datasets else None
        if incremental is None:
            continue
        columns = columns_of_part(candidate.part, incremental.column)
        try:
            for dataset, column in columns:
                sources[dataset].column(column, "")
                sources[dataset].relation("t")
        except DefinitionError:
            continue
        parts[candidate.definition.id, candidate.part.fact] = ReadPart(
            part=candidate.part, indicator=incremental.column
        )
    return source_states(session, parts, sources) if parts else {}


def _with_damages(
    session: WarehouseSession,
    last: Mapping[Key, LastBuild],
    candidates: Sequence[Candidate],
    record: ModelRecord,
    request: IncrementRequest,
    schema: str,
) -> Mapping[Key, LastBuild]:
    """The last builds with the damage of settled segments that an increment would keep.

    Who has named what has changed makes nothing worse of tables that serve as they are, damaged or not. Of such facts
    those alone are looked at that would be merged.
    """
    kept_segments: dict[Key, KeptSegments] = {}
    for candidate in candidates:
        key = candidate.definition.id, candidate.part.fact
        build = last.get(key)
        if build is not None and build.are_there and build.deployment_id == record.deployment_id:
            settled = tuple(segment for segment in build.segments if segment.is_settled)
            # The unsettled segment may stay, too, where slices are named.
            kept = build.segments if build.named and settled else settled
            segments = build.seen if key[1] in request.named else kept
            if segments:
                kept_segments[key] = KeptSegments(part=candidate.part, schema=schema, segments=segments)
    damaged = damages(session, kept_segments) if kept_segments else {}
    return {key: replace(build, damage=damaged.get(key, "")) for key, build in last.items()}


def _last_builds(
    workspace: Workspace,
    session: WarehouseSession,
    record: ModelRecord,
    candidates: Sequence[Candidate],
    request: IncrementRequest,
    sources: Sources,
) -> Mapping[Key, LastBuild]:
    """The instances that serve, with their segments and the slices that they were not built with."""
    parts = {(candidate.definition.id, candidate.part.fact): candidate.part for candidate in candidates}
    read = workspace.read
    slices = read.slices.due(record.id)
    existing: Mapping[str, frozenset[str]] = {}
    batches: dict[str, BatchRecord] = {}
    builds: dict[Key, LastBuild] = {}
    for instance in read.instances.serving(record.id):
        if instance.batch_id not in batches:
            batches[instance.batch_id] = read.batches.get(instance.batch_id)
        batch, fact = batches[instance.batch_id], instance.step.fact
        schema = batch.schema
        segments = read.instances.segments(instance.id) if instance.step.increment is not None else ()
        part = parts.get((instance.step.definition_id, fact))
        if segments and schema not in existing:
            existing = {**existing, schema: session.tables(schema)}
        builds[instance.step.definition_id, fact] = LastBuild(
            deployment_id=batch.deployment_id,
            increment=instance.step.increment,
            segments=segments,
            moved=""
            if part is None or not segments
            else _describe_move(read, instance, part, request.surroundings, sources),
            are_there=schema == workspace.warehouse.aggregate_schema
            and all(segment.table in existing[schema] for segment in segments),
            named=_named_of(fact, [named for named in slices if named.number > batch.slices_through], request.changed),
        )
    return builds


def _named_of(fact: str, due: Sequence[NamedSlice], changed: Sequence[NamedSlice]) -> tuple[NamedSlice, ...]:
    """The slices of a fact that are due, or named with the request, each once."""
    known = {(named.first, named.last): named for named in (*changed, *due) if named.dataset == fact}
    return tuple(known.values())


def _describe_move(
    read: RegistryReader, instance: InstanceRecord, part: FactPart, now: Surroundings, sources: Sources
) -> str:
    """In which way the batch is planned in other surroundings than the segments were.

    Empty where that does not matter.
    """
    then = read.batches.surroundings(instance.batch_id)
    return what_differs(then, now, needed_by(instance.step.settings_needed, part, sources), datasets_of([part]))
