"""A million sales on a thousand days in thirty months: requirements, defined aggregates, and a workload."""

from __future__ import annotations

from typing import Any

from airflow_atscale_aggs.engine.advising.advisor import DefinedPart, FactWorkload
from airflow_atscale_aggs.engine.advising.candidates import JoinLimits
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement, combine_requirements
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from tests.support.grain_cases import LEVELS, PROVEN

MANY_ROWS = 1_000_000
DAY, MONTH = LEVELS["Day"], LEVELS["Month"]
_COUNTS = {frozenset({DAY.attribute}): 1000.0, frozenset({MONTH.attribute}): 30.0}


def sales_part(*levels: str, columns: str = "amount") -> FactPart:
    """An aggregate of the sums of some columns."""
    sums = (StoredMeasure(StoredFunction.SUM, "sales", column) for column in columns.split())
    attributes = tuple(LEVELS[level] for level in levels)
    return FactPart(fact="sales", attributes=attributes, measures=tuple(sorted({row_count("sales"), *sums})))


def sales_requirement(*levels: str, weight: float, columns: str = "amount") -> QueryRequirement:
    """Queries that need the sums of some columns."""
    return QueryRequirement(
        part=sales_part(*levels, columns=columns), weight=weight, metrics=tuple(sorted(columns.split()))
    )


def defined_part(name: str, *levels: str, rows: float | None, columns: str = "amount", **changes: Any) -> DefinedPart:
    """An aggregate that is defined already."""
    metrics = tuple(columns.split())
    return DefinedPart(name=name, part=sales_part(*levels, columns=columns), rows=rows, metrics=metrics, **changes)


def sales_workload(
    *requirements: QueryRequirement, is_incremental: bool = False, defined: tuple[DefinedPart, ...] = (), **changes: Any
) -> FactWorkload:
    """What the fact is asked by day and by month."""
    return FactWorkload(
        fact="sales",
        space=GrainSpace((DAY, MONTH), PROVEN, fact_rows=MANY_ROWS, measured=_COUNTS),
        requirements=combine_requirements(requirements),
        limits=JoinLimits(key_values={"day": 1000}, is_incremental=is_incremental),
        proven=PROVEN,
        defined=defined,
        **changes,
    )
