"""Ask the data which claims hold and which columns can be read. A claim without an answer does not stop the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import DefinitionError, WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import datasets_of, is_away, with_seen
from airflow_atscale_aggs.engine.model.paths import JoinStep
from airflow_atscale_aggs.engine.sql.dependence import can_fail
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.keys_together import group_claims, violated_keys_query
from airflow_atscale_aggs.engine.sql.probes import (
    Claim,
    UniqueKey,
    find_wanted_dependencies,
    implied_dependencies,
    keys_to_prove,
    proof_statement,
    with_proofs,
)
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.side_by_side import do_each

ColumnKey = tuple[str, str]
"""(dataset, column)"""


@dataclass(slots=True)
class Proofs:
    """What the data has proven about keys and hierarchies, and which claims it has been asked about."""

    sources: Sources
    proven: ProvenConstraints = field(default_factory=ProvenConstraints)
    asked: set[Claim] = field(default_factory=set)
    seen: frozenset[Claim] = frozenset()
    """What was proven when aggregates were built. It counts as proven where a table is away or locked and the data
    cannot be asked.
    """
    warehouse: Warehouse | None = None
    """Opens further sessions, for claims that are asked about at the same time; None: all are asked about in one."""
    is_hurried: bool = False
    """Ask only for as long as somebody who waits for an answer can wait, see `WarehouseSession.wait_briefly`."""

    def add(self, session: WarehouseSession, parts: Sequence[FactPart]) -> None:
        """Ask the data what the parts rely on, unless it has been asked before; two round trips at most.

        One where all keys are unique and no hierarchy goes through a join: hierarchies that need no key are asked about
        together with the keys.
        """
        keys = keys_to_prove(parts)
        self._ask(session, [*keys, *sorted(_wanted_in_any_case(parts, keys, self.proven))])
        wanted = find_wanted_dependencies(parts, self.proven)
        implied = implied_dependencies(wanted, self.proven)
        self.proven = replace(self.proven, functional=self.proven.functional | implied)
        self._ask(session, sorted(wanted - implied))

    def add_keys(self, session: WarehouseSession, steps: Iterable[JoinStep]) -> None:
        """Ask whether the targets of joins are unique, unless it has been asked before."""
        self._ask(session, sorted({UniqueKey(step.to_dataset, step.to_columns) for step in steps}))

    def add_claims(self, session: WarehouseSession, claims: Iterable[Claim]) -> None:
        """Ask the data about claims, unless it has been asked before."""
        self._ask(session, sorted(set(claims), key=repr))

    def _ask(self, session: WarehouseSession, claims: Iterable[Claim]) -> None:
        new = [claim for claim in claims if claim not in self.asked]
        if not new:
            return
        with session.wait_briefly() if self.is_hurried else contextlib.nullcontext():
            self.proven = prove_claims(session, self.proven, new, self.sources, self.warehouse)
        unanswered = {claim for claim in new if claim in self.proven.unanswered or is_away(claim, self.sources)}
        self.proven = with_seen(self.proven, unanswered & self.seen)
        self.asked.update(new)


def _wanted_in_any_case(
    parts: Sequence[FactPart], keys: Iterable[UniqueKey], proven: ProvenConstraints
) -> frozenset[Dependency]:
    """The dependencies within one dataset that are wanted even where all keys turn out to be unique."""
    hoped = replace(proven, unique_keys=proven.unique_keys | {(key.dataset, key.columns) for key in keys})
    wanted = find_wanted_dependencies(parts, hoped)
    return frozenset(claim for claim in wanted - implied_dependencies(wanted, hoped) if not claim.steps)


def prove(
    session: WarehouseSession, parts: Sequence[FactPart], sources: Sources, warehouse: Warehouse | None = None
) -> ProvenConstraints:
    """Which keys are unique and which hierarchies are functional, as the data says now: two round trips at most.

    Args:
        warehouse: opens further sessions where statements are sent one by one, see `prove_claims`.
    """
    proofs = Proofs(sources, warehouse=warehouse)
    proofs.add(session, parts)
    return proofs.proven


def prove_claims(
    session: WarehouseSession,
    proven: ProvenConstraints,
    claims: Iterable[Claim],
    sources: Sources,
    warehouse: Warehouse | None = None,
) -> ProvenConstraints:
    """The proven constraints with those of the claims that the data proves.

    One round trip, none without a claim to ask about.

    Where the warehouse answers several small statements sooner than a long one, keys of one type are asked about by one
    statement, and every other claim by one of its own. Where it refuses a statement of several claims, each is asked
    about by itself. A claim that cannot be answered is not proven, and its dataset is noted as
    unreadable.

    Args:
        warehouse: opens further sessions, so that several claims are asked about at the same time where the dialect's
            row says so.

    Raises:
        WarehouseError: the connection is lost.
    """
    claims_asked, statement = proof_statement(claims, sources, proven)
    if statement is None:
        return proven
    if len(claims_asked) > 1 and sources.dialect.plans_unions_slowly:
        return _prove_in_groups(session, proven, group_claims(claims_asked, sources), sources, warehouse)
    try:
        return with_proofs(proven, claims_asked, session.fetch_all(render(statement, sources.dialect)))
    except WarehouseError as error:
        check_alive(session, error)
        if len(claims_asked) > 1:
            return _prove_in_groups(session, proven, [(claim,) for claim in claims_asked], sources, warehouse)
        (claim,) = claims_asked
        proven = replace(proven, unanswered=proven.unanswered | {claim})
        if not isinstance(claim, UniqueKey):
            return proven
        return replace(proven, unreadable={**proven.unreadable, claim.dataset: error.reason})


def _prove_in_groups(
    session: WarehouseSession,
    proven: ProvenConstraints,
    groups: Sequence[Sequence[Claim]],
    sources: Sources,
    warehouse: Warehouse | None,
) -> ProvenConstraints:
    """As `prove_claims`, with a statement for each group."""

    def prove_group(own: WarehouseSession, claims: Sequence[Claim]) -> ProvenConstraints:
        keys = [claim for claim in claims if isinstance(claim, UniqueKey)]
        if len(keys) > 1:
            try:
                rows = own.fetch_all(render(violated_keys_query(keys, sources), sources.dialect))
            except WarehouseError as error:
                # Which of them cannot be asked about is found by asking about each by itself.
                check_alive(own, error)
            else:
                violated = {nearest_whole(number): violations for number, violations in rows}
                return with_proofs(proven, keys, [(place, violated.get(place, 0)) for place in range(len(keys))])
        return _merged([prove_claims(own, proven, [claim], sources) for claim in claims])

    return _merged(do_each(warehouse, session, groups, prove_group))


def _merged(all_proven: Sequence[ProvenConstraints]) -> ProvenConstraints:
    return ProvenConstraints(
        unique_keys=frozenset().union(*(one.unique_keys for one in all_proven)),
        functional=frozenset().union(*(one.functional for one in all_proven)),
        unanswered=frozenset().union(*(one.unanswered for one in all_proven)),
        unreadable={dataset: reason for one in all_proven for dataset, reason in one.unreadable.items()},
    )


def check_alive(session: WarehouseSession, error: WarehouseError) -> None:
    """Raise the error again when the session answers no other query either: then the connection is lost."""
    try:
        session.fetch_all("SELECT 1")
    except WarehouseError:
        raise error from None


def unreadable_columns(
    session: WarehouseSession, parts: Sequence[FactPart], sources: Sources
) -> Mapping[ColumnKey, str]:
    """The columns that the warehouse cannot compute or may not show, with its reason.

    A cast that breaks, a division by zero.

    Calculated columns are tried, and all columns of a dimension that is a view. Columns of tables are not tried.
    Columns of a fact that is a view are not tried either, since that would take a scan of the fact before each batch.

    Raises:
        WarehouseError: the connection is lost.
    """
    fact_names = {part.fact for part in parts}
    reasons: dict[ColumnKey, str] = {}
    for dataset in datasets_of(parts):
        columns = [
            *_find_doubtful_columns(dataset, _used_columns(dataset, parts), sources, is_fact=dataset in fact_names)
        ]
        if not columns or not _find_refusal(session, dataset, columns, sources):
            continue
        for column in columns:
            reason = _find_refusal(session, dataset, [column], sources)
            if reason:
                reasons[dataset, column] = reason
    return reasons


def tried_facts(parts: Sequence[FactPart], sources: Sources) -> frozenset[str]:
    """The facts of which `unreadable_columns` tries calculated columns: it reads all their rows."""
    facts = {part.fact for part in parts}
    return frozenset(
        fact for fact in facts if any(_find_doubtful_columns(fact, _used_columns(fact, parts), sources, is_fact=True))
    )


def refusal_of(part: FactPart, unreadable: Mapping[ColumnKey, str]) -> str:
    """Why a part cannot be built, in one sentence without a full stop.

    Empty when nothing that it uses is unreadable.
    """
    for dataset in datasets_of([part]):
        for column in _used_columns(dataset, [part]):
            reason = unreadable.get((dataset, column))
            if reason is not None:
                return f"column `{column}` of dataset `{dataset}` cannot be read: {reason}"
    return ""


def _used_columns(dataset: str, parts: Sequence[FactPart]) -> Iterable[str]:
    """The columns of a dataset that parts store or join on."""
    columns: dict[str, None] = {}
    for part in parts:
        columns |= {measure.column: None for measure in part.measures if measure.dataset == dataset and measure.column}
        for bound in part.attributes:
            columns |= dict.fromkeys(bound.columns) if bound.dataset == dataset else {}
            for step in bound.steps:
                columns |= dict.fromkeys(step.from_columns) if step.from_dataset == dataset else {}
                columns |= dict.fromkeys(step.to_columns) if step.to_dataset == dataset else {}
    return columns


def _find_doubtful_columns(dataset: str, columns: Iterable[str], sources: Sources, *, is_fact: bool) -> Iterator[str]:
    """The columns whose values the warehouse may be unable to compute."""
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


def _find_refusal(session: WarehouseSession, dataset: str, columns: Sequence[str], sources: Sources) -> str:
    """The warehouse's reason for not computing the columns of all rows; empty when it computes them."""
    source = sources[dataset]
    counts = [exp.Count(this=source.column(column, "t")) for column in columns]
    try:
        session.fetch_all(render(exp.select(*counts).from_(source.relation("t"), copy=False), sources.dialect))
    except WarehouseError as error:
        check_alive(session, error)
        return error.reason
    return ""
