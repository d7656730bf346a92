"""Wrong input made of right input: texts and trees that a person, a tool or an attacker may have written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import yaml


class Choices(Protocol):
    """Where decisions come from: Hypothesis, a coverage-guided fuzzer, or a seed."""

    def randrange(self, stop: int, /) -> int:
        """A whole number from 0 on, below ``stop``."""


STRANGE_TEXTS = (
    "", " ", "\x00", "\x1b[2J", "\u202e", "\ud7ff", "é", "😀", "'", '"', '"";--', "\\", "%", "${x}", "{0}", "[",
    "]]", "&[", "::", "?", "$1", ":a", "#", "--", "/*", "*/", "null", "NULL", "true", "0", "-1", "1e400", "9" * 25,
    "9" * 5000, "a" * 300, "2026-02-30", "no", "~", "*x", "&x", "!!python/object:x", "<<", "\t", "\r\n", "\n",
)  # fmt: skip
STRANGE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", "x", [], {}, [[]], [None], {"x": "y"},
    {"": None}, [1, "a", None], "a" * 300,
)  # fmt: skip

_TOKEN = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|\w+|\s+|[<>=!|:]{2}|.", re.DOTALL)

_SQL_WORDS = """
    SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET DISTINCT ALL AS ON USING JOIN LEFT RIGHT FULL INNER
    CROSS NATURAL LATERAL UNION INTERSECT EXCEPT WITH RECURSIVE CASE WHEN THEN ELSE END CAST AND OR NOT IN
    EXISTS BETWEEN LIKE ILIKE SIMILAR TO ESCAPE IS NULL TRUE FALSE FILTER OVER PARTITION ROWS RANGE PRECEDING
    FOLLOWING UNBOUNDED CURRENT ROW ROLLUP CUBE GROUPING SETS ANY SOME VALUES FETCH NEXT ONLY TABLESAMPLE
    QUALIFY PIVOT UNPIVOT COLUMNS EXCLUDE REPLACE INTERVAL DATE TIMESTAMP ARRAY STRUCT MAP EXTRACT EPOCH YEAR
    ASC DESC NULLS FIRST LAST WINDOW RETURNING INSERT DELETE UPDATE DROP CREATE TABLE EXPLAIN SHOW SET BEGIN
    COPY PRAGMA ATTACH CALL SUM COUNT AVG MIN MAX STDDEV COALESCE NULLIF GREATEST ROUND SUBSTR UPPER DATE_TRUNC
    TO_CHAR STRING_AGG ROW_NUMBER LAG NTILE * ( ) , . ; = <> < > <= >= + - / % || :: ? $1 @ # ~ ! ^ & | { } [ ]
"""
SQL_WORDS = tuple(_SQL_WORDS.split())
_MDX_WORDS = """
    [Measures] . [Amount] [Quantity] [Calendar] [Shops] [Month] [Day] [City] CurrentMember PrevMember NextMember
    Lag Lead Members Children Parent ParallelPeriod PeriodsToDate Aggregate Sum Avg Min Max IIF IsEmpty CASE
    WHEN THEN ELSE END AND OR NOT IS NULL [All] & [1] ( ) { } , : + - * / = <> < > 0 1 1.5 'a' "a" YTD Ancestor
    Descendants Filter CoalesceEmpty Rank Order TopCount Distinct Count StrToMember Format_String
"""
MDX_WORDS = tuple(_MDX_WORDS.split())


def choose(choices: Choices, options: Sequence[Any]) -> Any:
    """One of the options."""
    return options[choices.randrange(len(options))]


def mutate_text(choices: Choices, seeds: Sequence[str], words: Sequence[str]) -> str:
    """A text of the seeds' language that is changed in a few places.

    Tokens are removed, doubled, swapped, replaced, nested or spliced.
    """
    tokens = _TOKEN.findall(choose(choices, seeds))
    for _ in range(1 + choices.randrange(6)):
        place = choices.randrange(len(tokens) + 1)
        match choices.randrange(9):
            case 0:
                del tokens[place : place + 1 + choices.randrange(4)]
            case 1:
                tokens[place:place] = tokens[place : place + 1 + choices.randrange(8)]
            case 2:
                tokens[place : place + 1] = [f" {choose(choices, words)} "]
            case 3:
                tokens.insert(place, f" {choose(choices, words)} ")
            case 4:
                tokens.insert(place, choose(choices, STRANGE_TEXTS))
            case 5:
                other = _TOKEN.findall(choose(choices, seeds))
                at = choices.randrange(len(other) + 1)
                tokens[place:] = other[at:]
            case 6:
                end = place + 1 + choices.randrange(10)
                tokens[place:end] = ["(", *tokens[place:end], ")"]
            case 7:
                target = choices.randrange(len(tokens) + 1)
                piece = tokens[place : place + 3]
                tokens[target:target] = piece
            case _:
                times = choose(choices, (2, 10, 60, 400))
                opening, closing = choose(
                    choices,
                    (("(", ")"), ("CASE WHEN 1=1 THEN ", " END"), ("-", ""), ("NOT ", ""), ("[", "]"), ("{", "}")),
                )
                tokens[place : place + 1] = [opening * times, *tokens[place : place + 1], closing * times]
    return "".join(tokens)


def mutate_files(choices: Choices, files: dict[str, str]) -> dict[str, bytes]:
    """The files of a model with a few values, keys or bytes changed."""
    changed = {name: text.encode() for name, text in files.items()}
    for _ in range(1 + choices.randrange(3)):
        name = choose(choices, sorted(changed))
        if choices.randrange(5):
            changed[name] = _mutate_tree(choices, changed[name])
        else:
            changed[name] = _mutate_bytes(choices, changed[name])
    return changed


def _mutate_tree(choices: Choices, content: bytes) -> bytes:
    try:
        tree = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError):
        return content
    places = list(_places(tree))
    if not places:
        return content
    holder, key = choose(choices, places)
    match choices.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = choose(choices, STRANGE_VALUES)
        case 2:
            holder[key] = choose(choices, STRANGE_TEXTS)
        case 3:
            other, name = choose(choices, places)
            holder[key] = other[name]
        case 4:
            holder[key] = [holder[key]]
        case _:
            if isinstance(holder, dict):
                holder[choose(choices, (*STRANGE_TEXTS[:12], f"{key}s", str(key).upper()))] = holder.pop(key)
            else:
                holder.append(holder[key])
    try:
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, RecursionError, ValueError):
        return content


def _places(tree: Any, levels: int = 20) -> Any:
    """Every (mapping or list, key) of a tree; a tree that an alias makes endless ends after some levels."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items) if levels else ():
        yield tree, key
        yield from _places(value, levels - 1)


def _mutate_bytes(choices: Choices, content: bytes) -> bytes:
    place = choices.randrange(len(content) + 1)
    match choices.randrange(5):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + choose(choices, STRANGE_TEXTS).encode("utf-8", "surrogatepass") + content[place:]
        case 2:
            return content[:place] + bytes([choices.randrange(256)]) + content[place + 1 :]
        case 3:
            depth = choose(choices, (3, 50, 2000))
            return content[:place] + choose(choices, ("[", "{", "- ", "a: ")).encode() * depth + content[place:]
        case _:
            return content[:place] + b"\n---\n" + content[place:]
