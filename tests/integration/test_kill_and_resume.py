"""A batch killed anywhere and resumed ends as one that was never killed; what serves is right at every moment (laws 2,
3).

``FUZZ_EXAMPLES`` sets the number of points tried per warehouse and kind of fault, ``FUZZ_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from tests.support.kill.kill_places import FilePlaces, Place, Places, PostgresPlaces
from tests.support.kill.kill_process import MODEL, SCHEMA, Worker, start_worker
from tests.support.stars.tiny_star import SETUP_SQL, write_model

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
SEED = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(10**6)))

NEW_FACTS = (
    "INSERT INTO sales VALUES (1, 1, 5, 1000.00), (2, NULL, 1, 2.50), (NULL, 2, NULL, NULL), (77, 3, 4, 0.75)",
    "UPDATE sales SET quantity = quantity + 1 WHERE shop_id = 2",
)
"""What the facts become between the first batch and the one that is killed."""

_DAY = "d.day_id, d.day_name"
_DAY_THERE = "CASE WHEN d.day_id IS NULL THEN 0 ELSE 1 END"
_SHOP_THERE = "CASE WHEN s.shop_id IS NULL THEN 0 ELSE 1 END"
_JOINED = "sales AS f LEFT JOIN day AS d ON d.day_id = f.day_id LEFT JOIN shop AS s ON s.shop_id = f.shop_id"
_ALL = "SUM(f.quantity), SUM(f.amount), COUNT(f.amount), COUNT(*)"
_ALL_STORED = "sum_quantity, sum_amount, count_amount, row_count"

STORED_AND_TRUE = {
    "by_city": (
        "city, shop_matched, sum_amount, row_count",
        f"SELECT s.city, {_SHOP_THERE}, SUM(f.amount), COUNT(*) FROM {_JOINED} GROUP BY 1, 2",
    ),
    "by_day_and_shop": (
        f"day_key, day, shop_key, shop, day_matched, shop_matched, {_ALL_STORED}",
        (
            f"SELECT {_DAY}, s.shop_id, s.shop_name, {_DAY_THERE}, {_SHOP_THERE}, {_ALL} FROM {_JOINED} "
            "GROUP BY 1, 2, 3, 4, 5, 6"
        ),
    ),
    "by_month": (
        f"month, day_matched, {_ALL_STORED}",
        f"SELECT d.month, {_DAY_THERE}, {_ALL} FROM {_JOINED} GROUP BY 1, 2",
    ),
    "by_month_and_city": (
        f"month, city, day_matched, shop_matched, {_ALL_STORED}",
        f"SELECT d.month, s.city, {_DAY_THERE}, {_SHOP_THERE}, {_ALL} FROM {_JOINED} GROUP BY 1, 2, 3, 4",
    ),
}
"""Aggregate to the columns of its table and the SELECT, written by hand, that they must equal."""

Contents = Mapping[str, Counter[tuple[Any, ...]]]


@dataclass(frozen=True)
class Ending:
    """What two ends of a batch are compared by: all but ids and times.

    A build that is asked for after the activation but before its answer begins another batch; so ``remains`` of older
    batches counts only what is not DELETED.
    """

    batch: str
    views_pending: bool
    newest: Mapping[str, tuple[str, int | None, str | None]]
    remains: frozenset[str]
    contents: Contents
    views: Contents
    relations: int

    def without_sources(self) -> Ending:
        """The same end, without what each table was built from."""
        return replace(self, newest={name: (status, rows, None) for name, (status, rows, _) in self.newest.items()})


@dataclass
class Scene:
    """A warehouse with a deployed model, ready for the batch that is killed; copies of it are the crime scenes."""

    places: Places
    worker: Worker
    before: Contents | None
    after: Contents
    expected: Ending
    points: int
    random: random.Random = field(default_factory=lambda: random.Random(SEED))

    @property
    def examples(self) -> int:
        """How many trials: a first build is the simpler case, and so tried less."""
        return EXAMPLES if self.before is not None else 1 + EXAMPLES // 5

    @contextmanager
    def trial(self, story: list[str]) -> Iterator[Place]:
        """A copy to work on; a failure tells the story and the seed."""
        with self.places.copy() as place:
            try:
                yield place
            except AssertionError as error:
                error.add_note(f"FUZZ_SEED={SEED}, {self.places}: {'; '.join(story)}")
                raise

    def check_serving(self, place: Place) -> None:
        """Views and active instances hold the facts of before, all of them, or the new ones, all of them."""
        with open_place(place) as workspace:
            model = workspace.read.models.get(MODEL)
            active = {record.step.aggregate: str(record.table) for record in workspace.read.instances.serving(model.id)}
            with workspace.warehouse.session() as session:
                views = session.tables(SCHEMA) & {f"agg_{MODEL}_{name}" for name in STORED_AND_TRUE}
                if self.before is None and not active:
                    assert not views
                    return
                assert set(active) == set(STORED_AND_TRUE)
                assert read_contents(session, active) in (self.before, self.after)
                if views:
                    assert read_contents(session, view_names()) in (self.before, self.after)
                else:
                    assert self.before is None

    def check_end(self, place: Place, *, same_sources: bool = True) -> None:
        """The same end as that of a batch never killed.

        Args:
            same_sources: False after failures: what derives from an aggregate that failed is built from the facts.
        """
        with open_place(place) as workspace:
            end = ending(workspace)
        assert end.without_sources() == self.expected.without_sources()
        if same_sources:
            assert end == self.expected


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One worker for all trials."""
    with start_worker() as process:
        yield process


