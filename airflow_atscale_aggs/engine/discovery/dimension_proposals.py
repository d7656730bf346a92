"""Dimensions: of tables that facts refer to, and of columns of the facts themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from airflow_atscale_aggs.engine.discovery.calendars import Calendar
from airflow_atscale_aggs.engine.discovery.column_names import stem_of, table_stem, words_of
from airflow_atscale_aggs.engine.discovery.hierarchies import (
    FoundHierarchy,
    FoundLevel,
    Violations,
    find_hierarchies,
    prove_units,
)
from airflow_atscale_aggs.engine.discovery.joined_words import JoinedWords
from airflow_atscale_aggs.engine.discovery.labels import Labels, column_label, label_of, with_subject
from airflow_atscale_aggs.engine.discovery.proposal import (
    CalculatedColumn,
    ProposedAttribute,
    ProposedDimension,
    ProposedHierarchy,
)
from airflow_atscale_aggs.engine.discovery.references import LeftOut, Names
from airflow_atscale_aggs.engine.discovery.table_profiles import TIMES, ColumnProfile, Family, TableProfile
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_NAME_WORDS = ("name", "title", "label")
_FREE_TEXT_SHARE = 0.9
_LEAST_FREE_TEXT = 50
_MOST_SECONDARY = 60
_MOST_DEGENERATE_VALUES = 1000
_MOST_DEGENERATE, _MOST_FACT_DATES = 12, 3
_LONGEST_COLUMN = 60
"""Characters; PostgreSQL cuts names off behind 63 bytes."""

_UNIT_LABELS = {"year": "Year", "halfyear": "Half Year", "quarter": "Quarter", "month": "Month", "week": "Week"}


@dataclass(slots=True)
class DimensionMaker:
    """Makes dimensions, with names that no other has.

    Attributes:
        ask: counts violations of a functional dependency in the warehouse.
        labels: names of attributes and metrics that are taken.
        dimension_labels: names of dimensions that are taken.
        calculated: columns that were added to tables on the way.
        joined: takes words apart that are written together.
    """

    names: Names
    ask: Violations
    labels: Labels = field(default_factory=Labels)
    dimension_labels: Labels = field(default_factory=Labels)
    calculated: dict[str, list[CalculatedColumn]] = field(default_factory=dict)
    joined: JoinedWords = field(init=False)

    def __post_init__(self) -> None:
        self.joined = JoinedWords({name: list(table.columns) for name, table in self.names.tables.items()})

    def label_of_column(self, table: TableProfile, column: str) -> str:
        """A column's name for people."""
        return column_label(column, table.shared_prefix, self.joined)

    def of_table(
        self,
        table: TableProfile,
        keys: Sequence[tuple[str, ...]],
        foreign: Sequence[str],
        reason: str,
        calendar: Calendar | None,
    ) -> ProposedDimension:
        """The dimension of a table that others refer to.

        Args:
            keys: those that are referred to, the most used first; each of one column or of several.
            foreign: its columns that refer to other tables.
        """
        label = label_of(_unsingular(table))
        subject = self.dimension_labels.give("Date" if calendar is not None else label, (label,))
        of_keys = [column for key in keys for column in key]
        found = (
            find_hierarchies(table, self.names, [*of_keys, *foreign], self.ask)
            if calendar is None
            else self._calendar_hierarchies(table, calendar)
        )
        used = {
            column for hierarchy in found for level in hierarchy.levels for column in (*level.keys, level.name_column)
        }
        taken = {*of_keys, *foreign, *used}
        leaves = [self._leaf(table, key, subject, taken, calendar) for key in keys]
        taken |= {leaf.name_column for leaf in leaves}
        levels, chains = self._levels_of(table, subject, found, calendar)
        secondary, left_out = self._secondary(table, subject, taken)
        hierarchies = _with_leaves(subject, chains, leaves)
        if calendar is not None:
            reason = f"{reason}; {calendar.reason}"
        return ProposedDimension(
            name=subject,
            table=table.name,
            reason=reason,
            hierarchies=hierarchies,
            levels=(*levels, *leaves),
            secondary=secondary,
            leaves={leaf.keys: leaf.name for leaf in leaves},
            is_time=calendar is not None,
            left_out=left_out,
        )

    def of_columns(
        self, table: TableProfile, foreign: Sequence[str], measured: Sequence[str], subject: str
    ) -> list[ProposedDimension]:
        """Dimensions of a fact's own columns: codes and flags, one each.

        Args:
            subject: the fact for people, where names need it.
        """
        dimensions = []
        for column in table.in_order:
            if column.name in foreign or column.name in measured or not _is_code(column):
                continue
            label = self.label_of_column(table, column.name)
            name = self.labels.give(with_subject(label, subject) if subject else label, (with_subject(label, subject),))
            level = ProposedAttribute(
                name=name, keys=(column.name,), name_column=column.name, reason=f"{column.distinct:,} different values"
            )
            dimensions.append(self._degenerate(table, name, (level,), "a column of the fact with few values"))
            if len(dimensions) == _MOST_DEGENERATE:
                break
        return dimensions

    def of_dates(self, table: TableProfile, foreign: Sequence[str], subject: str) -> list[ProposedDimension]:
        """Time dimensions of a fact's own columns of dates, which no table of days is known for."""
        columns = [
            column
            for column in table.in_order
            if column.family in TIMES and column.values and column.name not in foreign
        ]
        return [self._of_date(table, column, subject) for column in columns[:_MOST_FACT_DATES]]

    def _of_date(self, table: TableProfile, column: ColumnProfile, subject: str) -> ProposedDimension:
        label = self.label_of_column(table, column.name)
        name = with_subject(label, subject) if subject else label
        levels = [
            ProposedAttribute(
                name=self.labels.give(f"{name} {_UNIT_LABELS[unit]}"),
                keys=(calculated.name,),
                name_column=calculated.name,
                time_unit=unit,
                reason=f"calculated from `{column.name}`",
            )
            for unit, calculated in self._units_from(table.name, column.name).items()
        ]
        key = column.name
        if column.family is Family.TIMESTAMP:
            key = self.calculate(table.name, f"{column.name}_day", "date", f'CAST("{_quoted(column.name)}" AS DATE)')
        day = self.labels.give(name, (f"{name} Day",))
        levels.append(ProposedAttribute(name=day, keys=(key,), name_column=key, time_unit="day"))
        reason = f"`{column.name}` is a date, and no table of days has it"
        return self._degenerate(table, day, tuple(levels), reason, is_time=True)

    def _degenerate(
        self,
        table: TableProfile,
        name: str,
        levels: tuple[ProposedAttribute, ...],
        reason: str,
        *,
        is_time: bool = False,
    ) -> ProposedDimension:
        dimension = self.dimension_labels.give(name)
        hierarchy = ProposedHierarchy(f"{dimension} Hierarchy", tuple(level.name for level in levels))
        return ProposedDimension(
            name=dimension,
            table=table.name,
            reason=reason,
            hierarchies=(hierarchy,),
            levels=levels,
            leaves={},
            is_time=is_time,
            is_degenerate=True,
        )

    def _calendar_hierarchies(self, table: TableProfile, calendar: Calendar) -> list[FoundHierarchy]:
        """Years to months, and weeks by themselves, since a week may lie in two years."""
        kept = prove_units(table.name, calendar.units, self.ask)
        reasons = {unit: f"{table.columns[column].distinct:,} different values" for unit, column in kept.items()}
        if calendar.day and not {"year", "month"} <= kept.keys():
            from_day = self._units_from(table.name, calendar.day)
            kept = {unit: column for unit, column in kept.items() if unit == "week"}
            kept |= {unit: column.name for unit, column in from_day.items()}
            reasons |= dict.fromkeys(from_day, f"calculated from `{calendar.day}`")
        chain = [unit for unit in ("year", "halfyear", "quarter", "month") if unit in kept]
        found = [
            FoundHierarchy("Months", tuple(FoundLevel((kept[unit],), kept[unit], reasons[unit]) for unit in chain))
        ]
        if "week" in kept:
            found.append(FoundHierarchy("Weeks", (FoundLevel((kept["week"],), kept["week"], reasons["week"]),)))
        return found

    def _levels_of(
        self, table: TableProfile, subject: str, found: Sequence[FoundHierarchy], calendar: Calendar | None
    ) -> tuple[list[ProposedAttribute], list[tuple[str, list[str]]]]:
        levels: list[ProposedAttribute] = []
        chains: list[tuple[str, list[str]]] = []
        for hierarchy in found:
            chain = []
            for level in hierarchy.levels:
                unit = _unit_of(level.keys[-1], calendar, self.calculated.get(table.name, ()))
                label = _UNIT_LABELS.get(unit) or self.label_of_column(table, level.name_column)
                name = self.labels.give(
                    label if unit else with_subject(label, subject), (with_subject(label, subject),)
                )
                levels.append(
                    ProposedAttribute(
                        name=name, keys=level.keys, name_column=level.name_column, time_unit=unit, reason=level.reason
                    )
                )
                chain.append(name)
            chains.append((hierarchy.name, chain))
        return levels, chains

    def _leaf(
        self, table: TableProfile, key: tuple[str, ...], subject: str, taken: set[str], calendar: Calendar | None
    ) -> ProposedAttribute:
        if len(key) > 1:
            return self._compound_leaf(table, key, subject, taken)
        column = table.columns[key[0]]
        shown = calendar.day if calendar is not None and calendar.day else _name_column(table, taken) or column.name
        reason = f"unique over {table.rows:,} rows"
        if column.values < table.looked_at:
            reason += f"; NULL in {table.looked_at - column.values:,}, which nothing refers to"
        name = self.labels.give(subject, (f"{subject} {self.label_of_column(table, key[0])}",))
        return ProposedAttribute(
            name=name,
            keys=key,
            name_column=shown,
            time_unit="day" if calendar is not None else "",
            is_unique_key=True,
            reason=reason,
        )

    def _compound_leaf(
        self, table: TableProfile, key: tuple[str, ...], subject: str, taken: set[str]
    ) -> ProposedAttribute:
        """A level of several key columns. It is shown as all of them, since one alone names several members."""
        shown = _name_column(table, taken) or self.calculate(
            table.name,
            "_and_".join(key)[:_LONGEST_COLUMN],
            "string",
            _compound_text([table.columns[column] for column in key]),
        )
        labels = " ".join(self.label_of_column(table, column) for column in key)
        return ProposedAttribute(
            name=self.labels.give(subject, (f"{subject} {labels}",)),
            keys=key,
            name_column=shown,
            is_unique_key=True,
            reason=f"together unique over {table.rows:,} rows",
        )

    def _secondary(
        self, table: TableProfile, subject: str, taken: set[str]
    ) -> tuple[tuple[ProposedAttribute, ...], tuple[LeftOut, ...]]:
        attributes: list[ProposedAttribute] = []
        left_out: list[LeftOut] = []
        for column in table.in_order:
            if column.name in taken:
                continue
            reason = _why_no_attribute(column)
            if not reason and len(attributes) >= _MOST_SECONDARY:
                reason = f"the dimension has {_MOST_SECONDARY} attributes already"
            if reason:
                left_out.append(LeftOut(column.name, reason))
                continue
            label = with_subject(self.label_of_column(table, column.name), subject)
            attributes.append(
                ProposedAttribute(name=self.labels.give(label), keys=(column.name,), name_column=column.name)
            )
        return tuple(attributes), tuple(left_out)

    def _units_from(self, table: str, column: str) -> dict[str, CalculatedColumn]:
        """Years, quarters and months of a column of dates, as numbers that sort as time goes."""
        day = f'"{_quoted(column)}"'
        year = f"EXTRACT(YEAR FROM {day})"
        texts = {
            "year": year,
            "quarter": f"{year} * 10 + EXTRACT(QUARTER FROM {day})",
            "month": f"{year} * 100 + EXTRACT(MONTH FROM {day})",
        }
        units = {}
        for unit, text in texts.items():
            name = self.calculate(table, f"{column}_{unit}", "int", f"CAST({text} AS INT)")
            units[unit] = CalculatedColumn(name, "int", text)
        return units

    def calculate(self, table: str, name: str, data_type: str, sql: str) -> str:
        """A calculated column of a table, which has none of that name; its name."""
        columns = self.calculated.setdefault(table, [])
        there = {column.casefold() for column in self.names.tables[table].columns}
        while name.casefold() in there:
            name = f"{name}_"
        if name not in {column.name for column in columns}:
            columns.append(CalculatedColumn(name, data_type, sql))
        return name


