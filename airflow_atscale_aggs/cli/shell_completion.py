"""What may stand where one types in the shell: models, attributes, metrics, words of SQL, and commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_atscale_aggs.cli.shell_names import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_atscale_aggs.cli.shell_names import ModelNames

SQL_WORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "OFFSET", "DISTINCT", "AS", "AND", "OR"),
    *("NOT", "IN", "IS NULL", "IS NOT NULL", "BETWEEN", "LIKE", "ILIKE", "EXISTS", "CASE", "WHEN", "THEN", "ELSE"),
    *("END", "CAST", "COALESCE", "NULLIF", "EXTRACT", "DATE_TRUNC", "SUM", "COUNT", "AVG", "MIN", "MAX", "WITH"),
    *("UNION ALL", "JOIN", "LEFT JOIN", "ON", "ASC", "DESC", "NULLS FIRST", "NULLS LAST", "DATE", "INTERVAL"),
)

_WORD = re.compile(r"\w*$")
_AFTER_FROM = re.compile(r"\b(?:from|join)\s+(?:\w+\s*\.\s*)?$", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What may be put in place of the last letters.

    Attributes:
        text: what is put there.
        length: how many of the letters before the cursor it replaces.
        note: what it is, for people.
    """

    text: str
    length: int
    note: str


class ShellCompleter:
    """Proposes how the last word before the cursor may go on.

    Args:
        commands: commands of the shell, each with its sentence.
        arguments: what may follow a command, by the command; ``MODEL`` stands for the names of models.
    """

    def __init__(self, names: ModelNames, commands: Mapping[str, str], arguments: Mapping[str, Sequence[str]]) -> None:
        self._names, self._commands, self._arguments = names, commands, arguments

    def propose(self, before: str, after: str = "") -> list[Proposal]:
        """Proposals for a text with a cursor in it, the likeliest first."""
        statement = before.lstrip()
        if statement.startswith("\\"):
            return self._propose_command(statement)
        before = before[before.rfind(";") + 1 :]
        quote = _open_quote(before)
        if quote == "'":
            return []
        if quote == '"':
            typed = before[before.rfind('"') + 1 :]
            return [
                Proposal(_quoted(name), len(typed) + 1, note)
                for name, note in self._columns_of(before + after)
                if _fits(name, typed)
            ]
        word = _WORD.search(before)
        typed = word.group() if word else ""
        if _AFTER_FROM.search(before.removesuffix(typed) if typed else before):
            return [
                Proposal(_written(name), len(typed), "model") for name in self._names.by_name() if _fits(name, typed)
            ]
        if not typed:
            return []
        columns = [
            Proposal(_quoted(name), len(typed), note)
            for name, note in self._columns_of(before + after)
            if _fits(name, typed)
        ]
        words = [Proposal(one, len(typed), "SQL") for one in SQL_WORDS if one.startswith(typed.upper())]
        return [*words, *columns] if typed.isupper() else [*columns, *words]

    def _propose_command(self, text: str) -> list[Proposal]:
        command, blank, argument = text.partition(" ")
        if not blank:
            fitting = [(name, sentence) for name, sentence in self._commands.items() if name.startswith(command)]
            return [Proposal(name, len(command), sentence) for name, sentence in fitting]
        if command == "\\explain":
            return self.propose(argument)
        choices: Iterable[str] = self._arguments.get(command, ())
        if "MODEL" in choices:
            choices = self._names.by_name()
        typed = argument.lstrip()
        return [Proposal(choice, len(typed), "") for choice in choices if _fits(choice, typed)]

    def _columns_of(self, statement: str) -> list[tuple[str, str]]:
        """(name, kind) of the columns of the models that a statement names; of all models when it names none."""
        words = set(re.findall(r"\w+", statement.casefold())) | set(re.findall(r'"([^"]+)"', statement.casefold()))
        named = self._names.by_name()
        meant = [model for name, model in named.items() if name.casefold() in words] or list(named.values())
        kinds: dict[str, str] = {}
        for record, perspective in meant:
            for name, column in self._names.columns(record, perspective).items():
                kinds.setdefault(name, kind_of(column))
        return list(kinds.items())


def _fits(name: str, typed: str) -> bool:
    """Whether a name, or one of its words, begins with what was typed; case does not matter.

    >>> _fits("Store Sales", "sal"), _fits("Store Sales", "ore")
    (True, False)
    """
    folded, wanted = name.casefold(), typed.casefold()
    return any(folded.startswith(wanted, match.start()) for match in re.finditer(r"\b\w", folded)) or not wanted


def _open_quote(text: str) -> str:
    """The quote in which the end of a text stands; empty: in none."""
    quote = ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
    return quote


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _written(name: str) -> str:
    """A name as it is written in FROM: in quotes where it would be folded."""
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)
