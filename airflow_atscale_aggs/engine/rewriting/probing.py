"""``SELECT * FROM model LIMIT 0``: a BI tool asks which columns there are. It is answered without reading a row."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.quoting import named

_HARMLESS = frozenset({"expressions", "from_", "where", "limit", "order", "kind"})


def asks_for_columns(select: exp.Select) -> bool:
    """All columns are selected, and no row can be among the answer."""
    is_star = len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Star)
    if not is_star or {name for name, value in select.args.items() if value} - _HARMLESS:
        return False
    limit, where = select.args.get("limit"), select.args.get("where")
    has_no_room = limit is not None and limit.expression == exp.Literal.number(0)
    return has_no_room or (where is not None and any(map(_is_false, _conjuncts(where.this))))


def column_query(name: str) -> exp.Select:
    """One column of the flat table, without rows."""
    column = exp.Column(this=exp.Identifier(this=name, quoted=True))
    table = exp.Table(this=exp.Identifier(this="model", quoted=True))
    return exp.Select().select(column, copy=False).from_(table, copy=False).where(exp.false(), copy=False)


def without_rows(columns: Iterable[tuple[str, exp.Query]]) -> exp.Select:
    """A SELECT of no rows whose columns have the types of the queries' only columns."""
    select = exp.Select()
    for name, query in columns:
        select.select(named(exp.Subquery(this=query), name), copy=False)
    return select.limit(0, copy=False)


def _conjuncts(condition: exp.Expression) -> Iterable[exp.Expression]:
    plain = condition.unnest()
    return plain.flatten() if isinstance(plain, exp.And) else (plain,)


def _is_false(condition: exp.Expression) -> bool:
    plain = condition.unnest()
    if isinstance(plain, exp.EQ):
        sides = (plain.this, plain.expression)
        return all(isinstance(side, exp.Literal) and side.is_int for side in sides) and sides[0] != sides[1]
    return isinstance(plain, exp.Boolean) and not plain.this
