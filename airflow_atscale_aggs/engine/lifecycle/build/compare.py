"""Compared: the table of one attempt with its facts, inside the snapshot that it was made in.

The facts' totals are taken once and reused while they fit; when they do not, the facts may have changed since, so they are
taken again in the snapshot at hand before anything is called a mismatch. A table derived from another one shows the facts
as its source saw them: the totals that its source was verified against come first.

Needs neither the model nor an SQL library; the queries were rendered with the plan.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from airflow_atscale_aggs.engine.aggregates.verification import (
    Difference,
    Totals,
    TotalsQuery,
    Verification,
    Verified,
    differences,
    group_differences,
    has_changed,
    totals_of,
    undecidable,
)
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, VerificationError
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession

_WITH_GROUPS = frozenset({VerificationLevel.SAMPLE, VerificationLevel.FULL})


class UndecidedError(Exception):
    """The comparison cannot be made with what is at hand; says why. Never leaves the life cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison to be made.

    Attributes:
        aggregate: for messages.
        known: the facts' totals as taken before: those that the source of a derived table was verified against, else the
            last ones of the batch; None when there are none.
        is_derived: the table was made from another aggregate's, which may have seen other facts than we do.
        is_snapshot: table and facts are seen as of one moment, the one in which the table was made.
    """

    aggregate: str
    verification: Verification
    level: VerificationLevel
    known: Totals | None
    is_derived: bool
    is_snapshot: bool

    @property
    def source(self) -> str:
        """What the table was made of, for people."""
        return "the source of the table" if self.is_derived else f"`{self.verification.fact}`"


def facts_key(verification: Verification) -> str:
    """Stands for the query of the facts' totals."""
    return hashlib.sha256(verification.facts.sql.encode()).hexdigest()


def take_totals(session: WarehouseSession, query: TotalsQuery) -> Totals:
    """Ask for totals. Raises UndecidedError when the warehouse cannot compute them."""
    return totals_of(query, _asked(session, query.sql)[0])


def compare(session: WarehouseSession, comparison: Comparison) -> Verified:
    """Compare a table that was just made.

    Raises:
        VerificationError: it does not agree with its facts.
        UndecidedError: that cannot be told; another way to build it may help.
        TransientWarehouseError: the warehouse could not be asked.
    """
    verified = _with_totals(session, comparison)
    if comparison.level not in _WITH_GROUPS:
        return verified
    query = comparison.verification.groups
    if query is None:
        note = "groups were not compared: the batch was planned at level `totals`"
        return replace(verified, undecided=(*verified.undecided, note))
    found = group_differences(query, _asked(session, query.sql), comparison.verification.rows)
    if not found:
        return verified
    if comparison.is_snapshot and not comparison.is_derived:
        raise _mismatch(comparison, found)
    note = f"{found[0]}, but facts or dimensions may have changed since {comparison.source} was read"
    if comparison.is_snapshot:
        raise UndecidedError(note)
    return replace(verified, totals=None, undecided=(*verified.undecided, note))


def _with_totals(session: WarehouseSession, comparison: Comparison) -> Verified:
    """The facts' totals that the table agrees with."""
    verification, known = comparison.verification, comparison.known
    verified = Verified(level=comparison.level, facts_key=facts_key(verification))
    table = take_totals(session, verification.table)
    if known is not None and not differences(verification, known, table):
        return replace(verified, totals=known, undecided=undecidable(verification, known))
    now = take_totals(session, verification.facts)
    found = differences(verification, now, table)
    if not found:
        return replace(verified, totals=now, undecided=undecidable(verification, now))
    if comparison.is_snapshot and not (comparison.is_derived and known is None):
        raise _mismatch(comparison, found)
    if known is not None and not has_changed(verification, known, now):
        raise _mismatch(comparison, found)
    note = f"{found[0]}, but the facts may have changed since {comparison.source} was read"
    if comparison.is_snapshot:
        raise UndecidedError(note)
    return replace(verified, undecided=(f"{note}, and this warehouse has no snapshots",))


def _mismatch(comparison: Comparison, found: tuple[Difference, ...]) -> VerificationError:
    told = [(one.measure, one.group, one.expected, one.found) for one in found]
    return VerificationError(comparison.aggregate, comparison.verification.fact, told)


def _asked(session: WarehouseSession, sql: str) -> list[Row]:
    """A comparing query that the warehouse will never answer (a total out of range) decides nothing."""
    try:
        return session.fetch_all(sql)
    except PermanentWarehouseError as error:
        message = f"the comparison failed: {error.reason}"
        raise UndecidedError(message) from error
