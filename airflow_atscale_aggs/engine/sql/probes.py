"""The claims about data that plans rely on, and the SQL that proves them.

A probe is a query that counts violations: 0 proves the claim. All probes of a plan go to the warehouse as one
statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, dependency_of
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, Role
from airflow_atscale_aggs.engine.sql.fact_joins import (
    JoinComposer,
    ProvenConstraints,
    groupable,
    join_tree,
    key_dependency,
)
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources


@dataclass(frozen=True, slots=True, order=True)
class UniqueKey:
    """The claim that a dataset holds no value of these columns twice; NULL keys, which never join, aside."""

    dataset: str
    columns: tuple[str, ...]


Claim = UniqueKey | Dependency

_ORDERED_TYPES = frozenset(
    {
        *("tinyint", "smallint", "int", "integer", "bigint", "hugeint", "decimal", "numeric"),
        *("string", "varchar", "char", "character varying", "character", "text"),
        *("date", "timestamp", "timestamp_ntz", "timestamp without time zone", "timestamp with time zone"),
    }
)
"""Types as warehouses spell them, without length and scale."""


def keys_to_prove(parts: Iterable[FactPart]) -> tuple[UniqueKey, ...]:
    """The keys that the parts' joins rely on. Bridges rely on none."""
    keys = {
        UniqueKey(step.to_dataset, step.to_columns)
        for part in parts
        for bound in part.attributes
        for step in bound.steps
        if step.kind is not JoinKind.BRIDGE
    }
    return tuple(sorted(keys))


def find_wanted_dependencies(parts: Sequence[FactPart], constraints: ProvenConstraints) -> frozenset[Dependency]:
    """The dependencies that would help.

    One row per key where keys are not unique, and derivations through hierarchies.
    """
    return frozenset({*_coarse_keys(parts, constraints), *_hierarchies(parts)})


def implied_dependencies(claims: Iterable[Dependency], constraints: ProvenConstraints) -> frozenset[Dependency]:
    """The claims that need no look at the data.

    A unique key determines its row and what is joined to that by unique keys.

    Only for keys that facts join on: another unique key may be NULL in a row that facts meet.
    """
    return frozenset(
        claim
        for claim in claims
        if claim.is_join_key
        and (claim.dataset, claim.key) in constraints.unique_keys
        and all((step.to_dataset, step.to_columns) in constraints.unique_keys for step in claim.steps)
    )


def proof_statement(
    claims: Iterable[Claim], sources: Sources, constraints: ProvenConstraints
) -> tuple[tuple[Claim, ...], exp.Expr | None]:
    """The claims that can be asked, and one query with a row (number of the claim, number of violations) for each.

    0 violations prove a claim. A claim about a table or column that is not there cannot be asked and stays unproven;
    whatever needs it will say what is missing. The query is None when nothing can be asked.
    """
    asked: list[Claim] = []
    union: exp.Expr | None = None
    for claim in claims:
        try:
            violations = _violations(claim, sources, constraints)
        except DefinitionError:
            continue
        select = exp.select(
            exp.Alias(this=exp.Literal.number(len(asked)), alias=exp.to_identifier("claim", quoted=True)),
            exp.Alias(this=exp.Count(this=exp.Star()), alias=exp.to_identifier("violations", quoted=True)),
        ).from_(violations, copy=False)
        union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
        asked.append(claim)
    return tuple(asked), union


def with_proofs(
    constraints: ProvenConstraints, claims: Sequence[Claim], rows: Iterable[Sequence[object]]
) -> ProvenConstraints:
    """The facts plus the claims for which `proof_statement` counted no violation."""
    proven = [claims[nearest_whole(number)] for number, violations in rows if nearest_whole(violations) == 0]
    return replace(
        constraints,
        unique_keys=constraints.unique_keys | {(c.dataset, c.columns) for c in proven if isinstance(c, UniqueKey)},
        functional=constraints.functional | {claim for claim in proven if isinstance(claim, Dependency)},
    )


def _coarse_keys(parts: Iterable[FactPart], constraints: ProvenConstraints) -> Iterable[Dependency]:
    for part in parts:
        for node in join_tree(part.fact, part.attributes).walk():
            if node.path and node.path[-1].kind is not JoinKind.BRIDGE:
                claim = key_dependency(node)
                if claim.columns and (claim.dataset, claim.key) not in constraints.unique_keys:
                    yield claim


