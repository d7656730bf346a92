"""Answers to queries on a star, row by row in plain Python. Knows no SQL and no aggregates."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from tests.support.oracles.group_by_oracle import _is_ambiguous, _meetings
from tests.support.strategies.query_strategies import METRICS, Filtered, Meeting, StarQuery
from tests.support.strategies.strategies import Row, Star, Value, as_number, greatest, least


@dataclass(frozen=True)
class _Met:
    """What a fact row meets.

    Attributes:
        there: the attributes of whose dimension the row has a member, or whose join rule does not ask for one.
    """

    names: Meeting
    there: frozenset[GrainAttribute]
    row: Row


def expected_answer(star: Star, query: StarQuery) -> list[tuple[Value, ...]] | None:
    """The rows in any order; None when a join would have to guess."""
    bounds = {bound.attribute: bound for bound in star.attributes}
    sliced = (attribute for _, attribute, _ in query.tuples)
    used = tuple(bounds[attribute] for attribute in dict.fromkeys((*query.attributes, *sliced, *query.filtering)))
    part = FactPart(fact=star.fact, attributes=used, measures=())
    if _is_ambiguous(star, part):
        return None
    met_rows = [
        met
        for row in star.tables[star.fact].rows
        for met in _met(star, part, row)
        if met.there.issuperset(query.attributes) and (query.where is None or query.where.holds(met.names) is True)
    ]
    levels = query.levels or (tuple(range(len(query.keys))),)
    groups = [group for places in levels for group in _level(query, places, met_rows)]
    if not query.has_windows:
        return [row for row, _ in groups]
    numbers = [number for _, number in groups]
    return [(*row, sum(numbers), 1 + sum(other > number for other in numbers)) for row, number in groups]


def _level(
    query: StarQuery, places: Sequence[int], met_rows: Sequence[_Met]
) -> Iterator[tuple[tuple[Value, ...], int]]:
    """The rows that are grouped by some of the keys, and how many rows of the fact each has."""
    groups: dict[tuple[Value, ...], list[_Met]] = {} if places else {(): []}
    for met in met_rows:
        own = (query.keys[place] for place in places)
        groups.setdefault(tuple(key.value(met.names[key.attribute]) for key in own), []).append(met)
    for key, group in groups.items():
        rows = _once(met.row for met in group)
        if query.least_rows is not None and len(rows) < query.least_rows:
            continue
        shown = dict(zip(places, key, strict=True))
        row = (
            *(shown.get(place) for place in range(len(query.keys))),
            *(_metric(name, rows) for name in query.metrics),
            *_members(query, group),
            *_tuples(query, group),
            *(_filtered_value(filtered_metric, group) for filtered_metric in query.filtered),
            *(int(place not in places) for place in range(len(query.keys)) if query.levels),
        )
        yield row, len(rows)


def _filtered_value(filtered: Filtered, group: Sequence[_Met]) -> Value:
    there = [met for met in group if met.there.issuperset(filtered.predicate.attributes)]
    value = _metric(filtered.metric, _once(met.row for met in there if filtered.predicate.holds(met.names) is True))
    has_others = any(filtered.predicate.holds(met.names) is not True for met in there)
    return 0 if value is None and filtered.has_zero and has_others else value


def _once(rows: Iterable[Row]) -> list[Row]:
    """Each row of the fact, by however many members of a many-to-many attribute it is met."""
    return list({id(row): row for row in rows}.values())


def _met(star: Star, part: FactPart, row: Row) -> Iterator[_Met]:
    """What a fact row meets, one after the other."""
    for met in _meetings(star, part, (), row):
        bounds = part.attributes
        yield _Met(
            names={
                bound.attribute: met[number, bound.columns.index(bound.name_column)]
                for number, bound in enumerate(bounds)
            },
            there=frozenset(
                bound.attribute
                for bound in bounds
                if not bound.steps or bound.filter_empty == "no" or met[bound.steps] == 1
            ),
            row=row,
        )


def _members(query: StarQuery, group: Sequence[_Met]) -> Iterator[Value]:
    for function, attribute in query.members:
        values = list({met.names[attribute] for met in group} - {None})
        yield len(values) if function == "count" else greatest(values) if values else None


def _tuples(query: StarQuery, group: Sequence[_Met]) -> Iterator[Value]:
    for name, attribute, key in query.tuples:
        yield _metric(name, _once(met.row for met in group if met.names[attribute] == key))


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
    floats = [float(as_number(value)) for value in values] if metric.column != "DEG" else []
    match method:
        case "sum":
            return sum(map(as_number, values)) if not isinstance(values[0], float) else math.fsum(floats)
        case "sum distinct":
            return sum(map(as_number, set(values)))
        case "minimum":
            return least(values)
        case "maximum":
            return greatest(values)
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


def same_rows(rows: Sequence[Sequence[Value]], other_rows: Sequence[Sequence[Value]]) -> str:
    """Empty when two answers are equal as multisets, floats to a millionth; else what differs."""
    ours, theirs = sorted(map(_sortable, rows)), sorted(map(_sortable, other_rows))
    if len(ours) != len(theirs):
        return f"{len(rows)} rows, not {len(other_rows)}"
    for (_, mine), (_, yours) in zip(ours, theirs, strict=True):
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
