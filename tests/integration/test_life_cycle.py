"""The page "Life Cycle of Aggregate Tables", as far as aggregates are judged, superseded and deleted: each sentence is
a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import InstanceNeededError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.block import block_definition, unblock_definition
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.retain.prune import delete_instance, prune
from airflow_atscale_aggs.engine.lifecycle.retain.savings import build_seconds
from airflow_atscale_aggs.engine.lifecycle.retain.supersede import supersede
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ProposedDefinition, QuerySource, SuccessionRecord
from airflow_atscale_aggs.engine.sql.owner_mark import MARK_TABLE
from tests.support.query_records import make_query_record
from tests.support.stars import tiny_star
from tests.support.strategies.system_definitions import NOW, define, make_definition

MODEL = "tiny_sales"
_USERS = {"by_city": (("City",), ("Amount",))}
_BY_MONTH = 'SELECT "Month", SUM("Quantity") FROM tiny_sales GROUP BY 1 ORDER BY 1'
_BY_MONTH_AMOUNT = 'SELECT "Month", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY 1'
_SCHEMA = "aggs"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star with one user-defined aggregate."""
    urls = {"registry": f"sqlite:///{tmp_path}/r.sqlite", "warehouse": f"duckdb:///{tmp_path}/w.duckdb?threads=1"}
    with open_workspace(**urls, aggregate_schema=_SCHEMA) as made:  # type: ignore[arg-type]
        _set_up(made, tmp_path)
        yield made


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Workspace]:
    """The same, registry and warehouse in one PostgreSQL."""
    with open_workspace(registry=postgres_url, warehouse=postgres_url, aggregate_schema=_SCHEMA) as made:
        _set_up(made, tmp_path)
        yield made


def _set_up(place: Workspace, folder: Path) -> None:
    with place.warehouse.session() as session:
        for statement in tiny_star.SETUP_SQL:
            session.execute(statement)
    deploy(place, tiny_star.write_model(folder / "model", _USERS), now=NOW)


def _id(place: Workspace) -> str:
    return place.read.models.get(MODEL).id


def _build(place: Workspace, *aggregates: str) -> None:
    run_batch(place, MODEL, owner="test", request=BatchRequest(aggregates=aggregates))


def _active(place: Workspace) -> set[str]:
    return {instance.step.aggregate for instance in place.read.instances.serving(_id(place))}


def _tables(place: Workspace) -> set[str]:
    with place.warehouse.session() as session:
        return set(session.tables(_SCHEMA)) - {MARK_TABLE}


def _views(place: Workspace) -> set[str]:
    return {name.removeprefix("agg_tiny_sales_") for name in _tables(place) if name.startswith("agg_")}


def _source(place: Workspace, sql: str) -> str | None:
    return answer(place, sql).plan.sources[0].aggregate


def _use(place: Workspace, definition_id: str, times: int, at: datetime) -> None:
    """Uses of a definition, as the log of queries has them."""
    source = QuerySource(fact="sales", aggregate="a", definition_id=definition_id)
    place.registry.queries.record([make_query_record(source, model_id=_id(place), asked_at=at, weight=times)])


def _statuses(place: Workspace) -> dict[str, str]:
    return {
        record.definition.name: record.status
        for record in place.read.definitions.of_model(_id(place), include_retired=True)
    }


# Built, Used


def test_the_next_build_process_builds_the_first_instance_of_a_system_defined_table(place: Workspace) -> None:
    """Together with the others of the model; then queries are directed to it, and it is counted."""
    define(place, {"month": (("Month",), ("Quantity",))})
    _build(place)

    assert _active(place) == {"by_city", "month"}
    assert _source(place, _BY_MONTH) == "month"


