"""The page of metrics, from the table in the module that emits them."""

from __future__ import annotations

import re

from airflow_atscale_aggs.metrics import emission
from tests.reference_pages.markdown import code, page, table

_HEAD = """
Tasks and the REST API emit metrics to where Airflow's own go: StatsD, Datadog or OpenTelemetry, as Airflow's section
`[metrics]` says. Every metric has the model's name as tag `model`. [Airflow](../airflow.md#metrics) tells what they are
good for. No metric ever fails a task or a request.
"""
_UNITS = {"timer": "milliseconds", "atscale_aggs.oldest_aggregate.age": "seconds"}


def metrics() -> list[tuple[str, str, str, str]]:
    """(name, kind, tags, emitted by) of each metric, several names in braces written out."""
    found = []
    for line in (emission.__doc__ or "").splitlines():
        match = re.match(r"    (atscale_aggs\.\S+)\s{2,}(\w+)\s{2,}(\S+(?:, \S+)*)\s{2,}(.+)", line)
        if match:
            stem, kinds, end = re.match(r"([^{]*)(?:\{([^}]*)\})?(.*)", match[1]).groups()  # type: ignore[union-attr]
            found += [(f"{stem}{kind}{end}", match[2], match[3], match[4]) for kind in (kinds or "").split(",")]
    return found


def metrics_page() -> str:
    """Every metric with its kind, unit, tags, and who emits it."""
    rows = [
        (code(name), kind, _UNITS.get(name, _UNITS.get(kind, "number")), ", ".join(map(code, tags.split(", "))), by)
        for name, kind, tags, by in metrics()
    ]
    text = table(("metric", "kind", "unit", "tags", "emitted by"), rows)
    return page("Metrics", "`airflow_atscale_aggs/metrics/emission.py`", _HEAD, text)
