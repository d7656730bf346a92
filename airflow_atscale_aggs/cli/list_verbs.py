"""The verbs ``models``, ``definitions``, ``instances`` and ``batches``: they list what is in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, registry_alone, workspace
from airflow_atscale_aggs.cli.known_ids import require_batch
from airflow_atscale_aggs.cli.output import print_json, say, seconds, when
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from airflow_atscale_aggs.engine.lifecycle.retain.savings import Saving
    from airflow_atscale_aggs.engine.lifecycle.stable_views.shown_batches import ShownBatch
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.records import BatchRecord, DefinitionRecord, InstanceRecord
    from airflow_atscale_aggs.engine.registry.registry import RegistryReader


def _reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all these verbs have."""
    for option in (
        details_option,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        connection_options,
        click.pass_context,
    ):
        command = option(command)
    return command


_MOST_HINTS = 3

_SPARE = (
    "owner",
    "failures",
    "ended",
    "saves each",
    "origin",
    "attempt",
    "type",
    "begun",
    "built from",
    "facts",
    "uses",
)
"""Columns that a narrow terminal does without, in this order."""

_MODEL = click.option("--model", metavar="M", help="Only this model, by name or id.")


@click.command(cls=Verb, example="atscale-aggs models --json")
@_reading
def models(ctx: click.Context, /, *, as_json: bool, **connection: str | None) -> None:
    """List the deployed models, with the version of each.

    Use it to see what is deployed here, and under which names the other verbs know it.
    """
    with registry_alone(ctx, connection) as registry:
        deployed = registry.read.models.current()
    if as_json:
        names = ("id", "catalog", "name", "label", "version", "deployed_at", "connection")
        print_json([{name: getattr(model, name) for name in names} for model in deployed])
        return
    _hint(deployed, "No model is deployed here; begin with: atscale-aggs deploy DIR")
    rows = [
        (model.name, model.catalog, model.version, when(model.deployed_at), model.connection, model.id)
        for model in deployed
    ]
    print_table(
        ("model", "catalog", "version", "deployed", "connection", "id"), rows, right=("version",), whole=("model",)
    )


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

    Use it after `deploy`, to see what a build will make. It also tells which instances have stayed of user-defined
    aggregates that left the model.
    """
    with registry_alone(ctx, connection) as registry:
        chosen = [registry.read.models.get(model)] if model else registry.read.models.current()
        records = [
            (model_record.name, record)
            for model_record in chosen
            for record in registry.read.definitions.of_model(model_record.id, include_retired=include_retired)
        ]
        used = _use_of_definitions(registry.read, [model_record.id for model_record in chosen])
        saved = _average_savings(registry.read, [model_record.id for model_record in chosen])
        remaining = _remaining_instances(registry.read, [model_record.id for model_record in chosen])
    if as_json:
        print_json(
            [
                {
                    **_definition(name, record),
                    **_use_document(record, used, saved),
                    "stayed": remaining.get(record.definition.id, ((), ""))[0],
                }
                for name, record in records
            ]
        )
        return
    _hint(records, "No aggregate is defined; `aggregates` in the SML of a model define some.")
    rows = [_definition_row(name, record, used, saved) for name, record in records]
    columns = ("aggregate", "model", "origin", "status", "facts", "attributes", "metrics", "uses", "saves each")
    print_table(columns, rows, right=("uses", "saves each"), spare=_SPARE)
    _say_what_remains(remaining)


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
    from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
    from airflow_atscale_aggs.engine.lifecycle.table_presence import describe_missing_tables

    gone = {InstanceStatus.SUPERSEDED, InstanceStatus.CANCELLED, InstanceStatus.DELETED}
    with workspace(ctx, connection) as place:
        names = {model_record.id: model_record.name for model_record in place.read.models.all()}
        model_id = place.read.models.get(model).id if model else None
        if batch_id:
            require_batch(place.read, batch_id)
        records = [
            instance
            for instance in place.read.instances.find(model_id=model_id, batch_id=batch_id)
            if include_gone or batch_id or instance.status not in gone
        ]
        missing, unknown = _missing(place, records)
        lagging = () if unknown else _lagging(place, {instance.model_id for instance in records})
    if as_json:
        absent = {instance.id: missing.get(instance.id, ()) for instance in records}
        print_json(
            [
                {**instance_document(instance, names[instance.model_id]), "missing_tables": absent[instance.id]}
                for instance in records
            ]
        )
        return
    _hint(records, _first_build(names, model_id))
    print_instances(records, names)
    for instance in records:
        if instance.id in missing:
            say(
                f"`{instance.step.aggregate}` is active and cannot answer: "
                f"{describe_missing_tables(missing[instance.id])}."
            )
    for shown in lagging:
        say(f"{str(shown)[0].upper()}{str(shown)[1:]}.")
    if unknown:
        say(f"Whether the tables are there is not known: {unknown}")


def _lagging(place: Workspace, model_ids: Collection[str]) -> tuple[ShownBatch, ...]:
    """The stable views that show an earlier batch than the one that serves."""
    from airflow_atscale_aggs.engine.errors import WarehouseError
    from airflow_atscale_aggs.engine.lifecycle.stable_views.shown_batches import views_that_lag

    try:
        return tuple(shown for model_id in sorted(model_ids) for shown in views_that_lag(place, model_id))
    except WarehouseError:
        # That the warehouse does not answer is said by whoever looks for the tables.
        return ()


def _missing(place: Workspace, records: Sequence[InstanceRecord]) -> tuple[Mapping[str, tuple[str, ...]], str]:
    """Missing tables by instance; or the reason why they are not known, since the list is printed anyway."""
    from airflow_atscale_aggs.engine.errors import WarehouseError
    from airflow_atscale_aggs.engine.lifecycle.table_presence import missing_of_active

    try:
        return missing_of_active(place, records), ""
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
    with registry_alone(ctx, connection) as registry:
        names = {model_record.id: model_record.name for model_record in registry.read.models.all()}
        model_id = registry.read.models.get(model).id if model else None
        records = registry.read.batches.find(model_id, limit)
        counts = {batch.id: dict(registry.read.instances.count_by_status(batch.id)) for batch in records}
        spent = {batch.id: _out_of_attempts(registry.read, batch) for batch in records}
    if as_json:
        print_json(
            [
                {**batch_document(batch, names[batch.model_id], counts[batch.id]), "out_of_attempts": spent[batch.id]}
                for batch in records
            ]
        )
        return
    _hint(records, _first_build(names, model_id))
    rows = [
        (
            batch.id,
            names[batch.model_id],
            batch.build_type,
            batch.status,
            ", ".join(f"{number} {status}" for status, number in sorted(counts[batch.id].items())),
            batch.failures,
            when(batch.created_at),
            when(batch.finished_at),
            batch.owner,
        )
        for batch in records
    ]
    columns = ("batch", "model", "type", "status", "instances", "failures", "begun", "ended", "owner")
    print_table(columns, rows, right=("failures",), whole=("batch",), spare=_SPARE)


def print_instances(records: Sequence[InstanceRecord], models: Mapping[str, str] | None = None) -> None:
    """The instances as a table, in the order given; with their models if the names are given by id."""
    rows = [
        (
            instance.step.aggregate,
            *([models[instance.model_id]] if models is not None else []),
            instance.status,
            instance.rows,
            seconds(instance.seconds),
            instance.source,
            instance.attempt,
            instance.table,
        )
        for instance in records
    ]
    with_model = ["model"] if models is not None else []
    columns = ("aggregate", *with_model, "status", "rows", "seconds", "built from", "attempt", "table")
    print_table(columns, rows, right=("rows", "seconds", "attempt"), spare=_SPARE)


def instance_document(instance: InstanceRecord, model: str) -> dict[str, object]:
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
        "aggregate": instance.step.aggregate,
        "model": model,
        "definition_id": instance.step.definition_id,
        "fact": instance.step.fact,
        "view": instance.step.view,
        "position": instance.step.position,
        "build": instance.step.kind,
        **{name: getattr(instance, name) for name in (*names, *times)},
    }


def _first_build(names: Mapping[str, str], model_id: str | None) -> str:
    """What to do where nothing is built: build the model that was asked for, or one of those that there are."""
    wanted = sorted(names.values())[:_MOST_HINTS] if model_id is None else [names[model_id]]
    commands = [f"atscale-aggs build {name}" for name in wanted] or ["atscale-aggs deploy DIR"]
    return f"Nothing is built; begin with: {' or '.join(commands)}"


def _hint(records: Sequence[object], hint: str) -> None:
    """Say what to do when there is nothing to list."""
    if not records:
        say(hint)


def _out_of_attempts(read: RegistryReader, batch: BatchRecord) -> list[str]:
    """Names of failed aggregates that are not tried again by themselves: their limit or the batch's is reached."""
    from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
    from airflow_atscale_aggs.engine.lifecycle.settings_in_force import settings_in_force
    from airflow_atscale_aggs.engine.settings import Settings

    if batch.status is BatchStatus.DONE:
        return []
    settings = settings_in_force(read, Settings(), batch.model_id)
    is_batch_spent = batch.failures >= settings.max_attempts_per_batch
    failed = read.instances.find(batch_id=batch.id, status=InstanceStatus.FAILED)
    return [
        instance.step.aggregate
        for instance in failed
        if is_batch_spent or instance.failures >= settings.max_attempts_per_aggregate
    ]


