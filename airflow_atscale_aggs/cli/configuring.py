"""``settings`` and ``registry``."""

from __future__ import annotations

import click

from airflow_atscale_aggs.cli.connecting import DEFAULT_REGISTRY, connection_options, remember_connection, workspace
from airflow_atscale_aggs.cli.output import print_json, print_table, say


@click.group(short_help="Show, set or unset settings, for all models or one.")
def settings() -> None:
    r"""Settings under the product's keys; a model's own value wins over the one for all models.

    \b
    Example:
      atscale-aggs settings set aggregates.batch.max.failures 2 --model retail
    """


@settings.command("list")
@click.option("--model", metavar="M", help="The values in force for this model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def list_settings(ctx: click.Context, /, model: str | None, *, as_json: bool, **connection: str | None) -> None:
    r"""Show every setting with its value and default.

    \b
    Example:
      atscale-aggs settings list --model retail
    """
    from airflow_atscale_aggs.engine.settings import describe_settings

    with workspace(ctx, connection) as place:
        model_id = place.registry.model(model).id if model else ""
        rows = describe_settings(place.settings_of(model_id))
    if as_json:
        print_json(
            [{"key": key, "value": value, "default": default, "meaning": text} for key, value, default, text in rows]
        )
        return
    print_table(("key", "value", "default", "meaning"), [(k, str(v), str(d), m) for k, v, d, m in rows])


@settings.command("set")
@click.argument("key")
@click.argument("value")
@click.option("--model", metavar="M", help="For this model only.")
@connection_options
@click.pass_context
def set_setting(ctx: click.Context, /, key: str, value: str, model: str | None, **connection: str | None) -> None:
    r"""Set a setting for all models, or for one.

    \b
    Example:
      atscale-aggs settings set aggregates.batch.maxConcurrentBuilds 2
    """
    from airflow_atscale_aggs.engine.settings import Settings

    Settings().with_values({key: value})
    with workspace(ctx, connection) as place:
        place.registry.put_setting(place.registry.model(model).id if model else None, key, value)
    say(f"{key} is {value}{f' for model {model}' if model else ''}.")


@settings.command("unset")
@click.argument("key")
@click.option("--model", metavar="M", help="Of this model only.")
@connection_options
@click.pass_context
def unset_setting(ctx: click.Context, /, key: str, model: str | None, **connection: str | None) -> None:
    r"""Forget a setting; the default, or the value for all models, is in force again.

    \b
    Example:
      atscale-aggs settings unset aggregates.batch.maxConcurrentBuilds
    """
    with workspace(ctx, connection) as place:
        was_set = place.registry.delete_setting(place.registry.model(model).id if model else None, key)
    say(f"{key} {'is unset' if was_set else 'was not set'}.")


@click.group(short_help="Show or upgrade the registry's schema version.")
def registry() -> None:
    r"""The registry is our own memory, in SQLite or PostgreSQL.

    \b
    Example:
      atscale-aggs registry upgrade
    """


@registry.command("upgrade")
@connection_options
@click.pass_context
def upgrade(ctx: click.Context, /, **connection: str | None) -> None:
    r"""Make the schema, or bring it to this program's version; nothing is lost.

    \b
    Example:
      atscale-aggs registry upgrade --registry sqlite:///atscale_aggs.sqlite
    """
    from airflow_atscale_aggs.engine.registry.connection import upgrade_registry

    version = upgrade_registry(_registry_url(ctx, connection))
    say(f"The registry has schema version {version}.")


@registry.command("version")
@connection_options
@click.pass_context
def version(ctx: click.Context, /, **connection: str | None) -> None:
    r"""Show the schema version; an error when it is not this program's.

    \b
    Example:
      atscale-aggs registry version
    """
    from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
    from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION

    database = RegistryDatabase(_registry_url(ctx, connection))
    try:
        is_there = database.check_version()
    finally:
        database.dispose()
    click.echo(SCHEMA_VERSION if is_there else "empty")


def _registry_url(ctx: click.Context, /, connection: dict[str, str | None]) -> str:
    import os

    remember_connection(ctx, connection)
    chosen = ctx.find_root().obj.get("registry")
    return chosen or os.environ.get("ATSCALE_AGGS_REGISTRY") or DEFAULT_REGISTRY
