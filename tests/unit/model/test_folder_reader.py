"""Reading folders: every defect is one clear issue with file and line, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder, folder_from_bytes, read_model_folder
from airflow_atscale_aggs.engine.model.sml import CALCULATION_METHODS
from airflow_atscale_aggs.engine.model.yaml_reader import YamlError, read_yaml

_METRIC = """\
unique_name: Sales
object_type: metric
label: Sales
calculation_method: sum
dataset: sales
column: amount
"""


def _folder(tmp_path: Path, **files: str) -> ModelFolder:
    for name, text in files.items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    return read_model_folder(tmp_path)


def _issues(folder: ModelFolder) -> list[str]:
    return [f"{issue.severity} {issue.code} {issue.file}:{issue.line}" for issue in folder.issues.all()]


def test_mappings_remember_their_lines() -> None:
    """Every mapping knows the line where it begins."""
    value = read_yaml("a:\n  b:\n    c: 1\nlist:\n  - x: 1\n  - x: 2\n")

    assert (value.line, value["a"].line, value["a"]["b"].line) == (1, 2, 3)
    assert [item.line for item in value["list"]] == [5, 6]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("1970-01-01 00:00:00", "1970-01-01 00:00:00"),
        ("2026-11-21", "2026-11-21"),
        ("12", 12),
        ("-3", -3),
        ("007", "007"),
        ("1.6", 1.6),
        ("~", None),
        ("''", ""),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
    ],
)
def test_scalars_follow_the_json_schema(text: str, value: object) -> None:
    """Only null, booleans and numbers are special; dates, yes and no stay text."""
    found = read_yaml(f"key: {text}")["key"]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t- x", "a: *nowhere", "--- 1\n--- 2", "&x [*x]"], ids=repr)
def test_broken_yaml_is_an_error_with_a_line(text: str) -> None:
    """Unclosed lists, wrong nesting, tabs, unknown aliases, several documents, a structure that holds itself."""
    with pytest.raises(YamlError) as caught:
        read_yaml(text)

    assert caught.value.line >= 1
    assert caught.value.reason


def test_trailing_tabs_are_no_defect() -> None:
    """Published models have them."""
    assert read_yaml("a: b\t\nc: d\n") == {"a": "b", "c": "d"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(ModelFileError, match=r"nowhere: there is no such folder"):
        read_model_folder(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    """The error says what to give."""
    (tmp_path / "model.yml").write_text(_METRIC)

    with pytest.raises(ModelFileError, match="this is a file; give the folder"):
        read_model_folder(tmp_path / "model.yml")


def test_an_empty_folder(tmp_path: Path) -> None:
    """No YAML at all is an error, not an empty model."""
    (tmp_path / "readme.txt").write_text("hello")

    with pytest.raises(ModelFileError, match=r"holds no \.yml file"):
        read_model_folder(tmp_path)


def test_all_issues_of_all_files_are_collected(tmp_path: Path) -> None:
    """One broken file does not hide another; good files are read."""
    folder = _folder(
        tmp_path,
        broken="object_type: [1",
        good=_METRIC,
        listing="- object_type\n- 2\n",
        nothing="",
        odd="unique_name: x\nobject_type: metrik\n",
    )

    assert _issues(folder) == [
        "error broken-yaml broken.yml:2",
        "error no-mapping listing.yml:0",
        "error unknown-object-type odd.yml:1",
        "warning empty-file nothing.yml:0",
    ]
    assert "metric" in next(str(one) for one in folder.issues.all() if one.file == "odd.yml")
    assert set(folder.of_type("metric")) == {"Sales"}


def test_duplicate_names_name_both_places(tmp_path: Path) -> None:
    """A name stands for one object."""
    folder = _folder(tmp_path, one=_METRIC, two=_METRIC)

    (issue,) = folder.issues.all()
    assert (issue.code, issue.file) == ("duplicate-name", "two.yml")
    assert "first at one.yml:1" in issue.message


def test_duplicate_keys_are_errors(tmp_path: Path) -> None:
    """The last one would win silently otherwise."""
    folder = _folder(tmp_path, one=_METRIC + "column: price\n")

    assert _issues(folder) == ["error duplicate-key one.yml:1"]


def test_unknown_keys_are_kept_and_reported_with_near_names(tmp_path: Path) -> None:
    """Newer versions and samples have more keys than the text says."""
    folder = _folder(tmp_path, one=_METRIC.replace("label:", "lable:"))

    messages = [issue.message for issue in folder.issues.all()]
    assert messages == [
        "metric `Sales` lacks `label`",
        "metric `Sales` has the unknown key `lable`, which is ignored. Did you mean `label`?",
    ]
    assert not any(issue.is_error for issue in folder.issues.all())
    assert folder.of_type("metric")["Sales"].value["lable"] == "Sales"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("column: amount\n", "", "missing-key"),
        ("column: amount", "column: [a, b]", "wrong-kind"),
        ("dataset: sales", "dataset: {a: 1}", "wrong-kind"),
        ("label: Sales", "semi_additive: last", "wrong-kind"),
    ],
)
def test_what_cannot_be_used_is_an_error(tmp_path: Path, old: str, new: str, code: str) -> None:
    """A needed key that is missing, or a value of the wrong kind; the object is left out."""
    folder = _folder(tmp_path, one=_METRIC.replace(old, new))

    assert code in {issue.code for issue in folder.issues.all() if issue.is_error}
    assert folder.of_type("metric") == {}


def test_variables_come_from_the_env_file(tmp_path: Path) -> None:
    """`${name}` is replaced; one without a value is a warning; only used ones are kept."""
    (tmp_path / ".env").write_text("# comment\nexport db='prod'\nsecret=hunter2\n")
    text = "unique_name: c\nobject_type: connection\nlabel: c\nas_connection: w\ndatabase: ${db}\nschema: ${other}\n"

    folder = _folder(tmp_path, connection=text)

    value = folder.of_type("connection")["c"].value
    assert (value["database"], value["schema"]) == ("prod", "${other}")
    assert [issue.code for issue in folder.issues.all()] == ["unknown-variable"]
    assert folder.variables == {"db": "prod"}
    assert b"hunter2" not in folder.to_bytes()


def test_the_content_can_be_read_again_without_the_folder(tmp_path: Path) -> None:
    """What a registry keeps gives the same documents and lines."""
    folder = _folder(tmp_path, one=_METRIC, two=_METRIC.replace("Sales", "Cost"))

    again = folder_from_bytes(folder.to_bytes(), "kept")

    assert again.documents == folder.documents
    assert [d.where for d in again.of_type("metric").values()] == ["one.yml:1", "two.yml:1"]


def test_the_content_hash_is_of_meaning(tmp_path: Path) -> None:
    """Comments, order of keys, file names do not count; a changed value does."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    lines = _METRIC.splitlines()
    first = _folder(tmp_path / "a", one=_METRIC)
    same = _folder(tmp_path / "b", other="# a comment\n" + "\n".join(reversed(lines)))
    changed = _folder(tmp_path / "c", one=_METRIC.replace("amount", "price"))

    assert first.content_hash() == same.content_hash()
    assert first.content_hash() != changed.content_hash()