def _with_leaves(
    subject: str, chains: Sequence[tuple[str, list[str]]], leaves: Sequence[ProposedAttribute]
) -> tuple[ProposedHierarchy, ...]:
    """Each chain of levels with each leaf below it; a leaf without any stands alone."""
    several = chains or [("", [])]
    hierarchies = []
    for leaf in leaves:
        for chain_name, levels in several:
            name = f"{subject} by {chain_name}" if chain_name else f"{subject} List"
            if leaf is not leaves[0]:
                name = f"{name} of {leaf.name}"
            hierarchies.append(ProposedHierarchy(name, (*levels, leaf.name)))
    return tuple(hierarchies)


def _unit_of(column: str, calendar: Calendar | None, calculated: Iterable[CalculatedColumn]) -> str:
    if calendar is None:
        return ""
    for unit, columns in calendar.units.items():
        if column in columns:
            return unit
    names = {entry.name for entry in calculated}
    return column.rstrip("_").rpartition("_")[2] if column in names else ""


def _compound_text(columns: Sequence[ColumnProfile]) -> str:
    """Several columns as one text, which no two combinations share: what separates them is doubled within texts."""
    texts = []
    for column in columns:
        name = f'"{_quoted(column.name)}"'
        is_text = column.family is Family.TEXT
        texts.append(f"REPLACE({name}, '/', '//')" if is_text else f"CAST({name} AS VARCHAR)")
    return " || ' / ' || ".join(texts)


