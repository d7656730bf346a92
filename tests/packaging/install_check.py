"""`make install-check`: the wheel is installed into an Airflow that was there before, and used, on each Python.

A Python that is not here is skipped, and that is said. Airflow's published constraints come from GitHub; the versions
of `constraints.txt` stand in for them, which are those that all tests run with.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.support.fresh_environment import (
    CONSTRAINTS,
    ROOT,
    CheckFailedError,
    FreshEnvironment,
    build_wheel,
    find_python,
    run,
)

_PYTHONS = ("3.11", "3.12", "3.13")
_MODULES = ("dag_factory", "operators.aggregates", "sensors.batch_build", "triggers.batch_build", "hooks.aggregates")


def main() -> int:
    """Check each Python; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="Check this wheel in place of one that is built from the tree.")
    parser.add_argument("pythons", nargs="*", default=_PYTHONS, help="Versions, such as 3.12.")
    arguments = parser.parse_args()
    checked = 0
    with tempfile.TemporaryDirectory(prefix="install-check-") as made:
        folder = Path(made)
        wheel = arguments.wheel.absolute() if arguments.wheel else build_wheel(folder)
        _check_files(wheel)
        for version in arguments.pythons:
            python = find_python(version)
            if python is None:
                _say(f"Python {version}: skipped, for it is not here")
                continue
            _check_python(version, python, wheel, folder / version)
            checked += 1
    return 0 if checked else 1


def _check_files(wheel: Path) -> None:
    """An index can show the wheel, and the workflows are ones by GitHub's schema: by tools that are fetched for it."""
    tool = [str(Path(sys.executable).parent / "uv"), "tool", "run"]
    distributions = sorted(str(file) for file in wheel.parent.iterdir() if file.suffix in {".whl", ".gz"})
    run([*tool, "twine", "check", "--strict", *distributions], folder=ROOT)
    workflows = sorted(str(file) for file in (ROOT / ".github" / "workflows").glob("*.yml"))
    run([*tool, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows], folder=ROOT)
    run([*tool, "zizmor", "--offline", "--quiet", str(ROOT / ".github" / "workflows")], folder=ROOT)
    _say("twine, check-jsonschema and zizmor find nothing to say about distributions and workflows")


def _check_python(version: str, python: str, wheel: Path, folder: Path) -> None:
    """Install into an environment with Airflow, and use what was installed."""
    started = time.monotonic()
    environment = FreshEnvironment.make(folder / "venv", python)
    environment.install(f"apache-airflow=={_pinned_airflow()}")
    before = environment.versions()
    environment.install(f"airflow-atscale-aggs[postgres,duckdb] @ {wheel.as_uri()}")
    environment.check()
    after = environment.versions()
    changed = {name for name, number in before.items() if after.get(name) != number}
    if changed:
        message = f"Python {version}: the installation has changed {', '.join(sorted(changed))}"
        raise CheckFailedError(message)
    installed = time.monotonic()
    _check_airflow(environment, folder)
    _check_command_line(environment, folder)
    _say(
        f"Python {version}: installed beside the {len(before)} packages of Airflow in {installed - started:.0f} s; "
        f"provider, plugin and demo checked in {time.monotonic() - installed:.0f} s; "
        f"new are {', '.join(sorted(after.keys() - before.keys()))}"
    )


def _check_airflow(environment: FreshEnvironment, folder: Path) -> None:
    """Airflow knows the provider, its connection type and its plugin, and what DAG files import is there."""
    variables = {"AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}

    def ask(*command: str) -> str:
        done = run([environment.program("airflow"), *command, "-o", "json"], folder=folder, environment=variables)
        return done.stdout[done.stdout.index("[") :]

    providers = [provider["package_name"] for provider in json.loads(ask("providers", "list"))]
    plugins = [plugin["name"] for plugin in json.loads(ask("plugins"))]
    for name, known in (("airflow-atscale-aggs", providers), ("aggregates", plugins)):
        if name not in known:
            message = f"Airflow does not know {name}, only {', '.join(known)}"
            raise CheckFailedError(message)
    imports = "; ".join(f"import airflow_atscale_aggs.{module}" for module in _MODULES)
    run([environment.program("python"), "-W", "error::SyntaxWarning", "-c", imports], folder=folder)


def _check_command_line(environment: FreshEnvironment, folder: Path) -> None:
    """Its help, its version, and the demo: a star is deployed, built and asked."""
    command = environment.program("atscale-aggs")
    if "deploy" not in run([command, "--help"], folder=folder).stdout:
        message = "the help does not name its verbs"
        raise CheckFailedError(message)
    said = run([command, "demo", "--no-keep"], folder=folder).stderr
    if said.count("from aggregate `") < 2:
        message = f"the demo was not answered from aggregates:\n{said}"
        raise CheckFailedError(message)


def _pinned_airflow() -> str:
    lines = CONSTRAINTS.read_text(encoding="utf-8").split()
    return next(line.split("==")[1] for line in lines if line.startswith("apache-airflow=="))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CheckFailedError as failure:
        sys.exit(f"The installation is not as it should be: {failure}")