def batch_document(batch: BatchRecord, model: str, counts: dict[str, int]) -> dict[str, object]:
    """A batch for programs."""
    names = ("id", "model_id", "build_type", "status", "owner", "lease_until", "created_at", "finished_at", "failures")
    return {
        "model": model,
        **{name: getattr(batch, name) for name in names},
        "aggregates": batch.aggregates,
        "instances": counts,
        "notes": batch.notes,
    }


def _use_of_definitions(read: RegistryReader, models: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """(uses, last use) by definition, all facts together."""
    use_by_definition: dict[str, tuple[int, datetime]] = {}
    for model in models:
        for usage in read.queries.usages(model):
            uses, last = use_by_definition.get(usage.definition_id, (0, usage.last_used_at))
            use_by_definition[usage.definition_id] = (uses + usage.uses, max(last, usage.last_used_at))
    return use_by_definition


def _remaining_instances(read: RegistryReader, models: Sequence[str]) -> dict[str, tuple[tuple[str, ...], str]]:
    """(ids of instances, name) by definition: instances of user-defined aggregates that have left the model."""
    from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus

    remaining: dict[str, tuple[tuple[str, ...], str]] = {}
    for model in models:
        definitions_known = read.definitions.names_and_statuses(model)
        for instance in read.instances.retained(model, of_users=True):
            definition = instance.step.definition_id
            name, status = definitions_known[definition]
            if status is DefinitionStatus.RETIRED:
                remaining[definition] = ((*remaining.get(definition, ((), ""))[0], instance.id), name)
    return remaining


def _say_what_remains(remaining: Mapping[str, tuple[tuple[str, ...], str]]) -> None:
    for ids, name in remaining.values():
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
        _use_document(record, used, saved)["uses"],
        _describe_saving(saved.get(record.definition.id)),
    )


def _average_savings(read: RegistryReader, models: Sequence[str]) -> dict[str, Saving]:
    """The average saving of each definition, by the log of queries."""
    from airflow_atscale_aggs.engine.lifecycle.retain.savings import average_savings

    return {key: saving for model in models for key, saving in average_savings(read, model).items()}


def _describe_saving(saving: Saving | None) -> str:
    """Seconds of a query on average; with ``~`` where the facts' time of some of them is estimated."""
    if saving is None:
        return ""
    return f"{'' if saving.measured == 1 else '~'}{saving.seconds:.3f} s"


def _use_document(
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
