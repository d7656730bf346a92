"""The verb ``user``: who may connect to ``serve``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, registry_alone, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, say
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb, VerbGroup

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

_LONGEST_NAME = 63


@click.group(cls=VerbGroup, example="atscale-aggs user add ann --model retail")
def user() -> None:
    """People and tools that connect to `atscale-aggs serve`.

    Use it before others connect: each has a password, and sees all models or those that are named.
    """


@user.command("add", cls=Verb, example="atscale-aggs user add ann --model retail")
@click.argument("name")
@click.option(
    "--model",
    "models",
    metavar="M",
    multiple=True,
    help="A model that the user sees; may be given several times. Without it, all models, also later ones.",
)
@click.option(
    "--warehouse-role",
    metavar="ROLE",
    default="",
    help="PostgreSQL as the warehouse: the role whose rights count for the user's queries.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@connection_options
@click.pass_context
def add(
    ctx: click.Context,
    /,
    name: str,
    models: tuple[str, ...],
    warehouse_role: str,
    *,
    password_stdin: bool,
    **connection: str | None,
) -> None:
    """Add a user, or give one another password and other models.

    Use it for each person or tool that connects. The password is not kept: what is kept proves it, and nobody can sign
    in with that. Of a user who is there already nothing stays: name models and role again with the new password.

    With --warehouse-role, the connection of `serve` must be a member of the role. Where the role may not read an
    aggregate, the facts answer, where it may read those. Grant it only aggregates of which it may see all rows.
    """
    try:
        from airflow_atscale_aggs.server.passwords import make_verifier
    except ImportError as error:
        message = f"`user` needs more packages ({error}): pip install 'airflow-atscale-aggs[serve]'"
        raise click.ClickException(message) from error
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    if not name or len(name.encode()) > _LONGEST_NAME:
        message = f"A name has at least one character, and at most {_LONGEST_NAME} bytes."
        raise click.ClickException(message)
    with workspace(ctx, connection) as opened:
        _check_role(opened, warehouse_role)
        ids = {opened.read.models.get(model).id for model in models}
        is_known = opened.read.users.find(name) is not None
        verifier = make_verifier(_read_password(name, from_input=password_stdin)).encode()
        opened.registry.users.put(name, verifier, ids if models else None, now=utc_now(), warehouse_role=warehouse_role)
    what = counted(len(ids), "model") if models else "all models"
    role = f", as role `{warehouse_role}` of the warehouse" if warehouse_role else ""
    say(f"User `{name}` {'has a new password and sees' if is_known else 'may connect, and sees'} {what}{role}.")


def _check_role(opened: Workspace, role: str) -> None:
    """Take the role once. Raises WarehouseError: it cannot be taken."""
    from airflow_atscale_aggs.engine.warehouse.assumed_roles import as_role

    if role:
        with opened.warehouse.session() as session, as_role(session, role):
            pass


@user.command("list", cls=Verb, example="atscale-aggs user list")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def list_users(ctx: click.Context, /, *, as_json: bool, **connection: str | None) -> None:
    """Show who may connect, and what they see.

    Use it to find users who are to be removed.
    """
    with registry_alone(ctx, connection) as registry:
        names = {record.id: record.name for record in registry.read.models.all()}
        rows = [
            (
                found.name,
                None if found.model_ids is None else sorted(names[model_id] for model_id in found.model_ids),
                found.warehouse_role,
            )
            for found in registry.read.users.all()
        ]
    if as_json:
        print_json([{"name": name, "models": models, "warehouse_role": role} for name, models, role in rows])
        return
    print_table(
        ("name", "models", "warehouse role"),
        [(name, "all" if models is None else ", ".join(models), role) for name, models, role in rows],
    )


@user.command("remove", cls=Verb, example="atscale-aggs user remove ann")
@click.argument("name")
@connection_options
@click.pass_context
def remove(ctx: click.Context, /, name: str, **connection: str | None) -> int:
    """Remove a user, who cannot connect again. Connections that are open stay.

    Use it when somebody is to see nothing any more, and restart `serve`.
    """
    from airflow_atscale_aggs.engine.errors import did_you_mean, near_names

    with registry_alone(ctx, connection) as registry:
        was_there = registry.users.delete(name)
        near = () if was_there else near_names(name, [found.name for found in registry.read.users.all()])
    say(f"User `{name}` {'is removed' if was_there else 'is not there'}.{did_you_mean(near)}")
    return 0 if was_there else 1


def _read_password(name: str, *, from_input: bool) -> str:
    """The password, asked twice at a terminal. Raises click.ClickException: it is empty."""
    if from_input:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True)
    if not password:
        raise click.ClickException("The password is empty.")
    return str(password)
