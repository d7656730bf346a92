"""Names in expressions: always quoted, made without a parser, since a query names hundreds of them."""

from __future__ import annotations

from sqlglot import exp


def identifier(name: str) -> exp.Identifier:
    """A quoted name."""
    return exp.Identifier(this=name, quoted=True)


def column_of(name: str, alias: str = "") -> exp.Column:
    """A column, of the relation with an alias unless that is empty."""
    return exp.Column(this=identifier(name), table=identifier(alias) if alias else None)


def named(expression: exp.Expression, name: str) -> exp.Expression:
    """The expression AS name."""
    return exp.Alias(this=expression, alias=identifier(name))
