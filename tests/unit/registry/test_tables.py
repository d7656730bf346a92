"""What the registry's tables keep by themselves: times in UTC, and one open batch for each model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.tables import adopted, batches
from tests.support.registry_content import MODEL, NOW

_BERLIN = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("moment", "stored"),
    [
        (datetime(2026, 7, 1, 12, 30, tzinfo=UTC), "2026-07-01 12:30:00.000000"),
        (datetime(2026, 7, 1, 0, 30, tzinfo=_BERLIN), "2026-06-30 22:30:00.000000"),
        (datetime(2026, 7, 1, 12, 30, 0, 123456, tzinfo=UTC), "2026-07-01 12:30:00.123456"),
    ],
)
def test_times_are_stored_in_utc_without_a_zone_and_read_in_utc(
    registry: Registry, moment: datetime, stored: str
) -> None:
    with registry.database.writing() as connection:
        connection.execute(insert(adopted).values(schema="s", table="t", adopted_at=moment))

        assert connection.scalar(text("SELECT adopted_at FROM atscale_aggs_adopted")) == stored
        answer = connection.scalars(select(adopted.c.adopted_at)).one()
    assert (answer, answer.tzinfo) == (moment, UTC)


def test_a_time_without_a_zone_is_refused(registry: Registry) -> None:
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(StatementError, match="aware datetimes only"), registry.database.writing() as connection:
        connection.execute(insert(adopted).values(schema="s", table="t", adopted_at=naive))


@pytest.mark.parametrize(
    ("statuses", "is_allowed"),
    [
        (("in_progress", "in_progress"), False),
        (("in_progress", "done"), True),
        (("failed", "failed"), True),
    ],
)
def test_the_database_itself_allows_a_model_one_batch_in_progress(
    registry: Registry, statuses: tuple[str, ...], is_allowed: bool
) -> None:
    values = {
        "model_id": MODEL,
        "deployment_id": "d",
        "build_type": "full",
        "owner": "me",
        "lease_until": NOW,
        "views_pending": False,
        "schema": "",
        "notes": b"[]",
        "created_at": NOW,
    }
    rows = [{**values, "id": str(number), "status": status} for number, status in enumerate(statuses)]

    if is_allowed:
        with registry.database.writing() as connection:
            connection.execute(insert(batches), rows)
    else:
        with pytest.raises(IntegrityError), registry.database.writing() as connection:
            connection.execute(insert(batches), rows)
    assert len(registry.read.batches.find()) == (len(rows) if is_allowed else 0)
