"""The verb ``tell``: other tools learn of a model's aggregates."""

from __future__ import annotations

from pathlib import Path

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, say
from airflow_atscale_aggs.cli.verb import Verb


@click.command(cls=Verb, example="atscale-aggs tell dbt retail ../dbt/aggregates")
@click.argument("tool", type=click.Choice(["dbt", "lightdash", "lookml", "ossie"]))
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--explore", "explores", multiple=True, metavar="FACT=NAME", help="What the tool calls a fact.")
@click.option("--datagroup", default="atscale_aggs", show_default=True, help="Datagroup of Looker.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def tell(
    ctx: click.Context, /, tool: str, model: str, out: Path, *, as_json: bool, **options: str | tuple[str, ...] | None
) -> None:
    """Write files about the aggregates that serve, for another tool that can use them.

    dbt: a package with a source, a model and an exposure for each stable view. lightdash: pre-aggregates. lookml: an
    `aggregate_table` for each aggregate, and a view on each stable view. ossie: a semantic model. The same aggregates
    give the same files; a file that somebody changed is never replaced.
    """
    from airflow_atscale_aggs.engine.lifecycle.transfer.tell_aggregates import TellingWish, tell_aggregates

    explores = _pairs(options.pop("explores"))
    wish = TellingWish(explores=explores, datagroup=_identifier(str(options.pop("datagroup")), "--datagroup"))
    connection = {name: value for name, value in options.items() if not isinstance(value, tuple)}
    with workspace(ctx, connection) as place:
        files = tell_aggregates(place, model, tool, out, wish)
    if as_json:
        print_json({"model": model, "tool": tool, "folder": str(out), "files": files})
    else:
        say(f"Wrote {counted(len(files), 'file')} for {tool} to {out}.")


def _pairs(texts: object) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts if isinstance(texts, tuple) else ():
        fact, sign, name = str(text).partition("=")
        if not (fact and sign and name):
            raise click.BadParameter(f"`{text}` is not FACT=NAME", param_hint="--explore")
        pairs[fact] = _identifier(name, "--explore")
    return pairs


def _identifier(name: str, option: str) -> str:
    if not name.isascii() or not name.isidentifier():
        raise click.BadParameter(f"`{name}` must be letters, digits and underscores", param_hint=option)
    return name
