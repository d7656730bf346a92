"""``models``, ``definitions``, ``instances``, ``batches``: what the registry remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connecting import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, print_table, say, seconds, when
from airflow_atscale_aggs.cli.teaching import Verb

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_atscale_aggs.engine.lifecycle.retain.savings import Saving
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
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


@click.command(cls=Verb, example="atscale-aggs models --json")
@_reading
def models(ctx: click.Context, /, *, as_json: bool, **connection: str | None) -> None:
    """List the deployed models, with the version of each.

    Use it to see what is deployed here, and under which names the other verbs know it.
    """
    with workspace(ctx, connection) as place:
        found = place.registry.models()
    if as_json:
        names = ("id", "catalog", "name", "label", "version", "deployed_at", "connection")
        print_json([{name: getattr(one, name) for name in names} for one in found])
        return
    _hint(found, "No model is deployed here; begin with: atscale-aggs deploy DIR")
    rows = [(one.name, one.catalog, one.version, when(one.deployed_at), one.connection, one.id) for one in found]
    print_table(("model", "catalog", "version", "deployed", "connection", "id"), rows, right=("version",))


@click.command(cls=Verb, example="atscale-aggs definitions --model retail")
@_MODEL
@click.option(
    "--all", "include_retired", is_flag=True, help="Also retired ones: they left the model, their tables stay."
)
@_reading
def definitions(
    ctx: click.Context, /, model: str | None, *, include_retired: bool, as_json: bool, **connection: str | None
) -> None:
    """List aggregate definitions: what should be aggregated, at which grain.

    Use it after `deploy`, to see what a build will make. It also tells which instances have stayed of user-defined aggregates that
    left the model.
    """
    with workspace(ctx, connection) as place:
        chosen = [place.registry.model(model)] if model else place.registry.models()
        found = [
            (one.name, record)
            for one in chosen
            for record in place.registry.definitions(one.id, include_retired=include_retired)
        ]
        used = _usage(place, [one.id for one in chosen])
        saved = _saved(place, [one.id for one in chosen])
        stayed = _stayed(place, [one.id for one in chosen])
    if as_json:
        print_json(
            [
                {
                    **_definition(name, record),
                    **_used(record, used, saved),
                    "stayed": stayed.get(record.definition.id, ((), ""))[0],
                }
                for name, record in found
            ]
        )
        return
    _hint(found, "No aggregate is defined; `aggregates` in the SML of a model define some.")
    rows = [_definition_row(name, record, used, saved) for name, record in found]
    columns = ("aggregate", "model", "origin", "status", "facts", "attributes", "metrics", "uses", "saves each")
    print_table(columns, rows, right=("uses", "saves each"))
    _tell_stayed(stayed)


@click.command(cls=Verb, example="atscale-aggs instances --model retail")
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
    """List aggregate instances: one physical table each, with rows, seconds and where it was built from.

    Use it to see which tables serve now (status active), and after a failed build which ones failed, and why (--json).
    """
    from airflow_atscale_aggs.engine.lifecycle.table_presence import describe_missing_tables

    gone = {"superseded", "cancelled", "deleted"}
    with workspace(ctx, connection) as place:
        names = {one.id: one.name for one in place.registry.all_models()}
        model_id = place.registry.model(model).id if model else None
        found = [
            one
            for one in place.registry.instances(model_id=model_id, batch_id=batch_id)
            if include_gone or batch_id or one.status not in gone
        ]
        missing, unknown = _missing(place, found)
    if as_json:
        absent = {one.id: missing.get(one.id, ()) for one in found}
        print_json([{**instance_document(one, names[one.model_id]), "missing_tables": absent[one.id]} for one in found])
        return
    _hint(found, "Nothing is built; begin with: atscale-aggs build MODEL")
    print_instances(found, names)
    for one in found:
        if one.id in missing:
            say(f"`{one.step.aggregate}` is active and cannot answer: {describe_missing_tables(missing[one.id])}.")
    if unknown:
        say(f"Whether the tables are there is not known: {unknown}")


def _missing(place: Workspace, found: Sequence[InstanceRecord]) -> tuple[Mapping[str, tuple[str, ...]], str]:
    """Tables that are gone, by instance; or why nobody knows, since the list is worth printing all the same."""
    from airflow_atscale_aggs.engine.errors import WarehouseError
    from airflow_atscale_aggs.engine.lifecycle.table_presence import missing_of_active

    try:
        return missing_of_active(place, found), ""
    except WarehouseError as error:
        return {}, str(error)


@click.command(cls=Verb, example="atscale-aggs batches --model retail --json")
@_MODEL
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at the most.")
@_reading
def batches(ctx: click.Context, /, model: str | None, limit: int, *, as_json: bool, **connection: str | None) -> None:
    """List batch builds, newest first: who drives them, how they ended, how many instances stand where.

    Use it to find the id to resume or cancel.
    """
    with workspace(ctx, connection) as place:
        names = {one.id: one.name for one in place.registry.all_models()}
        model_id = place.registry.model(model).id if model else None
        found = place.registry.batches(model_id, limit)
        counts = {one.id: dict(place.registry.instance_counts(one.id)) for one in found}
        spent = {one.id: out_of_attempts(place, one) for one in found}
    if as_json:
        print_json(
            [
                {**batch_document(one, names[one.model_id], counts[one.id]), "out_of_attempts": spent[one.id]}
                for one in found
            ]
        )
        return
    _hint(found, "Nothing is built; begin with: atscale-aggs build MODEL")
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


def print_instances(found: Sequence[InstanceRecord], models: Mapping[str, str] | None = None) -> None:
    """The instances as a table, in the order given; with their models if the names are given by id."""
    rows = [
        (
            one.step.aggregate,
            *([models[one.model_id]] if models is not None else []),
            one.status,
            one.rows,
            seconds(one.seconds),
            one.source,
            one.attempt,
            one.table,
        )
        for one in found
    ]
    with_model = ["model"] if models is not None else []
    columns = ("aggregate", *with_model, "status", "rows", "seconds", "built from", "attempt", "table")
    print_table(columns, rows, right=("rows", "seconds", "attempt"))


def instance_document(one: InstanceRecord, model: str) -> dict[str, object]:
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
        "model": model,
        "definition_id": one.step.definition_id,
        "fact": one.step.fact,
        "view": one.step.view,
        "position": one.step.position,
        "build": one.step.kind,
        **{name: getattr(one, name) for name in (*names, *times)},
    }


def _hint(found: Sequence[object], hint: str) -> None:
    """What to do when there is nothing to list."""
    if not found:
        say(hint)


def out_of_attempts(place: Workspace, batch: BatchRecord) -> list[str]:
    """Names of failed aggregates that are not tried again by themselves: their limit or the batch's is reached."""
    from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus

    if batch.status == "done":
        return []
    settings = place.settings_of(batch.model_id)
    is_batch_spent = batch.failures >= settings.max_attempts_per_batch
    failed = place.registry.instances(batch_id=batch.id, status=InstanceStatus.FAILED)
    return [
        one.step.aggregate for one in failed if is_batch_spent or one.failures >= settings.max_attempts_per_aggregate
    ]


