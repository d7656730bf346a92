"""What is remembered is bounded."""

from __future__ import annotations

from airflow_atscale_aggs.server.remembered import Remembered


def test_what_came_first_is_forgotten_and_what_came_again_keeps_its_place() -> None:
    known: Remembered[str, int] = Remembered(2)
    for number, key in enumerate("abac"):
        known[key] = number

    assert list(known.items()) == [("b", 1), ("c", 3)]
