"""A workspace: the settings in force for a model, and the processes that hold leases."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError, SettingError
from airflow_atscale_aggs.engine.lifecycle.workspace import (
    Workspace,
    is_dead_process,
    open_workspace,
    process_owner,
    utc_now,
)
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.first_contact import place_of, statements_for
from tests.support.registry_content import MODEL, NOW, make_deployment

_KEY = "aggregates.batch.max.failures"


def _open(folder: Path, **settings: object) -> Workspace:
    return open_workspace(registry=f"sqlite:///{folder / 'r.sqlite'}", warehouse="duckdb://", settings=settings)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """With 1 failure allowed by whoever has opened it."""
    with _open(tmp_path, **{_KEY: 1}) as opened:
        yield opened


@pytest.mark.parametrize(
    ("for_all", "in_sml", "by_hand", "expected"),
    [
        ("", "", "", 1),
        ("2", "", "", 2),
        ("2", "3", "", 3),
        ("2", "3", "4", 4),
        ("", "3", "", 3),
        ("", "", "4", 4),
        ("2", "", "4", 4),
    ],
)
def test_the_more_special_setting_wins(
    workspace: Workspace, for_all: str, in_sml: str, by_hand: str, expected: int
) -> None:
    """What the opener says, values for all models, those of the model's SML, those put for the model by hand."""
    settings = {_KEY: in_sml} if in_sml else {}
    workspace.registry.models.record_deployments([make_deployment(settings=settings)], now=NOW)
    if for_all:
        workspace.registry.settings.put(None, _KEY, for_all)
    if by_hand:
        workspace.registry.settings.put(MODEL, _KEY, by_hand)
    workspace.registry.settings.put("another model", _KEY, "9")

    assert workspace.settings_of(MODEL).max_failures == expected
    assert workspace.settings.max_failures == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aggregates.batch.max.failure": 1}, "Did you mean `aggregates.batch.max.failures`"),
        ({_KEY: -1}, "below its least value 0"),
    ],
)
def test_settings_that_nobody_knows_open_no_workspace(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        _open(tmp_path, **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_stands_on_two_databases(tmp_path: Path) -> None:
    """Who has a workspace may read through it, and what was recorded is there when it is opened again."""
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"
    with open_workspace(registry=url, warehouse="duckdb://", aggregate_schema="aggs") as workspace:
        workspace.registry.settings.put(None, _KEY, "5")
        assert workspace.read.settings.values(None) == {_KEY: "5"}
        assert (workspace.warehouse.dialect.name, workspace.warehouse.aggregate_schema) == ("duckdb", "aggs")

    with _open(tmp_path) as again:
        assert again.settings_of(MODEL).max_failures == 5
    with pytest.raises(RegistryUnavailableError, match="does not exist"):
        _open(tmp_path / "nowhere")


def test_connections_are_given_back_at_the_end(tmp_path: Path) -> None:
    """SQLite removes the files beside its database with the last connection."""
    with _open(tmp_path) as workspace:
        workspace.registry.settings.put(None, _KEY, "5")
        assert (tmp_path / "r.sqlite-wal").exists()

    assert [path.name for path in tmp_path.iterdir()] == ["r.sqlite"]


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)

    assert before <= utc_now() <= datetime.now(UTC)
    assert utc_now().tzinfo is UTC


def test_an_owner_is_a_process_of_a_machine() -> None:
    host, pid, start = process_owner().rsplit(":", 2)

    assert (host, pid) == (socket.gethostname(), str(os.getpid()))
    assert start.isdigit()


@pytest.mark.parametrize(
    ("owner", "is_dead"),
    [
        ("{host}:{pid}:{start}", False),
        ("{host}:{pid}:1", True),
        ("{host}:999999999:1", True),
        ("elsewhere:999999999:1", False),
        ("{host}:{pid}", False),
        ("{host}:{pid}:", False),
        ("{host}:run:1", False),
        ("a DAG run", False),
        ("", False),
    ],
    ids=[
        "this process",
        "an older process with its number",
        "no such process",
        "on another machine",
        "without a start",
        "with an empty start",
        "no number",
        "no process",
        "nobody",
    ],
)
def test_a_process_that_is_known_to_run_no_more_is_dead(owner: str, is_dead: bool) -> None:
    """Where nobody can tell, it is taken to be alive."""
    _, pid, start = process_owner().rsplit(":", 2)

    assert is_dead_process(owner.format(host=socket.gethostname(), pid=pid, start=start)) is is_dead


def test_a_process_that_has_ended_is_dead_before_its_parent_looks() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        # The 22nd value of the process's state is its start; the second one, in brackets, may hold blanks.
        start = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        owner = f"{socket.gethostname()}:{child.pid}:{start}"
        assert not is_dead_process(owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead_process(owner)
    assert is_dead_process(owner)


def test_what_was_proven_of_a_warehouse_is_in_the_registry(tmp_path: Path) -> None:
    """Before that, nothing is: nothing is asked of a warehouse that nobody uses."""
    place, digest = place_of("duckdb://"), statements_for(find_dialect("duckdb")).digest
    with _open(tmp_path) as workspace:
        assert workspace.read.warehouse_proofs.find(place) == ""
        with workspace.warehouse.session() as session:
            ((version,),) = session.fetch_all("SELECT VERSION()")
        assert workspace.read.warehouse_proofs.find(place) == f"{digest} {version}"
    with _open(tmp_path) as workspace:
        workspace.registry.warehouse_proofs.put(place, "of another version")
        with workspace.warehouse.session() as session:
            session.fetch_all("SELECT 1")
        assert workspace.read.warehouse_proofs.find(place) == f"{digest} {version}"
