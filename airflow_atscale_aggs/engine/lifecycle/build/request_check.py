"""Refuse a request for a batch before anything begins, as far as the registry alone can tell.

Whoever starts a batch in another process learns of a wrong name at once, and not from the log of a failed task.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.grace_periods import check_grace_periods
from airflow_atscale_aggs.engine.lifecycle.build.plan import choose_definitions
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.settings import Settings


def check_request(
    read: RegistryReader,
    model: ModelRecord,
    settings: Settings,
    *,
    build_type: BuildType,
    aggregates: Collection[str] = (),
    grace_periods: Mapping[str, str],
) -> tuple[str, ...]:
    """Refuse what `begin_batch` would refuse because of its names. Returns notes about the grace periods.

    Args:
        settings: in force for the model.
        aggregates: names of those to build; empty: all.
        grace_periods: durations by dataset, instead of the model's.

    Raises:
        ModelRetiredError: the model was let go.
        UnknownNameError: no such aggregate is defined, or the model has no such dataset; carries near names.
        GracePeriodError: a grace period cannot take effect.
    """
    deployed = read.models.get_deployed(model.id)
    choose_definitions(read.definitions.of_model(deployed.id), aggregates)
    return check_grace_periods(grace_periods, read.models.datasets(deployed.deployment_id), settings, build_type)
