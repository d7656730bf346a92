"""Renders expressions for messages and logs. SQL that is run is rendered by `statements.render`."""

from __future__ import annotations

from sqlglot import ErrorLevel, exp


def render_for_people(expression: exp.Expr, dialect: str) -> str:
    """The expression in a dialect, by sqlglot's name; also what the dialect has no words for."""
    return expression.sql(dialect=dialect, unsupported_level=ErrorLevel.IGNORE)
