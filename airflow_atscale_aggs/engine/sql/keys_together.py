"""Ask about several keys in one pass: the rows of their datasets are put under each other, and grouped once.

A UNION ALL of a query for each key is planned anew by Spark whenever one of them has run; here there is one grouping
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.sql.probes import Claim, UniqueKey
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.sources import Sources

_ALIKE_IN_A_UNION = frozenset({"tinyint", "smallint", "int", "integer", "bigint", "date", "string"})
"""Types whose values are equal under each other when they are equal in their own tables. Others are asked about alone:
a collation, a length or digits behind the point may become another one."""


def group_claims(claims: Iterable[Claim], sources: Sources) -> tuple[tuple[Claim, ...], ...]:
    """The claims in groups, of which each is asked about by one statement.

    Keys of columns whose types are the same, as the catalog tells them, are in one group; every other claim is in a
    group of its own.
    """
    groups: dict[object, list[Claim]] = {}
    for claim in claims:
        kinds = _kinds_of(claim, sources)
        groups.setdefault(kinds if kinds is not None else claim, []).append(claim)
    return tuple(map(tuple, groups.values()))


def violated_keys_query(keys: Sequence[UniqueKey], sources: Sources) -> exp.Expr:
    """One query with a row (number of the key, number of values that it holds twice) for each key that holds any twice.

    A key without a row holds none twice.

    Args:
        keys: of one group.

    Raises:
        DefinitionError: a table or column is not there.
    """
    names = [f"k{place}" for place in range(len(keys[0].columns))]
    rows: exp.Expr | None = None
    for number, key in enumerate(keys):
        source, side = sources[key.dataset], exp.Select()
        side.select(alias_as(exp.Literal.number(number), "claim"), copy=False)
        for name, column in zip(names, key.columns, strict=True):
            value = source.column(column, "t")
            side.select(alias_as(value, name), copy=False)
            side.where(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())), copy=False)
        side.from_(source.relation("t"), copy=False)
        rows = side if rows is None else exp.Union(this=rows, expression=side, distinct=False)
    twice = exp.select(column_of("claim")).from_(_derived(rows, "r"), copy=False)
    twice.group_by(column_of("claim"), *map(column_of, names), copy=False)
    twice.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)), copy=False)
    counted = exp.select(column_of("claim"), alias_as(exp.Count(this=exp.Star()), "violations"))
    return counted.from_(_derived(twice, "v"), copy=False).group_by(column_of("claim"), copy=False)


def _kinds_of(claim: Claim, sources: Sources) -> tuple[str, ...] | None:
    """The types of a key's columns; None where they may not stand under those of others."""
    if not isinstance(claim, UniqueKey):
        return None
    try:
        source = sources[claim.dataset]
        is_told = source.dataset.table is not None and all(map(source.is_physical, claim.columns))
        kinds = tuple(map(source.data_type, claim.columns))
    except DefinitionError:
        return None
    return kinds if is_told and _ALIKE_IN_A_UNION.issuperset(kinds) else None


def _derived(query: exp.Expr | None, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))
