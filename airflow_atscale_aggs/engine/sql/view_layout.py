"""Stable views that stay what they are while what they show changes.

The same columns at the same places, new ones last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.statements import create_view, drop_view, render, table
from airflow_atscale_aggs.engine.sql.view_catalog import CatalogQueries

_SHOWN = "shown"

Columns = Sequence[tuple[str, str]]
"""(name, type as the catalog spells it), in order."""


@dataclass(frozen=True, slots=True)
class ViewLayout:
    """The columns that a view is to have.

    Attributes:
        order: names, in order.
        casts: types that columns are cast to, without loss.
        empty: types of columns that are NULL, since the aggregate does not store them any more.
        is_alike: each column of before is at its place, with its type.
    """

    order: tuple[str, ...]
    casts: Mapping[str, str]
    empty: Mapping[str, str]
    is_alike: bool


def natural_layout(old: Columns, new: Columns) -> ViewLayout:
    """The columns of before that are still stored, in their order, then the new ones, all with the types of now."""
    types = dict(new)
    kept_names = [name for name, _ in old if name in types]
    order = (*kept_names, *(name for name, _ in new if name not in set(kept_names)))
    is_alike = len(kept_names) == len(old) and all(types[name] == kind for name, kind in old)
    return ViewLayout(order, {}, {}, is_alike)


def compatible_layout(
    old: Columns, new: Columns, read: Collection[str], queries: CatalogQueries
) -> tuple[ViewLayout | None, tuple[str, ...]]:
    """The layout that keeps all columns of before with their types, because something depends on the view.

    Where that is not possible, the layout is None, and the reasons are returned beside it.

    A column that is stored no more becomes NULL where nobody reads it. A type that is narrower now is cast to the old
    one.

    Args:
        read: names of the columns that somebody reads.
    """
    types, why = dict(new), []
    casts: dict[str, str] = {}
    empty: dict[str, str] = {}
    for name, kind in old:
        if name not in types:
            if name in read:
                why.append(f"column `{name}` is not stored any more")
            empty[name] = kind
        elif types[name] != kind:
            if not _is_wider(types[name], kind, queries):
                why.append(f"column `{name}` is {types[name]} now, it was {kind}")
            casts[name] = kind
    if why:
        return None, tuple(why)
    before = {name for name, _ in old}
    order = (*(name for name, _ in old), *(name for name, _ in new if name not in before))
    return ViewLayout(order, casts, empty, is_alike=True), ()


def view_query(create_sql: str, dialect: Dialect) -> exp.Query:
    """What a CREATE VIEW or ALTER VIEW statement selects."""
    statement = parse_one(create_sql, read=dialect.sqlglot_name)
    query: exp.Query = statement.args["actions"][0] if isinstance(statement, exp.Alter) else statement.expression
    return query


def create_statement(
    view: str,
    schema: str,
    query: exp.Query,
    dialect: Dialect,
    *,
    layout: ViewLayout | None = None,
    replace: bool = False,
) -> str:
    """CREATE VIEW, or CREATE OR REPLACE VIEW, with the columns of a layout."""
    shown = query.copy() if layout is None else _apply_layout(query, layout, dialect)
    statement = create_view(table(view, schema), shown)
    statement.set("replace", replace)
    return render(statement, dialect)


def drop_statement(view: str, schema: str, dialect: Dialect) -> str:
    """DROP VIEW IF EXISTS."""
    return render(drop_view(table(view, schema)), dialect)


def render_name(name: str, schema: str, dialect: Dialect) -> str:
    """A relation as SQL writes it."""
    return render(table(name, schema), dialect)


def probe_statement(name: str, dialect: Dialect) -> str:
    """A query that reads no row and fails where a view does not fit what it reads any more.

    Args:
        name: ``schema.name``.
    """
    schema, _, view = name.partition(".")
    query = exp.select(exp.Star()).from_(table(view, schema)).limit(0)
    return render(query, dialect)


def _apply_layout(query: exp.Query, layout: ViewLayout, dialect: Dialect) -> exp.Query:
    if not (layout.casts or layout.empty) and tuple(query.named_selects) == layout.order:
        return query.copy()
    columns: list[exp.Expr] = []
    for name in layout.order:
        if name in layout.empty:
            columns.append(alias_as(_cast(exp.Null(), layout.empty[name], dialect), name))
        elif name in layout.casts:
            columns.append(alias_as(_cast(column_of(name, _SHOWN), layout.casts[name], dialect), name))
        else:
            columns.append(column_of(name, _SHOWN))
    source = exp.Subquery(this=query.copy(), alias=exp.TableAlias(this=identifier(_SHOWN)))
    return exp.select(*columns).from_(source)


def _cast(value: exp.Expr, kind: str, dialect: Dialect) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect=dialect.sqlglot_name))


def _is_wider(kind: str, wider: str, queries: CatalogQueries) -> bool:
    """Every value of the type is one of the wider type; a length makes that unknown."""
    return (kind.partition("(")[0], wider) in queries.widenings
