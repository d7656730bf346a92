"""Files are written all or none, and never over somebody's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.discovery.sml_documents import MARK
from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.lifecycle.discover.model_files import check_target, write_files

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
