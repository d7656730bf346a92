"""Files that are not what a reader hopes for: each is a sentence with file and line, in no time."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.yaml_reader import YamlError, read_yaml

_METRIC = (
    "unique_name: {name}\nobject_type: metric\nlabel: x\ncalculation_method: {method}\ndataset: sales\ncolumn: amount\n"
)
_SALES = (
    "unique_name: sales\nobject_type: dataset\nlabel: x\nconnection_id: c\ntable: sales\ncolumns: [{name: amount}]\n"
)
_CONNECTION = "unique_name: c\nobject_type: connection\nlabel: c\nas_connection: w\n"
_MODEL = "unique_name: m\nobject_type: model\nlabel: m\nrelationships: []\nmetrics: [{unique_name: Amount}]\n"


def _folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    whole = {
        "catalog": "unique_name: k\nobject_type: catalog\nlabel: k\nversion: 1.6\n",
        "sales": _SALES,
        "c": _CONNECTION,
    }
    whole |= {"m": _MODEL, "amount": _METRIC.format(name="Amount", method="sum")} | files
    for name, text in whole.items():
        (path / f"{name}.yml").write_text(text, encoding="utf-8")
    return path


def _issues(path: Path) -> list[str]:
    found = read_model_folder(path)
    resolver = ModelResolver(found)
    for name in model_names(found):
        resolver.resolve(name)
    expected = {"missing-key"}
    return [f"{issue.severity} {issue.code} {issue}" for issue in found.issues.all() if issue.code not in expected]


def _doubling(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]" for level in range(1, levels)]
    return "\n".join(lines)


def test_other_tools_files_may_be_of_any_size_and_encoding(tmp_path: Path) -> None:
    """They are skipped unread; a file that may be SML is an error."""
    _folder(tmp_path, data="rows:\n" + "- {a: 1, b: [2, 3]}\n" * 200_000)
    (tmp_path / "latin.yml").write_bytes("name: é".encode("latin-1"))
    (tmp_path / "wide.yml").write_bytes(_METRIC.format(name="Wide", method="sum").encode("utf-16"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket.yml"))

    assert [issue.split()[:3] for issue in _issues(tmp_path)] == [
        ["error", "unreadable-file", "wide.yml:"],
        ["warning", "foreign-file", "data.yml:"],
        ["warning", "unreadable-file", "latin.yml:"],
        ["warning", "unreadable-file", "socket.yml:"],
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param(_doubling(30), 6, "aliases", id="aliases of aliases"),
        pytest.param("[" * 100_000, 1, "nested", id="brackets"),
        pytest.param("- " * 100_000 + "x", 1, "nested", id="dashes"),
        pytest.param("\n".join(" " * level + "a:" for level in range(3000)), 101, "nested", id="indented"),
        pytest.param("a: 1\nb: " + "9" * 5000, 2, "number", id="a number of 5,000 digits"),
        pytest.param('a: 1\nb: "x\\0y"', 2, "NUL", id="NUL in a value"),
        pytest.param('"a\\0": 1', 1, "NUL", id="NUL in a key"),
        pytest.param("a: !!int many", 1, "many", id="a tag that does not fit"),
        pytest.param("? [a]\n: 1", 1, "key", id="a list as a key"),
    ],
)
def test_texts_that_cost_too_much_or_cannot_be_kept(text: str, line: int, reason: str) -> None:
    """An error with the line, before anything is expanded."""
    with pytest.raises(YamlError, match=reason) as caught:
        read_yaml(text)

    assert caught.value.line == line


def test_aliases_are_fine_in_reason() -> None:
    """What is written twice may be written once."""
    assert read_yaml("a: &a [1, 2]\nb: [*a, *a]") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_files_that_are_no_files_and_links_that_leave(tmp_path: Path) -> None:
    """A FIFO, a device and links out of the folder are told and not read; a link inside the folder is read."""
    folder = _folder(tmp_path / "model")
    os.mkfifo(folder / "fifo.yml")
    (folder / "endless.yml").symlink_to("/dev/zero")
    (tmp_path / "secret.yml").write_text("password: x")
    (folder / "secret.yml").symlink_to(tmp_path / "secret.yml")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "metric.yml").write_text(_METRIC.format(name="Other", method="sum"))
    (folder / "others").symlink_to(tmp_path / "others")
    (folder / "again.yml").symlink_to(folder / "amount.yml")
    (folder / "gone.yml").symlink_to(folder / "nothing.yml")

    told = _issues(folder)

    assert [one.split(":")[0] for one in told] == [
        "error unreadable-file gone.yml",
        "warning unreadable-file endless.yml",
        "warning unreadable-file fifo.yml",
        "warning unreadable-file others",
        "warning unreadable-file secret.yml",
    ]


def test_files_of_other_tools_are_skipped_and_not_kept(tmp_path: Path) -> None:
    """Values of Helm, a compose file, a template, several documents, a list, packages of another tool."""
    others = {
        "values": "replicas: 1\nimage: {tag: x}\n",
        "compose": "services:\n  db: {image: postgres}\n",
        "template": "{{- if .Values.on }}\nkind: Pod\n{{- end }}\n",
        "manifests": "kind: A\n---\nkind: B\n",
        "tasks": "- name: one\n",
        "packages": "packages:\n  - package: some/thing\n    version: 1.0.0\n",
    }
    folder = _folder(tmp_path / "model", **others)

    told = _issues(folder)

    assert {one.split(":")[0] for one in told} == {f"warning foreign-file {name}.yml" for name in others}
    assert not {f"{name}.yml" for name in others} & read_model_folder(folder).texts.keys()


@pytest.mark.parametrize(
    ("method", "near"),
    [
        ("summ", "`sum`"),
        ("count_distinct", "`count distinct`"),
        ("0", "`average`"),
        ("[sum]", "a list"),
        ("{a: 1}", "a mapping"),
    ],
)
def test_a_misspelt_method_is_one_sentence(tmp_path: Path, method: str, near: str) -> None:
    """It stands where it is written, with near names; that the model lacks the metric is not told besides."""
    folder = _folder(tmp_path / "model", amount=_METRIC.format(name="Amount", method=method))

    told = _issues(folder)

    assert len(told) == 1
    assert "amount.yml:1: " in told[0]
    assert near in told[0]


@pytest.mark.parametrize("kind", ["[metric]", "{a: 1}", "~", "12"])
def test_an_object_type_that_is_no_text(tmp_path: Path, kind: str) -> None:
    """A sentence, with the line, and no other that the model lacks the metric."""
    text = _METRIC.format(name="Amount", method="sum").replace("metric", kind, 1)

    told = _issues(_folder(tmp_path / "model", amount=text))

    assert len(told) == 1
    assert told[0].startswith("error unknown-object-type amount.yml:1: ")


def test_columns_may_be_mappings_as_older_repositories_have_them(tmp_path: Path) -> None:
    """The name counts."""
    dimension = (
        "unique_name: D\nobject_type: dimension\nlabel: D\nhierarchies:\n"
        "- {unique_name: H, label: H, levels: [{unique_name: Y}, {unique_name: M, "
        "parallel_periods: [{level: Y, key_columns: [{name: before, data_type: int}]}]}]}\nlevel_attributes:\n"
        "- {unique_name: Y, label: Y, dataset: sales, name_column: y, key_columns: [{name: y}]}\n"
        "- {unique_name: M, label: M, dataset: sales, name_column: m, key_columns: [m]}\n"
    )
    folder = _folder(tmp_path / "model", d=dimension, m=_MODEL + "dimensions: [D]\n")

    assert _issues(folder) == []
    found = ModelResolver(read_model_folder(folder)).resolve("m").dimensions["D"]
    assert found.attributes["Y"].key_columns == ("y",)
    assert found.hierarchies[0].parallel_periods == {("M", "Y"): ("before",)}


@pytest.mark.parametrize("place", ["model/packages/shared", "model/shared", "shared", "objects"])
def test_a_package_that_is_checked_out(tmp_path: Path, place: str) -> None:
    """Below the model or beside it, by its name or its repository's; its own variables are known."""
    package = "version: 1\npackages:\n- {name: shared, url: 'https://me:pw@x.org/objects.git', branch: main, version: latest}\n"
    folder = _folder(tmp_path / "model", package=package, c="unique_name: c\nobject_type: connection\nlabel: c\n")
    (folder / "c.yml").unlink()
    there = tmp_path / place
    there.mkdir(parents=True)
    (there / "connection.yml").write_text(_CONNECTION.replace("w", "${warehouse}"))
    (there / ".env").write_text("warehouse=house\n")

    assert _issues(folder) == []
    assert ModelResolver(read_model_folder(folder)).resolve("m").connection == "house"


