"""Prune instances that are not worth their place any more. Definitions and their statistics stay for ever.

A pruned instance serves no more at once; its table goes with a sweep after the drop delay. Only system-defined
aggregates are pruned. A person deletes instances of user-defined aggregates one by one.

Source: AtScale, "Life Cycle of Aggregate Tables", Deleted; "Configuring Aggregate Life Cycle Settings".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.advising.retention import RetainedInstance, choose_instances_to_prune, is_unused
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import InstanceNeededError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.activate import SWITCH_SECONDS, drop_gone_views
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ServiceRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedInstance:
    """An instance that goes. ``rank``: among all retained ones, from 1; 0 for one of a disabled definition."""

    instance_id: str
    aggregate: str
    table: str
    rank: int
    uses: int
    last_used_at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What was pruned, or would be.

    Attributes:
        total: retained instances of system-defined aggregates before, active and inactive.
        desired, excess: the limits in force.
        pruned: those ranked beyond the desired number, and those of disabled definitions.
        disabled: names of definitions that are disabled since nobody used them.
        drop_after: when the tables may be dropped.
    """

    model: str
    model_id: str
    total: int
    desired: int
    excess: int
    pruned: tuple[PrunedInstance, ...]
    disabled: tuple[str, ...]
    drop_after: datetime
    warnings: tuple[str, ...]
    dry_run: bool


def prune(workspace: Workspace, model: str, *, dry_run: bool, now: datetime) -> PruneReport:
    """Prune the least used instances when there are too many; otherwise disable definitions that nobody uses.

    When the number of instances reaches ``aggregates.retention.desiredInstances`` + ``…excessInstances``, those ranked
    beyond the desired number go. While it is below the desired number, definitions without a use for
    ``…removeUnusedDays`` are disabled.
    The definitions are retired: they are not built again until they are defined again.

    Args:
        dry_run: only report what would be pruned.

    Raises:
        NotRegisteredError: no such model.
    """
    registry = workspace.registry
    record = workspace.read.models.get(model)
    settings = workspace.settings_of(record.id)
    limits = _limits(settings)
    retained = workspace.read.instances.retained(record.id)
    pruned = _rank_instances_to_prune(workspace.read, record.id, retained, limits, now)
    drop_after = now + timedelta(seconds=settings.drop_delay_seconds)
    notes: tuple[str, ...] = ()
    if pruned and not dry_run:
        check_schema(workspace)
        retire = {instance.definition_id: f"pruned: {why}" for _, instance, why in pruned if instance.is_active}
        registry.instances.let_go(
            record.id, [instance.id for _, instance, _ in pruned], retire, now=now, drop_after=drop_after
        )
        notes = drop_gone_views(workspace, record.id)
    tables = {instance.id: instance.table or "" for instance in retained}
    return PruneReport(
        model=record.name,
        model_id=record.id,
        total=len(retained),
        desired=limits.desired,
        excess=limits.excess,
        pruned=tuple(
            PrunedInstance(
                instance_id=instance.id,
                aggregate=instance.aggregate,
                table=tables[instance.id],
                rank=rank,
                uses=instance.uses,
                last_used_at=instance.last_used_at,
                why=why,
            )
            for rank, instance, why in pruned
        ),
        disabled=tuple(dict.fromkeys(instance.aggregate for rank, instance, _ in pruned if not rank)),
        drop_after=drop_after,
        warnings=(*limits.warnings, *notes),
        dry_run=dry_run,
    )


@dataclass(frozen=True, slots=True)
class DeletedInstance:
    """An instance that a person has deleted.

    Attributes:
        drop_after: from then on a sweep drops its table.
        notes: sentences about stable views that stay, since somebody reads them.
    """

    instance: InstanceRecord
    drop_after: datetime
    notes: tuple[str, ...] = ()


