"""Compare the table of one attempt with its facts, inside the snapshot in which it was made.

The facts' totals are taken once and reused while they fit; when they do not, the facts may have changed since, so they
are taken again in the snapshot at hand before anything is called a mismatch. A table derived from another one shows the
facts
as its source saw them: the totals that its source was verified against come first.

Needs neither the model nor an SQL library; the queries were rendered with the plan.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.verification import (
    Difference,
    Totals,
    TotalsQuery,
    Verification,
    Verified,
    differences,
    group_differences,
    has_changed,
    rows_in,
    totals_of,
    undecidable,
)
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, VerificationError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession

_WITH_GROUPS = frozenset({VerificationLevel.SAMPLE, VerificationLevel.FULL})


class UndecidedError(Exception):
    """The comparison cannot decide whether the table is right; says why. Never leaves the life cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison to be made.

    Attributes:
        aggregate: for messages.
        earlier_totals: the facts' totals as taken before: those that the source of a derived table was verified
            against, else the last ones of the batch; None when there are none.
        is_derived: the table was made from another aggregate's, which may have seen other facts than we do.
        is_snapshot: table and facts are seen as of one moment, the one in which the table was made.
    """

    aggregate: str
    verification: Verification
    level: VerificationLevel
    earlier_totals: Totals | None
    is_derived: bool
    is_snapshot: bool

    @property
    def source(self) -> str:
        """What the table was made of, for people."""
        return "the source of the table" if self.is_derived else f"`{self.verification.fact}`"


def facts_key(verification: Verification) -> str:
    """A hash that stands for the query of the facts' totals."""
    return hashlib.sha256(verification.facts.sql.encode()).hexdigest()


def take_totals(session: WarehouseSession, query: TotalsQuery) -> Totals:
    """Ask for totals. Raises UndecidedError when the warehouse cannot compute them."""
    return totals_of(query, _fetch_comparison(session, query.sql)[0])


def compare(session: WarehouseSession, comparison: Comparison) -> Verified:
    """Compare a table that was just made.

    Raises:
        VerificationError: it does not agree with its facts.
        UndecidedError: that cannot be told; another way to build it may help.
        TransientWarehouseError: the warehouse could not be asked.
    """
    verified = _compare_totals(session, comparison)
    if comparison.level not in _WITH_GROUPS:
        return verified
    query = comparison.verification.groups
    if query is None:
        note = "groups were not compared: the batch was planned at level `totals`"
        return replace(verified, undecided=(*verified.undecided, note))
    group_differences_found = group_differences(
        query, _fetch_comparison(session, query.sql), comparison.verification.rows
    )
    if not group_differences_found:
        return verified
    if comparison.is_snapshot and not comparison.is_derived:
        raise _mismatch(comparison, group_differences_found)
    note = f"{group_differences_found[0]}, but facts or dimensions may have changed since {comparison.source} was read"
    if comparison.is_snapshot:
        raise UndecidedError(note)
    return replace(verified, totals=None, undecided=(*verified.undecided, note))


def _compare_totals(session: WarehouseSession, comparison: Comparison) -> Verified:
    """The facts' totals that the table agrees with."""
    verification, expected = comparison.verification, comparison.earlier_totals
    table = take_totals(session, verification.table)
    verified = Verified(level=comparison.level, facts_key=facts_key(verification), table_rows=rows_in(table))
    if expected is not None and not differences(verification, expected, table):
        return replace(verified, totals=expected, undecided=undecidable(verification, expected, table))
    now = take_totals(session, verification.facts)
    total_differences = differences(verification, now, table)
    if not total_differences:
        return replace(verified, totals=now, undecided=undecidable(verification, now, table))
    if comparison.is_snapshot and not (comparison.is_derived and expected is None):
        raise _mismatch(comparison, total_differences)
    if expected is not None and not has_changed(verification, expected, now):
        raise _mismatch(comparison, total_differences)
    note = f"{total_differences[0]}, but the facts may have changed since {comparison.source} was read"
    if comparison.is_snapshot:
        raise UndecidedError(note)
    return replace(verified, undecided=(f"{note}, and this warehouse has no snapshots",))


def _mismatch(comparison: Comparison, found_differences: tuple[Difference, ...]) -> VerificationError:
    rows = [
        (difference.measure, difference.group, difference.expected, difference.found)
        for difference in found_differences
    ]
    return VerificationError(comparison.aggregate, comparison.verification.fact, rows)


def _fetch_comparison(session: WarehouseSession, sql: str) -> list[Row]:
    """The rows of a comparing query.

    Raises UndecidedError when the warehouse will never answer it, as for a total out of range.
    """
    try:
        return session.fetch_all(sql)
    except PermanentWarehouseError as error:
        message = f"the comparison failed: {error.reason}"
        raise UndecidedError(message) from error
