"""Aggregates computed row by row in plain Python: what the composed SQL must agree with. Knows no SQL."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import JoinKind, JoinStep
from tests.support.strategies.strategies import Row, Star, Value, as_number, greatest, least

Path = tuple[JoinStep, ...]
Group = tuple[Value, ...]
TOLERANCE = 1e-6
"""Floating sums may differ by this much of the greater one, or absolutely near zero."""


def expected_rows(star: Star, part: FactPart) -> dict[Group, tuple[Value, ...]] | None:
    """Measures by group: attribute columns and matched flags in table order; None when a join would have to guess."""
    if _is_ambiguous(star, part):
        return None
    paths = _flag_paths(part)
    groups: dict[Group, list[Row]] = {} if part.attributes else {(): []}
    for row in star.tables[part.fact].rows:
        for meeting in _meetings(star, part, (), row):
            group = [
                meeting[number, place]
                for number, bound in enumerate(part.attributes)
                for place in range(len(bound.columns))
            ]
            group += [meeting[path] for path in paths]
            groups.setdefault(tuple(group), []).append(row)
    return {group: tuple(_measure(measure, rows) for measure in part.measures) for group, rows in groups.items()}


def differences(expected: Mapping[Group, Sequence[Value]], rows: Iterable[Sequence[Value]], width: int) -> list[str]:
    """What is wrong with a table's rows, whose first ``width`` columns are the group; empty when nothing is."""
    rows_by_group: dict[Group, Sequence[Value]] = {}
    wrong: list[str] = []
    for row in rows:
        group = tuple(row[:width])
        if group in rows_by_group:
            wrong.append(f"{group} stands twice")
        rows_by_group[group] = row[width:]
    wrong += [f"{group} is missing" for group in expected.keys() - rows_by_group.keys()]
    wrong += [f"{group} should not be there" for group in rows_by_group.keys() - expected.keys()]
    for group in expected.keys() & rows_by_group.keys():
        wrong += [
            f"{group}: measure {number} is {got!r}, not {wanted!r}"
            for number, (wanted, got) in enumerate(zip(expected[group], rows_by_group[group], strict=True))
            if not _agree(wanted, got)
        ]
    return wrong


def _meetings(star: Star, part: FactPart, path: Path, row: Row | None) -> list[dict[object, Value]]:
    """All that a row at the end of a path meets beyond it; one meeting per member of a many-to-many attribute."""
    here: dict[object, Value] = {}
    for number, bound in enumerate(part.attributes):
        if bound.steps == path:
            here |= {(number, place): row[column] if row else None for place, column in enumerate(bound.columns)}
            here[path] = int(row is not None)
    choices = [_meetings_beyond(star, part, (*path, step), row) for step in _next_steps(part, path)]
    return [here | _merge(several) for several in itertools.product(*choices)]


def _meetings_beyond(star: Star, part: FactPart, path: Path, row: Row | None) -> list[dict[object, Value]]:
    step = path[-1]
    key = [row[column] if row else None for column in step.from_columns]
    targets = [
        other
        for other in star.tables[step.to_dataset].rows
        if None not in key and [other[column] for column in step.to_columns] == key
    ]
    if not targets:
        return _meetings(star, part, path, None)
    if step.kind is not JoinKind.BRIDGE:
        return _meetings(star, part, path, targets[0])
    several = [meeting for other in targets for meeting in _meetings(star, part, path, other)]
    return [dict(items) for items in {frozenset(meeting.items()) for meeting in several}]


def _is_ambiguous(star: Star, part: FactPart) -> bool:
    """A key of a join's target leads to rows that differ in something that is used."""
    paths = {bound.steps[:depth] for bound in part.attributes for depth in range(1, len(bound.steps) + 1)}
    for path in paths:
        step = path[-1]
        if step.kind is JoinKind.BRIDGE:
            continue
        used = {column for bound in part.attributes if bound.steps == path for column in bound.columns}
        used |= {column for following in _next_steps(part, path) for column in following.from_columns}
        seen: dict[tuple[Value, ...], tuple[Value, ...]] = {}
        for row in star.tables[step.to_dataset].rows:
            key = tuple(row[column] for column in step.to_columns)
            values = tuple(row[column] for column in sorted(used))
            if None not in key and seen.setdefault(key, values) != values:
                return True
    return False


def _next_steps(part: FactPart, path: Path) -> list[JoinStep]:
    depth = len(path)
    steps = (
        bound.steps[depth] for bound in part.attributes if len(bound.steps) > depth and bound.steps[:depth] == path
    )
    return list(dict.fromkeys(steps))


def _flag_paths(part: FactPart) -> list[Path]:
    return list(dict.fromkeys(bound.steps for bound in part.attributes if bound.steps))


def _merge(several: Iterable[Mapping[object, Value]]) -> dict[object, Value]:
    merged: dict[object, Value] = {}
    for meeting in several:
        merged |= meeting
    return merged


def _measure(measure: StoredMeasure, rows: Sequence[Row]) -> Value:
    if measure.function is StoredFunction.COUNT_ROWS:
        return len(rows)
    values = [row[measure.column] for row in rows if row[measure.column] is not None]
    match measure.function:
        case StoredFunction.COUNT:
            return len(values)
        case StoredFunction.COUNT_DISTINCT:
            return len(set(values))
    if not values:
        return None
    match measure.function:
        case StoredFunction.SUM:
            return sum(map(as_number, values))
        case StoredFunction.SUM_DISTINCT:
            return sum(map(as_number, set(values)))
        case StoredFunction.MINIMUM:
            return least(values)
        case StoredFunction.MAXIMUM:
            return greatest(values)
        case StoredFunction.CENTERED_SQUARES:
            floats = [float(as_number(value)) for value in values]
            mean = math.fsum(floats) / len(floats)
            return math.fsum((value - mean) ** 2 for value in floats)
    message = f"the oracle does not know {measure.function}"
    raise AssertionError(message)


def _agree(wanted: Value, got: Value) -> bool:
    if isinstance(wanted, float) and isinstance(got, int | float | Decimal):
        return math.isclose(wanted, float(got), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return wanted == got and (wanted is None) == (got is None)
