"""Switch stable views to the instances that serve.

Each keeps its grants, comments and owner, and none stops the others.

Other people have views, roles and tables of their own in the database. A view that cannot be switched stays as it is
and goes on showing the old instance, whose tables stay as long. A note says so, and the next batch and every sweep try
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.errors import (
    PermanentWarehouseError,
    TransientWarehouseError,
    ViewStaysError,
    WarehouseError,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import (
    FindServing,
    ViewPlaces,
    columns_of_tables,
    drop_helpers,
    drop_stable_view,
    helper_name,
    make_helper,
    read_view_places,
    show_instance,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from airflow_atscale_aggs.engine.sql.view_layout import Columns

_TOGETHER_SECONDS = 20.0
"""How long all views wait for the readers of one, so that they are switched in one moment; then each goes by itself."""


_Places = Mapping[str, ViewPlaces | None]
"""What is in the places of some stable views, by schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTask:
    """A stable view that is to show an instance, or to go.

    Attributes:
        step: of the instance's winning attempt. None: the view is to go.
        drop_sql: for warehouses whose catalog we do not know.
    """

    view: str
    schema: str
    step: BuildStep | None
    drop_sql: str = ""


def show_task(instance: InstanceRecord, schema: str) -> ViewTask:
    """The task that makes a stable view show an instance."""
    return ViewTask(view=instance.step.view, schema=schema, step=instance.step.of_attempt(instance.attempt))


def drop_task(view: str, schema: str, drop_sql: str) -> ViewTask:
    """The task that lets a stable view go."""
    return ViewTask(view=view, schema=schema, step=None, drop_sql=drop_sql)


def switch(
    workspace: Workspace, model_id: str, tasks: Sequence[ViewTask], *, patience: float
) -> dict[tuple[str, str], str]:
    """Do the tasks, all in one transaction where the warehouse has transactions, else one after the other.

    Returns the reason for each task that could not be done, by schema and view.

    Readers come first: where they hold a view, the switch gives way and tries again.

    Args:
        model_id: whose views they are.
        patience: seconds that readers are waited for; 0: one try.
    """
    if not tasks:
        return {}
    others = partial(workspace.read.instances.tables_that_serve, except_model=model_id)
    run = _Switch(workspace, others, {(task.schema, task.view): task for task in tasks})
    if workspace.warehouse.dialect.transactional_ddl:
        _until_true(run.together, min(patience, _TOGETHER_SECONDS))
    _until_true(run.one_by_one, patience)
    return {**run.problems, **{key: run.held[key] for key in run.remaining}}


def _until_true(step: Callable[[], bool], patience: float) -> None:
    """Repeat a step until it returns True or the time is over."""
    # Imported where something is tried again.
    from tenacity import Retrying, retry_if_result, stop_after_delay, wait_random_exponential  # noqa: PLC0415

    def give_up(state: RetryCallState) -> bool:
        return bool(state.outcome and state.outcome.result())

    Retrying(
        retry=retry_if_result(lambda is_done: not is_done),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        stop=stop_after_delay(patience),
        retry_error_callback=give_up,
    )(step)


