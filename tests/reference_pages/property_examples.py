"""Examples of properties: a piece of the model that has nearly everything, and what the engine makes of a change to it."""

from __future__ import annotations

import contextlib
import difflib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import sqlglot

from tests.support.honoured_properties import PropertyChange
from tests.support.model_outcomes import ModelOutcome, outcome_of
from tests.support.stars.everything_model import FILES, QUERIES

_MOST_LINES = 14


class EffectKind(Enum):
    """What shows a change of a property."""

    SQL = auto()
    """A query is answered by other SQL."""

    SAID = auto()
    """`deploy` says something."""

    REFUSED = auto()
    """A query is refused."""

    LIFTED = auto()
    """A query is refused as the model stands, and answered after the change."""

    ELSEWHERE = auto()
    """Later stages are told something else: how tables are built, what is listed, which settings are in force."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of a property leads to. ``after``: other SQL, or a sentence."""

    kind: EffectKind
    query: str = ""
    before: str = ""
    after: str = ""


REFUSALS: Sequence[PropertyChange] = (
    PropertyChange(
        "dataset",
        "alternate",
        "groups",
        "table: groups\n",
        "table: groups\nalternate: {type: table, table: old_groups}\n",
    ),
    PropertyChange(
        "map",
        "field_terminator",
        "products",
        "{name: tags}",
        "{name: pairs, map: {field_terminator: ';', key_terminator: ':', key_type: string, value_type: string}}, "
        "{name: tags, data_type: string, parent_column: pairs}",
    ),
    PropertyChange(
        "dimension",
        "calculation_groups",
        "town",
        "label: T\n",
        "label: T\ncalculation_groups: [{unique_name: Growth, label: G, calculated_members: "
        "[{unique_name: Before, template: Last Year}]}]\n",
    ),
    PropertyChange(
        "semi_additive",
        "degenerate_dimensions",
        "last",
        "relationships: [orders_day]",
        "degenerate_dimensions: [{name: Number, level: Order No}]",
    ),
    PropertyChange(
        "aggregate", "target_connection", "model", "label: By day", "label: By day\n  target_connection: wh"
    ),
    PropertyChange(
        "aggregate_attribute",
        "row_security",
        "guarded",
        "metrics: [{unique_name: Amount}]\n",
        "metrics: [{unique_name: Amount}]\n"
        "aggregates: [{unique_name: a, label: A, metrics: [Amount], attributes: [{name: town, row_security: own}]}]\n",
    ),
)
"""Changes that bring a property into the model that is refused by name."""


class Examples:
    """What comes of the model as it is, and after changes."""

    def __init__(self) -> None:
        plain = _outcome(FILES)
        answers = [answer for answer in map(plain.answer, QUERIES) if answer is not None]
        self._issues = plain.issues
        self._answers = sorted(answers, key=lambda answer: (answer.is_refused, len(answer.text)))

    def effect_of(self, change: PropertyChange) -> Effect:
        """What shows the change best: what `deploy` says, else the SQL of the shortest query, else a refused query."""
        changed = _outcome(change.made_to(FILES))
        said = [issue for issue in changed.issues if issue not in self._issues and "unknown key `other`" not in issue]
        if said:
            return Effect(EffectKind.SAID, after=said[0])
        refused: Effect | None = None
        for before in self._answers:
            after = changed.answer(before.query)
            if after is None or after.text == before.text:
                continue
            if before.is_refused and not after.is_refused:
                return refused or Effect(EffectKind.LIFTED, before.query, before.text, pretty(after.text))
            if before.is_refused:
                continue
            if not after.is_refused:
                return Effect(EffectKind.SQL, before.query, pretty(before.text), pretty(after.text))
            refused = refused or Effect(EffectKind.REFUSED, before.query, pretty(before.text), after.text)
        return refused or Effect(EffectKind.ELSEWHERE)


def _outcome(files: Mapping[str, str]) -> ModelOutcome:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return outcome_of(files)


def pretty(sql: str) -> str:
    """SQL over several lines."""
    return sqlglot.parse_one(sql, dialect="postgres").sql(dialect="postgres", pretty=True)


def difference(before: str, after: str) -> str:
    """The lines that differ, with one around them."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]
    return "\n".join("  …" if line.startswith("@@") else line for line in lines).removeprefix("  …\n")


def fragment(change: PropertyChange) -> str:
    """The part of the file around what is changed, with all that it stands in; valid YAML.

    Where the change brings the property in, it is the part of the changed file.
    """
    is_new = change.name in change.new and change.name not in change.old
    text = (change.made_to(FILES) if is_new else FILES)[change.file].lstrip("\n")
    lines = text.splitlines()
    at = text[: text.index((change.new if is_new else change.old).strip("\n"))].count("\n")
    kept = [*_above(lines, at), at]
    indent = _indent(lines[at])
    is_list_below = lines[at].rstrip().endswith(":")
    for number in range(at + 1, len(lines)):
        is_item = is_list_below and _indent(lines[number]) == indent and lines[number].lstrip().startswith("- ")
        if _indent(lines[number]) <= indent and not is_item:
            break
        kept.append(number)
    return "\n".join(lines[number] for number in kept[:_MOST_LINES])


def _above(lines: Sequence[str], at: int) -> list[int]:
    """The lines that a line stands in, the outermost first."""
    found: list[int] = []
    current = lines[at]
    for number in range(at - 1, -1, -1):
        if _holds(lines[number], current):
            found.insert(0, number)
            current = lines[number]
    return found


def _holds(line: str, inner: str) -> bool:
    """Whether a line is the key, or the first line of the item, in which a later line stands."""
    indent, own = _indent(inner), _indent(line)
    if inner.lstrip().startswith("- "):
        return not line.lstrip().startswith("- ") and line.rstrip().endswith(":") and own <= indent
    if line.lstrip().startswith("- "):
        return own == indent - 2
    return own < indent and line.rstrip().endswith(":")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
