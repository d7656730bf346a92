"""The tiny star as somebody at a terminal has it: a folder with ``warehouse.duckdb`` and a model in ``m``."""

from __future__ import annotations

import contextlib
from pathlib import Path

from airflow_atscale_aggs.cli.main import run
from tests.support.stars import tiny_star


def make_folder(path: Path) -> Path:
    """Make tables and model; returns the folder."""
    tiny_star.write_model(path / "m")
    tiny_star.make_file(path / "warehouse.duckdb")
    return path


def build_folder(path: Path, *then: list[str]) -> Path:
    """Make the folder, and deploy and build its model by the verbs; then run more of them. Returns the folder."""
    make_folder(path)
    with contextlib.chdir(path):
        for arguments in (["deploy", "m"], ["build", "tiny_sales"], *then):
            assert run(arguments) == 0, arguments
    return path
