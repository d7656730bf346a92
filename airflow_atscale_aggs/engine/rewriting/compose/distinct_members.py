"""Counts distinct members over the rows of several facts: it finds the members of each group first, then counts them.

    SELECT "Year", COUNT(DISTINCT "Brand")        Year and Brand of the rows of all facts; then the count by Year

The counts of single facts cannot be added up, because a member may stand in several facts.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.compose.finish import finish, show
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Output, Ref, argument_of, ref, references
from airflow_atscale_aggs.engine.rewriting.parse.inner_queries import with_subqueries
from airflow_atscale_aggs.engine.sql.quoting import column_of, identifier

_ROWS = "members of groups"


def members_of_groups(query: ModelQuery) -> ModelQuery | None:
    """The query on the members of each group; None where the query asks the facts for more than numbers of members."""
    counts = any(isinstance(member, exp.Count) for member in query.members)
    shown = (
        *(output.expression for output in query.outputs),
        query.having,
        *(term.expression for term in query.order_by),
    )
    measures = any(True for expression in shown for _ in references(expression, Ref.METRIC))
    if not counts or measures or len(set(query.counted_facts.values())) < 2:  # noqa: PLR2004 - several
        return None
    keys = dict.fromkeys((*query.keys, *map(argument_of, query.members)))
    return replace(
        query.without_clauses_on_groups(),
        keys=tuple(keys),
        members=(),
        outputs=tuple(Output(f"key {place}", ref(Ref.KEY, place)) for place in range(len(keys))),
    )


def compose_groups(query: ModelQuery, inner: ModelQuery, rows: exp.Query) -> exp.Select:
    """The groups of a query over the answer to `members_of_groups`, which is used up."""
    alias = exp.TableAlias(this=identifier(_ROWS))
    select = exp.Select().from_(exp.Subquery(this=rows, alias=alias), copy=False)

    def key(place: int) -> exp.Expr:
        return column_of(f"key {place}", _ROWS)

    def member(place: int) -> exp.Expr:
        aggregate = query.members[place].copy()
        argument_of(aggregate).replace(key(inner.keys.index(argument_of(query.members[place]))))
        return aggregate

    values = {Ref.KEY: key, Ref.MEMBERS: member}
    show(query, select, values)
    if query.keys:
        select.group_by(*map(key, range(len(query.keys))), copy=False)
    finish(query, select, values)
    return with_subqueries(select, query)