def delete_instance(
    workspace: Workspace, instance_id: str, *, now: datetime, patience: float = SWITCH_SECONDS
) -> DeletedInstance:
    """Delete one instance by hand. Instances of user-defined aggregates are deleted in no other way.

    Args:
        patience: seconds that readers of its stable view are waited for.

    Raises:
        NotRegisteredError: no such instance.
        InstanceNeededError: its definition stands, so that it serves and the next batch would build another; or it is
            no table that was ever used.
    """
    registry = workspace.registry
    instance = workspace.read.instances.get(instance_id)
    definition = workspace.read.definitions.get(instance.step.definition_id)
    name = instance.step.aggregate
    if instance.status is InstanceStatus.ACTIVE and definition.status is DefinitionStatus.DEFINED:
        model = workspace.read.models.get(instance.model_id).name
        remedy = f"take it out of the model and deploy, or block it: `atscale-aggs block {model} {name}`"
        raise InstanceNeededError(instance_id, name, "it serves, and the next batch would build it again", remedy)
    if instance.status not in {InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED}:
        remedy = "`atscale-aggs sweep` drops what failed or cancelled builds have left"
        raise InstanceNeededError(instance_id, name, f"it is {instance.status}", remedy)
    delay = timedelta(seconds=workspace.settings_of(instance.model_id).drop_delay_seconds)
    # Queries that began before it stopped serving may still read it.
    drop_after = instance.drop_after or (instance.superseded_at or now) + delay
    notes: tuple[str, ...] = ()
    if instance.drop_after is None:
        check_schema(workspace)
        registry.instances.let_go(instance.model_id, [instance_id], {}, now=now, drop_after=drop_after)
        notes = drop_gone_views(workspace, instance.model_id, patience=patience)
    return DeletedInstance(workspace.read.instances.get(instance_id), drop_after, notes)


@dataclass(frozen=True, slots=True)
class _Limits:
    """The limits in force, and warnings about settings without a usable value."""

    desired: int
    excess: int
    days: int
    warnings: tuple[str, ...]


def _limits(settings: Settings) -> _Limits:
    """Read the limits. A setting of 0 is no usable value: the default is taken, with a warning."""
    warnings: list[str] = []
    values: list[int] = []
    for name, key in (
        ("retention_desired", "aggregates.retention.desiredInstances"),
        ("retention_excess", "aggregates.retention.excessInstances"),
        ("retention_unused_days", "aggregates.retention.removeUnusedDays"),
    ):
        value, default = getattr(settings, name), getattr(Settings(), name)
        if value == 0:
            warnings.append(f"Setting `{key}` is 0, which is no value for it; the default {default} is used.")
        values.append(value or default)
    return _Limits(values[0], values[1], values[2], tuple(warnings))


def _rank_instances_to_prune(
    read: RegistryReader, model_id: str, retained: Sequence[InstanceRecord], limits: _Limits, now: datetime
) -> list[tuple[int, RetainedInstance, str]]:
    """The instances to prune, each with its rank and the reason."""
    services = read.instances.services(model_id)
    candidates = _collect_candidates(read, model_id, retained, services)
    if len(retained) < limits.desired:
        # Inactive ones wait for their rank.
        idle = [
            candidate
            for candidate in candidates
            if candidate.is_active
            and is_unused(candidate.last_used_at, services[candidate.definition_id].since, days=limits.days, now=now)
        ]
        return [(0, candidate, f"not used for {limits.days} days") for candidate in idle]
    ranks = choose_instances_to_prune(candidates, desired=limits.desired, excess=limits.excess)
    return [
        (rank, instance, f"ranked {rank} of {len(retained)}, {limits.desired} are kept") for rank, instance in ranks
    ]


def _collect_candidates(
    read: RegistryReader,
    model_id: str,
    retained: Sequence[InstanceRecord],
    services: Mapping[str, ServiceRecord],
) -> list[RetainedInstance]:
    uses: dict[str, int] = {}
    last: dict[str, datetime] = {}
    for usage in read.queries.usages(model_id):
        key = usage.definition_id
        uses[key] = uses.get(key, 0) + usage.uses
        last[key] = max(last.get(key, usage.last_used_at), usage.last_used_at)
    return [
        RetainedInstance(
            id=instance.id,
            definition_id=instance.step.definition_id,
            aggregate=instance.step.aggregate,
            is_active=instance.status is InstanceStatus.ACTIVE,
            uses=uses.get(instance.step.definition_id, 0),
            last_used_at=last.get(instance.step.definition_id) or services[instance.step.definition_id].since,
        )
        for instance in retained
    ]
