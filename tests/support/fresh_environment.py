"""The wheel of the tree in an environment of its own, beside an Airflow that was there before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.archives import unpack_tar

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
_UV = Path(sys.executable).parent / "uv"


class CheckFailedError(Exception):
    """A step went wrong; the message holds its command and what it printed."""


def run(
    command: list[str], *, folder: Path, environment: Mapping[str, str] | None = None, seconds: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, without variables of Airflow, of this program and of Python's paths.

    Raises:
        CheckFailedError: it ended with something else than 0, or not in time.
    """
    foreign = ("AIRFLOW", "ATSCALE_AGGS", "PYTHON", "VIRTUAL_ENV")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**variables, "UV_SYSTEM_CERTS": "1", **(environment or {})},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{' '.join(command)}: not done after {seconds:.0f} s"
        raise CheckFailedError(message) from error
    if done.returncode:
        message = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise CheckFailedError(message)
    return done


def build_wheel(folder: Path) -> Path:
    """Build the source distribution of the tree into a folder, and the wheel from it; the wheel."""
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t"]
    run([*build, "sdist"], folder=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    unpack_tar(sdist, folder)
    run([*build, "wheel"], folder=folder / sdist.name.removesuffix(".tar.gz"))
    (wheel,) = folder.glob("*.whl")
    return wheel


def find_python(version: str) -> str | None:
    """The path of a Python that is here, such as 3.12; None: there is none. Nothing is downloaded."""
    homes = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if homes:
        return str(homes[-1])
    found = subprocess.run(
        [str(_UV), "python", "find", "--no-python-downloads", version], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else None


@dataclass(frozen=True)
class FreshEnvironment:
    """A virtual environment in a folder, filled by uv with the pinned versions: from its cache, by hard links."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, python: str) -> FreshEnvironment:
        """An empty one, in place of what is there."""
        run([str(_UV), "venv", "--quiet", "--clear", "--python", python, str(folder)], folder=ROOT)
        return cls(folder)

    def program(self, name: str) -> str:
        """The path of a program that was installed."""
        return str(self.folder / "bin" / name)

    def install(self, *requirements: str) -> None:
        """Install in the pinned versions."""
        target = ["--python", self.program("python"), "--constraint", str(CONSTRAINTS)]
        run([str(_UV), "pip", "install", "--quiet", *target, *requirements], folder=ROOT)

    def check(self) -> None:
        """See that what is installed fits together, as `pip check` does."""
        run([str(_UV), "pip", "check", "--python", self.program("python")], folder=ROOT)

    def versions(self) -> dict[str, str]:
        """What is installed, with its version; the path of a wheel has none."""
        frozen = run([str(_UV), "pip", "freeze", "--python", self.program("python")], folder=ROOT).stdout
        return dict(line.split("==") for line in frozen.split("\n") if "==" in line)
