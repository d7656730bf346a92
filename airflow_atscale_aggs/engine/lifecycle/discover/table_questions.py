"""Ask a warehouse what discovery wants to know of its tables, a small statement at a time.

Big tables are sampled, except where a claim must hold for all rows: a key is proven on each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.discovery.column_names import shared_prefix
from airflow_atscale_aggs.engine.discovery.references import Candidate, ColumnKey, Inclusion, LeftOut
from airflow_atscale_aggs.engine.discovery.table_profiles import (
    NUMBERS,
    TIMES,
    ColumnProfile,
    Family,
    TableProfile,
    family_of,
)
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import TableColumns
from airflow_atscale_aggs.engine.sql.discovery_probes import (
    LookedAt,
    count_statement,
    dependence_statement,
    duplicates_statement,
    inclusion_statement,
    profile_statement,
)
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession

_COLUMNS_AT_ONCE = 40
_MORE_THAN_ASKED = 1.2
"""A share is taken a little larger, because the warehouse takes whole blocks and may give less."""

Listen = Callable[[str], None]
"""Told of each step, for people."""


@dataclass(slots=True)
class TableQuestions:
    """The tables of a schema, and a session to ask about them.

    Attributes:
        sample: tables with more rows are sampled.
        listen: told of each step.
        tables: what was seen so far, by name.
        left_out: tables of which nothing could be seen.
        database: that names must be said with; empty: none.
    """

    session: WarehouseSession
    sample: int
    listen: Listen
    tables: dict[str, TableProfile]
    left_out: list[LeftOut]
    database: str = ""

    def look_at_all(self, found: Mapping[str, TableColumns]) -> None:
        """Count the rows of each table, and the values of each of its columns."""
        self.database = self._needed_database(found.values())
        for number, (name, columns) in enumerate(sorted(found.items()), 1):
            if columns.closed:
                self.left_out.append(LeftOut(name, f"this user has no right to read it (on the {columns.closed})"))
                continue
            try:
                profile = self._look_at(name, columns)
            except PermanentWarehouseError as error:
                self.left_out.append(LeftOut(name, f"it cannot be read: {error.reason}"))
                continue
            self.tables[name] = profile
            sampled = f", {profile.looked_at:,} looked at" if profile.is_sampled else ""
            self.listen(f"{number}/{len(found)} {name}: {counted(profile.rows, 'row')}{sampled}")

    def prove_keys(self, keys: Iterable[ColumnKey]) -> frozenset[ColumnKey]:
        """Those of the keys that are unique over all rows. Those of tables that were read whole are proven already."""
        return frozenset(
            key for key in keys if not self.tables[key[0]].is_sampled or self.are_unique(key[0], (key[1],))
        )

    def are_unique(self, table: str, columns: Sequence[str]) -> bool:
        """Whether no combination of values is there twice, over all rows."""
        self.listen(f"is {table}.{' and '.join(columns)} unique?")
        statement = duplicates_statement(self._whole(table), columns)
        return nearest_whole(self._row(statement)[0]) == 0

    def inclusions(self, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Inclusion]]:
        """How much of each candidate's column is found in the key."""
        for candidate in candidates:
            self.listen(f"{candidate.table}.{candidate.column} in {candidate.to_table}.{candidate.to_column}?")
            sides = (candidate.table, (candidate.column,)), (candidate.to_table, (candidate.to_column,))
            found = self.inclusion(*sides)
            is_text = self.tables[candidate.table].columns[candidate.column].family is Family.TEXT
            if is_text and not found.values_found:
                found = replace(found, found_without_blanks=self.inclusion(*sides, trimmed=True).values_found)
            yield candidate, found

    def inclusion(
        self, ours: tuple[str, Sequence[str]], theirs: tuple[str, Sequence[str]], *, trimmed: bool = False
    ) -> Inclusion:
        """How much of a table's columns is found among another's.

        Args:
            trimmed: blanks around values do not count.
        """
        sides = (self._part(ours[0]), ours[1]), (self._whole(theirs[0]), theirs[1])
        row = self._row(inclusion_statement(*sides, self.session.dialect, trimmed=trimmed))
        values, found, rows, rows_found = (nearest_whole(value or 0) for value in row)
        return Inclusion(values, found, rows, rows_found, self.tables[theirs[0]].rows, self.tables[ours[0]].is_sampled)

    def determines(self, table: str, keys: Sequence[str], column: str) -> int:
        """How many combinations of values of the keys have several values of a column; 0: they determine it."""
        self.listen(f"{table}: does {' and '.join(keys)} determine {column}?")
        statement = dependence_statement(self._part(table), keys, column, self.session.dialect)
        return nearest_whole(self._row(statement)[0])

    def _needed_database(self, tables: Iterable[TableColumns]) -> str:
        """The database, where a schema of its very name makes DuckDB ask which of the two is meant."""
        for columns in tables:
            database, schema, name = columns.spelled
            if database.casefold() == schema.casefold():
                try:
                    self._row(count_statement(LookedAt(name, schema)))
                except PermanentWarehouseError:
                    return database
            return ""
        return ""

    def _look_at(self, name: str, columns: TableColumns) -> TableProfile:
        open_columns = [column for column in columns if column not in columns.closed_columns]
        blank = {
            column: ColumnProfile(name=column, data_type=kind, family=family_of(kind), place=place)
            for place, (column, kind) in enumerate(columns.items())
            if column in open_columns
        }
        profile = TableProfile(
            schema=columns.spelled[1],
            name=columns.spelled[2],
            rows=0,
            looked_at=0,
            columns=blank,
            is_view=columns.kind == "view",
            shared_prefix=shared_prefix(list(columns)),
        )
        self.tables[name] = profile
        try:
            rows = nearest_whole(self._row(count_statement(self._whole(name)))[0])
            profile = self.tables[name] = replace(profile, rows=rows, looked_at=rows)
            return self._with_values(name, profile) if rows else profile
        finally:
            del self.tables[name]

    def _with_values(self, name: str, profile: TableProfile) -> TableProfile:
        known = [column for column in profile.in_order if column.family is not Family.OTHER]
        seen = dict(profile.columns)
        looked_at = profile.rows
        for first in range(0, len(known), _COLUMNS_AT_ONCE):
            asked = known[first : first + _COLUMNS_AT_ONCE]
            ordered = [(column.name, column.family in NUMBERS | TIMES) for column in asked]
            row = self._row(profile_statement(self._part(name), ordered, self.session.dialect))
            looked_at = min(looked_at, nearest_whole(row[0]))
            values = iter(row[1:])
            for column, (_, is_ordered) in zip(asked, ordered, strict=True):
                count, distinct = nearest_whole(next(values)), nearest_whole(next(values))
                least, greatest = (next(values), next(values)) if is_ordered else (None, None)
                seen[column.name] = replace(column, values=count, distinct=distinct, least=least, greatest=greatest)
        return replace(profile, columns=seen, looked_at=looked_at)

    def _whole(self, name: str) -> LookedAt:
        profile = self.tables[name]
        return LookedAt(profile.name, profile.schema, database=self.database)

    def _part(self, name: str) -> LookedAt:
        """The table, or a sample where it is big."""
        profile = self.tables[name]
        if profile.rows <= self.sample:
            return self._whole(name)
        share = 1.0 if profile.is_view else min(1.0, self.sample / profile.rows * _MORE_THAN_ASKED)
        return LookedAt(profile.name, profile.schema, share=share, rows=self.sample, database=self.database)

    def _row(self, statement: object) -> Row:
        (row,) = self.session.fetch_all(render(statement, self.session.dialect))  # type: ignore[arg-type]
        return row


def chosen_names(names: Collection[str], include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """The names that fit one of the patterns, if there are any, and none of those against; without case.

    >>> chosen_names(["sales", "Stores", "tmp_x"], [], ["tmp*"])
    ['Stores', 'sales']
    """
    from fnmatch import fnmatch  # noqa: PLC0415

    def fits(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatch(name.casefold(), pattern.casefold()) for pattern in patterns)

    return sorted(name for name in names if (not include or fits(name, include)) and not fits(name, exclude))
