"""What each verb imports. A verb that needs no SQL library, no driver and no Airflow starts without them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.stars.tiny_folder import build_folder

_NEVER = {
    *("airflow", "alembic", "numpy", "pandas", "pyarrow", "scipy", "psycopg", "fsspec", "prompt_toolkit"),
    *("rich.console", "rich.progress", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"),
    *("sqlalchemy.dialects.mysql", "sqlalchemy.dialects.oracle", "sqlalchemy.dialects.mssql", "hypothesis"),
    # Nothing is tried again, no page shows a list, and the passages on errors are only named.
    *("tenacity", "airflow_atscale_aggs.engine.registry.lists", "airflow_atscale_aggs.engine.registry.attention"),
    # DuckDB's extension is enough for whoever makes no relation.
    *("tomllib", "duckdb"),
    # Libraries import them for what no verb does.
    *("asyncio", "importlib.metadata", "email", "ssl", "zipfile"),
    # For leases, and for statements that are sent side by side.
    *("socket", "concurrent.futures"),
}
_REGISTRY_ALONE = {*_NEVER, "sqlglot", "_duckdb", "yaml"}

_CASES: Mapping[str, tuple[list[str], set[str], int]] = {
    "help": (["--help"], {*_REGISTRY_ALONE, "sqlalchemy", "msgspec", "asyncio"}, 150),
    "models": (["models"], _REGISTRY_ALONE, 320),
    "definitions": (["definitions"], _REGISTRY_ALONE, 335),
    "batches": (["batches"], _REGISTRY_ALONE, 335),
    "settings": (["settings", "list"], _REGISTRY_ALONE, 285),
    "users": (["user", "list"], _REGISTRY_ALONE, 320),
    "registry": (["registry", "version"], _REGISTRY_ALONE, 280),
    "instances": (["instances"], {*_NEVER, "sqlglot", "yaml"}, 375),
    "deploy": (["deploy", "m"], {*_NEVER, "sqlglot"}, 412),
    "plan": (["plan", "tiny_sales", "--no-estimate"], {*_NEVER, "yaml"}, 535),
    "query": (["query", 'SELECT "City" FROM tiny_sales'], {*_NEVER, "yaml"}, 608),
    "explain": (["explain", 'SELECT "City" FROM tiny_sales', "--no-estimate"], {*_NEVER, "yaml"}, 608),
    "verify": (["verify", "tiny_sales"], {*_NEVER, "yaml"}, 530),
    "evaluate": (["evaluate", "tiny_sales"], {*_NEVER, "yaml"}, 487),
    "sweep": (["sweep", "--dry-run"], {*_NEVER, "sqlglot", "yaml"}, 385),
    "export": (["export", "tiny_sales", "definitions.json"], {*_NEVER, "sqlglot", "yaml"}, 372),
}
"""By name: arguments, modules that are not imported, and how many are at the most."""

_PROGRAM = """
import json, os, sys
for name, arguments in json.loads(sys.argv[1]).items():
    reading, writing = os.pipe()
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        from airflow_atscale_aggs.cli.late_modules import put_off_imports
        from airflow_atscale_aggs.cli.main import run
        put_off_imports()
        code = run(arguments)
        with os.fdopen(writing, "w") as answer:
            json.dump([code, sorted(sys.modules)], answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        print(json.dumps([name, *json.load(answer)]))
    os.wait()
"""
"""Runs each verb in a process that has imported nothing else."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small star that is built."""
    return build_folder(tmp_path_factory.mktemp("start_up"))


@pytest.fixture(scope="module")
def imported(path: Path) -> dict[str, set[str]]:
    """The modules that each verb imports."""
    asked = json.dumps({name: arguments for name, (arguments, _, _) in _CASES.items()})
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    out = subprocess.run(
        [sys.executable, "-c", _PROGRAM, asked], cwd=path, env=variables, capture_output=True, text=True, check=True
    ).stdout
    modules: dict[str, set[str]] = {}
    for line in out.splitlines():
        name, code, names = json.loads(line)
        assert code == 0, name
        modules[name] = set(names)
    return modules


@pytest.mark.parametrize("name", _CASES)
def test_a_verb_imports_what_it_needs(imported: dict[str, set[str]], name: str) -> None:
    _, banned, most = _CASES[name]

    assert imported[name] & banned == set()
    assert len(imported[name]) <= most


def test_the_count_would_see_a_heavy_import(imported: dict[str, set[str]]) -> None:
    """The verbs that need them do import them."""
    assert {"sqlglot", "_duckdb", "sqlalchemy"} <= imported["query"]
    assert "yaml" in imported["deploy"]
    assert len(imported["query"]) > len(imported["instances"]) > len(imported["models"]) > len(imported["help"])


def _ended(before: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A process that runs a verb after some lines of Python."""
    program = f"from airflow_atscale_aggs.cli.main import main\n{before}\nmain({arguments!r})"
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


_LEFT_BEHIND = """
class Left:
    def __del__(self): print("taken apart")
left = Left()
import atexit
atexit.register(lambda: print("at the end"))
"""


def test_the_end_of_a_verb_takes_nothing_apart(tmp_path: Path) -> None:
    """What is to be done at the end is done, and all of the output is there."""
    ended = _ended(_LEFT_BEHIND, ["models", "--no-such-option"], tmp_path)

    assert (ended.returncode, ended.stdout) == (2, "at the end\n")
    assert "--no-such-option" in ended.stderr


def test_the_end_of_a_verb_waits_for_a_thread_that_still_works(tmp_path: Path) -> None:
    working = "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('done'))).start()"

    ended = _ended(working, ["--version"], tmp_path)

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == "done"


def test_no_driver_complains_of_the_end(path: Path) -> None:
    """DuckDB's says so when its objects outlive Python."""
    ended = _ended("", ["query", "--format", "csv", 'SELECT "City" FROM tiny_sales ORDER BY 1 LIMIT 1'], path)

    assert ended.returncode == 0
    assert len(ended.stderr.splitlines()) == 1
