"""``SELECT * FROM model LIMIT 0``: a BI tool asks which columns there are. It is answered without reading a row.

``SELECT * FROM model LIMIT 100`` asks what is there: of one fact, since no row has the columns of several.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.quoting import alias_as

_HARMLESS = frozenset({"expressions", "from_", "where", "limit", "order", "kind"})


def asks_for_columns(select: exp.Select) -> bool:
    """All columns are selected, and no row can be among the answer."""
    if not _is_star(select) or _clauses(select) - _HARMLESS:
        return False
    limit, where = select.args.get("limit"), select.args.get("where")
    has_no_room = limit is not None and limit.expression == exp.Literal.number(0)
    return has_no_room or (where is not None and any(map(_is_false, _conjuncts(where.this))))


def asks_for_sample(select: exp.Select) -> bool:
    """All columns of some rows are selected: a BI tool shows what is there."""
    return _is_star(select) and select.args.get("limit") is not None and not _clauses(select) - _HARMLESS - {"offset"}


def excluded_columns(select: exp.Select) -> frozenset[str]:
    """Names of columns that a star leaves out: ``* EXCLUDE ("City")``."""
    return frozenset(column.name for column in select.expressions[0].args.get("except_") or ())


def _is_star(select: exp.Select) -> bool:
    """Whether all columns are selected as they are, but for some."""
    star = select.expressions[0] if len(select.expressions) == 1 else None
    return isinstance(star, exp.Star) and not {name for name, value in star.args.items() if value} - {"except_"}


def with_columns(select: exp.Select, names: Iterable[str]) -> exp.Select:
    """The SELECT with columns by name in place of the star."""
    named_select, others = select.copy(), excluded_columns(select)
    shown = [name for name in names if name not in others]
    named_select.set("expressions", [exp.Column(this=exp.Identifier(this=name, quoted=True)) for name in shown])
    return named_select


def _clauses(select: exp.Select) -> set[str]:
    return {name for name, value in select.args.items() if value}


def column_query(name: str) -> exp.Select:
    """One column of the flat table, without rows."""
    column = exp.Column(this=exp.Identifier(this=name, quoted=True))
    table = exp.Table(this=exp.Identifier(this="model", quoted=True))
    return exp.Select().select(column, copy=False).from_(table, copy=False).where(exp.false(), copy=False)


def without_rows(columns: Iterable[tuple[str, exp.Query]]) -> exp.Select:
    """A SELECT of no rows whose columns have the types of the queries' only columns."""
    select = exp.Select()
    for name, query in columns:
        select.select(alias_as(exp.Subquery(this=query), name), copy=False)
    return select.limit(0, copy=False)


def _conjuncts(condition: exp.Expr) -> Iterable[exp.Expr]:
    plain = condition.unnest()
    return plain.flatten() if isinstance(plain, exp.And) else (plain,)


def _is_false(condition: exp.Expr) -> bool:
    plain = condition.unnest()
    if isinstance(plain, exp.EQ):
        sides = (plain.this, plain.expression)
        return all(isinstance(side, exp.Literal) and side.is_int for side in sides) and sides[0] != sides[1]
    return isinstance(plain, exp.Boolean) and not plain.this
