"""A status file that is written anew is a new signal, whatever it says; a log that somebody touches is not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from airflow_atscale_aggs.signals.signal import Signal
from airflow_atscale_aggs.signals.state import WatchState
from airflow_atscale_aggs.signals.watch import Watch, Watcher

_LINE = "ETL finished status=0\n"


class _Nights:
    """A watcher that is restarted before each look, and remembers only what its state holds."""

    def __init__(self, path: Path, pattern: str | None = "status=0", *, existing: bool | None = None) -> None:
        self.watch = Watch((str(path),), pattern=pattern, settle_seconds=0, existing=existing)
        self.state, self.now = WatchState(), 0.0
        self.ids: list[str] = []

    def look(self) -> list[Signal]:
        signals = []
        for _ in range(3):
            stored = json.loads(json.dumps(self.state.to_json()))
            watcher = Watcher(self.watch, fsspec.core.url_to_fs, WatchState.from_json(stored))
            self.now += 1
            look = watcher.look(self.now)
            assert (look.problems, look.hopeless) == ([], [])
            watcher.confirm(look.signals)
            self.state = watcher.state
            signals += look.signals
        self.ids += [signal.id for signal in signals]
        assert len(self.ids) == len(set(self.ids))
        return signals


def _write_in_place(path: Path, text: str) -> None:
    path.write_text(text)


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _delete_and_write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("write", [_write_in_place, _replace, _delete_and_write])
@pytest.mark.parametrize("text", [_LINE, "started\n" + _LINE, _LINE.strip()])
def test_the_same_content_written_anew_is_a_new_signal(
    tmp_path: Path, write: Callable[[Path, str], None], text: str
) -> None:
    status = tmp_path / "status.txt"
    nights = _Nights(status)
    nights.look()
    for night in range(1, 4):
        write(status, text)
        os.utime(status, (night * 86_400, night * 86_400))
        assert [signal.text for signal in nights.look()] == [_LINE.strip()]
        assert nights.look() == []


def test_a_line_appended_to_a_status_file_is_one_signal(tmp_path: Path) -> None:
    status = tmp_path / "status.txt"
    nights = _Nights(status)
    nights.look()
    status.write_text(_LINE)
    assert len(nights.look()) == 1
    with status.open("a") as file:
        file.write("ETL finished again status=0\n")
    assert [signal.text for signal in nights.look()] == ["ETL finished again status=0"]


def test_a_large_log_that_is_touched_tells_nothing_again(tmp_path: Path) -> None:
    log = tmp_path / "etl.log"
    log.write_text("")
    nights = _Nights(log)
    nights.look()
    log.write_text("x" * 70_000 + "\n" + _LINE)
    assert len(nights.look()) == 1
    os.utime(log, (1, 1))
    assert nights.look() == []


def test_the_state_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It does not know versions of logs and vanished markers; nothing that it has told is told again."""
    status = tmp_path / "status.txt"
    nights = _Nights(status, existing=True)
    status.write_text(_LINE)
    assert len(nights.look()) == 1
    old = nights.state.to_json()
    for entry in old["entries"].values():
        del entry["vanished"]
        for stream in entry["streams"]:
            del stream["version"]
    nights.state = WatchState.from_json(json.loads(json.dumps(old)))
    assert nights.look() == []
    os.utime(status, (5, 5))
    assert len(nights.look()) == 1


def _write_marker(path: Path, at: int = 1_000) -> None:
    path.write_text("")
    os.utime(path, (at, at))


@pytest.mark.parametrize("is_seen_gone", [True, False])
@pytest.mark.parametrize("is_glob", [True, False])
def test_a_marker_that_comes_back_is_a_new_signal(tmp_path: Path, is_seen_gone: bool, is_glob: bool) -> None:
    """With the same size and the same time as before."""
    marker = tmp_path / "_SUCCESS"
    nights = _Nights(tmp_path / "*" if is_glob else marker, pattern=None)
    _write_marker(marker)
    assert len(nights.look()) == 1
    for _ in range(2):
        marker.unlink()
        if is_seen_gone:
            assert nights.look() == []
        _write_marker(marker)
        assert len(nights.look()) == 1
        assert nights.look() == []


def test_rights_of_a_marker_may_change(tmp_path: Path) -> None:
    marker = tmp_path / "_SUCCESS"
    nights = _Nights(marker, pattern=None)
    _write_marker(marker)
    assert len(nights.look()) == 1
    marker.chmod(0o600)
    assert nights.look() == []
    os.link(marker, tmp_path / "backup")
    assert nights.look() == []
    _write_marker(marker, at=2_000)
    assert len(nights.look()) == 1


def test_a_folder_that_is_away_for_a_while_brings_no_new_signal(tmp_path: Path) -> None:
    """A volume that is mounted again shows the files that it had."""
    folder, elsewhere = tmp_path / "volume", tmp_path / "elsewhere"
    folder.mkdir()
    nights = _Nights(folder / "*", pattern=None)
    _write_marker(folder / "_SUCCESS")
    assert len(nights.look()) == 1
    folder.rename(elsewhere)
    assert nights.look() == []
    elsewhere.rename(folder)
    assert nights.look() == []


def test_a_marker_in_memory_that_comes_back_is_a_new_signal() -> None:
    """A storage without inodes: it was not there at one look, and is there at the next."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/etl/_SUCCESS", b"")
    created = memory.store["/etl/_SUCCESS"].created
    nights = _Nights(Path("/unused"), pattern=None)
    nights.watch = Watch(("memory://etl/_SUCCESS",), settle_seconds=0)
    try:
        assert len(nights.look()) == 1
        memory.rm("/etl/_SUCCESS")
        assert nights.look() == []
        memory.pipe("/etl/_SUCCESS", b"")
        memory.store["/etl/_SUCCESS"].created = created
        memory.store["/etl/_SUCCESS"].modified = created
        assert len(nights.look()) == 1
        assert nights.look() == []
    finally:
        memory.store.clear()
