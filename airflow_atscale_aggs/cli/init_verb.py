"""The verb ``init``: a first model, from nothing but the tables of a warehouse."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, open_only_warehouse, repeat_options
from airflow_atscale_aggs.cli.output import counted, print_json, say, show, visible
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.discovery.proposal import Proposal
    from airflow_atscale_aggs.engine.discovery.references import Question, Reference

_MOST_LEFT_OUT = 12


@click.command(cls=Verb, example="atscale-aggs init models/shop --from-schema sales --yes")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--from-schema", metavar="NAME", default="", help="Where the tables are.  [the session's own schema]")
@click.option("--tables", metavar="PATTERN", multiple=True, help="Only such tables, as `dim_*`; may be repeated.")
@click.option("--exclude", metavar="PATTERN", multiple=True, help="No such tables; may be repeated.")
@click.option("--fact", "facts", metavar="TABLE", multiple=True, help="This is a fact, and what is not named is none.")
@click.option("--model", metavar="NAME", help="The model's name.  [the folder's]")
@click.option("--sample", metavar="ROWS", type=click.IntRange(1000), help="Sample bigger tables.  [100000]")
@click.option("--orphans", metavar="SHARE", type=click.FloatRange(0, 1), help="Rows that may lead nowhere.  [0.25]")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; what is ambiguous is left out and told.")
@click.option("--dry-run", is_flag=True, help="Show the proposal; write nothing.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty; replaces only files of init.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposal as one JSON document; asks nothing.")
@connection_options
@click.pass_context
def init(ctx: click.Context, /, folder: Path, *, yes: bool, dry_run: bool, as_json: bool, **options: Any) -> int:
    """Look at the tables of a warehouse, propose a model, and write it as SML with comments of why.

    Use it to begin, when there is no model yet. Facts, dimensions, hierarchies and metrics are found by names and types
    and proven by the data: keys over all rows, relationships by the values that are found, levels by counting. It only
    reads. docs/init.md tells what it looks at.
    """
    from airflow_atscale_aggs.engine.lifecycle.discover.model_files import check_target

    asks = not (yes or dry_run or as_json)
    if asks and not sys.stdin.isatty():
        message = "there is no terminal to ask in; add --yes to write what is proposed, or --dry-run to see it"
        raise click.UsageError(message, ctx)
    if not dry_run:
        check_target(folder, force=options["force"])
    texts: dict[str, str] = {}
    try:
        proposal = _agree(ctx, folder, options, (asks, dry_run, as_json))
        if proposal is None:
            say("Nothing was written.")
            return 0
        gone = _write(folder, proposal, texts, force=options["force"])
    except (KeyboardInterrupt, click.exceptions.Abort):
        from airflow_atscale_aggs.engine.lifecycle.discover.model_files import is_written

        done = f"The model is in {folder}." if is_written(folder, texts) else "Nothing was written."
        say(f"Interrupted. {done}")
        return 130
    _tell_next(ctx, folder, proposal, (len(texts), gone))
    return 0


def _agree(
    ctx: click.Context, folder: Path, options: dict[str, Any], chosen: tuple[bool, bool, bool]
) -> Proposal | None:
    """Look, show what is proposed, and ask whether it is to be written; None: it is not."""
    asks, dry_run, as_json = chosen
    proposal = _look(ctx, folder, options, asks=asks)
    if as_json:
        from airflow_atscale_aggs.engine.discovery.proposal_document import proposal_document

        print_json(proposal_document(proposal))
    else:
        _show(proposal)
    question = f"Write this model into {visible(str(folder))}?"
    is_wanted = not dry_run and (not asks or click.confirm(question, default=True, err=True))
    return proposal if is_wanted else None


def _look(ctx: click.Context, folder: Path, options: dict[str, Any], *, asks: bool) -> Proposal:
    """Ask the warehouse. Ctrl-C cancels what runs there."""
    from airflow_atscale_aggs.cli.interruption import Interruptible
    from airflow_atscale_aggs.engine.lifecycle.discover.discover import (
        DEFAULT_SAMPLE,
        MOST_ORPHANS,
        DiscoverRequest,
        discover,
        leave_out,
    )

    connection = {name: options[name] for name in ("registry", "warehouse", "schema")}
    request = DiscoverRequest(
        model=options["model"] or _model_name(folder),
        schema=options["from_schema"],
        include=options["tables"],
        exclude=options["exclude"],
        facts=options["facts"],
        sample=options["sample"] or DEFAULT_SAMPLE,
        most_orphans=MOST_ORPHANS if options["orphans"] is None else options["orphans"],
        answer=_ask if asks else leave_out,
        listen=_Progress(),
    )
    warehouse = open_only_warehouse(ctx, connection)
    with Interruptible(warehouse.cancel_all, _end_at_once, patience=2.0) as interruptible:
        try:
            return discover(warehouse, request)
        finally:
            _Progress.end()
            warehouse.close()
            interruptible.check()


def _end_at_once() -> None:
    """End the process while it looks: a warehouse that does not even answer to that is not waited for."""
    import os

    say("Interrupted. Nothing was written.")
    os._exit(130)


class _Progress:
    """Steps on standard error: one line that changes in a terminal, a line per table in a log."""

    def __call__(self, step: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{visible(step)[:100]}", err=True, nl=False)
        elif step[:1].isdigit():
            say(step)

    @staticmethod
    def end() -> None:
        """Take the line down."""
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)


def _ask(question: Question) -> Reference | None:
    """Which table a column refers to, where nothing decides."""
    _Progress.end()
    say(f"{question.table}.{question.column} may refer to several tables:")
    for number, option in enumerate(question.options, 1):
        say(f"  {number}  {option.target}: {option.reason}")
    say("  0  none of them")
    choice = click.prompt("Which one", type=click.IntRange(0, len(question.options)), default=0, err=True)
    return question.options[choice - 1] if choice else None


def _model_name(folder: Path) -> str:
    """The folder's name as a name that queries can say without quotes."""
    name = re.sub(r"\W+", "_", folder.resolve().name.casefold()).strip("_")
    return f"model_{name}" if not name or name[0].isdigit() else name


