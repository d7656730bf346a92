"""Estimate how many rows aggregates would have, by sketches in the warehouse: one scan per fact dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sketches import estimate_statement, read_estimates
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

PARTS_PER_SCAN = 50
"""Sketches that are computed side by side; each takes some memory of the warehouse."""


def estimate_rows(
    session: WarehouseSession, candidates: Sequence[Candidate], sources: Sources, proven: ProvenConstraints
) -> Mapping[tuple[str, str], int]:
    """Estimated rows by (definition id, fact); an aggregate without attributes has exactly one row.

    Candidates that cannot be built have no estimate.
    """
    rows_by_part: dict[tuple[str, str], int] = {}
    by_fact: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if not candidate.part.attributes:
            rows_by_part[candidate.definition.id, candidate.part.fact] = 1
        elif is_buildable(candidate.part, sources, proven):
            by_fact.setdefault(candidate.part.fact, []).append(candidate)
    for fact, candidates_of_fact in by_fact.items():
        estimates = count_groups(session, [candidate.part for candidate in candidates_of_fact], sources, proven)
        rows_by_part.update(
            ((candidate.definition.id, fact), rows)
            for candidate, rows in zip(candidates_of_fact, estimates, strict=True)
        )
    return rows_by_part


def count_groups(
    session: WarehouseSession, parts: Sequence[FactPart], sources: Sources, proven: ProvenConstraints
) -> list[int]:
    """Sketched number of groups of each part, in order; one scan of the fact for `PARTS_PER_SCAN` of them.

    Args:
        parts: of one fact, each with at least one attribute, each buildable.
    """
    counts: list[int] = []
    for begin in range(0, len(parts), PARTS_PER_SCAN):
        scanned = parts[begin : begin + PARTS_PER_SCAN]
        rows = session.fetch_all(render(estimate_statement(scanned, sources, proven), sources.dialect))
        counts += read_estimates(rows, len(scanned), sources.dialect)
    return counts


def is_buildable(part: FactPart, sources: Sources, proven: ProvenConstraints) -> bool:
    """Whether a part can be computed from its fact here."""
    try:
        select_from_fact(part, sources, proven)
    except DefinitionError:
        return False
    return True
