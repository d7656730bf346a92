"""The statements of the self-test as texts, and the sentences about what they ask. No SQL library is imported for them.

`self_test.py` composes the statements; `self_test_statements.json` holds them by dialect. A unit test compares the two,
and writes the file anew when it is told to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_FILE = Path(__file__).with_name("self_test_statements.json")

NEEDS: Mapping[str, str] = {
    "unmatched_is_null": "a LEFT JOIN gives NULL where nothing matches",
    "sum_of_nothing_is_null": "SUM and MIN of no rows are NULL",
    "sum_of_nulls_is_null": "SUM of nothing but NULL is NULL",
    "distinct_ignores_null": "COUNT(DISTINCT) leaves NULL out",
    "nulls_are_one_group": "GROUP BY makes one group of all NULLs",
    "nans_are_one_group": "GROUP BY makes one group of all NaNs",
    "case_tells_texts_apart": "texts that differ in case only are different",
    "spaces_tell_texts_apart": "texts that differ in spaces at the end only are different",
    "bytes_tell_texts_apart": "texts that differ in the bytes of a letter only are different",
    "quotient_of_whole_numbers": "the quotient of whole numbers keeps its digits",
    "quotient_of_decimals": "the quotient of decimals keeps its digits",
    "average_of_decimals": "AVG of decimals keeps more digits than they have",
    "sum_of_decimals": "SUM of decimals is wider than they are",
    "sum_of_bigint": "SUM of BIGINT is right or an error, also beyond the range of BIGINT",
    "timestamp_keeps_microseconds": "a timestamp keeps microseconds",
    "instant_keeps_zone_and_microseconds": "a timestamp with time zone keeps its moment to the microsecond",
    "instant_is_read_in_microseconds": "all microseconds of a moment can be read as a number",
    "sum_of_widest_decimal": "SUM of DECIMAL(38) is right or an error, also beyond its range",
}
"""What our SQL relies on, by name of the question."""

REFUSABLE = frozenset({"nans_are_one_group", "sum_of_bigint", "sum_of_widest_decimal"})
"""Questions to which an error is as good an answer: a value that is not there cannot be wrong."""

_REMEDIES: Mapping[str, str] = {
    "unmatched_is_null": "Have the connection set it so (ClickHouse: join_use_nulls = 1).",
    "sum_of_nothing_is_null": "Have the connection set it so (ClickHouse: aggregate_functions_null_for_empty = 1).",
    "case_tells_texts_apart": "Connect to a database with a collation that compares bytes.",
    "spaces_tell_texts_apart": "Connect to a database with a collation that compares bytes.",
    "bytes_tell_texts_apart": "Connect to a database with a collation that compares bytes.",
    "sum_of_bigint": "Have the connection set it so (Spark: spark.sql.ansi.enabled = true).",
}


@dataclass(frozen=True, slots=True)
class SelfTestStatements:
    """The statements for one dialect.

    Attributes:
        together: its one row has a 1 for each question of ``names``; 0 is a difference.
        alone: the other questions, each with a statement of its own.
    """

    names: tuple[str, ...]
    together: str
    alone: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Other statements have another one, so that what was proven by older ones is proven again."""
        text = "\n".join((self.together, *self.alone.values()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def read_statements(dialect: str) -> SelfTestStatements | None:
    """The statements that are kept for a dialect; None where there are none."""
    kept = json.loads(_FILE.read_text(encoding="utf-8")).get(dialect)
    return None if kept is None else SelfTestStatements(tuple(kept["names"]), kept["together"], kept["alone"])


def describe_difference(name: str, reason: str = "") -> str:
    """A sentence about a need that a warehouse does not meet, with what can be done.

    Args:
        reason: what the warehouse said, where it refused the question.

    >>> describe_difference("sum_of_nulls_is_null")
    'It is not so that SUM of nothing but NULL is NULL.'
    """
    said = f" (it said: {reason})" if reason else ""
    remedy = _REMEDIES.get(name, "")
    return f"It is not so that {NEEDS[name]}{said}.{' ' + remedy if remedy else ''}"
