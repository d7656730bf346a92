"""What advice needs to know of the data: rows of facts, values of keys, group counts of grains. A few scans per fact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.advising.advisor import DefinedPart, FactWorkload
from airflow_atscale_aggs.engine.advising.candidates import JoinLimits
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.advising.widths import RowWidths
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lifecycle.build.estimates import count_groups, is_buildable
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.sql.table_statistics import type_bytes
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_NEEDS_MEASURED_AT_ONCE = 30

_FLAG_BYTES = type_bytes("int")
"""Of the column that tells whether a join has met."""


class Statistician:
    """Asks the warehouse about one model; keeps what it was told.

    Args:
        session: open for as long as questions are asked.
    """

    def __init__(self, session: WarehouseSession, known: ModelSnapshot) -> None:
        self._session, self._known = session, known
        self.scans = 0
        """Scans of a fact so far."""

    def demand_of(
        self, fact: str, needs: Sequence[QueryRequirement], defined: Sequence[DefinedPart]
    ) -> FactWorkload | None:
        """What is asked of one fact, with its statistics; None when the fact cannot be read.

        Needs that cannot be built here, because a column or table is not there, are left out.
        """
        known = self._known
        known.proofs.add(self._session, [FactPart(fact=fact, attributes=_attributes(needs, defined), measures=())])
        kept = tuple(need for need in needs if is_buildable(need.part, known.sources, known.proofs.facts))
        datasets = {step.to_dataset for need in kept for bound in need.part.attributes for step in bound.steps}
        try:
            rows = self.row_counts({fact, *datasets})
        except DefinitionError:
            return None
        counted = self.measure(one.part for one in defined if one.rows is None)
        proven = known.proofs.facts.functional
        attributes = _attributes(kept, defined)
        space = GrainSpace(attributes, proven, fact_rows=rows[fact], measured={})
        space.learn(self.measure(self._basic(fact, space, kept)))
        own = known.model.datasets
        limits = JoinLimits(
            key_values={name: rows[name] for name in datasets},
            is_incremental=own[fact].incremental is not None,
            unsafe=frozenset(name for name in datasets if not own[name].immutable),
        )
        known_parts = tuple(one if one.rows is not None else _with_rows(one, counted) for one in defined)
        return FactWorkload(
            fact=fact,
            space=space,
            requirements=kept,
            limits=limits,
            proven=proven,
            defined=known_parts,
            widths=self.widths(attributes),
        )

    def widths(self, attributes: Iterable[BoundAttribute]) -> RowWidths:
        """Bytes of columns: what the warehouse's statistics tell of the columns they are taken from, else by their types."""
        dialect = self._known.sources.dialect
        found = {
            bound.attribute: sum(self._column_bytes(bound.dataset, column) for column in bound.columns)
            + (_FLAG_BYTES if bound.steps else 0)
            for bound in attributes
        }
        return RowWidths(attributes=found, row=dialect.row_bytes)

    def _column_bytes(self, dataset: str, column: str) -> float:
        source = self._sources[dataset]
        name = source.physical_name(column)
        table = (
            self._known.sizes.told(self._session).get((source.place[1] or "", source.place[2]))
            if source.place
            else None
        )
        known = table.columns.get(name) if table is not None and name is not None else None
        return type_bytes(source.data_type(column)) if known is None or known.width is None else known.width

    def measure(self, parts: Iterable[FactPart]) -> Mapping[frozenset[GrainAttribute], float]:
        """Sketched group counts of parts of one fact by grain, see `counted`."""
        return {grain: count for (_, grain), count in self.counted(parts).items()}

    def is_there(self, dataset: str) -> bool:
        """Whether the warehouse has a dataset's table."""
        try:
            self._sources[dataset]
        except DefinitionError:
            return False
        return True

    def counted(self, parts: Iterable[FactPart]) -> Mapping[tuple[str, frozenset[GrainAttribute]], float]:
        """Sketched group counts by fact and grain; parts that cannot be built are left out."""
        known = self._known
        found: dict[tuple[str, frozenset[GrainAttribute]], float] = {}
        by_fact: dict[str, dict[frozenset[GrainAttribute], FactPart]] = {}
        wanted = list(parts)
        known.proofs.add(self._session, wanted)
        for part in wanted:
            grain = frozenset(bound.attribute for bound in part.attributes)
            if grain and is_buildable(part, known.sources, known.proofs.facts):
                by_fact.setdefault(part.fact, {})[grain] = part
        for fact, here in by_fact.items():
            counts = count_groups(self._session, list(here.values()), known.sources, known.proofs.facts)
            self.scans += 1
            found.update({(fact, grain): float(count) for grain, count in zip(here, counts, strict=True)})
        return found

    def row_counts(self, datasets: Iterable[str]) -> Mapping[str, int]:
        """Exact rows of datasets, in one statement.

        Raises:
            DefinitionError: a table is not there.
        """
        names = sorted(datasets)
        union: exp.Expression | None = None
        for number, name in enumerate(names):
            one = exp.select(
                exp.Alias(this=exp.Literal.number(number), alias=exp.to_identifier("place", quoted=True)),
                exp.Alias(this=exp.Count(this=exp.Star()), alias=exp.to_identifier("rows", quoted=True)),
            ).from_(self._sources[name].relation("t"), copy=False)
            union = one if union is None else exp.Union(this=union, expression=one, distinct=False)
        rows = self._session.fetch_all(render(union, self._sources.dialect)) if union is not None else []
        return {names[int(place)]: int(count) for place, count in rows}

    @property
    def _sources(self) -> Sources:
        return self._known.sources

    @staticmethod
    def _basic(fact: str, space: GrainSpace, needs: Sequence[QueryRequirement]) -> list[FactPart]:
        """Each attribute, each set of attributes of one role that is asked for, and the heaviest grains."""
        grains: dict[tuple[BoundAttribute, ...], None] = {(bound,): None for bound in space.attributes}
        for number, need in enumerate(needs):
            asked = space.bound(space.reduce(space.mask(need.grain)))
            for role in dict.fromkeys(bound.attribute.role for bound in asked):
                grains[tuple(bound for bound in asked if bound.attribute.role == role)] = None
            if number < _NEEDS_MEASURED_AT_ONCE:
                grains[asked] = None
        return [FactPart(fact=fact, attributes=one, measures=()) for one in grains if one]


def _with_rows(one: DefinedPart, counted: Mapping[frozenset[GrainAttribute], float]) -> DefinedPart:
    grain = frozenset(bound.attribute for bound in one.part.attributes)
    return replace(one, rows=counted.get(grain) if grain else 1.0)


def _attributes(needs: Iterable[QueryRequirement], defined: Iterable[DefinedPart]) -> tuple[BoundAttribute, ...]:
    parts = [*(need.part for need in needs), *(one.part for one in defined)]
    found: dict[GrainAttribute, BoundAttribute] = {}
    for part in parts:
        for bound in part.attributes:
            found.setdefault(bound.attribute, bound)
    return tuple(found.values())