def batch_document(one: BatchRecord, model: str, counts: dict[str, int]) -> dict[str, object]:
    """A batch for programs."""
    names = ("id", "model_id", "build_type", "status", "owner", "lease_until", "created_at", "finished_at", "failures")
    return {
        "model": model,
        **{name: getattr(one, name) for name in names},
        "aggregates": one.aggregates,
        "instances": counts,
        "notes": one.notes,
    }


def _usage(place: Workspace, models: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """(uses, last use) by definition, all facts together."""
    found: dict[str, tuple[int, datetime]] = {}
    for model in models:
        for usage in place.registry.usages(model):
            uses, last = found.get(usage.definition_id, (0, usage.last_used_at))
            found[usage.definition_id] = (uses + usage.uses, max(last, usage.last_used_at))
    return found


def _stayed(place: Workspace, models: Sequence[str]) -> dict[str, tuple[tuple[str, ...], str]]:
    """(ids of instances, name) by definition: of users' aggregates that are not defined any more."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for model in models:
        known = place.registry.known_definitions(model)
        for one in place.registry.retained_instances(model, of_users=True):
            definition = one.step.definition_id
            name, status = known[definition]
            if status == "retired":
                found[definition] = ((*found.get(definition, ((), ""))[0], one.id), name)
    return found


def _tell_stayed(stayed: Mapping[str, tuple[tuple[str, ...], str]]) -> None:
    for ids, name in stayed.values():
        say(f"`{name}` has left its model; of its tables stay until deleted by hand:")
        for instance_id in ids:
            say(f"  atscale-aggs delete-instance {instance_id}")


def _definition_row(
    model: str,
    record: DefinitionRecord,
    used: Mapping[str, tuple[int, datetime]],
    saved: Mapping[str, Saving],
) -> tuple[object, ...]:
    return (
        record.definition.name,
        model,
        record.definition.origin,
        record.status,
        ", ".join(part.fact for part in record.definition.parts),
        ", ".join(sorted(attribute.query_name for attribute in record.definition.grain)) or "(all members)",
        ", ".join(record.definition.metrics),
        _used(record, used, saved)["uses"],
        _told_saving(saved.get(record.definition.id)),
    )


def _saved(place: Workspace, models: Sequence[str]) -> dict[str, Saving]:
    """What definitions save, by the log of queries."""
    from airflow_atscale_aggs.engine.lifecycle.retain.savings import average_savings

    return {key: one for model in models for key, one in average_savings(place.registry, model).items()}


def _told_saving(saving: Saving | None) -> str:
    """Seconds of a query on average; with ``~`` where the facts' time of some of them is estimated."""
    if saving is None:
        return ""
    return f"{'' if saving.measured == 1 else '~'}{saving.seconds:.3f} s"


def _used(
    record: DefinitionRecord, used: Mapping[str, tuple[int, datetime]], saved: Mapping[str, Saving]
) -> dict[str, object]:
    uses, last = used.get(record.definition.id, (0, None))
    saving = saved.get(record.definition.id)
    return {
        "uses": uses,
        "last_used_at": last,
        "average_saving_seconds": saving.seconds if saving is not None else None,
        "average_saving_measured_share": saving.measured if saving is not None else None,
    }


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
        "reason": record.reason,
        "status_reason": record.status_reason,
        "created_at": record.created_at,
        "retired_at": record.retired_at,
        "where": definition.where,
    }