def test_local_packages_are_read_and_remote_ones_named(tmp_path: Path) -> None:
    """A package whose url is a folder is part of the model; one that is nowhere is an error."""
    shared, main = tmp_path / "shared", tmp_path / "main"
    shared.mkdir()
    main.mkdir()
    (shared / "metric.yml").write_text(_METRIC)
    (main / "package.yml").write_text(
        "version: 1\npackages:\n  - name: ours\n    url: ../shared\n    branch: main\n    version: latest\n"
        "  - name: theirs\n    url: https://example.com/x.git\n    branch: main\n    version: latest\n"
    )

    folder = read_model_folder(main)

    assert set(folder.of_type("metric")) == {"Sales"}
    assert [(issue.code, issue.line) for issue in folder.issues.all()] == [("missing-package", 7)]


def test_a_cycle_of_packages_is_an_error(tmp_path: Path) -> None:
    """Two folders that name each other are read once each."""
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "package.yml").write_text(
            f"version: 1\npackages:\n  - name: {other}\n    url: ../{other}\n    branch: m\n    version: latest\n"
        )

    folder = read_model_folder(tmp_path / "one")

    assert [issue.code for issue in folder.issues.all()] == ["package-cycle"]


def test_a_link_to_an_outer_folder_does_not_hang(tmp_path: Path) -> None:
    """Each folder is read once."""
    (tmp_path / "metric.yml").write_text(_METRIC)
    (tmp_path / "again").symlink_to(tmp_path)

    folder = read_model_folder(tmp_path)

    assert folder.issues.all() == ()
    assert len(folder.texts) == 1


def test_unreadable_files_are_errors(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told, and the others read."""
    (tmp_path / "bad.yml").write_bytes(b"object_type: \xff\xfe")

    folder = _folder(tmp_path, one=_METRIC)

    assert _issues(folder) == ["error unreadable-file bad.yml:0"]
    assert set(folder.of_type("metric")) == {"Sales"}


def test_ten_thousand_files(tmp_path: Path) -> None:
    """A large model is read whole."""
    for number in range(10_000):
        (tmp_path / f"m{number}.yml").write_text(_METRIC.replace("Sales", f"Sales {number}"))

    folder = read_model_folder(tmp_path)

    assert len(folder.of_type("metric")) == 10_000
    assert folder.issues.all() == ()


def test_every_calculation_method_can_be_stored() -> None:
    """The reader's list and the table of stored pieces agree."""
    from airflow_atscale_aggs.engine.aggregates.measures import _STORED_BY_METHOD

    assert set(_STORED_BY_METHOD) == CALCULATION_METHODS
