"""Reading a folder into documents: every defect is one issue at its place, and nothing else is lost."""

from __future__ import annotations

import hashlib
import json
import textwrap
import zlib
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder, folder_from_bytes, read_model_folder
from airflow_atscale_aggs.engine.model.sml_mapping import VALUES_VERSION

_METRIC = (
    "unique_name: {name}\nobject_type: metric\nlabel: x\ncalculation_method: sum\ndataset: sales\ncolumn: amount\n"
)
_SALES = _METRIC.format(name="Sales")
_CONNECTION = "unique_name: c\nobject_type: connection\nlabel: c\nas_connection: w\ndatabase: ${db}\nschema: ${other}\n"
_PACKAGE = "- {{name: {name}, url: {url}, branch: main, version: latest}}\n"


def _folder(path: Path, **files: str) -> ModelFolder:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.yml").write_text(text, encoding="utf-8")
    return read_model_folder(path)


def _issues(folder: ModelFolder) -> list[str]:
    return [f"{issue.severity} {issue.code} {issue.file}:{issue.line}" for issue in folder.issues.all()]


def test_a_folder_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "model.yml").write_text(_SALES)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("hello")

    with pytest.raises(ModelFileError, match="nowhere: there is no such folder"):
        read_model_folder(tmp_path / "nowhere")
    with pytest.raises(ModelFileError, match="this is a file; give the folder"):
        read_model_folder(tmp_path / "model.yml")
    with pytest.raises(ModelFileError, match=r"holds no \.yml file"):
        read_model_folder(tmp_path / "empty")


def test_documents_are_filed_by_type_and_name_and_know_their_place(tmp_path: Path) -> None:
    folder = _folder(tmp_path, a="# first\n" + _SALES, b="object_type: global_settings\nsettings: {}\n")

    metric = folder.of_type("metric")["Sales"]
    assert (metric.file, metric.where, metric.value["column"]) == ("a.yml", "a.yml:2", "amount")
    assert list(folder.of_type("global_settings")) == ["b.yml"]
    assert folder.of_type("dimension") == {}


@pytest.mark.parametrize(
    ("text", "issue", "part_of_message"),
    [
        ("object_type: [1", "error broken-yaml x.yml:2", "not valid YAML"),
        ("- object_type\n- 2\n", "error no-mapping x.yml:0", "one mapping with `object_type`"),
        ("unique_name: x\nobject_type: metrik\n", "error unknown-object-type x.yml:1", "Did you mean `metric`?"),
        ("unique_name: x\nobject_type: [metric]\n", "error unknown-object-type x.yml:1", "must be a text"),
        ("unique_name: x\nobject_type: {a: 1}\n", "error unknown-object-type x.yml:1", "must be a text"),
        ("unique_name: x\nobject_type: ~\n", "error unknown-object-type x.yml:1", "must be a text"),
        ("unique_name: x\nobject_type: 12\n", "error unknown-object-type x.yml:1", "must be a text"),
        ("unique_name: x\nlabel: x\n", "error unknown-object-type x.yml:1", "and no `object_type`"),
        (_SALES.replace("column: amount\n", ""), "error missing-key x.yml:1", "metric `Sales` lacks `column`"),
    ],
)
def test_a_file_of_sml_that_cannot_be_used_is_one_error(
    tmp_path: Path, text: str, issue: str, part_of_message: str
) -> None:
    """The other files are read, and what the file names is known as broken."""
    folder = _folder(tmp_path, good=_METRIC.format(name="Good"), x=text)

    (error,) = folder.issues.all()
    assert _issues(folder) == [issue]
    assert part_of_message in error.message
    assert set(folder.of_type("metric")) == {"Good"}
    assert set(folder.issues.broken) == {name for name in ("x", "Sales") if f"unique_name: {name}" in text}


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        (_SALES + "column: price\n", "error duplicate-key x.yml:1"),
        (_SALES + "formt: plain\n", "warning unknown-key x.yml:1"),
    ],
)
def test_a_file_with_an_odd_key_is_told_and_used(tmp_path: Path, text: str, issue: str) -> None:
    folder = _folder(tmp_path, x=text)

    assert _issues(folder) == [issue]
    assert set(folder.of_type("metric")) == {"Sales"}


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        ("", "empty-file x.yml:0"),
        ("replicas: 1\nimage: {tag: x}\n", "foreign-file x.yml:1"),
        ("services:\n  db: {image: postgres}\n", "foreign-file x.yml:1"),
        ("{{- if .Values.on }}\nkind: Pod\n{{- end }}\n", "foreign-file x.yml:1"),
        ("kind: A\n---\nkind: B\n", "foreign-file x.yml:2"),
        ("- name: x\n", "foreign-file x.yml:0"),
        ("packages:\n  - package: some/thing\n    version: 1.0.0\n", "foreign-file x.yml:1"),
        ("rows:\n" + "- {a: 1, b: [2, 3]}\n" * 60_000, "foreign-file x.yml:0"),
    ],
    ids=["empty", "Helm", "compose", "template", "two documents", "list", "packages of another tool", "a megabyte"],
)
def test_files_of_other_tools_are_skipped_with_a_warning_and_not_kept(tmp_path: Path, text: str, issue: str) -> None:
    """One of more than a megabyte is not even parsed, so it has no line."""
    folder = _folder(tmp_path, good=_SALES, x=text)

    assert _issues(folder) == [f"warning {issue}"]
    assert set(folder.texts) == {"good.yml"}


