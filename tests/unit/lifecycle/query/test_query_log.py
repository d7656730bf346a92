"""Queries are logged in batches, and no query waits for the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.query_log import BATCH, LONGEST_WAIT, QueryHistory
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars.standing_star import NOW, model_id

_SECOND = timedelta(seconds=1)


def _record(workspace: Workspace, *, weight: int = 1, days_ago: int = 0) -> QueryRecord:
    asked_at = NOW - timedelta(days=days_ago)
    return make_query_record(QuerySource(fact="sales"), model_id=model_id(workspace), weight=weight, asked_at=asked_at)


def _weights(workspace: Workspace) -> list[int]:
    """Of the queries in the log."""
    return [record.weight for record in workspace.read.queries.find(model_id(workspace))]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Another process writes to the registry."""
    other = sqlite3.connect(folder / "registry.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.mark.parametrize(
    ("number", "waited", "is_due"),
    [
        pytest.param(0, timedelta(days=1), False, id="nothing waits"),
        pytest.param(1, LONGEST_WAIT - _SECOND, False, id="it may wait for others"),
        pytest.param(1, LONGEST_WAIT, True, id="it has waited long enough"),
        pytest.param(BATCH - 1, timedelta(0), False, id="a few"),
        pytest.param(BATCH, timedelta(0), True, id="many"),
    ],
)
def test_queries_are_written_together(
    deployed_star: Workspace, number: int, waited: timedelta, *, is_due: bool
) -> None:
    history, record = QueryHistory(deployed_star.registry), _record(deployed_star)
    # The first query tells since when others are waited for.
    assert not history.is_due(NOW)
    for _ in range(number):
        history.add(record)

    assert history.is_due(NOW + waited) is is_due
    history.write(deployed_star.settings, now=NOW)
    assert _weights(deployed_star) == [1] * number
    assert not history.is_due(NOW + timedelta(days=1))


def test_under_load_every_tenth_query_stands_for_ten(deployed_star: Workspace) -> None:
    history, record = QueryHistory(deployed_star.registry), _record(deployed_star)
    for _ in range(200 + 35):
        history.add(record)

    history.write(deployed_star.settings, now=NOW)

    # Five more came after the last tenth.
    assert sorted(_weights(deployed_star)) == [1] * 200 + [10] * 3


def test_old_queries_are_forgotten(deployed_star: Workspace) -> None:
    history = QueryHistory(deployed_star.registry)
    days = deployed_star.settings.history_days
    for days_ago in (days + 1, days - 1):
        history.add(_record(deployed_star, days_ago=days_ago))

    history.write(deployed_star.settings, now=NOW)
    history.add(_record(deployed_star))
    history.write(deployed_star.settings, now=NOW)

    moments = [record.asked_at for record in deployed_star.read.queries.find(model_id(deployed_star))]
    assert moments == [NOW, NOW - timedelta(days=days - 1)]


def test_while_the_registry_is_locked_queries_go_on_waiting(deployed_star: Workspace, tmp_path: Path) -> None:
    history, record = QueryHistory(deployed_star.registry), _record(deployed_star)
    for _ in range(BATCH):
        history.add(record)

    with _locked(tmp_path):
        history.write(deployed_star.settings, now=NOW)

    # Not with the next query: it would wait for the lock as well.
    assert not history.is_due(NOW)
    assert history.is_due(NOW + LONGEST_WAIT)
    assert (history.lost, history.log_loss) == (0, "")
    history.write(deployed_star.settings, now=NOW)
    assert len(_weights(deployed_star)) == BATCH


@pytest.mark.parametrize(
    ("weights", "lost", "sentence"),
    [
        ((1,), 1, "1 query is missing in the log of queries and in the counts of what uses each aggregate, so that"),
        ((1, 2000), 2001, "2,001 queries are missing in the log of queries"),
    ],
)
def test_what_cannot_be_written_at_the_end_is_lost_and_told(
    deployed_star: Workspace, tmp_path: Path, weights: tuple[int, ...], lost: int, sentence: str
) -> None:
    history = QueryHistory(deployed_star.registry)
    for weight in weights:
        history.add(_record(deployed_star, weight=weight))

    with _locked(tmp_path):
        history.close(deployed_star.settings, now=NOW)

    assert history.lost == lost
    assert history.log_loss.startswith(sentence)
    assert f"does not know of {'it' if lost == 1 else 'them'}: Registry sqlite" in history.log_loss
    assert "locked" in history.log_loss
    assert _weights(deployed_star) == []


def test_the_memory_is_bounded(deployed_star: Workspace) -> None:
    """After a thousand that wait no more are kept."""
    history, record = QueryHistory(deployed_star.registry), _record(deployed_star)
    for _ in range(200 + 10 * 800 + 25):
        history.add(record)

    assert history.lost == 20
    assert history.log_loss.endswith("does not know of them: too many came between two writes.")
