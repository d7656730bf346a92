"""Plan a batch: what would be built, in which order, from which source. Writes nothing.

The warehouse is asked what only it knows: which columns exist, which keys are unique, which hierarchies are functional,
and, when estimates are wanted, how many groups each grain has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.errors import UnknownNameError, near_names
from airflow_atscale_aggs.engine.lifecycle.build.costs import cost_of
from airflow_atscale_aggs.engine.lifecycle.build.dataset_rows import read_rows
from airflow_atscale_aggs.engine.lifecycle.build.estimates import estimate_rows
from airflow_atscale_aggs.engine.lifecycle.build.increment_state import IncrementRequest, decide_increments
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import take_marks
from airflow_atscale_aggs.engine.lifecycle.proofs import prove, refusal_of, unreadable_columns
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import datasets_of, surroundings_of
from airflow_atscale_aggs.engine.lifecycle.stable_views.foresee import note_view_obstacles
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, table_key
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate, PlanningInput, make_batch_plan
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_NO_OVERRIDES: Mapping[str, str] = {}


def plan_batch(
    workspace: Workspace,
    model: str,
    *,
    build_type: BuildType = BuildType.FULL,
    now: datetime,
    new_id: Callable[[], str],
    estimate: bool = False,
    aggregates: Collection[str] = (),
    grace_periods: Mapping[str, str] = _NO_OVERRIDES,
    changed: Sequence[NamedSlice] = (),
    mark_sources: bool = False,
    with_cost: bool = False,
) -> BatchPlan:
    """The batch that a build of the model would run now.

    Args:
        model: name or id.
        now: bounds of increments depend on it.
        new_id: gives the batch's and the instances' ids.
        estimate: ask the warehouse for sketched row counts (one scan per fact dataset); otherwise the rows of the last
            build stand for them.
        aggregates: names of those to build; empty: all.
        grace_periods: by dataset, instead of the model's; checked before.
        changed: slices that are named with the request; nothing else of their facts is looked at by an increment. They
            need not be recorded.
        mark_sources: note the state of the datasets first, which costs a scan of each.
        with_cost: tell what the batch reads and writes, for which the catalog is asked for the sizes of the facts.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: no aggregate of that name is defined; carries near names.
        WarehouseError: the warehouse could not be asked.
    """
    read = workspace.read
    record = read.models.get_deployed(model)
    datasets = read.models.datasets(record.deployment_id)
    chosen = choose_definitions(read.definitions.of_model(record.id), aggregates)
    candidates = _make_candidates(chosen, read.instances.last_rows(record.id))
    parts = [candidate.part for candidate in candidates]
    asked = IncrementRequest(build_type=build_type, now=now, grace_periods=grace_periods, changed=tuple(changed))
    with workspace.warehouse.session() as session:
        sources = Sources(datasets, read_physical_tables(session, datasets, parts), workspace.warehouse.dialect)
        marks = take_marks(session, parts, sources, workspace.warehouse, asked.named) if mark_sources else ()
        refusals = find_refusals(session, candidates, sources)
        readable = [other for other in candidates if (other.definition.id, other.part.fact) not in refusals]
        proven = prove(session, [candidate.part for candidate in readable], sources, workspace.warehouse)
        estimates = estimate_rows(session, readable, sources, proven) if estimate else {}
        surroundings = surroundings_of(session, datasets, parts, sources, proven)
        asked = replace(asked, surroundings=surroundings)
        decided = decide_increments(workspace, session, record, readable, sources, asked)
        planning = PlanningInput(
            model=record.name,
            model_id=record.id,
            deployment_id=record.deployment_id,
            batch_id=new_id(),
            build_type=build_type,
            schema=workspace.warehouse.aggregate_schema,
            candidates=candidates,
            sources=sources,
            constraints=proven,
            settings=workspace.settings_of(record.id),
            new_id=new_id,
            estimates=estimates,
            decisions=decided.decisions,
            notes=decided.notes,
            surroundings=surroundings,
            rows=read_rows(session, parts, sources),
            refusals={**refusals, **decided.refusals},
            slices_through=decided.slices_through,
        )
        plan = replace(note_view_obstacles(workspace, session, make_batch_plan(planning)), sources=marks)
        return replace(plan, cost=cost_of(workspace, session, plan, planning, decided.reads)) if with_cost else plan


def find_refusals(
    session: WarehouseSession, candidates: Sequence[Candidate], sources: Sources
) -> Mapping[tuple[str, str], str]:
    """Why the warehouse cannot compute what a candidate needs, by (definition id, fact); the others are absent."""
    unreadable = unreadable_columns(session, [candidate.part for candidate in candidates], sources)
    reasons = ((candidate, refusal_of(candidate.part, unreadable)) for candidate in candidates)
    return {(candidate.definition.id, candidate.part.fact): reason for candidate, reason in reasons if reason}


def read_physical_tables(
    session: WarehouseSession, datasets: Mapping[str, Dataset], parts: Sequence[FactPart]
) -> PhysicalTables:
    """Columns of the tables behind the datasets that the parts use, in one round trip."""
    keys = {table_key(datasets[dataset]) for dataset in datasets_of(parts) if dataset in datasets}
    return session.columns([key for key in sorted(keys, key=str) if key is not None])


def choose_definitions(records: Sequence[DefinitionRecord], aggregates: Collection[str]) -> Sequence[DefinitionRecord]:
    """The definitions with these names; all, where none is given. Raises UnknownNameError with near names."""
    names = {record.definition.name for record in records}
    for name in aggregates:
        if name not in names:
            raise UnknownNameError("aggregate", name, near_names(name, names))
    return [record for record in records if not aggregates or record.definition.name in aggregates]


def _make_candidates(
    records: Sequence[DefinitionRecord], last_rows: Mapping[tuple[str, str], int]
) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            definition=record.definition,
            part=part,
            defined_at=record.created_at,
            last_rows=last_rows.get((record.definition.id, part.fact)),
        )
        for record in records
        for part in record.definition.parts
    )