@pytest.fixture(scope="module", params=["sqlite and duckdb", "postgres"])
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Where the tiny star lives: two files, or one PostgreSQL database for registry and warehouse."""
    if request.param == "postgres":
        with PostgresPlaces.make(request.getfixturevalue("postgres_server")) as postgres_places:
            yield postgres_places
    else:
        yield FilePlaces.make(tmp_path_factory.mktemp("places"))


@pytest.fixture(scope="module", params=[False, True], ids=["rebuild", "first build"])
def scene(
    request: pytest.FixtureRequest, places: Places, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> Scene:
    """Facts changed after a first batch, or before any batch; what a batch never killed makes of it."""
    before = None
    with places.base() as base, open_place(base) as workspace:
        with workspace.warehouse.session() as session:
            session.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            for table in ("shop", "day", "sales"):
                session.execute(f"DROP TABLE IF EXISTS {table}")
            for sql in (*SETUP_SQL, f"CREATE SCHEMA {SCHEMA}"):
                session.execute(sql)
        deploy(workspace, write_model(tmp_path_factory.mktemp("model")), now=utc_now())
        if not request.param:
            run_batch(workspace, MODEL, owner=process_owner())
            with workspace.warehouse.session() as session:
                before = truth(session)
        with workspace.warehouse.session() as session:
            for sql in NEW_FACTS:
                session.execute(sql)
            after = truth(session)
    with places.copy() as untouched:
        answer = worker.run(untouched)
        assert answer["error"] == ""
        with open_place(untouched) as workspace:
            expected = ending(workspace)
    assert expected.contents == expected.views == after
    return Scene(places, worker, before, after, expected, answer["points"])


def test_a_batch_killed_at_any_statement_resumes_to_the_same_end(scene: Scene) -> None:
    """SIGKILL before or after a statement of the warehouse or the registry, the resumed build killed as well."""
    points = range(1, scene.points + 1)
    for first in scene.random.sample(points, min(scene.examples, scene.points)):
        kills = [first, *(scene.random.choice(points) for _ in range(scene.random.choice((0, 0, 1, 2))))]
        story: list[str] = []
        with scene.trial(story) as place:
            for kill_at in kills:
                jobs = scene.random.choice((1, 1, 3))
                answer = scene.worker.run(place, kill_at=kill_at, jobs=jobs)
                story.append(f"kill at {kill_at} with {jobs} jobs: {answer}")
                assert answer["error"] == ""
                scene.check_serving(place)
            story.append(f"resume: {scene.worker.run(place)}")
            scene.check_end(place)


def test_a_batch_killed_in_the_middle_of_a_statement_resumes_to_the_same_end(scene: Scene) -> None:
    """SIGKILL from outside after a random time; a server may still be working on the last statement."""
    for _ in range(scene.examples):
        milliseconds = scene.random.uniform(50, 600)
        story = [f"kill after {milliseconds:.1f} ms"]
        with scene.trial(story) as place:
            with open_place(place) as workspace, workspace.warehouse.session() as session:
                for sql in slowing_statements(workspace.warehouse.dialect.name):
                    session.execute(sql)
            story.append(str(scene.worker.run(place, kill_after_ms=milliseconds)))
            story.append(f"resume: {scene.worker.run(place)}")
            scene.check_end(place)


def test_a_batch_with_a_failed_statement_can_be_finished(scene: Scene) -> None:
    """A statement fails, or took effect and its answer was lost; the process ends as it will, then somebody resumes."""
    points = range(1, scene.points + 1)
    for fail_at in scene.random.sample(points, min(scene.examples, scene.points)):
        story: list[str] = []
        with scene.trial(story) as place:
            answer = scene.worker.run(place, fail_at=fail_at)
            story.append(f"failure at {fail_at}: {answer}")
            assert answer["signal"] == 0
            scene.check_serving(place)
            if answer["error"]:
                story.append(f"resume: {scene.worker.run(place, resume=failed_batch(place))}")
            scene.check_end(place, same_sources=False)


def test_a_deployment_killed_anywhere_leaves_nothing_half_registered(
    places: Places, worker: Worker, tmp_path: Path
) -> None:
    """Migrations of an empty registry included: the next deployment finds nothing or everything."""
    folder = str(write_model(tmp_path / "model"))
    draw = random.Random(SEED)
    with places.empty() as place:
        points = range(1, worker.run(place, deploy=folder)["points"] + 1)
    for kill_at in draw.sample(points, min(1 + EXAMPLES // 3, len(points))):
        with places.empty() as place:
            answer = worker.run(place, deploy=folder, kill_at=kill_at)
            again = worker.run(place, deploy=folder)

            assert (answer["signal"], again["error"]) == (signal.SIGKILL, ""), f"FUZZ_SEED={SEED}"
            with open_workspace(registry=place.registry, warehouse=place.warehouse) as workspace:
                model = workspace.read.models.get(MODEL)
                names = [record.definition.name for record in workspace.read.definitions.of_model(model.id)]
            assert model.version == 1
            assert sorted(names) == sorted(STORED_AND_TRUE)


def test_a_table_that_a_server_finished_after_the_sweep_is_swept_by_the_next(scene: Scene) -> None:
    """A server goes on with the statement of a killed client: its table appears when the batch is long over."""
    with scene.places.copy() as place:
        scene.worker.run(place, kill_after_sql=f'CREATE TABLE "{SCHEMA}"."as_agg')
        scene.worker.run(place)
        with open_place(place) as workspace:
            lost = [attempt for attempt in workspace.read.attempts.find() if attempt.status == "interrupted"]
            assert [bool(attempt.dropped_at) for attempt in lost] == [True]
            with workspace.warehouse.session() as session:
                session.execute(f'CREATE TABLE {SCHEMA}."{lost[0].table}" AS SELECT 1 AS one')
                session.execute(f'CREATE TABLE {SCHEMA}."as_agg_0_of_somebody_else_a1" AS SELECT 1 AS one')

            swept = sweep(workspace, dry_run=False, now=utc_now())

            assert [(swept_table.table, swept_table.dropped) for swept_table in swept.tables] == [(lost[0].table, True)]
            with workspace.warehouse.session() as session:
                session.execute(f'DROP TABLE {SCHEMA}."as_agg_0_of_somebody_else_a1"')
        scene.check_end(place)


def open_place(place: Place) -> Workspace:
    """A workspace of the test's own process."""
    return open_workspace(registry=place.registry, warehouse=place.warehouse, aggregate_schema=SCHEMA)


