"""The verb ``deploy``: it registers the models of a folder of SML, with their definitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, hide_secrets, warehouse_name, workspace
from airflow_atscale_aggs.cli.help_verb import help_fields, say_more
from airflow_atscale_aggs.cli.output import counted, print_json, say, show
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.deploy.check_tables import LookedIn
    from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport
    from airflow_atscale_aggs.engine.model.validation import ModelIssue

_MOST_LINES = 10


@click.command(cls=Verb, example="atscale-aggs deploy models/retail --model retail")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="Deploy this model only.")
@click.option("--verbose", is_flag=True, help="Show every warning.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def deploy(
    ctx: click.Context, /, folder: Path, model: str | None, *, verbose: bool, as_json: bool, **connection: str | None
) -> None:
    """Read a folder of SML, check it, register its models with their user-defined aggregates.

    Use it after every change of the model. The same content again changes nothing; an error in the SML leaves
    everything as it was, and all errors are shown at once. The warehouse is asked for the types of its columns: joins
    that it will refuse are told. Where the catalog says `build_speculative_aggs`, aggregates are defined that the
    model's structure and statistics speak for.
    """
    from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    try:
        with workspace(ctx, connection) as place:
            report = run(place, folder, model=model, now=utc_now())
    except Exception as error:
        if as_json:
            print_json(_failure(error, folder, ctx))
            ctx.find_root().obj["wants_json"] = False
        raise
    if as_json:
        print_json(_document(report))
        return
    _show_warnings(report.issues, verbose=verbose)
    for outcome in report.models:
        state = f"version {outcome.version}" if outcome.is_new_version else f"version {outcome.version}, nothing new"
        show(f"{outcome.model} ({state})")
        for word in ("appeared", "changed", "retired", "unchanged", "left"):
            names = getattr(outcome, word)
            if names:
                show(f"  {word:9} {len(names):4}  {', '.join(names)}")
        if not (outcome.appeared or outcome.changed or outcome.unchanged):
            show("  no user-defined aggregates")
    _show_predictions(report)
    _say_where_tables_are(report.looked_in, warehouse_name(ctx))


def _say_where_tables_are(looked_in: LookedIn, warehouse: str) -> None:
    """Say in which schemas of which warehouse the tables were looked for, and which are not there."""
    if not looked_in.tables or looked_in.missing is None:
        return
    schemas = list(dict.fromkeys(schema or looked_in.schema or "the default one" for _, schema, _ in looked_in.tables))
    where = f"{'schema' if len(schemas) == 1 else 'schemas'} {', '.join(schemas)} of {warehouse}"
    if not looked_in.missing:
        count = len(looked_in.tables)
        say(f"{'The table is' if count == 1 else f'All {count} tables are'} there, in {where}.")
        return
    names = ", ".join(looked_in.names(looked_in.missing)[:_MOST_LINES])
    more = f" and {len(looked_in.missing) - _MOST_LINES} more" if len(looked_in.missing) > _MOST_LINES else ""
    say(
        f"warning: {len(looked_in.missing)} of {counted(len(looked_in.tables), 'table')} are not there: {names}{more}. "
        f"Looked in {where}. Load them before a build; or name another schema in the SML of the connection, or another "
        "warehouse (--warehouse)."
    )


def _show_predictions(report: DeployReport) -> None:
    for prediction in report.predictions:
        show(f"{prediction.model}, predicted")
        for word, names in (("appeared", prediction.appeared), ("kept", prediction.kept)):
            if names:
                show(f"  {word:9} {len(names):4}  {', '.join(names)}")
        for old, new in prediction.giving_way.items():
            show(f"  gives way       {old}: serves until {new} does")
        for name, why in prediction.retired.items():
            show(f"  retired         {name}: {why}")
        for note in prediction.notes:
            say(f"warning: {note}")


def _show_warnings(issues: tuple[ModelIssue, ...], *, verbose: bool) -> None:
    """Print all warnings if they are few; otherwise the number of each kind with its first warning."""
    if verbose or len(issues) <= _MOST_LINES:
        for issue in issues:
            say(f"warning: {issue}")
        say_more(dict.fromkeys(issue.code for issue in issues), what="them")
        return
    kinds: dict[str, list[ModelIssue]] = {}
    for issue in issues:
        kinds.setdefault(issue.code, []).append(issue)
    by_number = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    for code, issues_of_kind in by_number[: _MOST_LINES - 1]:
        say(
            f"warning: {len(issues_of_kind)} {code}, {'the first' if len(issues_of_kind) > 1 else 'namely'}: "
            f"{issues_of_kind[0]}"
        )
    say(f"warning: {len(issues)} warnings of {counted(len(kinds), 'kind')}; --verbose shows all")
    say_more((code for code, _ in by_number[: _MOST_LINES - 1]), what="them")


def _failure(error: Exception, folder: Path, ctx: click.Context) -> dict[str, object]:
    """The document about a failed deployment. The sentence for people goes to standard error as well."""
    from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of

    issues = getattr(error, "issues", ())
    return {
        "folder": str(folder),
        "error": hide_secrets(str(error), ctx.find_root().obj),
        **help_fields(codes_of(error)),
        "errors": [_issue(issue) for issue in issues if issue.is_error],
        "warnings": [_issue(issue) for issue in issues if not issue.is_error],
    }


def _issue(issue: ModelIssue) -> dict[str, object]:
    return {"file": issue.file, "line": issue.line, "code": issue.code, "message": issue.message}


def _document(report: DeployReport) -> dict[str, object]:
    return {
        "folder": report.folder,
        "models": [
            {
                "model": outcome.model,
                "model_id": outcome.model_id,
                "version": outcome.version,
                "is_new_version": outcome.is_new_version,
                "appeared": outcome.appeared,
                "changed": outcome.changed,
                "retired": outcome.retired,
                "unchanged": outcome.unchanged,
                "left": outcome.left,
            }
            for outcome in report.models
        ],
        "predictions": [
            {
                "model": prediction.model,
                "appeared": prediction.appeared,
                "kept": prediction.kept,
                "retired": prediction.retired,
                "giving_way": prediction.giving_way,
                "notes": prediction.notes,
            }
            for prediction in report.predictions
        ],
        "warnings": [_issue(issue) for issue in report.issues],
        "looked_in": {
            "schema": report.looked_in.schema,
            "tables": report.looked_in.names(report.looked_in.tables),
            "missing": None if report.looked_in.missing is None else report.looked_in.names(report.looked_in.missing),
        },
    }
