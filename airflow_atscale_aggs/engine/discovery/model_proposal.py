"""The whole proposal: roles, dimensions, relationships with the roles that they play, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.discovery.additive_columns import Judgement, Kind, judge
from airflow_atscale_aggs.engine.discovery.calendars import Calendar, find_calendar
from airflow_atscale_aggs.engine.discovery.column_names import table_stem, words_of
from airflow_atscale_aggs.engine.discovery.dimension_proposals import DimensionMaker
from airflow_atscale_aggs.engine.discovery.hierarchies import Violations
from airflow_atscale_aggs.engine.discovery.labels import Labels, label_of, with_subject
from airflow_atscale_aggs.engine.discovery.played_roles import find_templates
from airflow_atscale_aggs.engine.discovery.proposal import (
    Proposal,
    ProposedDimension,
    ProposedMetric,
    ProposedRelationship,
)
from airflow_atscale_aggs.engine.discovery.references import ColumnKey, LeftOut, Names, Question, Reference
from airflow_atscale_aggs.engine.discovery.table_profiles import TIMES, TableProfile
from airflow_atscale_aggs.engine.discovery.table_roles import Roles, decide_roles, measured_columns
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_MANY_MEMBERS = 100
_PEOPLE = frozenset({"customer", "cust", "user", "account", "client", "member", "patient", "visitor", "subscriber"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the data said, from which a model is made.

    Attributes:
        keys: columns that are unique in their tables.
        wanted_facts: tables that somebody says are facts; empty: whatever looks like one.
    """

    model: str
    database: str
    schema: str
    names: Names
    keys: Collection[ColumnKey]
    references: tuple[Reference, ...]
    questions: tuple[Question, ...]
    left_out: tuple[LeftOut, ...]
    wanted_facts: tuple[str, ...] = ()

    @property
    def tables(self) -> Mapping[str, TableProfile]:
        """What was seen of all tables."""
        return self.names.tables


def propose(findings: Findings, ask: Violations) -> Proposal:
    """A model of what was found.

    Args:
        ask: counts violations of a functional dependency in the warehouse.
    """
    tables, names = findings.tables, findings.names
    calendars = {name: calendar for name in tables if (calendar := _calendar_of(findings, name)) is not None}
    roles = decide_roles(tables, names, findings.references, findings.keys, findings.wanted_facts, calendars)
    used, unused = _used(findings.references, roles, calendars)
    maker = DimensionMaker(names, ask)
    metrics = _metrics(findings, roles, used, maker)
    dimensions = [
        maker.of_table(
            tables[name],
            _keys_of(name, used),
            _foreign_columns(name, findings.references),
            reason,
            calendars.get(name),
        )
        for name, reason in sorted(roles.dimensions.items(), key=lambda pair: (pair[0] not in calendars, pair[0]))
        if _keys_of(name, used)
    ]
    dimensions += _own_dimensions(findings, roles, maker, calendars)
    by_table = {dimension.table: dimension for dimension in dimensions if not dimension.is_degenerate}
    taken = [metric.name for metric in metrics]
    taken += [level.name for dimension in dimensions if dimension.is_degenerate for level in dimension.levels]
    direct = _said_already(used)
    relationships, embedded = _relationships(used, roles, by_table, (taken, direct))
    return Proposal(
        model=findings.model,
        database=findings.database,
        schema=findings.schema,
        tables={name: tables[name] for name in sorted({*roles.facts, *by_table})},
        facts=roles.facts,
        dimensions=tuple(dimensions),
        relationships=relationships,
        embedded=embedded,
        metrics=metrics,
        calculated={table: tuple(columns) for table, columns in maker.calculated.items()},
        references=findings.references,
        questions=findings.questions,
        left_out=(*findings.left_out, *roles.left_out, *unused, *direct.values()),
    )


def _calendar_of(findings: Findings, name: str) -> Calendar | None:
    unique = [column for table, column in findings.keys if table == name]
    return find_calendar(findings.tables[name], findings.names, sorted(unique))


