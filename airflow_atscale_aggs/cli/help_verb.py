"""The verb ``help``: what an error or a warning means. Other verbs say here where to read more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.output import print_json, say, show
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.troubleshooting.passages import Passage


@click.command("help", cls=Verb, example="atscale-aggs help refused-join missing-column")
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def help_(ctx: click.Context, /, codes: tuple[str, ...], *, as_json: bool) -> None:
    """Tell what an error or a warning means: what happened, why, and what to do.

    Use it with the code that stands behind a message. Without a code, all codes are listed. With the name of a verb,
    the verb's own help is shown. It needs neither registry nor network.
    """
    from airflow_atscale_aggs.engine.troubleshooting.passages import all_passages

    passages = all_passages()
    verbs = [code for code in codes if code not in passages and _verb(ctx, code) is not None]
    unknown = [code for code in codes if code not in passages and code not in verbs]
    if unknown:
        raise click.UsageError(_unknown(ctx, unknown[0]))
    wanted = [passages[code] for code in codes if code not in verbs]
    if as_json:
        print_json([asdict(passage) for passage in (wanted if codes else passages.values())])
        return
    for code in verbs:
        command = _verb(ctx, code)
        assert command is not None  # noqa: S101 - only verbs that there are
        with click.Context(command, info_name=code, parent=ctx.parent) as of_verb:
            click.echo(command.get_help(of_verb))
    for number, passage in enumerate(wanted):
        _show_passage(passage, is_first=number == 0)
    if not codes:
        _show_codes(passages.values())


def say_more(codes: Iterable[str], *, what: str = "it") -> None:
    """Say on standard error which passages tell more; nothing when there are none."""
    from airflow_atscale_aggs.engine.troubleshooting.passages import help_command, known_codes

    known = [code for code in codes if code in known_codes()]
    if known:
        say(f"More about {what}: {help_command(known)}")


def help_fields(codes: Iterable[str]) -> dict[str, str]:
    """The fields of a JSON document about a failure: its code, and the command that tells more."""
    from airflow_atscale_aggs.engine.troubleshooting.passages import help_command

    known = list(codes)
    return {"code": known[0], "help": help_command(known)}


def _verb(ctx: click.Context, name: str) -> click.Command | None:
    root = ctx.find_root().command
    return root.get_command(ctx, name) if isinstance(root, click.Group) else None


def _unknown(ctx: click.Context, code: str) -> str:
    from airflow_atscale_aggs.engine.errors import did_you_mean, near_names
    from airflow_atscale_aggs.engine.troubleshooting.passages import known_codes

    root = ctx.find_root().command
    verbs = root.list_commands(ctx) if isinstance(root, click.Group) else []
    near = near_names(code, [*known_codes(), *verbs])
    return f"There is no code or verb `{code}`.{did_you_mean(near)} `atscale-aggs help` lists all codes."


def _show_passage(passage: Passage, *, is_first: bool) -> None:
    if not is_first:
        show("")
    show(f"{passage.code}: {passage.sentence}")
    for title, text in (("What", passage.happened), ("Why", passage.reason), ("Do", passage.remedy)):
        indents = f"  {title:5} ", " " * 8
        show(textwrap.fill(text, 100, initial_indent=indents[0], subsequent_indent=indents[1], break_on_hyphens=False))


def _show_codes(passages: Iterable[Passage]) -> None:
    from airflow_atscale_aggs.engine.troubleshooting.passages import SUBJECTS

    listed = list(passages)
    for subject, heading in SUBJECTS.items():
        codes = ", ".join(passage.code for passage in listed if passage.subject == subject)
        show(f"{heading}:")
        show(textwrap.fill(codes, 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
    say("`atscale-aggs help CODE` tells what one means and what to do.")
