"""A plan says what would be built, in which order and from which source; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import NotRegisteredError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch, read_physical_tables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan
from tests.support.stars.small_star import CITY, part, small_star
from tests.support.stars.standing_star import MODEL, NOW, model_id, run_sql


def _plan(
    workspace: Workspace,
    *aggregates: str,
    build_type: BuildType = BuildType.FULL,
    estimate: bool = False,
    mark_sources: bool = False,
) -> BatchPlan:
    numbers = count(1)
    return plan_batch(
        workspace,
        MODEL,
        build_type=build_type,
        now=NOW,
        new_id=lambda: f"id-{next(numbers)}",
        aggregates=aggregates,
        estimate=estimate,
        mark_sources=mark_sources,
    )


def test_sources_stand_before_what_is_derived_from_them(built_star: Workspace) -> None:
    batches = built_star.read.batches.find(model_id(built_star))

    plan = _plan(built_star)

    assert [(step.aggregate, step.position, [s.name for s in step.sources]) for step in plan.steps] == [
        ("by_day_and_shop", 0, ["sales"]),
        ("by_city", 1, ["by_day_and_shop", "sales"]),
    ]
    assert (plan.model_id, plan.build_type, plan.schema, plan.refused) == (model_id(built_star), "full", "aggs", ())
    assert built_star.read.batches.find(model_id(built_star)) == batches


def test_a_plan_may_be_of_some_aggregates(built_star: Workspace) -> None:
    (step,) = _plan(built_star, "by_city").steps

    assert (step.aggregate, [source.name for source in step.sources]) == ("by_city", ["sales"])


def test_what_the_data_has_proven_is_kept_with_the_plan(deployed_star: Workspace) -> None:
    surroundings = _plan(deployed_star).surroundings

    assert surroundings.unique_keys == (("day", ("day_id",)), ("shop", ("shop_id",)))
    assert set(surroundings.tables) == {"sales", "shop", "day"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("by_city", "by_citi"), "There is no aggregate `by_citi`. Did you mean `by_city`?"),
        (("nonsense",), r"There is no aggregate `nonsense`\.$"),
    ],
)
def test_an_aggregate_that_is_not_defined_is_named_with_its_neighbours(
    deployed_star: Workspace, names: Sequence[str], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        _plan(deployed_star, *names)


def test_a_model_that_is_not_deployed_has_no_plan(deployed_star: Workspace) -> None:
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        plan_batch(deployed_star, "tiny", now=NOW, new_id=str)


@pytest.mark.parametrize(
    ("is_built", "estimate", "expected"),
    [
        pytest.param(False, False, {"by_city": (None, ""), "by_day_and_shop": (None, "")}, id="nothing is known"),
        pytest.param(
            True, False, {"by_city": (4, "last build"), "by_day_and_shop": (60, "last build")}, id="built before"
        ),
        pytest.param(False, True, {"by_city": (3, "sketch"), "by_day_and_shop": (60, "sketch")}, id="counted"),
    ],
)
def test_rows_are_those_of_the_last_build_or_sketched(
    request: pytest.FixtureRequest, expected: dict[str, tuple[int | None, str]], *, is_built: bool, estimate: bool
) -> None:
    workspace: Workspace = request.getfixturevalue("built_star" if is_built else "deployed_star")

    plan = _plan(workspace, estimate=estimate)

    # Two cities, a shop without one, and no shop at all, which a sketch does not tell from it.
    for step in plan.steps:
        rows, source = expected[step.aggregate]
        assert step.estimate_source == source
        assert step.estimated_rows == (None if rows is None else pytest.approx(rows, rel=0.1))


def test_the_state_of_the_datasets_is_noted_only_when_that_is_asked_for(deployed_star: Workspace) -> None:
    assert _plan(deployed_star).sources == ()

    marks = _plan(deployed_star, mark_sources=True).sources

    assert [mark.dataset for mark in marks] == ["day", "sales", "shop"]
    assert all(mark.mark for mark in marks)


@pytest.mark.parametrize(
    ("changes", "refused", "reason"),
    [
        pytest.param(("ALTER TABLE sales DROP quantity",), {"by_day_and_shop"}, "quantity", id="a column is missing"),
        pytest.param(("DROP TABLE day",), {"by_day_and_shop"}, "day", id="a table is missing"),
        pytest.param(
            (
                "ALTER TABLE shop RENAME TO shops",
                "CREATE VIEW shop AS SELECT shop_id, shop_name, CAST(shop_name AS INTEGER)::VARCHAR AS city FROM shops",
            ),
            {"by_city"},
            "column `city` of dataset `shop` cannot be read: ",
            id="a view cannot compute a column",
        ),
        pytest.param(
            ("INSERT INTO shop VALUES (1, 'twice', 'North')",),
            {"by_day_and_shop"},
            "shop",
            id="a shop has two names in one city",
        ),
        pytest.param(
            ("INSERT INTO shop VALUES (1, 'twice', 'South')",),
            {"by_city", "by_day_and_shop"},
            "shop",
            id="a shop has two cities",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name_and_stops_no_other(
    deployed_star: Workspace, changes: Sequence[str], refused: set[str], reason: str
) -> None:
    run_sql(deployed_star, *changes)

    plan = _plan(deployed_star)

    assert {part.aggregate for part in plan.refused} == refused
    assert {step.aggregate for step in plan.steps} == {"by_city", "by_day_and_shop"} - refused
    assert all(reason in part.reason and part.is_failure for part in plan.refused)


def test_an_increment_of_facts_without_an_indicator_is_a_full_build(built_star: Workspace) -> None:
    plan = _plan(built_star, build_type=BuildType.INCREMENTAL)

    assert plan.notes == ("Built in full: no fact dataset of the model has an incremental indicator.",)
    assert [step.increment for step in plan.steps] == [None, None]


def test_columns_are_read_of_the_tables_that_the_parts_use() -> None:
    with small_star() as star:
        star.add("shop", "shop_id city:varchar")
        star.add("sales", "shop_id amount")
        star.add("day", "day_id")
        star.run("DROP TABLE shop")

        tables = read_physical_tables(star.session, star.datasets, [part(CITY)])

    assert {key: dict(columns) for key, columns in tables.items()} == {
        (None, None, "sales"): {"shop_id": "INTEGER", "amount": "INTEGER"}
    }
