"""How large aggregates would be: sketched in the warehouse, one scan per fact dataset."""

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
    session: WarehouseSession, candidates: Sequence[Candidate], sources: Sources, facts: ProvenConstraints
) -> Mapping[tuple[str, str], int]:
    """Estimated rows by (definition id, fact); an aggregate without attributes has exactly one row.

    Candidates that cannot be built have no estimate.
    """
    found: dict[tuple[str, str], int] = {}
    by_fact: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if not candidate.part.attributes:
            found[candidate.definition.id, candidate.part.fact] = 1
        elif is_buildable(candidate.part, sources, facts):
            by_fact.setdefault(candidate.part.fact, []).append(candidate)
    for fact, here in by_fact.items():
        estimates = count_groups(session, [candidate.part for candidate in here], sources, facts)
        found.update(((candidate.definition.id, fact), rows) for candidate, rows in zip(here, estimates, strict=True))
    return found


def count_groups(
    session: WarehouseSession, parts: Sequence[FactPart], sources: Sources, facts: ProvenConstraints
) -> list[int]:
    """Sketched number of groups of each part, in order; one scan of the fact for `PARTS_PER_SCAN` of them.

    Args:
        parts: of one fact, each with at least one attribute, each buildable.
    """
    found: list[int] = []
    for begin in range(0, len(parts), PARTS_PER_SCAN):
        here = parts[begin : begin + PARTS_PER_SCAN]
        rows = session.fetch_all(render(estimate_statement(here, sources, facts), sources.dialect))
        found += read_estimates(rows, len(here), sources.dialect)
    return found


def is_buildable(part: FactPart, sources: Sources, facts: ProvenConstraints) -> bool:
    """Whether a part can be computed from its fact here."""
    try:
        select_from_fact(part, sources, facts)
    except DefinitionError:
        return False
    return True
