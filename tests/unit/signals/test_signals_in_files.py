"""What is a signal, case by case, on real local files."""

from __future__ import annotations

import os
import pickle
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.signals.errors import (
    NoFilesystemError,
    PathDeniedError,
    SignalError,
    UnsafePatternError,
    WatchError,
)
from airflow_atscale_aggs.signals.files import has_magic
from airflow_atscale_aggs.signals.pattern import compile_pattern
from airflow_atscale_aggs.signals.state import WatchState
from airflow_atscale_aggs.signals.watch import Look, Watch, Watcher

_PATTERN = "ETL finished .* status=0"
_DONE = "01:00 ETL finished in 3 s, status=0"


class _Eyes:
    """A watcher whose clock is turned by hand."""

    def __init__(self, *paths: Path | str, **options: Any) -> None:
        settle = options.pop("settle_seconds", 0)
        self.watch = Watch(tuple(map(str, paths)), settle_seconds=settle, **options)
        self.now = 0.0
        self.watcher = Watcher(self.watch, fsspec.core.url_to_fs)

    def look(self, seconds: float = 1) -> Look:
        self.now += seconds
        return self.watcher.look(self.now)

    def found(self, seconds: float = 1) -> list[tuple[str, str]]:
        look = self.look(seconds)
        assert look.problems == []
        assert look.hopeless == []
        return [(one.kind, one.text if one.kind == "line" else Path(one.url).name) for one in look.signals]


def _write(path: Path, text: str | bytes, at: int) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (at, at))


def _append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_a_file_appears_and_is_overwritten(tmp_path: Path) -> None:
    """Each time a signal with an identity of its own; nothing in between."""
    marker = tmp_path / "_SUCCESS"
    eyes = _Eyes(marker)
    assert eyes.look().missing == [str(marker)]
    _write(marker, "", at=1000)
    assert eyes.found() == [("appeared", "_SUCCESS")]
    assert eyes.found() == []
    _write(marker, "", at=1001)
    assert eyes.found() == [("overwritten", "_SUCCESS")]
    marker.unlink()
    assert eyes.found() == []
    _write(marker, "", at=1001)
    assert eyes.found() == [("appeared", "_SUCCESS")]
    assert eyes.found() == []


def test_what_exists_counts_unless_told_otherwise(tmp_path: Path) -> None:
    """Files that are there at the first look count, with existing=False only what comes."""
    _write(tmp_path / "a", "", at=1000)
    assert _Eyes(tmp_path / "a").found() == [("appeared", "a")]
    later = _Eyes(tmp_path / "a", existing=False)
    assert later.found() == []
    _write(tmp_path / "a", "", at=1001)
    assert later.found() == [("overwritten", "a")]


def test_a_file_counts_when_it_has_settled(tmp_path: Path) -> None:
    """By our clock: the storage's clock may be hours ahead or behind."""
    marker = tmp_path / "export.csv"
    eyes = _Eyes(marker, settle_seconds=5)
    for size in range(3):
        _write(marker, "x" * size, at=4_000_000_000 - size)
        assert eyes.found(seconds=4) == []
    assert eyes.found(seconds=4) == []
    assert eyes.found(seconds=1) == [("appeared", "export.csv")]


def test_any_and_all(tmp_path: Path) -> None:
    """``all`` waits for one signal of each path, and for one of each again after that."""
    a, b = tmp_path / "a", tmp_path / "b"
    some, every = _Eyes(a, b), _Eyes(a, b, match="all")
    _write(a, "", at=1)
    assert (some.found(), every.found()) == ([("appeared", "a")], [])
    _write(a, "", at=2)
    assert (some.found(), every.found()) == ([("overwritten", "a")], [])
    every.watcher = Watcher(every.watch, fsspec.core.url_to_fs, WatchState.from_json(every.watcher.state.to_json()))
    _write(b, "", at=1)
    assert every.found() == [("appeared", "a"), ("overwritten", "a"), ("appeared", "b")]
    _write(b, "", at=2)
    assert every.found() == []
    _write(a, "", at=3)
    assert every.found() == [("overwritten", "b"), ("overwritten", "a")]


def test_a_glob(tmp_path: Path) -> None:
    """Each file that matches has signals of its own; folders have none."""
    eyes = _Eyes(tmp_path / "*" / "_SUCCESS")
    assert eyes.look().missing
    for name in "ab":
        (tmp_path / name).mkdir()
        _write(tmp_path / name / "_SUCCESS", "", at=1)
    (tmp_path / "c" / "_SUCCESS").mkdir(parents=True)
    assert eyes.found() == [("appeared", "_SUCCESS")] * 2


