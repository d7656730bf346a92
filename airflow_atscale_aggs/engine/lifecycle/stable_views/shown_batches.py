"""Which batch each stable view shows: the one that serves, or an earlier one while views are switched.

The registry knows what each view is to show, and by ``views_pending`` of a batch whether all of them were switched.
Where that is open, because a process died or the warehouse has no transactions, each view itself tells which tables it
reads, and the registry whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import ViewPlaces, find_nothing, read_view_places
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord


@dataclass(frozen=True, slots=True)
class ShownBatch:
    """A stable view.

    Attributes:
        serving: the batch of the aggregate's active instance, which the router reads.
        shown: the batch whose rows the view shows; empty where it is not there, or shows something else.
    """

    view: str
    aggregate: str
    serving: str
    shown: str

    @property
    def is_current(self) -> bool:
        """Whether the view shows what serves."""
        return self.serving == self.shown

    def __str__(self) -> str:
        shows = f"shows batch {self.shown}" if self.shown else "shows none of its batches"
        return f"view `{self.view}` {shows}, and batch {self.serving} serves"


def shown_batches(workspace: Workspace, model_id: str) -> tuple[ShownBatch, ...]:
    """The stable views of a model's active instances, in their order; none where the warehouse cannot be asked.

    Raises:
        WarehouseError: the warehouse does not answer.
    """
    read = workspace.read
    active = read.instances.serving(model_id)
    earlier = read.instances.find(model_id=model_id, status=InstanceStatus.SUPERSEDED)
    schemas = {instance.id: read.batches.get(instance.batch_id).schema for instance in active}
    found: list[ShownBatch] = []
    with workspace.warehouse.session() as session:
        for schema in sorted(set(schemas.values())):
            own = [instance for instance in active if schemas[instance.id] == schema]
            places = read_view_places(session, schema, [instance.step.view for instance in own], find_nothing)
            found += [_shown(workspace, places, instance, earlier) for instance in own if places is not None]
    return tuple(found)


def views_that_lag(workspace: Workspace, model_id: str) -> tuple[ShownBatch, ...]:
    """The views that do not show what serves. The warehouse is asked only where the registry says that some may not.

    Raises:
        WarehouseError: the warehouse does not answer.
    """
    if not workspace.read.batches.with_pending_views(model_id):
        return ()
    return tuple(shown for shown in shown_batches(workspace, model_id) if not shown.is_current)


def _shown(
    workspace: Workspace, places: ViewPlaces, active: InstanceRecord, earlier: Sequence[InstanceRecord]
) -> ShownBatch:
    view = active.step.view
    reads = frozenset(table.casefold() for table in places.reads.get(view.casefold(), ()))
    same_view = [active, *(instance for instance in reversed(earlier) if instance.step.view == view)]
    shown = next((instance for instance in same_view if reads and reads in _tables(workspace, instance)), None)
    return ShownBatch(view, active.step.aggregate, active.batch_id, "" if shown is None else shown.batch_id)


def _tables(workspace: Workspace, instance: InstanceRecord) -> tuple[frozenset[str], ...]:
    """What the stable view of an instance may read, in lower case: its table, or its segments."""
    own = frozenset({(instance.table or "").casefold()})
    if instance.step.increment is None:
        return (own,)
    return own, frozenset(segment.table.casefold() for segment in workspace.read.instances.segments(instance.id))
