"""The plan of a batch: which steps in which order, what each is made from, and which parts are refused."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, RowsBetween
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin
from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, RowRange
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan
from airflow_atscale_aggs.engine.planning.batch_planner import Candidate, PlanningInput, make_batch_plan
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.settings import Settings, VerificationLevel
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import count_rows, drop_table, drop_view, render, table
from tests.support.increment_cases import ID, NOW, segment_of
from tests.support.stars.asked_star import AskedStar, sorted_rows

_METRICS = ["Amount", "Mean"]


def _candidate(
    star: AskedStar,
    name: str,
    attributes: Sequence[str],
    metrics: Sequence[str] = _METRICS,
    *,
    fact: str = "sales",
    age: int = 0,
    last_rows: int | None = None,
) -> Candidate:
    part = star.part(attributes, metrics, fact)
    definition = AggregateDefinition(
        model_id="m",
        name=name,
        label=name,
        origin=DefinitionOrigin.USER_DEFINED,
        metrics=tuple(metrics),
        parts=(part,),
    )
    return Candidate(
        definition=definition,
        part=part,
        defined_at=datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=age),
        last_rows=last_rows,
    )


def _input(star: AskedStar, *candidates: Candidate, **changes: Any) -> PlanningInput:
    numbers = itertools.count(1)
    given = PlanningInput(
        model="market",
        model_id="m",
        deployment_id="d",
        batch_id="b",
        build_type="full",
        schema="",
        candidates=candidates,
        sources=star.sources,
        constraints=star.proven(*(candidate.part for candidate in candidates)),
        settings=Settings(),
        new_id=lambda: f"{next(numbers):08}",
    )
    return replace(given, **changes)


def _plan(star: AskedStar, *candidates: Candidate, **changes: Any) -> BatchPlan:
    return make_batch_plan(_input(star, *candidates, **changes))


def _chain(star: AskedStar) -> list[Candidate]:
    """Coarse before fine, so that the order is not the one in which they are defined."""
    return [
        _candidate(star, "total", [], age=4),
        _candidate(star, "by city", ["City"], age=3),
        _candidate(star, "by month", ["Month"], age=2),
        _candidate(star, "by day and shop", ["Day", "Shop"], age=1),
    ]


def _sources(plan: BatchPlan) -> dict[str, list[str]]:
    return {step.aggregate: [source.name for source in step.sources] for step in plan.steps}


def test_what_others_derive_from_comes_first_and_the_fact_is_the_last_source(star: AskedStar) -> None:
    plan = _plan(star, *_chain(star))

    assert _sources(plan) == {
        "by day and shop": ["sales"],
        "by city": ["by day and shop", "sales"],
        "by month": ["by day and shop", "sales"],
        "total": ["by city", "by month", "sales"],
    }
    assert [step.aggregate for step in plan.steps] == ["by day and shop", "by city", "by month", "total"]
    assert [step.position for step in plan.steps] == [0, 1, 2, 3]
    assert plan.ordering == "derivability"


def test_the_reason_of_each_place_is_told(star: AskedStar) -> None:
    plan = _plan(star, *_chain(star), _candidate(star, "visits", ["City"], ["Visitors"], fact="visits"))

    assert {step.aggregate: step.reason for step in plan.steps} == {
        "by day and shop": "3 more can be derived from it, so it goes first",
        "by city": "derives from `by day and shop`; 1 more can be derived from it",
        "by month": "derives from `by day and shop`; 1 more can be derived from it",
        "total": "derives from `by city` or `by month`",
        "visits": "by queue order: nothing derives from it, it derives from nothing",
    }


@pytest.mark.parametrize(
    ("settings", "ordering"),
    [
        (
            Settings(build_from_existing=False),
            "queue order: aggregates.batch.buildFromExisting.enabled is off",
        ),
        (
            Settings(build_from_existing_threshold=4),
            "queue order: 4 aggregates, aggregates.batch.buildFromExisting.threshold is 4",
        ),
        (
            Settings(attributes_threshold=4),
            "queue order: 4 attributes, aggregates.batch.cube.attributes.threshold is 4",
        ),
        (Settings(build_from_existing_threshold=5, attributes_threshold=5), "derivability"),
    ],
)
def test_a_setting_or_a_large_batch_keeps_aggregates_from_being_derived(
    star: AskedStar, settings: Settings, ordering: str
) -> None:
    plan = _plan(star, *_chain(star), settings=settings)

    assert plan.ordering == ordering
    if ordering != "derivability":
        assert set(map(tuple, _sources(plan).values())) == {("sales",)}
        assert [step.aggregate for step in plan.steps] == ["total", "by city", "by month", "by day and shop"]


def test_rebuilds_go_first_unless_a_setting_says_otherwise(star: AskedStar) -> None:
    candidates = [
        _candidate(star, "by channel", ["Channel"]),
        _candidate(star, "by kind", ["Kind"], last_rows=2),
    ]
    orders = [
        [step.aggregate for step in _plan(star, *candidates, settings=Settings(queue_priority_mode=mode)).steps]
        for mode in (0, 1)
    ]

    assert orders == [["by channel", "by kind"], ["by kind", "by channel"]]


@pytest.mark.parametrize(
    ("is_user_first", "order"), [(False, ["by kind", "by channel"]), (True, ["by channel", "by kind"])]
)
def test_aggregates_of_users_go_first_where_a_setting_says_so(
    star: AskedStar, is_user_first: bool, order: list[str]
) -> None:
    system = _candidate(star, "by kind", ["Kind"], age=1)
    system = replace(system, definition=replace(system.definition, origin=DefinitionOrigin.DEMAND_DEFINED))
    plan = _plan(
        star, _candidate(star, "by channel", ["Channel"]), system, settings=Settings(user_defined_first=is_user_first)
    )

    assert [step.aggregate for step in plan.steps] == order


def _build(star: AskedStar, plan: BatchPlan, choice: int) -> dict[str, BuildStep]:
    """Make the tables of a plan, each from its first source, or from its last one."""
    steps = {}
    for step in plan.steps:
        of_attempt = step.of_attempt(1)
        source = of_attempt.sources[choice]
        for sql in of_attempt.create_statements(source, None if source.instance_id is None else 1):
            star.session.execute(sql)
        steps[step.aggregate] = of_attempt
    return steps


@pytest.mark.parametrize("choice", [0, -1], ids=["from each other", "from the facts"])
def test_every_source_gives_the_rows_of_the_facts(star: AskedStar, choice: int) -> None:
    candidates = _chain(star)
    steps = _build(star, _plan(star, *candidates), choice)

    for candidate in candidates:
        step = steps[candidate.name]
        rows = star.session.fetch_all(f"SELECT * FROM {step.target_sql}")
        expected = select_from_fact(candidate.part, star.sources, star.proven(candidate.part))
        assert sorted_rows(rows) == sorted_rows(star.session.fetch_all(render(expected, star.session.dialect)))
        assert star.session.fetch_all(step.count_sql) == [(len(rows),)]


def test_the_stable_view_shows_the_table(star: AskedStar) -> None:
    plan = _plan(star, _candidate(star, "by city", ["City"], ["Amount"]))
    step = plan.steps[0].of_attempt(3)
    for sql in (*step.create_statements(step.sources[0], None), *step.view_statements):
        star.session.execute(sql)

    assert (step.table, step.view) == ("as_agg_00000001_by_city_a3", "agg_market_by_city")
    assert sorted_rows(star.session.fetch_all(f"SELECT * FROM {step.view}")) == [
        ("North", 1, 5, 115),
        ("South", 1, 1, 40),
        (None, 0, 1, 320),
        (None, 1, 1, 160),
    ]
    star.session.execute(step.drop_view_sql)
    star.session.execute(step.drop_sql)
    star.session.execute(step.drop_sql)


def test_statements_are_on_several_lines_for_those_who_read_logs(star: AskedStar) -> None:
    plan = _plan(star, _candidate(star, "by city", ["City"]), _candidate(star, "by city and day", ["City", "Day"]))

    statements = [source.create_sql for step in plan.steps for source in step.sources]
    assert len(statements) == 3
    assert all("\nSELECT\n  " in statement for statement in statements)


def test_tables_stand_in_the_schema_of_aggregates(star: AskedStar) -> None:
    plan = _plan(star, _candidate(star, "by city", ["City"]), schema="aggs")
    step = plan.steps[0].of_attempt(1)

    assert plan.schema == "aggs"
    assert step.target_sql == '"aggs"."as_agg_00000001_by_city_a1"'
    assert step.drop_sql == 'DROP TABLE IF EXISTS "aggs"."as_agg_00000001_by_city_a1"'
    assert step.drop_view_sql == 'DROP VIEW IF EXISTS "aggs"."agg_market_by_city"'


@pytest.mark.parametrize("dialect", ["clickhouse", "duckdb", "postgres", "snowflake", "spark"])
@pytest.mark.parametrize("schema", ["", 'my "aggs"'])
def test_each_statement_about_a_table_is_what_the_dialect_says_of_it(
    star: AskedStar, dialect: str, schema: str
) -> None:
    """Also where the name of an aggregate is of another script, and for more than one."""
    tables = star.session.columns([(None, None, "sales"), (None, None, "shop")])
    sources = Sources(star.model.datasets, tables, find_dialect(dialect))
    candidates = [_candidate(star, "by city", ["City"]), _candidate(star, "größe 'x' \"y\" `z`", [])]

    plan = _plan(star, *candidates, sources=sources, schema=schema)

    for step in plan.steps:
        target, view = table(step.table, schema), table(step.view, schema)
        expected = [target, drop_table(target), count_rows(target), drop_view(view)]
        said = [step.target_sql, step.drop_sql, step.count_sql, step.drop_view_sql]
        assert said == [render(statement, sources.dialect) for statement in expected]


def test_a_step_of_a_definition_with_several_facts_is_named_after_its_fact(star: AskedStar) -> None:
    sales, visits = star.part(["City"], ["Amount"]), star.part(["City"], ["Visitors"], "visits")
    both = replace(_candidate(star, "by city", ["City"]).definition, parts=(sales, visits))
    candidates = [Candidate(definition=both, part=part, defined_at=NOW) for part in both.parts]

    assert [step.aggregate for step in _plan(star, *candidates).steps] == ["by city (sales)", "by city (visits)"]


@pytest.mark.parametrize(
    ("last_rows", "sketched", "rows", "source"),
    [(None, None, None, ""), (7, None, 7, "last build"), (7, 9, 9, "sketch"), (None, 9, 9, "sketch")],
)
def test_rows_are_estimated_by_a_sketch_or_by_the_last_build(
    star: AskedStar, last_rows: int | None, sketched: int | None, rows: int | None, source: str
) -> None:
    candidate = _candidate(star, "by city", ["City"], last_rows=last_rows)
    estimates = {} if sketched is None else {(candidate.definition.id, "sales"): sketched}
    (step,) = _plan(star, candidate, estimates=estimates).steps

    assert (step.estimated_rows, step.estimate_source) == (rows, source)


@pytest.mark.parametrize(
    ("level", "has_groups", "is_sample"),
    [
        (VerificationLevel.OFF, False, None),
        (VerificationLevel.TOTALS, False, None),
        (VerificationLevel.SAMPLE, True, True),
        (VerificationLevel.FULL, True, False),
    ],
)
def test_totals_are_always_compared_and_groups_where_a_setting_asks_for_it(
    star: AskedStar, level: VerificationLevel, has_groups: bool, is_sample: bool | None
) -> None:
    """The level may change before the build."""
    (step,) = _plan(star, _candidate(star, "by city", ["City"]), settings=Settings(verify=level)).steps
    assert step.verification is not None

    assert "count_rows(sales)" in step.verification.table.names
    assert (step.verification.groups is not None) is has_groups
    assert step.verification.groups is None or step.verification.groups.is_sample is is_sample


_MANY = 400_000
_MANY_ROWS = {"sales": _MANY, "shop": 10}


@pytest.mark.parametrize("share", [None, 0.89, 1.06])
def test_a_source_that_may_be_dearer_than_the_facts_says_with_how_many_rows(
    star: AskedStar, share: float | None
) -> None:
    """The build decides, where the plan does not know how many rows it will have, or expects few."""
    last_rows = None if share is None else round(_MANY * share)
    shop = _candidate(star, "by shop", ["Shop"], last_rows=last_rows)
    plan = _plan(star, shop, _candidate(star, "by city", ["City"]), rows=_MANY_ROWS)

    assert _sources(plan)["by city"] == ["by shop", "sales"]
    assert [option.dearer_rows for option in plan.steps[1].sources] == [RowsBetween(least=360_000, most=420_000), None]


@pytest.mark.parametrize("share", [0.9, 1.05])
def test_a_source_with_nearly_as_many_rows_as_the_facts_is_left_out_and_that_is_told(
    star: AskedStar, share: float
) -> None:
    shop = _candidate(star, "by shop", ["Shop"], last_rows=round(_MANY * share))
    candidates = [shop, _candidate(star, "by city", ["City"]), _candidate(star, "total", [])]
    plan = _plan(star, *candidates, rows=_MANY_ROWS)

    assert _sources(plan) == {"by shop": ["sales"], "by city": ["sales"], "total": ["by city", "sales"]}
    reason = "1 more can be derived from it, so it goes first; the facts are cheaper than `by shop`"
    assert plan.steps[1].reason == f"{reason}, which has nearly as many rows"


def test_segments_are_derived_from_segments_however_many_rows_they_have(star: AskedStar) -> None:
    """It was measured for tables alone."""
    candidates = [_candidate(star, "by shop", ["Shop"], last_rows=_MANY), _candidate(star, "by city", ["City"])]
    decisions = {(each.definition.id, "sales"): _segmented(full_reason="it is new") for each in candidates}
    plan = _plan(star, *candidates, rows=_MANY_ROWS, decisions=decisions)

    assert _sources(plan)["by city"] == ["by shop", "sales"]
    assert plan.steps[1].grouping.startswith("codes")


def test_statistics_are_gathered_where_the_warehouse_does_not_do_so_itself(star: AskedStar) -> None:
    tables = star.session.columns([(None, None, "sales"), (None, None, "shop")])
    postgres = Sources(star.model.datasets, tables, find_dialect("postgres"))
    candidate = _candidate(star, "by city", ["City"])
    steps = [plan.steps[0].of_attempt(1) for plan in (_plan(star, candidate), _plan(star, candidate, sources=postgres))]

    assert [step.analyze_sql for step in steps] == ["", 'ANALYZE "as_agg_00000001_by_city_a1"']


def _refused(plan: BatchPlan) -> list[tuple[str, bool]]:
    return [(part.aggregate, part.is_failure) for part in plan.refused]


def test_a_part_that_cannot_be_built_is_refused_and_the_others_are_built(star: AskedStar) -> None:
    gone = replace(star.bound("City"), key_columns=("district",), name_column="district")
    broken = _candidate(star, "broken", ["City"])
    broken = replace(broken, part=replace(broken.part, attributes=(gone,)))
    plan = _plan(star, broken, _candidate(star, "by month", ["Month"]))

    assert [step.aggregate for step in plan.steps] == ["by month"]
    assert _refused(plan) == [("broken", True)]
    assert "`district`" in plan.refused[0].reason


def test_what_the_warehouse_can_never_store_is_no_failure(star: AskedStar) -> None:
    plan = _plan(star, _candidate(star, "estimates", ["City"], ["About Customers"]))

    assert _refused(plan) == [("estimates", False)]
    assert "estimated count distinct" in plan.refused[0].reason


def test_what_the_warehouse_cannot_compute_is_refused_with_its_reason(star: AskedStar) -> None:
    candidate = _candidate(star, "by city", ["City"])
    key = (candidate.definition.id, "sales")
    plan = _plan(star, candidate, refusals={key: "column `city` of dataset `shop` cannot be read"})

    assert _refused(plan) == [("by city", True)]
    assert plan.refused[0].reason == (
        "column `city` of dataset `shop` cannot be read. Mend the table, view or calculation, then build again."
    )


def test_what_a_setting_forbids_is_refused_and_no_failure(star: AskedStar) -> None:
    candidate = _candidate(star, "by city", ["City"])
    decisions: dict[tuple[str, str], Decision] = {
        (candidate.definition.id, "sales"): FullTable(reason="it joins `shop`", is_refused=True)
    }
    plan = _plan(star, candidate, decisions=decisions)

    assert _refused(plan) == [("by city", False)]
    assert plan.refused[0].reason.startswith("it joins `shop`. Mark the dataset `immutable`")


_ORDERS = replace(ID, column="order_id", data_type="integer")


def _segmented(*, through: int = 4, **changes: Any) -> Segmented:
    ranges = (RowRange(column="order_id", kind=_ORDERS.kind, through=through),)
    decision = Segmented(
        indicator=_ORDERS, grace=GracePeriod(1, ""), full_reason="", full_at=NOW, ranges=ranges, is_first=True
    )
    return replace(decision, **changes)


def _fine_and_coarse(star: AskedStar, fine: Decision, coarse: Decision, **changes: Any) -> BatchPlan:
    candidates = [_candidate(star, "by shop", ["Shop"]), _candidate(star, "by city", ["City"])]
    keys = [(candidate.definition.id, "sales") for candidate in candidates]
    return _plan(star, *candidates, decisions=dict(zip(keys, (fine, coarse), strict=True)), **changes)


@pytest.mark.parametrize(
    ("fine", "coarse", "settings", "is_derived"),
    [
        (FullTable(reason=""), FullTable(reason=""), {}, True),
        (_segmented(), _segmented(), {}, True),
        (_segmented(), FullTable(reason=""), {}, False),
        (FullTable(reason=""), _segmented(), {}, False),
        (_segmented(), _segmented(is_first=False), {}, False),
        (_segmented(), _segmented(is_first=False), {"derive_increments": True}, True),
        (_segmented(through=3), _segmented(), {}, False),
        (_segmented(may_be_unchanged=True, last=(segment_of(1, None, 4, 7),)), _segmented(), {}, False),
    ],
    ids=[
        *("two tables", "two first builds", "segments and a table", "a table and segments", "an increment"),
        *("an increment, and a setting", "other ranges", "a source that may keep its last segment"),
    ],
)
def test_segments_are_derived_from_segments_of_the_same_ranges(
    star: AskedStar, fine: Decision, coarse: Decision, settings: dict[str, Any], is_derived: bool
) -> None:
    plan = _fine_and_coarse(star, fine, coarse, settings=Settings(**settings))

    assert _sources(plan)["by city"] == (["by shop", "sales"] if is_derived else ["sales"])


@pytest.mark.parametrize("choice", [0, -1], ids=["from segments", "from the facts"])
def test_a_view_stands_over_the_segments(star: AskedStar, choice: int) -> None:
    plan = _fine_and_coarse(star, _segmented(), _segmented())
    step = _build(star, plan, choice)["by city"]
    for sql in step.view_statements:
        star.session.execute(sql)
    assert step.increment is not None

    assert [segment.table for segment in step.increment.new] == [f"{step.table}_s1"]
    assert step.drop_sql == f'DROP VIEW IF EXISTS "{step.table}"'
    assert sorted_rows(star.session.fetch_all(f"SELECT city, row_count FROM {step.view}")) == [
        ("North", 5),
        ("South", 1),
        (None, 1),
    ]
    star.session.execute(step.drop_view_sql)


def test_an_incremental_batch_says_why_a_step_is_built_in_full(star: AskedStar) -> None:
    plan = _fine_and_coarse(
        star, FullTable(reason="it joins `shop`"), _segmented(full_reason="it has not been built before")
    )

    assert {step.aggregate: (step.full_reason, step.kind) for step in plan.steps} == {
        "by shop": ("it joins `shop`", "full"),
        "by city": ("it has not been built before", "full"),
    }


def test_a_plan_keeps_what_it_was_made_for(star: AskedStar) -> None:
    plan = _plan(star, _candidate(star, "by city", ["City"]), notes=("Built in full: by city.",))

    assert (plan.model_id, plan.deployment_id, plan.batch_id, plan.build_type) == ("m", "d", "b", "full")
    assert (plan.dialect, plan.notes, plan.refused) == ("duckdb", ("Built in full: by city.",), ())


def test_a_batch_of_nothing_has_no_steps(star: AskedStar) -> None:
    assert _plan(star).steps == ()
