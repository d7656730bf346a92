"""Settings under the product's keys: what is understood, what is refused, and what has no effect."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import SettingError
from airflow_atscale_aggs.engine.settings import (
    WITHOUT_EFFECT,
    Autonomy,
    IndicatorUnitSetting,
    Settings,
    VerificationLevel,
    describe_settings,
    find_setting_key,
    why_without_effect,
)

_FAILURES = "aggregates.batch.max.failures"
_VERIFY = "aggregates.batch.verify"
_ZONE = "aggregate.incrementalUpdate.indicatorTimeZone"
_HISTORY = "query.history.enabled"


@pytest.mark.parametrize(
    ("key", "value", "name", "meant"),
    [
        (_FAILURES, 2, "max_failures", 2),
        (_FAILURES, " 2 ", "max_failures", 2),
        (_FAILURES.upper(), "0", "max_failures", 0),
        (_HISTORY, "no", "history", False),
        (_HISTORY, "FALSE", "history", False),
        (_HISTORY, 0, "history", False),
        (_HISTORY, True, "history", True),
        (_HISTORY, "on", "history", True),
        (_VERIFY, "Full", "verify", VerificationLevel.FULL),
        ("aggregates.maintenance.autonomy", "define and build", "autonomy", Autonomy.BUILD),
        (
            "aggregate.incrementalUpdate.indicatorUnit",
            "seconds",
            "indicator_unit",
            IndicatorUnitSetting.SECONDS,
        ),
        (_ZONE, "Europe/Berlin", "indicator_time_zone", "Europe/Berlin"),
    ],
)
def test_a_value_is_understood_as_text_or_as_what_it_is(key: str, value: Any, name: str, meant: Any) -> None:
    settings = Settings().with_values({key: value})

    assert getattr(settings, name) == meant
    assert type(getattr(settings, name)) is type(meant)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (_FAILURES, "many", "Setting `aggregates.batch.max.failures`: `many` is not a whole number."),
        (_FAILURES, 1.5, "Setting `aggregates.batch.max.failures`: `1.5` is not a whole number."),
        (_FAILURES, -1, "Setting `aggregates.batch.max.failures`: -1 is below its least value 0."),
        (
            "AGGREGATES.BATCH.RETRY.MAXATTEMPTSPERBATCH",
            0,
            "Setting `aggregates.batch.retry.maxAttemptsPerBatch`: 0 is below its least value 1.",
        ),
        (_FAILURES, 10**9 + 1, "Setting `aggregates.batch.max.failures`: it is above its greatest value 1000000000."),
        (
            "query.history.retentionDays",
            "100001",
            "Setting `query.history.retentionDays`: it is above its greatest value 100000.",
        ),
        (_HISTORY, "maybe", "Setting `query.history.enabled`: `maybe` is neither true nor false."),
        (_HISTORY, 2, "Setting `query.history.enabled`: `2` is neither true nor false."),
        (
            _VERIFY,
            "totl",
            "Setting `aggregates.batch.verify`: `totl` is none of off, totals, sample, full. Did you mean `totals`?",
        ),
        (
            _ZONE,
            "Berlin",
            "Setting `aggregate.incrementalUpdate.indicatorTimeZone`: `Berlin` is none that is known here.",
        ),
        (_ZONE, "/etc", "Setting `aggregate.incrementalUpdate.indicatorTimeZone`: `/etc` is none that is known here."),
        (
            "aggregates.batch.max.failure",
            1,
            (
                "Setting `aggregates.batch.max.failure`: there is no such setting. "
                "Did you mean `aggregates.batch.max.failures`"
            ),
        ),
        ("colour", "red", "Setting `colour`: there is no such setting."),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_key(key: str, value: Any, sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings().with_values({key: value})

    assert str(caught.value).startswith(sentence)


def test_the_least_value_itself_is_allowed_for_every_setting_that_has_one() -> None:
    least = {spec.metadata["key"]: spec.metadata["least"] for spec in fields(Settings)}
    least_values = {key: value for key, value in least.items() if value is not None}

    shown = {key: value for key, value, _, _ in describe_settings(Settings().with_values(least_values))}

    assert {key: shown[key] for key in least_values} == least_values
    assert len(least_values) > 20


def test_periods_of_the_greatest_values_can_be_reckoned_with() -> None:
    """Somebody may set them, and every later batch must still find its dates."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    specs = {spec.metadata["key"]: spec.metadata["most"] for spec in fields(Settings)}
    days = [timedelta(days=most) for key, most in specs.items() if key.endswith("Days")]
    seconds = [timedelta(seconds=most) for key, most in specs.items() if key.endswith("Seconds")]

    hours = [timedelta(hours=most) for key, most in specs.items() if key.endswith("Hours")]

    assert [now + period for period in (*days, *hours, *seconds)]
    assert [now - period for period in (*days, *hours, *seconds)]
    assert (len(days), len(hours), len(seconds)) == (5, 1, 3)


def test_a_later_value_wins_and_the_others_stay() -> None:
    settings = Settings().with_values({_FAILURES: 2, _VERIFY: "off"}).with_values({_FAILURES: 3})

    assert (settings.max_failures, settings.verify) == (3, VerificationLevel.OFF)
    assert settings.max_attempts_per_batch == Settings().max_attempts_per_batch


@pytest.mark.parametrize("key", WITHOUT_EFFECT)
def test_keys_without_effect_are_passed_over_whatever_their_value(key: str) -> None:
    assert Settings().with_values({key.upper(): "any value"}) == Settings()
    assert why_without_effect(key.upper()) == WITHOUT_EFFECT[key]


def test_a_key_with_an_effect_has_no_reason_against_it() -> None:
    keys = {spec.metadata["key"] for spec in fields(Settings)}

    assert {why_without_effect(key) for key in keys} == {""}
    assert keys.isdisjoint(WITHOUT_EFFECT)


def test_keys_are_found_in_the_spelling_of_the_product() -> None:
    assert find_setting_key(_ZONE.lower()) == _ZONE
    with pytest.raises(SettingError, match=r"Did you mean `aggregates\.batch\.verify`") as caught:
        find_setting_key("aggregate.batch.verify")

    assert "aggregates.batch.verify" in caught.value.near


def test_each_setting_is_described_with_value_default_and_meaning() -> None:
    rows = describe_settings(Settings().with_values({_FAILURES: 7}))

    assert rows[0] == (_FAILURES, 7, 0, "failed aggregates tolerated before a batch is failed")
    assert len(rows) == len(fields(Settings))
    assert all(value == default for _, value, default, _ in rows[1:])


def test_no_two_settings_share_a_key() -> None:
    keys = [spec.metadata["key"].casefold() for spec in fields(Settings)]

    assert len(set(keys)) == len(keys)
