"""Imports definitions from a file, and starts a batch of those that no batch was begun for."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import ImportReport, import_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.access import ModelPlace
from airflow_atscale_aggs.plugins.api.audit import record_deed
from airflow_atscale_aggs.plugins.api.batch_actions import start_batch
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun
from airflow_atscale_aggs.plugins.api.documents.batch_documents import MOST_AGGREGATES, BatchStart, BatchStarted
from airflow_atscale_aggs.plugins.api.documents.query_documents import ImportAnswer, ImportedNode
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from airflow_atscale_aggs.plugins.api.run_actions import choose_dag
from airflow_atscale_aggs.plugins.api.uploads import Upload


def import_upload(place: ModelPlace, upload: Upload, *, build: bool, is_from_page: bool = False) -> ImportAnswer:
    """Record the definitions of a file.

    Args:
        build: start a batch of those for which none was begun yet. Whether one can be started is looked at first.
        is_from_page: a person has asked in the browser.

    Raises:
        ImportRefusedError: the file cannot be imported here; nothing was recorded.
        ProblemError: no batch can be started; nothing was recorded.
    """
    if build:
        choose_dag(place, None)
    with place.place.bookkeeping() as workspace:
        report = import_definitions(workspace, place.model.id, upload.data, where=upload.name, now=utc_now())
    numbers = ", ".join(f"{number:,} {outcome}" for outcome, number in report.counts.items())
    message = f"{counted(len(report.definitions), 'definition')} in the file{f': {numbers}' if numbers else ''}."
    started, told = (None, "")
    if build and report.to_build:
        started, told = _start(place, report, is_from_page=is_from_page)
    elif report.to_build:
        told = f"{counted(len(report.to_build), 'waits', 'wait')} for the next batch."
    message = f"{message} {told}".rstrip()
    run = BatchRun(started.dag_id, started.run_id) if started else None
    record_deed(place.place, "import_definitions", f"Model {place.model.name}: {message}", run)
    return _answer(report, started, message)


def _start(place: ModelPlace, report: ImportReport, *, is_from_page: bool) -> tuple[BatchStarted | None, str]:
    """Start a batch of the new definitions. They are recorded already, so that a refusal is told and not raised."""
    recorded = "The definitions are recorded; the next batch builds them."
    if len(report.to_build) > MOST_AGGREGATES:
        return None, f"They are more than one request for a batch may name. {recorded}"
    asked = BatchStart(build_type=BuildType.FULL, aggregates=list(report.to_build))
    try:
        started = start_batch(place, asked, is_from_page=is_from_page)
    except (AtScaleAggsError, ProblemError) as error:
        return None, f"{error} {recorded}"
    return started, f"Run `{started.run_id}` of DAG `{started.dag_id}` builds {len(report.to_build):,}."


def _answer(report: ImportReport, started: BatchStarted | None, message: str) -> ImportAnswer:
    return ImportAnswer(
        model=report.model,
        product_version=report.product_version,
        exported_at=report.exported_at,
        counts=dict(report.counts),
        warnings=list(report.warnings),
        definitions=[
            ImportedNode(
                name=definition.name,
                outcome=definition.outcome,
                why=definition.why,
                definition_id=definition.definition_id or None,
            )
            for definition in report.definitions
        ],
        to_build=list(report.to_build),
        run_url=started.run_url if started else None,
        message=message,
    )
