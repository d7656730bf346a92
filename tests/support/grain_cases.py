"""Sales by days, shops and channels, as grains: attributes, what determines what, group counts, and requirements."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import dependency_of
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role

FACT_ROWS = 10_000
COUNTS = {"Year": 3, "Month": 36, "Day": 1000, "Region": 4, "Shop": 50, "Channel": 2}
"""Number of groups of each attribute by itself."""

_CHAINS = (("Year", "Month", "Day"), ("Region", "Shop"), ("Channel",))


def level(chain: tuple[str, ...], place: int, kind: JoinKind = JoinKind.UNIQUE_KEY) -> BoundAttribute:
    """An attribute of a dimension that is named after its finest level; coarse levels first."""
    table = chain[-1].lower()
    key = f"{table}_id"
    column = key if place == len(chain) - 1 else chain[place].lower()
    return BoundAttribute(
        attribute=GrainAttribute(Role(chain[-1]), chain[place]),
        label=chain[place],
        dataset=table,
        key_columns=(column,),
        name_column=column,
        steps=(JoinStep(kind, "sales", (key,), table, (key,)),),
        determines=frozenset(chain[:place]),
    )


LEVELS = {chain[place]: level(chain, place) for chain in _CHAINS for place in range(len(chain))}
REASON = level(("Reason",), 0, JoinKind.BRIDGE)
"""Many-to-many."""

_CLAIMS = {dependency_of(bound, source) for bound in LEVELS.values() for source in LEVELS.values()}
PROVEN = frozenset(claim for claim in _CLAIMS if claim is not None)
"""Everything that the model claims: a day has one month and one year, a shop one region."""

MEASURED = {frozenset({LEVELS[name].attribute}): float(count) for name, count in COUNTS.items()}

CUSTOMERS = StoredMeasure(StoredFunction.COUNT_DISTINCT, "sales", "customer")
"""Exact at its own grain only."""


def grain_space(bounds: Iterable[BoundAttribute] = tuple(LEVELS.values()), *, is_proven: bool = True) -> GrainSpace:
    """The grains over some attributes."""
    return GrainSpace(bounds, PROVEN if is_proven else frozenset(), fact_rows=FACT_ROWS, measured=MEASURED)


def mask_of(space: GrainSpace, *names: str) -> int:
    """A grain as bits."""
    return space.mask(LEVELS[name].attribute for name in names)


def names_of(space: GrainSpace, mask: int) -> set[str]:
    """The names of a grain's attributes."""
    return {bound.attribute.name for bound in space.bound(mask)}


def grain_part(*names: str, measures: tuple[StoredMeasure, ...] = ()) -> FactPart:
    """What an aggregate of some levels stores."""
    stored = tuple(sorted({row_count("sales"), *measures}))
    return FactPart(fact="sales", attributes=tuple(LEVELS[name] for name in names), measures=stored)


def requirement(*names: str, weight: float = 1.0, measures: tuple[StoredMeasure, ...] = ()) -> QueryRequirement:
    """What queries by some levels need."""
    return QueryRequirement(part=grain_part(*names, measures=measures), weight=weight)