def _name_column(table: TableProfile, taken: set[str]) -> str:
    """A name that no two members share, since members are shown, and grouped, by their names; empty: there is none."""
    for column in table.in_order:
        words = words_of(column.name)
        is_name = bool(words) and words[-1].endswith(_NAME_WORDS)
        is_whole = not table.is_sampled and column.values == column.distinct == table.rows
        if is_name and is_whole and column.family is Family.TEXT and column.name not in taken:
            return column.name
    return ""


def _why_no_attribute(column: ColumnProfile) -> str:
    if column.family in {Family.OTHER, Family.FLOATING, Family.UUID}:
        return f"its type is {column.data_type}"
    if not column.values:
        return "it has no values"
    if column.family is Family.DECIMAL:
        return "a decimal number"
    is_free = column.distinct >= column.values * _FREE_TEXT_SHARE and column.distinct >= _LEAST_FREE_TEXT
    stem = stem_of(column.name)
    is_name = bool(stem.words) and stem.words[-1].endswith(_NAME_WORDS)
    if column.family is Family.TEXT and is_free and not stem.key_words and not is_name:
        return f"nearly every row has another text ({column.distinct:,} in {column.values:,})"
    return ""


def _is_code(column: ColumnProfile) -> bool:
    """A column of a fact that people group by: a text or a flag with few values."""
    if not column.values or column.distinct > min(_MOST_DEGENERATE_VALUES, column.values * _FREE_TEXT_SHARE):
        return False
    is_named_key = bool(stem_of(column.name).key_words)
    is_flag = column.family is Family.WHOLE and column.distinct <= 2 and not is_named_key  # noqa: PLR2004
    return column.family in {Family.TEXT, Family.BOOLEAN} or is_flag


def _unsingular(table: TableProfile) -> tuple[str, ...]:
    """The words of a table's name without those that say what kind of table it is."""
    kept = [word for word in words_of(table.name) if word not in {"dim", "dimension", "fact", "fct", "tbl", "d", "f"}]
    if len(kept) == 1 and len(table_stem(table.name)) == 1 and kept[0].startswith(("dim", "fact")):
        return table_stem(table.name)
    return tuple(kept) or words_of(table.name)


def _quoted(name: str) -> str:
    return name.replace('"', '""')
