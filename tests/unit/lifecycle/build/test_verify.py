"""The aggregates that serve are compared with their facts of today: right, behind, wrong, or not to be told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, VerifiedInstance, verify
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import incremental_star as incremental
from tests.support.stars.incremental_star import START, Sale
from tests.support.stars.standing_star import LATER, MODEL, build, put_settings, run_sql, serving

_LEVELS = [VerificationLevel.TOTALS, VerificationLevel.SAMPLE, VerificationLevel.FULL]


def _city(workspace: Workspace, level: VerificationLevel = VerificationLevel.TOTALS) -> VerifiedInstance:
    """What is found about `by_city`."""
    report = verify(workspace, MODEL, aggregate="by_city", level=level)
    (instance,) = report.instances
    assert report.has_mismatch is (instance.finding not in {Finding.AGREES, Finding.UNDECIDED})
    return instance


def _run(workspace: Workspace, *statements: str) -> None:
    """Run statements; ``{table}`` is that of `by_city`."""
    table = f'aggs."{serving(workspace, "by_city").table}"'
    run_sql(workspace, *(statement.format(table=table) for statement in statements))


@pytest.mark.parametrize("level", [VerificationLevel.OFF, *_LEVELS])
def test_aggregates_that_are_right_agree(built_star: Workspace, level: VerificationLevel) -> None:
    report = verify(built_star, MODEL, level=level)

    assert [(i.aggregate, i.finding, i.undecided) for i in report.instances] == [
        ("by_day_and_shop", Finding.AGREES, ()),
        ("by_city", Finding.AGREES, ()),
    ]
    assert not report.has_mismatch
    assert {i.table for i in report.instances} == {serving(built_star, i.aggregate).table for i in report.instances}


@pytest.mark.parametrize(
    ("statements", "finding", "measure"),
    [
        pytest.param(("INSERT INTO sales VALUES (1, 1, 1, 1000)",), Finding.BEHIND, "count_rows(sales)", id="loaded"),
        pytest.param(("DELETE FROM sales",), Finding.BEHIND, "count_rows(sales)", id="deleted"),
        pytest.param(
            ("UPDATE sales SET amount = 9 WHERE amount = 0.25",), Finding.BEHIND, "sum(sales.amount)", id="changed"
        ),
        pytest.param(
            ("UPDATE {table} SET sum_amount = sum_amount + 1",), Finding.DIFFERS, "sum(sales.amount)", id="tampered"
        ),
        pytest.param(("DELETE FROM {table}",), Finding.DIFFERS, "count_rows(sales)", id="emptied"),
        pytest.param(
            ("DELETE FROM {table} WHERE \"city\" = 'North'", "INSERT INTO sales VALUES (1, 1, 1, 1)"),
            Finding.DIFFERS,
            "count_rows(sales)",
            id="both",
        ),
    ],
)
def test_a_table_that_is_as_it_was_built_is_behind_and_another_one_differs(
    built_star: Workspace, statements: Sequence[str], finding: Finding, measure: str
) -> None:
    _run(built_star, *statements)

    city = _city(built_star)

    assert city.finding is finding
    assert city.differences[0].measure == measure


def test_a_table_that_nobody_compared_when_it_was_built_is_not_called_behind(deployed_star: Workspace) -> None:
    put_settings(deployed_star, verify="off")
    build(deployed_star)
    assert _city(deployed_star).finding is Finding.AGREES
    run_sql(deployed_star, "INSERT INTO sales VALUES (1, 1, 1, 1000)")

    assert _city(deployed_star).finding is Finding.DIFFERS


_MOVED = (
    "UPDATE {table} SET sum_amount = sum_amount + 1 WHERE \"city\" = 'North'",
    "UPDATE {table} SET sum_amount = sum_amount - 1 WHERE \"city\" = 'South'",
)


def test_wrong_groups_of_right_totals_are_seen_where_groups_are_compared(built_star: Workspace) -> None:
    _run(built_star, *_MOVED)

    assert _city(built_star).finding is Finding.AGREES
    city = _city(built_star, VerificationLevel.FULL)
    assert city.finding is Finding.DIFFERS
    assert {(d.measure, d.group.partition(",")[0]) for d in city.differences} == {
        ("sum(sales.amount)", "city = North"),
        ("sum(sales.amount)", "city = South"),
    }


def test_what_is_gone_is_named(built_star: Workspace) -> None:
    table = serving(built_star, "by_city").table
    _run(built_star, "DROP TABLE {table} CASCADE")

    city = _city(built_star)

    assert (city.finding, city.table) == (Finding.GONE, table)
    assert city.undecided == (f"`{table}` is not in the warehouse any more; build again",)


@pytest.mark.parametrize(
    ("statements", "finding", "reason"),
    [
        pytest.param(("DROP TABLE sales",), Finding.UNREADABLE, "sales", id="the facts are gone"),
        pytest.param(
            ("ALTER TABLE sales DROP amount",), Finding.UNREADABLE, "amount", id="a column of the facts is gone"
        ),
        pytest.param(
            ("ALTER TABLE {table} RENAME sum_amount TO other",),
            Finding.UNDECIDED,
            "the comparison failed: ",
            id="a column of the table is gone",
        ),
        pytest.param(
            ("ALTER TABLE sales ALTER amount TYPE VARCHAR",),
            Finding.UNDECIDED,
            "it holds texts (varchar), of which there is no `sum`",
            id="a total of texts",
        ),
    ],
)
def test_what_cannot_be_compared_is_told_with_the_reason(
    built_star: Workspace, statements: Sequence[str], finding: Finding, reason: str
) -> None:
    _run(built_star, *statements)

    city = _city(built_star)

    assert (city.finding, city.differences) == (finding, ())
    assert reason in city.undecided[0]


def test_groups_that_cannot_be_compared_are_noted(built_star: Workspace) -> None:
    """A shop stands in two cities now, so that nobody knows to which group its sales belong."""
    run_sql(built_star, "INSERT INTO shop VALUES (1, 'North 1', 'South')")

    assert _city(built_star).finding is Finding.AGREES
    city = _city(built_star, VerificationLevel.SAMPLE)
    assert city.finding is Finding.UNDECIDED
    assert city.undecided[0].startswith("groups were not compared: ")


def test_measures_that_do_not_add_up_are_compared_by_group_only(incremental_star: Workspace) -> None:
    assert "centered_squares(sales.amount)" in _city(incremental_star).not_compared
    assert _city(incremental_star, VerificationLevel.FULL).not_compared == ()


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        ("by_town", "no active instance of aggregate `by_town`"),
        ("by_citi", r"no active instance of aggregate `by_citi`\. Did you mean `by_city`"),
    ],
)
def test_an_aggregate_that_does_not_serve_is_named_with_its_neighbours(
    built_star: Workspace, aggregate: str, message: str
) -> None:
    with pytest.raises(NotRegisteredError, match=message):
        verify(built_star, MODEL, aggregate=aggregate, level=VerificationLevel.TOTALS)


def test_a_model_of_which_nothing_serves_has_nothing_to_compare(deployed_star: Workspace) -> None:
    report = verify(deployed_star, MODEL, level=VerificationLevel.TOTALS)

    assert (report.instances, report.has_mismatch) == ((), False)


@pytest.mark.parametrize("level", _LEVELS)
def test_segments_are_compared_together_with_the_rows_that_they_hold(
    incremental_star: Workspace, level: VerificationLevel
) -> None:
    """Rows above the last segment are not its business."""
    assert _city(incremental_star, level).finding is Finding.AGREES
    incremental.load(incremental_star, Sale(at=START + 30))

    assert _city(incremental_star, level).finding is Finding.AGREES


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        pytest.param("UPDATE sales SET amount = 9 WHERE seq = 0", Finding.BEHIND, id="an unsettled row was changed"),
        pytest.param("UPDATE sales SET amount = 9 WHERE seq = -60", Finding.DIFFERS, id="a settled row was changed"),
        pytest.param('DELETE FROM aggs."{0}"', Finding.DIFFERS, id="a settled segment was emptied"),
        pytest.param('DELETE FROM aggs."{1}"', Finding.BEHIND, id="the unsettled one, which is made anew"),
        pytest.param('DROP TABLE aggs."{0}" CASCADE', Finding.GONE, id="a segment is gone"),
    ],
)
def test_segments_are_behind_while_the_settled_ones_agree(
    incremental_star: Workspace, statement: str, finding: Finding
) -> None:
    """The others are read again by the next increment."""
    tables = [segment.table for segment in incremental.segments(incremental_star)]
    run_sql(incremental_star, statement.format(*tables))

    assert _city(incremental_star).finding is finding


def test_the_totals_of_the_facts_are_those_of_today(built_star: Workspace) -> None:
    """They are taken for the first aggregate, and again for one that does not agree with them."""
    run_sql(built_star, "INSERT INTO sales VALUES (1, 1, 1, 1000)")
    build(built_star, "by_day_and_shop", now=LATER)

    report = verify(built_star, MODEL, level=VerificationLevel.TOTALS)

    assert {i.aggregate: i.finding for i in report.instances} == {
        "by_day_and_shop": Finding.AGREES,
        "by_city": Finding.BEHIND,
    }
    assert report.has_mismatch
