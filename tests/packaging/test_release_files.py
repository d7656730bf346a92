"""Workflows, the image and the pins: what runs elsewhere is read here, as far as that goes without those machines."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION

_ROOT = Path(__file__).parents[2]
_WORKFLOWS = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))
_PROJECT: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _pins() -> dict[str, str]:
    """Version by canonical name of what the tests run with."""
    lines = (_ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def _workflow(file: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document


def _steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in _workflow(file)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", _WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_runs_what_is_there_with_few_rights(file: Path) -> None:
    """Actions are named by the commit, jobs end, and none may write unless it says so itself."""
    workflow = _workflow(file)

    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    for step in _steps(file):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", f"a@{'0' * 40}")), step
        for target in re.findall(r"\bmake (?:-C \w+ )?([a-z-]+)", step.get("run", "")):
            assert re.search(rf"^{target}:", (_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
        if step.get("run", "").startswith(".ci/"):
            assert (_ROOT / step["run"]).is_file()


@pytest.mark.parametrize("file", _WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_is_one_by_githubs_schema(file: Path) -> None:
    """By `check-jsonschema`, which carries it along."""
    program = shutil.which("check-jsonschema")
    if program is None:
        pytest.skip("check-jsonschema is not installed: `make install-check` runs it")
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.github-workflows", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_a_release_is_published_without_a_token() -> None:
    """By trusted publishing, with attestations, after the tests; only that job may."""
    (release,) = (file for file in _WORKFLOWS if file.name == "release.yml")
    jobs = _workflow(release)["jobs"]

    rights = {name: job.get("permissions", {}).get("id-token") for name, job in jobs.items()}
    assert rights == {"build": None, "test": None, "publish": "write"}
    assert (jobs["test"]["needs"], jobs["publish"]["needs"]) == ("build", "test")
    publishing = jobs["publish"]["steps"][-1]
    assert publishing["with"] == {"attestations": True}
    assert "secrets." not in release.read_text(encoding="utf-8")


def test_every_dependency_has_a_pin_that_suits_it() -> None:
    """Also those of the extras, and of the build."""
    pins = _pins()
    build = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    extras = [text for texts in _PROJECT["optional-dependencies"].values() for text in texts]

    for text in (*_PROJECT["dependencies"], *extras, *build):
        required = Requirement(text)
        if required.name != _PROJECT["name"]:
            assert required.specifier.contains(pins[canonicalize_name(required.name)], prereleases=True), text


def test_the_image_installs_the_pinned_versions() -> None:
    """Its Airflow is the one of the constraints, each file that it copies is there, and all lines are continued."""
    text = (_ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    instructions = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line and not line.startswith("#")]

    (base,) = (line.split()[1] for line in instructions if line.startswith("FROM "))
    assert base.startswith(f"apache/airflow:{_pins()['apache-airflow']}-python")
    for line in instructions:
        words = [word for word in line.split() if not word.startswith("--")]
        assert words[0] in {"FROM", "COPY", "RUN", "ENV", "ARG", "USER"}
        if words[0] == "COPY":
            assert all((_ROOT / name).exists() for name in words[1:-1]), line
    (install,) = (line for line in instructions if "pip install" in line)
    assert "-c /opt/provider/constraints.txt" in install
    extras = re.findall(r"/opt/provider\[([\w,-]+)\]", install)[0].split(",")
    assert set(extras) <= set(_PROJECT["optional-dependencies"])
    copied = " ".join(line for line in instructions if line.startswith("COPY"))
    assert all(name in copied for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"))


def test_nothing_is_listed_twice_in_the_metadata() -> None:
    """Indexes refuse a classifier that comes twice."""
    pins = (_ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    lists = {"classifiers": _PROJECT["classifiers"], "dependencies": _PROJECT["dependencies"], "pins": pins}
    for name, texts in (lists | _PROJECT["optional-dependencies"]).items():
        assert sorted(texts) == sorted(set(texts)), name


def test_the_support_matrix_is_that_of_the_metadata() -> None:
    """Pythons, Airflow; and there is a kept registry of every schema, the newest one included."""
    page = (_ROOT / "docs" / "releases.md").read_text(encoding="utf-8")
    pythons = [text.split(" :: ")[-1] for text in _PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", text)]

    assert f"| Python | {', '.join(pythons)} |" in page
    assert _PROJECT["requires-python"] == f">={pythons[0]}"
    assert f"| {_pins()['apache-airflow']} runs in CI" in page
    assert "apache-airflow>=3.3,<4" in _PROJECT["dependencies"]
    versions = _ROOT / "airflow_atscale_aggs" / "engine" / "registry" / "migrations" / "versions"
    schemas = {file.name[1:5] for file in versions.glob("v*.py")}
    kept = {file.name[:4] for file in (_ROOT / "tests" / "cases" / "registry" / "versions").glob("*.gz")}
    assert schemas == kept
    assert SCHEMA_VERSION in kept
