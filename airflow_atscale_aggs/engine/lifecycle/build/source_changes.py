"""Ask the warehouse for the state of the sources, for damage to kept segments, and for checksums of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState, read_checksum, read_identities
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.source_descriptions import (
    ChecksumRequest,
    checksum_statement,
    columns_of_part,
    describe_column,
    descriptions_query,
    find_unlisted_columns,
    identities_query,
    probe_statement,
    read_descriptions,
    relation_kind,
    table_mark,
)
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render, table
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

Key = tuple[str, str]
"""(definition id, fact)."""

_PLAIN_TABLES = frozenset({"table", "partitioned table"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPart:
    """A part of a definition, and the indicator of its fact."""

    part: FactPart
    indicator: str


def source_states(
    session: WarehouseSession, parts: Mapping[Key, ReadPart], sources: Sources
) -> Mapping[Key, SourceState]:
    """What the sources of some parts are now: two round trips, and one for each dataset with calculations.

    Raises:
        DefinitionError: a table is not there.
    """
    columns_by_part = {key: columns_of_part(part.part, part.indicator) for key, part in parts.items()}
    by_dataset: dict[str, set[str]] = {}
    for dataset, column in frozenset().union(*columns_by_part.values()):
        by_dataset.setdefault(dataset, set()).add(column)
    places = {place for dataset in by_dataset if (place := sources[dataset].place) is not None}
    query = descriptions_query(places, sources.dialect)
    descriptions = read_descriptions(session.fetch_all(query), sources.dialect) if query is not None else {}
    types_by_dataset = {
        dataset: _probe_types(session, sources, dataset, columns) for dataset, columns in by_dataset.items()
    }
    identities = _read_identities(session, {part.part.fact for part in parts.values()}, sources)
    return {
        key: SourceState(
            columns={
                **{dataset: relation_kind(sources[dataset], descriptions) for dataset, _ in sorted(columns)},
                **{
                    f"{dataset}.{column}": describe_column(
                        sources[dataset], column, descriptions, types_by_dataset[dataset]
                    )
                    for dataset, column in sorted(columns)
                },
            },
            tables=identities.get(parts[key].part.fact),
        )
        for key, columns in columns_by_part.items()
    }


def _probe_types(
    session: WarehouseSession, sources: Sources, dataset: str, columns: Iterable[str]
) -> Mapping[str, str]:
    """Types of the columns that no catalog describes; none when the warehouse cannot compute one of them."""
    names = find_unlisted_columns(sources[dataset], columns)
    statement = probe_statement(sources[dataset], names)
    if statement is None:
        return {}
    try:
        types = session.result_types(render(statement, sources.dialect))
    except PermanentWarehouseError:
        return {}
    return dict(zip(names, types, strict=True))


def _read_identities(
    session: WarehouseSession, fact_names: Iterable[str], sources: Sources
) -> Mapping[str, Mapping[str, str] | None]:
    query = identities_query(fact_names, sources)
    return {} if query is None else read_identities(session.fetch_all(query))


def checksum_columns(state: SourceState, fact: str, read: Iterable[str]) -> tuple[str, ...]:
    """The columns of a fact whose rows a checksum covers; none where the versions of rows are summed up instead.

    Versions of rows in the first pages, which cost nothing, where the catalog tells tables from each other: they show
    rows that were deleted and loaded again. Hashes of what is read, all rows of it, everywhere else: also for views,
    since nobody knows which rows of the tables under them are behind it, nor what a function in them does now.

    Args:
        read: columns of the fact, as the model spells them.
    """
    is_plain = state.tables is not None and state.columns.get(fact) in _PLAIN_TABLES
    return () if is_plain else tuple(sorted(read))


@dataclass
class Checksums:
    """Checksums of one fact, each asked for once."""

    session: WarehouseSession
    sources: Sources
    fact: str
    _checksums: dict[ChecksumRequest, Checksum | None] = field(default_factory=dict)

    @property
    def ranges_read(self) -> int:
        """How many ranges of the fact's rows were read for checksums; first pages, which cost nothing, aside."""
        return sum(bool(request.columns) and checksum is not None for request, checksum in self._checksums.items())

    def of(self, request: ChecksumRequest) -> Checksum | None:
        """The checksum of some rows; None where the warehouse cannot make one."""
        if request not in self._checksums:
            source = self.sources[self.fact]
            statement = checksum_statement(request, source)
            self._checksums[request] = (
                None
                if statement is None
                else read_checksum(
                    request.columns,
                    ((row[0], row[1], row[2]) for row in self.session.fetch_all(render(statement, source.dialect))),
                )
            )
        return self._checksums[request]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSegments:
    """Settled segments of an aggregate, which are in the schema."""

    part: FactPart
    schema: str
    segments: Sequence[Segment]


