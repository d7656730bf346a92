"""Words that are written together, such as `orderdate`, taken apart where other names of the schema prove the parts.

A dictionary would split `household`, and know no `cust`. So only what the schema itself says counts: a part is a table,
or a word of another column, or the beginning of a table's name, or a word that says that a column is a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from airflow_atscale_aggs.engine.discovery.column_names import (
    KEY_WORDS,
    Words,
    shared_prefix,
    singular,
    stem_of,
    table_stem,
    words_of,
)

_SHORTEST, _SHORTEST_WORD = 3, 4
"""Letters of the beginning of a table's name, and of a word: `weekend` and `birthday` are words of their own."""

_KEY_ENDS = frozenset(word for word in KEY_WORDS if len(word) >= _SHORTEST) | {"id"}


class JoinedWords:
    """What the names of a schema say of words that are written together.

    Args:
        columns: names of columns, by table.
    """

    def __init__(self, columns: Mapping[str, list[str]]) -> None:
        self._tables = {word for table in columns for word in (*words_of(table), *table_stem(table))}
        self._words = {form for word in self._tables for form in (word, singular(word))}
        self._joined: dict[str, set[str]] = {}
        for names in columns.values():
            prefix = shared_prefix(names)
            for name in names:
                self._learn(name, prefix)

    def split(self, word: str) -> Words:
        """The parts of a word; the word itself where nothing proves any, or where there are several ways.

        >>> known = JoinedWords({"customer": ["c_custkey", "c_birth_date"], "orders": ["o_orderdate", "o_custkey"]})
        >>> known.split("orderdate"), known.split("custkey"), known.split("candidate")
        (('order', 'date'), ('cust', 'key'), ('candidate',))
        """
        if word in self._tables or not word.isalpha():
            return (word,)
        ways = {frozenset(_cuts(way)): way for way in self._ways(word, word)}
        # The finest one, if all others only leave out some of its cuts; else nobody knows which is meant.
        return ways.get(frozenset().union(*ways), (word,))

    def _learn(self, name: str, prefix: str) -> None:
        words = words_of(name)
        words = words[1:] if prefix and len(words) > 1 and words[0] == prefix else words
        self._words |= {form for word in words for form in (word, singular(word))}
        stem = stem_of(name, prefix)
        if stem.words and stem.words[-1] not in self._words:
            # Only the end of a joined word was a key's; it may prove the parts of others, and not its own.
            self._joined.setdefault(stem.words[-1], set()).add(words[-1])

    def _ways(self, rest: str, whole: str) -> Iterator[Words]:
        for length in range(_SHORTEST, len(rest) - 1):
            first, others = rest[:length], rest[length:]
            if not self._is_proven(first, whole):
                continue
            if others in _KEY_ENDS or self._is_word(others, whole):
                yield first, others
            yield from ((first, *way) for way in self._ways(others, whole))

    def _is_word(self, part: str, whole: str) -> bool:
        is_known = part in self._words or bool(self._joined.get(part, set()) - {whole})
        return is_known and part != whole and len(part) >= _SHORTEST_WORD

    def _is_proven(self, part: str, whole: str) -> bool:
        return self._is_word(part, whole) or any(table.startswith(part) for table in self._tables)


def _cuts(parts: Words) -> Iterator[int]:
    """Where parts end, but for the last."""
    return accumulate(map(len, parts[:-1]))
