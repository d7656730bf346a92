"""Replaces subqueries and CTEs that only show a model's columns by the model itself.

    WITH base AS (SELECT * FROM sales)
    SELECT t."Region", SUM(t."Amount") FROM (SELECT "Region", "Amount" FROM base WHERE "Year" = 2000) AS t GROUP BY 1
    SELECT t."Region", SUM(t."Amount") FROM sales AS t WHERE t."Year" = 2000 GROUP BY 1                what it asks

A column that is passed through and not used filters nothing and groups nothing, as in any table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.rewriting.parse.inner_queries import outer_column
from airflow_atscale_aggs.engine.rewriting.parse.name_scopes import table_names

MODEL = "model"
"""Key of a table's notes: the number of the model that it is."""

IsKept = Callable[[int, str, exp.Expr], bool | None]
"""Given the number of a model, a column's name and the function around it: whether the metric stays as it is
defined; None when the column is no metric."""

_PLAIN = frozenset({"expressions", "from_", "where", "kind", "order"})
"""Clauses of a SELECT that shows columns; the order of rows that are aggregated means nothing."""


@dataclass(slots=True)
class _View:
    """A SELECT that shows columns of one model.

    Attributes:
        table: the model.
        shown: by name: the expression over the model's columns.
        has_star: all other columns are shown under their own names.
        where: over the model's columns.
    """

    table: exp.Table
    shown: dict[str, exp.Expr] = field(default_factory=dict)
    has_star: bool = False
    where: exp.Expr | None = None

    def column(self, name: str) -> exp.Expr | None:
        """What a name of the view stands for, over columns without a table; None when it has none such."""
        expression = self.shown.get(name)
        if expression is None and self.has_star:
            return exp.Column(this=exp.Identifier(this=name, quoted=True))
        return expression


def flatten(root: exp.Query, is_kept: IsKept) -> None:
    """Put models in the place of subqueries and CTEs that only show their columns; the query is changed."""
    _inline(root)
    # Inner ones first, so that views on views are seen.
    for select in reversed(list(root.find_all(exp.Select, bfs=False))):
        source = select.args.get("from_")
        if source is not None and isinstance(source.this, exp.Subquery):
            _merge(select, source.this, is_kept)


def _inline(root: exp.Query) -> None:
    """Put CTEs that are views where they are named."""
    for cte in list(root.find_all(exp.CTE, bfs=False)):
        if cte.args["alias"].args.get("columns") or not _is_view(cte.this):
            continue
        uses = [name.table for name in table_names(root) if name.cte is cte]
        for table in uses:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.Identifier(this=table.name, quoted=True))
            table.replace(exp.Subquery(this=cte.this.copy(), alias=alias.copy()))
        ctes = cte.parent
        assert isinstance(ctes, exp.With)  # noqa: S101 - CTEs stand nowhere else
        cte.pop()
        if not ctes.expressions:
            ctes.pop()


def _is_view(query: exp.Expr) -> bool:
    """Whether a query shows columns of a model, or of a view on it, and does no more."""
    while isinstance(query, exp.Select):
        source = query.args.get("from_")
        if not _only_shows(query) or source is None:
            return False
        if isinstance(source.this, exp.Table):
            return MODEL in source.this.meta
        query = source.this.this if isinstance(source.this, exp.Subquery) else source.this
    return False


def shows_all(query: exp.Expr) -> bool:
    """Whether a query is ``SELECT * FROM model``, perhaps with a condition."""
    view = _view_of(query)
    return view is not None and view.has_star


def _only_shows(select: exp.Select) -> bool:
    if {name for name, value in select.args.items() if value} - _PLAIN:
        return False
    strange = (exp.AggFunc, exp.Window, exp.Query, exp.UDTF, exp.Columns)
    parts = [*select.expressions, select.args.get("where")]
    return not any(part.find(*strange) for part in parts if part is not None)


def _view_of(query: exp.Expr) -> _View | None:
    """A SELECT on a model as a view; None when it does more, or its columns have no names."""
    if not isinstance(query, exp.Select) or not _only_shows(query):
        return None
    source = query.args.get("from_")
    table = source.this if source is not None else None
    if not isinstance(table, exp.Table) or MODEL not in table.meta:
        return None
    where = query.args.get("where")
    view = _View(table, where=_without_table(where.this) if where is not None else None)
    for projection in query.expressions:
        plain = projection.unalias()
        if isinstance(plain, exp.Star) or (isinstance(plain, exp.Column) and isinstance(plain.this, exp.Star)):
            star = plain if isinstance(plain, exp.Star) else plain.this
            if any(star.args.values()):
                return None
            view.has_star = True
        elif projection.alias_or_name and projection.alias_or_name not in view.shown:
            view.shown[projection.alias_or_name] = _without_table(plain)
        else:
            return None
    return view


def _without_table(expression: exp.Expr) -> exp.Expr:
    bare = expression.copy()
    for column in [bare] if isinstance(bare, exp.Column) else list(bare.find_all(exp.Column)):
        for part in ("table", "db", "catalog"):
            column.set(part, None)
    return bare


