"""Statements through pgjdbc, the driver of tools on the JVM."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

_JAR = Path("/usr/share/java/postgresql.jar")
_CLIENTS = Path(__file__).parents[1] / "server" / "clients"
_READ: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "decimal": Decimal,
    "float": float,
    "whole": int,
    "text": lambda text: base64.b64decode(text).decode(),
}


def run_pgjdbc(program: str, *arguments: str) -> str:
    """What a program of `tests/server/clients` says. Skips the test where the driver is not."""
    if shutil.which("java") is None or not _JAR.is_file():
        pytest.skip("Debian's default-jdk and libpostgresql-jdbc-java are not here")
    command = ["java", "-cp", str(_JAR), str(_CLIENTS / f"{program}.java"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def rows_over_pgjdbc(url: str, statements: Sequence[str], folder: Path) -> dict[tuple[str, int], list[list[Any]]]:
    """Rows by way and number of the statement. Ways: ``whole`` as texts, ``parts`` as binary values.

    Times are texts.
    """
    file = folder / "statements"
    file.write_text("\n".join(base64.b64encode(sql.encode()).decode() for sql in statements), encoding="utf-8")
    rows: dict[tuple[str, int], list[list[Any]]] = {
        (way, number): [] for way in ("whole", "parts") for number in range(len(statements))
    }
    for line in run_pgjdbc("Rows", url, str(file)).splitlines():
        way, number, *values = line.split(" ")
        assert values[:1] != ["error"], f"{statements[int(number)]}: {line}"
        rows[way, int(number)].append([_READ[kind](text) for kind, _, text in (v.partition(":") for v in values)])
    return rows
