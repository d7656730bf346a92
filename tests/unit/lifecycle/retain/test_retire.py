"""A model is let go with all of its aggregates."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_atscale_aggs.engine.errors import BatchHeldError, ModelRetiredError, NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.retain.retire import RETIRED, retire
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    definition,
    model_id,
    open_batch,
    put_settings,
    rows_of,
    run_sql,
    serving,
    tables_of,
)

_VIEWS = {"agg_tiny_sales_by_city", "agg_tiny_sales_by_day_and_shop"}


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_goes_with_a_model_is_reported(built_star: Workspace, *, dry_run: bool) -> None:
    put_settings(built_star, drop_delay_seconds=60)
    instances = built_star.read.instances.serving(model_id(built_star))

    report = retire(built_star, MODEL, dry_run=dry_run, now=LATER)

    assert (report.model, set(report.aggregates), set(report.views)) == (MODEL, {"by_city", "by_day_and_shop"}, _VIEWS)
    assert report.tables == tuple(instance.table for instance in instances)
    assert (report.drop_after, report.notes, report.dry_run) == (LATER + timedelta(seconds=60), (), dry_run)
    assert len(built_star.read.models.current()) == dry_run
    assert len(built_star.read.instances.serving(report.model_id)) == 2 * dry_run
    assert tables_of(built_star) & _VIEWS == (_VIEWS if dry_run else set())


def test_nothing_serves_any_more_and_the_statistics_are_kept(built_star: Workspace) -> None:
    city = serving(built_star, "by_city")

    report = retire(built_star, MODEL, dry_run=False, now=LATER)

    with pytest.raises(ModelRetiredError, match="Deploy it again"):
        built_star.read.models.get_deployed(MODEL)
    record = definition(built_star, "by_city")
    assert (record.status, record.status_reason) == ("retired", RETIRED)
    instance = built_star.read.instances.get(city.id)
    assert (instance.status, instance.drop_after) == ("superseded", report.drop_after)
    # Its table stays until a sweep.
    assert city.table in tables_of(built_star)


def test_a_second_call_finishes_what_a_crash_has_interrupted(built_star: Workspace) -> None:
    """The registry was told, and the views are still there."""
    model = model_id(built_star)
    built_star.registry.models.retire(model, why=RETIRED, now=LATER, drop_after=LATER)
    assert tables_of(built_star) >= _VIEWS

    report = retire(built_star, model, dry_run=False, now=LATER)

    assert (report.aggregates, report.tables) == ((), ())
    assert not tables_of(built_star) & _VIEWS


def test_a_view_that_somebody_reads_stays_and_is_told(built_star: Workspace) -> None:
    run_sql(built_star, "CREATE VIEW report AS SELECT * FROM aggs.agg_tiny_sales_by_city")

    (note,) = retire(built_star, MODEL, dry_run=False, now=LATER).notes

    assert note.startswith("Stable view `agg_tiny_sales_by_city` stays as it is: its aggregate is gone, but view")
    assert "report reads it" in note
    assert len(rows_of(built_star, "SELECT * FROM report")) == 4


def test_a_model_is_not_retired_while_it_is_built(staged_star: Workspace) -> None:
    with pytest.raises(BatchHeldError, match="of model `tiny_sales` is under way"):
        retire(staged_star, MODEL, dry_run=False, now=LATER)
    assert retire(staged_star, MODEL, dry_run=True, now=LATER).dry_run

    batch = open_batch(staged_star)
    retire(staged_star, MODEL, dry_run=False, now=batch.lease_until)

    assert staged_star.read.batches.get(batch.id).status == "cancelled"


def test_a_model_that_was_never_deployed_cannot_be_retired(deployed_star: Workspace) -> None:
    with pytest.raises(NotRegisteredError, match=r"no model `tiny_sale`\. Did you mean `tiny_sales`"):
        retire(deployed_star, "tiny_sale", dry_run=True, now=LATER)
