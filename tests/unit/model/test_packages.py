"""Packages: which folder on this machine is one, and what is told when it is another version or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.model.packages import Package, is_package_file, package_folder
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml

_URL = "https://me:pw@x.org/team/objects.git"


def _package(url: str = _URL, *, name: str = "shared", branch: str = "main", version: str = "latest") -> Package:
    return Package(name, url, branch, version, "package.yml:3")


def _checkout(folder: Path, head: str = "ref: refs/heads/main\n") -> None:
    """A folder with what git notes about `main` and the tags `v1`, which is annotated, and `v2`, which is not."""
    git = folder / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text(head)
    (git / "refs" / "heads" / "main").write_text("abc0123456789abc\n")
    (git / "packed-refs").write_text("# pack-refs\n1111 refs/tags/v1\n^2222\nabc0123456789abc refs/tags/v2\n")


def test_an_item_of_the_list_is_read_with_its_place() -> None:
    (value,) = read_yaml("packages:\n- {name: shared, url: u, version: 1.5}\n")["packages"]

    assert Package.of(value, "package.yml") == Package("shared", "u", "", "1.5", "package.yml:2")


@pytest.mark.parametrize(
    ("text", "is_package"),
    [
        ("packages: [{name: a, url: b}]", True),
        ("packages: []", False),
        ("packages: [a]", False),
        ("packages: [{name: a}, {package: b}]", False),
        ("packages: {name: a}", False),
        ("other: 1", False),
    ],
)
def test_a_list_of_packages_is_told_from_that_of_another_tool(text: str, *, is_package: bool) -> None:
    assert is_package_file(read_yaml(text)) is is_package


@pytest.mark.parametrize(
    ("url", "shown", "local"),
    [
        ("https://me:pw@x.org/o.git", "https://x.org/o.git", ""),
        ("https://x.org/o.git", "https://x.org/o.git", ""),
        ("git@x.org:team/o.git", "git@x.org:team/o.git", ""),
        ("../shared", "../shared", "../shared"),
        ("file:///srv/shared", "file:///srv/shared", "/srv/shared"),
        ("", "", ""),
    ],
)
def test_a_url_is_shown_without_its_password_and_may_be_a_path(url: str, shown: str, local: str) -> None:
    package = _package(url)

    assert (package.shown_url, package.local) == (shown, local)


@pytest.mark.parametrize(
    "place", ["model/packages/shared", "model/packages/objects", "model/shared", "shared", "objects"]
)
def test_a_checkout_is_found_below_the_model_or_beside_it_by_either_name(tmp_path: Path, place: str) -> None:
    issues = IssueList()
    _checkout(tmp_path / place)
    (tmp_path / "model").mkdir(exist_ok=True)

    folder = package_folder(_package(), tmp_path / "model", issues)

    assert folder is not None
    assert folder.resolve() == tmp_path / place
    assert issues.all() == ()


@pytest.mark.parametrize(
    ("file", "text", "is_found"),
    [
        ("sub/metric.yml", "object_type: metric", True),
        ("metric.yml", "replicas: 1", False),
        ("metric.txt", "object_type: metric", False),
        ("a/b/metric.yml", "object_type: metric", False),
    ],
)
def test_a_folder_beside_the_model_counts_when_it_holds_sml(
    tmp_path: Path, file: str, text: str, *, is_found: bool
) -> None:
    """Any other folder of that name is somebody else's; one below `packages` is meant whatever it holds."""
    (tmp_path / "shared" / file).parent.mkdir(parents=True)
    (tmp_path / "shared" / file).write_text(text)
    (tmp_path / "model").mkdir()

    assert (package_folder(_package(), tmp_path / "model", IssueList()) is not None) is is_found

    (tmp_path / "model" / "packages" / "shared").mkdir(parents=True)
    assert package_folder(_package(), tmp_path / "model", IssueList()) == tmp_path / "model" / "packages" / "shared"


def test_a_url_that_is_a_path_is_meant_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "model").mkdir()
    issues = IssueList()

    assert package_folder(_package("../shared"), tmp_path / "model", issues) == tmp_path / "model" / "../shared"
    assert package_folder(_package("../gone"), tmp_path / "model", issues) is None
    (issue,) = issues.all()
    assert "it was looked for at `../gone`" in issue.message
    assert "Correct its `url`" in issue.message


@pytest.mark.parametrize(
    ("name", "url", "parts"),
    [
        ("shared", _URL, ["`packages/shared`, `packages/objects`, `shared`, `objects`, `../shared`, `../objects`"]),
        ("shared", _URL, ["package `shared` (https://x.org/team/objects.git)", "git clone https://x.org/team/objects"]),
        ("objects", _URL, ["at `packages/objects`, `objects`, `../objects`, seen"]),
        ("a/b", "", ["package `a/b` (without `url`)", "it was looked for at no place"]),
        ("..", "git@x.org:..", ["it was looked for at no place"]),
    ],
)
def test_a_package_that_is_nowhere_is_an_error_with_the_places_and_without_a_password(
    tmp_path: Path, name: str, url: str, parts: list[str]
) -> None:
    issues = IssueList()

    assert package_folder(_package(url, name=name), tmp_path, issues) is None

    (issue,) = issues.all()
    assert (str(issue.severity), issue.code, issue.line) == ("error", "missing-package", 3)
    assert [part for part in parts if part not in issue.message] == []
    assert "pw" not in issue.message


@pytest.mark.parametrize(
    ("wanted", "head", "message"),
    [
        ({"version": "latest"}, "", ""),
        ({"version": "commit:abc"}, "", ""),
        ({"version": "commit:def"}, "", "is checked out at `main` and not at `commit:def`"),
        ({"version": "tag:v2"}, "", ""),
        ({"version": "tag:v1"}, "", "is checked out at `main` and not at `tag:v1`"),
        ({"version": "tag:v1"}, "2222\n", ""),
        ({"version": "tag:v9"}, "", ""),
        ({"branch": "next"}, "", "is checked out at `main` and not at branch `next`"),
        ({"branch": "next"}, "2222\n", ""),
        ({"version": "commit:def"}, "abc0123456789abc\n", "at `abc012345678` and not at `commit:def`"),
        ({"version": "commit:def"}, "ref: refs/heads/new\n", ""),
    ],
    ids=str,
)
def test_a_checkout_of_another_version_is_a_warning_and_is_read(
    tmp_path: Path, wanted: dict[str, str], head: str, message: str
) -> None:
    """As far as git's files tell; an annotated tag stands for the commit below it."""
    issues = IssueList()
    _checkout(tmp_path / "shared", head or "ref: refs/heads/main\n")

    assert package_folder(_package(**wanted), tmp_path, issues) == tmp_path / "shared"

    messages = [issue.message for issue in issues.all()]
    assert len(messages) == bool(message)
    assert message in "".join(messages)