def test_the_engine_continuously_evaluates_the_quality_of_the_aggregate_table(place: Workspace) -> None:
    """Uses, rows and seconds saved, cost and size, one score with its parts; each judgement is kept."""
    ids = define(place, {"month": (("Month",), ("Quantity",))}, evidence={"predicted_rows": 5.0})
    _build(place)
    before = evaluate(place, MODEL, now=utc_now())
    answer(place, _BY_MONTH)
    answer(place, _BY_MONTH)
    after = evaluate(place, MODEL, now=utc_now())

    judged = {evaluation.definition.definition.name: evaluation.record for evaluation in after.evaluations}["month"]
    assert (judged.uses, judged.rows, judged.fact_rows, judged.rows_saved) == (2, 4, 60, 2 * (60 - 4))
    assert (judged.predicted_rows, judged.builds) == (5.0, 1)
    assert judged.build_seconds > 0
    assert judged.parts["compression"] == pytest.approx(1 - 4 / 60)
    assert judged.score == pytest.approx(
        100 * judged.parts["payback"] * judged.parts["recency"] * judged.parts["compression"]
    )
    assert {evaluation.record.score for evaluation in before.evaluations} == {0.0}
    kept = place.read.evaluations.find(_id(place), definition_id=ids["month"])
    assert [one.uses for one in kept] == [2, 0]


@pytest.mark.parametrize(("both_ways", "share"), [(True, 1.0), (False, 0.0)])
def test_seconds_saved_are_measured_where_a_query_ran_both_ways_and_estimated_elsewhere(
    place: Workspace, both_ways: bool, share: float
) -> None:
    """An estimate takes the shortest build from the facts, and is marked."""
    ids = define(place, {"month": (("Month",), ("Quantity",))})
    _build(place)
    facts, mine = QuerySource(fact="sales"), QuerySource(fact="sales", aggregate="month", definition_id=ids["month"])
    query = partial(make_query_record, model_id=_id(place), asked_at=utc_now())
    place.registry.queries.record(
        [
            query(mine, fingerprint="q", seconds=0.5, weight=10),
            query(facts, fingerprint="q" if both_ways else "other", seconds=2.0),
            query(facts, fingerprint="far", seconds=4.0),
        ]
    )

    (judged,) = [
        evaluation.record
        for evaluation in evaluate(place, MODEL, now=utc_now()).evaluations
        if evaluation.definition.definition.name == "month"
    ]

    each = 2.0 if both_ways else build_seconds(place.read.instances.find(model_id=_id(place)))["sales"]
    assert judged.seconds_saved == pytest.approx(10 * (each - 0.5))
    assert judged.measured_share == share


# Superseded


