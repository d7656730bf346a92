"""``models``, ``definitions``, ``instances``, ``batches``: what the registry remembers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connecting import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, print_table, seconds, when

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.records import BatchRecord, DefinitionRecord, InstanceRecord


def _reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that every read has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        connection_options,
        click.pass_context,
    ):
        command = option(command)
    return command


_MODEL = click.option("--model", metavar="M", help="Only this model, by name or id.")


@click.command(short_help="List the deployed models.")
@_reading
def models(ctx: click.Context, /, *, as_json: bool, **connection: str | None) -> None:
    r"""List the deployed models.

    \b
    Example:
      atscale-aggs models --json
    """
    with workspace(ctx, connection) as place:
        found = place.registry.models()
    if as_json:
        names = ("id", "catalog", "name", "label", "version", "deployed_at", "connection")
        print_json([{name: getattr(one, name) for name in names} for one in found])
        return
    rows = [(one.name, one.catalog, one.version, when(one.deployed_at), one.connection, one.id) for one in found]
    print_table(("model", "catalog", "version", "deployed", "connection", "id"), rows, right=("version",))


@click.command(short_help="List aggregate definitions: what should be aggregated.")
@_MODEL
@click.option(
    "--all", "include_retired", is_flag=True, help="Also retired ones: they left the model, their tables stay."
)
@_reading
def definitions(
    ctx: click.Context, /, model: str | None, *, include_retired: bool, as_json: bool, **connection: str | None
) -> None:
    r"""List aggregate definitions: what should be aggregated, at which grain.

    \b
    Example:
      atscale-aggs definitions --model retail
    """
    with workspace(ctx, connection) as place:
        chosen = [place.registry.model(model)] if model else place.registry.models()
        found = [
            (one.name, record)
            for one in chosen
            for record in place.registry.definitions(one.id, include_retired=include_retired)
        ]
    if as_json:
        print_json([_definition(name, record) for name, record in found])
        return
    rows = [
        (
            record.definition.name,
            name,
            record.definition.origin,
            record.status,
            ", ".join(part.fact for part in record.definition.parts),
            ", ".join(sorted(attribute.query_name for attribute in record.definition.grain)) or "(all members)",
            ", ".join(record.definition.metrics),
        )
        for name, record in found
    ]
    print_table(("aggregate", "model", "origin", "status", "facts", "attributes", "metrics"), rows)


@click.command(short_help="List aggregate instances: the tables, and where each stands.")
@_MODEL
@click.option("--batch", "batch_id", metavar="BATCH_ID", help="Only this batch.")
@click.option("--all", "include_gone", is_flag=True, help="Also superseded, cancelled and deleted ones.")
@_reading
def instances(
    ctx: click.Context,
    /,
    model: str | None,
    batch_id: str | None,
    *,
    include_gone: bool,
    as_json: bool,
    **connection: str | None,
) -> None:
    r"""List aggregate instances: one physical table each, with rows, seconds and where it was built from.

    \b
    Example:
      atscale-aggs instances --model retail
    """
    gone = {"superseded", "cancelled", "deleted"}
    with workspace(ctx, connection) as place:
        model_id = place.registry.model(model).id if model else None
        found = [
            one
            for one in place.registry.instances(model_id=model_id, batch_id=batch_id)
            if include_gone or batch_id or one.status not in gone
        ]
    if as_json:
        print_json([instance_document(one) for one in found])
        return
    print_instances(found)


@click.command(short_help="List batch builds, newest first.")
@_MODEL
@click.option("--limit", default=20, show_default=True, help="How many at the most.")
@_reading
def batches(ctx: click.Context, /, model: str | None, limit: int, *, as_json: bool, **connection: str | None) -> None:
    r"""List batch builds, newest first: who drives them, how they ended, how many instances stand where.

    \b
    Example:
      atscale-aggs batches --model retail --json
    """
    with workspace(ctx, connection) as place:
        names = {one.id: one.name for one in place.registry.models()}
        model_id = place.registry.model(model).id if model else None
        found = place.registry.batches(model_id, limit)
        counts = {one.id: dict(place.registry.instance_counts(one.id)) for one in found}
    if as_json:
        print_json([batch_document(one, names[one.model_id], counts[one.id]) for one in found])
        return
    rows = [
        (
            one.id,
            names[one.model_id],
            one.build_type,
            one.status,
            ", ".join(f"{number} {status}" for status, number in sorted(counts[one.id].items())),
            one.failures,
            when(one.created_at),
            when(one.finished_at),
            one.owner,
        )
        for one in found
    ]
    columns = ("batch", "model", "type", "status", "instances", "failures", "begun", "ended", "owner")
    print_table(columns, rows, right=("failures",))


def print_instances(found: list[InstanceRecord], *, title: str = "") -> None:
    """The instances as a table, in the order given."""
    rows = [
        (one.step.aggregate, one.status, one.rows, seconds(one.seconds), one.source, one.attempt, one.table)
        for one in found
    ]
    columns = ("aggregate", "status", "rows", "seconds", "built from", "attempt", "table")
    print_table(columns, rows, title=title, right=("rows", "seconds", "attempt"))


def instance_document(one: InstanceRecord) -> dict[str, object]:
    """An instance for programs."""
    names = (
        "id",
        "batch_id",
        "model_id",
        "status",
        "table",
        "rows",
        "seconds",
        "source",
        "attempt",
        "failures",
        "error",
    )
    times = ("started_at", "finished_at", "activated_at", "drop_after")
    return {
        "aggregate": one.step.aggregate,
        "definition_id": one.step.definition_id,
        "fact": one.step.fact,
        "view": one.step.view,
        "position": one.step.position,
        **{name: getattr(one, name) for name in (*names, *times)},
    }


def batch_document(one: BatchRecord, model: str, counts: dict[str, int]) -> dict[str, object]:
    """A batch for programs."""
    names = ("id", "model_id", "build_type", "status", "owner", "lease_until", "created_at", "finished_at", "failures")
    return {"model": model, **{name: getattr(one, name) for name in names}, "instances": counts, "notes": one.notes}


def _definition(model: str, record: DefinitionRecord) -> dict[str, object]:
    definition = record.definition
    return {
        "id": definition.id,
        "name": definition.name,
        "label": definition.label,
        "model": model,
        "origin": definition.origin,
        "status": record.status,
        "fingerprint": definition.fingerprint,
        "facts": [part.fact for part in definition.parts],
        "attributes": sorted(attribute.query_name for attribute in definition.grain),
        "metrics": definition.metrics,
        "created_at": record.created_at,
        "retired_at": record.retired_at,
        "where": definition.where,
    }
