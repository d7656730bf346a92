"""Marks of datasets as a registry keeps them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.registry.documents import decode_sources, encode_sources


def test_marks_are_read_as_they_were_written() -> None:
    marks = (
        SourceMark(dataset="sales", sql="SELECT MAX(id) FROM sales", mark="42"),
        SourceMark(dataset="day", sql="SELECT 1", mark=""),
        SourceMark(dataset="shop"),
    )

    assert decode_sources(encode_sources(marks)) == marks


def test_a_dataset_that_nobody_can_mark_has_neither_a_query_nor_an_answer() -> None:
    """An answer that is empty is an answer."""
    (mark,) = decode_sources(b'[{"dataset":"shop"}]')

    assert (mark.sql, mark.mark) == ("", None)
    assert mark != SourceMark(dataset="shop", mark="")
