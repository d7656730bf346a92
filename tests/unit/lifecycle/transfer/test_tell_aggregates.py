"""What serves is told, the same each time, and files that somebody changed stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.transfer.tell_aggregates import (
    TOOLS,
    TellingWish,
    read_told,
    tell_aggregates,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.bakery import deployed_bakery

_AGGREGATE = """\
aggregates:
  - unique_name: by_state
    label: by state
    metrics: [revenue, line_value, costs]
    attributes: [{name: basket__state, dimension: basket}]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The bakery with an aggregate over two facts, built."""
    with deployed_bakery(tmp_path_factory.mktemp("told"), _AGGREGATE) as made:
        assert read_told(made, "bakery").aggregates == ()
        run_batch(made, "bakery", owner="test")
        yield made


def test_each_fact_is_told_with_its_own_metrics(place: Workspace) -> None:
    told = read_told(place, "bakery")

    assert {(aggregate.fact, aggregate.metrics) for aggregate in told.aggregates} == {
        ("baskets", ("revenue", "costs")),
        ("basket_lines", ("line_value",)),
    }


def test_the_columns_are_those_of_the_views(place: Workspace) -> None:
    for aggregate in read_told(place, "bakery").aggregates:
        with place.warehouse.session() as session:
            names, _ = session.fetch_with_names(f'SELECT * FROM aggs."{aggregate.view}"')
        assert names == tuple(column.name for column in aggregate.columns)


@pytest.mark.parametrize("tool", TOOLS)
def test_telling_twice_is_the_same_and_changed_files_stay(place: Workspace, tmp_path: Path, tool: str) -> None:
    files = tell_aggregates(place, "bakery", tool, tmp_path, TellingWish())
    before = {file: (tmp_path / file).read_bytes() for file in files}

    assert tell_aggregates(place, "bakery", tool, tmp_path, TellingWish()) == files
    assert {file: (tmp_path / file).read_bytes() for file in files} == before
    (tmp_path / files[0]).write_text("mine")
    with pytest.raises(ModelFileError):
        tell_aggregates(place, "bakery", tool, tmp_path, TellingWish())
