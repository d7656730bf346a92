"""The page of one aggregate instance: its status, attempts and SQL. Only signed-in users can open it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.plugins.static_files import mount_static_files

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.records import AttemptRecord, InstanceRecord

app = FastAPI(title="Aggregate tables", docs_url=None, redoc_url=None, openapi_url=None)
mount_static_files(app)

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui;margin:2rem auto;max-width:62rem;padding:0 1rem;color-scheme:light dark}}
h1{{font-size:1.3rem}}th{{text-align:left;padding-right:1.5rem;font-weight:500;vertical-align:top}}
pre{{white-space:pre-wrap;border:1px solid #8884;border-radius:6px;padding:.8rem}}</style>
<h1>{title}</h1>{body}"""


@app.get(
    "/instances/{aggs_conn_id}/{instance_id}",
    dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
)
def instance_page(aggs_conn_id: str, instance_id: str) -> HTMLResponse:
    """The instance as HTML.

    404 when there is no such connection, or its registry does not know the instance; 409 when the connection is of
    another type or its registry cannot be opened.
    """
    from airflow_atscale_aggs.engine.errors import AtScaleAggsError, NotRegisteredError

    hook = AggregatesHook(aggs_conn_id)
    try:
        connection = hook.get_connection(aggs_conn_id)
    except AirflowNotFoundException:
        return _problem(404, "Not found", f"There is no Airflow connection `{aggs_conn_id}`.")
    if connection.conn_type != hook.conn_type:
        return _problem(
            409,
            "Wrong connection",
            f"`{aggs_conn_id}` is no connection of type `{hook.conn_type}`; open a link of a build task.",
        )
    try:
        with hook.get_registry() as registry:
            instance = registry.instances.get(instance_id)
            attempts = registry.attempts.find(instance_id=instance_id)
    except NotRegisteredError as error:
        return _problem(404, "Not found", str(error))
    except (AtScaleAggsError, AirflowException) as error:
        return _problem(409, "Connection cannot be used", str(error))
    return HTMLResponse(_PAGE.format(title=escape(instance.step.aggregate), body=_body(instance, attempts)))


def _problem(status: int, title: str, sentence: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, body=f"<p>{escape(sentence)}</p>"), status_code=status)


def _body(instance: InstanceRecord, attempts: tuple[AttemptRecord, ...]) -> str:
    step = instance.step
    properties = {
        "status": instance.status,
        "rows": instance.rows,
        "seconds": instance.seconds,
        "built from": instance.source,
        "table": instance.table,
        "view": step.view,
        "batch": instance.batch_id,
        "position": f"{step.position + 1}: {step.reason}",
        "failed attempts": instance.failures,
        "error": instance.error,
    }
    rows = "".join(
        f"<tr><th>{name}<td>{escape(str(value))}" for name, value in properties.items() if value not in {None, ""}
    )
    tries = "".join(
        f"<li>{attempt.number}: {escape(attempt.status)}, "
        f"{escape(attempt.table)}{escape(f' - {attempt.error}' if attempt.error else '')}"
        for attempt in attempts
    )
    step = step.of_attempt(instance.attempt or 1)
    sources = {option.name: option for option in step.sources}
    chosen = sources.get(instance.source or "", step.sources[-1])
    sql = escape(step.create_statement(chosen, 1))
    return f"<table>{rows}</table><h2>Attempts</h2><ol>{tries or 'none'}</ol><h2>SQL</h2><pre>{sql}</pre>"
