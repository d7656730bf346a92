"""Patterns of log lines: RE2 expressions, whose matching time is linear in the line, whatever the pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_atscale_aggs.signals.errors import UnsafePatternError

_MOST_PATTERN_CHARACTERS = 2_000
_MOST_PROGRAM_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class LinePattern:
    """A compiled pattern."""

    text: str
    compiled: Any

    def is_in(self, line: str) -> bool:
        """Whether the pattern is found anywhere in the line."""
        return self.compiled.search(line) is not None


def compile_pattern(text: str) -> LinePattern:
    """Compile an RE2 expression.

    >>> compile_pattern(r"ETL finished .* status=0").is_in("01:02 ETL finished in 3 s, status=0")
    True

    Raises:
        UnsafePatternError: it is no RE2 expression (look-around, back-references, a syntax error), or too big.
    """
    import re2  # noqa: PLC0415 - a DAG file that names a pattern is parsed without loading it

    if len(text) > _MOST_PATTERN_CHARACTERS:
        raise UnsafePatternError(text[:60] + "…", f"it is longer than {_MOST_PATTERN_CHARACTERS} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_PROGRAM_BYTES
    try:
        return LinePattern(text, re2.compile(text, options=options))
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else error
        raise UnsafePatternError(text, reason.decode() if isinstance(reason, bytes) else str(reason)) from error
