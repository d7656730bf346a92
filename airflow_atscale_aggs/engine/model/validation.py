"""Collects the issues of a model as values. They are raised together, never one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from enum import StrEnum

from airflow_atscale_aggs.engine.errors import did_you_mean, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

MISSING_PACKAGE = "missing-package"
_UNRESOLVED = "unresolved-reference"


class Severity(StrEnum):
    """How serious an issue is. Errors stop a deployment; warnings are only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class ModelIssue:
    """One error or warning about a model.

    Attributes:
        code: kind of issue, stable, for grouping: ``unknown-key``, ``unresolved-reference``, ….
        file: relative to the model folder; line: 1-based, 0 when unknown.
    """

    file: str
    line: int
    severity: Severity
    code: str
    message: str

    @property
    def is_error(self) -> bool:
        """True when a deployment must stop."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class IssueList:
    """Collects the issues of one folder.

    Attributes:
        broken: names of objects that exist but cannot be used, with the file that holds each. Their own issue says why;
            references to them are not reported again.
    """

    def __init__(self) -> None:
        self._issues: dict[ModelIssue, None] = {}
        self.broken: dict[str, str] = {}

    def error(self, where: str, code: str, message: str) -> None:
        """Note an error at ``file:line``."""
        self._add(where, Severity.ERROR, code, message)

    def warning(self, where: str, code: str, message: str) -> None:
        """Note a warning at ``file:line``."""
        self._add(where, Severity.WARNING, code, message)

    def add(self, issues: Iterable[ModelIssue]) -> None:
        """Note issues that a check has returned."""
        self._issues |= dict.fromkeys(issues)

    def add_unresolved_reference(
        self,
        where: str,
        kind: str,
        name: str,
        candidates: Iterable[str],
        *,
        is_needed: bool = True,
        wanted_by: str = "",
    ) -> None:
        """Note a reference to a name that does not exist, with similar names. It is an error when a build needs it."""
        if name in self.broken:
            return
        hint = did_you_mean(near_names(name, candidates))
        message = (
            f"{wanted_by + ' refers to ' if wanted_by else 'reference to '}{kind} `{name}`, which does not exist.{hint}"
        )
        self._add(where, Severity.ERROR if is_needed else Severity.WARNING, _UNRESOLVED, message)

    def forgive(self, needed: Collection[str]) -> None:
        """Turn errors in files that are not needed into warnings.

        Nothing changes while a needed file has an error: that error may come from one of the other files.
        """
        if any(issue.is_error and issue.file in needed for issue in self._issues):
            return
        self._issues = {
            replace(issue, severity=Severity.WARNING)
            if issue.is_error and issue.file not in needed and issue.code != MISSING_PACKAGE
            else issue: None
            for issue in self._issues
        }

    def all(self) -> tuple[ModelIssue, ...]:
        """Every issue once: errors first, then by file and line.

        Unresolved references are left out while a package is missing.
        """
        is_whole = all(issue.code != MISSING_PACKAGE for issue in self._issues)
        issues = [issue for issue in self._issues if is_whole or issue.code != _UNRESOLVED]
        return tuple(sorted(issues, key=lambda issue: (not issue.is_error, issue)))

    def _add(self, where: str, severity: Severity, code: str, message: str) -> None:
        file, _, line = where.rpartition(":")
        message = " ".join(message.splitlines())  # a name with a line end must not look like the next issue
        issue = (
            ModelIssue(file, int(line), severity, code, message)
            if line.isdigit() and file
            else ModelIssue(where, 0, severity, code, message)
        )
        self._issues[issue] = None
