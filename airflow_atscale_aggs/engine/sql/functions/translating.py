"""One expression of PostgreSQL's SQL as one of the warehouse's that has the same value, or a refusal by name."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import did_you_mean, near_names
from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, NamedHandlers, refusal_of
from airflow_atscale_aggs.engine.sql.functions.literals import UnreadableTextError, read_as
from airflow_atscale_aggs.engine.sql.functions.types import FLOATS, NUMBERS, TEXTS, UNTYPED, Kind, SqlType, Value
from airflow_atscale_aggs.engine.sql.functions.writing import cast, text

TypeOf = Callable[[exp.Expr], SqlType | None]
"""The type of a leaf: a reference or a column, which is not translated; None for what is not a leaf."""

_TO_NAMES = {
    Kind.BOOLEAN: "boolean",
    Kind.SMALLINT: "smallint",
    Kind.INTEGER: "integer",
    Kind.BIGINT: "bigint",
    Kind.REAL: "real",
    Kind.DOUBLE: "double",
    Kind.TEXT: "varchar",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.INTERVAL: "interval",
    Kind.TIME: "time",
}


class Translator:
    """Translates expressions for one warehouse.

    Args:
        handlers: by node; a node without one is refused.
        named: by the name of a function that the parser does not know.
        warehouse: its name, for people.
    """

    def __init__(self, handlers: Handlers, named: NamedHandlers, warehouse: str) -> None:
        self._handlers, self._named, self._warehouse = handlers, named, warehouse
        self._type_of: TypeOf = lambda _: None
        self._named_for_people: Callable[[exp.Expr], exp.Expr] = lambda node: node

    def translate(
        self,
        node: exp.Expr,
        type_of: TypeOf,
        named: Callable[[exp.Expr], exp.Expr] = lambda node: node,
    ) -> Value:
        """An expression and its type.

        Args:
            named: with names in place of references, for messages.

        Raises:
            UnsupportedQueryError: it is not known to mean the same.
        """
        before = self._type_of, self._named_for_people
        self._type_of, self._named_for_people = type_of, named
        try:
            return self.value(node)
        finally:
            self._type_of, self._named_for_people = before

    @property
    def supported_names(self) -> frozenset[str]:
        """Names of everything that is translated: of nodes, and of functions that the parser does not know."""
        return frozenset({*(kind.__name__ for kind in self._handlers), *self._named})

    def value(self, node: exp.Expr) -> Value:
        """A part of what is translated."""
        leaf_type = self._type_of(node)
        if leaf_type is not None:
            return Value(node.copy(), leaf_type)
        if isinstance(node, exp.Anonymous):
            named = self._named.get(node.name.casefold())
            return named(node, self) if named is not None else self._refuse_unknown(node)
        handler = self._handlers.get(type(node))
        return handler(node, self) if handler is not None else self._refuse_unknown(node)

    def as_type(self, value: Value, to: SqlType) -> Value:
        """A text without a type, or NULL, as a type; what has one stays."""
        if value.kind not in UNTYPED:
            return value
        if value.kind is Kind.NULL:
            named = _TO_NAMES.get(to.kind)
            return Value(value.sql if named is None else cast(value.sql, named), to)
        if to.kind in TEXTS:
            return Value(value.sql, to if to.kind is Kind.TEXT else SqlType(Kind.TEXT))
        written = value.sql.name
        if to.kind in FLOATS and written.strip().casefold() in {"nan", "infinity", "-infinity"}:
            return Value(cast(text(written.strip()), _TO_NAMES[to.kind]), to)
        try:
            meant = read_as(written, to.kind)
        except UnreadableTextError as error:
            remedy = "Dates are read as YYYY-MM-DD." if to.kind in {Kind.DATE, Kind.TIMESTAMP} else ""
            self.refuse(value.sql, f"it stands where {to.kind.value} is meant, and {error}", remedy)
        if to.kind is Kind.NUMERIC:
            meant = f"{Decimal(meant):f}"
            to = SqlType(Kind.NUMERIC, scale=len(meant.partition(".")[2]))
        return Value(_literal_of_type(meant, to.kind), to)

    def refuse(self, node: exp.Expr, reason: str, remedy: str = "") -> NoReturn:
        """Say that this is not answered."""
        raise refusal_of(self._named_for_people(node), reason, remedy)

    def _refuse_unknown(self, node: exp.Expr) -> NoReturn:
        name = function_name(node)
        names = {*self._named, *(kind.sql_name().casefold() for kind in self._handlers if issubclass(kind, exp.Func))}
        near = [near_name.upper() for near_name in near_names(name, sorted(names))]
        reason = f"`{name}` is not among the functions whose meaning on {self._warehouse} is proven to be PostgreSQL's"
        self.refuse(node, reason, did_you_mean(near).strip() or "The page on functions lists them.")


def function_name(node: exp.Expr) -> str:
    """How people call what a node is."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).upper()
    return node.sql_name() if isinstance(node, exp.Func) else node.key.upper()


def _literal_of_type(meant: str, kind: Kind) -> exp.Expr:
    if kind is Kind.BOOLEAN:
        return exp.Boolean(this=meant == "true")
    if kind in NUMBERS:
        return _number(meant)
    return cast(text(meant), _TO_NAMES[kind])


def _number(meant: str) -> exp.Expr:
    if meant.startswith("-"):
        return exp.Paren(this=exp.Neg(this=exp.Literal.number(meant[1:])))
    return exp.Literal.number(meant.lstrip("+"))
