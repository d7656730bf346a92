"""The client of Spark Connect can be imported wherever Python runs."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_process_whose_main_module_has_no_file_may_use_it() -> None:
    """As a worker of pytest-xdist, which reads its program from a pipe. Its prompt is gone afterwards."""
    program = (
        "import sys; sys.modules['__main__'].__spec__ = None; "
        "from airflow_atscale_aggs.engine.warehouse.spark_client import SparkSession; "
        "print(SparkSession.__name__, hasattr(sys, 'ps1'))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert (done.returncode, done.stdout.split()) == (0, ["SparkSession", "False"]), done.stderr
