"""Small pieces of the warehouse's SQL, as ASTs."""

from __future__ import annotations

from sqlglot import exp


def call(name: str, *arguments: exp.Expression | str | int) -> exp.Expression:
    """A function of the warehouse by its own name, which nobody translates again."""
    return exp.Anonymous(this=name, expressions=[_argument(one) for one in arguments])


def text(value: str) -> exp.Expression:
    """A text."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expression:
    """A whole number."""
    made = exp.Literal.number(abs(value))
    return exp.Paren(this=exp.Neg(this=made)) if value < 0 else made


def cast(value: exp.Expression, to: str) -> exp.Expression:
    """CAST to a type by the warehouse's name."""
    return exp.Cast(this=value, to=exp.DataType.build(to, dialect="duckdb"))


def joined(*parts: exp.Expression) -> exp.Expression:
    """Texts one after the other; NULL when one of them is."""
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Paren(this=made) if len(parts) > 1 else made


def binary(kind: type[exp.Expression], left: exp.Expression, right: exp.Expression) -> exp.Expression:
    """An operator between two, in parentheses."""
    return exp.Paren(this=kind(this=_held(left), expression=_held(right)))


def choose(*branches: tuple[exp.Expression, exp.Expression], default: exp.Expression) -> exp.Expression:
    """CASE WHEN … THEN … ELSE default END."""
    ifs = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(ifs=ifs, default=default)


def fails(message: str, value: exp.Expression | None = None) -> exp.Expression:
    """An error of the query's own, with the value that it is about."""
    told = text(message)
    if value is not None:
        shown = cast(value.copy(), "varchar")
        told = joined(text(f'{message}: "'), call("COALESCE", shown, "NULL"), text('"'))
    return call("ERROR", told)


def once(value: exp.Expression, name: str, body: exp.Expression) -> exp.Expression:
    """A body that names a value which is computed once: ``[body FOR name IN [value]][1]``."""
    made = exp.Lambda(this=body, expressions=[exp.Identifier(this=name, quoted=False)])
    transformed = call("LIST_TRANSFORM", exp.Array(expressions=[value]), made)
    return exp.Bracket(this=transformed, expressions=[exp.Literal.number(1)], offset=1)


def _argument(one: exp.Expression | str | int) -> exp.Expression:
    if isinstance(one, exp.Expression):
        return one
    return text(one) if isinstance(one, str) else number(one)


def _held(node: exp.Expression) -> exp.Expression:
    return exp.Paren(this=node) if isinstance(node, (exp.Binary, exp.Not, exp.Neg)) else node
