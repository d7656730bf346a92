"""Which columns together refer to a compound key: declared, or candidates by name, decided by the data.

A line of an order refers to what a supplier asks for a part by the part and the supplier. Neither column alone leads
there. As with single columns, names propose and the data decides. But facts that share their dimensions have compound
keys in common as well, and are no dimensions of each other. Where that may be so, it is told and nothing is proposed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.discovery.column_names import Words, match_name
from airflow_atscale_aggs.engine.discovery.references import (
    DECLARED,
    ColumnKey,
    DeclaredKey,
    Inclusion,
    LeftOut,
    Names,
    Reference,
    said_columns,
)
from airflow_atscale_aggs.engine.discovery.table_profiles import TIMES, Family, TableProfile
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_COMPLETE = 0.99
_LOW_END = 0.05
_MOST_SHARED = 6
_MOST_COLUMNS = 3
_BY_HAND = "join it by hand where you need it"


@dataclass(frozen=True, slots=True)
class CompoundCandidate:
    """Columns that together may refer to a compound key.

    Attributes:
        how: for people, such as "`part` and `supp` are the same names".
        doubt: why it is only told, even where the data bears it out; empty: it may be proposed.
        is_declared: the warehouse says that it is a foreign key.
        is_counted: none of its columns refers to a table of its own, and all are whole numbers.
    """

    table: str
    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]
    role: Words
    how: str
    doubt: str = ""
    is_declared: bool = False
    is_counted: bool = False

    @property
    def said(self) -> str:
        """From where to where, for people."""
        return f"{said_columns(self.table, self.columns)} to {said_columns(self.to_table, self.to_columns)}"


@dataclass(frozen=True, slots=True)
class _Shared:
    """A column of each of two tables, by one name, that are keys in both.

    Attributes:
        meant: the table that both refer to; empty: none.
    """

    ours: str
    theirs: str
    role: Words
    meant: str


def declared_compounds(names: Names, declared: Iterable[DeclaredKey]) -> list[CompoundCandidate]:
    """Foreign keys of several columns that the warehouse knows."""
    return [
        CompoundCandidate(
            key.table,
            key.columns,
            key.to_table,
            key.to_columns,
            _role_of(key, names),
            DECLARED,
            is_declared=True,
        )
        for key in declared
        if len(key.columns) > 1 and key.table != key.to_table
    ]


def compound_candidates(
    names: Names, references: Sequence[Reference], single: Collection[ColumnKey], days: Collection[str]
) -> list[CompoundCandidate]:
    """Two or three columns each of two tables that may be a compound key there and refer to it here.

    Args:
        references: of single columns.
        single: columns that are unique by themselves.
        days: tables of days.

    Returns:
        Keys of two columns before those of three: the smaller one is the key.
    """
    targets = {(reference.table, reference.columns[0]): reference.to_table for reference in references}
    keyed = {table for table, column in single if names.is_at_home(table, column)}
    found: list[CompoundCandidate] = []
    for ours in names.tables.values():
        for theirs in names.tables.values():
            if ours.name == theirs.name or theirs.name in keyed:
                continue
            for shared in _by_role(_shared_keys(ours, theirs, names, targets)):
                found += [
                    _candidate(
                        (ours, theirs), sorted(chosen, key=lambda pair: theirs.columns[pair.theirs].place), names, days
                    )
                    for chosen in _combinations(shared)
                    if _may_be_unique(theirs, [pair.theirs for pair in chosen])
                ]
    return sorted(found, key=lambda candidate: len(candidate.columns))


def judge_compound(
    candidate: CompoundCandidate, inclusion: Inclusion, most_orphans: float, *, is_one_to_one: bool
) -> Reference | LeftOut | None:
    """What the data says of a candidate whose key is unique over all rows.

    Args:
        inclusion: of combinations of values.
        most_orphans: share of the rows that may lead nowhere, where the key is declared.
        is_one_to_one: the columns are unique where they refer from, too.

    Returns:
        None: the names were a coincidence.
    """
    least = 1 - most_orphans if candidate.is_declared else _COMPLETE
    if not inclusion.values_found or inclusion.share < least:
        if not candidate.is_declared:
            return None
        reason = f"{candidate.how}, but only {inclusion.share:.0%} of the rows are found there"
        return LeftOut(candidate.said, reason)
    doubt = "" if candidate.is_declared else _doubt_of(candidate, inclusion, is_one_to_one=is_one_to_one)
    evidence = inclusion.evidence.replace(" value", " combination", 1)
    if doubt:
        return LeftOut(candidate.said, f"a compound key: {evidence}; {doubt}; {_BY_HAND}")
    unique = f"together unique over {counted(inclusion.target_values, 'row')}"
    reason = f"a compound key: {candidate.how}; {evidence}; {unique}"
    return Reference(
        candidate.table, candidate.columns, candidate.to_table, candidate.to_columns, candidate.role, reason
    )


def without_rivals(references: Sequence[Reference]) -> tuple[tuple[Reference, ...], tuple[LeftOut, ...]]:
    """References of which no two lead from the same columns to several tables; those are told."""
    tables: dict[tuple[str, frozenset[str]], list[str]] = {}
    for reference in references:
        tables.setdefault((reference.table, frozenset(reference.columns)), []).append(reference.to_table)
    kept, left_out = [], []
    for reference in references:
        rivals = tables[reference.table, frozenset(reference.columns)]
        if len(rivals) == 1:
            kept.append(reference)
        else:
            others = " and ".join(f"`{table}`" for table in rivals)
            left_out.append(LeftOut(f"{reference.origin} to {reference.target}", f"nothing decides between {others}"))
    return tuple(kept), tuple(left_out)


def without_smaller_keys(
    references: Sequence[Reference], known: Sequence[Reference]
) -> tuple[tuple[Reference, ...], tuple[LeftOut, ...]]:
    """References of which no column leads to the same rows by itself; the others are told.

    Args:
        known: references by single columns.
    """
    single = {(each.table, each.columns[0], each.to_table, each.to_columns[0]) for each in known}
    kept, left_out = [], []
    for reference in references:
        pairs = zip(reference.columns, reference.to_columns, strict=True)
        alone = [ours for ours, theirs in pairs if (reference.table, ours, reference.to_table, theirs) in single]
        if alone:
            left_out.append(LeftOut(f"{reference.origin} to {reference.target}", f"`{alone[0]}` leads there already"))
        else:
            kept.append(reference)
    return tuple(kept), tuple(left_out)


def _doubt_of(candidate: CompoundCandidate, inclusion: Inclusion, *, is_one_to_one: bool) -> str:
    if is_one_to_one:
        return "each row meets one row, so that both are facts of one grain, or one of them continues the other"
    if candidate.is_counted and inclusion.values_found < _LOW_END * inclusion.target_values:
        return "so few of its rows are met that small numbers may be there by chance"
    return candidate.doubt


def _role_of(key: DeclaredKey, names: Names) -> Words:
    """The words before the names of the key, where all columns have the same ones."""
    roles = set()
    for ours, theirs in zip(key.columns, key.to_columns, strict=True):
        match = match_name(names.stem(key.table, ours).words, names.stem(key.to_table, theirs).words)
        roles.add(match.role if match else ())
    return roles.pop() if len(roles) == 1 else ()


def _shared_keys(
    ours: TableProfile, theirs: TableProfile, names: Names, targets: Mapping[ColumnKey, str]
) -> Iterator[_Shared]:
    """Columns of one name that are keys in both tables: of the same other table, or named as keys."""
    for left in ours.in_order:
        stem = names.stem(ours.name, left.name)
        for right in theirs.in_order:
            other = names.stem(theirs.name, right.name)
            both = targets.get((ours.name, left.name)), targets.get((theirs.name, right.name))
            if left.family is not right.family or both[0] != both[1] or not stem.words:
                continue
            is_key = bool(stem.key_words and other.key_words) or None not in both
            if is_key and stem.words[-len(other.words) :] == other.words:
                yield _Shared(left.name, right.name, stem.words[: -len(other.words)], both[0] or "")
                break


def _by_role(shared: Iterable[_Shared]) -> list[list[_Shared]]:
    """Pairs whose columns play the same role, such as those that begin with `ship`."""
    by_role: dict[Words, list[_Shared]] = {}
    for pair in shared:
        by_role.setdefault(pair.role, []).append(pair)
    return list(by_role.values())


def _combinations(shared: Sequence[_Shared]) -> Iterator[tuple[_Shared, ...]]:
    """Two or three of the columns, one of which is the table's own; else all that there are."""
    own = [pair for pair in shared if not pair.meant]
    shared = [*own, *(pair for pair in shared if pair.meant)]
    for size in range(2, _MOST_COLUMNS + 1):
        if own:
            yield from (
                chosen for chosen in combinations(shared[:_MOST_SHARED], size) if any(pair in own for pair in chosen)
            )
        elif len(shared) == size:
            yield tuple(shared)


