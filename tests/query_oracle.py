"""Answers to queries on a star, row by row in plain Python. Knows no SQL and no aggregates."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from group_by_oracle import _is_ambiguous, _meetings
from query_strategies import METRICS, Meeting, StarQuery
from strategies import Row, Star, Value

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.model.paths import BoundAttribute


def expected_answer(star: Star, query: StarQuery) -> list[tuple[Value, ...]] | None:
    """The rows in any order; None when a join would have to guess."""
    bounds = {bound.attribute: bound for bound in star.attributes}
    kept = tuple(bounds[attribute] for attribute in query.attributes)
    sliced = (bounds[attribute] for _, attribute, _ in query.tuples if attribute not in query.attributes)
    used = (*kept, *dict.fromkeys(sliced))
    part = FactPart(fact=star.fact, attributes=used, measures=())
    if _is_ambiguous(star, part):
        return None
    groups: dict[tuple[Value, ...], list[tuple[Meeting, Row]]] = {} if query.keys else {(): []}
    for row in star.tables[star.fact].rows:
        for meeting in _met(star, part, (used, kept), row):
            if query.where is None or query.where.holds(meeting) is True:
                key = tuple(key.value(meeting[key.attribute]) for key in query.keys)
                groups.setdefault(key, []).append((meeting, row))
    return [
        (
            *key,
            *(_metric(name, _once(row for _, row in rows)) for name in query.metrics),
            *_members(query, rows),
            *_tuples(query, rows),
        )
        for key, rows in groups.items()
        if query.least_rows is None or len(_once(row for _, row in rows)) >= query.least_rows
    ]


def _once(rows: Iterable[Row]) -> list[Row]:
    """Each row of the fact, by however many members of a many-to-many attribute it is met."""
    return list({id(row): row for row in rows}.values())


def _met(
    star: Star, part: FactPart, bounds: tuple[Sequence[BoundAttribute], Sequence[BoundAttribute]], row: Row
) -> Iterator[Meeting]:
    """What a fact row meets, by attribute: names only, and only where the join rules of those that are kept let it stay."""
    used, kept = bounds
    for met in _meetings(star, part, (), row):
        if all(not bound.steps or bound.filter_empty == "no" or met[bound.steps] == 1 for bound in kept):
            yield {
                bound.attribute: met[number, bound.columns.index(bound.name_column)]
                for number, bound in enumerate(used)
            }


def _members(query: StarQuery, rows: Sequence[tuple[Meeting, Row]]) -> Iterator[Value]:
    for function, attribute in query.members:
        values = {meeting[attribute] for meeting, _ in rows} - {None}
        yield len(values) if function == "count" else max(values, default=None)


def _tuples(query: StarQuery, rows: Sequence[tuple[Meeting, Row]]) -> Iterator[Value]:
    for name, attribute, key in query.tuples:
        yield _metric(name, _once(row for meeting, row in rows if meeting[attribute] == key))


def _metric(name: str, rows: Sequence[Row]) -> Value:
    if name == "*":
        return len(rows)
    metric = METRICS[name]
    values = [row[metric.column] for row in rows if row[metric.column] is not None]
    method = metric.calculation_method
    if method == "count non-null":
        return len(values)
    if method == "count distinct":
        return len(set(values))
    if len(values) < (2 if method.endswith("samp") else 1):
        return None
    floats = [float(value) for value in values] if metric.column != "DEG" else []
    match method:
        case "sum":
            return sum(values) if not isinstance(values[0], float) else math.fsum(values)
        case "sum distinct":
            return sum(set(values))
        case "minimum":
            return min(values)
        case "maximum":
            return max(values)
        case "average":
            return math.fsum(floats) / len(floats)
        case "stddev_samp":
            return statistics.stdev(floats)
        case "stddev_pop":
            return statistics.pstdev(floats)
        case "var_samp":
            return statistics.variance(floats)
        case "var_pop":
            return statistics.pvariance(floats)
    message = f"the oracle does not know {method}"
    raise AssertionError(message)


def same_rows(one: Sequence[Sequence[Value]], other: Sequence[Sequence[Value]]) -> str:
    """Empty when two answers are equal as multisets, floats to a millionth; else what differs."""
    left, right = sorted(map(_sortable, one)), sorted(map(_sortable, other))
    if len(left) != len(right):
        return f"{len(one)} rows, not {len(other)}"
    for (_, mine), (_, yours) in zip(left, right, strict=True):
        for got, wanted in zip(mine, yours, strict=True):
            if not _agree(got, wanted):
                return f"{mine} is not {yours}"
    return ""


def _sortable(row: Sequence[Value]) -> tuple[list[tuple[str, str]], Sequence[Value]]:
    return [(type(value).__name__[:0], _rounded(value)) for value in row], row


def _rounded(value: Value) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value)
    return f"{float(value):+.4f}".replace("-0.0000", "+0.0000")


def _agree(got: Value, wanted: Value) -> bool:
    if isinstance(got, float) or isinstance(wanted, float):
        if got is None or wanted is None or isinstance(got, str) or isinstance(wanted, str):
            return False
        return math.isclose(float(got), float(wanted), rel_tol=1e-6, abs_tol=1e-5)
    if isinstance(got, Decimal | int) and isinstance(wanted, Decimal | int):
        return got == wanted
    return got == wanted and type(got) is type(wanted)
