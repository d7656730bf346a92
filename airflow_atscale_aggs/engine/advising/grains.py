"""Computes with the grains of one fact as sets of bits.

Which attributes determine others, and how many rows a grain has.

Rows come from measurements. For other grains they are estimated as the product of the roles' group counts, as if the
roles were independent. Measured coarser and finer grains bound the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, dependency_of
from airflow_atscale_aggs.engine.aggregates.set_bits import places_of_bits
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute

Measured = Mapping[frozenset[GrainAttribute], float]
"""Number of groups by grain."""


class GrainSpace:
    """The grains over the attributes that matter for one fact. Bits are numbered in the order of the attributes.

    Args:
        attributes: as the fact reaches them; those of all requirements and of all defined aggregates.
        proven: dependencies that hold in the data.
        fact_rows: rows of the fact.
        measured: group counts of some grains.
    """

    def __init__(
        self,
        attributes: Iterable[BoundAttribute],
        proven: AbstractSet[Dependency],
        *,
        fact_rows: int,
        measured: Measured,
    ) -> None:
        self.attributes = tuple(dict.fromkeys(attributes))
        self.fact_rows = max(fact_rows, 1)
        self._bit = {bound.attribute: 1 << number for number, bound in enumerate(self.attributes)}
        self._provides = self._provided_bits(proven)
        self._sources = self._determining_bits()
        numbers = range(len(self.attributes))
        self._determining = sum(1 << number for number in numbers if self._provides[number] != 1 << number)
        self._determined = sum(1 << number for number in numbers if self._sources[number])
        many = [bound.attribute for bound in self.attributes if bound.is_many_to_many]
        self.many_to_many = self.mask(many)
        roles: dict[object, int] = {}
        for bound in self.attributes:
            roles[bound.attribute.role] = roles.get(bound.attribute.role, 0) | self._bit[bound.attribute]
        self._roles = tuple(roles.values())
        self._measured: dict[int, float] = {}
        self._built: dict[int, float] = {}
        self._bounds: list[tuple[int, int, float]] = []
        self._rows: dict[int, float] = {}
        self._cells: dict[int, float] = {}
        self.learn(measured)

    def _provided_bits(self, proven: AbstractSet[Dependency]) -> list[int]:
        """For each attribute: itself and what it determines, which is of its role."""
        by_role: dict[object, list[BoundAttribute]] = {}
        for bound in self.attributes:
            by_role.setdefault(bound.attribute.role, []).append(bound)
        provided = []
        for source in self.attributes:
            bits = self._bit[source.attribute]
            for bound in by_role[source.attribute.role]:
                claim = None if bound.is_many_to_many else dependency_of(bound, source)
                if claim is not None and claim in proven:
                    bits |= self._bit[bound.attribute]
            provided.append(bits)
        return provided

    def _determining_bits(self) -> list[int]:
        """For each attribute: the others that determine it."""
        sources = [0] * len(self.attributes)
        for number, provided in enumerate(self._provides):
            for determined in places_of_bits(provided & ~(1 << number)):
                sources[determined] |= 1 << number
        return sources

    def learn(self, measured: Measured) -> None:
        """Take over further measurements."""
        for grain, rows in measured.items():
            if grain <= self._bit.keys():
                self._measured[self.reduce(self.mask(grain))] = max(float(rows), 1.0)
        self._measured |= self._built
        self._bounds = [(mask, self.closure(mask), rows) for mask, rows in self._measured.items()]
        self._rows.clear()
        self._cells.clear()

    def learn_built(self, tables: Iterable[tuple[frozenset[GrainAttribute], float]]) -> None:
        """Take over the rows of tables that were built. Sketches of these grains count for nothing from now on.

        A sketch is off by some percent and does not count rows without a key. A grain that is stored must not seem
        smaller than its table, or it would be proposed again.
        """
        for grain, rows in tables:
            if grain <= self._bit.keys():
                mask = self.reduce(self.mask(grain))
                self._built[mask] = max(1.0, min(float(rows), self._built.get(mask, math.inf)))
        self.learn({})

    def mask(self, grain: Iterable[GrainAttribute]) -> int:
        """A grain as bits."""
        bits = 0
        for attribute in grain:
            bits |= self._bit[attribute]
        return bits

    def bound(self, mask: int) -> tuple[BoundAttribute, ...]:
        """The attributes of a grain, in order."""
        return tuple(bound for bound in self.attributes if self._bit[bound.attribute] & mask)

    def closure(self, mask: int) -> int:
        """All attributes that a grain can give: its own and those that they determine."""
        bits = mask
        for number in places_of_bits(mask & self._determining):
            bits |= self._provides[number]
        return bits

    def reduce(self, mask: int) -> int:
        """The grain without attributes that others of it determine: the same groups.

        Of two that determine each other, the later one stays.
        """
        for number in places_of_bits(mask & self._determined):
            if mask & self._sources[number]:
                mask ^= 1 << number
        return mask

    def is_measured(self, mask: int) -> bool:
        """Whether the rows of a (reduced) grain come from the warehouse."""
        return mask in self._measured or not mask

    def rows(self, mask: int) -> float:
        """Estimated rows of a reduced grain."""
        rows = self._measured.get(mask)
        if rows is not None:
            return rows
        if mask not in self._rows:
            self._rows[mask] = self._estimate(mask)
        return self._rows[mask]

    def _estimate(self, mask: int) -> float:
        if not mask:
            return 1.0
        cells = 1.0
        for role in self._roles:
            if mask & role:
                cells *= self._role_cells(mask & role)
        # The expected number of cells that are hit when the fact rows fall into cells at random.
        rows = -cells * math.expm1(-self.fact_rows / cells) if cells < self.fact_rows * 50 else self.fact_rows
        closure, least, most = self.closure(mask), 1.0, float(self.fact_rows)
        for other, other_closure, measured in self._bounds:
            if other & closure == other:
                least = max(least, measured)
            elif mask & other_closure == mask:
                most = min(most, measured)
        return max(min(rows, most), least)

    def _role_cells(self, mask: int) -> float:
        """Combinations of attributes of one role.

        Measured, or the product, at most what a finer one of the role has.
        """
        cells = self._measured.get(mask)
        if cells is not None:
            return cells
        if mask not in self._cells:
            product, number = 1.0, 0
            while mask >> number:
                if mask >> number & 1:
                    product *= self._measured.get(1 << number, float(self.fact_rows))
                number += 1
            self._cells[mask] = min(product, float(self.fact_rows))
        return self._cells[mask]
