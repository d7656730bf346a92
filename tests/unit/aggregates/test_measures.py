"""How each calculation method is stored, and which stored pieces roll up."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.measures import (
    SKETCHES,
    StoredFunction,
    StoredMeasure,
    row_count,
    stored_measures,
)
from airflow_atscale_aggs.engine.model.sml import CALCULATION_METHODS

_METHODS = {
    "sum": "sum",
    "count non-null": "count",
    "minimum": "minimum",
    "maximum": "maximum",
    "average": "sum count",
    "stddev_samp": "count sum centered_squares",
    "stddev_pop": "count sum centered_squares",
    "var_samp": "count sum centered_squares",
    "var_pop": "count sum centered_squares",
    "count distinct": "count_distinct",
    "sum distinct": "sum_distinct",
    "estimated count distinct": "distinct_sketch",
    "percentile": "percentile_sketch",
}


@pytest.mark.parametrize(("method", "functions"), _METHODS.items())
def test_a_method_is_stored_in_pieces(method: str, functions: str) -> None:
    pieces = [str(piece) for piece in stored_measures(method, "sales", "price")]

    assert pieces == [f"{function}(sales.price)" for function in functions.split()]


def test_every_method_of_sml_can_be_stored_and_no_other() -> None:
    assert _METHODS.keys() == CALCULATION_METHODS
    with pytest.raises(KeyError, match="median"):
        stored_measures("median", "sales", "price")


def test_only_exact_distinct_counts_and_sums_do_not_roll_up() -> None:
    stuck = {function.value for function in StoredFunction if not StoredMeasure(function, "s", "c").rolls_up}

    assert stuck == {"count_distinct", "sum_distinct"}
    assert {sketch.value for sketch in SKETCHES} == {"distinct_sketch", "percentile_sketch"}


def test_the_row_count_has_no_column_and_equal_pieces_are_shared() -> None:
    assert str(row_count("sales")) == "count_rows(sales)"
    assert set(stored_measures("sum", "s", "c")) < set(stored_measures("average", "s", "c"))