def _hierarchies(parts: Sequence[FactPart]) -> Iterable[Dependency]:
    """Claims between stored attributes and the attributes that other parts of the same fact ask for."""
    by_fact: dict[str, dict[GrainAttribute, BoundAttribute]] = {}
    for part in parts:
        attributes = by_fact.setdefault(part.fact, {})
        attributes.update((bound.attribute, bound) for bound in part.attributes)
    for attributes in by_fact.values():
        for source in attributes.values():
            for bound in attributes.values():
                claim = None if bound is source else dependency_of(bound, source)
                if claim is not None and not bound.is_many_to_many:
                    yield claim


def _violations(claim: Claim, sources: Sources, constraints: ProvenConstraints) -> exp.Expr:
    """A derived table with one row per violated key."""
    alias = "violations"
    if isinstance(claim, UniqueKey):
        source = sources[claim.dataset]
        keys = [source.column(column, "t") for column in claim.columns]
        select = exp.select("1").from_(source.relation("t"), copy=False)
        for key in keys:
            select.where(exp.Not(this=exp.Is(this=key.copy(), expression=exp.Null())), copy=False)
        select.group_by(*groupable(keys), copy=False)
        select.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)), copy=False)
    else:
        select = _dependency_violations(claim, sources, constraints)
    select.set("expressions", [exp.Alias(this=exp.Literal.number(1), alias=exp.to_identifier("one", quoted=True))])
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _dependency_violations(claim: Dependency, sources: Sources, constraints: ProvenConstraints) -> exp.Select:
    """Keys with two values, with a value and a NULL, or that are NULL themselves where facts can meet them."""
    target = claim.steps[-1].to_dataset if claim.steps else claim.dataset
    bound = BoundAttribute(
        attribute=_NOBODY,
        label="",
        dataset=target,
        key_columns=claim.columns,
        name_column=claim.columns[0],
        steps=claim.steps,
    )
    tree = join_tree(claim.dataset, [bound])
    tree.columns.update(dict.fromkeys(claim.key))
    select = exp.Select()
    _, joined = JoinComposer(sources, constraints).root(tree, select)
    keys = [joined.column[(), column] for column in claim.key]
    nulls: list[exp.Expr] = [exp.Is(this=key.copy(), expression=exp.Null()) for key in keys]
    if claim.is_join_key:
        select.where(*(exp.Not(this=test) for test in nulls), copy=False)
    tests = [] if claim.is_join_key else nulls
    for column in claim.columns:
        if claim.steps or column not in claim.key:
            is_ordered = _is_ordered(sources[target], column)
            tests += _tests_of_value(joined.column[claim.steps, column], is_ordered=is_ordered)
    if claim.steps:
        # Met with NULLs and not met look alike in the columns, but not in an aggregate's flag.
        flag = joined.matched_flag(claim.steps)
        tests.append(exp.NEQ(this=exp.Min(this=flag), expression=exp.Max(this=flag.copy())))
    select.group_by(*groupable(keys), copy=False)
    select.having(exp.or_(*tests, copy=False) if tests else exp.false(), copy=False)
    return select


def _is_ordered(source: DatasetSource, column: str) -> bool:
    """Whether all values of a column have an order in which only equal ones stand together.

    NaN has none on some warehouses, and some types have neither MIN nor MAX.
    """
    is_told = source.dataset.table is not None and source.is_physical(column)
    return is_told and source.data_type(column).partition("(")[0].strip() in _ORDERED_TYPES


def _tests_of_value(value: exp.Expr, *, is_ordered: bool) -> list[exp.Expr]:
    """Whether a group has two values, and whether it has a value and a NULL.

    The least and the greatest value are found without keeping all values of a group.
    """
    if is_ordered:
        several: exp.Expr = exp.NEQ(this=exp.Min(this=value.copy()), expression=exp.Max(this=value.copy()))
    else:
        distinct = exp.Count(this=exp.Distinct(expressions=[value.copy()]))
        several = exp.GT(this=distinct, expression=exp.Literal.number(1))
    count = exp.Count(this=value.copy())
    partly = exp.and_(
        exp.GT(this=count, expression=exp.Literal.number(0)),
        exp.LT(this=count.copy(), expression=exp.Count(this=exp.Star())),
    )
    return [several, exp.Paren(this=partly)]


_NOBODY = GrainAttribute(Role(""), "")
"""Stands for an attribute where only its columns matter."""
