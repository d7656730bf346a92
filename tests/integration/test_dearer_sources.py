"""A batch builds from the facts where a source has as many rows, and its aggregates hold the same rows as before."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning import root_forms
from tests.support.stars import standing_star
from tests.support.stars.standing_star import LATER, MODEL, build, put_settings, rows_of, serving


@pytest.fixture
def star(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Its sixty facts count as many, so that they are coded."""
    for bound in ("FEWEST_FACTS", "FACTS_PER_MEMBER", "FACTS_PER_RANKED_MEMBER"):
        monkeypatch.setattr(root_forms, bound, 0)
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        yield workspace


def _city_rows(workspace: Workspace) -> list[tuple[object, ...]]:
    return rows_of(workspace, f'SELECT * FROM aggs."{serving(workspace, "by_city").table}"')


def test_the_build_chooses_the_facts_by_the_rows_of_the_source_and_the_next_plan_tells_it(star: Workspace) -> None:
    """Nobody knows the rows of the source when the first batch is planned: 60, as many as there are sales."""
    build(star)

    city = serving(star, "by_city")
    assert [option.name for option in city.step.sources] == ["by_day_and_shop", "sales"]
    assert (city.source, serving(star, "by_day_and_shop").rows) == ("sales", 60)
    by_codes = _city_rows(star)

    (_, again) = plan_batch(star, MODEL, now=LATER, new_id=lambda: str(uuid.uuid4())).steps
    assert (again.aggregate, [option.name for option in again.sources]) == ("by_city", ["sales"])

    put_settings(star, group_by_codes=False)
    build(star, now=LATER)
    assert serving(star, "by_city").source == "by_day_and_shop"
    assert _city_rows(star) == by_codes
