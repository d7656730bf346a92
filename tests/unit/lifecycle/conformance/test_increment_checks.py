"""Tests for the checks of increments and timestamps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import INDICATORS
from airflow_atscale_aggs.engine.lifecycle.conformance.increment_checks import check_increments, check_timestamps


def test_aggregates_grow_by_each_kind_of_indicator(built: CheckContext) -> None:
    found = check_increments(built)

    assert [capability.name for capability in found] == [f"increments by {kind}" for kind in INDICATORS]
    assert {(capability.verdict, capability.detail) for capability in found} == {
        (Verdict.WORKS, "2 aggregates grown by 12 rows, two of them late")
    }


def test_an_indicator_that_cannot_be_one_is_told_and_the_others_go_on(
    built: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INDICATORS, "milliseconds", ("customer", "15m"))
    found = {capability.name: capability for capability in check_increments(built)}

    assert found["increments by milliseconds"].verdict is Verdict.FAILS
    assert found["increments by timestamp"].verdict is Verdict.WORKS
    assert len(found) == 4


def test_a_batch_in_full_is_no_increment(built: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a grace period of a century nothing is ever settled."""
    for kind, (column, _) in list(INDICATORS.items()):
        monkeypatch.setitem(INDICATORS, kind, (column, "100000000"))
    verdicts = {capability.verdict for capability in check_increments(built)}

    assert verdicts <= {Verdict.DIFFERS, Verdict.WORKS}


def test_digits_and_zone(context: CheckContext) -> None:
    digits, zone = check_timestamps(context)

    assert (digits.verdict, digits.detail.partition(";")[0]) == (Verdict.WORKS, "6 digits of a second")
    assert (zone.verdict, zone.detail) == (Verdict.WORKS, "casts from and to texts follow it, and batches note it")


def test_fewer_digits_than_the_row_says_do_not_work(context: CheckContext) -> None:
    """DuckDB's timestamps have six."""
    warehouse = context.scratch.warehouse
    warehouse.dialect = replace(warehouse.dialect, timestamp_digits=9)
    digits, _ = check_timestamps(context)

    assert (digits.verdict, digits.detail) == (
        Verdict.FAILS,
        "6 digits of a second are kept, and 9 are relied on.",
    )


def test_a_zone_that_cannot_be_set_is_told(context: CheckContext) -> None:
    warehouse = context.scratch.warehouse
    settings = warehouse.dialect.session_settings
    assert settings is not None
    warehouse.dialect = replace(warehouse.dialect, session_settings=replace(settings, write=""))
    _, zone = check_timestamps(context)
    assert (zone.verdict, zone.detail.startswith("It cannot be set in a session")) == (Verdict.DIFFERS, True)

    warehouse.dialect = replace(warehouse.dialect, session_settings=None)
    _, zone = check_timestamps(context)
    assert zone.detail == "It has no setting that its row knows of."


def test_a_zone_that_casts_do_not_follow_is_told(context: CheckContext) -> None:
    """The setting is another one here, which changes nothing about time."""
    warehouse = context.scratch.warehouse
    settings = warehouse.dialect.session_settings
    assert settings is not None
    other = replace(settings, read="SELECT 'TimeZone', 'UTC'", value="", write="SELECT {name}, {value}")
    warehouse.dialect = replace(warehouse.dialect, session_settings=other)
    _, zone = check_timestamps(context)

    assert zone.verdict is Verdict.DIFFERS
    assert "is not read as 2024-07-01 00:30:00+00:00" in zone.detail