def test_a_link_is_what_it_points_to(tmp_path: Path) -> None:
    """The link itself does not change when its target is overwritten."""
    _write(tmp_path / "day1", "", at=1)
    (tmp_path / "latest").symlink_to(tmp_path / "day1")
    eyes = _Eyes(tmp_path / "latest")
    assert eyes.found() == [("appeared", "latest")]
    _write(tmp_path / "day1", "", at=2)
    assert eyes.found() == [("overwritten", "latest")]


def test_lines_that_are_appended(tmp_path: Path) -> None:
    """Lines that stood there do not count; each new line with the pattern does, whatever its bytes and line end."""
    log = tmp_path / "etl.log"
    _write(log, f"{_DONE} old\n", at=1)
    eyes = _Eyes(log, pattern=_PATTERN, settle_seconds=5)
    assert eyes.found() == []
    _append(log, f"nothing\n{_DONE} 1\r\nETL finished badly, status=1\n")
    assert eyes.found() == [("line", f"{_DONE} 1")]
    _append(log, b"\xff\x00 ETL finished \xe4 status=0\n")
    assert eyes.found() == [("line", "\ufffd\x00 ETL finished \ufffd status=0")]
    assert eyes.found() == []


def test_an_unfinished_last_line(tmp_path: Path) -> None:
    """It waits for its end, or until nothing has been written for the settle time; it is never told twice."""
    log = tmp_path / "etl.log"
    eyes = _Eyes(log, pattern=_PATTERN, settle_seconds=5)
    assert eyes.found() == []
    _append(log, "01:00 ETL finished ")
    assert eyes.found(seconds=9) == []
    assert eyes.found(seconds=9) == []
    _append(log, "in 3 s, status=0")
    assert eyes.found() == []
    assert eyes.found(seconds=5) == [("line", _DONE)]
    _append(log, " and more\n")
    assert eyes.found(seconds=9) == []
    assert eyes.found(seconds=9) == []
    _append(log, f"{_DONE} 2\n")
    assert eyes.found() == [("line", f"{_DONE} 2")]


def test_a_very_long_line(tmp_path: Path) -> None:
    """Its first 64 KiB are judged, once; the next line is found."""
    log = tmp_path / "etl.log"
    eyes = _Eyes(log, pattern=_PATTERN)
    eyes.look()
    _append(log, f"{_DONE} {'x' * 3_000_000}")
    assert [kind for kind, _ in eyes.found()] == ["line"]
    _append(log, f"{_DONE}\n{_DONE} 2\n")
    assert eyes.found() == [("line", f"{_DONE} 2")]


def test_logs_with_the_very_same_bytes(tmp_path: Path) -> None:
    """Each night's log is one constant line; the log before was renamed. The inode tells them apart."""
    log = tmp_path / "etl.log"
    eyes = _Eyes(log, pattern="finished")
    eyes.look()
    ids = set()
    for night in range(5):
        _write(log, "finished\n", at=1000)
        [signal] = eyes.look().signals
        ids.add(signal.id)
        log.rename(tmp_path / f"etl.log.{night}")
    assert len(ids) == 5


