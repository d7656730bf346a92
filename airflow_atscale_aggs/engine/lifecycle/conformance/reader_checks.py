"""Check of a warehouse: people who read while batches are activated."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, judge
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import OWNER, CheckContext, shortened
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import MODEL, StarRows, read_rows
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import LOOK_EVERY
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render, table

_SWITCHES = 3
_READ_TOGETHER = ("by_month", "by_channel")
"""Two aggregates of all sales: both count the same rows, so that a reader sees whether they are of one batch."""

QUESTION = 'SELECT "Month", "Amount", "Lines" FROM check_sales'
"""On the model, answered from one of them."""

_BOTH = (
    'SELECT 1 AS "of", "Month" AS "name", "Lines" AS "lines" FROM check_sales '
    'UNION ALL SELECT 2, "Channel", "Lines" FROM check_sales'
)
"""On the model, answered from both. Rows of no known day are in one of them only, and as many in each batch."""


@dataclass
class _Readings:
    """What readers saw."""

    reads: int = 0
    mixed: int = 0
    errors: list[str] = field(default_factory=list)
    distances: set[int] = field(default_factory=set)


def check_readers(context: CheckContext) -> list[Capability]:
    """Whether readers of the stable views, and of models, are disturbed while batches are activated."""
    workspace = context.workspace
    instances = workspace.read.instances.serving(workspace.read.models.get(MODEL).id)
    views = [instance.step.view for name in _READ_TOGETHER for instance in instances if instance.step.aggregate == name]
    of_views, of_models = _Readings(), _Readings()
    query = _both_counts(views, context.scratch.schema, workspace.warehouse.dialect)
    with (
        QueryRouter(workspace) as router,
        _reading((lambda: _read_views(workspace, query, of_views)), (lambda: _read_model(router, of_models))),
    ):
        for number in range(_SWITCHES):
            context.scratch.append("check_sale", _one_row(number))
            request = BatchRequest(aggregates=_READ_TOGETHER)
            run_batch(workspace, MODEL, owner=OWNER, request=request)
            # So long a reader of models may go on with the batch that it knows.
            time.sleep(LOOK_EVERY.total_seconds())
            context.listen(f"  {number + 1} of {_SWITCHES} switches, {of_views.reads + of_models.reads} reads")
    if of_models.mixed:
        # The router reads the tables of one batch, whatever the views show.
        of_models.errors.append("an answer was made of aggregates of two batches")
    return [_judge_readings("readers of views", of_views), _judge_readings("readers of models", of_models)]


def _judge_readings(name: str, readings: _Readings) -> Capability:
    wrongs = [] if readings.reads else ["Nobody could read meanwhile."]
    if readings.errors:
        wrongs.append(f"{len(readings.errors)} of {readings.reads} reads failed: {shortened(readings.errors[0])}.")
    differences = []
    if readings.mixed:
        differences.append(
            f"{readings.mixed} of {readings.reads} reads saw two views of different batches: they are switched one "
            "after the other here. Queries on models never do."
        )
    detail = f"{readings.reads} reads during {_SWITCHES} switches, none failed, none mixed"
    return judge(name, wrongs, detail, differences=differences)


@contextlib.contextmanager
def _reading(*reads: Any) -> Iterator[None]:
    """Run each of them again and again in a thread of its own, for the length of the block."""
    is_over = threading.Event()

    def run(read: Any) -> None:
        while not is_over.is_set():
            read()

    threads = [threading.Thread(target=run, args=(read,), daemon=True) for read in reads]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def _both_counts(views: list[str], schema: str, dialect: Dialect) -> str:
    """The rows of the facts that each of the views counts, in one statement."""
    sums = [
        exp.Subquery(this=exp.select(exp.Sum(this=column_of("row_count"))).from_(table(view, schema))) for view in views
    ]
    return render(exp.select(*sums), dialect)


def _read_views(workspace: Workspace, query: str, readings: _Readings) -> None:
    try:
        with workspace.warehouse.session() as session:
            ((first, second),) = session.fetch_all(query)
    except WarehouseError as error:
        readings.reads += 1
        readings.errors.append(error.reason)
        return
    readings.reads += 1
    readings.mixed += int(first) != int(second)


def _read_model(router: QueryRouter, readings: _Readings) -> None:
    readings.reads += 1
    try:
        rows = router.answer(_BOTH).rows
    except AtScaleAggsError as error:
        readings.errors.append(str(error))
        return
    distance = sum(int(lines) * (1 if int(of) == 1 else -1) for of, _, lines in rows)
    readings.mixed += bool(readings.distances) and distance not in readings.distances
    readings.distances = readings.distances or {distance}


def _one_row(number: int) -> StarRows:
    """A row of a known day, with an amount: all aggregates count it."""
    rows, days = read_rows("check_sale"), {row[0] for row in read_rows("check_day").rows}
    names = [name for name, _ in rows.columns]
    day, amount = names.index("day_id"), names.index("amount")
    known = [row for row in rows.rows if row[day] in days and row[amount] is not None]
    return StarRows(rows.columns, (known[number],))