def test_a_package_that_is_nowhere_is_what_is_told(tmp_path: Path) -> None:
    """One error that says where it was looked for, no password, and no word of all that is missing therefore."""
    package = "version: 1\npackages:\n- {name: shared, url: 'https://me:pw@x.org/objects.git', branch: main, version: latest}\n"
    model = _MODEL + "dimensions: [One, Two, Three]\n"

    told = _issues(_folder(tmp_path / "model", package=package, m=model))

    assert len(told) == 1
    assert told[0].startswith("error missing-package package.yml:3: package `shared`")
    assert "../objects" in told[0]
    assert "pw" not in told[0]


@pytest.mark.parametrize(
    ("version", "is_other"), [("commit:abc", False), ("commit:def", True), ("latest", False), ("tag:v1", True)]
)
def test_a_package_that_is_checked_out_at_another_version(tmp_path: Path, version: str, *, is_other: bool) -> None:
    """A warning says which."""
    package = (
        f"version: 1\npackages:\n- {{name: shared, url: 'https://x.org/o.git', branch: main, version: '{version}'}}\n"
    )
    folder = _folder(tmp_path / "model", package=package)
    git = tmp_path / "shared" / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs" / "heads" / "main").write_text("abc0123456789\n")
    (git / "packed-refs").write_text("# pack-refs\n1111 refs/tags/v1\n^2222\n")

    assert [one.split(" ")[1] for one in _issues(folder)] == ["package-version"] * is_other