def _bytes_read() -> int:
    """By all read calls of this process, as the kernel counts them."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel counts bytes there")
def test_a_log_of_five_gigabytes(tmp_path: Path) -> None:
    """Only what is new is read, in little memory."""
    log = tmp_path / "etl.log"
    with log.open("wb") as file:
        file.truncate(5 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")
    eyes = _Eyes(log, pattern=_PATTERN)
    read_before = _bytes_read()
    tracemalloc.start()
    eyes.look()
    _append(log, ("a line of the day\n" * 1000 + _DONE + "\n") * 100)
    assert len(eyes.found()) == 100
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
    assert _bytes_read() - read_before < 4 << 20


def test_a_backlog_is_read_in_several_looks(tmp_path: Path) -> None:
    """A look ends after 200 signals and says that there is more."""
    log = tmp_path / "etl.log"
    log.write_text("".join(f"{_DONE} {number}\n" for number in range(450)))
    eyes = _Eyes(log, pattern=_PATTERN, existing=True)
    looks = [eyes.look() for _ in range(4)]
    assert [len(look.signals) for look in looks] == [200, 200, 50, 0]
    assert [look.is_more for look in looks] == [True, True, False, False]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """The sentence tells a missing folder from a missing file, of paths and globs."""
    eyes = _Eyes(tmp_path / "gone" / "a", tmp_path / "b", tmp_path / "*.csv")
    told = [eyes.watcher.explain_missing(entry) for entry in eyes.look().missing]
    assert told == [
        f"{tmp_path}/gone/a: there is not even the folder `{tmp_path}/gone`",
        f"{tmp_path}/b: there is no such file",
        f"{tmp_path}/*.csv: no file matches",
    ]


@pytest.mark.parametrize("path", ["closed/_SUCCESS", "closed/*", "unreadable.log"])
def test_no_permission_is_said(tmp_path: Path, path: str, as_nobody: Callable[[], None]) -> None:
    """Neither reported as missing nor passed over."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "_SUCCESS").touch()
    (tmp_path / "unreadable.log").write_text(_DONE + "\n")
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.owner() != "root" or folder == tmp_path or "pytest" in folder.name:
            folder.chmod(0o755)
    (tmp_path / "closed").chmod(0)
    (tmp_path / "unreadable.log").chmod(0)
    as_nobody()
    [error] = _Eyes(tmp_path / path, pattern="x", existing=True).look().hopeless
    assert str(error).startswith(f"No permission to read `{tmp_path / path}`")


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """Gives up root's rights until the end of the test; whoever is not root has none to give up."""
    user = os.geteuid()
    yield lambda: os.seteuid(65534) if user == 0 else None
    os.seteuid(user)


def test_a_path_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """A storage that is down is a problem of its own path."""

    def open_filesystem(url: str) -> Any:
        if url.endswith("b"):
            raise OSError("connection refused")
        return fsspec.core.url_to_fs(url)

    _write(tmp_path / "a", "", at=1)
    look = Watcher(Watch((str(tmp_path / "b"), str(tmp_path / "a")), settle_seconds=0), open_filesystem).look(1.0)
    assert [str(error) for _, error in look.problems] == ["connection refused"]
    assert [signal.kind for signal in look.signals] == ["appeared"]


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(", "a{1001}", "a" * 2001])
def test_patterns_that_are_refused(pattern: str) -> None:
    """With the reason and what to do."""
    with pytest.raises(UnsafePatternError, match="RE2"):
        compile_pattern(pattern)


def test_a_pattern_that_backtracks_elsewhere_takes_no_time() -> None:
    """Python's own module would need longer than the universe is old."""
    started = time.perf_counter()
    assert not compile_pattern("^(a+)+$").is_in("a" * 60_000 + "b")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"paths": ()}, "names no file"),
        ({"paths": ("etl.log",)}, "relative"),
        ({"paths": ("/a",), "match": "some"}, "neither"),
        ({"paths": ("/a",), "settle_seconds": -1}, "negative"),
    ],
)
def test_watches_that_make_no_sense(options: dict[str, Any], said: str) -> None:
    """They are refused when the DAG is read, not after a night of waiting."""
    with pytest.raises(WatchError, match=said):
        Watch(**options).check()


@given(st.lists(st.text("ab[*?/", max_size=6)))
def test_a_glob_is_known_by_its_characters(parts: list[str]) -> None:
    """As fsspec knows it."""
    path = "/".join(parts)
    assert has_magic(path) == fsspec.core.has_magic(path)


def test_a_file_system_in_memory() -> None:
    """Nothing but fsspec is needed of a file system."""
    memory = fsspec.filesystem("memory")
    eyes = _Eyes("memory://bucket/day=*/_SUCCESS")
    assert eyes.found() == []
    memory.pipe("/bucket/day=1/_SUCCESS", b"")
    assert eyes.found() == [("appeared", "_SUCCESS")]
    assert eyes.found() == []
    memory.pipe("/bucket/day=1/_SUCCESS", b"1")
    assert eyes.found() == [("overwritten", "_SUCCESS")]


@pytest.mark.parametrize(
    "error",
    [
        UnsafePatternError("(", "missing )"),
        WatchError("match", "some", "is neither"),
        PathDeniedError("/a", "denied"),
        NoFilesystemError("x://a", "unknown"),
    ],
)
def test_errors_survive_pickling(error: SignalError) -> None:
    """They travel between Airflow's processes."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.args) == (type(error), str(error), error.args)
