"""An incremental batch killed anywhere leaves the old segments serving, and resumes to what a full rebuild holds (laws
2 to 4).

The batch adds to some segments and merges others. ``FUZZ_EXAMPLES`` sets the number of points tried per warehouse.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.kill.kill_places import FilePlaces, Place, Places, PostgresPlaces
from tests.support.kill.kill_process import Worker, start_worker
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, Sale

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
SEED = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(10**6)))
SCHEMA = "aggs"


@dataclass(frozen=True)
class Scene:
    """Segments were built three times; new facts wait for the batch that is killed."""

    places: Places
    worker: Worker
    before: dict[str, Any]
    after: dict[str, Any]
    points: int
    tables: int


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One worker for all trials."""
    with start_worker() as process:
        yield process


@pytest.fixture(scope="module", params=["sqlite and duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def scene(request: pytest.FixtureRequest, worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two files, or one PostgreSQL database for registry and warehouse."""
    folder = tmp_path_factory.mktemp("places")
    if request.param == "postgres":
        with PostgresPlaces.make(request.getfixturevalue("postgres_server")) as places:
            yield _scene(places, worker, folder)
    else:
        yield _scene(FilePlaces.make(folder), worker, folder)


def _scene(places: Places, worker: Worker, folder: Path) -> Scene:
    with places.base() as base, _workspace(base) as workspace:
        tiny_star.run_sql(workspace, *star.SETUP_SQL)
        deploy(workspace, star.write_model(folder / "model"), now=utc_now())
        workspace.registry.settings.put(None, "aggregates.drop.delaySeconds", "0")
        workspace.registry.settings.put(None, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", "2")
        star.load(workspace, *(Sale(at=START - 60 + 5 * n, day=n % 20, shop=1 + n % 4, amount=n) for n in range(13)))
        star.build(workspace, BuildType.FULL)
        star.load(workspace, Sale(at=START + 20))
        star.build(workspace, at=START + 20)
        before = star.view_contents(workspace)
        star.load(workspace, Sale(at=START + 40, amount=50), Sale(at=START + 12, amount=60))
        tiny_star.run_sql(workspace, "DELETE FROM sales WHERE seq = 20")
    with places.copy() as untouched:
        answer = worker.run(untouched, build_type="incremental")
        assert answer["error"] == ""
        with _workspace(untouched) as workspace:
            star.check_views(workspace)
            active = workspace.read.instances.serving(workspace.read.models.get(MODEL).id)
            assert all(
                any(new.merges for new in instance.step.increment.new) for instance in active if instance.step.increment
            )
            return Scene(places, worker, before, star.view_contents(workspace), answer["points"], _tables(workspace))


def test_an_incremental_batch_killed_at_any_statement_resumes_to_the_same_end(scene: Scene) -> None:
    """SIGKILL before or after a statement of the warehouse or the registry, the resumed build killed as well."""
    draw = random.Random(SEED)
    for first in draw.sample(range(1, scene.points + 1), min(EXAMPLES, scene.points)):
        kills = [first, *(draw.randrange(1, scene.points + 1) for _ in range(draw.choice((0, 0, 1))))]
        story = f"FUZZ_SEED={SEED}, {scene.places}: killed at {kills}"
        with scene.places.copy() as place:
            for kill_at in kills:
                answer = scene.worker.run(place, kill_at=kill_at, build_type="incremental")
                assert answer["error"] == "", story
                if answer["signal"] == signal.SIGKILL:
                    _check_serving(scene, place, story)
            assert scene.worker.run(place, build_type="incremental")["error"] == "", story
            with _workspace(place) as workspace:
                sweep(workspace, dry_run=False, now=utc_now())
                star.check_views(workspace)
                assert _tables(workspace) == scene.tables, story


def _check_serving(scene: Scene, place: Place, story: str) -> None:
    """The old segments, all of them, or the new ones, all of them; views and instances that the router reads alike."""
    with _workspace(place) as workspace:
        contents = star.view_contents(workspace)
        assert any(
            all(star.is_same(contents[name], expected[name]) for name in contents)
            for expected in (scene.before, scene.after)
        ), story
        for instance in workspace.read.instances.serving(workspace.read.models.get(MODEL).id):
            rows = star.fetch(workspace, f'SELECT SUM(row_count) FROM {SCHEMA}."{instance.table}"')[0][0]
            wholes = [
                sum(
                    row[-2 if instance.step.aggregate == "by_city" else -1]
                    for row in state[instance.step.aggregate].values()
                )
                for state in (scene.before, scene.after)
            ]
            assert rows in wholes, story


def _workspace(place: Place) -> Workspace:
    return open_workspace(registry=place.registry, warehouse=place.warehouse, aggregate_schema=SCHEMA)


def _tables(workspace: Workspace) -> int:
    with workspace.warehouse.session() as session:
        return len(session.tables(SCHEMA))
