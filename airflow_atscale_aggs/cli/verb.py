"""Commands whose help shows when to use them, with an example to copy. Mistyped verbs get similar names."""

from __future__ import annotations

from typing import Any

import click


class Verb(click.Command):
    """A command whose help shows an example."""

    def __init__(self, *args: Any, example: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.example = example

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example, then the options."""
        write_example(formatter, "Example", self.example)
        super().format_options(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. Whether a program reads the output is remembered for the message about a failure."""
        wants_json = bool(ctx.params.get("as_json")) or ctx.params.get("form") == "json"
        ctx.ensure_object(dict)["wants_json"] = wants_json
        return super().invoke(ctx)


class VerbGroup(click.Group):
    """A command with sub-commands, whose help shows an example and which knows near names."""

    def __init__(self, *args: Any, example: str, example_title: str = "Example", **more: Any) -> None:
        super().__init__(*args, **more)
        self.example, self.example_title = example, example_title

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example, then options and sub-commands."""
        write_example(formatter, self.example_title, self.example)
        super().format_options(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The sub-command that is meant.

        Raises:
            click.UsageError: there is none of that name; tells near ones.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from airflow_atscale_aggs.engine.errors import did_you_mean, near_names

            hint = did_you_mean(near_names(args[0], self.list_commands(ctx)))
            raise click.UsageError(f"{error.message}{hint}", ctx) from None


def write_example(formatter: click.HelpFormatter, title: str, example: str) -> None:
    """Write the example's lines unchanged, since wrapped commands cannot be copied."""
    with formatter.section(title):
        for line in example.splitlines():
            formatter.write(f"{' ' * formatter.current_indent}{line}\n")
