"""Which numbers of a fact may be added up, and which are levels, rates, codes or flags. Each with its reason.

Names and values decide: a price per piece has no meaning as a sum, a stock has none over time, a code has none at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from airflow_atscale_aggs.engine.discovery.column_names import Stem, words_of
from airflow_atscale_aggs.engine.discovery.table_profiles import NUMBERS, ColumnProfile, Family
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_TOTAL = frozenset({"ext", "extended", "total", "subtotal", "amount", "amt", "revenue", "turnover", "line total"})
_STOCK = frozenset(
    {
        "balance",
        "bal",
        "acctbal",
        "onhand",
        "hand",
        "stock",
        "headcount",
        "capacity",
        "avail",
        "available",
        "availqty",
        "inventory",
    }
)
_RATE = frozenset(
    {"price", "rate", "pct", "percent", "percentage", "ratio", "score", "rating", "avg", "average", "mean", "median"}
    | {"unit", "per", "wholesale", "standard", "list", "temperature", "factor", "probability", "share", "age", "speed"}
)
_SOMETIMES_RATE = frozenset({"discount", "tax", "commission", "vat", "margin"})
_NO_MEASURE = frozenset(
    {
        "year",
        "month",
        "day",
        "week",
        "quarter",
        "hour",
        "minute",
        "second",
        "date",
        "time",
        "dow",
        "moy",
        "zip",
        "postal",
    }
    | {"postcode", "phone", "fax", "lat", "latitude", "lon", "lng", "longitude", "flag", "version", "seq", "sequence"}
    | {"priority", "rank", "position", "linenumber", "number", "type", "status", "class", "code", "batch", "hash"}
)
_LEAST_PART = 4
"""Letters of a word that is looked for at the beginning or end of another, as `price` in `extendedprice`."""

_FIRST_DAY, _LAST_DAY = 19000101, 22001231
_WHOLE_PERCENT = 100


class Kind(StrEnum):
    """What a number is."""

    ADDITIVE = "additive"
    LEVEL = "level"
    RATE = "rate"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a number is, and why."""

    kind: Kind
    reason: str


def judge(column: ColumnProfile, stem: Stem, keys: Collection[str]) -> Judgement:
    """What a column of a fact is.

    Args:
        keys: columns of the fact that refer to other tables.
    """
    words = (*words_of(column.name), *stem.words)
    reason = _why_no_measure(column, words, stem, column.name in keys)
    if reason:
        return Judgement(Kind.NONE, reason)
    if _has(words, _STOCK):
        return Judgement(Kind.LEVEL, "a level at a moment: its sum over time has no meaning")
    if _has(words, _TOTAL):
        return Judgement(Kind.ADDITIVE, "its name says that it is a total of the row")
    if _has(words, _RATE):
        return Judgement(Kind.RATE, "a price or rate of one unit: its sum has no meaning")
    if _is_between_none_and_all(column, words):
        return Judgement(Kind.RATE, f"its values are between {column.least} and {column.greatest}: a rate")
    return Judgement(Kind.ADDITIVE, "a number that no name or value says to be a key, a code or a rate")


def _why_no_measure(column: ColumnProfile, words: Sequence[str], stem: Stem, is_key: bool) -> str:  # noqa: FBT001
    """Empty: it is one."""
    least, greatest = _number(column.least), _number(column.greatest)
    is_whole = column.family is Family.WHOLE
    reasons = (
        (is_key, "it is a key"),
        (column.family not in NUMBERS, "it is no number"),
        (not column.values, "it has no values"),
        (bool(stem.key_words), "its name says that it is a key or a code"),
        (_has(words, _NO_MEASURE) and not _has(words, _TOTAL), "its name says that it is a code or a part of a time"),
        (is_whole and least >= 0 and greatest <= 1, "it is 0 or 1"),
        (is_whole and least >= _FIRST_DAY and greatest <= _LAST_DAY, "its values look like days (YYYYMMDD)"),
    )
    return next((reason for is_so, reason in reasons if is_so), "")


def _is_between_none_and_all(column: ColumnProfile, words: Sequence[str]) -> bool:
    """Fractions of one, or whole percents of what is named like a rate."""
    least, greatest = _number(column.least), _number(column.greatest)
    if column.family is not Family.WHOLE and least >= 0 and 0 < greatest <= 1:
        return True
    is_percent = least >= 0 and greatest <= _WHOLE_PERCENT and column.distinct <= _WHOLE_PERCENT + 1
    return is_percent and _has(words, _SOMETIMES_RATE)


def is_named_total(column: ColumnProfile) -> bool:
    """Whether a number's name says that it is measured in each row, which attributes of a dimension are not."""
    return column.family in NUMBERS and _has(words_of(column.name), _TOTAL)


def _has(words: Iterable[str], vocabulary: Collection[str]) -> bool:
    """Whether a word is one of the vocabulary, or begins or ends with a longer one of it."""
    return any(
        word == known or (len(known) >= _LEAST_PART and (word.endswith(known) or word.startswith(known)))
        for word in words
        for known in vocabulary
    )


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
