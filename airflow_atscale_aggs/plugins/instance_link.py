"""The link from a build task to the aggregate's instance, which Airflow's API server makes when somebody looks.

A link of an operator is made by each task and sent to the API server, which takes as long as a statement on the
metadata database. One of a plugin costs tasks nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from airflow_atscale_aggs.hooks.airflow_addresses import base_url
from airflow_atscale_aggs.plugins.planned_builds import plan_of, read_planned

if TYPE_CHECKING:
    from airflow.models.taskinstancekey import TaskInstanceKey as ServedKey
    from airflow.sdk.types import TaskInstanceKey
    from sqlalchemy.orm import Session

_log = logging.getLogger(__name__)


def _stand_in(path: str) -> type:
    """A class that is called as an operator. Airflow compares names alone, and servers run no operators."""
    module, _, name = path.rpartition(".")
    return type(name, (), {"__module__": module})


class AggregateInstanceLink(BaseOperatorLink):
    """From a build task to the aggregate's instance: status, attempts, errors, SQL."""

    name = "Aggregate instance"
    operators: ClassVar[list[Any]] = [
        _stand_in("airflow_atscale_aggs.operators.aggregate_build.BuildAggregateOperator")
    ]

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey | ServedKey) -> str:
        """The page of the instance; empty when neither the task nor its plan has told which one it is."""
        from airflow.utils.session import create_session

        try:
            with create_session() as session:
                told = _told(session, ti_key)
        except Exception:  # noqa: BLE001 - whatever is wrong with a link, the page of its task is shown
            _log.warning("The link of task %s could not be made.", ti_key, exc_info=True)
            return ""
        instance = told.get("instance_id")
        if not isinstance(instance, str) or not instance:
            return ""
        connection = told.get("aggs_conn_id") or _connection_of(operator)
        return f"{base_url()}/atscale_aggs/instances/{quote(connection)}/{quote(instance)}"


def _told(session: Session, key: Any) -> dict[str, Any]:
    """What the task was given, by argument; before it has begun, and once Airflow has forgotten it, from the plan."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    rendered = RenderedTaskInstanceFields.get_templated_fields(key, session=session)
    if rendered:
        return dict(rendered)
    planned = read_planned(session, dag_id=key.dag_id, run_id=key.run_id, plan=plan_of(key.task_id))
    build = planned[key.map_index] if 0 <= key.map_index < len(planned) else None
    return build if isinstance(build, dict) else {}


def _connection_of(operator: Any) -> str:
    """The connection of an operator of a serialized DAG, which is mapped or not."""
    given = getattr(operator, "partial_kwargs", {}).get("aggs_conn_id") or getattr(operator, "aggs_conn_id", "")
    return str(given)
