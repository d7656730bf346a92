"""One aggregate gives way to a better one as soon as that serves, and not before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.retain.supersede import SupersedeReport, supersede
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    NOW,
    build,
    define,
    definition,
    model_id,
    serving,
    tables_of,
)


def _supersede(workspace: Workspace, *, dry_run: bool = False, days: int = 0) -> SupersedeReport:
    return supersede(workspace, MODEL, dry_run=dry_run, now=LATER + timedelta(days=days))


def test_a_subset_gives_way_at_once_to_a_superset_that_serves(built_star: Workspace) -> None:
    """The user's own aggregate stores what the engine's does, and more."""
    define(built_star, "rows_by_city")
    assert _supersede(built_star, dry_run=True).done == ()

    report = _supersede(built_star)

    reason = "it stores all that this one does, at the same grain"
    assert report.proposed == (("rows_by_city", "by_city", reason),)
    assert (report.done, report.defined) == ((("rows_by_city", "by_city"),), ())
    retired = definition(built_star, "rows_by_city")
    assert (retired.status, retired.status_reason) == ("retired", f"superseded by `by_city`: {reason}")


def test_a_dry_run_records_nothing(built_star: Workspace) -> None:
    define(built_star, "rows_by_city")

    report = _supersede(built_star, dry_run=True)

    assert (len(report.proposed), report.dry_run) == (1, True)
    assert definition(built_star, "rows_by_city").status == "defined"
    assert built_star.read.successions.find(model_id(built_star)) == ()


def test_the_old_one_serves_until_the_new_one_is_active(deployed_star: Workspace) -> None:
    define(deployed_star, "rows_by_city")
    build(deployed_star, "rows_by_city", now=NOW)

    waiting = _supersede(deployed_star)

    assert (len(waiting.proposed), waiting.done) == (1, ())
    assert serving(deployed_star, "rows_by_city").status == "active"

    build(deployed_star, "by_city", now=LATER)

    assert definition(deployed_star, "rows_by_city").status == "retired"
    old = deployed_star.read.instances.find(model_id=model_id(deployed_star), status=None)
    assert {i.step.aggregate: str(i.status) for i in old} == {"rows_by_city": "superseded", "by_city": "active"}
    assert "agg_tiny_sales_rows_by_city" not in tables_of(deployed_star)


def test_several_are_replaced_by_their_union_which_waits_to_be_built(built_star: Workspace) -> None:
    """Only the engine's own; the user's aggregate of the same grain stays as it is."""
    define(built_star, "quantities", "quantity")
    define(built_star, "days", "day_id")
    build(built_star, "quantities", "days", now=NOW)

    report = _supersede(built_star)

    (union,) = report.defined
    assert {(old, new) for old, new, _ in report.proposed} == {("quantities", union), ("days", union)}
    assert report.done == ()
    record = definition(built_star, union)
    assert {str(measure) for measure in record.definition.parts[0].measures} == {
        "count_rows(sales)",
        "sum(sales.day_id)",
        "sum(sales.quantity)",
    }
    # Four groups each.
    assert record.evidence == {"predicted_rows": 4.0}
    # It is not defined a second time.
    assert _supersede(built_star).defined == ()

    build(built_star, union, now=LATER)

    assert definition(built_star, "quantities").status == "retired"
    assert definition(built_star, "by_city").status == "defined"


def test_the_rows_of_a_union_are_not_known_before_its_members_are_built(built_star: Workspace) -> None:
    define(built_star, "quantities", "quantity")
    define(built_star, "days", "day_id")

    (union,) = _supersede(built_star).defined

    assert definition(built_star, union).evidence == {}


def test_a_union_that_a_person_has_blocked_is_not_proposed_again(built_star: Workspace) -> None:
    define(built_star, "quantities", "quantity")
    define(built_star, "days", "day_id")
    (union,) = _supersede(built_star).defined
    identity = definition(built_star, union).definition.id
    built_star.registry.definitions.set_status(
        [identity], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=LATER
    )

    report = _supersede(built_star)

    assert (report.proposed, report.defined) == ((), ())
    assert definition(built_star, union).status == "blocked"


@pytest.mark.parametrize(
    ("days", "is_used", "unions"),
    [
        pytest.param(1, False, 1, id="it is still new"),
        pytest.param(60, False, 0, id="nobody uses it"),
        pytest.param(60, True, 1, id="somebody uses it"),
    ],
)
def test_what_nobody_uses_is_not_taken_into_a_union(
    built_star: Workspace, days: int, unions: int, *, is_used: bool
) -> None:
    quantities = define(built_star, "quantities", "quantity")
    define(built_star, "days", "day_id")
    build(built_star, "quantities", now=NOW)
    if is_used:
        source = QuerySource(fact="sales", aggregate="quantities", definition_id=quantities.id)
        used_at = LATER + timedelta(days=days - 1)
        record = make_query_record(source, model_id=model_id(built_star), asked_at=used_at)
        built_star.registry.queries.record([record])

    assert len(_supersede(built_star, days=days).defined) == unions


def test_where_nothing_is_defined_nothing_gives_way(built_star: Workspace) -> None:
    """Aggregates of users never do."""
    report = _supersede(built_star)

    assert (report.proposed, report.defined, report.done) == ((), (), ())
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        supersede(built_star, "tiny", dry_run=True, now=LATER)
