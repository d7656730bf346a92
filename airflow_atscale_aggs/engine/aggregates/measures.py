"""Says how each calculation method is stored, and how the stored pieces roll up.

    calculation_method            stored as                                rolls up by
    (every aggregate)             COUNT_ROWS                               SUM
    sum                           SUM                                      SUM
    count non-null                COUNT                                    SUM
    minimum / maximum             MINIMUM / MAXIMUM                        MIN / MAX
    average                       SUM + COUNT                              their own
    stddev_*, var_*               COUNT + SUM + CENTERED_SQUARES           Chan et al.: squares of parts + between parts
    count distinct                COUNT_DISTINCT                           not at all: exact only at the very grain
    sum distinct                  SUM_DISTINCT                             not at all
    estimated count distinct      DISTINCT_SKETCH                          sketch merge, where the dialect has one
    percentile                    PERCENTILE_SKETCH                        sketch merge, where the dialect has one

Source: SML reference, ``metric.calculation_method``; Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm
for Computing Sample Variances" (1979) for the centred squares, which do not cancel as plain sums of squares do.
"""

from __future__ import annotations

from enum import StrEnum

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class StoredFunction(StrEnum):
    """What is computed from the fact rows of one group and kept."""

    COUNT_ROWS = "count_rows"
    SUM = "sum"
    COUNT = "count"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    CENTERED_SQUARES = "centered_squares"
    COUNT_DISTINCT = "count_distinct"
    SUM_DISTINCT = "sum_distinct"
    DISTINCT_SKETCH = "distinct_sketch"
    PERCENTILE_SKETCH = "percentile_sketch"


SKETCHES = frozenset({StoredFunction.DISTINCT_SKETCH, StoredFunction.PERCENTILE_SKETCH})
"""Functions that store sketches, which give estimates only."""

_NON_ADDITIVE = frozenset({StoredFunction.COUNT_DISTINCT, StoredFunction.SUM_DISTINCT})

_STORED_BY_METHOD: dict[str, tuple[StoredFunction, ...]] = {
    "sum": (StoredFunction.SUM,),
    "count non-null": (StoredFunction.COUNT,),
    "minimum": (StoredFunction.MINIMUM,),
    "maximum": (StoredFunction.MAXIMUM,),
    "average": (StoredFunction.SUM, StoredFunction.COUNT),
    "count distinct": (StoredFunction.COUNT_DISTINCT,),
    "sum distinct": (StoredFunction.SUM_DISTINCT,),
    "estimated count distinct": (StoredFunction.DISTINCT_SKETCH,),
    "percentile": (StoredFunction.PERCENTILE_SKETCH,),
    **dict.fromkeys(
        ("stddev_samp", "stddev_pop", "var_samp", "var_pop"),
        (StoredFunction.COUNT, StoredFunction.SUM, StoredFunction.CENTERED_SQUARES),
    ),
}


@dataclass(frozen=True, slots=True, order=True)
class StoredMeasure:
    """One stored column of an aggregate, by meaning: two metrics that need the same piece share it.

    Attributes:
        function: what is computed per group.
        dataset: the fact dataset.
        column: the column it is computed from; empty for COUNT_ROWS.
    """

    function: StoredFunction
    dataset: str
    column: str = ""

    @property
    def rolls_up(self) -> bool:
        """Whether groups can be combined into coarser groups."""
        return self.function not in _NON_ADDITIVE

    def __str__(self) -> str:
        return f"{self.function}({self.dataset}.{self.column})" if self.column else f"{self.function}({self.dataset})"


def stored_measures(calculation_method: str, dataset: str, column: str) -> tuple[StoredMeasure, ...]:
    """The stored pieces of a metric, without the row count that every aggregate has anyway.

    >>> [str(piece) for piece in stored_measures("average", "sales", "price")]
    ['sum(sales.price)', 'count(sales.price)']

    Raises:
        KeyError: the method is none of `sml.CALCULATION_METHODS`; the reader of SML reports it before.
    """
    return tuple(StoredMeasure(function, dataset, column) for function in _STORED_BY_METHOD[calculation_method])


def row_count(dataset: str) -> StoredMeasure:
    """The number of fact rows in a group: COUNT(*), never NULL."""
    return StoredMeasure(StoredFunction.COUNT_ROWS, dataset)