def _show(proposal: Proposal) -> None:
    show(f"Facts of {proposal.model}")
    for table, reason in proposal.facts.items():
        show(f"  {table} ({counted(proposal.tables[table].rows, 'row')}): {reason}")
    show("Dimensions")
    for dimension in proposal.dimensions:
        ways = "; ".join(" > ".join(hierarchy.levels) for hierarchy in dimension.hierarchies)
        show(f"  {dimension.name}: {ways}")
    show("Relationships")
    edges = (*proposal.relationships, *(edge for edges in proposal.embedded.values() for edge in edges))
    for edge in dict.fromkeys(edges):
        found = edge.reference
        role = f" as {edge.role_play.format(edge.dimension)}" if edge.role_play else ""
        show(f"  {found.origin} -> {found.target}{role}: {found.reason}")
    show("Metrics")
    for metric in proposal.metrics:
        show(f"  {metric.name}: {metric.method} of {metric.table}.{metric.column}; {metric.reason}")
    _show_left_out(proposal)


def _show_left_out(proposal: Proposal) -> None:
    for question in proposal.questions:
        options = " or ".join(option.target for option in question.options)
        say(f"undecided: {question.table}.{question.column} may refer to {options}; run init in a terminal to choose")
    for entry in proposal.left_out[:_MOST_LEFT_OUT]:
        say(f"left out: {entry.what}: {entry.reason}")
    if len(proposal.left_out) > _MOST_LEFT_OUT:
        say(f"left out: {len(proposal.left_out) - _MOST_LEFT_OUT} more; the model's file and --json have all")


def _write(folder: Path, proposal: Proposal, texts: dict[str, str], *, force: bool) -> tuple[str, ...]:
    """Write the files, all or none; which ones of an earlier run were taken away.

    Args:
        texts: gets the text of each file before the first one is written.
    """
    from airflow_atscale_aggs.cli.interruption import Interruptible
    from airflow_atscale_aggs.engine.discovery.sml_documents import make_documents
    from airflow_atscale_aggs.engine.lifecycle.discover.model_files import write_files

    # SIGTERM leaves as little behind as Ctrl-C.
    with Interruptible(lambda: None):
        texts.update(make_documents(proposal))
        return write_files(folder, texts, force=force)


def _tell_next(ctx: click.Context, folder: Path, proposal: Proposal, written: tuple[int, tuple[str, ...]]) -> None:
    """Tell what was written, and what to run next."""
    number, gone = written
    say(f"Wrote {counted(number, 'file')} into {folder}.")
    if gone:
        say(f"Took away {counted(len(gone), 'file')} of an earlier init: {', '.join(gone)}")
    same = repeat_options(ctx)
    say("Next:")
    if "$ATSCALE_AGGS" in same:
        say("  (the variables stand for the URLs that you gave, which hold a password: export them first)")
    for command in (
        f"deploy {_shell(str(folder))}",
        f"build {proposal.model}",
        f"query {_shell(_example_query(proposal))}",
        f"recommend {proposal.model} --from-structure",
    ):
        say(f"  atscale-aggs {command}{same}")


def _example_query(proposal: Proposal) -> str:
    """A question that the first aggregates answer: a sum by time, else by the coarsest level that its fact reaches."""
    metric = next((entry for entry in proposal.metrics if entry.method == "sum"), proposal.metrics[0])
    dimensions = {dimension.name: dimension for dimension in proposal.dimensions}
    columns = [
        (dimensions[edge.dimension].is_time, edge.role_play, dimensions[edge.dimension].hierarchies[0].levels[0])
        for edge in proposal.relationships
        if edge.reference.table == metric.table
    ]
    columns += [
        (dimension.is_time, "", dimension.hierarchies[0].levels[0])
        for dimension in proposal.dimensions
        if dimension.is_degenerate and dimension.table == metric.table
    ]
    if not columns:
        return f'SELECT "{metric.name}" FROM {proposal.model}'
    _, template, level = max(columns, key=lambda column: column[0])
    name = template.format(level) if template else level
    return f'SELECT "{name}", "{metric.name}" FROM {proposal.model} ORDER BY 1'


def _shell(text: str) -> str:
    import shlex

    return shlex.quote(text)
