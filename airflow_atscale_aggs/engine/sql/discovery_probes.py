"""Questions about tables that nobody has modelled: how many rows and values, which values are found elsewhere.

Each is one SELECT that gives one row. Tables are named as the warehouse spells them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier

_SAMPLES_ALIKE = 1
"""The seed: the same rows are looked at each time, so that two runs propose the same."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A table, and how much of it is read.

    Attributes:
        schema: empty: the session's own.
        database: empty: the session's own.
        share: of its rows, from 0 to 1.
        rows: at most, where the warehouse takes no sample by itself or this is a view; None: all.
    """

    name: str
    schema: str = ""
    share: float = 1.0
    rows: int | None = None
    database: str = ""


def count_statement(table: LookedAt) -> exp.Expr:
    """The number of all rows."""
    return exp.select(alias_as(exp.Count(this=exp.Star()), "n")).from_(_table(table), copy=False)


def profile_statement(table: LookedAt, columns: Sequence[tuple[str, bool]], dialect: Dialect) -> exp.Expr:
    """The rows that are looked at, then for each column: values, different values, and if asked, least and greatest.

    Args:
        columns: (name, whether it has a least and a greatest value).
    """
    select = exp.select(alias_as(exp.Count(this=exp.Star()), "n"))
    for number, (name, is_ordered) in enumerate(columns):
        column = column_of(name, "s")
        asked: list[exp.Expr] = [
            exp.Count(this=column.copy()),
            exp.Count(this=exp.Distinct(expressions=[column.copy()])),
        ]
        if is_ordered:
            asked += [exp.Min(this=column.copy()), exp.Max(this=column.copy())]
        for place, value in enumerate(asked):
            select.select(alias_as(value, f"c{number}_{place}"), copy=False)
    return select.from_(_relation(table, [name for name, _ in columns], dialect), copy=False)


def duplicates_statement(table: LookedAt, columns: Sequence[str]) -> exp.Expr:
    """How many values of a key are there more than once, over all rows; NULLs aside."""
    keys = [column_of(name, "s") for name in columns]
    groups = exp.select(alias_as(exp.Count(this=exp.Star()), "n")).from_(_alias(_table(table), "s"), copy=False)
    for key in keys:
        groups.where(_is_there(key), copy=False)
    groups.group_by(*(key.copy() for key in keys), copy=False)
    groups.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)), copy=False)
    return exp.select(alias_as(exp.Count(this=exp.Star()), "n")).from_(_subquery(groups, "g"), copy=False)


def inclusion_statement(
    ours: tuple[LookedAt, Sequence[str]],
    theirs: tuple[LookedAt, Sequence[str]],
    dialect: Dialect,
    *,
    trimmed: bool = False,
) -> exp.Expr:
    """How many values and rows of our columns are found among theirs, which are unique.

    (values, values found, rows, rows found); NULLs aside.

    Args:
        trimmed: blanks around values, which are texts, do not count.
    """
    values = _without_nulls(ours, "v", dialect)
    values.group_by(*(column_of(name, "s") for name in ours[1]), copy=False)
    values.select(alias_as(exp.Count(this=exp.Star()), "n"), copy=False)
    joined = exp.select(
        alias_as(exp.Count(this=exp.Star()), "a"),
        alias_as(exp.Count(this=column_of("k0", "k")), "b"),
        alias_as(exp.Sum(this=column_of("n", "v")), "c"),
        alias_as(exp.Sum(this=_when_there(column_of("k0", "k"), column_of("n", "v"))), "d"),
    ).from_(_subquery(values, "v"), copy=False)
    number = range(len(ours[1]))
    sides = [(column_of(f"v{n}", "v"), column_of(f"k{n}", "k")) for n in number]
    on = exp.and_(
        *(
            exp.EQ(this=exp.Trim(this=left), expression=exp.Trim(this=right))
            if trimmed
            else exp.EQ(this=left, expression=right)
            for left, right in sides
        )
    )
    return joined.join(_subquery(_without_nulls(theirs, "k", dialect), "k"), on=on, join_type="left", copy=False)


def dependence_statement(table: LookedAt, keys: Sequence[str], value: str, dialect: Dialect) -> exp.Expr:
    """How many keys have several values, or a value and a NULL, over the rows that are looked at."""
    by_key = exp.select(alias_as(exp.Count(this=exp.Star()), "n"))
    by_key.from_(_relation(table, [*keys, value], dialect), copy=False)
    by_key.group_by(*(column_of(key, "s") for key in keys), copy=False)
    column = column_of(value, "s")
    counted, different = exp.Count(this=column.copy()), exp.Count(this=exp.Distinct(expressions=[column.copy()]))
    partly = exp.and_(
        exp.GT(this=counted, expression=exp.Literal.number(0)),
        exp.LT(this=counted.copy(), expression=exp.Count(this=exp.Star())),
    )
    several = exp.GT(this=different, expression=exp.Literal.number(1))
    by_key.having(exp.or_(several, exp.Paren(this=partly), copy=False), copy=False)
    return exp.select(alias_as(exp.Count(this=exp.Star()), "n")).from_(_subquery(by_key, "g"), copy=False)


def _without_nulls(side: tuple[LookedAt, Sequence[str]], letter: str, dialect: Dialect) -> exp.Select:
    """Columns by number, of the rows in which none of them is NULL."""
    table, names = side
    columns = [column_of(name, "s") for name in names]
    select = exp.select(*(alias_as(column.copy(), f"{letter}{number}") for number, column in enumerate(columns)))
    select.from_(_relation(table, names, dialect), copy=False)
    for column in columns:
        select.where(_is_there(column), copy=False)
    return select


def _relation(table: LookedAt, columns: Sequence[str], dialect: Dialect) -> exp.Expr:
    """The rows that are looked at, as ``s``."""
    relation = _table(table)
    if table.rows is None:
        return _alias(relation, "s")
    select = exp.select(*(column_of(name) for name in dict.fromkeys(columns)))
    if table.share < 1 and dialect.takes_samples:
        percent = exp.Literal.number(f"{table.share * 100:.6f}".rstrip("0"))
        seed = exp.Literal.number(_SAMPLES_ALIKE)
        relation.set("sample", exp.TableSample(method=exp.Var(this="SYSTEM"), percent=percent, seed=seed))
    return _subquery(select.from_(relation, copy=False).limit(table.rows, copy=False), "s")


def _table(table: LookedAt) -> exp.Table:
    return exp.Table(
        this=identifier(table.name),
        db=identifier(table.schema) if table.schema else None,
        catalog=identifier(table.database) if table.database else None,
    )


def _alias(relation: exp.Table, name: str) -> exp.Expr:
    relation.set("alias", exp.TableAlias(this=identifier(name)))
    return relation


def _subquery(select: exp.Expr, name: str) -> exp.Expr:
    return exp.Subquery(this=select, alias=exp.TableAlias(this=identifier(name)))


def _is_there(column: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))


def _when_there(test: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=_is_there(test), true=value)], default=exp.Literal.number(0))
