"""Reads the relations that a SELECT joins to its model: lists of members, other SELECTs, tables of the warehouse.

    SELECT m."Class", SUM(m."Revenue")
    FROM sales m JOIN (SELECT "Class", … LIMIT 5) top ON m."Class" = top."Class" GROUP BY 1

The model is a flat table, so the join multiplies and drops its rows as it would any table's. All rows that agree in the
attributes of the condition meet the same rows of the relation. So an aggregate that has these attributes is joined as
the facts are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.rewriting.flat_table import FlatNames
from airflow_atscale_aggs.engine.sql.spelling import render_for_people

COLUMNS = "columns"
"""Key of a table's notes: names of its columns and their types, where they are known."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What is joined.

    Attributes:
        alias: as the query names it, folded as columns' tables are.
        query: its rows.
        columns: their names; None: not known.
        is_left: rows of the model that meet none of its rows stay.
        on: None for CROSS.
        using: names of columns that both have.
    """

    alias: str
    query: exp.Query
    columns: tuple[str, ...] | None
    is_left: bool
    on: exp.Expr | None
    using: tuple[str, ...]


class JoinedRelations:
    """The relations that are joined to a model so far, and whose a column is.

    Args:
        names: the columns of the model.
    """

    def __init__(self, names: FlatNames) -> None:
        self._names = names
        self._relations: dict[str, tuple[Relation, str]] = {}
        self._merged: set[str] = set()

    def add(self, relation: Relation, subquery: str) -> None:
        """A relation, and the name of the query that it is."""
        self._relations[relation.alias.casefold()] = (relation, subquery)
        self._merged.update(relation.using)

    def equal(self, name: str, subquery: str) -> exp.Expr:
        """What USING says about a column."""
        alias = next(alias for alias, (_, candidate) in self._relations.items() if candidate == subquery)
        own, other = (exp.Identifier(this=name, quoted=True) for _ in range(2))
        table = exp.Identifier(this=alias, quoted=True)
        return exp.EQ(this=exp.Column(this=own), expression=exp.Column(this=other, table=table))

    def find(self, column: exp.Column, refuse: Callable[[exp.Expr, str, str], NoReturn]) -> tuple[str, str] | None:
        """The subquery and the column of it that a column is; None for one of the model.

        Args:
            refuse: is called for a name that both have.
        """
        if not self._relations:
            return None
        if column.table:
            entry = self._relations.get(column.table.casefold())
            return None if entry is None else (entry[1], column.name)
        if column.name in self._merged:
            return None
        owners = [
            owner
            for owner in self._relations.values()
            if owner[0].columns is not None and column.name in owner[0].columns
        ]
        # Where a relation has the name, the model has it as well only if it spells it in the same case.
        is_of_model = self._names.spells(column.name) if owners else self._names.has(column.name)
        if len(owners) + is_of_model > 1:
            refuse(column, "several relations of this SELECT have it", "Write the relation before it.")
        if is_of_model:
            return None
        # A name that no known relation has belongs to a relation whose columns are not known.
        owners = owners or [owner for owner in self._relations.values() if owner[0].columns is None]
        return (owners[0][1], column.name) if len(owners) == 1 else None


def relations_of(select: exp.Select, dialect: str) -> list[Relation]:
    """The relations that a SELECT on a model joins, in the order of the text.

    Raises:
        UnsupportedQueryError: a join that is not answered.
    """
    relations = [_relation(join, dialect) for join in select.args.get("joins") or ()]
    names = [relation.alias.casefold() for relation in relations]
    if "" in names or len(set(names)) < len(names):
        raise UnsupportedQueryError(
            _text(select, dialect), "two relations have one name, or one has none", "Name them."
        )
    return relations


def put_first(select: exp.Select, table: exp.Expr) -> bool:
    """Let a relation that is joined stand first, where that means the same; False where it does not."""
    joins = select.args.get("joins") or []
    join = table.parent
    if not isinstance(join, exp.Join) or any(_is_outer(other) or other.args.get("method") for other in joins):
        return False
    if len(joins) > 1 and any(other.args.get("using") for other in joins):
        return False
    source = select.args["from_"]
    first = source.this
    if not isinstance(first, (exp.Table, exp.Subquery, exp.Values)):
        return False
    first.replace(exp.Placeholder())
    table.replace(first)
    source.set("this", table)
    if len(joins) > 1:
        # A condition may name a relation that stands behind it now.
        for other in joins:
            condition = other.args.get("on")
            if condition is not None:
                other.set("on", None)
                other.set("kind", "CROSS")
                select.where(condition, copy=False)
    return True


def _is_outer(join: exp.Join) -> bool:
    return bool(join.args.get("side")) or join.args.get("kind") not in {None, "", "INNER", "CROSS"}


def _relation(join: exp.Join, dialect: str) -> Relation:
    side, kind = join.args.get("side") or "", join.args.get("kind") or ""
    is_left = side == "LEFT"
    if join.args.get("method") or (side and not is_left) or kind not in {"", "INNER", "CROSS", "OUTER"}:
        reason = "of joins to a model, inner, left and cross joins are answered"
        raise UnsupportedQueryError(
            _text(join, dialect), reason, "Put `SELECT … FROM model` into a subquery and join that."
        )
    relation = join.this
    query, columns = _rows(relation, dialect)
    using = tuple(column.name for column in join.args.get("using") or ())
    return Relation(relation.alias_or_name, query, columns, is_left, join.args.get("on"), using)


def _rows(relation: exp.Expr, dialect: str) -> tuple[exp.Query, tuple[str, ...] | None]:
    """A relation's rows and their columns' names."""
    alias = relation.args.get("alias")
    renamed = tuple(column.name for column in (alias.args.get("columns") or ())) if alias is not None else ()
    is_plain = isinstance(relation, (exp.Subquery, exp.Values, exp.Table)) and not relation.args.get("joins")
    if not is_plain or (isinstance(relation, exp.Table) and not isinstance(relation.this, exp.Identifier)):
        reason = "this cannot be joined to a model"
        raise UnsupportedQueryError(
            _text(relation, dialect), reason, "Put it into a subquery: JOIN (SELECT …) AS name."
        )
    has_more = any(value for name, value in relation.args.items() if name not in {"this", "alias"})
    if isinstance(relation, exp.Subquery) and isinstance(relation.this, exp.Query) and not renamed and not has_more:
        return relation.this, _names(relation.this)
    rows = exp.Select(expressions=[exp.Star()]).from_(relation.copy(), copy=False)
    if renamed:
        return rows, renamed
    column_names: Sequence[str] | None = relation.meta.get(COLUMNS)
    return rows, tuple(column_names) if column_names is not None else None


def _names(query: exp.Query) -> tuple[str, ...] | None:
    first = query
    while isinstance(first, (exp.SetOperation, exp.Subquery)):
        first = first.this
    if not isinstance(first, exp.Select) or first.is_star:
        return None
    return tuple(projection.alias_or_name for projection in first.expressions)


def _text(node: exp.Expr, dialect: str) -> str:
    return render_for_people(node, dialect).strip()
