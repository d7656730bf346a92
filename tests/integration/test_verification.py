"""Planted corruptions are caught before they serve; facts that change while a batch runs raise no false alarm."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType, InstanceStatus
from airflow_atscale_aggs.engine.errors import (
    BatchFailedError,
    BuildFailedError,
    NotRegisteredError,
    SettingError,
    VerificationError,
)
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch, run_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.settings import Settings, VerificationLevel
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import tiny_star

_MODEL = "tiny_sales"
_ROOT, _DERIVED = "by_day_and_shop", "by_month"
_SETTING = "aggregates.batch.verify"
_ROWS = "count_rows(sales)"

_CORRUPTIONS = {
    "dropped group": "DELETE FROM {0} WHERE sum_amount = (SELECT MAX(sum_amount) FROM {0})",
    "doubled row": "INSERT INTO {0} SELECT * FROM {0} WHERE sum_amount = (SELECT MAX(sum_amount) FROM {0})",
    "changed measure": (
        "UPDATE {0} SET sum_amount = sum_amount + 0.01 WHERE sum_amount = (SELECT MAX(sum_amount) FROM {0})"
    ),
    "changed count": (
        "UPDATE {0} SET count_amount = count_amount - 1 WHERE sum_amount = (SELECT MAX(sum_amount) FROM {0})"
    ),
    "lost measure": "UPDATE {0} SET sum_quantity = NULL",
    "empty table": "DELETE FROM {0}",
}
_MOVED = (
    "UPDATE {0} SET sum_amount = sum_amount + CASE WHEN sum_amount = (SELECT MAX(sum_amount) "
    "FROM {0}) THEN 1 ELSE -1 END "
    "WHERE sum_amount IN (SELECT MAX(sum_amount) FROM {0} UNION ALL SELECT MIN(sum_amount) FROM {0})"
)
"""Moves an amount from one group to another: no total tells it."""


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """A tiny star with its model deployed."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None
    with _open(tmp_path, url) as opened:
        yield opened


@pytest.fixture
def duckdb_workspace(tmp_path: Path) -> Iterator[Workspace]:
    with _open(tmp_path, None) as opened:
        yield opened


def _open(folder: Path, url: str | None) -> Workspace:
    opened = open_workspace(
        registry=url or f"sqlite:///{folder / 'registry.sqlite'}",
        warehouse=url or f"duckdb:///{folder / 'w.duckdb'}",
        aggregate_schema="aggs",
    )
    _run_sql(opened, *tiny_star.SETUP_SQL)
    deploy(opened, tiny_star.write_model(folder / "model"), now=datetime.now(UTC))
    return opened


def _run_sql(workspace: Workspace, *statements: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    with workspace.warehouse.session() as session:
        for statement in statements:
            if statement.startswith("SELECT"):
                rows = session.fetch_all(statement)
            else:
                session.execute(statement)
    return rows


def _plant(monkeypatch: pytest.MonkeyPatch, aggregate: str, corruption: str) -> None:
    """After every CREATE TABLE of the aggregate, in the same session, corrupt the table."""
    original = DbApiSession.execute
    creation = re.compile(rf'CREATE TABLE ("aggs"\."as_agg_[0-9a-f]{{8}}_{aggregate[:14]}_a\d+")')

    def execute(session: DbApiSession, sql: str) -> int | None:
        written = original(session, sql)
        match = creation.match(sql)
        if match:
            original(session, corruption.format(match[1]))
        return written

    monkeypatch.setattr(DbApiSession, "execute", execute)


def _set_level(workspace: Workspace, level: str) -> None:
    workspace.registry.settings.put(None, _SETTING, level)


def _views(workspace: Workspace) -> list[list[tuple[object, ...]]]:
    return [
        _run_sql(workspace, f"SELECT * FROM aggs.agg_tiny_sales_{name} ORDER BY 1, 2") for name in tiny_star.AGGREGATES
    ]


def _failure(workspace: Workspace, aggregate: str, *, before: list[str] | None = None) -> BuildFailedError:
    """Build the aggregate in a new batch, the ones before it first; the error that its build ends with."""
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=datetime.now(UTC))
    for instance in begun.instances:
        if instance.step.aggregate == aggregate:
            _run_sql(workspace, *(before or []))
            with pytest.raises(BuildFailedError) as caught:
                build_instance(workspace, instance.id, owner="me")
            return caught.value
        build_instance(workspace, instance.id, owner="me")
    raise AssertionError(aggregate)


