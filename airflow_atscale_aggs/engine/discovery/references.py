"""Which columns refer to which keys: candidates by name, decided by the data.

Inclusion dependencies are found as SPIDER (Bauckmann, Leser, Naumann, "Efficiently Computing Inclusion Dependencies for
Schema Discovery", 2006) and BINDER (Papenbrock et al., "Divide & Conquer-based Inclusion Dependency Discovery", 2015)
do, by comparing sets of different values; the warehouse does that as a join. Unlike theirs, only pairs are compared
whose names and types speak for it, and out-of-range and coverage decide as in Rostin et al. (2009).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.discovery.column_names import (
    EXACT,
    GENERIC,
    ROLE,
    SHORTENED,
    NameMatch,
    Stem,
    Words,
    best_match,
    stem_of,
    table_stem,
)
from airflow_atscale_aggs.engine.discovery.table_profiles import (
    KEY_FAMILIES,
    TIMES,
    ColumnProfile,
    Family,
    TableProfile,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

ColumnKey = tuple[str, str]
"""(table, column)"""

DECLARED = "declared as a foreign key"
"""How a column leads to a key of which the warehouse knows that."""

_SAME_KEY_WORDS, _NOT_AT_HOME, _NO_KEY_WORD = 0.02, 0.25, 0.1
_LEAST_STRENGTH = 0.6
_AS_STRONG = 0.04
_AS_COMPLETE = 0.02
_MOST_CANDIDATES = 4
_FEW_VALUES, _LOW_END = 10, 0.05
_DATE_WORDS = frozenset({"date", "day", "datum", "calendar"})
_PREPOSITIONS = frozenset({"on", "at"})
_BOOKKEEPING = frozenset(
    {"rec", "record", "valid", "effective", "eff", "expiry", "expiration", "create", "created", "creation", "update"}
    | {"updated", "modified", "load", "loaded", "insert", "inserted", "etl", "audit"}
)
"""Words of dates that say when a row was written or holds, which no business date is."""
_SUPERIORS = frozenset(
    {"manager", "parent", "boss", "supervisor", "head", "reports", "leader", "previous", "predecessor"}
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that may refer to a key, by their names."""

    table: str
    column: str
    to_table: str
    to_column: str
    match: NameMatch


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """A foreign key that the warehouse knows. Both sides have as many columns, in the same order."""

    table: str
    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How much of a column is found in a key.

    Attributes:
        values, values_found: different values, and those of them that the key has.
        rows, rows_found: the same of rows whose column is not NULL.
        target_values: rows of the table that the key is unique in.
        is_sampled: the column's rows are a sample; the key's never are.
        found_without_blanks: values that are found once blanks around them do not count.
    """

    values: int
    values_found: int
    rows: int
    rows_found: int
    target_values: int
    is_sampled: bool = False
    found_without_blanks: int = 0

    @property
    def share(self) -> float:
        """Of the rows, those that are found."""
        return self.rows_found / self.rows if self.rows else 0.0

    @property
    def evidence(self) -> str:
        """What was seen, for people."""
        text = f"{self.values_found:,} of {counted(self.values, 'value')} found"
        lost = self.rows - self.rows_found
        if lost:
            text += f"; {counted(lost, 'row')} of {self.rows:,} lead nowhere, and are left out of answers that use it"
        return f"{text}{' (in a sample)' if self.is_sampled else ''}"


def said_columns(table: str, columns: Sequence[str]) -> str:
    """Columns of a table, for people.

    >>> said_columns("orders", ["id"]), said_columns("lines", ["no", "line"])
    ('orders.id', 'lines (no, line)')
    """
    return f"{table}.{columns[0]}" if len(columns) == 1 else f"{table} ({', '.join(columns)})"


@dataclass(frozen=True, slots=True)
class Reference:
    """A relationship: each value of a key stands for one row of a table, which the key is unique in.

    Attributes:
        columns, to_columns: one, or those of a compound key in the same order.
    """

    table: str
    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]
    role: Words
    reason: str

    @property
    def origin(self) -> str:
        """The columns that refer, for people."""
        return said_columns(self.table, self.columns)

    @property
    def target(self) -> str:
        """The columns referred to, for people."""
        return said_columns(self.to_table, self.to_columns)


@dataclass(frozen=True, slots=True)
class Question:
    """A column that may lead to several keys, and nothing in names or data decides between them."""

    table: str
    column: str
    options: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not proposed, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of all candidates."""

    references: tuple[Reference, ...]
    questions: tuple[Question, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Target:
    """A key that columns may refer to, with the names that it goes by."""

    table: str
    column: ColumnProfile
    stem: Stem
    names: tuple[Words, ...]
    is_at_home: bool


class Names:
    """The stems of all columns and tables."""

    def __init__(self, tables: Mapping[str, TableProfile]) -> None:
        self.tables = tables
        self._stems: dict[ColumnKey, Stem] = {}

    def stem(self, table: str, column: str) -> Stem:
        """The stem of a column, without the prefix that its table's columns share."""
        key = table, column
        if key not in self._stems:
            self._stems[key] = stem_of(column, self.tables[table].shared_prefix)
        return self._stems[key]

    def is_at_home(self, table: str, column: str) -> bool:
        """Whether a column is named as a key of its own table, not of another."""
        stem = self.stem(table, column)
        of_table = table_stem(table)
        if not stem.words or (self.tables[table].columns[column].place == 0 and stem.words[-1:] == of_table[-1:]):
            return True
        if stem.words[-1] in _DATE_WORDS and _DATE_WORDS & set(of_table):
            return set(stem.words) <= _DATE_WORDS
        found = best_match(stem.words, (of_table, of_table[-1:]))
        return found is not None and (not found.role or stem.words == of_table)


def likely_keys(tables: Mapping[str, TableProfile], names: Names) -> list[ColumnKey]:
    """Columns that others may refer to; those of sampled tables are to be proven unique over all rows."""
    return [
        (target.table, target.column.name)
        for table in tables.values()
        for target in _targets_of(table, names, lambda _: True)
    ]


def find_candidates(
    tables: Mapping[str, TableProfile],
    names: Names,
    keys: Collection[ColumnKey],
    declared: Iterable[DeclaredKey] = (),
) -> list[Candidate]:
    """Pairs of a column and a key whose types are alike and whose names speak for a relationship.

    Args:
        keys: those that are unique over all rows.
        declared: foreign keys; whatever a column is called, it refers to what it is declared to refer to.
    """
    known: dict[ColumnKey, list[DeclaredKey]] = {}
    for key in declared:
        if len(key.columns) == 1 and (key.to_table, key.to_columns[0]) in keys:
            known.setdefault((key.table, key.columns[0]), []).append(key)
    targets = [target for table in tables.values() for target in _targets_of(table, names, lambda key: key in keys)]
    candidates: list[Candidate] = []
    for table in tables.values():
        for column in table.in_order:
            if column.family not in KEY_FAMILIES or not column.values:
                continue
            if (table.name, column.name) in known:
                candidates += [_declared(key, names) for key in known[table.name, column.name]]
                continue
            if (table.name, column.name) in keys and names.is_at_home(table.name, column.name):
                continue
            found = [
                candidate
                for target in targets
                if (candidate := _candidate(table.name, column, target, names)) is not None
            ]
            found.sort(key=lambda candidate: -candidate.match.strength)
            candidates += (
                found[:_MOST_CANDIDATES]
                or _superior(table, column, names, keys)
                or _days(table, column, targets, names)
            )
    return candidates


def choose_references(
    candidates: Iterable[tuple[Candidate, Inclusion]], tables: Mapping[str, TableProfile], most_orphans: float
) -> Decisions:
    """What the data says of the candidates.

    Args:
        most_orphans: share of a column's rows that may lead nowhere.
    """
    by_column: dict[ColumnKey, list[tuple[Candidate, Inclusion]]] = {}
    for candidate, inclusion in candidates:
        by_column.setdefault((candidate.table, candidate.column), []).append((candidate, inclusion))
    references: list[Reference] = []
    questions: list[Question] = []
    left_out: list[LeftOut] = []
    for (table, column), pairs in by_column.items():
        passing = [pair for pair in pairs if _holds(*pair, tables, most_orphans)]
        if not passing:
            left_out += _failures(pairs)
            continue
        rivals = _rivals(passing)
        found = tuple(_reference(candidate, inclusion) for candidate, inclusion in rivals)
        if any(candidate.to_table == table for candidate, _ in rivals):
            what = f"{table}.{column}"
            left_out.append(
                LeftOut(
                    what,
                    "all its values are keys of its own table; parents and children of one table cannot be said in SML",
                )
            )
        elif len(found) == 1:
            references += found
        else:
            questions.append(Question(table, column, found))
    return Decisions(tuple(references), tuple(questions), tuple(left_out))


def without_circles(references: Sequence[Reference]) -> tuple[tuple[Reference, ...], tuple[LeftOut, ...]]:
    """References of which no chain comes back to where it began; those that would are left out."""
    kept: list[Reference] = []
    left_out: list[LeftOut] = []
    for reference in references:
        if reference.table in _reached(reference.to_table, kept):
            what = f"{reference.origin} to {reference.to_table}"
            left_out.append(LeftOut(what, f"`{reference.to_table}` already leads to `{reference.table}`"))
        else:
            kept.append(reference)
    return tuple(kept), tuple(left_out)


def without_doubles(
    references: Sequence[Reference], tables: Mapping[str, TableProfile]
) -> tuple[tuple[Reference, ...], tuple[LeftOut, ...]]:
    """References without dates that say again what a key says, such as `OrderDate` beside `OrderDateKey`."""
    keys = {
        (reference.table, reference.to_table, reference.role): reference
        for reference in references
        if not _is_time(reference, tables)
    }
    kept: list[Reference] = []
    left_out: list[LeftOut] = []
    for reference in references:
        key = keys.get((reference.table, reference.to_table, reference.role), reference)
        if key is not reference and _is_time(reference, tables):
            what = f"{reference.origin} to {reference.to_table}"
            left_out.append(LeftOut(what, f"`{key.columns[0]}` leads there already"))
        else:
            kept.append(reference)
    return tuple(kept), tuple(left_out)


def _is_time(reference: Reference, tables: Mapping[str, TableProfile]) -> bool:
    return tables[reference.table].columns[reference.columns[0]].family in TIMES


def _reached(table: str, references: Iterable[Reference]) -> set[str]:
    reached, waiting = {table}, [table]
    while waiting:
        start = waiting.pop()
        new = {reference.to_table for reference in references if reference.table == start} - reached
        reached |= new
        waiting += new
    return reached


def _targets_of(table: TableProfile, names: Names, is_key: Callable[[ColumnKey], bool]) -> Iterable[_Target]:
    of_table = table_stem(table.name)
    for column in table.in_order:
        stem = names.stem(table.name, column.name)
        if column.family not in KEY_FAMILIES or not table.seems_unique(column):
            continue
        is_at_home = names.is_at_home(table.name, column.name)
        is_named_key = bool(stem.key_words) or column.place == 0
        if not (is_named_key or is_at_home) or not is_key((table.name, column.name)):
            continue
        full = stem_of(column.name).words
        own = (of_table,) if is_at_home else ()
        words = tuple(dict.fromkeys(name for name in (stem.words, full, *own) if name))
        yield _Target(table.name, column, stem, words, is_at_home)


def _candidate(table: str, column: ColumnProfile, target: _Target, names: Names) -> Candidate | None:
    if not _are_alike(column.family, target.column.family):
        return None
    stem = names.stem(table, column.name)
    is_same_name = column.name.casefold() == target.column.name.casefold()
    if not target.is_at_home and not is_same_name:
        return None
    match = best_match(stem.words, target.names)
    if match is None or not _may_refer(stem, match, target) or (table == target.table and not match.role):
        return None
    strength = match.strength
    strength += _SAME_KEY_WORDS if stem.key_words == target.stem.key_words else 0
    strength -= 0 if target.is_at_home else _NOT_AT_HOME
    strength -= _NO_KEY_WORD if bool(stem.key_words) != bool(target.stem.key_words) else 0
    if strength < _LEAST_STRENGTH:
        return None
    return Candidate(table, column.name, target.table, target.column.name, NameMatch(strength, match.role, match.how))


def _declared(key: DeclaredKey, names: Names) -> Candidate:
    stem, target = names.stem(key.table, key.columns[0]), names.stem(key.to_table, key.to_columns[0])
    match = best_match(stem.words, [words for words in (target.words, table_stem(key.to_table)) if words])
    role = match.role if match else stem.words
    return Candidate(key.table, key.columns[0], key.to_table, key.to_columns[0], NameMatch(EXACT, role, DECLARED))


def _may_refer(stem: Stem, match: NameMatch, target: _Target) -> bool:
    """Columns that are not named as keys refer to dates, or to what bears the very same name."""
    if stem.key_words:
        return True
    if any(name[-1] in _DATE_WORDS for name in target.names):
        return not _BOOKKEEPING & set(stem.words)
    return match.strength == EXACT and not GENERIC & set(stem.words[-1:])


def _are_alike(ours: Family, theirs: Family) -> bool:
    return ours is theirs or {ours, theirs} == TIMES


def _days(table: TableProfile, column: ColumnProfile, targets: Iterable[_Target], names: Names) -> list[Candidate]:
    """Tables of days that a date refers to, whatever it is called: a day is a day."""
    words = names.stem(table.name, column.name).words
    if column.family not in TIMES or _BOOKKEEPING & set(words):
        return []
    role = words[:-1] if words[-1:] and words[-1] in _PREPOSITIONS else words
    return [
        Candidate(
            table.name,
            column.name,
            target.table,
            target.column.name,
            NameMatch(SHORTENED, role, f"`{' '.join(words)}` is a date, and `{target.table}` has a row for each"),
        )
        for target in targets
        if target.column.family in TIMES
        and target.is_at_home
        and target.table != table.name
        and _DATE_WORDS & set(table_stem(target.table))
    ]


def _superior(table: TableProfile, column: ColumnProfile, names: Names, keys: Collection[ColumnKey]) -> list[Candidate]:
    """A column such as `manager_id`, which refers to its own table; recognised so that it can be told."""
    stem = names.stem(table.name, column.name)
    words = stem.words
    own = [
        key
        for key in table.in_order
        if (table.name, key.name) in keys
        and key.family is column.family
        and names.is_at_home(table.name, key.name)
        and stem.key_words == names.stem(table.name, key.name).key_words
    ]
    if not own or not stem.key_words or not _SUPERIORS & set(words):
        return []
    return [
        Candidate(table.name, column.name, table.name, own[0].name, NameMatch(SHORTENED, words, "names a superior"))
    ]


def _holds(candidate: Candidate, inclusion: Inclusion, tables: Mapping[str, TableProfile], most_orphans: float) -> bool:
    if not inclusion.values_found or inclusion.share < 1 - most_orphans:
        return False
    return candidate.match.strength >= ROLE or not _is_coincidence(candidate, inclusion, tables)


def _is_coincidence(candidate: Candidate, inclusion: Inclusion, tables: Mapping[str, TableProfile]) -> bool:
    """A few small numbers at the low end of a long key: any counter is included there."""
    key = tables[candidate.to_table].columns[candidate.to_column]
    ours = tables[candidate.table].columns[candidate.column]
    if key.family is not Family.WHOLE or inclusion.values > _FEW_VALUES:
        return False
    if inclusion.values_found >= _LOW_END * inclusion.target_values:
        return False
    least, greatest, our_greatest = (_number(value) for value in (key.least, key.greatest, ours.greatest))
    return our_greatest <= least + _LOW_END * (greatest - least)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float(str(value or 0))


def _rivals(passing: Sequence[tuple[Candidate, Inclusion]]) -> list[tuple[Candidate, Inclusion]]:
    """The strongest, and those of other tables that nothing tells from it."""
    strongest = max(passing, key=lambda pair: (pair[0].match.strength, pair[1].share))
    least = strongest[0].match.strength - _AS_STRONG
    near = [pair for pair in passing if pair[0].match.strength >= least]
    best_share = max(inclusion.share for _, inclusion in near)
    near = [pair for pair in near if pair[1].share >= best_share - _AS_COMPLETE]
    by_table: dict[str, tuple[Candidate, Inclusion]] = {}
    for pair in sorted(near, key=lambda pair: -pair[0].match.strength):
        by_table.setdefault(pair[0].to_table, pair)
    return list(by_table.values())


def _reference(candidate: Candidate, inclusion: Inclusion) -> Reference:
    reason = f"{candidate.match.how}; {inclusion.evidence}; unique over {counted(inclusion.target_values, 'row')}"
    return Reference(
        candidate.table, (candidate.column,), candidate.to_table, (candidate.to_column,), candidate.match.role, reason
    )


def _failures(pairs: Iterable[tuple[Candidate, Inclusion]]) -> list[LeftOut]:
    """Why the data refuses what the names say; only of names that say it strongly."""
    return [
        LeftOut(
            f"{candidate.table}.{candidate.column} to {candidate.to_table}.{candidate.to_column}",
            f"{candidate.match.how}, but only {inclusion.values_found:,} of {counted(inclusion.values, 'value')} "
            f"and {inclusion.share:.0%} of the rows are found there"
            + ("; blanks at the end of the values keep them apart" if inclusion.found_without_blanks else ""),
        )
        for candidate, inclusion in pairs
        if candidate.match.strength >= ROLE
    ]
