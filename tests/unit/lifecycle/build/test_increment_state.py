"""What increments depend on is looked up once per batch: segments, the indicator, and changes of older rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.increment_state import (
    IncrementDecisions,
    IncrementRequest,
    decide_increments,
)
from airflow_atscale_aggs.engine.lifecycle.build.plan import read_physical_tables
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import surroundings_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.stars import incremental_star as incremental
from tests.support.stars import standing_star
from tests.support.stars.incremental_star import START, Sale
from tests.support.stars.standing_star import LATER, MODEL, put_settings, run_sql

_SETTLED = START - 10
"""The grace period is ten seconds: what is older than this is settled by the first build."""


def _deploy_model(workspace: Workspace, folder: Path) -> None:
    """Deploy the model of the incremental star; nothing is built."""
    standing_star.lay_incremental(workspace, folder)
    deploy(workspace, folder / "model", now=standing_star.NOW)


@pytest.fixture
def unbuilt_star(tmp_path: Path) -> Iterator[Workspace]:
    with standing_star.open_standing(tmp_path, _deploy_model) as workspace:
        yield workspace


def _decide(
    workspace: Workspace, build_type: BuildType = BuildType.INCREMENTAL, grace: Mapping[str, str] | None = None
) -> IncrementDecisions:
    """What is decided about the aggregates of the model a minute after the first build."""
    record = workspace.read.models.get(MODEL)
    datasets = workspace.read.models.datasets(record.deployment_id)
    candidates = [
        Candidate(definition=definition.definition, part=part, defined_at=definition.created_at)
        for definition in workspace.read.definitions.of_model(record.id)
        for part in definition.definition.parts
    ]
    parts = [candidate.part for candidate in candidates]
    with workspace.warehouse.session() as session:
        sources = Sources(datasets, read_physical_tables(session, datasets, parts), workspace.warehouse.dialect)
        request = IncrementRequest(
            build_type=build_type,
            now=datetime.fromtimestamp(START + 60, UTC),
            grace_periods=grace or {},
            surroundings=surroundings_of(session, datasets, parts, sources, prove(session, parts, sources)),
        )
        return decide_increments(workspace, session, record, candidates, sources, request)


def _only(decisions: IncrementDecisions) -> Decision:
    (decision,) = decisions.decisions.values()
    return decision


def _segmented(decisions: IncrementDecisions) -> Segmented:
    decision = _only(decisions)
    assert isinstance(decision, Segmented)
    return decision


def _micros(seconds: int) -> int:
    return seconds * 1_000_000


def test_without_an_indicator_there_is_nothing_to_decide(built_star: Workspace) -> None:
    assert _decide(built_star, BuildType.FULL) == IncrementDecisions({})
    assert _decide(built_star) == IncrementDecisions(
        {}, ("Built in full: no fact dataset of the model has an incremental indicator.",)
    )


def test_a_first_build_makes_a_settled_and_an_unsettled_segment(unbuilt_star: Workspace) -> None:
    decisions = _decide(unbuilt_star)

    segmented = _segmented(decisions)
    settled, unsettled = segmented.ranges
    assert (settled.after, settled.through) == (None, _micros(_SETTLED) - 1)
    assert (unsettled.after, unsettled.through) == (_micros(_SETTLED) - 1, _micros(START))
    assert (segmented.is_first, segmented.kept, segmented.newest) == (True, (), _micros(START))
    assert decisions.notes == ("Built in full: by_city: it has not been built before.",)
    # Of the rows that will be settled, as they are before anything is built.
    of_settled, of_unsettled = segmented.checksums
    assert of_settled is not None
    assert sum(rows for rows, _ in of_settled.buckets.values()) == 10
    assert of_unsettled is None


@pytest.mark.parametrize("count_late_rows", [True, False])
def test_an_increment_keeps_what_is_settled(incremental_star: Workspace, *, count_late_rows: bool) -> None:
    put_settings(incremental_star, count_late_rows=count_late_rows)
    incremental.load(incremental_star, Sale(at=START + 5), Sale(at=START + 30), Sale(at=_SETTLED - 20))

    decisions = _decide(incremental_star)

    segmented = _segmented(decisions)
    assert [segment.fact_rows for segment in segmented.kept] == [10]
    assert [rows.through for rows in segmented.ranges] == [_micros(START + 20) - 1, _micros(START + 30)]
    assert (segmented.full_reason, segmented.may_be_unchanged) == ("", False)
    # A row that is late is told of, and not read.
    assert segmented.late == (1 if count_late_rows else None)
    assert [note.partition(" of sales came later")[0] for note in decisions.notes] == ["1 row"] * count_late_rows


@pytest.mark.parametrize(
    ("statement", "may_be_unchanged"),
    [
        ("SELECT 1", True),
        pytest.param("UPDATE sales SET amount = 9 WHERE seq = 0", True, id="a value is looked at by the build"),
        pytest.param("DELETE FROM sales WHERE seq = 0", False, id="a row has gone"),
        pytest.param("DELETE FROM sales WHERE seq > -10", False, id="all newer rows have gone"),
    ],
)
def test_where_as_many_rows_are_there_nothing_may_have_changed(
    incremental_star: Workspace, statement: str, *, may_be_unchanged: bool
) -> None:
    """The older rows are counted, so that nothing needs to be made anew."""
    run_sql(incremental_star, statement)

    segmented = _segmented(_decide(incremental_star))

    assert (segmented.full_reason, segmented.may_be_unchanged) == ("", may_be_unchanged)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        pytest.param(
            ("DELETE FROM sales WHERE seq = -60",),
            "1 of the 10 rows of `sales` with `loaded_at` up to 2025-10-09 08:53:09.999999 are gone",
            id="an older row is gone",
        ),
        pytest.param(
            ("UPDATE sales SET amount = 9 WHERE seq = -60",),
            "rows of `sales` with `loaded_at` up to 2025-10-09 08:53:09.999999 are not what they were",
            id="an older row was changed",
        ),
        pytest.param(
            ("ALTER TABLE sales ALTER amount TYPE DECIMAL(12,2)",),
            "`sales.amount` was DECIMAL(9,2) and is now DECIMAL(12,2)",
            id="a column has another type",
        ),
        pytest.param(
            ('DROP TABLE aggs."{settled}" CASCADE',),
            "tables of its segments are not in the warehouse any more",
            id="a segment is gone",
        ),
        pytest.param(
            ("DELETE FROM aggs.\"{settled}\" WHERE city = 'North'",),
            "`{settled}`, one of its segments, was made with 3 rows and has 2",
            id="a segment was changed",
        ),
    ],
)
def test_all_is_made_anew_when_older_rows_or_segments_are_not_what_they_were(
    incremental_star: Workspace, statements: Sequence[str], reason: str
) -> None:
    settled = incremental.segments(incremental_star)[0].table
    run_sql(incremental_star, *(statement.format(settled=settled) for statement in statements))

    segmented = _segmented(_decide(incremental_star))

    assert segmented.full_reason.startswith(reason.format(settled=settled))
    assert (segmented.kept, segmented.ranges[0].after) == ((), None)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        pytest.param({}, "are not what they were", id="compared"),
        pytest.param({"check_older_rows": False}, "", id="not compared"),
    ],
)
def test_older_rows_are_compared_while_a_setting_asks_for_it(
    incremental_star: Workspace, setting: dict[str, bool], reason: str
) -> None:
    put_settings(incremental_star, **setting)
    run_sql(incremental_star, "UPDATE sales SET amount = 9 WHERE seq = -60")

    segmented = _segmented(_decide(incremental_star))

    assert reason in segmented.full_reason
    assert bool(segmented.full_reason) is bool(reason)
    assert bool(segmented.checksums) is not bool(setting)


def test_all_is_made_anew_when_that_is_asked_for(incremental_star: Workspace) -> None:
    decisions = _decide(incremental_star, BuildType.FULL)

    assert _segmented(decisions).full_reason == "a full rebuild was asked for"
    assert decisions.notes == ()


def test_all_is_made_anew_when_the_model_was_edited(incremental_star: Workspace, tmp_path: Path) -> None:
    aggregates = {"by_city": incremental.AGGREGATES["by_city"]}
    folder = incremental.write_model(tmp_path / "edited", grace="20s", aggregates=aggregates)
    deploy(incremental_star, folder, now=LATER)

    assert _segmented(_decide(incremental_star)).full_reason == "the model was edited since it was built"


@pytest.mark.parametrize(
    ("grace", "number_kept", "reason"),
    [
        pytest.param({}, 1, "", id="that of the model"),
        pytest.param({"sales": "5s"}, 1, "", id="a shorter one"),
        pytest.param({"sales": "1h"}, 0, "the grace period reaches back to the first row", id="a longer one"),
    ],
)
def test_a_longer_grace_period_of_one_batch_reads_further_back(
    incremental_star: Workspace, grace: dict[str, str], number_kept: int, reason: str
) -> None:
    segmented = _segmented(_decide(incremental_star, grace=grace))

    assert (len(segmented.kept), segmented.full_reason) == (number_kept, reason)


@pytest.mark.parametrize(
    ("statement", "setting", "reason"),
    [
        ("SELECT 1", {"incremental": False}, "aggregate.incrementalUpdate.enabled is off"),
        ("UPDATE sales SET loaded_at = NULL WHERE seq = 0", {}, "`loaded_at` is NULL in 1 row of `sales`"),
        ("DELETE FROM sales", {}, "`sales` holds no rows"),
    ],
)
def test_an_aggregate_is_one_table_where_it_cannot_be_cut(
    incremental_star: Workspace, statement: str, setting: dict[str, bool], reason: str
) -> None:
    put_settings(incremental_star, **setting)
    run_sql(incremental_star, statement)

    decisions = _decide(incremental_star)

    assert _only(decisions) == FullTable(reason=reason)
    assert decisions.notes == (f"Built in full: by_city: {reason}.",)


_BROKEN = (
    "ALTER TABLE sales RENAME TO rows",
    (
        "CREATE VIEW sales AS "
        "SELECT * REPLACE (CASE WHEN seq = -60 THEN error('broken') ELSE {column} END AS {column}) FROM rows"
    ),
)


@pytest.mark.parametrize("column", ["loaded_at", "amount"])
def test_an_aggregate_whose_facts_cannot_be_read_is_refused(unbuilt_star: Workspace, column: str) -> None:
    """The indicator cannot be read by any; another column, only by those that store it."""
    run_sql(unbuilt_star, *(statement.format(column=column) for statement in _BROKEN))

    decisions = _decide(unbuilt_star)

    assert decisions.decisions == {}
    (refusal,) = decisions.refusals.values()
    assert refusal.startswith("dataset `sales` cannot be read: ")
    assert "broken" in refusal


def test_no_increment_is_added_to_rows_that_cannot_be_compared_any_more(incremental_star: Workspace) -> None:
    """The facts are a view now, which is a reason of its own to make all anew."""
    run_sql(incremental_star, *(statement.format(column="amount") for statement in _BROKEN))

    decisions = _decide(incremental_star)

    assert decisions.decisions == {}
    assert [reason.partition(":")[0] for reason in decisions.refusals.values()] == ["dataset `sales` cannot be read"]


def test_nothing_is_decided_about_facts_that_are_not_there(incremental_star: Workspace) -> None:
    """The plan refuses what needs them by name."""
    run_sql(incremental_star, "DROP TABLE sales")

    assert _decide(incremental_star) == IncrementDecisions({})


def test_a_build_that_was_one_table_the_last_time_is_made_of_segments(unbuilt_star: Workspace) -> None:
    put_settings(unbuilt_star, incremental=False)
    incremental.build(unbuilt_star)
    put_settings(unbuilt_star, incremental=True)

    assert _segmented(_decide(unbuilt_star)).full_reason == "it was built as one table the last time"
