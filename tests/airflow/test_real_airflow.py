"""The batch DAG in a real Airflow: scheduler, dag processor, triggerer, API server as processes.

One aggregate is made to fail: the batch stays unfinished and the old instances serve. Clearing that one task instance, as
the UI's Clear dialog does, rebuilds only it, and the batch activates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import pytest
import tiny_star
from airflow_processes import LocalAirflow

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace

PostgresDatabase = Callable[[str], AbstractContextManager[str]]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_DAG_ID = "batch_build_tiny_sales"
_ATTRIBUTES = ("Day", "Month", "Shop", "City")
_METRICS = ("Quantity", "Amount", "Average Amount")
_DAG_FILE = """\
from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("tiny_sales", aggs_conn_id="tiny", models_folder={folder!r})
"""


def _many_aggregates() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Twenty-one aggregates: every pair and single of attributes, with every choice of metrics that differs in meaning."""
    grains = [(a,) for a in _ATTRIBUTES] + [("Day", "Shop"), ("Month", "City"), ("Day", "City")]
    return {
        f"{'_'.join(grain).lower()}_{metric.lower().replace(' ', '_')}": (grain, (metric,))
        for grain in grains
        for metric in _METRICS
    }


class _Place:
    """A star, its model, a registry, and an Airflow that builds it."""

    def __init__(self, folder: Path, metadata: str) -> None:
        self.warehouse_file = folder / "warehouse.duckdb"
        self.registry = f"sqlite:///{folder / 'registry.sqlite'}"
        self.warehouse = f"duckdb:///{self.warehouse_file}"
        tiny_star.write_model(folder / "model", _many_aggregates())
        self.run_sql(*tiny_star.SETUP_SQL)
        (folder / "dags").mkdir()
        (folder / "dags" / "tiny.py").write_text(_DAG_FILE.format(folder=str(folder / "model")))
        extra = {"registry_url": self.registry, "warehouse_url": self.warehouse, "aggregate_schema": "aggs"}
        variables = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
        self.airflow = LocalAirflow(folder / "home", folder / "dags", variables, database=metadata)

    def run_sql(self, *statements: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.warehouse_file)) as connection:
            for statement in statements:
                connection.execute(statement)
            return connection.fetchall() if statements[-1].lstrip().upper().startswith("SELECT") else []

    def run_to_end(self) -> tuple[str, str]:
        run_id = self.airflow.trigger(_DAG_ID)
        return run_id, self.wait_for_end(run_id)

    def wait_for_end(self, run_id: str) -> str:
        def ended() -> str | None:
            state = self.airflow.run_state(_DAG_ID, run_id)
            return state if state in {"success", "failed"} else None

        return str(self.airflow.wait_for(ended, "the run to end", 180))

    def states(self, run_id: str) -> dict[tuple[str, int], tuple[str, int]]:
        """(task, map index) to (state, try number)."""
        return {
            (one["task_id"], one["map_index"]): (one["state"], one["try_number"])
            for one in self.airflow.task_instances(_DAG_ID, run_id)
        }

    def active(self) -> dict[str, str]:
        """Aggregate to the physical table that serves."""
        with open_workspace(registry=self.registry, warehouse=self.warehouse) as workspace:
            model = workspace.registry.model("tiny_sales")
            return {one.step.aggregate: str(one.table) for one in workspace.registry.active_instances(model.id)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgres_database: PostgresDatabase) -> Iterator[_Place]:
    with postgres_database("airflow_metadata") as metadata:
        made = _Place(tmp_path_factory.mktemp("airflow"), metadata)
        with made.airflow:
            yield made


def test_a_failed_aggregate_is_repaired_by_clearing_its_task(place: _Place) -> None:
    """The whole story, in one run of Airflow, since starting it is dear."""
    first_run, state = place.run_to_end()
    builds = {key: one for key, one in place.states(first_run).items() if key[0] == "build"}
    assert state == "success"
    assert len(builds) == 21
    assert all(one[0] == "success" for one in builds.values())
    before = place.active()
    assert len(before) == 21
    assert place.run_sql("SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_tiny_sales_month_city_amount") == (
        place.run_sql("SELECT COUNT(*), SUM(amount) FROM sales")
    )

    # The plan still sees the column; the build of whatever needs it fails for good.
    place.run_sql("UPDATE sales SET amount = amount + 1", "ALTER TABLE shop RENAME COLUMN city TO town")
    place.run_sql(
        "ALTER TABLE shop RENAME TO shop_table",
        "CREATE VIEW shop AS SELECT shop_id, shop_name, CASE WHEN shop_id > 0 THEN error('city is gone') END AS city "
        "FROM shop_table",
    )
    failed_run, state = place.run_to_end()
    states = place.states(failed_run)
    failed = sorted(index for (task, index), (now, _) in states.items() if task == "build" and now == "failed")
    assert state == "failed"
    assert failed
    assert states["activate", -1][0] == "failed"
    assert states["report", -1][0] == "success"
    assert place.active() == before

    place.run_sql(
        "DROP VIEW shop", "ALTER TABLE shop_table RENAME TO shop", "ALTER TABLE shop RENAME COLUMN town TO city"
    )
    for index in failed:
        place.airflow.call("POST", f"dags/{_DAG_ID}/clearTaskInstances", _as_the_ui_clears(failed_run, index))
    assert place.wait_for_end(failed_run) == "success"
    after = place.states(failed_run)
    for key, (_, tries) in states.items():
        if key[0] == "build" and key[1] not in failed:
            assert after[key] == ("success", tries), "an aggregate that was built is not built again"
    assert set(place.active()) == set(before)
    assert not set(place.active().values()) & set(before.values())
    assert place.run_sql("SELECT SUM(sum_amount) FROM aggs.agg_tiny_sales_city_amount") == (
        place.run_sql("SELECT SUM(amount) FROM sales")
    )


def _as_the_ui_clears(run_id: str, map_index: int) -> dict[str, object]:
    """What the Clear dialog of a mapped task instance sends by default."""
    return {
        "dry_run": False,
        "dag_run_id": run_id,
        "include_downstream": True,
        "only_failed": False,
        "prevent_running_task": False,
        "task_ids": [["build", map_index]],
    }
