"""Incremental builds on Spark Connect: every kind of indicator, segments that are verified, and random loads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sail_server import shared_session

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import INDICATORS, START, Sale
from tests.support.stars.throwaway_database import PROFILE

EXAMPLES = max(int(os.environ.get("FUZZ_EXAMPLES", "80")) // 20, 1)


@pytest.mark.parametrize(
    ("spark_url", "indicator", "names"),
    [
        *(("sail", indicator, tuple(star.AGGREGATES)) for indicator in INDICATORS),
        pytest.param("spark", "timestamp", ("by_city",), marks=[pytest.mark.spark, pytest.mark.xdist_group("spark")]),
    ],
    indirect=["spark_url"],
)
def test_three_batches_of_each_kind(spark_url: str, tmp_path: Path, indicator: str, names: tuple[str, ...]) -> None:
    """The second and the third are increments; each is compared with its facts, and all views equal a full rebuild."""
    grace, aggregates = "10" if indicator == "plain" else "10s", {name: star.AGGREGATES[name] for name in names}
    with star.open_star(tmp_path, spark_url) as workspace:
        star.deploy_and_build(workspace, tmp_path, indicator=indicator, grace=grace, aggregates=aggregates)
        star.put_setting(workspace, "aggregates.batch.verify", "full")
        for at in (START + 20, START + 40):
            late, new = Sale(at=at - 25, shop=2, amount=5), Sale(at=at, day=3, amount=7)
            star.load(workspace, late, new)
            report = star.build(workspace, at=at)
            assert set(map(star.is_incremental, star.reasons(report).values())) == {True}, star.reasons(report)
            attempts = [workspace.read.attempts.find(instance_id=instance.id)[-1] for instance in report.instances]
            assert all(attempt.verified is not None for attempt in attempts)
            star.check_views(workspace, names)
        routed = answer(workspace, 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1')
        base = answer(workspace, 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1', use_aggregates=False)
        assert routed.plan.uses_aggregates
        assert sorted(routed.rows, key=str) == sorted(base.rows, key=str)


_LOADS = st.lists(
    st.lists(
        st.builds(
            Sale,
            at=st.one_of(st.none(), st.integers(-10, 12)),
            day=st.integers(0, 22),
            shop=st.sampled_from([1, 2, 3, None, 99]),
            quantity=st.one_of(st.none(), st.integers(-3, 9)),
            amount=st.one_of(st.none(), st.integers(-50, 50)),
        ),
        max_size=6,
    ),
    min_size=1,
    max_size=4,
)
"""Loads of rows that are late by no more than the grace period, in the future, or without an indicator.

Their indicators are relative to the time of the load.
"""


@contextmanager
def _fresh_star(address: str, folder: Path) -> Iterator[Workspace]:
    with star.open_star(folder, shared_session(address)) as workspace:
        yield workspace


@given(loads=_LOADS, indicator=st.sampled_from(sorted(INDICATORS)))
@settings(PROFILE, max_examples=EXAMPLES)
def test_increments_equal_a_full_rebuild(
    sail_address: str, tmp_path_factory: pytest.TempPathFactory, loads: list[list[Sale]], indicator: str
) -> None:
    """Whatever is loaded between them."""
    folder = tmp_path_factory.mktemp("story")
    with _fresh_star(sail_address, folder) as workspace:
        star.deploy_and_build(workspace, folder, indicator=indicator, grace="10" if indicator == "plain" else "10s")
        clock = START
        for load in loads:
            clock += 15
            star.load(workspace, *(_at(sale, clock) for sale in load))
            star.build(workspace, at=clock)
            star.check_views(workspace)
        sweep(workspace, dry_run=False, now=utc_now())
        star.build(workspace, BuildType.FULL, at=clock + 1)
        star.check_views(workspace)


def _at(sale: Sale, clock: int) -> Sale:
    at = None if sale.at is None else clock + sale.at
    return Sale(at=at, day=sale.day, shop=sale.shop, quantity=sale.quantity, amount=sale.amount)