def damages(session: WarehouseSession, kept_by_part: Mapping[Key, KeptSegments]) -> Mapping[Key, str]:
    """What is wrong with the tables of segments that were built, by aggregate.

    Those that are as they were are not in it.

    Two round trips.
    """
    places = {
        (None, kept_segments.schema or None, segment.table): key
        for key, kept_segments in kept_by_part.items()
        for segment in kept_segments.segments
    }
    columns_by_place = session.columns(list(places))
    problems: dict[Key, str] = {}
    for place, key in places.items():
        columns = columns_by_place.get(place)
        if columns is None or not set(stored_columns(kept_by_part[key].part).names) <= set(columns):
            problems.setdefault(key, f"`{place[2]}` is not the table that was made for one of its segments")
    segments_to_count = [
        (key, segment)
        for key, kept_segments in kept_by_part.items()
        if key not in problems
        for segment in kept_segments.segments
    ]
    if not segments_to_count:
        return problems
    counted = session.fetch_all(render(_count_statement(kept_by_part, segments_to_count, session), session.dialect))
    by_table = {str(row[0]): row[1:] for row in counted}
    for key, segment in segments_to_count:
        if (problem := _damage(kept_by_part[key].part, segment, by_table[segment.table])) and key not in problems:
            problems[key] = problem
    return problems


def _count_statement(
    kept_by_part: Mapping[Key, KeptSegments], segments: Sequence[tuple[Key, Segment]], session: WarehouseSession
) -> exp.Expr:
    selects = []
    for key, segment in segments:
        part, schema = kept_by_part[key].part, kept_by_part[key].schema
        layout, where = stored_columns(part), table(segment.table, schema)
        rows = exp.Column(this=exp.to_identifier(layout.measures[row_count(part.fact)], quoted=True))
        selects.append(
            exp.select(
                exp.Literal.string(segment.table),
                exp.cast(exp.Count(this=exp.Star(), big_int=True), "text"),
                exp.cast(exp.Coalesce(this=exp.Sum(this=rows), expressions=[exp.Literal.number(0)]), "text"),
                exp.cast(table_mark(where, layout.names, session.dialect), "text"),
            ).from_(where)
        )
    union: exp.Expr = selects[0]
    for other in selects[1:]:
        union = exp.Union(this=union, expression=other, distinct=False)
    return union


def _damage(part: FactPart, segment: Segment, counts: Sequence[object]) -> str:
    rows, fact_rows = nearest_whole(counts[0]), nearest_whole(counts[1])
    mark = "" if counts[2] is None else str(counts[2])
    if rows != segment.rows:
        return f"`{segment.table}`, one of its segments, was made with {segment.rows:,} rows and has {rows:,}"
    is_fanning = any(bound.is_many_to_many for bound in part.attributes)
    if segment.fact_rows is not None and not is_fanning and fact_rows != segment.fact_rows:
        return (
            f"`{segment.table}`, one of its segments, was made from {segment.fact_rows:,} fact rows and now tells of "
            f"{fact_rows:,}"
        )
    if segment.mark and mark and mark != segment.mark:
        return f"`{segment.table}`, one of its segments, was changed or replaced by somebody else"
    return ""
