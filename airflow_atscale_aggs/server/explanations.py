"""How a query would be answered, as lines of text."""

from __future__ import annotations

from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan

_MOST_CANDIDATES = 5


def explanation_lines(plan: QueryPlan) -> list[str]:
    """What answers each part of a query, why the nearest other aggregates do not, and the SQL for the warehouse."""
    lines = [*plan.meant, *(f"Run as it stands: {reason}" for reason in plan.untouched)]
    for number, candidates in enumerate(plan.candidates):
        lines.append(plan.verdict(number))
        for candidate in candidates[:_MOST_CANDIDATES]:
            what = f" ({', '.join(candidate.missing)})" if candidate.missing else ""
            change = f". Smallest change: {candidate.change}" if candidate.change else ""
            lines.append(f"  Not `{candidate.aggregate}`: {candidate.miss}{what}{change}")
        if len(candidates) > _MOST_CANDIDATES:
            lines.append(f"  and {len(candidates) - _MOST_CANDIDATES} more")
    return [*lines, "SQL for the warehouse:", *(f"  {line}" for line in plan.sql.splitlines())]
