"""Work on a deeply nested text is done again with a larger stack, and leaves the process as it was."""

from __future__ import annotations

import sys
import threading

import pytest

from airflow_atscale_aggs.engine.errors import UnreadableQueryError
from airflow_atscale_aggs.engine.rewriting.parse.deep_nesting import with_room
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import parse_query


def _depth(levels: int) -> int:
    return 0 if levels == 0 else 1 + _depth(levels - 1)


def test_work_that_fits_is_done_once_in_its_own_thread() -> None:
    threads: list[threading.Thread] = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 7

    assert with_room(work, "SELECT 1") == 7
    assert threads == [threading.current_thread()]


def test_deeper_work_is_done_again_in_a_thread_with_room() -> None:
    levels, tries = 5 * sys.getrecursionlimit(), []

    def work() -> int:
        tries.append(threading.current_thread().name)
        return _depth(levels)

    assert with_room(work, "SELECT 1") == levels
    assert tries == [threading.current_thread().name, "deep query"]


def test_limits_are_those_of_before_afterwards() -> None:
    before = (sys.getrecursionlimit(), threading.stack_size())
    levels = 2 * sys.getrecursionlimit()

    assert with_room(lambda: _depth(levels), "SELECT 1") == levels
    assert (sys.getrecursionlimit(), threading.stack_size()) == before


@pytest.mark.parametrize("sql", ["SELECT 1", f"SELECT {'(' * 500}"])
def test_what_is_too_deep_even_so_is_unreadable(sql: str) -> None:
    def work() -> None:
        raise RecursionError

    with pytest.raises(UnreadableQueryError, match="it is nested too deeply") as error:
        with_room(work, sql)

    assert error.value.sql == (sql if len(sql) <= 200 else f"{sql[:200]}…")


def test_another_error_of_the_work_is_its_own() -> None:
    levels = 2 * sys.getrecursionlimit()

    def work() -> None:
        _depth(levels)
        raise KeyError(levels)

    with pytest.raises(KeyError, match=str(levels)):
        with_room(work, "SELECT 1")


def test_a_text_of_a_thousand_levels_is_parsed() -> None:
    sql = f"SELECT {'(' * 1000}1{')' * 1000}"

    (projection,) = with_room(lambda: parse_query(sql, dialect="postgres"), sql).expressions

    assert projection.unnest().name == "1"
