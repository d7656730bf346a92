"""What a batch is planned in, and whether that is still so: settings of sessions, what names of tables mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.surroundings import SeenTable, Surroundings
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Dataset, FoundTables, TableColumns, TableKey, table_key
from airflow_atscale_aggs.engine.sql.dependence import settings_needed
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
    facts: ProvenConstraints,
) -> Surroundings:
    """The surroundings of a plan."""
    used = [name for name in datasets_of(parts) if name in datasets]
    return Surroundings(
        settings=session.settings(),
        tables=tables_of(used, sources),
        unique_keys=tuple(sorted(facts.unique_keys)),
        functional=tuple(sorted(facts.functional)),
    )


def datasets_of(parts: Iterable[FactPart]) -> tuple[str, ...]:
    """Names of all datasets that parts read, sorted."""
    found: set[str] = set()
    for part in parts:
        found.add(part.fact)
        for bound in part.attributes:
            found.add(bound.dataset)
            found.update(name for step in bound.steps for name in (step.from_dataset, step.to_dataset))
    return tuple(sorted(found))


def tables_of(datasets: Iterable[str], sources: Sources) -> dict[str, SeenTable]:
    """The tables of the datasets that are there."""
    found: dict[str, SeenTable] = {}
    for name in datasets:
        try:
            table = sources[name].table
        except DefinitionError:
            continue
        if table is not None and not table.is_away:
            found[name] = SeenTable(place=table.spelled, columns=dict(table), kind=table.kind)
    return found


def with_away(
    physical: FoundTables, datasets: Mapping[str, Dataset], seen: Sequence[Surroundings | None]
) -> FoundTables:
    """The tables that are there, and those that are away as they were last seen.

    An ETL may drop a table and make it anew: meanwhile aggregates answer, which need its columns and not its rows.

    Args:
        seen: of the batches that built what serves, the newest first.
    """
    away: dict[TableKey, TableColumns] = {}
    for name, dataset in datasets.items():
        key = table_key(dataset)
        if key is None or key in physical:
            continue
        last = next((one.tables[name] for one in seen if one is not None and name in one.tables), None)
        if last is not None and last.place not in physical.places:
            away[key] = TableColumns(last.columns, last.place, last.kind)
            away[key].is_away = True
    return FoundTables({**physical, **away}, physical.reasons, physical.places) if away else physical


def claims_seen(seen: Iterable[Surroundings | None]) -> frozenset[Claim]:
    """All that was proven when aggregates were built that serve."""
    found: set[Claim] = set()
    for one in seen:
        if one is not None:
            found.update(UniqueKey(dataset, columns) for dataset, columns in one.unique_keys)
            found.update(one.functional)
    return frozenset(found)


def is_away(claim: Claim, sources: Sources) -> bool:
    """Whether the data cannot be asked about a claim because a table of it is away."""
    steps = () if isinstance(claim, UniqueKey) else claim.steps
    for name in (claim.dataset, *(step.to_dataset for step in steps)):
        try:
            table = sources[name].table
        except DefinitionError:
            continue
        if table is not None and table.is_away:
            return True
    return False


def with_seen(facts: ProvenConstraints, claims: AbstractSet[Claim]) -> ProvenConstraints:
    """The facts, and what was proven before and cannot be asked now."""
    if not claims:
        return facts
    keys = {(claim.dataset, claim.columns) for claim in claims if isinstance(claim, UniqueKey)}
    datasets = {dataset for dataset, _ in keys}
    return replace(
        facts,
        unique_keys=facts.unique_keys | keys,
        functional=facts.functional | {claim for claim in claims if not isinstance(claim, UniqueKey)},
        unreadable={name: reason for name, reason in facts.unreadable.items() if name not in datasets},
    )


def needed_by(step: BuildStep, part: FactPart, sources: Sources) -> tuple[str, ...]:
    """Names of the settings that decide what an instance stores.

    A step of a version that did not look is looked at now; where that cannot be done, all settings may.
    """
    if step.settings_needed is not None:
        return step.settings_needed
    try:
        return settings_needed(part, sources)
    except DefinitionError:
        known = sources.dialect.session_settings
        return () if known is None else tuple(known.reach)


def have_rivals(datasets: Iterable[str], sources: Sources) -> bool:
    """Whether a table that the model names without its schema might be another one of that name in another session."""
    for name in datasets:
        try:
            source = sources[name]
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
    for name in needed:
        before, today = then.settings.get(name, ""), now.settings.get(name, "")
        if before != today:
            return f"{name} of its session was `{before}` and is now `{today}`"
    for name in datasets:
        seen, found = then.tables.get(name), now.tables.get(name)
        if seen is not None and found is not None and seen.place != found.place:
            return f"dataset `{name}` was table `{'.'.join(seen.place)}` and is now `{'.'.join(found.place)}`"
    return ""
