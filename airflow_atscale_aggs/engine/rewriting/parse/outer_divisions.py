"""Translates `/` around SELECTs on models, where columns are those of subqueries, CTEs and tables.

    SELECT a.n / b.n FROM (SELECT COUNT(*) AS n FROM sales …) a, (SELECT COUNT(*) AS n FROM sales …) b       a.n // b.n

Source: `divisions`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.column_lists import (
    add_column,
    add_star,
    column_name,
    combine_columns,
    rename_columns,
)
from airflow_atscale_aggs.engine.rewriting.divisions import (
    KINDS,
    NumberKind,
    is_typed,
    kind_of_number,
    kind_of_type,
    sum_of,
    unclear_division_error,
)
from airflow_atscale_aggs.engine.rewriting.model_query import Ref, rebuild, ref
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from airflow_atscale_aggs.engine.rewriting.parse.name_scopes import table_names
from airflow_atscale_aggs.engine.sql.capabilities import Dialect

_Kinds = Mapping[str, NumberKind]


def translate_outer_divisions(
    root: exp.Expr, written: str, dialect: Dialect, besides: exp.Select | None = None
) -> None:
    """Translate the divisions of a statement so that they keep the meaning of its dialect; the statement is changed.

    Args:
        root: SELECTs on models in it have been answered.
        besides: a SELECT whose own divisions are left as they are.

    Raises:
        UnsupportedQueryError: it depends on types that are not known.
    """
    if is_typed(dialect.sqlglot_name):
        return
    divisions = [
        node
        for node in root.walk(prune=lambda node: KINDS in node.meta)
        if isinstance(node, exp.Div) and node.args.get("typed") and KINDS not in node.meta
    ]
    columns = _Columns(root, written)
    for node in reversed(divisions):
        if node.parent_select is besides and besides is not None:
            continue
        kinds = {columns.kind(side) for side in (node.this, node.expression)}
        if NumberKind.OTHER in kinds:
            continue
        if NumberKind.UNKNOWN in kinds or not dialect.divides_whole_numbers:
            raise unclear_division_error(node, written, dialect, is_whole=NumberKind.UNKNOWN not in kinds)
        node.replace(exp.IntDiv(this=node.this, expression=node.expression))


class _Columns:
    """What is known of the columns of a statement's relations."""

    def __init__(self, root: exp.Expr, written: str) -> None:
        top = root.root()
        self._ctes = {id(name.table): name.cte for name in table_names(top) if name.cte is not None}
        self._written = written
        self._kinds_by_query: dict[int, _Kinds] = {}

    def kind(self, expression: exp.Expr) -> NumberKind:
        """What an expression is."""
        kinds: list[NumberKind] = []

        def replacement_of(node: exp.Expr) -> exp.Expr | None:
            if isinstance(node, exp.Column):
                kinds.append(self._of_column(node))
            elif isinstance(node, exp.Sum):
                kinds.append(sum_of(self.kind(node.this), self._written))
            elif isinstance(node, exp.Avg):
                kinds.append(NumberKind.OTHER)
            elif isinstance(node, exp.Subquery):
                kinds.append(next(iter(self._of_query(node.this).values()), NumberKind.UNKNOWN))
            elif isinstance(node, exp.Window):
                kinds.append(self._of_window(node))
            else:
                return None
            return ref(Ref.ATTRIBUTE, len(kinds) - 1)

        numbered = rebuild(expression, replacement_of)
        return kind_of_number(numbered, lambda _, place: kinds[place], self._written)

    def _of_window(self, window: exp.Window) -> NumberKind:
        """What a window function is: an aggregate before OVER is one of the window's rows."""
        kinds: list[NumberKind] = []

        def replacement_of(node: exp.Expr) -> exp.Expr | None:
            if not isinstance(node, exp.Column):
                return None
            kinds.append(self._of_column(node))
            return ref(Ref.ATTRIBUTE, len(kinds) - 1)

        function = exp.Window(this=rebuild(window.this, replacement_of))
        return kind_of_number(function, lambda _, place: kinds[place], self._written)

    def _of_column(self, column: exp.Column) -> NumberKind:
        select = column.parent_select
        if select is None:
            return NumberKind.UNKNOWN
        matches = [
            kinds[column.name]
            for alias, kinds in self._sources(select)
            if (not column.table or column.table == alias) and column.name in kinds
        ]
        return matches[0] if len(matches) == 1 else NumberKind.UNKNOWN

    def _sources(self, select: exp.Expr) -> list[tuple[str, _Kinds]]:
        source = select.args.get("from_")
        relations = [] if source is None else [source.this, *(join.this for join in select.args.get("joins") or ())]
        return [(relation.alias_or_name, self._of_relation(relation)) for relation in relations]

    def _of_relation(self, relation: exp.Expr) -> _Kinds:
        alias = relation.args.get("alias")
        if isinstance(relation, exp.Subquery):
            kinds = self._of_query(relation.this)
        elif isinstance(relation, exp.Table):
            cte = self._ctes.get(id(relation))
            types = relation.meta.get(COLUMNS) or {}
            kinds = {name: kind_of_type(str(kind).casefold()) for name, kind in types.items()}
            if cte is not None:
                kinds = self._of_query(cte.this)
                kinds = rename_columns(kinds, cte.args["alias"])
        else:
            return {}
        return rename_columns(kinds, alias)

    def _of_query(self, query: exp.Expr) -> _Kinds:
        while isinstance(query, exp.Subquery):
            query = query.this
        if KINDS in query.meta:
            kinds: _Kinds = query.meta[KINDS]
            return kinds
        if id(query) not in self._kinds_by_query:
            self._kinds_by_query[id(query)] = {}
            self._kinds_by_query[id(query)] = self._find_kinds(query)
        return self._kinds_by_query[id(query)]

    def _find_kinds(self, query: exp.Expr) -> _Kinds:
        if isinstance(query, exp.SetOperation):
            left, right = self._of_query(query.this), self._of_query(query.expression)
            return combine_columns(left, right, _kind_of_both, NumberKind.UNKNOWN)
        if not isinstance(query, exp.Select):
            return {}
        kinds: dict[str, NumberKind] = {}
        for projection in query.expressions:
            if projection.is_star:
                add_star(kinds, projection, dict(self._sources(query)), NumberKind.UNKNOWN)
            else:
                add_column(kinds, column_name(projection), self.kind(projection.unalias()))
        return kinds


def _kind_of_both(kind: NumberKind, other: NumberKind) -> NumberKind:
    return kind if kind is other else NumberKind.UNKNOWN
