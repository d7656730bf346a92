"""Check the grace periods of one batch.

How far back an incremental rebuild reads again, by dataset, instead of the model's.

Source: AtScale, "About Incremental Rebuilds": the grace period; "Aggregate Settings": grace-period overrides.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.aggregates.indicator import parse_grace_period
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import GracePeriodError, UnknownNameError, near_names
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.settings import Settings


def check_grace_periods(
    overrides: Mapping[str, str], datasets: Mapping[str, Dataset], settings: Settings, build_type: BuildType
) -> tuple[str, ...]:
    """Refuse overrides that cannot take effect. Returns a note for each of the others.

    Args:
        overrides: durations by dataset: a whole number and one of s, m, h, d, w; or bare, in the unit of the indicator.

    Raises:
        UnknownNameError: the model has no such dataset; carries near names.
        GracePeriodError: overrides are switched off, the dataset has no incremental indicator, or the text is no
            duration.
    """
    notes = []
    for name, duration in sorted(overrides.items()):
        if not (settings.grace_overrides and settings.grace_overrides_of_model):
            raise GracePeriodError(name, duration, "overrides are switched off")
        if name not in datasets:
            incremental = [dataset_name for dataset_name, dataset in datasets.items() if dataset.incremental]
            raise UnknownNameError("dataset", name, near_names(name, incremental or datasets))
        own = datasets[name].incremental
        if own is None:
            raise GracePeriodError(name, duration, "the dataset has no incremental indicator")
        if parse_grace_period(duration) is None:
            raise GracePeriodError(name, duration, "it is not of the form 12h")
        effect = "; without effect, since this batch is built in full" if build_type is BuildType.FULL else ""
        notes.append(f"Grace period of {name}: {duration} instead of {own.grace_period}{effect}.")
    return tuple(notes)
