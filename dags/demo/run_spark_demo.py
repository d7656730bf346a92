"""The demo behind `make spark-demo`: that of `make demo`, on a server of Spark Connect.

A real Airflow loads generated data into Sail over a connection of type ``spark_connect``, and builds the same
aggregates there. Afterwards DuckDB builds them from the same files, and every view is compared, row by row.

WAIT, SCALE and DEMO_FOLDER mean what they mean for `run_demo.py`.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from airflow_processes import AirflowFailedError, terminated_by_signals
from run_demo import DEMO, MODEL, ROOT, built_in_airflow, generate, remove, say, tell_what_is_active, wait_for_people
from sail_server import sail_server

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner
from airflow_atscale_aggs.engine.warehouse.base import Row

_SCHEMA = "aggregates"
_RELATIVE_DIFFERENCE = 1e-9
"""Between floating-point sums whose numbers were added in another order."""


def main() -> int:
    """Run the demo; the exit code: 1 when a view differs."""
    started = time.monotonic()
    data = generate(os.environ.get("SCALE", "0.1"))
    folder = DEMO / "spark"
    remove(folder)
    folder.mkdir(parents=True)
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    with terminated_by_signals(), sail_server() as address:
        session_id = str(uuid4())
        say(f"Sail is up after {time.monotonic() - started:.0f} s: {address}/;session_id={session_id}")
        environment = _connections(address, session_id, registry) | {
            "RETAIL_DATA_FOLDER": str(data),
            "RETAIL_SOURCE": "spark",
        }
        with built_in_airflow(folder / "airflow", environment) as run:
            warehouse = f"{address}/;session_id={session_id}"
            with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema=_SCHEMA) as workspace:
                tell_what_is_active(workspace, run, started)
                different = _compare_with_duckdb(workspace, data, folder)
            wait_for_people()
    return 1 if different else 0


def _connections(address: str, session_id: str, registry: str) -> dict[str, str]:
    """Airflow's connections: one to Sail, in the session that all tasks share, and ours, which names it."""
    place = urlsplit(address)
    sail = {
        "conn_type": "spark_connect",
        "host": place.hostname,
        "port": place.port,
        "extra": {"session_id": session_id},
    }
    ours = {"registry_url": registry, "warehouse_conn_id": "retail_sail", "aggregate_schema": _SCHEMA}
    return {
        "AIRFLOW_CONN_RETAIL_SAIL": json.dumps(sail),
        "AIRFLOW_CONN_RETAIL_AGGS": json.dumps({"conn_type": "atscale_aggs", "extra": ours}),
    }


def _compare_with_duckdb(on_sail: Workspace, data: Path, folder: Path) -> list[str]:
    """Build the same on DuckDB and compare every view; the views that differ, each with a sentence."""
    started = time.monotonic()
    registry, warehouse = f"sqlite:///{folder / 'duckdb.sqlite'}", f"duckdb:///{folder / 'warehouse.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema=_SCHEMA) as on_duckdb:
        with on_duckdb.warehouse.session() as session:
            session.execute("CREATE SCHEMA retail")
            for file in sorted(data.glob("*.parquet")):
                session.execute(f"CREATE TABLE retail.{file.stem} AS SELECT * FROM '{file}'")
        (deployed,) = deploy(on_duckdb, ROOT / "dags" / "models" / MODEL, now=datetime.now(UTC)).models
        run_batch(on_duckdb, deployed.model, owner=process_owner())
        say(f"\nDuckDB has built the same from the same files in {time.monotonic() - started:.0f} s.")
        comparing = time.monotonic()
        ours, theirs = _views(on_sail), _views(on_duckdb)
    different = [f"{view}: is in one of both only" for view in sorted(ours.keys() ^ theirs.keys())]
    for view in sorted(ours.keys() & theirs.keys()):
        difference = _difference(ours[view], theirs[view])
        different += [f"{view}: {difference}"] if difference else []
    rows = sum(len(view) - 1 for view in ours.values())
    say(
        f"{len(ours) - len(different)} of {len(ours)} views, with {rows:,} rows, are equal on Sail and on DuckDB "
        f"(compared in {time.monotonic() - comparing:.0f} s)."
    )
    for sentence in different:
        say(f"  differs: {sentence}")
    return different


def _views(workspace: Workspace) -> Mapping[str, Sequence[Row]]:
    """What each view of an active aggregate holds: the names of its columns, and its rows."""
    active = workspace.read.instances.serving(workspace.read.models.get(MODEL).id)
    held: dict[str, Sequence[Row]] = {}
    with workspace.warehouse.session() as session:
        for view in {instance.step.view for instance in active}:
            names, rows = session.fetch_with_names(f"SELECT * FROM {_SCHEMA}.{view}")
            held[view] = [names, *rows]
    return held


def _difference(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """The first difference of two views, whose rows have no order; empty when they are equal."""
    if ours[0] != theirs[0]:
        return f"the columns are {', '.join(ours[0])} and {', '.join(theirs[0])}"
    if len(ours) != len(theirs):
        return f"there are {len(ours) - 1:,} and {len(theirs) - 1:,} rows"
    pairs = zip(sorted(ours[1:], key=_exact_values), sorted(theirs[1:], key=_exact_values), strict=True)
    return next((f"{mine} and {other}" for mine, other in pairs if not all(map(_is_same, mine, other))), "")


def _exact_values(row: Row) -> tuple[str, ...]:
    """What a row is sorted by: all of it that is no floating-point number."""
    return tuple("" if isinstance(value, float) else repr(_plain(value)) for value in row)


def _plain(value: object) -> object:
    """Numbers of any type by their value: the same column may be of another width."""
    return value.normalize() if isinstance(value, Decimal) else Decimal(value) if isinstance(value, int) else value


def _is_same(mine: object, other: object) -> bool:
    if isinstance(mine, float) and isinstance(other, float):
        return math.isclose(mine, other, rel_tol=_RELATIVE_DIFFERENCE)
    return _plain(mine) == _plain(other)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AirflowFailedError as failure:
        sys.exit(f"The demo failed: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
