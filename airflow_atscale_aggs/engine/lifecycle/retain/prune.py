"""Deleted: instances that are not worth their place any more. Definitions and their statistics stay for ever.

A pruned instance serves no more at once; its table goes with a sweep after the drop delay. Only system-defined aggregates are
pruned; instances of users' ones go one by one, by hand.

Source: AtScale, "Life Cycle of Aggregate Tables", Deleted; "Configuring Aggregate Life Cycle Settings".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.advising.retention import RetainedInstance, to_prune
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import InstanceNeededError
from airflow_atscale_aggs.engine.lifecycle.build.activate import drop_gone_views
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ServiceRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
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
    """Let the least used instances go when there are too many; else disable definitions that nobody uses.

    When the number of instances reaches ``aggregates.retention.desiredInstances`` + ``…excessInstances``, those ranked beyond the
    desired number go. While it is below the desired number, definitions without a use for ``…removeUnusedDays`` are disabled.
    The definitions are retired: they are not built again until they are defined again.

    Args:
        dry_run: only tell.

    Raises:
        NotRegisteredError: no such model.
    """
    registry = workspace.registry
    record = registry.model(model)
    settings = workspace.settings_of(record.id)
    limits = _limits(settings)
    retained = registry.retained_instances(record.id)
    gone = _to_go(registry, record.id, retained, limits, now)
    drop_after = now + timedelta(seconds=settings.drop_delay_seconds)
    stays: tuple[str, ...] = ()
    if gone and not dry_run:
        check_schema(workspace)
        retire = {one.definition_id: f"pruned: {why}" for _, one, why in gone if one.is_active}
        registry.let_go(record.id, [one.id for _, one, _ in gone], retire, now=now, drop_after=drop_after)
        stays = drop_gone_views(workspace, record.id)
    tables = {one.id: one.table or "" for one in retained}
    return PruneReport(
        model=record.name,
        model_id=record.id,
        total=len(retained),
        desired=limits.desired,
        excess=limits.excess,
        pruned=tuple(
            PrunedInstance(
                instance_id=one.id,
                aggregate=one.aggregate,
                table=tables[one.id],
                rank=rank,
                uses=one.uses,
                last_used_at=one.last_used_at,
                why=why,
            )
            for rank, one, why in gone
        ),
        disabled=tuple(dict.fromkeys(one.aggregate for rank, one, _ in gone if not rank)),
        drop_after=drop_after,
        warnings=(*limits.warnings, *stays),
        dry_run=dry_run,
    )


@dataclass(frozen=True, slots=True)
class DeletedInstance:
    """An instance that a person let go.

    Attributes:
        drop_after: from then on a sweep drops its table.
        notes: sentences about stable views that stay, since somebody reads them.
    """

    instance: InstanceRecord
    drop_after: datetime
    notes: tuple[str, ...] = ()


def delete_instance(workspace: Workspace, instance_id: str, *, now: datetime) -> DeletedInstance:
    """Let one instance go, by hand: the only way in which instances of users' aggregates go.

    Raises:
        NotRegisteredError: no such instance.
        InstanceNeededError: its definition stands, so that it serves and the next batch would build another; or it is no
            table that was ever used.
    """
    registry = workspace.registry
    instance = registry.instance(instance_id)
    definition = registry.definition(instance.step.definition_id)
    name = instance.step.aggregate
    if instance.status is InstanceStatus.ACTIVE and definition.status == "defined":
        remedy = f"take it out of the model and deploy, or block it: `atscale-aggs block MODEL {name}`"
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
        registry.let_go(instance.model_id, [instance_id], {}, now=now, drop_after=drop_after)
        notes = drop_gone_views(workspace, instance.model_id)
    return DeletedInstance(registry.instance(instance_id), drop_after, notes)


@dataclass(frozen=True, slots=True)
class _Limits:
    """The settings in force, and what is odd about them."""

    desired: int
    excess: int
    days: int
    warnings: tuple[str, ...]


def _limits(settings: Settings) -> _Limits:
    """0 is no value for any of them: the default is taken, and that is told."""
    warnings: list[str] = []
    found: list[int] = []
    for name, key in (
        ("retention_desired", "aggregates.retention.desiredInstances"),
        ("retention_excess", "aggregates.retention.excessInstances"),
        ("retention_unused_days", "aggregates.retention.removeUnusedDays"),
    ):
        value, default = getattr(settings, name), getattr(Settings(), name)
        if value == 0:
            warnings.append(f"Setting `{key}` is 0, which is no value for it; the default {default} is used.")
        found.append(value or default)
    return _Limits(found[0], found[1], found[2], tuple(warnings))


def _to_go(
    registry: Registry, model_id: str, retained: Sequence[InstanceRecord], limits: _Limits, now: datetime
) -> list[tuple[int, RetainedInstance, str]]:
    """(rank, instance, why)."""
    services = registry.services(model_id)
    candidates = _candidates(registry, model_id, retained, services)
    if len(retained) < limits.desired:
        unused = [one for one in candidates if _is_unused(one, services, now, limits.days)]
        return [(0, one, f"not used for {limits.days} days") for one in unused]
    ranks = to_prune(candidates, desired=limits.desired, excess=limits.excess)
    return [(rank, one, f"ranked {rank} of {len(retained)}, {limits.desired} are kept") for rank, one in ranks]


def _candidates(
    registry: Registry,
    model_id: str,
    retained: Sequence[InstanceRecord],
    services: Mapping[str, ServiceRecord],
) -> list[RetainedInstance]:
    uses: dict[str, int] = {}
    last: dict[str, datetime] = {}
    for usage in registry.usages(model_id):
        key = usage.definition_id
        uses[key] = uses.get(key, 0) + usage.uses
        last[key] = max(last.get(key, usage.last_used_at), usage.last_used_at)
    return [
        RetainedInstance(
            id=one.id,
            definition_id=one.step.definition_id,
            aggregate=one.step.aggregate,
            is_active=one.status is InstanceStatus.ACTIVE,
            uses=uses.get(one.step.definition_id, 0),
            last_used_at=last.get(one.step.definition_id) or services[one.step.definition_id].since,
        )
        for one in retained
    ]


def _is_unused(one: RetainedInstance, services: Mapping[str, ServiceRecord], now: datetime, days: int) -> bool:
    """Neither used nor new within so many days; inactive ones wait for their rank."""
    idle_since = max(one.last_used_at, services[one.definition_id].since)
    return one.is_active and now - idle_since >= timedelta(days=days)