def truth(session: WarehouseSession) -> Contents:
    """The contents that the aggregates must have now."""
    return {name: Counter(session.fetch_all(sql)) for name, (_, sql) in STORED_AND_TRUE.items()}


def slowing_statements(dialect: str) -> tuple[str, ...]:
    """Statements that slow down every read of the shops, so that kills hit statements and not only the client."""
    steps = {"duckdb": 3_000_000, "postgres": 150_000}[dialect]
    busy = f"(SELECT COUNT(*) FROM generate_series(1, {steps}) AS g (n) WHERE n % 7 = 3) > 0"
    return (
        "ALTER TABLE shop RENAME TO shop_rows",
        f"CREATE VIEW shop AS SELECT shop_id, shop_name, city FROM shop_rows WHERE {busy}",
    )


def view_names() -> dict[str, str]:
    """The stable views."""
    return {name: f"agg_{MODEL}_{name}" for name in STORED_AND_TRUE}


def read_contents(session: WarehouseSession, relations: Mapping[str, str]) -> Contents:
    """The contents of tables or views, by aggregate."""
    return {
        name: Counter(session.fetch_all(f'SELECT {STORED_AND_TRUE[name][0]} FROM {SCHEMA}."{relation}"'))
        for name, relation in relations.items()
    }


def failed_batch(place: Place) -> str | None:
    """The id of the newest batch when it is FAILED."""
    with open_place(place) as workspace:
        newest = workspace.read.batches.find(limit=1)
        return newest[0].id if newest and newest[0].status is BatchStatus.FAILED else None


def ending(workspace: Workspace) -> Ending:
    """The end of everything, when all delays are over and a sweep has been made."""
    sweep(workspace, dry_run=False, now=utc_now() + timedelta(days=1))
    registry = workspace.registry
    assert registry.read.tables.to_drop(utc_now() + timedelta(days=1)) == ()
    newest = registry.read.batches.find(limit=1)[0]
    instances = registry.read.instances.find()
    of_newest = [record for record in instances if record.batch_id == newest.id]
    active = {
        record.step.aggregate: str(record.table) for record in instances if record.status is InstanceStatus.ACTIVE
    }
    with workspace.warehouse.session() as session:
        return Ending(
            batch=newest.status,
            views_pending=any(batch.views_pending for batch in registry.read.batches.find()),
            newest={record.step.aggregate: (record.status, record.rows, record.source) for record in of_newest},
            remains=frozenset(str(record.status) for record in instances if record.batch_id != newest.id)
            - {"deleted", "cancelled"},
            contents=read_contents(session, active),
            views=read_contents(session, view_names()),
            relations=len(session.tables(SCHEMA)),
        )