def test_a_folder_of_unreadable_files_has_issues_and_no_documents(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_bytes(b"object_type: \xff")

    folder = read_model_folder(tmp_path)

    assert (_issues(folder), folder.documents) == (["error unreadable-file x.yml:0"], {})


def test_of_two_objects_with_one_name_the_first_counts_and_both_places_are_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path, a=_SALES, b=_SALES.replace("amount", "price"))

    (issue,) = folder.issues.all()
    assert (issue.code, issue.file) == ("duplicate-name", "b.yml")
    assert "metric `Sales` is defined twice, first at a.yml:1" in issue.message
    assert folder.of_type("metric")["Sales"].value["column"] == "amount"


def test_variables_come_from_the_env_file_and_only_used_ones_are_kept(tmp_path: Path) -> None:
    """One without a value is a warning, and stays as it is written."""
    (tmp_path / ".env").write_text("db='prod'\nsecret=hunter2\n")

    folder = _folder(tmp_path, connection=_CONNECTION)

    value = folder.of_type("connection")["c"].value
    assert (value["database"], value["schema"]) == ("prod", "${other}")
    assert [str(issue) for issue in folder.issues.all()] == [
        "connection.yml: `${other}` has no value in the folder's .env file"
    ]
    assert folder.variables == {"db": "prod"}
    assert b"hunter2" not in folder.to_bytes()


def test_what_a_registry_keeps_gives_the_same_documents_without_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("db=prod\nother=x\n")
    folder = _folder(tmp_path, a=_SALES, b=_METRIC.format(name="Cost"), connection=_CONNECTION)

    again = folder_from_bytes(folder.to_bytes(), "kept")

    assert again.documents == folder.documents
    assert [document.where for document in again.of_type("metric").values()] == ["a.yml:1", "b.yml:1"]
    assert again.content_hash() == folder.content_hash()
    assert (again.folder, again.issues.all()) == ("kept", ())


def _changed(content: bytes, *, texts: str = "Sales", values: str = "Sales", **kept: object) -> bytes:
    """What a registry keeps, with another name in the texts or in the values, or something else about the values."""
    stored = json.loads(zlib.decompress(content))
    stored["texts"] = {file: text.replace("Sales", texts) for file, text in stored["texts"].items()}
    stored["values"] = {**stored["values"], "json": stored["values"]["json"].replace("Sales", values), **kept}
    return zlib.compress(json.dumps(stored).encode())


def _with_its_hash(content: bytes) -> bytes:
    stored = json.loads(zlib.decompress(content))
    texts = json.dumps({name: stored[name] for name in ("texts", "variables")}, separators=(",", ":"))
    text = f"{texts}\n{stored['values']['json']}"
    return _changed(content, hash=hashlib.sha256(text.encode()).hexdigest())


def test_values_that_are_kept_are_not_read_again_from_texts_of_theirs(tmp_path: Path) -> None:
    """The texts are the truth: where they or the values were changed by hand, the texts are read."""
    content = _folder(tmp_path, a=_SALES).to_bytes()
    stored = json.loads(zlib.decompress(content))
    of_an_older_version = zlib.compress(json.dumps({name: stored[name] for name in ("texts", "variables")}).encode())
    names = {
        "texts": _changed(content, texts="Other"),
        "values": _changed(content, values="Other"),
        "both": _changed(content, texts="Other", values="Third"),
        "values and hash": _with_its_hash(_changed(content, values="Other")),
        "version": _changed(_with_its_hash(_changed(content, values="Other")), version=VALUES_VERSION + 1),
        "no values": _changed(content, json=None),
        "older": of_an_older_version,
        "list": zlib.compress(json.dumps({**stored, "values": []}).encode()),
    }

    read = {how: list(folder_from_bytes(kept, "kept").of_type("metric")) for how, kept in names.items()}

    assert {how: name for how, (name,) in read.items()} == {
        **dict.fromkeys(names, "Sales"),
        "texts": "Other",
        "both": "Other",
        "values and hash": "Other",
    }


