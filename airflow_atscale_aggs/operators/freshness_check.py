"""The operator that fails when aggregates were not rebuilt for too long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.metrics.emission import emit_age
from airflow_atscale_aggs.operators.base import AggregatesOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.build.freshness import AggregateAge

_MOST_NAMES = 20
"""The most aggregates that the sentence of a failure names."""


class CheckFreshnessOperator(AggregatesOperator):
    """Fails when an aggregate of a model was not rebuilt for too long, or was never built since it was defined.

    Its ``on_failure_callback`` is the alert; so it needs no retries. It opens the registry only.

    Args:
        model: name or id of a deployed model.
        at_most: how long ago the build of what serves may have begun.
        aggregates: names of those that are looked at; empty: all that are defined.

    Returns:
        The age of the oldest aggregate in seconds; 0 where there is none.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "aggregates")

    def __init__(self, *, model: str, at_most: timedelta, aggregates: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.at_most, self.aggregates = model, at_most, aggregates

    def execute(self, context: Context) -> float:  # noqa: ARG002
        """Look at every aggregate, log its age, and fail with the names of those that are too old."""
        from airflow_atscale_aggs.engine.lifecycle.build.freshness import aggregate_ages
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._hook().get_registry() as read:
            ages = aggregate_ages(read, self.model, now=utc_now(), aggregates=tuple(self.aggregates))
            name = read.models.get(self.model).name
        for age in ages:
            self.log.info("%-40s %s", age.aggregate, _say(age))
        oldest = max((age.age for age in ages), default=timedelta())
        emit_age(name, oldest)
        late = [age for age in ages if age.age > self.at_most]
        if late:
            raise AirflowFailException(self._sentence(name, late))
        self.log.info("All %s aggregates of %s are young enough.", len(ages), name)
        return oldest.total_seconds()

    def _sentence(self, model: str, late: Sequence[AggregateAge]) -> str:
        named = "; ".join(f"{age.aggregate} {_say(age)}" for age in late[:_MOST_NAMES])
        more = f"; and {len(late) - _MOST_NAMES} more" if len(late) > _MOST_NAMES else ""
        aggregates = "1 aggregate" if len(late) == 1 else f"{len(late)} aggregates"
        return (
            f"{aggregates} of model `{model}` should be at most {_hours(self.at_most)} old: {named}{more}. Look at the "
            "latest runs of the model's batch DAG: whether it was started, and whether it failed."
        )


def _say(age: AggregateAge) -> str:
    if not age.is_live:
        return f"was never built, and was defined {_hours(age.age)} ago"
    return f"was built {_hours(age.age)} ago ({age.since:%Y-%m-%d %H:%M} UTC)"


def _hours(duration: timedelta) -> str:
    """``26 hours``, ``90 minutes``, ``3 days``: two units would say no more."""
    minutes = round(duration.total_seconds() / 60)
    for unit, size, least in (("day", 1440, 2880), ("hour", 60, 120), ("minute", 1, 0)):
        if minutes >= least:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 minutes"
