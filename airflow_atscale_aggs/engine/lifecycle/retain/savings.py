"""What aggregates have saved: seconds of the queries that they answered, against what the facts would have taken.

The facts' time is measured where the same query, but for its values, was answered from the facts. Else it is estimated:
a build from the facts reads them once, and so does a query; where an index would have led to a part of them, that part
counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.query_days import estimate_on_facts
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader

MOST_QUERIES = 20_000
"""The newest of the log that are looked at."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What one definition saved.

    Attributes:
        queries: of the log that it answered and whose saving is known.
        seconds: each, on average; negative where the facts are faster.
        measured: share of the queries whose time on the facts was measured; the others are estimates.
    """

    queries: int
    seconds: float
    measured: float


@dataclass(frozen=True, slots=True)
class _QuerySaving:
    """What one definition saved in one query.

    Attributes:
        weight: how often the query was asked.
        seconds: the share of the definition.
        is_measured: the facts have answered the same query.
    """

    weight: int
    seconds: float
    is_measured: bool


def average_savings(read: RegistryReader, model_id: str) -> dict[str, Saving]:
    """Savings by definition. Definitions whose savings are not known are left out."""
    records = read.queries.find(model_id, limit=MOST_QUERIES)
    return savings_of(records, read.instances.shortest_builds(model_id))


def savings_of(records: Iterable[QueryRecord], builds: Mapping[str, float]) -> dict[str, Saving]:
    """Savings by definition, from a log and from the seconds that reading all rows of each fact takes.

    A query of several parts is counted for each aggregate with an equal share.
    """
    log = list(records)
    measured = _seconds_on_facts(log)
    savings_by_definition: dict[str, list[_QuerySaving]] = {}
    for record in log:
        aggregates = [source for source in record.actual if source.definition_id]
        on_facts = measured.get(record.fingerprint)
        seconds = on_facts if on_facts is not None else estimate_on_facts(record.actual, builds.get)
        if not aggregates or seconds is None:
            continue
        for source in aggregates:
            saved = (seconds - record.seconds) / len(aggregates)
            savings_by_definition.setdefault(source.definition_id, []).append(
                _QuerySaving(record.weight, saved, is_measured=on_facts is not None)
            )
    return {definition: _average(savings) for definition, savings in savings_by_definition.items()}


def _seconds_on_facts(log: Iterable[QueryRecord]) -> dict[str, float]:
    """Median seconds by fingerprint of the queries that the facts answered, planned so or after a failure."""
    seconds_by_fingerprint: dict[str, list[float]] = {}
    for record in log:
        if record.actual and not any(source.definition_id for source in record.actual):
            seconds_by_fingerprint.setdefault(record.fingerprint, []).append(record.seconds)
    return {fingerprint: statistics.median(times) for fingerprint, times in seconds_by_fingerprint.items()}


def _average(savings: Sequence[_QuerySaving]) -> Saving:
    queries = sum(saving.weight for saving in savings)
    seconds = sum(saving.weight * saving.seconds for saving in savings) / queries
    return Saving(queries, seconds, sum(saving.weight for saving in savings if saving.is_measured) / queries)
