"""Collect statistics of the data for advice: rows of facts, values of keys, group counts of grains.

A few scans per fact.
"""

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

_REQUIREMENTS_MEASURED_AT_ONCE = 30

_FLAG_BYTES = type_bytes("int")
"""Bytes of the column that tells whether a join found a row."""


class Statistician:
    """Asks the warehouse about one model, and keeps the answers.

    Args:
        session: open for as long as questions are asked.
    """

    def __init__(self, session: WarehouseSession, snapshot: ModelSnapshot) -> None:
        self._session, self._snapshot = session, snapshot
        self.scans = 0
        """Scans of a fact so far."""

    def collect_workload(
        self, fact: str, requirements: Sequence[QueryRequirement], defined: Sequence[DefinedPart]
    ) -> FactWorkload | None:
        """The requirements of one fact with its statistics; None when the fact cannot be read.

        Requirements that cannot be built here, because a column or table is not there, are left out.
        """
        snapshot = self._snapshot
        snapshot.proofs.add(
            self._session, [FactPart(fact=fact, attributes=_attributes(requirements, defined), measures=())]
        )
        buildable = tuple(
            requirement
            for requirement in requirements
            if is_buildable(requirement.part, snapshot.sources, snapshot.proofs.proven)
        )
        datasets = {
            step.to_dataset
            for requirement in buildable
            for bound in requirement.part.attributes
            for step in bound.steps
        }
        try:
            rows = self.row_counts({fact, *datasets})
        except DefinitionError:
            return None
        counts = self.measure(part.part for part in defined if part.rows is None)
        proven = snapshot.proofs.proven.functional
        attributes = _attributes(buildable, defined)
        space = GrainSpace(attributes, proven, fact_rows=rows[fact], measured={})
        space.learn(self.measure(self._basic(fact, space, buildable)))
        space.learn_built([(_grain(part.part), part.rows) for part in defined if part.rows is not None])
        limits = JoinLimits(
            key_values={dataset: rows[dataset] for dataset in datasets},
            is_incremental=snapshot.model.datasets[fact].incremental is not None,
            unsafe=frozenset(dataset for dataset in datasets if not snapshot.model.datasets[dataset].immutable),
        )
        parts_with_rows = tuple(part if part.rows is not None else _with_rows(part, counts) for part in defined)
        return FactWorkload(
            fact=fact,
            space=space,
            requirements=buildable,
            limits=limits,
            proven=proven,
            defined=parts_with_rows,
            widths=self.widths(attributes),
        )

    def widths(self, attributes: Iterable[BoundAttribute]) -> RowWidths:
        """Bytes of columns.

        The warehouse's statistics tell them for columns that are stored; for others their types do.
        """
        dialect = self._snapshot.sources.dialect
        bytes_by_attribute = {
            bound.attribute: sum(self._column_bytes(bound.dataset, column) for column in bound.columns)
            + (_FLAG_BYTES if bound.steps else 0)
            for bound in attributes
        }
        return RowWidths(attributes=bytes_by_attribute, row=dialect.row_bytes)

    def _column_bytes(self, dataset: str, column: str) -> float:
        source = self._sources[dataset]
        name = source.physical_name(column)
        table = (
            self._snapshot.sizes.read(self._session).get((source.place[1] or "", source.place[2]))
            if source.place
            else None
        )
        statistics = table.columns.get(name) if table is not None and name is not None else None
        return (
            type_bytes(source.data_type(column)) if statistics is None or statistics.width is None else statistics.width
        )

    def measure(self, parts: Iterable[FactPart]) -> Mapping[frozenset[GrainAttribute], float]:
        """Sketched group counts of parts of one fact by grain, see `sketch_groups`."""
        return {grain: count for (_, grain), count in self.sketch_groups(parts).items()}

    def is_there(self, dataset: str) -> bool:
        """Whether the warehouse has a dataset's table."""
        try:
            self._sources[dataset]
        except DefinitionError:
            return False
        return True

    def sketch_groups(self, parts: Iterable[FactPart]) -> Mapping[tuple[str, frozenset[GrainAttribute]], float]:
        """Sketched group counts by fact and grain; parts that cannot be built are left out."""
        snapshot = self._snapshot
        counts_by_grain: dict[tuple[str, frozenset[GrainAttribute]], float] = {}
        by_fact: dict[str, dict[frozenset[GrainAttribute], FactPart]] = {}
        wanted = list(parts)
        snapshot.proofs.add(self._session, wanted)
        for part in wanted:
            grain = frozenset(bound.attribute for bound in part.attributes)
            if grain and is_buildable(part, snapshot.sources, snapshot.proofs.proven):
                by_fact.setdefault(part.fact, {})[grain] = part
        for fact, parts_by_grain in by_fact.items():
            counts = count_groups(
                self._session, list(parts_by_grain.values()), snapshot.sources, snapshot.proofs.proven
            )
            self.scans += 1
            counts_by_grain.update(
                {(fact, grain): float(count) for grain, count in zip(parts_by_grain, counts, strict=True)}
            )
        return counts_by_grain

    def row_counts(self, datasets: Iterable[str]) -> Mapping[str, int]:
        """Exact rows of datasets, in one statement.

        Raises:
            DefinitionError: a table is not there.
        """
        names = sorted(datasets)
        union: exp.Expr | None = None
        for number, name in enumerate(names):
            select = exp.select(
                exp.Alias(this=exp.Literal.number(number), alias=exp.to_identifier("place", quoted=True)),
                exp.Alias(this=exp.Count(this=exp.Star()), alias=exp.to_identifier("rows", quoted=True)),
            ).from_(self._sources[name].relation("t"), copy=False)
            union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
        rows = self._session.fetch_all(render(union, self._sources.dialect)) if union is not None else []
        return {names[int(place)]: int(count) for place, count in rows}

    @property
    def _sources(self) -> Sources:
        return self._snapshot.sources

    @staticmethod
    def _basic(fact: str, space: GrainSpace, requirements: Sequence[QueryRequirement]) -> list[FactPart]:
        """Each attribute, each set of attributes of one role that is asked for, and the heaviest grains."""
        grains: dict[tuple[BoundAttribute, ...], None] = {(bound,): None for bound in space.attributes}
        for number, requirement in enumerate(requirements):
            attributes = space.bound(space.reduce(space.mask(requirement.grain)))
            for role in dict.fromkeys(bound.attribute.role for bound in attributes):
                grains[tuple(bound for bound in attributes if bound.attribute.role == role)] = None
            if number < _REQUIREMENTS_MEASURED_AT_ONCE:
                grains[attributes] = None
        return [FactPart(fact=fact, attributes=attributes, measures=()) for attributes in grains if attributes]


def _with_rows(part: DefinedPart, counts: Mapping[frozenset[GrainAttribute], float]) -> DefinedPart:
    grain = _grain(part.part)
    return replace(part, rows=counts.get(grain) if grain else 1.0)


def _grain(part: FactPart) -> frozenset[GrainAttribute]:
    return frozenset(bound.attribute for bound in part.attributes)


def _attributes(requirements: Iterable[QueryRequirement], defined: Iterable[DefinedPart]) -> tuple[BoundAttribute, ...]:
    parts = [*(requirement.part for requirement in requirements), *(part.part for part in defined)]
    attributes: dict[GrainAttribute, BoundAttribute] = {}
    for part in parts:
        for bound in part.attributes:
            attributes.setdefault(bound.attribute, bound)
    return tuple(attributes.values())
