"""Increments with named slices equal a full rebuild, for every order in which changes arrive and are named.

Rows are loaded, corrected and deleted at any age, far beyond the grace period. Each change is named sooner or later,
with ranges that reach further or not. Batches in between know of some of them, are cancelled, or build some aggregates
only. Whenever all changes have been named, what serves is what a full rebuild would make. Where some were not, the
next increment that names nothing finds that: it makes everything anew, or tells of late rows.

Few stories in the suite; with ``FUZZ_EXAMPLES`` a quarter of as many for each kind of indicator.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.activate import cancel_batch
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
from airflow_atscale_aggs.engine.lifecycle.build.named_slices import read_slices
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import START, Sale

EXAMPLES = max(2, int(float(os.environ.get("FUZZ_EXAMPLES", "0")) / 4))
_AGGREGATES = ("by_city", "by_month")
_LATE, _OLDER = (
    "aggregate.incrementalUpdate.countLateRows.enabled",
    "aggregate.incrementalUpdate.checkOlderRows.enabled",
)
_LENGTH = "aggregate.incrementalUpdate.maxSegmentLength"
_MOST = "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions"


@dataclass
class Story:
    """Facts, what was changed in them, and what of that was named.

    Attributes:
        clock: seconds since 1970.
        unnamed: changed seconds that no batch has been told of.
    """

    workspace: Workspace
    indicator: str
    clock: int = START
    unnamed: list[tuple[int, int]] = field(default_factory=list)

    def load(self, age: int, amount: int) -> None:
        """One row, however old; new ones move the clock."""
        at = self.clock - age
        star.load(self.workspace, Sale(at=at, day=amount % 20, shop=1 + amount % 4, amount=amount))
        self.clock = max(self.clock, at)
        self.unnamed.append((at, at))

    def correct(self, age: int, amount: int) -> None:
        """Rows of some seconds get other values, and no other indicator."""
        self._change(f"UPDATE sales SET amount = {amount}, shop_id = {1 + amount % 3}", age, amount)

    def delete(self, age: int, amount: int) -> None:
        """Rows of some seconds go."""
        self._change("DELETE FROM sales", age, amount)

    def _change(self, sql: str, age: int, length: int) -> None:
        first, last = self.clock - age, self.clock - age + length % 7
        tiny_star.run_sql(self.workspace, f"{sql} WHERE seq BETWEEN {first - START} AND {last - START}")
        self.unnamed.append((first, last))

    def build(self, number: int, further: int, ending: str) -> None:
        """A batch that is told of the newest changes first, or of all; ``further``: seconds too many on both sides."""
        told = self.unnamed[-number:] if number else []
        self.unnamed = self.unnamed[: len(self.unnamed) - len(told)]
        changed = read_slices(
            ("sales", f"{self._written(first - further)}..{self._written(last + further)}")
            for first, last in reversed(told)
        )
        if ending == "cancelled":
            now = datetime.fromtimestamp(self.clock, UTC)
            asked = BatchRequest(changed=changed, is_new=True)
            begun = begin_batch(
                self.workspace, star.MODEL, build_type=BuildType.INCREMENTAL, owner=star.OWNER, now=now, request=asked
            )
            cancel_batch(self.workspace, begun.batch.id, now=now)
            return
        some = ("by_city",) if ending == "some" else ()
        build_type = BuildType.FULL if ending == "full" else BuildType.INCREMENTAL
        asked = BatchRequest(changed=changed, aggregates=some, is_new=True)
        star.build(self.workspace, build_type, at=self.clock, request=asked)
        if not self.unnamed or ending == "full":
            star.check_views(self.workspace, some or _AGGREGATES)

    def _written(self, at: int) -> str:
        if self.indicator == "milliseconds":
            return str(at * 1000)
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture(
    scope="module",
    params=["timestamp", "milliseconds", pytest.param("timestamp on postgres", marks=pytest.mark.postgres)],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, str]]:
    """A workspace on DuckDB in memory or on PostgreSQL, in which many stories happen one after the other."""
    indicator, _, server = request.param.partition(" on ")
    with contextlib.ExitStack() as stack:
        folder, url = tmp_path_factory.mktemp("world"), "duckdb:///:memory:?threads=1"
        if server:
            database = request.getfixturevalue("postgres_database")(f"named_slices_{os.getpid()}")
            url = urlsplit(stack.enter_context(database))._replace(scheme="postgresql+psycopg").geturl()
        workspace = stack.enter_context(
            open_workspace(registry=f"sqlite:///{folder / 'registry.sqlite'}", warehouse=url, aggregate_schema="aggs")
        )
        tiny_star.run_sql(workspace, *star.SETUP_SQL)
        chosen = {name: star.AGGREGATES[name] for name in _AGGREGATES}
        model = star.write_model(folder / "model", indicator=indicator, aggregates=chosen)
        deploy(workspace, model, now=utc_now())
        workspace.registry.settings.put(None, "aggregate.incrementalUpdate.mergeSmallSegments.rows", "0")
        yield workspace, indicator


_AGES = st.one_of(st.integers(-20, 15), st.integers(0, 150))
_CHANGE = st.tuples(st.sampled_from(["load", "load", "correct", "delete"]), _AGES, st.integers(0, 60))
_BUILD = st.tuples(
    st.just("build"),
    st.integers(0, 5),
    st.sampled_from([0, 0, 1, 30]),
    st.sampled_from(["", "", "", "cancelled", "some", "full"]),
)
_STORY = st.lists(st.one_of(_CHANGE, _CHANGE, _BUILD), min_size=4, max_size=14)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(
    steps=_STORY,
    most=st.integers(2, 5),
    is_checked=st.booleans(),
    length=st.sampled_from(["", "", "20s", "45s"]),
)
@example(
    # Segments are merged around one that was made anew, and a row comes to the first one.
    steps=[
        *(("load", -15, amount) for amount in (1, 2, 3)),
        ("build", 3, 0, ""),
        ("load", -15, 4),
        ("build", 1, 0, ""),
        ("correct", 40, 9),
        ("load", 140, 7),
        ("build", 1, 0, "cancelled"),
        ("load", -15, 5),
        ("build", 2, 0, "some"),
        ("delete", 60, 6),
        ("build", 1, 1, ""),
    ],
    most=2,
    is_checked=True,
    length="20s",
)
def test_named_slices_equal_a_full_rebuild(
    world: tuple[Workspace, str], steps: list[tuple[Any, ...]], most: int, is_checked: bool, length: str
) -> None:
    """Whether what was not named is looked for or not, with settled segments of any length and of some seconds."""
    workspace, indicator = world
    for key, value in ((_MOST, most), (_LATE, is_checked), (_OLDER, is_checked), (_LENGTH, length)):
        workspace.registry.settings.put(None, key, str(value))
    tiny_star.run_sql(workspace, "DELETE FROM sales")
    star.load(workspace, *(Sale(at=START - age, day=age % 20, shop=1 + age % 4, amount=age) for age in range(0, 91, 6)))
    star.build(workspace, BuildType.FULL, at=START, request=BatchRequest(is_new=True))
    story = Story(workspace, indicator)
    for name, *arguments in steps:
        note(f"{name} {arguments}")
        getattr(story, name)(*arguments)
    if is_checked and workspace.warehouse.dialect.name == "duckdb":
        # Settled ranges are merged and named without those changes: nothing of it hides them.
        story.build(len(story.unnamed) // 2, 0, "")
        report = star.build(workspace, at=story.clock)
        if not any("came later than the grace period" in text for text in report.batch.notes):
            star.check_views(workspace, _AGGREGATES)
    story.build(len(story.unnamed), 0, "")
    star.check_views(workspace, _AGGREGATES)
