"""ROLLUP, CUBE and GROUPING SETS: each level is a query of its own, so that each metric is right on it.

    GROUP BY ROLLUP ("State", "City")        by State and City, by State, of all: one below the other

All levels are of the same rows. Where the model's join rule says so, these are the rows that have a member of every
dimension that some level is grouped by. A distinct count is counted anew on each level. Each level is answered from
the cheapest source.

Source: decision 24.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.compose.finish import finish, show
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Output, Ref, ref, references
from airflow_atscale_aggs.engine.rewriting.parse.inner_queries import with_subqueries
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier

_ALL = "levels"


def level_queries(query: ModelQuery) -> tuple[ModelQuery, ...]:
    """One query for each level: its keys, all metrics and members, without the clauses that follow the groups."""
    required_joins = tuple(dict.fromkeys(at for key in query.keys for at in references(key, Ref.ATTRIBUTE)))
    return tuple(
        replace(
            query.without_clauses_on_groups(),
            keys=tuple(query.keys[key_place] for key_place in places),
            outputs=tuple(_outputs(query, places)),
            sets=(),
            groupings=(),
            required_joins=required_joins,
        )
        for places in query.sets
    )


def compose_levels(query: ModelQuery, levels: Sequence[exp.Query]) -> exp.Select:
    """The answers of all levels below each other, and the clauses that follow the groups.

    Args:
        levels: the SELECTs of `level_queries`, which are used up.
    """
    names = [f"level {number}" for number in range(1, len(levels) + 1)]
    select = exp.Select()
    for name, level in zip(names, levels, strict=True):
        select.with_(identifier(name), as_=level, copy=False)
    union: exp.Query | None = None
    for number in range(len(levels)):
        answer = _level(query, number, names)
        union = answer if union is None else exp.Union(this=union, expression=answer, distinct=False)
    alias = exp.TableAlias(this=identifier(_ALL))
    select.from_(exp.Subquery(this=union, alias=alias), copy=False)
    values = _values()
    show(query, select, values)
    finish(query, select, values, is_grouped=False)
    return with_subqueries(select, query)


def _outputs(query: ModelQuery, places: Sequence[int]) -> list[Output]:
    keys = [Output(f"key {place}", ref(Ref.KEY, number)) for number, place in enumerate(places)]
    metrics = [
        Output(f"metric {metric_place}", ref(Ref.METRIC, metric_place)) for metric_place in range(len(query.metrics))
    ]
    members = [Output(f"member {at}", ref(Ref.MEMBERS, at)) for at in range(len(query.members))]
    # Where nothing is measured, the rows say that they are there: a level may have no key either.
    return [*keys, *([*metrics, *members] or [Output("is there", exp.Literal.number(1))])]


def _level(query: ModelQuery, number: int, names: Sequence[str]) -> exp.Select:
    """The rows of a level, with NULL for keys that it has not, and the values of GROUPING."""
    own, here = query.sets[number], names[number]
    select = exp.Select().from_(exp.Table(this=identifier(here)), copy=False)
    for key_place in range(len(query.keys)):
        name = f"key {key_place}"
        if key_place in own:
            select.select(column_of(name, here), copy=False)
            continue
        # A NULL of the type that the key has on another level. Sail takes for never NULL what no row of a table is.
        other = names[next(level for level, places in enumerate(query.sets) if key_place in places)]
        nothing = exp.Nullif(this=column_of(name, other), expression=column_of(name, other))
        typed = exp.Select(expressions=[nothing]).from_(exp.Table(this=identifier(other)), copy=False)
        select.select(alias_as(exp.Subquery(this=typed.where(exp.false(), copy=False)), name), copy=False)
    for output in _outputs(query, ()):
        select.select(column_of(output.name, here), copy=False)
    for at, places in enumerate(query.groupings):
        bits = sum(1 << bit for bit, place in enumerate(reversed(places)) if place not in own)
        select.select(alias_as(exp.Literal.number(bits), f"grouping {at}"), copy=False)
    return select


def _values() -> Mapping[Ref, Callable[[int], exp.Expr]]:
    names = {Ref.KEY: "key", Ref.METRIC: "metric", Ref.MEMBERS: "member", Ref.GROUPING: "grouping"}

    def value_of(name: str) -> Callable[[int], exp.Expr]:
        return lambda place: column_of(f"{name} {place}", _ALL)

    return {kind: value_of(name) for kind, name in names.items()}
