"""Measures the cost of a build task in Airflow against an empty mapped task. One real Airflow runs both in turn.

    python benchmarks/airflow_tasks.py --count 30

Figures are (last end - first start) / number of mapped task instances, one at a time, median of the repeats. Goal: a
ratio of at most 1.3. The aggregates are trivial, so what is measured is Airflow, the imports of the task and the
engine. The scheduler pauses for 0.02 s when it has nothing to do, as in `make demo`: a longer pause is as long as what
is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(_ROOT / "dags" / "demo"))

from airflow_processes import LocalAirflow  # noqa: E402 - the path is set above
from batch_build import Bench, distinct_grains  # noqa: E402

_BUILD_DAG = """\
from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("bench_model", dag_id="build", aggs_conn_id="bench")
"""

_EMPTY_DAG = """\
from airflow.sdk import DAG, BaseOperator


class Empty(BaseOperator):
    def __init__(self, *, number, **kwargs):
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context):
        return self.number


with DAG("empty", schedule=None) as dag:
    Empty.partial(task_id="build", retries=1, max_active_tis_per_dagrun=1).expand(number=list(range({count})))
"""


def main() -> None:
    """Start an Airflow, run both DAGs in turn, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    empty, build = measure(arguments.count, arguments.repeat)
    print(
        f"{arguments.count} mapped tasks one at a time: empty {empty:.3f} s, build {build:.3f} s per task, ratio "
        f"{build / empty:.2f}"
    )


def measure(count: int, repeat: int) -> tuple[float, float]:
    """Median seconds of an empty mapped task, and of one that builds a trivial aggregate."""
    # Bytecode is kept between tasks, as on any machine of a user.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="aggs-bench-") as name:
        folder = Path(name)
        bench = Bench(folder)
        bench.make_star(12_000, distinct_grains(count))
        (folder / "dags").mkdir()
        (folder / "dags" / "build.py").write_text(_BUILD_DAG)
        (folder / "dags" / "empty.py").write_text(_EMPTY_DAG.format(count=count))
        extra = {"registry_url": bench.registry, "warehouse_url": bench.warehouse}
        variables = {
            "AIRFLOW_CONN_BENCH": json.dumps({"conn_type": "atscale_aggs", "extra": extra}),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.02",
        }
        seconds: dict[str, list[float]] = {"empty": [], "build": []}
        with LocalAirflow(folder / "home", folder / "dags", variables) as airflow:
            for number in range(repeat + 1):
                for dag_id, times in seconds.items():
                    took = _per_task(airflow, dag_id)
                    # The first round warms caches up.
                    times.extend([took] if number else [])
    empty, build = (statistics.median(seconds[dag_id]) for dag_id in ("empty", "build"))
    return empty, build


def _per_task(airflow: LocalAirflow, dag_id: str) -> float:
    """Seconds per mapped task instance of one run."""
    run_id = airflow.trigger(dag_id)
    state = airflow.wait_for(
        lambda: (state := airflow.run_state(dag_id, run_id)) in {"success", "failed"} and state, f"run of {dag_id}", 600
    )
    if state != "success":
        sys.exit(f"the run of {dag_id} failed; the logs are in {airflow.home}")
    mapped = [instance for instance in airflow.task_instances(dag_id, run_id) if instance["task_id"] == "build"]
    starts = [datetime.fromisoformat(instance["start_date"]) for instance in mapped]
    ends = [datetime.fromisoformat(instance["end_date"]) for instance in mapped]
    return (max(ends) - min(starts)).total_seconds() / len(mapped)


if __name__ == "__main__":
    main()
