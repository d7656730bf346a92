"""Whether a batch that was begun answers a request, and whether it may be resumed for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.planning.requests import (
    Asked,
    covers,
    difference,
    is_begun_after,
    is_request,
    signal_of_request,
)

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

_FULL = Asked(build_type=BuildType.FULL)
_INCREMENTAL = Asked(build_type=BuildType.INCREMENTAL)
_FULL_A = Asked(build_type=BuildType.FULL, aggregates=("a",))
_FULL_AB = Asked(build_type=BuildType.FULL, aggregates=("a", "b"))
_INCREMENTAL_A = Asked(build_type=BuildType.INCREMENTAL, aggregates=("a",))
_DEEP = Asked(build_type=BuildType.INCREMENTAL, grace_periods={"sales": "9d"})
_DEEP_AND_FULL = Asked(build_type=BuildType.FULL, grace_periods={"sales": "9d"})


@pytest.mark.parametrize(("seconds", "is_after"), [(-5, False), (0, False), (0.9, False), (1, True), (60, True)])
def test_a_batch_begins_after_a_request_when_the_clocks_cannot_be_the_reason(seconds: float, is_after: bool) -> None:
    """The clocks of two machines may differ by a second."""
    assert is_begun_after(_NOON + timedelta(seconds=seconds), _NOON) is is_after


@pytest.mark.parametrize(
    ("batch", "request_", "is_covered"),
    [
        (_FULL, _FULL, True),
        (_FULL, _INCREMENTAL, True),
        (_FULL, _DEEP, True),
        (_FULL, _FULL_A, True),
        (_FULL_A, _FULL_A, True),
        (_FULL_AB, _FULL_A, True),
        (_FULL_AB, _INCREMENTAL_A, True),
        (_INCREMENTAL, _INCREMENTAL, True),
        (_DEEP, _INCREMENTAL, True),
        (_INCREMENTAL, _FULL, False),
        (_INCREMENTAL, _DEEP, False),
        (_DEEP, _DEEP, False),
        (_FULL_A, _FULL, False),
        (_FULL_A, _FULL_AB, False),
        (_INCREMENTAL_A, _FULL_A, False),
    ],
)
def test_a_batch_covers_a_request_when_it_built_as_much_and_read_as_far_back(
    batch: Asked, request_: Asked, is_covered: bool
) -> None:
    """Nobody knows how far back an increment has read, so one with grace periods is never taken for another."""
    assert covers(batch, request_) is is_covered


@pytest.mark.parametrize(
    ("batch", "request_", "sentence"),
    [
        (_FULL, _FULL, ""),
        (_FULL_AB, Asked(build_type=BuildType.FULL, aggregates=("b", "a")), ""),
        (_DEEP, Asked(build_type=BuildType.INCREMENTAL, grace_periods={"sales": "9d"}), ""),
        (_FULL, _INCREMENTAL, "it is a full rebuild, and an incremental build is asked for"),
        (_INCREMENTAL, _FULL, "it is an incremental build, and a full rebuild is asked for"),
        (_FULL, _FULL_A, "it builds all aggregates, and `a` are asked for"),
        (_FULL_AB, _FULL, "it builds `a`, `b`, and all aggregates are asked for"),
        (_DEEP, _INCREMENTAL, "its grace periods are sales: 9d, and the model's are asked for"),
        (_FULL, _DEEP_AND_FULL, "its grace periods are the model's, and sales: 9d are asked for"),
    ],
)
def test_the_first_difference_between_a_batch_and_a_request_is_told(
    batch: Asked, request_: Asked, sentence: str
) -> None:
    assert difference(batch, request_) == sentence


def test_a_request_is_told_from_other_signals() -> None:
    """What a file or a log line is called is no request."""
    assert is_request(signal_of_request("0b6d2a50"))
    assert not is_request("s3://bucket/request:1")
    assert not is_request("")
