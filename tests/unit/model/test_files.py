"""Which files of a folder are read: links, devices, encodings and sizes; and the values of a folder's `.env` file."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.model.files import NotReadError, env_values, file_texts, read_text
from airflow_atscale_aggs.engine.model.validation import IssueList


def _read(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The texts by path, and the issues with severity, place and message."""
    issues = IssueList()
    texts = dict(file_texts(folder, folder, set(), issues))
    return texts, [f"{issue.severity} {issue}" for issue in issues.all()]


def test_yaml_files_below_a_folder_are_read_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "sub/c.yml", "z/d.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    texts, issues = _read(tmp_path)

    assert list(texts) == ["a.yaml", "b.yml", "sub/c.yml", "z/d.yml"]
    assert all(name == text for name, text in texts.items())
    assert issues == []


@pytest.mark.parametrize(
    "name", ["readme.md", ".hidden.yml", "x.yml.bak", ".git/a.yml", "node_modules/a.yml", "sub/__pycache__/a.yml"]
)
def test_other_files_and_folders_of_tools_are_not_looked_at(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("unique_name: a")

    assert _read(tmp_path) == ({}, [])


@pytest.mark.parametrize(
    ("content", "issue"),
    [
        (b"object_type: \xff\xfe", "error x.yml: the file is not UTF-8 text"),
        ("object_type: metric".encode("utf-16"), "error x.yml: the file is not UTF-8 text"),
        ("name: é".encode("latin-1"), "warning x.yml: the file is not UTF-8 text"),
    ],
    ids=["SML with broken bytes", "SML in UTF-16", "a file of another tool"],
)
def test_bytes_that_are_no_text_are_an_error_only_where_they_may_be_sml(
    tmp_path: Path, content: bytes, issue: str
) -> None:
    (tmp_path / "x.yml").write_bytes(content)
    (tmp_path / "y.yml").write_text("a: 1")

    assert _read(tmp_path) == ({"y.yml": "a: 1"}, [issue])


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_bytes(b"\xef\xbb\xbfa: 1")

    assert _read(tmp_path) == ({"x.yml": "a: 1"}, [])


def test_a_file_of_seventeen_mebibytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.yml").open("wb") as file:
        file.truncate(17 * 1024 * 1024)

    assert _read(tmp_path) == ({}, ["error x.yml: the file is larger than 16 MiB"])


def test_a_small_file_takes_little_room(tmp_path: Path) -> None:
    """Room for the largest file would take longer to get than the file takes to read."""
    (tmp_path / "x.yml").write_text("a: 1")

    tracemalloc.start()
    try:
        assert _read(tmp_path) == ({"x.yml": "a: 1"}, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20


def test_files_of_another_folder_are_told_from_where_the_model_is(tmp_path: Path) -> None:
    for name in ("package/a.yml", "package/sub/b.yml", "model/c.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    texts = dict(file_texts(tmp_path / "package", tmp_path / "model", set(), IssueList()))

    assert list(texts) == ["../package/a.yml", "../package/sub/b.yml"]


def test_files_that_are_no_files_and_links_that_leave_are_told_and_not_read(tmp_path: Path) -> None:
    """Reading a FIFO would wait for ever, and a device never ends."""
    folder = tmp_path / "model"
    folder.mkdir()
    os.mkfifo(folder / "fifo.yml")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket.yml"))
    (folder / "endless.yml").symlink_to("/dev/zero")
    (tmp_path / "secret.yml").write_text("password: x")
    (folder / "secret.yml").symlink_to(tmp_path / "secret.yml")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "metric.yml").write_text("a: 1")
    (folder / "others").symlink_to(tmp_path / "others")
    (folder / "gone.yml").symlink_to(folder / "nothing.yml")

    texts, issues = _read(folder)

    assert texts == {}
    assert [issue.partition(", ")[0].partition(" and is")[0] for issue in issues] == [
        "error gone.yml: the file cannot be read: No such file or directory",
        "warning endless.yml: the link leaves the model's folder",
        "warning fifo.yml: this is no regular file",
        "warning others: the link leaves the model's folder",
        "warning secret.yml: the link leaves the model's folder",
        "warning socket.yml: this is no regular file",
    ]


def test_a_file_or_folder_behind_a_link_inside_is_read_once(tmp_path: Path) -> None:
    """Also where a link leads to a folder above itself."""
    (tmp_path / "a.yml").write_text("a: 1")
    (tmp_path / "again.yml").symlink_to(tmp_path / "a.yml")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yml").write_text("b: 1")
    (tmp_path / "sub again").symlink_to(tmp_path / "sub")

    assert _read(tmp_path) == ({"a.yml": "a: 1", "sub/b.yml": "b: 1"}, [])


def test_a_text_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model2").mkdir()
    (tmp_path / "model2" / "a.yml").write_text("a: 1")

    with pytest.raises(NotReadError, match="leaves the model's folder") as caught:
        read_text(tmp_path / "model2" / "a.yml", str(tmp_path / "model"))

    assert caught.value.is_harmless


def test_values_of_an_env_file(tmp_path: Path) -> None:
    assert env_values(tmp_path) == {}

    (tmp_path / ".env").write_text("# a=1\nexport db='prod'\nurl = x=y \n\nquoted=\"a b\"\nno sign\nempty=\n")
    assert env_values(tmp_path) == {"db": "prod", "url": "x=y", "quoted": "a b", "empty": ""}

    (tmp_path / ".env").write_bytes(b"a=\xff")
    assert env_values(tmp_path) == {}