def _used(
    references: Sequence[Reference], roles: Roles, calendars: Collection[str]
) -> tuple[list[Reference], list[LeftOut]]:
    """References that become relationships.

    Days of dimensions, such as a shop's opening, are left out: each would bring a whole calendar into every fact.
    """
    used, left_out = [], []
    for reference in references:
        if reference.table not in roles.facts and reference.table not in roles.dimensions:
            continue
        if reference.table not in roles.facts and reference.to_table in calendars:
            what = f"{reference.origin} to {reference.to_table}"
            left_out.append(
                LeftOut(what, f"{reference.reason}; it is a day of a dimension, and would bring a calendar")
            )
        elif reference.to_table in roles.dimensions:
            used.append(reference)
    return used, left_out


def _keys_of(table: str, references: Sequence[Reference]) -> list[tuple[str, ...]]:
    """The keys of a table that are referred to, the most used first."""
    number = Counter(reference.to_columns for reference in references if reference.to_table == table)
    return [columns for columns, _ in sorted(number.items(), key=lambda pair: (-pair[1], pair[0]))]


def _foreign_columns(table: str, references: Sequence[Reference]) -> list[str]:
    """The columns of a table that refer to others."""
    return [column for reference in references if reference.table == table for column in reference.columns]


def _own_dimensions(
    findings: Findings, roles: Roles, maker: DimensionMaker, calendars: Collection[str]
) -> list[ProposedDimension]:
    """Dimensions of the facts' own columns, unless the fact is a dimension as well, which has them already."""
    dimensions: list[ProposedDimension] = []
    for name in roles.facts:
        table = findings.tables[name]
        foreign = _foreign_columns(name, findings.references)
        subject = _fact_label(name) if len(roles.facts) > 1 else ""
        if not any(reference.table == name and reference.to_table in calendars for reference in findings.references):
            dimensions += maker.of_dates(table, foreign, subject)
        if name not in roles.dimensions:
            measured = measured_columns(table, findings.names, findings.references)
            dimensions += maker.of_columns(table, foreign, measured, subject)
    return dimensions


def _relationships(
    used: Sequence[Reference],
    roles: Roles,
    dimensions: Mapping[str, ProposedDimension],
    names_and_direct: tuple[Collection[str], Collection[Reference]],
) -> tuple[tuple[ProposedRelationship, ...], dict[str, tuple[ProposedRelationship, ...]]]:
    """Those of the model and those of dimensions, in roles that no two ways from a fact share."""
    templates = find_templates(used, roles.facts, dimensions, *names_and_direct)
    names = Labels()
    made = {
        reference: ProposedRelationship(
            names.give("_".join((reference.table, *reference.columns))),
            reference,
            dimensions[reference.to_table].name,
            dimensions[reference.to_table].leaves[reference.to_columns],
            template,
        )
        for reference, template in templates.items()
    }
    inner = [reference for reference in used if reference not in names_and_direct[1]]
    embedded = {
        table: tuple(made[reference] for reference in inner if reference.table == table) for table in dimensions
    }
    model = tuple(made[reference] for reference in used if reference.table in roles.facts)
    return model, {table: edges for table, edges in embedded.items() if edges}


def _said_already(used: Sequence[Reference]) -> dict[Reference, LeftOut]:
    """References of columns of a compound key, where whatever refers to the key leads to the same members itself.

    A line of an order has a part. What a supplier asks for the part has the same one, and would bring it a second time.
    """
    every = {(each.table, each.columns, each.to_table, each.to_columns) for each in used}
    found: dict[Reference, LeftOut] = {}
    for inner in used:
        outer = [each for each in used if each.to_table == inner.table]
        if outer and all(_leads_on(each, inner) in every for each in outer):
            what = f"{inner.origin} to {inner.to_table}, as a part of the dimension"
            found[inner] = LeftOut(what, f"what refers to `{inner.table}` refers to `{inner.to_table}` itself")
    return found


