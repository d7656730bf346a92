"""Rows of values as messages: each as if it were written by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.server.messages import ResultColumn, data_row
from airflow_atscale_aggs.server.row_encoding import encode_rows
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.values import BOOL, DATE, FLOAT8, INT8, NUMERIC, TEXT, encoders

_OIDS = (TEXT, INT8, NUMERIC, FLOAT8, DATE, BOOL)
_COLUMNS = [ResultColumn(name="x", type_oid=oid) for oid in _OIDS]
_ROWS = st.lists(
    st.tuples(
        st.none() | st.sampled_from(["", "a", "ä"]),
        st.none() | st.sampled_from([0, 1, True, -(2**63)]),
        st.none() | st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal("-0.0"), Decimal("1E+2"), 1, 1.5]),
        st.none() | st.sampled_from([0.0, -0.0, 1.0, 1, float("nan")]),
        st.none() | st.sampled_from([date(2025, 1, 1), date(2025, 1, 2)]),
        st.none() | st.booleans(),
    ),
    max_size=60,
)


@given(rows=_ROWS, binary=st.booleans())
def test_rows_are_written_as_each_by_itself(rows: list[Sequence[Any]], binary: bool) -> None:
    writers = encoders(_COLUMNS, (int(binary),))
    batches = list(encode_rows(iter(rows), writers, 1000))

    expected = [data_row([write(value) for write, value in zip(writers, row, strict=True)]) for row in rows]
    assert b"".join(batch.data for batch in batches) == b"".join(expected)
    assert sum(batch.count for batch in batches) == len(rows)


def test_rows_without_columns_are_counted() -> None:
    assert [batch.count for batch in encode_rows(iter([(), ()]), [], 1000)] == [2]


def test_long_rows_go_in_small_batches_and_one_that_is_too_long_is_an_error() -> None:
    writers = encoders(_COLUMNS[:1], ())
    batches = list(encode_rows(iter([("x" * 100_000,)] * 40), writers, 1_000_000))
    assert {batch.count for batch in batches[1:]} == {1}

    with pytest.raises(SqlError):
        list(encode_rows(iter([("x" * 1001,)]), writers, 1000))
