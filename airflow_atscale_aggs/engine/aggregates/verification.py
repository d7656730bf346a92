"""Compares an aggregate's table with its facts: queries as data, and the meaning of their answers.

Pure. Totals are kept as text, so that the registry can keep them and messages can show them: whole and decimal numbers
without trailing zeros, floating ones with a ``~`` in front, everything else as the warehouse writes it.

    what                             compared
    row count, counts, sums          total over the table = total over the facts; whole and decimal numbers exactly
    floating sums                    to `tolerance` of the sum of absolute values, whatever cancels in the sum itself
    minimum, maximum                 least or greatest over the table = over the facts
    squares, exact distinct counts   do not add up: by group only
    sketches                         not at all
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation

from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Totals = Mapping[str, str | None]
"""Text by name: a measure, or `scale_of` a measure."""

TABLE_ROWS = "rows of the table"
"""Name of the number of groups, beside the measures, in the totals of a table."""

ROUNDOFF = 2.0**-53
"""Relative error of one addition in double precision."""

LEAST_TOLERANCE = 1e-9
_MOST_TOLERANCE = 1e-2
"""A comparison with a wider tolerance would prove nothing and is not made."""

_FLOATING = "~"
_MOST_NAMED = 3
"""Measures that a sentence names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsQuery:
    """A query of one row, and the name of each of its columns."""

    sql: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsQuery:
    """A query whose rows are the groups in which a table and its facts disagree; the first few only.

    A row is: the group's ``keys`` as text; rows of the table in that group; 1 or 0, whether the facts have it; then for
    each of ``measures`` 1 or 0, whether it differs, the facts' value and the table's as text.

    Attributes:
        is_sample: some groups of the table are compared; otherwise all groups of both.
    """

    sql: str
    keys: tuple[str, ...]
    measures: tuple[str, ...]
    is_sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Everything needed to compare the table of one instance with its facts.

    Attributes:
        fact: the dataset.
        rows: name of the row count among the measures.
        facts: totals over the facts; the same query for all aggregates of a batch on one fact (and the same
            many-to-many attributes, since there a fact row counts once per member).
        table: totals over the table, whose name holds the attempt token.
        roundoff: by measure that may be a floating sum: relative error of one addition.
        exact: counts and sums that are exact by the types of their columns.
        groups: the comparison by group of the level in force when the batch was planned; None at level ``totals``.
    """

    fact: str
    rows: str
    facts: TotalsQuery
    table: TotalsQuery
    roundoff: Mapping[str, float]
    groups: GroupsQuery | None = None
    exact: tuple[str, ...] = ()

    def replace_text(self, token: str, text: str) -> Verification:
        """The same with a token of the table's name put in."""
        table = replace(self.table, sql=self.table.sql.replace(token, text))
        groups = self.groups and replace(self.groups, sql=self.groups.sql.replace(token, text))
        return replace(self, table=table, groups=groups)


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure that is not what it should be. ``group`` is empty for a total."""

    measure: str
    group: str
    expected: str
    found: str

    def __str__(self) -> str:
        where = f" of group ({self.group})" if self.group else ""
        return f"`{self.measure}`{where} should be {self.expected} but is {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How an attempt's table was compared.

    Attributes:
        level: ``off`` | ``totals`` | ``sample`` | ``full``.
        facts_key: stands for the query of the facts' totals; equal queries have equal keys.
        totals: of the facts as the table shows them; None when it was not compared or that could not be decided.
        undecided: why not, for people; empty when it was decided.
        table_rows: of the table, as they were counted to be compared; None when they were not.
    """

    level: str
    facts_key: str = ""
    totals: Totals | None = None
    undecided: tuple[str, ...] = ()
    table_rows: int | None = None


def scale_of(measure: str) -> str:
    """Name of the sum of absolute values that a floating sum's error is measured by."""
    return f"absolute {measure}"


def as_text(value: object) -> str | None:
    """A value of a driver as text. Equal values give equal texts, whatever query they come from.

    >>> as_text(Decimal("12.50")), as_text(12), as_text(0.5), as_text(None)
    ('12.5', '12', '~0.5', None)
    """
    if value is None:
        return None
    if isinstance(value, float):
        return f"{_FLOATING}{value!r}"
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(timezone.utc)  # noqa: UP017 - a value, not a type
    return str(value)


def totals_of(query: TotalsQuery, row: Sequence[object]) -> Totals:
    """The answer of a totals query by name."""
    return {name: as_text(value) for name, value in zip(query.names, row, strict=True)}


def tolerance(rows: int, roundoff: float) -> float:
    """How far floating sums over so many rows may be apart, as a share of the sum of absolute values.

    Naive summation errs by at most ``rows * roundoff`` on each side; sums of sums, once more.

    >>> tolerance(60, ROUNDOFF)
    1e-09
    """
    return max(LEAST_TOLERANCE, 4 * rows * roundoff)


def rows_in(table_totals: Totals) -> int | None:
    """The rows of a table, from its totals; None where they do not tell.

    >>> rows_in({TABLE_ROWS: "12"})
    12
    """
    return _rows(table_totals[TABLE_ROWS]) if table_totals.get(TABLE_ROWS) else None


def differences(verification: Verification, fact_totals: Totals, table_totals: Totals) -> tuple[Difference, ...]:
    """The measures whose total over the table is not that over the facts, the row count first."""
    rows = fact_totals[verification.rows]
    if _rows(rows) and not _rows(table_totals[TABLE_ROWS]):
        return (Difference(verification.rows, "", shown(rows), "0, the table is empty"),)
    return tuple(
        Difference(name, "", shown(fact_totals[name]), shown(table_totals[name]))
        for name in _differing(
            verification, fact_totals, table_totals, [n for n in verification.table.names if n != TABLE_ROWS]
        )
    )


