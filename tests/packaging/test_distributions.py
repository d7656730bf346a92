"""What is published: the source distribution, the wheel that is built from it, and what an index tells of both."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from airflow_atscale_aggs import __version__
from tests.support.archives import unpack_tar

_ROOT = Path(__file__).parents[2]
_NAME = f"airflow_atscale_aggs-{__version__}"
_NOTICES = "airflow_atscale_aggs/plugins/www/dist/THIRD_PARTY_NOTICES.txt"


@dataclass(frozen=True)
class Published:
    """Both files, and the folder into which the source distribution was unpacked."""

    sdist: Path
    wheel: Path
    unpacked: Path

    def metadata(self) -> Message:
        """What an index shows."""
        with zipfile.ZipFile(self.wheel) as wheel:
            return BytesParser().parsebytes(wheel.read(f"{_NAME}.dist-info/METADATA"))

    def names(self) -> set[str]:
        """Files of the wheel."""
        with zipfile.ZipFile(self.wheel) as wheel:
            return set(wheel.namelist())


def _build(tree: Path, target: str, folder: Path) -> Path:
    """Build the distribution of a tree into a folder, as `python -m build` does without an environment of its own."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl" if target == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Built as for a release: the source distribution from the tree, the wheel from the source distribution."""
    folder = tmp_path_factory.mktemp("published")
    sdist = _build(_ROOT, "sdist", folder)
    unpack_tar(sdist, folder)
    unpacked = folder / _NAME
    yield Published(sdist, _build(unpacked, "wheel", folder), unpacked)
    shutil.rmtree(folder, ignore_errors=True)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_wheel_is_complete(published: Published) -> None:
    """Migrations, the typing marker, the page's bundle with its notices, the demo's model; no sources of the page."""
    names = published.names()

    assert {
        "airflow_atscale_aggs/py.typed",
        "airflow_atscale_aggs/engine/troubleshooting/querying.toml",
        "airflow_atscale_aggs/cli/demo_model/model.yml",
        "airflow_atscale_aggs/engine/registry/migrations/versions/v0001_initial.py",
        "airflow_atscale_aggs/plugins/www/dist/main.js",
        _NOTICES,
    } <= names
    assert {name for name in names if "/www/" in name and "/www/dist/" not in name} == set()
    assert {name.split("/")[0] for name in names} == {"airflow_atscale_aggs", f"{_NAME}.dist-info"}
    in_tree = {str(file.relative_to(_ROOT)) for file in (_ROOT / "airflow_atscale_aggs").rglob("*.py")}
    assert {name for name in in_tree if "node_modules" not in name} - names == set()


def test_the_source_distribution_holds_tests_and_pages(published: Published) -> None:
    """And all that they need."""
    for name in ("tests/conftest.py", "docs/architecture.md", "dags/models/retail/catalog.yml", "docker/Dockerfile"):
        assert (published.unpacked / name).is_file(), name
    for name in ("Makefile", "constraints.txt", ".ci/run", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"):
        assert (published.unpacked / name).is_file(), name
    # Not the unpacked folder, since another test runs what is there.
    with tarfile.open(published.sdist) as archive:
        parts = {part for name in archive.getnames() for part in name.split("/")}
    assert not parts & {"__pycache__", "node_modules", ".venv"}


@pytest.mark.slow
def test_the_same_tree_gives_the_same_bytes(published: Published, tmp_path: Path) -> None:
    """Whoever builds the published sources gets the published files: rights and times on the disk do not matter."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(published.unpacked, copy, copy_function=shutil.copy)
    for file in copy.rglob("*.py"):
        file.chmod(0o640)

    assert _digest(_build(copy, "wheel", tmp_path)) == _digest(published.wheel)
    assert _digest(_build(copy, "sdist", tmp_path)) == _digest(published.sdist)


def test_the_wheel_of_the_tree_is_that_of_the_source_distribution(published: Published, tmp_path: Path) -> None:
    assert _digest(_build(_ROOT, "wheel", tmp_path)) == _digest(published.wheel)


def test_an_index_shows_links_that_lead_somewhere(published: Published) -> None:
    """Relative links lead nowhere there: paths are told instead. There is no picture, and no anchor is left over."""
    text = str(published.metadata().get_payload())

    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "`docs/airflow.md`" in text
    assert re.search(r"<img|!\[", text) is None
    assert published.metadata()["Description-Content-Type"].startswith("text/markdown")


def test_what_an_index_tells(published: Published) -> None:
    """Licence files, authors, Pythons; no address that does not exist."""
    metadata = published.metadata()

    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE", _NOTICES]
    assert {f"{_NAME}.dist-info/licenses/{name}" for name in ("LICENSE", _NOTICES)} <= published.names()
    assert metadata["Author"] == "The authors of airflow-atscale-aggs"
    assert metadata["Requires-Python"] == ">=3.11"
    classifiers = metadata.get_all("Classifier") or []
    pythons = {text.split(" :: ")[-1] for text in classifiers if re.search(r"Python :: 3\.\d+$", text)}
    assert pythons == {"3.11", "3.12", "3.13"}
    addresses = metadata.get_all("Project-URL") or []
    assert [address for address in addresses if re.search(r"example|localhost|TODO", address)] == []


@pytest.mark.slow
def test_tests_run_from_the_source_distribution(published: Published) -> None:
    """Some that need no server: that they are found, and what they import, is what counts."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "tests/unit/test_counted_nouns.py",
    ]

    done = subprocess.run(
        command,
        cwd=published.unpacked,
        env={"PYTHONPATH": ".", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
