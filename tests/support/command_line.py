"""Runs the command line in processes of its own, without the settings of whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.command_server import command_server_of_this_process, run_on_server

_TOO_LONG = 180
"""Seconds after which a command is given up."""


def start_command(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start ``atscale-aggs`` in a folder, with further variables in its environment."""
    command = [sys.executable, "-m", "airflow_atscale_aggs.cli.main", *arguments]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_variables(environment)
    )


def run_command(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run ``atscale-aggs`` in a folder; its exit code, standard output and standard error.

    It is forked from a process that has imported it, which `start_command` does not do.
    """
    server = command_server_of_this_process()
    return run_on_server(server, arguments, folder, _variables(environment), seconds=_TOO_LONG)


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ATSCALE_AGGS")}
    return {**inherited, **environment}
