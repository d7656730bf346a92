"""Decides how an aggregate is grouped that is built from its facts: by names, or by codes that names are attached to.

Codes are found by reading a dimension twice, which is cheap beside many facts. They pay where facts would be grouped by
texts, or by several columns and flags of one dimension. See `sql/member_codes.py` for what codes are.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import JoinStep
from airflow_atscale_aggs.engine.planning.decisions import Decision, Segmented
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.member_codes import Coded, codable
from airflow_atscale_aggs.engine.sql.sources import Sources

FEWEST_FACTS = 200_000
"""Fewer fact rows are grouped in less time than the longer statement takes to plan."""

FACTS_PER_MEMBER = 10
"""A dimension is coded by its key where the fact has so many rows at least for each of its rows."""

FACTS_PER_RANKED_MEMBER = 20
"""The same for a dimension whose members are ranked, which sorts them twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootForm:
    """How the facts of an aggregate are grouped.

    Attributes:
        coded: joins of the dimensions that are grouped by code; none: all are grouped by what they show.
        reason: ``codes`` or ``names``, a colon, and which or why, for people.
    """

    coded: tuple[JoinStep, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormInput:
    """What the choice depends on, beside the aggregate.

    Attributes:
        rows: of tables by dataset, as the catalog estimates them; it tells none of views, and those are not coded.
    """

    sources: Sources
    constraints: ProvenConstraints
    settings: Settings
    rows: Mapping[str, int]


def choose_form(part: FactPart, decision: Decision, given: FormInput) -> RootForm:
    """The form in which a part is built from its fact. Same input, same form."""
    hindrance = _why_by_names(part, decision, given)
    if hindrance:
        return RootForm(reason=f"names: {hindrance}")
    facts = given.rows[part.fact]
    coded = [
        dimension
        for dimension in codable(part, given.sources, given.constraints)
        if _pays(dimension, facts, given.rows)
    ]
    if not coded:
        return RootForm(reason="names: no dimension is proven, small and wide enough")
    names = ", ".join(
        f"`{dimension.datasets[0]}` ({counted(given.rows[dimension.datasets[0]], 'row')})" for dimension in coded
    )
    return RootForm(
        coded=tuple(dimension.step for dimension in coded),
        reason=f"codes: `{part.fact}` ({counted(facts, 'row')}) by numbers of {names}, names after",
    )


def _why_by_names(part: FactPart, decision: Decision, given: FormInput) -> str:
    """Why nothing is coded; empty where something may be."""
    dialect, rows = given.sources.dialect, given.rows.get(part.fact)
    if not given.settings.group_by_codes:
        return "aggregates.batch.groupByCodes.enabled is off"
    if not dialect.groups_by_codes:
        return f"codes were not shown to pay on {dialect.name}"
    if isinstance(decision, Segmented) and not decision.full_reason:
        return "an increment reads few rows"
    if rows is None:
        return f"the catalog does not tell how many rows `{part.fact}` has"
    if rows < FEWEST_FACTS:
        return f"`{part.fact}` has {counted(rows, 'row')}, codes pay from {FEWEST_FACTS:,} on"
    return ""


def _pays(dimension: Coded, facts: int, rows: Mapping[str, int]) -> bool:
    """Whether a dimension is small enough beside the facts, and what it shows is dearer to group by than a code."""
    if dimension.is_narrow or not all(dataset in rows for dataset in dimension.datasets):
        return False
    factor = FACTS_PER_MEMBER if dimension.has_key else FACTS_PER_RANKED_MEMBER
    return all(rows[dataset] * factor <= facts for dataset in dimension.datasets)