def _merge(select: exp.Select, subquery: exp.Subquery, is_kept: IsKept) -> None:
    """Ask the model instead of a view on it, where that is the same."""
    view = _view_of(subquery.this)
    alias = subquery.args.get("alias")
    has_more = any(value for name, value in subquery.args.items() if name not in {"this", "alias"})
    if view is None or has_more or (alias is not None and alias.args.get("columns")):
        return
    if view.where is not None and any(join.side in {"RIGHT", "FULL"} for join in select.args.get("joins") or ()):
        return
    name = subquery.alias
    columns = list(_columns_of(select, name, view))
    is_all = view.has_star and not view.shown
    if not view.has_star and select.args.get("joins"):
        # The join is to the view's rows. Columns that are passed through and not used make more of these rows.
        return
    if not is_all and not _can_merge(select, columns, view, is_kept):
        return
    for column in columns:
        _replace(column, view, name or view.table.alias_or_name)
    if view.where is not None:
        select.where(_qualify(view.where, name or view.table.alias_or_name), copy=False)
    table = view.table
    if alias is not None:
        table.set("alias", alias)
    subquery.replace(table)


def _columns_of(select: exp.Select, name: str, view: _View) -> Iterator[exp.Column]:
    """Columns of the view that a SELECT names, in subqueries too where they name the view."""
    outputs = {projection.alias for projection in select.expressions if isinstance(projection, exp.Alias)}
    source = select.args["from_"]
    for node in select.walk(prune=lambda node: node is source):
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            continue
        if node.table:
            if node.table == name and (node.name in view.shown or view.has_star):
                yield node
            continue
        # In ORDER BY a plain name is one of the answer first.
        is_output = isinstance(node.parent, exp.Ordered) and node.name in outputs
        if node.parent_select is select and node.name in view.shown and not is_output:
            yield node


def _can_merge(select: exp.Select, columns: list[exp.Column], view: _View, is_kept: IsKept) -> bool:
    """Whether a SELECT aggregates what a view shows, each metric by a function that leaves it as it is.

    What does not aggregate shows the view's own rows, which may be more than those of the columns that it names.
    """
    number = view.table.meta[MODEL]
    clauses = [*select.expressions, select.args.get("having"), select.args.get("order")]
    functions = [function for clause in clauses if clause is not None for function in clause.find_all(exp.AggFunc)]
    if any(
        isinstance(function, exp.Count) and not isinstance(function.this, (exp.Column, exp.Distinct))
        for function in functions
    ):
        # COUNT(*) counts the rows that the view would show.
        return False
    if not (functions or select.args.get("group")) or any(projection.is_star for projection in select.expressions):
        return False
    if _is_taken_by_name(select, view):
        return False
    for column in columns:
        if column.parent_select is not select:
            return False
        shown = view.column(column.name)
        assert shown is not None  # noqa: S101 - columns of the view were looked for
        inner = [shown] if isinstance(shown, exp.Column) else list(shown.find_all(exp.Column))
        around = column.parent
        if isinstance(around, exp.Distinct) and len(around.expressions) == 1:
            around = around.parent
        assert around is not None  # noqa: S101 - it is a part of the SELECT
        unchanged = [
            is_unchanged
            for inner_column in inner
            if (is_unchanged := is_kept(number, inner_column.name, around)) is not None
        ]
        if unchanged and not (isinstance(shown, exp.Column) and all(unchanged)):
            return False
    return True


def _is_taken_by_name(select: exp.Select, view: _View) -> bool:
    """Whether a query inside a SELECT takes a column of the view by its plain name."""
    source = select.args["from_"]
    inside = select.walk(prune=lambda node: node is source)
    return any(
        isinstance(query, exp.Select)
        and query is not select
        and outer_column(query, view.shown.__contains__) is not None
        for query in inside
    )


def _replace(column: exp.Column, view: _View, name: str) -> None:
    shown = view.column(column.name)
    assert shown is not None  # noqa: S101 - columns of the view were looked for
    if isinstance(column.parent, exp.Select) and column.arg_key == "expressions" and column.name != shown.name:
        # A column of the answer keeps its name.
        named = exp.Alias(this=column.copy(), alias=column.this.copy())
        column.replace(named)
        column = named.this
    if isinstance(shown, exp.Column):
        column.set("this", shown.this.copy())
        column.set("table", exp.Identifier(this=name, quoted=True))
        return
    qualified = _qualify(shown, name)
    column.replace(exp.Paren(this=qualified) if isinstance(qualified, (exp.Binary, exp.Unary)) else qualified)


def _qualify(expression: exp.Expr, name: str) -> exp.Expr:
    qualified = expression.copy()
    for column in [qualified] if isinstance(qualified, exp.Column) else list(qualified.find_all(exp.Column)):
        column.set("table", exp.Identifier(this=name, quoted=True))
    return qualified


def rename_ctes(root: exp.Query, taken: Collection[str]) -> None:
    """Give CTEs other names where the SQL that takes a model's place reads tables of theirs."""
    folded = {name.casefold() for name in taken}
    for cte in list(root.find_all(exp.CTE, bfs=False)):
        if cte.alias.casefold() not in folded:
            continue
        old, number = cte.alias, 2
        while f"{old} {number}".casefold() in folded:
            number += 1
        new = f"{old} {number}"
        folded.add(new.casefold())
        for name in table_names(root):
            if name.cte is cte:
                if name.table.args.get("alias") is None:
                    name.table.set("alias", exp.TableAlias(this=exp.Identifier(this=old, quoted=True)))
                name.table.set("this", exp.Identifier(this=new, quoted=True))
        cte.args["alias"].set("this", exp.Identifier(this=new, quoted=True))
