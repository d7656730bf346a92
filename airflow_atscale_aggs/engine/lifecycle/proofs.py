"""Asking the data: which claims hold, which columns can be read at all. What cannot be answered stands in nobody else's way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import datasets_of
from airflow_atscale_aggs.engine.sql.dependence import can_fail
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.probes import Claim, UniqueKey, proof_statement, with_proofs
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

ColumnKey = tuple[str, str]
"""(dataset, column)"""


def with_proven(
    session: WarehouseSession, facts: ProvenConstraints, claims: Iterable[Claim], sources: Sources
) -> ProvenConstraints:
    """The facts and those of the claims that the data proves, in one round trip; none when nothing can be asked.

    Where the warehouse refuses, each claim is asked by itself: one that cannot be answered is not proven, and its dataset is
    noted as one that cannot be read.

    Raises:
        WarehouseError: the connection is lost.
    """
    asked, statement = proof_statement(claims, sources, facts)
    if statement is None:
        return facts
    try:
        return with_proofs(facts, asked, session.fetch_all(render(statement, sources.dialect)))
    except WarehouseError as error:
        check_alive(session, error)
        if len(asked) > 1:
            for claim in asked:
                facts = with_proven(session, facts, [claim], sources)
            return facts
        (claim,) = asked
        facts = replace(facts, unanswered=facts.unanswered | {claim})
        if not isinstance(claim, UniqueKey):
            return facts
        return replace(facts, unreadable={**facts.unreadable, claim.dataset: error.reason})


def check_alive(session: WarehouseSession, error: WarehouseError) -> None:
    """Raise the error when the session cannot be asked anything else either."""
    try:
        session.fetch_all("SELECT 1")
    except WarehouseError:
        raise error from None


def unreadable_columns(
    session: WarehouseSession, parts: Sequence[FactPart], sources: Sources
) -> Mapping[ColumnKey, str]:
    """The columns that the warehouse cannot compute or may not show, with its reason: a cast that breaks, a division by zero.

    Columns of tables are not looked at. What is calculated is, and so is all of a dimension's view; the view of a fact is not:
    that would take a scan of the fact before each batch.

    Raises:
        WarehouseError: the connection is lost.
    """
    facts = {part.fact for part in parts}
    found: dict[ColumnKey, str] = {}
    for dataset in datasets_of(parts):
        columns = [*_doubtful(dataset, _used(dataset, parts), sources, is_fact=dataset in facts)]
        if not columns or not _refused(session, dataset, columns, sources):
            continue
        for column in columns:
            reason = _refused(session, dataset, [column], sources)
            if reason:
                found[dataset, column] = reason
    return found


def refusal_of(part: FactPart, unreadable: Mapping[ColumnKey, str]) -> str:
    """Why a part cannot be built, in one sentence without a full stop; empty when nothing that it uses is unreadable."""
    for dataset in datasets_of([part]):
        for column in _used(dataset, [part]):
            reason = unreadable.get((dataset, column))
            if reason is not None:
                return f"column `{column}` of dataset `{dataset}` cannot be read: {reason}"
    return ""


def _used(dataset: str, parts: Sequence[FactPart]) -> Iterable[str]:
    """The columns of a dataset that parts store or join on."""
    found: dict[str, None] = {}
    for part in parts:
        found |= {one.column: None for one in part.measures if one.dataset == dataset and one.column}
        for bound in part.attributes:
            found |= dict.fromkeys(bound.columns) if bound.dataset == dataset else {}
            for step in bound.steps:
                found |= dict.fromkeys(step.from_columns) if step.from_dataset == dataset else {}
                found |= dict.fromkeys(step.to_columns) if step.to_dataset == dataset else {}
    return found


def _doubtful(dataset: str, columns: Iterable[str], sources: Sources, *, is_fact: bool) -> Iterator[str]:
    try:
        source = sources[dataset]
    except DefinitionError:
        return
    is_opaque = not is_fact and (source.table is None or source.table.kind != "table")
    for column in columns:
        try:
            if is_opaque or (not source.is_physical(column) and can_fail(source.column(column, ""))):
                source.column(column, "t")
                yield column
        except DefinitionError:
            continue


def _refused(session: WarehouseSession, dataset: str, columns: Sequence[str], sources: Sources) -> str:
    """What the warehouse says when it has to compute the columns of all rows; empty when it can."""
    source = sources[dataset]
    counts = [exp.Count(this=source.column(column, "t")) for column in columns]
    try:
        session.fetch_all(render(exp.select(*counts).from_(source.relation("t"), copy=False), sources.dialect))
    except WarehouseError as error:
        check_alive(session, error)
        return error.reason
    return ""
