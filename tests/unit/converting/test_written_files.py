"""Nothing that somebody else wrote or changed is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.converting.written_files import is_unchanged, marked, write_files
from airflow_atscale_aggs.engine.errors import ModelFileError


def _texts(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_what_is_written_is_replaced_and_what_is_not_needed_goes(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.yml": "one\n", "b/c.sql": "two\n"})
    write_files(tmp_path, {"a.yml": "three\n"})

    assert _texts(tmp_path) == {"a.yml": marked("three\n")}


def test_a_file_that_somebody_changed_stops_everything(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.yml": "one\n", "b.yml": "two\n"})
    (tmp_path / "b.yml").write_text((tmp_path / "b.yml").read_text() + "more\n")
    before = _texts(tmp_path)

    with pytest.raises(ModelFileError, match="somebody else wrote or changed this file"):
        write_files(tmp_path, {"a.yml": "three\n", "b.yml": "four\n"})
    assert _texts(tmp_path) == before


def test_a_changed_file_that_is_not_needed_stays(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.yml": "one\n"})
    (tmp_path / "a.yml").write_text("mine\n")
    (tmp_path / "foreign.txt").write_text("mine too\n")
    write_files(tmp_path, {"b.yml": "two\n"})

    assert sorted(_texts(tmp_path)) == ["a.yml", "b.yml", "foreign.txt"]


@pytest.mark.parametrize("kind", ["foreign", "link", "folder", "binary"])
def test_what_is_not_ours_is_not_replaced(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out" / "a.yml"
    target.parent.mkdir()
    if kind == "link":
        (tmp_path / "elsewhere").write_text(marked("one\n"))
        target.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        target.mkdir()
    else:
        target.write_bytes(b"mine\n" if kind == "foreign" else b"\xff\x00")

    with pytest.raises(ModelFileError):
        write_files(tmp_path / "out", {"a.yml": "two\n", "b.yml": "three\n"})
    assert not (tmp_path / "out" / "b.yml").exists()


def test_the_mark_fits_the_comments_of_the_language() -> None:
    assert marked("a", "--").startswith("-- Written")
    assert is_unchanged(marked("a", "--"))
    assert not is_unchanged("")
