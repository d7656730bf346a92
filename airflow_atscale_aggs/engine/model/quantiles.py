"""Percentile metrics: which quantiles one has, and what queries call each.

    named_quantiles: median                       Latency_instance_0.5, and Latency itself
    named_quantiles: quartiles                    Latency_instance_0.25, Latency_instance_0.5, Latency_instance_0.75
    custom_quantiles: [0.5, 0.99]                 Latency_instance_0.5, Latency_instance_0.99

The labels are ``Latency 0.5`` and so on. Source: SML reference, ``metric.named_quantiles``,
``metric.custom_quantiles``; docs/decisions/0023.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import IssueList

NAMED_QUANTILES: Mapping[str, tuple[str, ...]] = {
    "median": ("0.5",),
    "quartiles": ("0.25", "0.5", "0.75"),
    "deciles": tuple(f"0.{tenth}" for tenth in range(1, 10)),
}
"""Values of ``named_quantiles``."""


def quantiles_of(value: SmlMapping) -> tuple[str, ...]:
    """Named and custom quantiles of a metric's mapping together, lowest first; what is no quantile is left out."""
    named = NAMED_QUANTILES.get(str(value.get("named_quantiles") or "").strip().casefold(), ())
    custom = (
        quantile
        for value_of_quantile in value.get("custom_quantiles") or ()
        if (quantile := _quantile(value_of_quantile)) is not None
    )
    return tuple(sorted({*named, *custom}, key=Decimal))


def check_quantiles(value: SmlMapping, where: str, issues: IssueList) -> None:
    """Report what a percentile metric says wrongly; it can be queried by its other quantiles."""
    name = value["unique_name"]
    if str(value["calculation_method"]).strip().casefold() != "percentile":
        return
    named = value.get("named_quantiles")
    if named and str(named).strip().casefold() not in NAMED_QUANTILES:
        message = f"`named_quantiles` of metric `{name}` is `{named}`, none of {', '.join(NAMED_QUANTILES)}"
        issues.warning(where, "unknown-quantiles", message)
    for quantile in value.get("custom_quantiles") or ():
        if _quantile(quantile) is None:
            message = f"`custom_quantiles` of metric `{name}` has `{quantile}`, which is no number from 0 to 1"
            issues.warning(where, "unknown-quantiles", message)
    if not quantiles_of(value):
        message = f"metric `{name}` names no quantile, so it cannot be queried; add `named_quantiles`"
        issues.warning(where, "no-quantiles", message)


def quantile_metrics(metrics: Iterable[Metric], query_names: Mapping[str, str]) -> dict[str, Metric]:
    """Each quantile as a metric of its own, by the name that queries use.

    Args:
        query_names: SML's ``overrides``: the names of metrics on the query surface where they are others.
    """
    return {
        name: replace(metric, name=name, label=f"{metric.label} {quantile}", quantiles=(quantile,))
        for metric in metrics
        for quantile in metric.quantiles
        for name in [quantile_name(query_names.get(metric.name, metric.name), quantile)]
    }


def quantile_name(metric: str, quantile: str) -> str:
    """What queries call a quantile of a metric.

    >>> quantile_name("Latency", "0.5")
    'Latency_instance_0.5'
    """
    return f"{metric}_instance_{quantile}"


def _quantile(value: object) -> str | None:
    """A number from 0 to 1 in its shortest spelling; None when it is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return f"{number.normalize():f}" if number.is_finite() and 0 <= number <= 1 else None