def _may_be_unique(table: TableProfile, columns: Sequence[str]) -> bool:
    """No column is a key by itself or has NULLs, and there are as many combinations as rows."""
    profiles = [table.columns[column] for column in columns]
    most = 1
    for profile in profiles:
        most *= profile.distinct
    is_filled = all(profile.values == table.looked_at for profile in profiles)
    return is_filled and most >= table.looked_at and not any(table.seems_unique(profile) for profile in profiles)


def _candidate(
    tables: tuple[TableProfile, TableProfile], chosen: Sequence[_Shared], names: Names, days: Collection[str]
) -> CompoundCandidate:
    ours, theirs = tables
    own = [pair for pair in chosen if not pair.meant]
    is_day = any(pair.meant in days or theirs.columns[pair.theirs].family in TIMES for pair in chosen)
    doubt = ""
    if is_day:
        doubt = "one of its columns is a day: both are facts, which queries bring together over what they share"
    elif own and not any(names.is_at_home(theirs.name, pair.theirs) for pair in own):
        doubt = f"no name says that `{theirs.name}` is what it means"
    stems = [f"`{' '.join(names.stem(theirs.name, pair.theirs).words)}`" for pair in chosen]
    how = f"{', '.join(stems[:-1])} and {stems[-1]} are the same names in both"
    return CompoundCandidate(
        ours.name,
        tuple(pair.ours for pair in chosen),
        theirs.name,
        tuple(pair.theirs for pair in chosen),
        chosen[0].role,
        how,
        doubt,
        is_counted=len(own) == len(chosen)
        and all(theirs.columns[pair.theirs].family is Family.WHOLE for pair in chosen),
    )
