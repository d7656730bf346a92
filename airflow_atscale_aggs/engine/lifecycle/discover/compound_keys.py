"""Ask a warehouse which foreign keys it knows, and which compound keys its data has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airflow_atscale_aggs.engine.discovery.calendars import find_calendar
from airflow_atscale_aggs.engine.discovery.compound_references import (
    CompoundCandidate,
    compound_candidates,
    declared_compounds,
    judge_compound,
    without_rivals,
    without_smaller_keys,
)
from airflow_atscale_aggs.engine.discovery.references import (
    ColumnKey,
    DeclaredKey,
    LeftOut,
    Names,
    Reference,
    said_columns,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.discover.table_questions import TableQuestions
from airflow_atscale_aggs.engine.sql.text_literals import text_literal

_MOST_ASKED = 40


def declared_keys(questions: TableQuestions, schema: str) -> tuple[DeclaredKey, ...]:
    """Foreign keys that the warehouse knows between the tables that are looked at."""
    session = questions.session
    if session.dialect.foreign_keys is None:
        return ()
    where = text_literal(schema) if schema else "current_schema()"
    pairs: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for name, table, column, to_table, to_column in session.fetch_all(
        session.dialect.foreign_keys.replace("{schema}", where)
    ):
        pairs.setdefault((str(name), str(table), str(to_table)), []).append((str(column), str(to_column)))
    return tuple(
        DeclaredKey(table, tuple(ours for ours, _ in columns), to_table, tuple(theirs for _, theirs in columns))
        for (_, table, to_table), columns in pairs.items()
        if _is_seen(questions, table, [ours for ours, _ in columns])
        and _is_seen(questions, to_table, [theirs for _, theirs in columns])
    )


@dataclass(frozen=True, slots=True)
class CompoundKeys:
    """Looks for references by several columns.

    Attributes:
        single: columns that are unique by themselves.
        declared: foreign keys that the warehouse knows.
        most_orphans: share of the rows that may lead nowhere, where a key is declared.
    """

    questions: TableQuestions
    names: Names
    single: frozenset[ColumnKey]
    declared: Sequence[DeclaredKey]
    most_orphans: float

    def references(self, known: Sequence[Reference]) -> tuple[tuple[Reference, ...], list[LeftOut]]:
        """Those that are declared or likely, and that the data bears out; and what is only told.

        Args:
            known: references by single columns.
        """
        likely = compound_candidates(self.names, known, self.single, self._days())
        found: dict[tuple[str, str, tuple[str, ...]], Reference | LeftOut] = {}
        unique: dict[tuple[str, frozenset[str]], bool] = {}
        declared = declared_compounds(self.names, self.declared)
        for candidate in (*declared, *likely[:_MOST_ASKED]):
            place = candidate.table, candidate.to_table, candidate.columns if candidate.is_declared else candidate.role
            is_declared_too = any((*place[:2], each.columns) in found for each in declared)
            if place in found or (not candidate.is_declared and is_declared_too):
                continue
            key = candidate.to_table, frozenset(candidate.to_columns)
            if key not in unique:
                unique[key] = self.questions.are_unique(candidate.to_table, candidate.to_columns)
            judged = self._judge(candidate, is_unique=unique[key])
            if judged is not None:
                found[place] = judged
        declared_places = {(each.table, each.to_table, each.columns) for each in declared}
        likely_found = [each for place, each in found.items() if place not in declared_places]
        kept, rivals = without_rivals([each for each in likely_found if isinstance(each, Reference)])
        sure = [found[place] for place in found if place in declared_places]
        smaller, doubles = without_smaller_keys([*(each for each in sure if isinstance(each, Reference)), *kept], known)
        told = [each for each in found.values() if isinstance(each, LeftOut)]
        return smaller, [*rivals, *doubles, *told, *self._parents()]

    def _parents(self) -> list[LeftOut]:
        """Keys of several columns by which a table refers to itself."""
        reason = "parents and children of one table cannot be said in SML"
        own = (key for key in self.declared if key.table == key.to_table and len(key.columns) > 1)
        return [LeftOut(said_columns(key.table, key.columns), reason) for key in own]

    def _judge(self, candidate: CompoundCandidate, *, is_unique: bool) -> Reference | LeftOut | None:
        if not is_unique:
            reason = f"{candidate.how}, but its values are there more than once"
            return LeftOut(candidate.said, reason) if candidate.is_declared else None
        ours, theirs = (candidate.table, candidate.columns), (candidate.to_table, candidate.to_columns)
        inclusion = self.questions.inclusion(ours, theirs)
        is_one_to_one = inclusion.values == inclusion.rows and (
            not inclusion.is_sampled or self.questions.are_unique(*ours)
        )
        return judge_compound(candidate, inclusion, self.most_orphans, is_one_to_one=is_one_to_one)

    def _days(self) -> Collection[str]:
        """Tables of days."""
        return {
            name
            for name, table in self.names.tables.items()
            if find_calendar(table, self.names, sorted(column for owner, column in self.single if owner == name))
        }


def _is_seen(questions: TableQuestions, table: str, columns: Sequence[str]) -> bool:
    profile = questions.tables.get(table)
    return profile is not None and all(
        column in profile.columns and profile.columns[column].values for column in columns
    )
