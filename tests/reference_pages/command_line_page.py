"""The page of the command line, from its verbs."""

from __future__ import annotations

import inspect
import re
from typing import Any

import click

from airflow_atscale_aggs.cli.connection_options import DEFAULT_REGISTRY, DEFAULT_WAREHOUSE
from airflow_atscale_aggs.cli.main import cli
from tests.reference_pages.markdown import code, page, sentence, table

_EVERYWHERE = {"registry", "warehouse", "schema", "help"}
_ENVIRONMENT = re.compile(r"\s*\[env (?P<variable>[A-Z_]+)(?:; (?P<default>[^\]]*))?\]")

_HEAD = f"""
Results go to standard output, everything else to standard error. Exit codes are 0 done, 1 failed, 2 wrong usage,
130 interrupted. `--json` prints one JSON document, also about a failure: `error`, its `code`, and in `help` the command
that tells more. [Troubleshooting](../troubleshooting.md) has all codes.

## Options of every verb

They may stand before or after the verb.

| option | environment | default | meaning |
|---|---|---|---|
| `--registry URL` | `ATSCALE_AGGS_REGISTRY` | `{DEFAULT_REGISTRY}` | Our own memory: `sqlite:///FILE` or `postgresql+psycopg://…` |
| `--warehouse URL` | `ATSCALE_AGGS_WAREHOUSE` | `{DEFAULT_WAREHOUSE}` | Where the facts are ([warehouses](../warehouses.md)) |
| `--schema NAME` | `ATSCALE_AGGS_SCHEMA` | the warehouse's default schema | Schema of aggregate tables and views; made when missing |
| `--debug` | `ATSCALE_AGGS_DEBUG` | | Before the verb: show tracebacks |
| `-h`, `--help` | | | Help on the program or the verb |
"""


def command_line_page() -> str:
    """Every verb with its help, arguments, options, environment variables and example."""
    assert isinstance(cli, click.Group)
    root = click.Context(cli, info_name="atscale-aggs")
    verbs = [(name, cli.get_command(root, name)) for name in cli.list_commands(root)]
    parts = [_HEAD]
    for name, command in verbs:
        assert command is not None
        parts += _verb(command, name, root, level=2)
    return page("The command line", "the verbs in `airflow_atscale_aggs/cli/`", *parts)


def _verb(command: click.Command, name: str, parent: click.Context, *, level: int) -> list[str]:
    with click.Context(command, info_name=name, parent=parent) as ctx:
        path = ctx.command_path.removeprefix("atscale-aggs ")
        parts = [f"{'#' * level} {path}", _help(command)]
        if isinstance(command, click.Group):
            for inner in command.list_commands(ctx):
                found = command.get_command(ctx, inner)
                assert found is not None
                parts += _verb(found, inner, ctx, level=level + 1)
            return parts
        usage = " ".join((ctx.command_path, *command.collect_usage_pieces(ctx)))
        parts.append(f"```text\n{usage}\n```")
        options = [_option(option) for option in command.params if isinstance(option, click.Option)]
        parts.append(table(("option", "default", "meaning"), [option for option in options if option]))
        example = getattr(command, "example", "")
        if example:
            parts.append(f"For example:\n\n```bash\n{example}\n```")
    return parts


def _help(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "")
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _option(option: click.Option) -> tuple[str, str, str] | None:
    if option.name in _EVERYWHERE or option.hidden:
        return None
    spelled = " / ".join((*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag else option.metavar or _kind(option.type)
    meaning, default = option.help or "", ""
    found = _ENVIRONMENT.search(meaning)
    if found:
        default = f"env `{found['variable']}`" + (f"; {found['default']}" if found["default"] else "")
        meaning = _ENVIRONMENT.sub("", meaning)
    elif not option.is_flag and not option.multiple and _is_said(option.default):
        default = code(str(option.default))
    elif option.secondary_opts:
        default = code(option.opts[0] if option.default else option.secondary_opts[0])
    return code(f"{spelled} {kind}".strip()), default, sentence(meaning)


def _is_said(default: object) -> bool:
    """A default that a person may see: none that is empty, and no mark of click's for "nothing was given"."""
    return isinstance(default, (int, float)) or (isinstance(default, str) and bool(default))


def _kind(kind: Any) -> str:
    return (
        "|".join(map(str, kind.choices)) if isinstance(kind, click.Choice) else kind.name.upper().replace(" RANGE", "")
    )