def _leads_on(outer: Reference, inner: Reference) -> tuple[str, tuple[str, ...], str, tuple[str, ...]] | None:
    """The reference that says what one by a compound key and one from its columns say together; None: none can."""
    ours = dict(zip(outer.to_columns, outer.columns, strict=True))
    if len(ours) == 1 or not ours.keys() >= {*inner.columns}:
        return None
    return outer.table, tuple(ours[column] for column in inner.columns), inner.to_table, inner.to_columns


def _metrics(
    findings: Findings, roles: Roles, used: Sequence[Reference], maker: DimensionMaker
) -> tuple[ProposedMetric, ...]:
    metrics: list[ProposedMetric] = []
    for name in roles.facts:
        subject = _fact_label(name) if len(roles.facts) > 1 else ""
        metrics += _metrics_of(findings, findings.tables[name], [r for r in used if r.table == name], (subject, maker))
    return tuple(metrics)


def _metrics_of(
    findings: Findings, table: TableProfile, used: Sequence[Reference], naming: tuple[str, DimensionMaker]
) -> list[ProposedMetric]:
    subject, maker = naming
    foreign = set(_foreign_columns(table.name, findings.references))
    metrics: list[ProposedMetric] = []

    def add(label: str, column: str, method: str, reason: str) -> None:
        wanted = with_subject(label, subject) if subject else label
        name = maker.labels.give(wanted, (f"{wanted} Measured",))
        metrics.append(ProposedMetric(name, table.name, column, method, reason))

    counted_column = _filled_column(table, foreign)
    reason = f"rows: `{counted_column}` is never NULL"
    if not counted_column:
        counted_column = maker.calculate(table.name, "row_of_fact", "int", "1")
        reason = "rows: each column is NULL in some of them"
    add(f"{_fact_label(table.name)} Rows", counted_column, "count non-null", reason)
    for column in table.in_order:
        found = judge(column, findings.names.stem(table.name, column.name), foreign)
        label = maker.label_of_column(table, column.name)
        for prefix, method in _methods(found):
            add(f"{prefix}{label}", column.name, method, found.reason)
    for reference in used:
        size = findings.tables[reference.to_table].rows
        is_single = len(reference.columns) == 1
        if is_single and size >= _MANY_MEMBERS and table_stem(reference.to_table)[-1] in _PEOPLE:
            column_name = reference.columns[0]
            label = f"Distinct {label_of(findings.names.stem(table.name, column_name).words)}"
            add(
                label,
                column_name,
                "count distinct",
                f"how many of {counted(size, 'row')} of `{reference.to_table}`",
            )
    return metrics


def _methods(found: Judgement) -> tuple[tuple[str, str], ...]:
    if found.kind is Kind.ADDITIVE:
        return (("", "sum"),)
    if found.kind in {Kind.RATE, Kind.LEVEL}:
        return (("Average ", "average"), ("Lowest ", "minimum"), ("Highest ", "maximum"))
    return ()


def _filled_column(table: TableProfile, foreign: Collection[str]) -> str:
    """A column without NULLs, so that counting it counts rows; a key if there is one. Empty: there is none."""
    filled = [column for column in table.in_order if column.values == table.looked_at and not table.is_sampled]
    filled = filled or [column for column in table.in_order if column.values == table.looked_at]
    keys = [column for column in filled if column.name in foreign]
    usable = keys or [column for column in filled if column.family not in TIMES]
    return usable[0].name if usable else ""


def _fact_label(table: str) -> str:
    words = [word for word in words_of(table) if word not in {"fact", "fct", "f", "tbl"}] or list(words_of(table))
    if len(words) == 1 and words[0].startswith("fact") and len(words[0]) > len("fact") + 3:
        words = [words[0].removeprefix("fact")]
    return label_of(words)