def test_a_union_replaces_tables_with_the_same_dimension_columns_and_different_metrics(place: Workspace) -> None:
    """After its first instance is built, not before; hit counts pass on, the old instances are retained."""
    ids = define(place, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    _build(place)
    _use(place, ids["m_quantity"], 7, utc_now())
    report = supersede(place, MODEL, dry_run=False, now=utc_now())

    assert (report.defined, report.done) == (("m_amount_union",), ())
    assert _statuses(place)["m_quantity"] == "defined"
    assert _source(place, _BY_MONTH) == "m_quantity"
    _build(place, "by_city")
    assert _active(place) == {"by_city", "m_quantity", "m_amount"}
    _build(place)
    assert _active(place) == {"by_city", "m_amount_union"}
    assert _source(place, _BY_MONTH) == "m_amount_union"
    assert _views(place) == {"by_city", "m_amount_union"}
    union = next(
        record for record in place.read.definitions.of_model(_id(place)) if record.definition.name == "m_amount_union"
    )
    usages = {usage.definition_id: usage for usage in place.read.queries.usages(_id(place))}
    assert (usages[union.definition.id].inherited, usages[union.definition.id].uses) == (7 + 1, 7 + 1 + 1)
    assert usages[ids["m_quantity"]].uses == 8
    old = place.read.definitions.get(ids["m_quantity"])
    assert (old.status, old.status_reason.split(":")[0]) == ("retired", "superseded by `m_amount_union`")
    retained = {instance.step.aggregate for instance in place.read.instances.retained(_id(place))}
    assert retained == {"m_quantity", "m_amount", "m_amount_union"}
    sweep(place, dry_run=False, now=utc_now() + timedelta(days=365))
    assert {instance.table for instance in place.read.instances.retained(_id(place))} <= _tables(place)


def test_on_postgresql_a_union_takes_over_at_its_activation(on_postgres: Workspace) -> None:
    """Registry and warehouse of another kind."""
    ids = define(on_postgres, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    _build(on_postgres)
    _use(on_postgres, ids["m_quantity"], 3, utc_now())
    _use(on_postgres, ids["m_amount"], 4, utc_now())
    supersede(on_postgres, MODEL, dry_run=False, now=utc_now())
    _build(on_postgres)

    assert _active(on_postgres) == {"by_city", "m_amount_union"}
    assert _views(on_postgres) == {"by_city", "m_amount_union"}
    assert max(usage.uses for usage in on_postgres.read.queries.usages(_id(on_postgres))) == 7
    assert _source(on_postgres, _BY_MONTH_AMOUNT) == "m_amount_union"


def test_there_is_no_need_for_the_smaller_table_with_a_subset_of_the_metrics(place: Workspace) -> None:
    """The larger one serves already, so the smaller one gives way at once."""
    ids = define(
        place,
        {
            "small": (("Month",), ("Quantity",)),
            "large": (("Month",), ("Quantity", "Amount")),
            "else": (("Day",), ("Quantity",)),
        },
    )
    _build(place)
    told = supersede(place, MODEL, dry_run=True, now=utc_now())
    assert _statuses(place)["small"] == "defined"
    report = supersede(place, MODEL, dry_run=False, now=utc_now())

    assert [(old, new) for old, new, _ in told.proposed] == [("small", "large")] == list(report.done)
    assert (_statuses(place)["small"], _statuses(place)["large"]) == ("retired", "defined")
    assert _views(place) == {"by_city", "large", "else"}
    assert _source(place, _BY_MONTH) == "large"
    again = supersede(place, MODEL, dry_run=False, now=utc_now())
    assert (again.proposed, again.done) == ((), ())
    assert place.read.definitions.get(ids["small"]).retired_at is not None


def test_the_engine_never_supersedes_user_defined_tables(place: Workspace) -> None:
    """Whatever is proposed; but a system-defined one may give way to a user's."""
    ids = define(place, {"city_all": (("City",), ("Amount", "Quantity"))})
    (users,) = [
        record.definition
        for record in place.read.definitions.of_model(_id(place))
        if not record.definition.origin.is_system_defined
    ]
    _build(place)

    assert supersede(place, MODEL, dry_run=False, now=utc_now()).proposed == ()
    forced = SuccessionRecord(
        old_id=users.id,
        new_id=ids["city_all"],
        model_id=_id(place),
        reason="no",
        facts=("sales",),
        proposed_at=utc_now(),
    )
    place.registry.successions.propose([forced])
    _build(place)
    assert place.registry.successions.complete(_id(place), now=utc_now()) == ()
    assert _active(place) == {"by_city", "city_all"}


def test_a_subset_of_a_users_aggregate_gives_way_to_it(place: Workspace, tmp_path: Path) -> None:
    """It is there for good."""
    define(place, {"city_rows": (("City",), ())})
    _build(place)

    assert supersede(place, MODEL, dry_run=False, now=utc_now()).done == (("city_rows", "by_city"),)


def test_a_union_with_a_table_that_nobody_uses_does_not_pay(place: Workspace) -> None:
    """The unused one is on its way out anyway."""
    ids = define(place, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    _build(place)
    later = utc_now() + timedelta(days=46)
    _use(place, ids["m_quantity"], 1, later)

    assert supersede(place, MODEL, dry_run=True, now=later).proposed == ()
    _use(place, ids["m_amount"], 1, later)
    assert len(supersede(place, MODEL, dry_run=True, now=later).proposed) == 2


def test_blocked_definitions_stay_blocked(place: Workspace, tmp_path: Path) -> None:
    """They neither serve nor give way; a blocked union is not defined again; a deployment does not unblock."""
    define(place, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    _build(place)
    supersede(place, MODEL, dry_run=False, now=utc_now())
    block_definition(place, MODEL, "m_amount_union", why="too wide", now=utc_now())
    block_definition(place, MODEL, "by_city", why="doubted", now=utc_now())
    assert supersede(place, MODEL, dry_run=False, now=utc_now()).proposed == ()
    _build(place)
    deploy(place, tiny_star.write_model(tmp_path / "model", _USERS), now=utc_now())

    assert _statuses(place) == {
        "by_city": "blocked",
        "m_amount_union": "blocked",
        "m_quantity": "defined",
        "m_amount": "defined",
    }
    assert _active(place) == {"m_quantity", "m_amount"}
    assert (
        place.read.definitions.get(make_definition(place, "x", ["Month"], ["Quantity", "Amount"]).id).status_reason
        == "too wide"
    )


def test_blocking_is_at_once_and_unblocking_needs_a_batch(place: Workspace, tmp_path: Path) -> None:
    """What was not built meanwhile would be old; a user's one that has left the model is retired instead."""
    _build(place)
    query = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1'
    assert _source(place, query) == "by_city"
    block_definition(place, MODEL, "by_city", why="", now=utc_now())
    assert _source(place, query) is None
    with pytest.raises(UnknownNameError, match=r"no blocked aggregate `by_ciyt`. Did you mean `by_city`"):
        unblock_definition(place, MODEL, "by_ciyt", now=utc_now())
    assert unblock_definition(place, MODEL, "by_city", now=utc_now()).status == "defined"
    assert _source(place, query) == "by_city"
    block_definition(place, MODEL, "by_city", why="", now=utc_now())
    deploy(place, tiny_star.write_model(tmp_path / "model", {"other": (("Day",), ("Amount",))}), now=utc_now())
    found = unblock_definition(place, MODEL, "by_city", now=utc_now())
    assert (found.status, found.status_reason) == ("retired", "it left the model")


def test_what_was_retired_while_its_batch_ran_does_not_go_live(place: Workspace) -> None:
    """Nobody would rebuild it."""
    ids = define(place, {"month": (("Month",), ("Quantity",))})
    retired = False

    def retire(event: object) -> None:
        nonlocal retired
        if not retired:
            why = "not needed"
            place.registry.definitions.set_status([ids["month"]], "retired", why, expected="defined", now=utc_now())
            retired = True

    run_batch(place, MODEL, owner="test", on_event=retire)

    assert _active(place) == {"by_city"}
    assert place.read.instances.count_by_status(place.read.batches.find()[0].id) == {"active": 1, "cancelled": 1}


# Deleted


def _limits(place: Workspace, desired: int, excess: int) -> None:
    place.registry.settings.put(None, "aggregates.retention.desiredInstances", str(desired))
    place.registry.settings.put(None, "aggregates.retention.excessInstances", str(excess))


_THREE = {"month": (("Month",), ("Quantity",)), "day": (("Day",), ("Quantity",)), "shop": (("Shop",), ("Quantity",))}


def test_definitions_and_statistics_are_retained_indefinitely(place: Workspace) -> None:
    """Their instances go, at once from use and later from the warehouse; the definition tells why, and may come back."""
    ids = define(place, _THREE)
    _build(place)
    for name, uses in (("month", 3), ("day", 2), ("shop", 1)):
        _use(place, ids[name], uses, utc_now())
    _limits(place, 2, 1)
    tables = {instance.step.aggregate: str(instance.table) for instance in place.read.instances.serving(_id(place))}
    now = utc_now()
    report = prune(place, MODEL, dry_run=False, now=now)

    assert [
        (pruned_aggregate.aggregate, pruned_aggregate.rank, pruned_aggregate.uses) for pruned_aggregate in report.pruned
    ] == [("shop", 3, 1)]
    assert _active(place) == {"by_city", "month", "day"}
    assert _views(place) == {"by_city", "month", "day"}
    found = place.read.definitions.get(ids["shop"])
    assert (found.status, found.status_reason) == ("retired", "pruned: ranked 3 of 3, 2 are kept")
    assert {usage.definition_id: usage.uses for usage in place.read.queries.usages(_id(place))}[ids["shop"]] == 1
    # The physical table goes only after the drop delay.
    sweep(place, dry_run=False, now=now + timedelta(minutes=59))
    assert tables["shop"] in _tables(place)
    sweep(place, dry_run=False, now=now + timedelta(minutes=61))
    assert _tables(place) == {
        *(tables[name] for name in ("by_city", "month", "day")),
        *(f"agg_tiny_sales_{n}" for n in _views(place)),
    }
    _build(place)
    assert _active(place) == {"by_city", "month", "day"}
    define(place, {"shop": _THREE["shop"]})
    _build(place)
    assert "shop" in _active(place)


def test_the_engine_waits_for_the_excess_before_it_prunes(place: Workspace) -> None:
    """Below desired + excess nothing goes; a dry run changes nothing."""
    define(place, _THREE)
    _build(place)
    _limits(place, 2, 2)
    assert prune(place, MODEL, dry_run=False, now=utc_now()).pruned == ()
    _limits(place, 2, 1)
    assert len(prune(place, MODEL, dry_run=True, now=utc_now()).pruned) == 1
    assert len(_active(place)) == 4


def test_active_and_inactive_instances_are_counted_and_users_ones_are_not(place: Workspace) -> None:
    """An inactive one is what its successor has left behind."""
    define(place, {"small": (("Month",), ("Quantity",)), "large": (("Month",), ("Quantity", "Amount"))})
    _build(place)
    supersede(place, MODEL, dry_run=False, now=utc_now())
    _limits(place, 1, 1)
    report = prune(place, MODEL, dry_run=False, now=utc_now())

    assert report.total == 2
    assert [(pruned_aggregate.aggregate, pruned_aggregate.rank) for pruned_aggregate in report.pruned] == [("small", 2)]
    assert _active(place) == {"by_city", "large"}


def test_user_defined_tables_are_never_pruned(place: Workspace, tmp_path: Path) -> None:
    """However many there are, and however long nobody used them."""
    deploy(place, tiny_star.write_model(tmp_path / "model"), now=utc_now())
    _build(place)
    _limits(place, 1, 1)

    report = prune(place, MODEL, dry_run=False, now=utc_now() + timedelta(days=400))

    assert (report.total, report.pruned) == (0, ())
    assert len(_active(place)) == 4


def test_zero_falls_back_to_the_default_with_a_warning_and_one_is_valid_for_both(place: Workspace) -> None:
    """The product says so of both settings."""
    define(place, _THREE)
    _build(place)
    _limits(place, 0, 0)
    report = prune(place, MODEL, dry_run=False, now=utc_now())
    assert (report.desired, report.excess, report.pruned) == (100, 10, ())
    assert report.warnings[0] == (
        "Setting `aggregates.retention.desiredInstances` is 0, which is no value for it; the default 100 is used."
    )
    _limits(place, 1, 1)
    assert [pruned_aggregate.rank for pruned_aggregate in prune(place, MODEL, dry_run=False, now=utc_now()).pruned] == [
        2,
        3,
    ]


def test_what_nobody_used_for_45_days_is_disabled_below_the_limit(place: Workspace) -> None:
    """The days begin with the last use, or with the first instance; and again when it is defined again."""
    ids = define(place, _THREE)
    _build(place)
    built = utc_now()
    _use(place, ids["day"], 1, built + timedelta(days=30))
    assert prune(place, MODEL, dry_run=False, now=built + timedelta(days=44)).pruned == ()
    _limits(place, 3, 1)
    assert prune(place, MODEL, dry_run=False, now=built + timedelta(days=46)).pruned == ()
    _limits(place, 4, 1)
    report = prune(place, MODEL, dry_run=False, now=built + timedelta(days=46))

    assert set(report.disabled) == {"month", "shop"}
    assert _active(place) == {"by_city", "day"}
    assert place.read.definitions.get(ids["month"]).status_reason == "pruned: not used for 45 days"
    define(place, {"month": _THREE["month"]}, now=built + timedelta(seconds=1))
    _build(place)
    again = prune(place, MODEL, dry_run=False, now=utc_now() + timedelta(days=44))
    assert "month" not in again.disabled


def test_a_prune_that_died_half_way_is_finished_by_the_sweep(on_postgres: Workspace) -> None:
    """The registry was told, the view was not dropped: PostgreSQL would refuse to drop its table."""
    ids = define(on_postgres, {"month": (("Month",), ("Quantity",))})
    _build(on_postgres)
    now = utc_now()
    (gone,) = on_postgres.read.instances.retained(_id(on_postgres))
    on_postgres.registry.instances.let_go(
        _id(on_postgres), [gone.id], {ids["month"]: "pruned"}, now=now, drop_after=now
    )

    report = sweep(on_postgres, dry_run=False, now=now)

    assert [(swept_table.aggregate, swept_table.error) for swept_table in report.tables] == [("month", "")]
    assert _views(on_postgres) == {"by_city"}
    assert gone.table not in _tables(on_postgres)
    assert on_postgres.read.instances.get(gone.id).status is InstanceStatus.DELETED


def test_sweep_lists_what_it_would_drop_and_knows_it_from_the_registry_alone(
    place: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that looks like ours and is not written down is nobody's business."""
    _build(place)
    with place.warehouse.session() as session:
        session.execute("CREATE TABLE aggs.as_agg_12345678_by_city_a1 AS SELECT 1 AS x")
    _build(place)
    (old,) = [
        instance
        for instance in place.read.instances.find(model_id=_id(place))
        if instance.status is InstanceStatus.SUPERSEDED
    ]
    place.registry.instances.let_go(_id(place), [old.id], {}, now=NOW, drop_after=NOW)
    place.registry.settings.put(None, "aggregates.drop.delaySeconds", "0")
    _build(place)
    before = _tables(place)
    place.close()
    options = [
        "--registry",
        f"sqlite:///{tmp_path}/r.sqlite",
        "--warehouse",
        f"duckdb:///{tmp_path}/w.duckdb?threads=1",
        "--schema",
        _SCHEMA,
    ]

    assert run(["sweep", "--json", *options]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["dry_run"] is True
    assert [(swept_table["aggregate"], swept_table["dropped"]) for swept_table in listed["tables"]] == [
        ("by_city", False)
    ]
    assert run(["sweep", "--json", "--yes", *options]) == 0
    (dropped,) = json.loads(capsys.readouterr().out)["tables"]
    with open_workspace(registry=options[1], warehouse=options[3], aggregate_schema=_SCHEMA) as again:
        assert before - _tables(again) == {dropped["table"]}
        assert "as_agg_12345678_by_city_a1" in _tables(again)


def test_deleting_a_users_definition_keeps_its_instances_until_they_are_deleted_by_hand(
    place: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The redeployment retires it, `definitions` says what has stayed, `delete-instance` lets it go."""
    _build(place)
    (kept,) = place.read.instances.serving(_id(place))
    with pytest.raises(InstanceNeededError, match="it serves, and the next batch would build it again; take it out"):
        delete_instance(place, kept.id, now=utc_now())
    deploy(place, tiny_star.write_model(tmp_path / "model", {"other": (("Day",), ("Amount",))}), now=utc_now())
    _build(place)
    prune(place, MODEL, dry_run=False, now=utc_now() + timedelta(days=400))
    sweep(place, dry_run=False, now=utc_now() + timedelta(days=400))

    assert _statuses(place) == {"by_city": "retired", "other": "defined"}
    assert kept.table in _tables(place)
    options = [
        "--registry",
        f"sqlite:///{tmp_path}/r.sqlite",
        "--warehouse",
        f"duckdb:///{tmp_path}/w.duckdb?threads=1",
        "--schema",
        _SCHEMA,
    ]
    place.close()
    assert run(["definitions", *options]) == 0
    told = capsys.readouterr().err
    assert "`by_city` has left its model; of its tables stay until deleted by hand:" in told
    assert f"atscale-aggs delete-instance {kept.id}" in told
    assert run(["delete-instance", kept.id, *options]) == 0
    assert "Instance of `by_city` serves no more" in capsys.readouterr().err
    assert run(["definitions", *options]) == 0
    assert "left its model" not in capsys.readouterr().err
    with open_workspace(registry=options[1], warehouse=options[3], aggregate_schema=_SCHEMA) as again:
        sweep(again, dry_run=False, now=utc_now() + timedelta(hours=2))
        assert kept.table not in _tables(again)
        with pytest.raises(InstanceNeededError, match="it is deleted"):
            delete_instance(again, kept.id, now=utc_now())


def test_what_had_stayed_goes_when_its_definition_comes_back_and_is_built(place: Workspace, tmp_path: Path) -> None:
    """It is replaced as any rebuilt one is; nothing is left that nobody would tell of."""
    _build(place)
    (kept,) = place.read.instances.serving(_id(place))
    deploy(place, tiny_star.write_model(tmp_path / "model", {"other": (("Day",), ("Amount",))}), now=utc_now())
    _build(place)
    assert place.read.instances.get(kept.id).drop_after is None
    deploy(place, tiny_star.write_model(tmp_path / "model", _USERS), now=utc_now())
    _build(place)

    assert place.read.instances.get(kept.id).drop_after is not None
    sweep(place, dry_run=False, now=utc_now() + timedelta(hours=2))
    assert kept.table not in _tables(place)
    assert "by_city" in _active(place)


def test_several_definitions_are_pruned_in_the_order_of_both_criteria(place: Workspace) -> None:
    """Often but long ago, and lately but seldom, weigh the same; the more often used one stays then."""
    ids = define(place, _THREE)
    _build(place)
    now = utc_now()
    for name, uses, days in (("month", 9, 5), ("day", 1, 0), ("shop", 1, 9)):
        _use(place, ids[name], uses, now - timedelta(days=days))
    _limits(place, 1, 2)

    assert _names(prune(place, MODEL, dry_run=True, now=now).pruned) == ["day", "shop"]


def _names(pruned: Sequence[object]) -> list[str]:
    return [pruned_aggregate.aggregate for pruned_aggregate in pruned]  # type: ignore[attr-defined]


def test_an_interrupted_union_is_defined_once(place: Workspace) -> None:
    """Asking again before it is built proposes the same."""
    define(place, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    first = supersede(place, MODEL, dry_run=False, now=utc_now())
    second = supersede(place, MODEL, dry_run=False, now=utc_now())

    assert (first.defined, second.defined) == (("m_amount_union",), ())
    assert {old for old, _, _ in second.proposed} == {"m_quantity", "m_amount"}
    assert len(place.read.successions.find(_id(place), pending=True)) == 2
    _build(place)
    assert _active(place) == {"by_city", "m_amount_union"}
    blocked = place.registry.definitions.add(
        [ProposedDefinition(definition=make_definition(place, "m_amount", ["Month"], ["Amount"]), reason="again")],
        now=utc_now(),
    )
    assert blocked == ("returned",)
    assert supersede(place, MODEL, dry_run=False, now=utc_now()).done == (("m_amount", "m_amount_union"),)