_SCALARS = """
texts: [plain, 'single', "double\\t\\u00e9", 2026-01-03, 12:30:00, 0o17, 1_000, on, =, ~x]
numbers: [1, -1, 0x1f, 017, 1.5, 1e3, .5, .inf, 0b1]
others: [true, FALSE, yes, null, ~]
empty:
"""


def test_a_reader_that_gives_other_values_says_so(tmp_path: Path) -> None:
    """Raise `VALUES_VERSION` where this fails: registries keep values of the reader before."""
    folder = _folder(tmp_path, a=_SALES + "\nmeta:\n" + textwrap.indent(_SCALARS, "  "))
    content = json.loads(zlib.decompress(folder.to_bytes()))["values"]["json"]

    assert (VALUES_VERSION, hashlib.sha256(content.encode()).hexdigest()[:16]) == (1, "848b37a8cc7f9d58")


def test_values_that_are_much_longer_than_their_texts_are_not_kept(tmp_path: Path) -> None:
    many = "\n".join(f"  - {name}" for name in ["&long " + "x" * 500] + ["*long"] * 400)
    folder = _folder(tmp_path, a=_SALES + f"\nmeta:\n{many}\n")

    assert len(zlib.decompress(folder.to_bytes())) < 10_000
    assert folder_from_bytes(folder.to_bytes(), "kept").documents == folder.documents


def test_the_content_hash_is_of_meaning(tmp_path: Path) -> None:
    """Comments, the order of keys and file names do not count; a changed value does."""
    first = _folder(tmp_path / "a", x=_SALES)
    same = _folder(tmp_path / "b", other="# a comment\n" + "\n".join(reversed(_SALES.splitlines())))
    changed = _folder(tmp_path / "c", x=_SALES.replace("amount", "price"))

    assert first.content_hash() == same.content_hash()
    assert first.content_hash() != changed.content_hash()


def test_the_content_hash_is_that_of_all_documents_as_one_text(tmp_path: Path) -> None:
    """Registries compare it with hashes of deployments before; another one would make a version of each model."""
    folder = _folder(
        tmp_path,
        b=_SALES,
        a=_METRIC.format(name="Größe"),
        c=_CONNECTION.replace("${db}", "db").replace("${other}", "other"),
    )
    documents = {
        kind: {name: each.value for name, each in by_name.items()} for kind, by_name in folder.documents.items()
    }

    text = json.dumps(documents, sort_keys=True, separators=(",", ":"))

    assert [len(by_name) for by_name in documents.values()] == [2, 1]
    assert folder.content_hash() == hashlib.sha256(text.encode()).hexdigest()


def test_a_package_in_a_folder_is_part_of_the_model_and_one_that_is_nowhere_an_error(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "metric.yml").write_text(_SALES)
    packages = _PACKAGE.format(name="ours", url="../shared") + _PACKAGE.format(name="theirs", url="https://x.org/x.git")

    folder = _folder(tmp_path / "main", package=f"version: 1\npackages:\n{packages}")

    assert [document.file for document in folder.of_type("metric").values()] == ["../shared/metric.yml"]
    assert _issues(folder) == ["error missing-package package.yml:4"]


def test_packages_that_name_each_other_are_read_once(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        packages = _PACKAGE.format(name=other, url=f"../{other}")
        _folder(tmp_path / name, package=f"version: 1\npackages:\n{packages}", **{name: _METRIC.format(name=name)})

    folder = read_model_folder(tmp_path / "one")

    assert set(folder.of_type("metric")) == {"one", "two"}
    assert _issues(folder) == ["warning package-cycle ../two/package.yml:3"]


def test_variables_of_a_package_are_known_and_those_of_the_model_win(tmp_path: Path) -> None:
    """A package's own value of a name that has another one is told."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "c.yml").write_text(_CONNECTION)
    (tmp_path / "shared" / ".env").write_text("db=theirs\nother=only theirs\n")
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / ".env").write_text("db=ours\n")

    packages = _PACKAGE.format(name="shared", url="../shared")
    folder = _folder(tmp_path / "main", package=f"version: 1\npackages:\n{packages}")

    value = folder.of_type("connection")["c"].value
    assert (value["database"], value["schema"]) == ("ours", "only theirs")
    assert _issues(folder) == ["warning other-variable package.yml:3"]


def test_hundreds_of_files_are_read_whole(tmp_path: Path) -> None:
    files = {f"m{number}": _METRIC.format(name=f"Sales {number}") for number in range(100)}

    folder = _folder(tmp_path, **files)

    assert len(folder.of_type("metric")) == 100
    assert folder.issues.all() == ()
