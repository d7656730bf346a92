"""Names that a warehouse would cut off, which would make two names one.

Short ones stand for them inside a statement.
"""

from __future__ import annotations

import hashlib
import re

from sqlglot import exp

_QUOTED = re.compile(r'"((?:[^"]|"")*)"|(\w+)')
_DIGITS = 8


def has_long_names(sql: str, longest: int) -> bool:
    """Whether a text has a name of more bytes than that."""
    return len(sql) > longest and any(len(match.group().encode()) > longest for match in _QUOTED.finditer(sql))


def shorten_names(root: exp.Expr, longest: int) -> dict[str, str]:
    """Put short names in the place of long ones, each in all its places; the statement is changed.

    Nothing in the warehouse has a long name, so all of them are the statement's own.

    Returns:
        The long names by the short ones.
    """
    identifiers = [
        identifier for identifier in root.find_all(exp.Identifier) if len(identifier.name.encode()) > longest
    ]
    short = {name: _short(name, longest) for name in {identifier.name for identifier in identifiers}}
    for identifier in identifiers:
        identifier.set("this", short[identifier.name])
    return {value: name for name, value in short.items()}


def _short(name: str, longest: int) -> str:
    """The beginning of a name and a digest of all of it."""
    start = name.encode()[: longest - _DIGITS - 1].decode(errors="ignore")
    return f"{start} {hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"
