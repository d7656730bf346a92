"""Find out what a planned batch would cost: sizes from the catalog and the last batch, readings from the plan."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.estimates import PARTS_PER_SCAN
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import listed_datasets
from airflow_atscale_aggs.engine.lifecycle.proofs import check_alive, tried_facts
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import datasets_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_cost import (
    BatchCost,
    FactSize,
    IndicatorReads,
    batch_cost,
    planning_reads,
)
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan
from airflow_atscale_aggs.engine.planning.batch_planner import PlanningInput
from airflow_atscale_aggs.engine.planning.batch_seconds import PastBuild, estimate_seconds
from airflow_atscale_aggs.engine.sql.mark_queries import columns_of_datasets
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.table_statistics import (
    TableStatistics,
    bytes_query,
    read_statistics,
    statistics_query,
    type_bytes,
)
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession

_FLAG_BYTES = type_bytes("int")
_MEASURE_BYTES = type_bytes("double")


def cost_of(
    workspace: Workspace,
    session: WarehouseSession,
    plan: BatchPlan,
    planning: PlanningInput,
    indicator: Mapping[str, IndicatorReads],
) -> BatchCost:
    """What the batch of a plan reads and writes, and how long it takes. No table is read to find it out.

    Args:
        planning: what the plan was made of.
        indicator: readings of each fact when increments were decided.

    Raises:
        WarehouseError: the connection is lost.
    """
    sources = planning.sources
    parts = {(candidate.definition.id, candidate.part.fact): candidate.part for candidate in planning.candidates}
    readable = [part for key, part in parts.items() if key not in planning.refusals]
    reads = planning_reads(
        readable,
        sources,
        planning.constraints,
        tried=tried_facts(list(parts.values()), sources),
        listed=listed_datasets(session, {part.fact for part in readable}, sources),
        indicator=indicator,
    )
    sketched = Counter(part.fact for key, part in parts.items() if key in planning.estimates and part.attributes)
    sizes = _Sizes(session, sources, list(parts.values()))
    known_rows = workspace.read.attempts.fact_rows(planning.model_id)
    fact_sizes = {step.fact: sizes.of_fact(step.fact, known_rows.get(step.fact)) for step in plan.steps}
    cost = batch_cost(
        plan.steps,
        planning.settings.verify,
        reads,
        fact_sizes,
        {key: sizes.row_bytes(parts[key]) for step in plan.steps if (key := (step.definition_id, step.fact)) in parts},
        {fact: -(-number // PARTS_PER_SCAN) for fact, number in sorted(sketched.items())},
    )
    rows_now = {fact: size.rows for fact, size in fact_sizes.items()}
    past = _past_builds(workspace, planning.model_id)
    seconds = estimate_seconds(plan.steps, past, rows_now, known_rows)
    return replace(cost, seconds=seconds, bytes_free=_free_bytes(session))


def _past_builds(workspace: Workspace, model_id: str) -> Mapping[tuple[str, str], PastBuild]:
    """How the tables of a model that serve were made, by (definition id, fact)."""
    return {
        (instance.step.definition_id, instance.step.fact): PastBuild(
            seconds=instance.seconds, kind=instance.step.kind, is_derived=instance.source != instance.step.fact
        )
        for instance in workspace.read.instances.serving(model_id)
        if instance.seconds is not None
    }


def _free_bytes(session: WarehouseSession) -> int | None:
    """Bytes that are free beside the file that tables are stored in; None where it is none, or is not known."""
    for (path,) in ask_catalog(session, session.dialect.data_file):
        folder = Path(str(path)).parent
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    return None


class _Sizes:
    """Sizes of tables and widths of their columns, as the catalog tells them."""

    def __init__(self, session: WarehouseSession, sources: Sources, parts: Sequence[FactPart]) -> None:
        self._sources, self._dialect = sources, session.dialect
        self._columns = columns_of_datasets(parts)
        places = {
            place: (place[1] or "", place[2])
            for dataset in datasets_of(parts)
            if (place := place_of(dataset, sources)) is not None
        }
        self._statistics: Mapping[tuple[str, str], TableStatistics] = read_statistics(
            ask_catalog(session, statistics_query(places, session.dialect))
        )
        table_bytes = ask_catalog(session, bytes_query(set(places.values()), session.dialect))
        self._bytes = {(str(schema), str(name)): int(size) for schema, name, size in table_bytes}

    def of_fact(self, fact: str, known_rows: int | None) -> FactSize:
        """The size of a fact.

        Args:
            known_rows: as the last batch has counted them; they stand in where the catalog tells none.
        """
        place = place_of(fact, self._sources)
        key = ("", "") if place is None else (place[1] or "", place[2])
        statistics = self._statistics.get(key)
        rows = known_rows if statistics is None else statistics.rows
        if self._bytes.get(key):
            return FactSize(rows=rows, size_bytes=self._bytes[key])
        if rows is None:
            return FactSize()
        width = sum(self._column_bytes(fact, column) for column in self._columns[fact]) + self._dialect.row_bytes
        return FactSize(rows=rows, size_bytes=round(rows * width))

    def row_bytes(self, part: FactPart) -> float:
        """Bytes of a row of an aggregate as it is stored: keys and names, flags of joins, measures."""
        attributes = sum(
            self._column_bytes(bound.dataset, column) for bound in part.attributes for column in bound.columns
        )
        layout = stored_columns(part)
        fixed = len(layout.matched) * _FLAG_BYTES + len(layout.measures) * _MEASURE_BYTES
        return (attributes + fixed) * self._dialect.stored_share + self._dialect.row_bytes

    def _column_bytes(self, dataset: str, column: str) -> float:
        try:
            source = self._sources[dataset]
            name = source.physical_name(column)
        except DefinitionError:
            return 0
        table = self._statistics.get((source.place[1] or "", source.place[2])) if source.place else None
        statistics = table.columns.get(name) if table is not None and name is not None else None
        if statistics is None or statistics.width is None:
            return type_bytes(source.data_type(column))
        return statistics.width


def place_of(dataset: str, sources: Sources) -> tuple[str | None, str | None, str] | None:
    """Where the table of a dataset is, as the warehouse spells it; None for a query, and where there is none."""
    try:
        return sources[dataset].place
    except DefinitionError:
        return None


def ask_catalog(session: WarehouseSession, query: str | None) -> list[Row]:
    """The answer of the catalog; none where it refuses, since a plan needs no sizes."""
    if query is None:
        return []
    try:
        return session.fetch_all(query)
    except WarehouseError as error:
        check_alive(session, error)
        return []
