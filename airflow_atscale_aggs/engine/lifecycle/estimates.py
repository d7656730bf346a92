"""How large aggregates would be: sketched in the warehouse, one scan per fact dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate
from airflow_atscale_aggs.engine.sql.joins import DataFacts
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sketches import estimate_statement, read_estimates
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


def estimate_rows(
    session: WarehouseSession, candidates: Sequence[Candidate], sources: Sources, facts: DataFacts
) -> Mapping[tuple[str, str], int]:
    """Estimated rows by (definition id, fact); an aggregate without attributes has exactly one row.

    Candidates that cannot be built have no estimate.
    """
    found: dict[tuple[str, str], int] = {}
    by_fact: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if not candidate.part.attributes:
            found[candidate.definition.id, candidate.part.fact] = 1
        elif _can_be_built(candidate, sources, facts):
            by_fact.setdefault(candidate.part.fact, []).append(candidate)
    for fact, here in by_fact.items():
        statement = estimate_statement([candidate.part for candidate in here], sources, facts)
        rows = session.fetch_all(render(statement, sources.dialect))
        are_registers = sources.dialect.approx_count_distinct is None
        estimates = read_estimates(rows, len(here), are_registers=are_registers)
        found.update(((candidate.definition.id, fact), rows) for candidate, rows in zip(here, estimates, strict=True))
    return found


def _can_be_built(candidate: Candidate, sources: Sources, facts: DataFacts) -> bool:
    try:
        select_from_fact(candidate.part, sources, facts)
    except DefinitionError:
        return False
    return True
