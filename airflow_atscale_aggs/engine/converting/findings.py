"""What became of each construct of another semantic model: carried over, partly, or left out, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from enum import StrEnum

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class Outcome(StrEnum):
    """What became of a construct."""

    CARRIED = "carried over"
    PARTLY = "partly"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One construct of the other model.

    Attributes:
        kind: what it is there: ``metric``, ``dimension``, ``entity``, ``relationship``, …
        name: its name there.
        why: the difference, or the reason why it was left out; empty when it was carried over as it is.
        where: ``file:line``, as far as it is known.
    """

    kind: str
    name: str
    outcome: Outcome
    why: str = ""
    where: str = ""


@dataclass(slots=True)
class FindingList:
    """Findings in the order in which they were made. A construct that has several differences is one finding."""

    _findings: dict[tuple[str, str, str], list[Finding]] = field(default_factory=dict)

    def carried(self, kind: str, name: str, where: str) -> None:
        """It means the same in SML."""
        self._add(Finding(kind=kind, name=name, outcome=Outcome.CARRIED, where=where))

    def partly(self, kind: str, name: str, where: str, why: str) -> None:
        """It is there, with a difference."""
        self._add(Finding(kind=kind, name=name, outcome=Outcome.PARTLY, why=why, where=where))

    def left_out(self, kind: str, name: str, where: str, why: str) -> None:
        """It is not there."""
        self._add(Finding(kind=kind, name=name, outcome=Outcome.LEFT_OUT, why=why, where=where))

    def all(self) -> tuple[Finding, ...]:
        """One finding for each construct: the worst outcome, and all reasons for it."""
        return tuple(_merge(same) for same in self._findings.values())

    def _add(self, finding: Finding) -> None:
        self._findings.setdefault((finding.kind, finding.name, finding.where), []).append(finding)


def _merge(findings: list[Finding]) -> Finding:
    for outcome in (Outcome.LEFT_OUT, Outcome.PARTLY):
        same = [finding for finding in findings if finding.outcome is outcome]
        if same:
            first = same[0]
            whys = dict.fromkeys(finding.why for finding in same)
            return Finding(kind=first.kind, name=first.name, outcome=outcome, why="; ".join(whys), where=first.where)
    return findings[0]


def sentences(findings: tuple[Finding, ...]) -> Iterator[str]:
    """A sentence for each construct that is not there as it was."""
    for finding in findings:
        if finding.outcome is not Outcome.CARRIED:
            where = f" ({finding.where})" if finding.where else ""
            yield f"{finding.outcome}: {finding.kind} `{finding.name}`{where}: {finding.why}."


def summary(findings: tuple[Finding, ...]) -> str:
    """How many constructs came to which end.

    >>> summary((Finding(kind="metric", name="a", outcome=Outcome.CARRIED),))
    '1 construct: 1 carried over, 0 partly, 0 left out'
    """
    numbers = ", ".join(f"{sum(finding.outcome is outcome for finding in findings):,} {outcome}" for outcome in Outcome)
    return f"{counted(len(findings), 'construct')}: {numbers}"
