"""Before a build: what would be done, in which order, from which source. Writes nothing.

The warehouse is asked what only it knows: which columns exist, which keys are unique, which hierarchies are functional,
and, when estimates are wanted, how many groups each grain has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate, PlanningInput, make_batch_plan
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord
from airflow_atscale_aggs.engine.sql.probes import DataFacts, facts_from, probe_sql, required_probes
from airflow_atscale_aggs.engine.sql.sources import PhysicalTables
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


def plan_batch(
    workspace: Workspace,
    model: str,
    *,
    build_type: BuildType = BuildType.FULL,
    now: datetime,
    new_id: Callable[[], str],
    estimate: bool = False,
) -> BatchPlan:
    """The batch that a build of the model would run now.

    Args:
        model: name or id.
        now: not used by a full build; bounds of increments depend on it.
        new_id: gives the batch's and the instances' ids.
        estimate: ask the warehouse for sketched row counts (one scan per fact dataset); otherwise the rows of the last
            build stand for them.

    Raises:
        NotRegisteredError: no such model.
        WarehouseError: the warehouse could not be asked.
    """
    registry = workspace.registry
    record = registry.model(model)
    settings = workspace.settings_of(record.id)
    datasets = registry.datasets(record.deployment_id)
    candidates = _candidates(registry.definitions(record.id), registry.last_rows(record.id))
    parts = [candidate.part for candidate in candidates]
    with workspace.warehouse.session() as session:
        physical = read_physical_tables(session, datasets, parts)
        facts = prove(session, parts, datasets, physical)
        estimates = _estimates(session, candidates, datasets, physical, facts) if estimate else {}
    return make_batch_plan(
        PlanningInput(
            model=record.name,
            model_id=record.id,
            deployment_id=record.deployment_id,
            batch_id=new_id(),
            build_type=build_type,
            schema=workspace.warehouse.aggregate_schema,
            candidates=candidates,
            datasets=datasets,
            physical=physical,
            facts=facts,
            dialect=workspace.warehouse.dialect,
            settings=settings,
            new_id=new_id,
            estimates=estimates,
            notes=_notes(build_type, parts, datasets),
        )
    )