def has_changed(verification: Verification, before: Totals, after: Totals) -> bool:
    """True when the totals of the facts are not what they were."""
    names = [name for name in verification.facts.names if not name.startswith(scale_of(""))]
    return bool(_differing(verification, before, after, names))


def first_disagreement(verification: Verification, totals: Totals, other: Totals) -> str:
    """The first measure of which two totals are not the same, the row count first; empty where there is none.

    Only what is in both is compared.
    """
    rows = verification.rows
    if rows not in totals or rows not in other:
        return ""
    names = [name for name in totals if name in other and not name.startswith(scale_of("")) and name != TABLE_ROWS]
    return next(iter(_differing(verification, totals, other, names)), "")


def undecidable(verification: Verification, fact_totals: Totals, table_totals: Totals) -> tuple[str, ...]:
    """What totals that agree do not prove.

    Floating sums over more rows than their precision can tell apart say nothing. Exact numbers that a warehouse adds up
    as floating ones have lost their last digits.
    """
    rows = _rows(fact_totals[verification.rows])
    floating = [
        name
        for name in verification.exact
        if any((totals.get(name) or "").startswith(_FLOATING) for totals in (fact_totals, table_totals))
    ]
    shown_names = ", ".join(f"`{name}`" for name in floating[:_MOST_NAMED]) + (", …" if floating[_MOST_NAMED:] else "")
    lost_digits = (
        f"exact numbers came back as floating ones ({shown_names}), which agree and say nothing of the last digits"
    )
    imprecise = tuple(
        f"`{name}`: floating sums over {rows:,} rows are not precise enough to be compared"
        for name, roundoff in sorted(verification.roundoff.items())
        if (fact_totals.get(name) or "").startswith(_FLOATING) and tolerance(rows, roundoff) > _MOST_TOLERANCE
    )
    return (*imprecise, lost_digits) if floating else imprecise


def group_differences(query: GroupsQuery, rows: Sequence[Sequence[object]], row_count: str) -> tuple[Difference, ...]:
    """The differences that the rows of a groups query report."""
    all_differences: list[Difference] = []
    width = len(query.keys)
    for row in rows:
        group = ", ".join(
            f"{key} = {shown(as_text(value))}" for key, value in zip(query.keys, row[:width], strict=True)
        )
        group = group or "all rows"
        in_table, in_facts = nearest_whole(row[width]), nearest_whole(row[width + 1])
        triples = [row[width + 2 + 3 * number : width + 5 + 3 * number] for number in range(len(query.measures))]
        counted = dict(zip(query.measures, triples, strict=True)).get(row_count, (0, None, None))
        if not in_table:
            all_differences.append(Difference(row_count, group, shown(as_text(counted[1])), "not there"))
        elif in_table > 1:
            all_differences.append(Difference("rows of the group", group, "1", str(in_table)))
        elif not in_facts:
            all_differences.append(Difference(row_count, group, "not there", shown(as_text(counted[2]))))
        else:
            all_differences += [
                Difference(measure, group, shown(as_text(expected)), shown(as_text(got)))
                for measure, (differs, expected, got) in zip(query.measures, triples, strict=True)
                if nearest_whole(differs)
            ]
    return tuple(all_differences)


def shown(text: str | None) -> str:
    """A total for people."""
    return "NULL" if text is None else text.removeprefix(_FLOATING)


def _differing(verification: Verification, totals: Totals, other_totals: Totals, names: Sequence[str]) -> list[str]:
    """The names under which two totals disagree, the row count first."""
    most = max(_rows(totals[verification.rows]), _rows(other_totals[verification.rows]))
    return [
        name
        for name in sorted(names, key=lambda name: name != verification.rows)
        if not _agree(
            totals[name], other_totals[name], totals.get(scale_of(name)), verification.roundoff.get(name), most
        )
    ]


def _agree(expected: str | None, actual: str | None, scale: str | None, roundoff: float | None, rows: int) -> bool:
    if expected == actual:
        return True
    if expected is None or actual is None:
        return False
    if expected.startswith(_FLOATING) or actual.startswith(_FLOATING):
        return _agree_floating(expected, actual, scale, roundoff or ROUNDOFF, rows)
    expected_number, actual_number = _number(expected), _number(actual)
    if expected_number is not None and actual_number is not None:
        return expected_number == actual_number
    return _fold_text(expected) == _fold_text(actual)


def _agree_floating(expected: str, actual: str, scale: str | None, roundoff: float, rows: int) -> bool:
    """Whether two floating numbers agree within the tolerance.

    Infinity and NaN agree only with themselves. If the tolerance would be too wide, the numbers count as equal.
    """
    expected_number, actual_number = (float(text.removeprefix(_FLOATING)) for text in (expected, actual))
    size = float(scale.removeprefix(_FLOATING)) if scale is not None else max(abs(expected_number), abs(actual_number))
    if not math.isfinite(expected_number) or not math.isfinite(actual_number) or not math.isfinite(size):
        return str(expected_number) == str(actual_number) or not math.isfinite(size)
    allowed = tolerance(rows, roundoff)
    return allowed > _MOST_TOLERANCE or abs(expected_number - actual_number) <= allowed * max(
        size, abs(expected_number), abs(actual_number)
    )


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _fold_text(text: str) -> str:
    """A text in a form that is equal for texts that a collation takes for equal.

    MIN and MAX may answer with any of these texts.
    """
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in spread if not unicodedata.combining(character)).rstrip()


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _rows(text: str | None) -> int:
    return nearest_whole(text.removeprefix(_FLOATING)) if text else 0
