"""MetricFlow and dbt in an environment of their own: `make metricflow` puts them into ``.cache/metricflow``.

They need older versions of libraries than Airflow has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
HOME = _ROOT / ".cache" / "metricflow"
_PROGRAM = Path(__file__).with_name("metricflow_program.py")
_SECONDS = 240


def reason_without_metricflow() -> str:
    """Why neither MetricFlow nor dbt runs here; empty where they do."""
    if not (HOME / ".installed").exists():
        return f"MetricFlow is not at {HOME}; `make metricflow` puts it there"
    return ""


def run_dbt(project: Path, *arguments: str, **environment: str) -> str:
    """Run dbt in a project, without talking to anybody; what it says."""
    command = [str(HOME / "bin" / "dbt"), "--no-use-colors", *arguments, "--profiles-dir", "."]
    variables = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", **environment}
    done = subprocess.run(
        command, cwd=project, env=variables, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


def build_project(project: Path, scratch: Path) -> tuple[Path, Path]:
    """Copy a dbt project and build it in DuckDB: (its semantic manifest, the database)."""
    copy = scratch / project.name
    shutil.copytree(project, copy)
    database = scratch / f"{project.name}.duckdb"
    run_dbt(copy, "build", **{f"{project.name.upper()}_DUCKDB": str(database)})
    return copy / "target" / "semantic_manifest.json", database


def ask_metricflow(manifest: Path, database: Path, questions: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """MetricFlow's answers: ``columns`` and ``rows`` of texts, or ``error``."""
    done = subprocess.run(
        [str(HOME / "bin" / "python"), str(_PROGRAM), str(manifest), str(database)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers
