"""Read the surroundings of a plan, and compare them: the settings of its session, and which tables the names mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.surroundings import SeenTable, Surroundings
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Dataset, ExistingTables, TableColumns, TableKey, table_key
from airflow_atscale_aggs.engine.sql.dependence import find_needed_settings
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.probes import Claim, UniqueKey
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

NOT_RECORDED = "it was built by a version that did not record the settings of its session"


def surroundings_of(
    session: WarehouseSession,
    datasets: Mapping[str, Dataset],
    parts: Sequence[FactPart],
    sources: Sources,
    proven: ProvenConstraints,
) -> Surroundings:
    """The surroundings of a plan."""
    used = [dataset for dataset in datasets_of(parts) if dataset in datasets]
    return Surroundings(
        settings=session.settings(),
        tables=tables_of(used, sources),
        unique_keys=tuple(sorted(proven.unique_keys)),
        functional=tuple(sorted(proven.functional)),
    )


def datasets_of(parts: Iterable[FactPart]) -> tuple[str, ...]:
    """Names of all datasets that parts read, sorted."""
    names: set[str] = set()
    for part in parts:
        names.add(part.fact)
        for bound in part.attributes:
            names.add(bound.dataset)
            names.update(dataset for step in bound.steps for dataset in (step.from_dataset, step.to_dataset))
    return tuple(sorted(names))


def tables_of(datasets: Iterable[str], sources: Sources) -> dict[str, SeenTable]:
    """The tables of those datasets whose table exists, by name of the dataset."""
    tables: dict[str, SeenTable] = {}
    for dataset in datasets:
        try:
            table = sources[dataset].table
        except DefinitionError:
            continue
        if table is not None and not table.is_away:
            tables[dataset] = SeenTable(place=table.spelled, columns=dict(table), kind=table.kind)
    return tables


def with_away(
    physical: ExistingTables, datasets: Mapping[str, Dataset], seen: Sequence[Surroundings | None]
) -> ExistingTables:
    """The tables that exist, and those that are away, as they were last seen.

    An ETL may drop a table and create it again. Meanwhile aggregates answer: they need the table's columns, not its
    rows.

    Args:
        seen: of the batches that built what serves, the newest first.
    """
    away: dict[TableKey, TableColumns] = {}
    for name, dataset in datasets.items():
        key = table_key(dataset)
        if key is None or key in physical:
            continue
        last = next(
            (
                surroundings.tables[name]
                for surroundings in seen
                if surroundings is not None and name in surroundings.tables
            ),
            None,
        )
        if last is not None and last.place not in physical.places:
            away[key] = TableColumns(last.columns, last.place, last.kind)
            away[key].is_away = True
    return ExistingTables({**physical, **away}, physical.reasons, physical.places) if away else physical


def claims_seen(seen: Iterable[Surroundings | None]) -> frozenset[Claim]:
    """All claims that were proven when the serving aggregates were built."""
    claims: set[Claim] = set()
    for surroundings in seen:
        if surroundings is not None:
            claims.update(UniqueKey(dataset, columns) for dataset, columns in surroundings.unique_keys)
            claims.update(surroundings.functional)
    return frozenset(claims)


def is_away(claim: Claim, sources: Sources) -> bool:
    """Whether the data cannot be asked about a claim because a table of it is away."""
    steps = () if isinstance(claim, UniqueKey) else claim.steps
    for dataset in (claim.dataset, *(step.to_dataset for step in steps)):
        try:
            table = sources[dataset].table
        except DefinitionError:
            continue
        if table is not None and table.is_away:
            return True
    return False


def with_seen(proven: ProvenConstraints, claims: AbstractSet[Claim]) -> ProvenConstraints:
    """The proven constraints, and the claims that were proven before and cannot be asked now."""
    if not claims:
        return proven
    keys = {(claim.dataset, claim.columns) for claim in claims if isinstance(claim, UniqueKey)}
    datasets = {dataset for dataset, _ in keys}
    return replace(
        proven,
        unique_keys=proven.unique_keys | keys,
        functional=proven.functional | {claim for claim in claims if not isinstance(claim, UniqueKey)},
        unreadable={name: reason for name, reason in proven.unreadable.items() if name not in datasets},
    )


def needed_by(noted: tuple[str, ...] | None, part: FactPart, sources: Sources) -> tuple[str, ...]:
    """Names of the settings that decide what an instance stores.

    Where that fails, every setting counts.

    Args:
        noted: what its step says of them. An older version did not note them: then they are found out now.
    """
    if noted is not None:
        return noted
    try:
        return find_needed_settings(part, sources)
    except DefinitionError:
        settings = sources.dialect.session_settings
        return () if settings is None else tuple(settings.reach)


def has_rivals(datasets: Iterable[str], sources: Sources) -> bool:
    """Whether a table name without a schema might mean another table in another session."""
    for dataset in datasets:
        try:
            source = sources[dataset]
        except DefinitionError:
            continue
        if source.table is not None and not source.table.is_only and not source.dataset.schema:
            return True
    return False


def what_differs(then: Surroundings | None, now: Surroundings, needed: Sequence[str], datasets: Iterable[str]) -> str:
    """Why what was built then is not what would be built now, in one sentence without a full stop; empty when it is.

    Args:
        then: None for a batch of a version that did not record them.
        needed: names of the settings that matter.
        datasets: those that are read.
    """
    if then is None:
        return NOT_RECORDED if needed else ""
    for setting in needed:
        before, today = then.settings.get(setting, ""), now.settings.get(setting, "")
        if before != today:
            return f"{setting} of its session was `{before}` and is now `{today}`"
    for dataset in datasets:
        seen, current = then.tables.get(dataset), now.tables.get(dataset)
        if seen is not None and current is not None and seen.place != current.place:
            return f"dataset `{dataset}` was table `{'.'.join(seen.place)}` and is now `{'.'.join(current.place)}`"
    return ""
