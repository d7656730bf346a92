"""Makes quoted names and columns. No parser is used for them, because a query has hundreds of names."""

from __future__ import annotations

from sqlglot import exp

_NAME_AND_TABLE = 2
"""Arguments of a column that has no schema."""


def identifier(name: str) -> exp.Identifier:
    """A quoted name."""
    return exp.Identifier(this=name, quoted=True)


def column_of(name: str, alias: str = "") -> exp.Column:
    """A column, of the relation with an alias unless that is empty."""
    return exp.Column(this=identifier(name), table=identifier(alias) if alias else None)


def fresh(expression: exp.Expr) -> exp.Expr:
    """A copy of an expression. Most of them are quoted columns, which are copied here faster than a tree is."""
    if isinstance(expression, exp.Column):
        name, alias = expression.args.get("this"), expression.args.get("table")
        if isinstance(name, exp.Identifier) and name.quoted and len(expression.args) <= _NAME_AND_TABLE:
            if alias is None:
                return column_of(name.this)
            if isinstance(alias, exp.Identifier) and alias.quoted:
                return column_of(name.this, alias.this)
    return expression.copy()


def alias_as(expression: exp.Expr, name: str) -> exp.Expr:
    """The expression AS name."""
    return exp.Alias(this=expression, alias=identifier(name))
