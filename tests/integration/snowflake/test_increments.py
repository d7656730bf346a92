"""Incremental builds on an emulator of Snowflake, by each kind of indicator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import INDICATORS, START, Sale

pytestmark = pytest.mark.snowflake


@pytest.mark.parametrize("indicator", list(INDICATORS))
def test_an_increment_of_each_kind(snowflake_url: str, tmp_path: Path, indicator: str) -> None:
    """Names are folded to capitals, numbers are NUMBER(38,0), timestamps have nine digits. Views equal the truth."""
    grace, aggregates = "10" if indicator == "plain" else "10s", {"by_city": star.AGGREGATES["by_city"]}
    with star.open_star(tmp_path, snowflake_url) as workspace:
        star.deploy_and_build(workspace, tmp_path, indicator=indicator, grace=grace, aggregates=aggregates)
        at = START + 20
        star.load(workspace, Sale(at=at - 25, shop=2, amount=5), Sale(at=at, day=3, amount=7))
        report = star.build(workspace, at=at)
        assert set(map(star.is_incremental, star.reasons(report).values())) == {True}, star.reasons(report)
        star.check_views(workspace, tuple(aggregates))