@dataclass
class _Switch:
    """Works through the tasks of one switch."""

    workspace: Workspace
    others: FindServing
    remaining: dict[tuple[str, str], ViewTask]
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    held: dict[tuple[str, str], str] = field(default_factory=dict)

    def together(self) -> bool:
        """All of them in one transaction; one that never can be is left out. False where readers hold one."""
        return self._run(tuple(self.remaining.values()))

    def one_by_one(self) -> bool:
        """Those that are left, each by itself. False where readers hold one.

        Where each has a transaction of its own, what is in its place is looked at there.
        """
        tasks = tuple(self.remaining.values())
        places = self._look_at_all(tasks)
        held = [task for task in tasks if not self._run((task,), places)]
        return not held

    def _look_at_all(self, tasks: Sequence[ViewTask]) -> _Places | None:
        """What is in all places, where a look holds nothing still, so that one does for all of them; else None.

        A catalog that we ask by queries belongs to the session that asks it.
        """
        dialect = self.workspace.warehouse.dialect
        if dialect.transactional_ddl or dialect.catalog is not None:
            return None
        try:
            with self.workspace.warehouse.session() as session:
                return self._look(session, tasks)
        except WarehouseError:
            # Which place cannot be looked at is found by looking at each by itself.
            return None

    def _run(self, tasks: Sequence[ViewTask], seen: _Places | None = None) -> bool:
        """One transaction; a task that fails for good is taken out, and the others begin anew.

        Args:
            seen: what is in their places, where that was looked at before.
        """
        while tasks:
            current = tasks[0]
            try:
                with self.workspace.warehouse.session() as session, session.transaction():
                    for sql in self.workspace.warehouse.dialect.before_switch:
                        session.execute(sql)
                    places = self._look(session, tasks) if seen is None else seen
                    known, helpers = _find_columns(tasks, places), dict[str, list[str]]()
                    for task in tasks:
                        current = task
                        if task.step is not None and helper_name(task.step) not in known:
                            made = _make_helpers(session, task.step, places[task.schema])
                            helpers.setdefault(task.schema, []).extend(made)
                    columns_by_helper = known | _drop_helpers(session, helpers, places)
                    for task in tasks:
                        current = task
                        _run_task(session, task, places[task.schema], columns_by_helper)
            except TransientWarehouseError as error:
                why = f"others hold it, or the warehouse cannot be reached ({error.reason})"
                self.held |= {(task.schema, task.view): why for task in tasks}
                return False
            except (PermanentWarehouseError, ViewStaysError) as error:
                key = (current.schema, current.view)
                is_refused = isinstance(error, PermanentWarehouseError)
                self.problems[key] = f"the warehouse refuses it: {error.reason}" if is_refused else error.reason
                del self.remaining[key]
                tasks = [task for task in tasks if task is not current]
            else:
                for task in tasks:
                    del self.remaining[task.schema, task.view]
                return True
        return True

    def _look(self, session: WarehouseSession, tasks: Sequence[ViewTask]) -> _Places:
        names: dict[str, list[str]] = {}
        tables: dict[str, list[str]] = {}
        for task in tasks:
            names.setdefault(task.schema, []).append(task.view)
            if task.step is not None and task.step.increment is None:
                tables.setdefault(task.schema, []).append(task.step.table)
        return {
            schema: read_view_places(session, schema, views, self.others, tables.get(schema, ()))
            for schema, views in names.items()
        }


def _find_columns(tasks: Sequence[ViewTask], places: _Places) -> dict[str, Columns]:
    """The columns of what is shown as it is in its table, by helper view; asked together."""
    columns_by_helper: dict[str, Columns] = {}
    for schema, view_places in places.items():
        if view_places is not None:
            steps = [task.step for task in tasks if task.schema == schema and task.step is not None]
            columns_by_helper |= columns_of_tables(steps, view_places)
    return columns_by_helper


def _make_helpers(session: WarehouseSession, step: BuildStep, places: ViewPlaces | None) -> list[str]:
    """The helper view that tells the columns of an instance, where it needs one."""
    if places is None:
        return []
    name = make_helper(session, step, places)
    return [name] if name else []


def _drop_helpers(
    session: WarehouseSession, helpers: Mapping[str, Sequence[str]], places: Mapping[str, ViewPlaces | None]
) -> dict[str, Columns]:
    """Drop the helper views, and return their columns.

    They are read together: a catalog with many tables answers slowly.
    """
    columns_by_helper: dict[str, Columns] = {}
    for schema, names in helpers.items():
        view_places = places[schema]
        if view_places is not None and view_places.catalog is not None and names:
            columns_by_helper |= drop_helpers(session, names, view_places.catalog)
    return columns_by_helper


def _run_task(
    session: WarehouseSession, task: ViewTask, places: ViewPlaces | None, columns_by_helper: Mapping[str, Columns]
) -> None:
    if places is None:
        statements = (task.drop_sql,) if task.step is None else task.step.view_statements
        for sql in statements:
            session.execute(sql)
    elif task.step is None:
        drop_stable_view(session, task.view, places)
    else:
        show_instance(session, task.step, places, columns_by_helper)
