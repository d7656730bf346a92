"""The verbs ``export`` and ``import``: they carry system-defined definitions to another system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, say
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
    from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import ImportReport
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace


@click.command(cls=Verb, example="atscale-aggs export retail retail_definitions.json")
@click.argument("model")
@click.argument("file")
@connection_options
@click.pass_context
def export(ctx: click.Context, /, model: str, file: str, **connection: str | None) -> None:
    """Write the system-defined definitions of a model to a JSON file, with statistics and the reason of each.

    Use it to take what one system has learnt to another one with the same model. FILE is a path, or a URL such as
    s3://bucket/retail.json. User-defined aggregates are part of the model and are not in it.
    """
    from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        exported = export_definitions(place, model, now=utc_now())
    _write_file(file, exported.data)
    what = f"{counted(exported.definitions, 'definition')} of {exported.model}"
    say(f"Exported {what} to {file} ({len(exported.data):,} bytes).")


@click.command("import", cls=Verb, example="atscale-aggs import retail retail_definitions.json --no-build")
@click.argument("model")
@click.argument("file")
@click.option("--no-build", is_flag=True, help="Only record them; the next batch builds them.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def import_(
    ctx: click.Context, /, model: str, file: str, *, no_build: bool, as_json: bool, **connection: str | None
) -> int:
    """Define here what `export` wrote on another system, and build it at once in a batch of its own.

    Use it where the same model (the same ModelID) is deployed, of the same version of this program or a newer one. What
    exists already is told as a duplicate and left alone, so the same file may be imported again.
    """
    from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import import_definitions
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    data = _read_file(file)
    with workspace(ctx, connection) as place:
        report = import_definitions(place, model, data, where=file, now=utc_now())
        if not as_json:
            _show(report)
        built, failure = None, ""
        if report.to_build and not no_build:
            built, failure = _build(place, report, as_json=as_json)
    if as_json:
        print_json(_document(report, built))
    elif report.to_build and no_build:
        say(f"{counted(len(report.to_build), 'waits', 'wait')} for the next batch: atscale-aggs build {report.model}")
    if failure:
        say(f"Error: {failure}")
    return 1 if failure else 0


def _build(place: Workspace, report: ImportReport, *, as_json: bool) -> tuple[BatchReport | None, str]:
    """Build the imported definitions in a batch of their own; (the report, the reason of a failure)."""
    from airflow_atscale_aggs.cli.list_verbs import print_instances
    from airflow_atscale_aggs.cli.progress import BuildProgress
    from airflow_atscale_aggs.engine.errors import BatchFailedError, BatchHeldError
    from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
    from airflow_atscale_aggs.engine.lifecycle.workspace import process_owner

    request = BatchRequest(aggregates=report.to_build)
    with BuildProgress(is_silent=as_json) as progress:
        try:
            built = run_batch(place, report.model, owner=process_owner(), request=request, on_event=progress)
        except BatchHeldError as error:
            return None, f"{error} The definitions are recorded; the next batch builds them."
        except BatchFailedError as error:
            return None, str(error)
    if not as_json:
        print_instances(built.instances)
    return built, ""


def _show(report: ImportReport) -> None:
    """Print each definition with its outcome."""
    for warning in report.warnings:
        say(f"warning: {warning}")
    if report.definitions:
        print_table(
            ("aggregate", "outcome", "why"),
            [(definition.name, definition.outcome, definition.why) for definition in report.definitions],
        )
    numbers = ", ".join(f"{number:,} {outcome}" for outcome, number in report.counts.items())
    say(f"{counted(len(report.definitions), 'definition')} in the file{f': {numbers}' if numbers else ''}.")


def _document(report: ImportReport, built: BatchReport | None) -> dict[str, Any]:
    return {
        "model": report.model,
        "model_id": report.model_id,
        "product_version": report.product_version,
        "exported_at": report.exported_at,
        "counts": report.counts,
        "warnings": report.warnings,
        "to_build": report.to_build,
        "batch_id": built.batch.id if built else None,
        "definitions": [
            {
                "name": definition.name,
                "outcome": definition.outcome,
                "why": definition.why,
                "definition_id": definition.definition_id or None,
            }
            for definition in report.definitions
        ],
    }


def _read_file(file: str) -> bytes:
    """Read the file up to one byte more than is allowed, which is enough to show that it is too large."""
    from airflow_atscale_aggs.engine.aggregates.exported import MOST_BYTES

    if "://" not in file:
        try:
            with Path(file).open("rb") as opened:
                return opened.read(MOST_BYTES + 1)
        except OSError as error:
            raise click.ClickException(f"{file} cannot be read: {error.strerror or error}.") from error
    import fsspec

    with fsspec.open(file, "rb") as opened:
        return bytes(opened.read(MOST_BYTES + 1))


def _write_file(file: str, data: bytes) -> None:
    """Write the file completely or not at all."""
    if "://" not in file:
        part_file = Path(f"{file}.{os.getpid()}.part")
        try:
            part_file.write_bytes(data)
            part_file.replace(file)
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror or error}.") from error
        finally:
            part_file.unlink(missing_ok=True)
        return
    import fsspec

    with fsspec.open(file, "wb") as opened:
        opened.write(data)
