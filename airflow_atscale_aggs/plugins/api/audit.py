"""Writes deeds into Airflow's audit log, beside those of Airflow's own API (Browse > Audit Log)."""

from __future__ import annotations

import json
import logging

from airflow.models.log import Log
from airflow.utils.session import create_session
from sqlalchemy.exc import SQLAlchemyError

from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun

_log = logging.getLogger(__name__)


def record_deed(place: Place, deed: str, message: str, run: BatchRun | None = None) -> None:
    """Note what somebody has done over a connection.

    What is done stays done when it cannot be noted; then Airflow's own log has it.

    Args:
        deed: a word such as `cancel_batch`.
        message: what was done, as the visitor was told.
        run: the run that it was done to.
    """
    visitor = place.visitor
    entry = Log(
        event=f"aggregates.{deed}",
        owner=visitor.name,
        owner_display_name=visitor.name,
        extra=json.dumps({"connection": place.connection, "message": message}),
        dag_id=run.dag_id if run else None,
        run_id=run.run_id if run else None,
    )
    try:
        with create_session() as session:
            session.add(entry)
    except SQLAlchemyError:
        _log.exception("Not in the audit log: %s over %s by %s: %s", deed, place.connection, visitor.name, message)
