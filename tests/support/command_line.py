"""Runs the command line in processes of its own, without the settings of whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start_command(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start ``atscale-aggs`` in a folder, with further variables in its environment."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATSCALE_AGGS")}
    command = [sys.executable, "-m", "airflow_atscale_aggs.cli.main", *arguments]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**variables, **environment}
    )


def run_command(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run ``atscale-aggs`` in a folder; its exit code, standard output and standard error."""
    process = start_command(folder, *arguments, **environment)
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err