@pytest.mark.parametrize("aggregate", [_ROOT, _DERIVED])
@pytest.mark.parametrize("corruption", _CORRUPTIONS)
def test_a_corruption_is_caught_and_the_old_one_serves_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, aggregate: str, corruption: str
) -> None:
    """It is caught at the default level. The failure is permanent, so it is tried once; the corrupt table is gone."""
    run_batch(workspace, _MODEL, owner="me")
    serving = _views(workspace)
    _run_sql(workspace, "INSERT INTO sales VALUES (1, 2, 3, 1000.00)")
    _plant(monkeypatch, aggregate, _CORRUPTIONS[corruption])

    with pytest.raises(BatchFailedError) as caught:
        run_batch(workspace, _MODEL, owner="me")

    monkeypatch.undo()
    (failed,) = [
        instance
        for instance in workspace.read.instances.find(batch_id=caught.value.batch_id)
        if instance.status is InstanceStatus.FAILED
    ]
    assert (failed.step.aggregate, failed.attempt) == (aggregate, 1)
    assert "does not agree with its facts `sales`" in (failed.error or "")
    assert _views(workspace) == serving
    with workspace.warehouse.session() as session:
        assert failed.table not in session.tables("aggs")


@pytest.mark.parametrize(
    ("corruption", "measure", "expected", "actual"),
    [
        ("changed measure", "sum(sales.amount)", "1785", "1785.01"),
        ("lost measure", "sum(sales.quantity)", "156", "NULL"),
        ("empty table", _ROWS, "60", "0, the table is empty"),
    ],
)
def test_the_error_names_measure_expected_and_found(
    duckdb_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    corruption: str,
    measure: str,
    expected: str,
    actual: str,
) -> None:
    _plant(monkeypatch, _ROOT, _CORRUPTIONS[corruption])

    failure = _failure(duckdb_workspace, _ROOT)

    cause = failure.__cause__
    assert isinstance(cause, VerificationError)
    assert (cause.aggregate, cause.fact) == (_ROOT, "sales")
    assert (cause.measure, cause.expected, cause.found) == (measure, expected, actual)
    assert not failure.may_retry


def test_a_stale_source_is_caught(workspace: Workspace) -> None:
    """What derives from a table that is not the one that was verified does not go live."""
    run_batch(workspace, _MODEL, owner="me")
    (old,) = [
        instance.table
        for instance in workspace.read.instances.serving(workspace.read.models.get(_MODEL).id)
        if instance.step.aggregate == _ROOT
    ]
    _run_sql(workspace, "INSERT INTO sales VALUES (1, 2, 3, 1000.00)")
    begun = begin_batch(workspace, _MODEL, build_type=BuildType.FULL, owner="me", now=datetime.now(UTC))
    root, *others = begun.instances
    new = build_instance(workspace, root.id, owner="me").table
    _run_sql(workspace, f'DELETE FROM aggs."{new}"', f'INSERT INTO aggs."{new}" SELECT * FROM aggs."{old}"')

    with pytest.raises(BuildFailedError, match=r"`count_rows\(sales\)` should be 61 but is 60"):
        build_instance(workspace, others[0].id, owner="me")


