"""Files are written all or none, and never over somebody's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from airflow_atscale_aggs.engine.discovery.sml_documents import MARK
from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.lifecycle.discover.model_files import check_target, is_written, write_files

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_NOBODY = 65534
_TEXTS = {"catalog.yml": f"{MARK}\na: 1\n", "models/m.yml": f"{MARK}\nb: 2\n"}


def test_a_new_folder_appears_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"

    assert write_files(folder, _TEXTS, force=False) == ()
    assert (folder / "models" / "m.yml").read_text(encoding="utf-8") == _TEXTS["models/m.yml"]
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


def test_what_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(ModelFileError, match="is not empty; name another folder"):
        check_target(tmp_path, force=False)
    with pytest.raises(ModelFileError, match="is a file"):
        check_target(tmp_path / "notes.txt", force=True)


def test_a_folder_that_may_not_be_written_is_refused_at_once() -> None:
    """Before the warehouse is looked at, which takes long."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(_NOBODY)
    try:
        with pytest.raises(ModelFileError, match="you have no right to write in `/usr`"):
            check_target(Path("/usr/models/shop"), force=False)
    finally:
        if is_root:
            os.seteuid(0)


def test_force_replaces_only_what_init_has_written(tmp_path: Path) -> None:
    write_files(tmp_path / "m", {**_TEXTS, "metrics/old.yml": f"{MARK}\n"}, force=False)
    (tmp_path / "m" / "metrics" / "mine.yml").write_text("mine: 1\n", encoding="utf-8")
    (tmp_path / "m" / "notes.txt").write_text("mine", encoding="utf-8")

    assert write_files(tmp_path / "m", _TEXTS, force=True) == ("metrics/old.yml",)
    assert (tmp_path / "m" / "metrics" / "mine.yml").exists()
    assert (tmp_path / "m" / "notes.txt").exists()


def test_somebodys_file_in_the_way_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.yml").write_text("mine: 1\n", encoding="utf-8")

    with pytest.raises(ModelFileError, match="was not written by init"):
        write_files(tmp_path, _TEXTS, force=True)
    assert not (tmp_path / "catalog.yml").exists()
    assert (tmp_path / "models" / "m.yml").read_text(encoding="utf-8") == "mine: 1\n"
    assert [entry.name for entry in tmp_path.parent.iterdir() if entry.name.startswith(f".{tmp_path.name}")] == []


def _seen(folder: Path) -> dict[str, str]:
    """All files and folders below, hidden ones as well, with their texts."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") if path.is_file() else ""
        for path in folder.rglob("*")
    }


def _interrupt_at(number: int) -> TraceFunction:
    """Raises KeyboardInterrupt before the line of that number that is executed in `model_files`."""
    left = [number]

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        if not frame.f_code.co_filename.endswith("model_files.py"):
            return None
        left[0] -= event == "line"
        if left[0] == 0 and event == "line":
            raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.parametrize("before", ["no folder", "files of init"])
def test_an_interruption_at_any_line_leaves_all_or_nothing(tmp_path: Path, before: str) -> None:
    """Ctrl-C may come between any two lines."""
    ends: list[bool] = []
    for number in range(1, 400):
        place = tmp_path / str(number)
        folder = place / "models" / "m"
        place.mkdir()
        if before == "files of init":
            write_files(folder, {**_TEXTS, "catalog.yml": f"{MARK}\nold\n", "x/old.yml": f"{MARK}\n"}, force=True)
            (folder / "models" / "mine.yml").write_text("mine\n", encoding="utf-8")
        old = _seen(place)
        sys.settrace(_interrupt_at(number))
        try:
            write_files(folder, {**_TEXTS, "new/n.yml": f"{MARK}\n"}, force=True)
        except KeyboardInterrupt:
            sys.settrace(None)
        else:
            break
        finally:
            sys.settrace(None)
        is_new = is_written(folder, {**_TEXTS, "new/n.yml": f"{MARK}\n"})
        new = {path for path in _seen(place) if path.startswith("models/m/")}
        assert is_new or _seen(place) == old, number
        assert not is_new or "models/m/x/old.yml" not in new, number
        assert not any("/.m." in path for path in _seen(place)), number
        ends.append(is_new)
    assert ends.count(False) > 20
    assert ends == sorted(ends)
