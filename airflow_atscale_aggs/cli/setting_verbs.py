"""The verbs ``settings`` and ``registry``."""

from __future__ import annotations

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, registry_alone, registry_url
from airflow_atscale_aggs.cli.output import print_json, say, show
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb, VerbGroup


@click.group(cls=VerbGroup, example="atscale-aggs settings set aggregates.batch.max.failures 2 --model retail")
def settings() -> None:
    """Settings under the product's keys; a model's own value wins over the one for all models.

    Use them to change how batches are built: attempts, failures tolerated, builds at the same time, queue order.
    """


@settings.command("list", cls=Verb, example="atscale-aggs settings list --model retail")
@click.option("--model", metavar="M", help="The values in force for this model.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def list_settings(ctx: click.Context, /, model: str | None, *, as_json: bool, **connection: str | None) -> None:
    """Show every setting with its value and default.

    Use it to find the key to set, and to see what is in force for a model.
    """
    from airflow_atscale_aggs.engine.lifecycle.settings_in_force import settings_in_force
    from airflow_atscale_aggs.engine.settings import WITHOUT_EFFECT, Settings, describe_settings

    with registry_alone(ctx, connection) as opened:
        model_id = opened.read.models.get(model).id if model else ""
        rows = describe_settings(settings_in_force(opened.read, Settings(), model_id))
    if as_json:
        print_json(
            [{"key": key, "value": value, "default": default, "meaning": text} for key, value, default, text in rows]
        )
        return
    idle = [(key, "", "", f"has no effect: {why}") for key, why in WITHOUT_EFFECT.items()]
    print_table(("key", "value", "default", "meaning"), [*((k, str(v), str(d), m) for k, v, d, m in rows), *idle])


@settings.command("set", cls=Verb, example="atscale-aggs settings set aggregates.batch.maxConcurrentBuilds 2")
@click.argument("key")
@click.argument("value")
@click.option("--model", metavar="M", help="For this model only.")
@connection_options
@click.pass_context
def set_setting(ctx: click.Context, /, key: str, value: str, model: str | None, **connection: str | None) -> None:
    """Set a setting for all models, or for one.

    Use it when the default does not suit; it is kept in the registry and is in force from the next batch on.
    """
    from airflow_atscale_aggs.engine.settings import Settings, find_setting_key, why_without_effect

    why = why_without_effect(key)
    if why:
        say(f"{key} has no effect here: {why}. Nothing was set.")
        return
    key = find_setting_key(key)
    Settings().with_values({key: value})
    with registry_alone(ctx, connection) as opened:
        opened.settings.put(opened.read.models.get(model).id if model else None, key, value)
    say(f"{key} is {value}{f' for model {model}' if model else ''}.")


@settings.command("unset", cls=Verb, example="atscale-aggs settings unset aggregates.batch.maxConcurrentBuilds")
@click.argument("key")
@click.option("--model", metavar="M", help="Of this model only.")
@connection_options
@click.pass_context
def unset_setting(ctx: click.Context, /, key: str, model: str | None, **connection: str | None) -> None:
    """Forget a setting; the default, or the value for all models, is in force again.

    Use it to take `settings set` back.
    """
    from airflow_atscale_aggs.engine.settings import find_setting_key

    key = find_setting_key(key)
    with registry_alone(ctx, connection) as opened:
        was_set = opened.settings.delete(opened.read.models.get(model).id if model else None, key)
    say(f"{key} {'is unset' if was_set else 'was not set'}.")


@click.group(cls=VerbGroup, example="atscale-aggs registry upgrade")
def registry() -> None:
    """The registry is our own memory, in SQLite or PostgreSQL.

    Use it after an upgrade of this program, when a command says that the schema version is not the one it needs.
    """


@registry.command("upgrade", cls=Verb, example="atscale-aggs registry upgrade --registry sqlite:///atscale_aggs.sqlite")
@connection_options
@click.pass_context
def upgrade(ctx: click.Context, /, **connection: str | None) -> None:
    """Make the schema, or bring it to this program's version; nothing is lost.

    Use it once after an upgrade of this program. An empty registry is made by any verb.
    """
    from airflow_atscale_aggs.engine.registry.connection import upgrade_registry

    version = upgrade_registry(registry_url(ctx, connection))
    say(f"The registry has schema version {version}.")


@registry.command("version", cls=Verb, example="atscale-aggs registry version")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def version(ctx: click.Context, /, *, as_json: bool, **connection: str | None) -> None:
    """Show the schema version; an error when it is not this program's.

    Use it in scripts, to check a registry before a deployment.
    """
    from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
    from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION

    database = RegistryDatabase(registry_url(ctx, connection))
    try:
        is_there = database.check_version()
    finally:
        database.dispose()
    if as_json:
        print_json({"registry": database.name, "version": SCHEMA_VERSION if is_there else None})
        return
    show(SCHEMA_VERSION if is_there else "empty")