def test_totals_that_hide_a_corruption_do_not_hide_it_from_groups(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An amount moves between groups; totals do not show it, a sample and a full comparison do."""
    _plant(monkeypatch, _ROOT, _MOVED)
    run_batch(workspace, _MODEL, owner="me")
    for level in ("sample", "full"):
        _set_level(workspace, level)

        with pytest.raises(BatchFailedError) as caught:
            run_batch(workspace, _MODEL, owner="me")

        assert caught.value.failed == (_ROOT,)
        error = next(
            instance.error
            for instance in workspace.read.instances.find(batch_id=caught.value.batch_id)
            if instance.step.aggregate == _ROOT
        )
        assert re.search(r"`sum\(sales.amount\)` of group \(day_key = \d+, ", error or ""), error


def test_off_compares_nothing(duckdb_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong goes live then; the event and the record say that nothing was compared."""
    _set_level(duckdb_workspace, "off")
    _plant(monkeypatch, _ROOT, _CORRUPTIONS["changed measure"])
    events: list[BuildEvent] = []

    report = run_batch(duckdb_workspace, _MODEL, owner="me", on_event=events.append)

    assert "verified" not in {event.kind for event in events}
    verified = [
        duckdb_workspace.read.attempts.verification(instance.id, instance.attempt) for instance in report.instances
    ]
    assert {verification.level if verification else "" for verification in verified} == {"off"}


def test_the_level_is_checked() -> None:
    assert Settings().verify is VerificationLevel.TOTALS
    assert Settings().with_values({"AGGREGATES.BATCH.VERIFY": "Full"}).verify is VerificationLevel.FULL
    with pytest.raises(SettingError, match=r"`totls` is none of off, totals, sample, full. Did you mean `totals`\?"):
        Settings().with_values({_SETTING: "totls"})


@pytest.mark.parametrize("level", ["totals", "sample", "full"])
def test_facts_that_change_between_builds_raise_no_false_alarm(workspace: Workspace, level: str) -> None:
    """Before each build a row is added, and one moves to another shop, which no total tells."""
    _set_level(workspace, level)
    events: list[BuildEvent] = []

    def load(event: BuildEvent) -> None:
        events.append(event)
        if event.kind == "source":
            number = len(events)
            _run_sql(
                workspace,
                f"INSERT INTO sales VALUES ({number % 20}, 1, {number}, {number}.75)",
                f"UPDATE sales SET shop_id = {number % 4} WHERE day_id = {number % 20}",
                f"UPDATE shop SET city = 'City {number % 3}' WHERE shop_id = {number % 4}",
            )

    report = run_batch(workspace, _MODEL, owner="me", on_event=load)

    sources = {instance.step.aggregate: instance.source for instance in report.instances}
    # Totals of the facts as the source saw them are known; for their groups the facts of now must be asked.
    assert sources[_DERIVED] == ("by_month_and_city" if level == "totals" else "sales")
    assert [event.text for event in events if event.kind == "undecided" and "Built from" not in event.text] == []
    run_batch(workspace, _MODEL, owner="me")
    verification = verify(workspace, _MODEL, level=VerificationLevel.FULL)
    assert [instance.finding for instance in verification.instances] == [Finding.AGREES] * 4


@pytest.mark.postgres
@pytest.mark.parametrize("level", ["totals", "full"])
def test_an_etl_that_writes_all_the_time_raises_no_false_alarm(postgres_url: str, tmp_path: Path, level: str) -> None:
    """Another connection inserts, updates and deletes facts as fast as it can, while batches run."""
    stop, written = threading.Event(), 0

    def load() -> None:
        nonlocal written
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            while not stop.is_set():
                day, shop = written % 23, written % 6
                connection.execute(f"INSERT INTO sales VALUES ({day}, {shop}, {written % 9}, {written % 1000}.5)")
                connection.execute(f"UPDATE sales SET amount = amount + 1, shop_id = {shop} WHERE day_id = {day}")
                connection.execute(f"DELETE FROM sales WHERE day_id = {(day * 7) % 23} AND quantity = {shop}")
                connection.execute(f"UPDATE shop SET city = 'City {written % 3}' WHERE shop_id = {shop}")
                written += 1

    with _open(tmp_path, postgres_url) as workspace:
        _set_level(workspace, level)
        etl = threading.Thread(target=load)
        etl.start()
        try:
            before = written
            reports = [run_batch(workspace, _MODEL, owner="me", jobs=jobs) for jobs in (1, 2, 1, 2)]
            during = written - before
        finally:
            stop.set()
            etl.join()
        run_batch(workspace, _MODEL, owner="me")
        verification = verify(workspace, _MODEL, level=VerificationLevel.FULL)

    assert during > 10
    assert {instance.status.value for report in reports for instance in report.instances} == {"active"}
    assert [instance.finding for instance in verification.instances] == [Finding.AGREES] * 4


def test_the_facts_are_totalled_once_per_batch(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not once per aggregate, derived or from the facts; the tasks of a batch may be processes of their own."""
    queries: list[str] = []
    original = DbApiSession.fetch_all

    def fetch_all(session: DbApiSession, sql: str) -> list[tuple[object, ...]]:
        if re.search(r'SUM\("sales"\."amount"\).* FROM "sales" AS "sales"$', sql):
            queries.append(sql)
        return original(session, sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", fetch_all)
    workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "false")
    for batch in (1, 2):
        run_batch(workspace, _MODEL, owner="me")
        assert len(queries) == batch
    workspace.registry.settings.put(None, "aggregates.batch.buildFromExisting.enabled", "true")
    run_batch(workspace, _MODEL, owner="me")
    assert len(queries) == 3


def _without_snapshots(workspace: Workspace) -> Workspace:
    """Its warehouse has none, and is sent one statement at a time."""
    warehouse = workspace.warehouse
    warehouse.dialect = replace(warehouse.dialect, begin_snapshot=None, statements_at_once=1)
    return workspace


def test_without_snapshots_changed_facts_are_undecided(
    duckdb_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row arrives before a build and one after it: it is said that nothing can be said, also of what derives."""
    workspace = _without_snapshots(duckdb_workspace)
    row = "INSERT INTO sales VALUES (1, 1, 1, 1.00)"
    _plant(monkeypatch, _ROOT, row)
    events: list[BuildEvent] = []

    def load(event: BuildEvent) -> None:
        events.append(event)
        if event.kind == "sql":
            _run_sql(workspace, row)

    report = run_batch(workspace, _MODEL, owner="me", on_event=load)

    texts = {event.aggregate: event.text for event in events if event.kind == "undecided"}
    assert texts[_ROOT] == (
        "`count_rows(sales)` should be 62 but is 61, but the facts may have changed since `sales` was read, and this "
        "warehouse has no snapshots"
    )
    assert texts.keys() == set(tiny_star.AGGREGATES)
    assert {instance.status.value for instance in report.instances} == {"active"}


def test_without_snapshots_facts_that_stay_are_verified(duckdb_workspace: Workspace) -> None:
    workspace = _without_snapshots(duckdb_workspace)

    report = run_batch(workspace, _MODEL, owner="me")
    verified = [workspace.read.attempts.verification(instance.id, instance.attempt) for instance in report.instances]

    assert [
        verification.totals[_ROWS] if verification and verification.totals else None for verification in verified
    ] == ["60"] * 4


def test_without_snapshots_unchanged_facts_decide(duckdb_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The totals before and after the build are the same: what the table has is wrong."""
    _plant(monkeypatch, _ROOT, _CORRUPTIONS["changed measure"])

    failure = _failure(_without_snapshots(duckdb_workspace), _ROOT)

    assert isinstance(failure.__cause__, VerificationError)


@pytest.mark.parametrize("kind", ["REAL", "DOUBLE PRECISION"])
def test_floating_amounts_raise_no_false_alarm(workspace: Workspace, kind: str) -> None:
    """Thirds, amounts that cancel, and then NaN, at the level that looks at everything."""
    _set_level(workspace, "full")
    _run_sql(
        workspace,
        f"ALTER TABLE sales ALTER COLUMN amount TYPE {kind}",
        "UPDATE sales SET amount = amount / 3 - 10",
        "INSERT INTO sales VALUES (1, 1, 1, 1e15), (2, 1, 1, -1e15), (7, 3, 1, 1e15), (9, 2, 1, -1e15)",
    )
    run_batch(workspace, _MODEL, owner="me")
    _run_sql(workspace, "INSERT INTO sales VALUES (3, 1, 1, 'NaN')")

    report = run_batch(workspace, _MODEL, owner="me")

    verified = [workspace.read.attempts.verification(instance.id, instance.attempt) for instance in report.instances]
    assert [verification.undecided if verification else None for verification in verified] == [()] * 4
    comparison = verify(workspace, _MODEL, level=VerificationLevel.FULL)
    assert [instance.finding for instance in comparison.instances] == [Finding.AGREES] * 4


@pytest.mark.postgres
def test_a_comparison_that_the_warehouse_cannot_compute_fails_nothing(postgres_url: str, tmp_path: Path) -> None:
    """A total is out of range and no group is; the aggregate is built from the facts, and a note says why."""
    events: list[BuildEvent] = []
    with _open(tmp_path, postgres_url) as workspace:
        _run_sql(
            workspace,
            "ALTER TABLE sales ALTER COLUMN amount TYPE DOUBLE PRECISION",
            "INSERT INTO sales VALUES (1, 1, 1, 1.5e308), (6, 3, 1, 1.5e308)",
        )

        report = run_batch(workspace, _MODEL, owner="me", on_event=events.append)

        verified = [
            workspace.read.attempts.verification(instance.id, instance.attempt) for instance in report.instances
        ]
        comparison = verify(workspace, _MODEL, level=VerificationLevel.TOTALS)
    reason = "the comparison failed: value out of range: overflow"
    assert {instance.status.value for instance in report.instances} == {"active"}
    assert f"Built from sales: {reason}" in {event.text for event in events if event.kind == "undecided"}
    assert [(verification.totals, verification.undecided) if verification else None for verification in verified] == [
        (None, (reason,))
    ] * 4
    assert [(instance.finding, instance.undecided) for instance in comparison.instances] == [
        (Finding.UNDECIDED, (reason,))
    ] * 4


def test_a_key_that_lost_its_uniqueness_is_caught(workspace: Workspace) -> None:
    """A dimension that doubles after the plan has proven its key would multiply measures."""
    failure = _failure(workspace, _ROOT, before=["INSERT INTO shop VALUES (1, 'Twin', 'North')"])

    assert re.search(r"`count_rows\(sales\)` should be 60 but is 70", str(failure)), failure


@pytest.mark.parametrize("level", list(VerificationLevel)[1:])
def test_active_instances_can_be_verified(workspace: Workspace, level: VerificationLevel) -> None:
    """They agree; after a load they are behind; a changed table differs."""
    run_batch(workspace, _MODEL, owner="me")
    fresh = verify(workspace, _MODEL, level=level)
    _run_sql(workspace, "INSERT INTO sales VALUES (1, 2, 3, 1000.00)")
    behind = verify(workspace, _MODEL, level=level)
    table = next(instance.table for instance in fresh.instances if instance.aggregate == _DERIVED)
    _run_sql(workspace, f'UPDATE aggs."{table}" SET row_count = row_count + 1')
    wrong = verify(workspace, _MODEL, aggregate=_DERIVED, level=level)

    assert [instance.finding for instance in fresh.instances] == [Finding.AGREES] * 4
    assert not fresh.has_mismatch
    assert [instance.finding for instance in behind.instances] == [Finding.BEHIND] * 4
    assert behind.has_mismatch
    assert [(instance.aggregate, instance.finding) for instance in wrong.instances] == [(_DERIVED, Finding.DIFFERS)]
    assert wrong.instances[0].differences[0].measure == _ROWS


def test_verifying_what_is_not_there_names_what_is(duckdb_workspace: Workspace) -> None:
    run_batch(duckdb_workspace, _MODEL, owner="me")

    with pytest.raises(NotRegisteredError, match=r"active instance of aggregate `by_mnth`.*`by_month`"):
        verify(duckdb_workspace, _MODEL, aggregate="by_mnth", level=VerificationLevel.TOTALS)
