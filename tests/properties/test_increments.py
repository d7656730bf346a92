"""Increments equal a full rebuild (law 4): any loads that are late by no more than the grace period, merges, kills,
rows in the future, other types, reloads, damaged segments.

100 stories on DuckDB, a quarter per kind of indicator, and a tenth as many on PostgreSQL, where each costs several
times as much. With ``FUZZ_EXAMPLES`` two and a half times as many as that: 5,000 for the 2,000 of ``make fuzz``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import INDICATORS, START, Sale

EXAMPLES = int(float(os.environ.get("FUZZ_EXAMPLES", "20")) * 2.5) // len(INDICATORS)
GRACE = 10
AGGREGATES = {
    **dict.fromkeys(("milliseconds", "timestamp"), ("by_city", "by_month")),
    "plain": ("by_city", "by_tag"),
    "instant": ("by_city", "by_day_and_shop", "by_month"),
}
"""Aggregates by indicator. ``by_tag`` is many-to-many; the last derive their segments from each other."""

VERIFY = {"plain": "full", "milliseconds": "totals", "timestamp": "off", "instant": "off"}
"""Builds compare themselves with the facts as well, in half of the stories."""

_MOST_STORIES = 40
"""Stories that one registry holds."""

_ROUTED = 4
"""The router is asked in one story of so many; it costs as much as a build."""


_RENAME = "ALTER TABLE copied RENAME TO sales"


class Killed(BaseException):
    """Nobody handles it, as nobody handles SIGKILL."""


@dataclass
class World:
    """A workspace in which many stories happen, one after the other."""

    folder: Path
    url: str
    indicator: str
    workspace: Workspace | None = None
    stories: int = 0

    def fresh(self) -> Workspace:
        """A warehouse without facts; a new registry now and then, since it forgets nothing."""
        if self.workspace is None or self.stories % _MOST_STORIES == 0:
            self.close()
            registry = self.folder / f"registry_{self.stories}.sqlite"
            self.workspace = open_workspace(
                registry=f"sqlite:///{registry}", warehouse=self.url, aggregate_schema="aggs"
            )
            self._prepare(self.workspace)
        self.stories += 1
        workspace = self.workspace
        tiny_star.run_sql(workspace, "DELETE FROM sales", "ALTER TABLE sales ALTER COLUMN amount TYPE DECIMAL(9,2)")
        current = workspace.read.batches.open_of(workspace.read.models.get(star.MODEL).id)
        if current is not None:
            workspace.registry.batches.cancel(current.id, now=utc_now())
        return workspace

    def close(self) -> None:
        """Close the workspace, if there is one."""
        if self.workspace is not None:
            self.workspace.close()

    def _prepare(self, workspace: Workspace) -> None:
        for name in ("copied", "sales", "shop", "day", "bridge", "tag"):
            tiny_star.run_sql(workspace, f"DROP TABLE IF EXISTS {name}")
        tiny_star.run_sql(
            workspace, "DROP SCHEMA IF EXISTS aggs CASCADE", "CREATE SCHEMA aggs", *star.SETUP_SQL, *star.TAG_SQL
        )
        grace = str(GRACE) if self.indicator == "plain" else f"{GRACE}s"
        model = star.write_model(
            self.folder / "model",
            indicator=self.indicator,
            grace=grace,
            aggregates={name: star.AGGREGATES[name] for name in AGGREGATES[self.indicator] if name in star.AGGREGATES},
        )
        if "by_tag" in AGGREGATES[self.indicator]:
            star.add_tags(model)
        deploy(workspace, model, now=utc_now())
        workspace.registry.settings.put(None, "aggregates.drop.delaySeconds", "0")
        workspace.registry.settings.put(None, "aggregates.batch.verify", VERIFY[self.indicator])
        is_derived = str(self.indicator == "instant")
        workspace.registry.settings.put(None, "aggregate.incrementalUpdate.buildFromExisting.enabled", is_derived)


@dataclass
class Story:
    """One sequence of loads and builds.

    Attributes:
        clock: seconds since 1970.
        seen: indicators that ever stood in the facts.
    """

    workspace: Workspace
    indicator: str
    clock: int = START
    seen: list[int] = field(default_factory=lambda: [START])
    changed_since_kill: bool = False
    is_killed: bool = False
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    @property
    def latest_allowed(self) -> int:
        """No row that arrives now may be older: it would be late by more than the grace period."""
        is_time = self.indicator != "plain"
        return max(at for at in self.seen if at <= self.clock or not is_time) - GRACE

    @property
    def greatest(self) -> int:
        """Greatest indicator that ever stood in the facts."""
        return max(self.seen)

    def load(self, ages: list[int], fields: tuple[int, int]) -> None:
        """Rows of some ages in seconds; negative ones lie in the future, too old ones are as old as allowed."""
        shop, amount = fields
        rows = []
        for age in ages:
            at = max(self.clock - age, self.latest_allowed)
            day = next(self.numbers) % 20
            rows.append(
                Sale(
                    at=at,
                    day=day,
                    shop=(1, 2, 3, None, 99)[(shop + age) % 5],
                    quantity=None if amount % 7 == 0 else amount % 5,
                    amount=None if (amount + age) % 6 == 0 else amount,
                )
            )
        star.load(self.workspace, *rows)
        self.seen += (row.at for row in rows if row.at is not None)
        self.changed_since_kill = True

    def tie(self, amount: int) -> None:
        """One more row with the greatest indicator."""
        star.load(self.workspace, Sale(at=self.greatest, amount=amount, day=3))
        self.changed_since_kill = True

    def forget(self, number: int) -> None:
        """Delete some rows that are young enough."""
        self._change(f"DELETE FROM sales WHERE {{}} AND day_id % 3 = {number % 3}")

    def correct(self, number: int) -> None:
        """Change some rows that are young enough, and no indicator."""
        self._change(
            f"UPDATE sales SET amount = amount + {number}, shop_id = {1 + number % 3} WHERE {{}} AND day_id % 2 = 0"
        )

    def mistype(self, years: int) -> None:
        """A row far in the future; of plain numbers nobody can tell."""
        if self.indicator != "plain":
            at = self.clock + years * 365 * 86400
            star.load(self.workspace, Sale(at=at, amount=3))
            self.seen.append(at)
            self.changed_since_kill = True

    def retype(self, number: int) -> None:
        """The amount gets more digits, or less; values that stand there fit into either."""
        kind = ("DECIMAL(9,2)", "DECIMAL(12,3)", "DECIMAL(14,2)")[number]
        tiny_star.run_sql(self.workspace, f"ALTER TABLE sales ALTER COLUMN amount TYPE {kind}")
        self.changed_since_kill = True

    def reload(self, how: str) -> None:
        """As many rows as before, and other amounts, also long ago."""
        copy = ("DROP TABLE IF EXISTS copied", "CREATE TABLE copied AS SELECT * FROM sales")
        statements = {
            "swap": (*copy, "UPDATE copied SET amount = amount + 1", "DROP TABLE sales", _RENAME),
            "fill": (
                *copy,
                "DELETE FROM sales",
                "UPDATE copied SET amount = amount + 1",
                "INSERT INTO sales SELECT * FROM copied",
            ),
            "update": ("UPDATE sales SET amount = amount + 1",),
        }
        tiny_star.run_sql(self.workspace, *statements[how])
        self.changed_since_kill = True

    def damage(self, number: int) -> None:
        """Somebody changes a settled segment; not while a batch is open that was planned with it."""
        registry = self.workspace.registry
        active = registry.read.instances.serving(registry.read.models.get(star.MODEL).id)
        settled = [
            segment.table
            for instance in active
            for segment in registry.read.instances.segments(instance.id)
            if segment.is_settled
        ]
        if settled and not self.is_killed:
            table = f'aggs."{settled[number % len(settled)]}"'
            change = f"DELETE FROM {table}" if number % 2 else f"INSERT INTO {table} SELECT * FROM {table}"
            tiny_star.run_sql(self.workspace, change)

    def lose_indicator(self) -> None:
        """A row without an indicator."""
        star.load(self.workspace, Sale(at=None, amount=5))
        self.changed_since_kill = True

    def find_indicator(self) -> None:
        """Rows without an indicator go."""
        tiny_star.run_sql(self.workspace, "DELETE FROM sales WHERE seq IS NULL")
        self.changed_since_kill = True

    def truncate(self) -> None:
        """The fact is emptied, and loaded with little."""
        tiny_star.run_sql(self.workspace, "DELETE FROM sales")
        self.load([0, 3], (1, 4))

    def build(self, build_type: BuildType, most: int, kill_at: int | None) -> None:
        """Build, perhaps killed at some statement; then old or new serves, and the next build goes on."""
        key = "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions"
        self.workspace.registry.settings.put(None, key, str(most))
        # Segments are so small here that all of them are merged by each increment, or none before there are too many.
        small = str(10_000 * (most % 2))
        self.workspace.registry.settings.put(None, "aggregate.incrementalUpdate.mergeSmallSegments.rows", small)
        before = (
            star.view_contents(self.workspace, AGGREGATES[self.indicator])
            if kill_at is not None and self._has_views()
            else None
        )
        # It goes on with a batch whose first aggregates were built before the facts changed; the next one is new.
        is_mixed = self.is_killed and self.changed_since_kill
        try:
            with killed_at(kill_at):
                star.build(self.workspace, build_type, at=self.clock)
        except Killed:
            event("killed")
            if before is not None and not is_mixed:
                self._check_old_or_new(before)
            self.is_killed, self.changed_since_kill = True, is_mixed
            return
        if not is_mixed:
            star.check_views(self.workspace, AGGREGATES[self.indicator])
        self.is_killed = self.changed_since_kill = False
        sweep(self.workspace, dry_run=False, now=utc_now())

    def end(self, *, is_routed: bool) -> None:
        """One more build that nobody disturbs; then views and router agree with the facts, and nothing is left over."""
        if self.is_killed:
            star.build(self.workspace, at=self.clock)
        star.build(self.workspace, at=self.clock)
        star.check_views(self.workspace, AGGREGATES[self.indicator])
        sweep(self.workspace, dry_run=False, now=utc_now())
        self._check_tables()
        if is_routed:
            self._check_router()

    def _change(self, sql: str) -> None:
        bound = self.latest_allowed - START
        tiny_star.run_sql(self.workspace, sql.format(f"seq >= {bound}"))
        self.changed_since_kill = True

    def _has_views(self) -> bool:
        return bool(self.workspace.read.instances.serving(self.workspace.read.models.get(star.MODEL).id))

    def _check_old_or_new(self, before: dict[str, Any]) -> None:
        """Law 2: what serves is what served before, or the new, whole."""
        contents = star.view_contents(self.workspace, AGGREGATES[self.indicator])
        if not all(star.is_same(contents[name], before[name]) for name in before):
            star.check_views(self.workspace, AGGREGATES[self.indicator])

    def _check_router(self) -> None:
        query = 'SELECT "City", "Amount", "Average Amount", "Least", "Variance" FROM tiny_sales GROUP BY 1'
        routed = answer(self.workspace, query)
        plain = answer(self.workspace, query, use_aggregates=False)
        assert routed.plan.uses_aggregates
        routed_rows, rows_of_facts = ({row[:1]: row[1:] for row in result.rows} for result in (routed, plain))
        assert star.is_same(routed_rows, rows_of_facts)

    def _check_tables(self) -> None:
        """Law 3: the warehouse holds the views, and what active instances consist of."""
        registry = self.workspace.registry
        active = registry.read.instances.serving(registry.read.models.get(star.MODEL).id)
        expected = {MARK_TABLE} | {name for instance in active for name in (instance.table, instance.step.view)}
        expected |= {segment.table for instance in active for segment in registry.read.instances.segments(instance.id)}
        with self.workspace.warehouse.session() as session:
            assert session.tables("aggs") == expected


@contextmanager
def killed_at(point: int | None) -> Iterator[None]:
    """Raise `Killed` at the n-th statement or commit; one statement in two has taken effect by then."""
    if point is None:
        yield
        return
    points_left = point

    def pass_point() -> None:
        nonlocal points_left
        points_left -= 1
        if points_left == 0:
            raise Killed

    def around(original: Callable[[DbApiSession, str], Any]) -> Callable[[DbApiSession, str], Any]:
        def with_points(session: DbApiSession, sql: str) -> Any:
            if sql != "ROLLBACK":
                pass_point()
            result = original(session, sql)
            if sql != "ROLLBACK":
                pass_point()
            return result

        return with_points

    writing = RegistryDatabase.writing

    @contextmanager
    def writing_with_points(database: RegistryDatabase) -> Iterator[Any]:
        with writing(database) as connection:
            yield connection
            pass_point()
        pass_point()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "fetch_all"):
            patch.setattr(DbApiSession, name, around(getattr(DbApiSession, name)))
        patch.setattr(RegistryDatabase, "writing", writing_with_points)
        yield


_AGES = st.lists(st.integers(-15, 25), min_size=0, max_size=6)
_FIELDS = st.tuples(st.integers(0, 4), st.integers(0, 50))
_BUILD = st.tuples(
    st.just("build"),
    st.sampled_from([BuildType.INCREMENTAL] * 6 + [BuildType.FULL]),
    st.integers(2, 4),
    st.one_of(st.none(), st.none(), st.integers(1, 120)),
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("load"), st.integers(0, 20), _AGES, _FIELDS),
        st.tuples(st.just("load"), st.integers(0, 20), _AGES, _FIELDS),
        _BUILD,
        _BUILD,
        st.tuples(st.just("tie"), st.integers(0, 50)),
        st.tuples(st.just("forget"), st.integers(0, 2)),
        st.tuples(st.just("correct"), st.integers(0, 9)),
        st.tuples(st.just("retype"), st.integers(0, 2)),
        st.tuples(st.just("reload"), st.sampled_from(["swap", "fill", "update"])),
        st.tuples(st.just("damage"), st.integers(0, 9)),
        st.tuples(st.just("mistype"), st.sampled_from([1, 36, 7900])),
        st.tuples(st.sampled_from(["lose_indicator", "find_indicator", "truncate"])),
    ),
    min_size=3,
    max_size=9,
)


def run_story(world: World, steps: list[tuple[Any, ...]]) -> None:
    """Run one story from its beginning to its end."""
    workspace = world.fresh()
    story = Story(workspace, world.indicator)
    story.load([0, 5, 30, 60, 61], (1, 3))
    star.build(workspace, BuildType.FULL, at=story.clock)
    star.check_views(workspace, AGGREGATES[world.indicator])
    for name, *arguments in steps:
        note(f"{name} {arguments}")
        if name == "load":
            seconds, *rest = arguments
            story.clock += seconds
            story.load(*rest)
        else:
            getattr(story, name)(*arguments)
    story.end(is_routed=world.stories % _ROUTED == 1)


@pytest.fixture(scope="module", params=sorted(INDICATORS))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world on DuckDB in memory."""
    opened = World(tmp_path_factory.mktemp("world"), "duckdb:///:memory:?threads=1", request.param)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=sorted(INDICATORS))
def postgres_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world on PostgreSQL."""
    database = request.getfixturevalue("postgres_database")
    with database(f"increments_{request.param}") as url:
        opened = World(tmp_path_factory.mktemp("world"), url, request.param)
        yield opened
        opened.close()


_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}


@settings(max_examples=EXAMPLES, **_SETTINGS)
@given(steps=_STEPS)
def test_increments_equal_a_full_rebuild(world: World, steps: list[tuple[Any, ...]]) -> None:
    """They do on DuckDB."""
    run_story(world, steps)


@pytest.mark.postgres
@settings(max_examples=max(1, EXAMPLES // 10), **_SETTINGS)
@given(steps=_STEPS)
def test_increments_equal_a_full_rebuild_on_postgres(postgres_world: World, steps: list[tuple[Any, ...]]) -> None:
    """They do on PostgreSQL, too."""
    run_story(postgres_world, steps)
