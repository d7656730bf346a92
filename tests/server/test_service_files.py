"""The files by which `serve` is run as a service: what systemd says of one, and that the other one can be read."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from airflow_atscale_aggs.cli.serve_verb import serve

_FOLDER = Path(__file__).parents[2] / "docker"
_UNIT = _FOLDER / "atscale-aggs-serve.service"
_MOST_EXPOSED = 20
"""Of 100 of `systemd-analyze security`."""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit_and_finds_it_locked_down(tmp_path: Path) -> None:
    unit = tmp_path / _UNIT.name
    program = Path(sys.executable).with_name("atscale-aggs")
    unit.write_text(_UNIT.read_text(encoding="utf-8").replace("/opt/atscale-aggs/bin/atscale-aggs", str(program)))

    for arguments in (["verify"], ["security", "--offline=true", f"--threshold={_MOST_EXPOSED}", "--no-pager"]):
        done = subprocess.run(
            ["systemd-analyze", *arguments, str(unit)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert arguments != ["verify"] or done.stderr == ""


def test_both_files_start_it_with_options_that_it_has() -> None:
    known = {name for parameter in serve.params for name in parameter.opts}
    service = yaml.safe_load((_FOLDER / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["serve"]
    texts = [
        *service["command"],
        *re.findall(r"^#?\s*ExecStart=(\S.*)$", _UNIT.read_text(encoding="utf-8"), re.MULTILINE),
    ]
    assert len(texts) == 3

    for text in texts:
        words = shlex.split(text.split("atscale-aggs serve", 1)[1])
        assert {word for word in words if word.startswith("--")} <= known
    assert service["depends_on"].keys() == {"warehouse"}
