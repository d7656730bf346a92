"""Before a batch goes live it is noted when its aggregates show different states of the facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.agreement import disagreements
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.standing_star import OWNER, begin, open_batch, put_settings, run_sql

_ROWS_DIFFER = (
    "The aggregates of this batch saw different states of `sales`: the total of `count_rows(sales)` was 60 by "
    "`by_city`; 61 by `by_day_and_shop`. Build again for one state."
)
_AMOUNT_DIFFERS = (
    "The aggregates of this batch saw different states of `sales`: the total of `sum(sales.amount)` was 1785 by "
    "`by_city`; 1786 by `by_day_and_shop`. Build again for one state."
)
_SHOP_CHANGED = (
    "`shop` changed after this batch was begun: its aggregates may show different states of it. Build again for one "
    "state."
)


def _notes(workspace: Workspace, *between: str) -> tuple[str, ...]:
    """What is noted when statements run between the builds of `by_city` and `by_day_and_shop`."""
    begun = begin(workspace)
    first, second = sorted(begun.instances, key=lambda instance: instance.step.aggregate)
    build_instance(workspace, first.id, owner=OWNER)
    run_sql(workspace, *between)
    build_instance(workspace, second.id, owner=OWNER)
    return disagreements(workspace, begun.batch, workspace.read.instances.find(batch_id=begun.batch.id))


@pytest.mark.parametrize(
    ("between", "notes"),
    [
        pytest.param((), (), id="nothing was loaded"),
        pytest.param(("INSERT INTO sales VALUES (1, 1, 1, 9)",), (_ROWS_DIFFER,), id="a row was loaded"),
        pytest.param(("UPDATE sales SET amount = 1.25 WHERE amount = 0.25",), (_AMOUNT_DIFFERS,), id="a value changed"),
        pytest.param(
            ("UPDATE shop SET city = 'East' WHERE shop_id = 1",), (_SHOP_CHANGED,), id="totals stay as they are"
        ),
        pytest.param(
            ("INSERT INTO sales VALUES (1, 1, 1, 9)", "UPDATE shop SET city = 'East' WHERE shop_id = 1"),
            (_ROWS_DIFFER, _SHOP_CHANGED),
            id="both",
        ),
    ],
)
def test_what_is_loaded_between_two_builds_is_noted(
    deployed_star: Workspace, between: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    put_settings(deployed_star, build_from_existing=False)

    assert _notes(deployed_star, *between) == notes


def test_where_nothing_was_compared_the_totals_of_the_tables_are(deployed_star: Workspace) -> None:
    put_settings(deployed_star, build_from_existing=False, verify="off")

    assert _notes(deployed_star, "INSERT INTO sales VALUES (1, 1, 1, 9)") == (_ROWS_DIFFER,)


def test_a_derived_aggregate_shows_what_its_source_has_read(staged_star: Workspace) -> None:
    """Only one of the two has read the facts, and one agrees with itself."""
    run_sql(staged_star, "INSERT INTO sales VALUES (1, 1, 1, 9)")
    batch = open_batch(staged_star)

    assert disagreements(staged_star, batch, staged_star.read.instances.find(batch_id=batch.id)) == ()


def test_nothing_is_noted_where_the_tables_cannot_be_asked(staged_star: Workspace) -> None:
    put_settings(staged_star, verify="off")
    batch = open_batch(staged_star)
    instances = staged_star.read.instances.find(batch_id=batch.id)
    readers = [replace(instance, source="sales", attempt=9) for instance in instances]

    assert disagreements(staged_star, replace(batch, sources=()), readers) == ()
