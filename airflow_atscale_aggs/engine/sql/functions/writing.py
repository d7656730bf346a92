"""Small pieces of the warehouse's SQL, as ASTs."""

from __future__ import annotations

from sqlglot import exp


def call(name: str, *arguments: exp.Expr | str | int) -> exp.Expr:
    """A call of a function of the warehouse, by the warehouse's name for it. It is not translated again."""
    return exp.Anonymous(this=name, expressions=[_argument(argument) for argument in arguments])


def text(value: str) -> exp.Expr:
    """A text."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """A whole number."""
    literal = exp.Literal.number(abs(value))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def cast(value: exp.Expr, to: str) -> exp.Expr:
    """CAST to a type by the warehouse's name."""
    return exp.Cast(this=value, to=exp.DataType.build(to, dialect="duckdb"))


def join_texts(*parts: exp.Expr) -> exp.Expr:
    """Texts one after the other; NULL when one of them is."""
    joined_text = parts[0]
    for part in parts[1:]:
        joined_text = exp.DPipe(this=joined_text, expression=part)
    return exp.Paren(this=joined_text) if len(parts) > 1 else joined_text


def binary(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """An operator between two, in parentheses."""
    return exp.Paren(this=kind(this=_parenthesize(left), expression=_parenthesize(right)))


def choose(*branches: tuple[exp.Expr, exp.Expr], default: exp.Expr) -> exp.Expr:
    """CASE WHEN … THEN … ELSE default END."""
    ifs = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(ifs=ifs, default=default)


def raise_error(message: str, value: exp.Expr | None = None) -> exp.Expr:
    """An error of the query's own, with the value that it is about."""
    error_text = text(message)
    if value is not None:
        shown = cast(value.copy(), "varchar")
        error_text = join_texts(text(f'{message}: "'), call("COALESCE", shown, "NULL"), text('"'))
    return call("ERROR", error_text)


def _argument(argument: exp.Expr | str | int) -> exp.Expr:
    if isinstance(argument, exp.Expr):
        return argument
    return text(argument) if isinstance(argument, str) else number(argument)


def _parenthesize(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node) if isinstance(node, (exp.Binary, exp.Not, exp.Neg)) else node
