"""What a check of a warehouse finds: capabilities, and whether each works."""

from __future__ import annotations

from enum import StrEnum

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class Verdict(StrEnum):
    """How a capability works."""

    WORKS = "works"
    DIFFERS = "works with a difference"
    FAILS = "does not work"


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that was tried.

    Attributes:
        detail: what was seen, in a sentence; for a difference or a failure what comes of it.
    """

    name: str
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Everything that was tried on a warehouse.

    Attributes:
        dialect: name of the row that was used.
        proven: in the row's words, how it was shown so far that the warehouse does what the row says.
        version: of the warehouse, in its words; empty where it does not tell.
        schema: that was used, and is dropped unless it was to be kept.
        seconds: that the check took.
    """

    dialect: str
    proven: str
    version: str
    schema: str
    seconds: float
    capabilities: tuple[Capability, ...]

    @property
    def works(self) -> bool:
        """Whether nothing was found that does not work."""
        return all(capability.verdict is not Verdict.FAILS for capability in self.capabilities)


def judge(name: str, wrongs: list[str], detail: str, *, differences: list[str] | None = None) -> Capability:
    """A capability that fails for what is wrong, differs by what differs, and else works.

    Args:
        detail: what was seen.
    """
    if wrongs:
        return Capability(name, Verdict.FAILS, " ".join(wrongs))
    if differences:
        return Capability(name, Verdict.DIFFERS, " ".join(differences))
    return Capability(name, Verdict.WORKS, detail)
