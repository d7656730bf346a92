"""Check of a warehouse: people who read while batches are activated."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, judge
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import OWNER, CheckContext, shortened
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import MODEL, read_rows
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render, table

_SWITCHES = 3
_READ_TOGETHER = ("by_month", "by_channel")
"""Two aggregates of all sales: both count the same rows, so that a reader sees whether they are of one batch."""

QUESTION = 'SELECT "Month", "Amount", "Lines" FROM check_sales'
"""On the model, answered from one of them."""


@dataclass
class _Readings:
    """What readers saw."""

    reads: int = 0
    mixed: int = 0
    errors: list[str] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)


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
            context.listen(f"  {number + 1} of {_SWITCHES} switches, {of_views.reads + of_models.reads} reads")
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
    try:
        answered = router.answer(QUESTION)
    except AtScaleAggsError as error:
        readings.errors.append(str(error))
    else:
        readings.numbers.add(sum(int(row[2]) for row in answered.rows))
    readings.reads += 1


def _one_row(number: int) -> Any:
    rows = read_rows("check_sale")
    return type(rows)(rows.columns, rows.rows[number : number + 1])
