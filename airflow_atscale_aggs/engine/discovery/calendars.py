"""Tables of days, found by what is in them, with their years, quarters, months and weeks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from airflow_atscale_aggs.engine.discovery.column_names import table_stem, words_of
from airflow_atscale_aggs.engine.discovery.references import Names
from airflow_atscale_aggs.engine.discovery.table_profiles import TIMES, ColumnProfile, Family, TableProfile
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

DAYS_OF: Mapping[str, float] = {"year": 365.25, "halfyear": 182.6, "quarter": 91.3, "month": 30.44, "week": 7.0}
"""Days of each unit of SML's `time_unit`."""

_WORDS: Mapping[str, frozenset[str]] = {
    "year": frozenset({"year", "yr", "yyyy"}),
    "halfyear": frozenset({"half", "halfyear", "semester"}),
    "quarter": frozenset({"quarter", "qtr"}),
    "month": frozenset({"month", "mon", "mth", "yearmonth", "yearmonthnum", "yyyymm"}),
    "week": frozenset({"week", "wk", "weekseq"}),
}
_OTHER_YEARS = frozenset(
    {"fiscal", "fy", "reporting", "report", "iso", "academic", "last", "previous", "prior", "next"}
)
_DAY_WORDS = frozenset({"date", "day", "calendar", "time", "datum", "dates"})
_FIRST_DAY, _LAST_DAY = 19000101, 22001231
_LEAST_SHARE, _MOST_SHARE, _SPARE = 0.7, 1.4, 2
_LEAST_DAYS = 20
_CONTIGUOUS = 0.9
_MONTHS = range(1, 13)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A table with a row per day.

    Attributes:
        day: a column of dates, unique; empty: days are whole numbers (YYYYMMDD) only.
        units: columns that may be years, quarters, …, the most likely first, by SML's `time_unit`.
        reason: how it was recognised.
    """

    table: str
    day: str
    units: Mapping[str, tuple[str, ...]]
    reason: str


def find_calendar(table: TableProfile, names: Names, keys: Iterable[str]) -> Calendar | None:
    """The table as a calendar; None: it is none.

    Args:
        keys: its columns that are unique.
    """
    unique = [table.columns[key] for key in keys]
    days = [column for column in unique if column.family in TIMES and _is_midnight(column)]
    numbered = [column for column in unique if column.family is Family.WHOLE and _is_day_number(column)]
    if table.rows < _LEAST_DAYS or not (days or numbered):
        return None
    first = (days or numbered)[0]
    length = _days_between(first)
    units = _units_of(table, names, length)
    is_named = bool(_DAY_WORDS & set(table_stem(table.name))) or any(
        word.startswith(("date", "calendar")) for word in table_stem(table.name)
    )
    is_contiguous = table.rows >= length * _CONTIGUOUS
    if not (is_contiguous or is_named) or not ("year" in units or (days and is_contiguous and is_named)):
        return None
    reason = f"{table.rows:,} different days from {_shown(first.least)} to {_shown(first.greatest)} in `{first.name}`"
    return Calendar(table.name, days[0].name if days else "", units, reason)


def _units_of(table: TableProfile, names: Names, length: int) -> dict[str, tuple[str, ...]]:
    """Columns whose name says a unit, and that have about as many values as there are such units."""
    units: dict[str, tuple[str, ...]] = {}
    for unit, days in DAYS_OF.items():
        expected = length / days
        found = [
            column
            for column in table.in_order
            if _unit_of(column, names.stem(table.name, column.name).words) == unit
            and column.values == table.looked_at
            and expected * _LEAST_SHARE <= column.distinct <= expected * _MOST_SHARE + _SPARE
        ]
        if found:
            units[unit] = tuple(column.name for column in sorted(found, key=_likelihood))
    return units


def _unit_of(column: ColumnProfile, stem: Sequence[str]) -> str:
    """The unit that a name says; of `year month` it is the smaller one. Empty: none, or of another kind of year."""
    words = {*words_of(column.name), *stem}
    if _OTHER_YEARS & words or any(word.startswith(("fiscal", "reporting")) for word in words):
        return ""
    for unit in ("week", "month", "quarter", "halfyear", "year"):
        if _WORDS[unit] & words or any(word.startswith(("yearmonth",)) for word in words if unit == "month"):
            return unit
    return ""


def _likelihood(column: ColumnProfile) -> tuple[bool, int]:
    """Numbers and dates sort as time goes, which texts need not; then as the table has them."""
    return column.family is Family.TEXT, column.place


def _is_midnight(column: ColumnProfile) -> bool:
    return all(not isinstance(end, datetime) or end.time() == datetime.min.time() for end in _ends(column))


def _is_day_number(column: ColumnProfile) -> bool:
    least, greatest = (_whole(end) for end in _ends(column))
    return (
        least >= _FIRST_DAY and greatest <= _LAST_DAY and all(end // 100 % 100 in _MONTHS for end in (least, greatest))
    )


def _days_between(column: ColumnProfile) -> int:
    first, last = (_as_date(end) for end in _ends(column))
    return (last - first).days + 1


def _ends(column: ColumnProfile) -> tuple[object, object]:
    return column.least, column.greatest


def _as_date(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    number = _whole(value)
    return date(number // 10000, min(max(number // 100 % 100, 1), 12), min(max(number % 100, 1), 28))


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def _shown(value: object) -> str:
    return str(_as_date(value))
