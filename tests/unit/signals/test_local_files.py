"""Links, pipes and devices in a watched folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import fsspec
import pytest

from airflow_atscale_aggs.signals.errors import NotAFileError
from airflow_atscale_aggs.signals.files import Place
from airflow_atscale_aggs.signals.local_files import LocalFolder
from airflow_atscale_aggs.signals.watch import Look, Watch, Watcher


class _Eyes:
    def __init__(self, path: Path, pattern: str | None = "done") -> None:
        self.watcher = Watcher(Watch((str(path),), pattern=pattern, settle_seconds=0), fsspec.core.url_to_fs)
        self.now = 0.0
        self.ids: list[str] = []

    def look(self) -> Look:
        self.now += 1
        return self.watcher.look(self.now)

    def lines(self) -> list[str]:
        signals = [signal for _ in range(3) for signal in self.look().signals]
        self.ids += [signal.id for signal in signals]
        assert len(self.ids) == len(set(self.ids))
        return [signal.text for signal in signals]


def _append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def _point(link: Path, target: Path) -> None:
    new = link.with_name("new link")
    new.symlink_to(target)
    new.replace(link)


def test_a_link_to_dated_logs_tells_each_line_once(tmp_path: Path) -> None:
    first, second, link = tmp_path / "etl-20260101.log", tmp_path / "etl-20260102.log", tmp_path / "etl.log"
    _append(first, "start")
    link.symlink_to(first)
    eyes = _Eyes(link)
    assert eyes.lines() == []
    _append(first, "done 1")
    assert eyes.lines() == ["done 1"]
    _append(second, "done 2")
    _point(link, second)
    assert eyes.lines() == ["done 2"]
    _append(second, "done 3")
    assert eyes.lines() == ["done 3"]


@pytest.mark.parametrize("name", ["etl-20260102.log", "second run.txt", "runs/2/out"])
def test_a_link_that_points_elsewhere_loses_no_line_of_its_old_target(tmp_path: Path, name: str) -> None:
    first, second, link = tmp_path / "first run.txt", tmp_path / name, tmp_path / "etl.log"
    second.parent.mkdir(parents=True, exist_ok=True)
    _append(first, "start")
    link.symlink_to(first)
    eyes = _Eyes(link)
    assert eyes.lines() == []
    _append(first, "done 1")
    _append(second, "done 2")
    _point(link, second)
    assert sorted(eyes.lines()) == ["done 1", "done 2"]
    _append(first, "done 3")
    _append(second, "done 4")
    assert sorted(eyes.lines()) == ["done 3", "done 4"]


def test_a_folder_behind_a_link_may_change(tmp_path: Path) -> None:
    for day in ("1", "2"):
        (tmp_path / day).mkdir()
        _append(tmp_path / day / "etl.log", "start")
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "1")
    eyes = _Eyes(current / "etl.log")
    assert eyes.lines() == []
    _append(tmp_path / "1" / "etl.log", "done 1")
    _append(tmp_path / "2" / "etl.log", "done 2")
    _point(current, tmp_path / "2")
    assert sorted(eyes.lines()) == ["done 1", "done 2"]


@pytest.mark.parametrize("is_hard", [True, False])
def test_a_glob_that_matches_a_log_under_two_names_tells_each_line_once(tmp_path: Path, is_hard: bool) -> None:
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    _append(log, "start")
    if is_hard:
        os.link(log, other)
    else:
        other.symlink_to(log)
    eyes = _Eyes(tmp_path / "*.log")
    assert eyes.lines() == []
    _append(log, "done 1")
    assert eyes.lines() == ["done 1"]
    other.unlink()
    _append(log, "done 2")
    assert eyes.lines() == ["done 2"]


def _make(kind: str, path: Path, outside: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind == "link out":
        path.symlink_to(outside)
    elif kind == "folder out":
        path.symlink_to(outside.parent)
    else:
        path.symlink_to("../" * 30 + "etc/passwd")


_REFUSED = ("pipe", "socket", "device", "link out", "relative link out")


@pytest.mark.parametrize("pattern", ["done|root", None])
@pytest.mark.parametrize("kind", _REFUSED)
def test_what_is_no_file_of_the_folder_is_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, kind: str, pattern: str | None
) -> None:
    folder, outside = tmp_path_factory.mktemp("w"), tmp_path_factory.mktemp("o") / "secret.log"
    _append(outside, "done")
    path = folder / "etl.log"
    _make(kind, path, outside)
    look = _Eyes(path, pattern).look()
    assert look.signals == []
    assert [type(error) for error in look.hopeless] == [NotAFileError]
    assert str(path) in str(look.hopeless[0])


@pytest.mark.parametrize("pattern", ["done|root", None])
def test_a_glob_passes_over_what_is_no_file_and_says_so_once(
    tmp_path_factory: pytest.TempPathFactory, pattern: str | None
) -> None:
    folder, outside = tmp_path_factory.mktemp("w"), tmp_path_factory.mktemp("o") / "secret.log"
    _append(outside, "done")
    for kind in _REFUSED:
        _make(kind, folder / f"{kind}.log", outside)
    eyes = _Eyes(folder / "*.log", pattern)
    look = eyes.look()
    assert (look.signals, look.hopeless, len(look.notes)) == ([], [], len(_REFUSED))
    _append(folder / "good.log", "done 1")
    look = eyes.look()
    assert [Path(signal.url).name for signal in look.signals] == ["good.log"]
    assert look.notes == []


def test_a_glob_does_not_follow_a_folder_that_is_a_link_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, outside = tmp_path_factory.mktemp("w"), tmp_path_factory.mktemp("o") / "secret.log"
    _append(outside, "done")
    _make("folder out", folder / "day", outside)
    eyes = _Eyes(folder / "*" / "*.log")
    assert eyes.lines() == []
    _append(outside, "done again")
    assert eyes.lines() == []


def test_a_pipe_that_takes_the_place_of_a_log_is_not_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "etl.log"
    _append(log, "start")
    place = Place(str(log), *fsspec.core.url_to_fs(str(log)))
    (stat,) = place.find()
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(FileNotFoundError), place.open(stat.url):
        pass


def test_a_link_without_a_target_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "etl.log").symlink_to(tmp_path / "not there")
    eyes = _Eyes(tmp_path / "etl.log", None)
    assert eyes.look().missing == [str(tmp_path / "etl.log")]
    (tmp_path / "not there").write_text("")
    assert len(eyes.look().signals) == 1


def test_links_in_a_circle_are_a_problem_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    look = _Eyes(tmp_path / "a").look()
    assert look.signals == []
    assert look.problems or look.missing


def test_a_file_is_looked_at_behind_its_links(tmp_path: Path) -> None:
    """Path, size and times are those of the file itself."""
    (tmp_path / "file").write_text("abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    file = LocalFolder(str(tmp_path)).look_at(str(tmp_path / "link"))
    assert file is not None
    assert (file.path, file.size) == (str(tmp_path / "file"), 3)
    assert LocalFolder(str(tmp_path)).look_at(str(tmp_path)) is None
