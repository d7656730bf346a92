"""Comparisons, boolean logic, CASE and its like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, Translating, round_decimal
from airflow_atscale_aggs.engine.sql.functions.types import (
    BOOLEAN,
    DAYS,
    FLOATING_NUMERIC,
    FLOATS,
    NUMBERS,
    TEXT,
    TEXTS,
    UNTYPED,
    WHOLE,
    WHOLE_NUMERIC,
    Kind,
    SqlType,
    Value,
    scale_of,
    wider,
)
from airflow_atscale_aggs.engine.sql.functions.writing import call, cast, choose

_ORDERED = {
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
    exp.LT: exp.LT,
    exp.LTE: exp.LTE,
    exp.GT: exp.GT,
    exp.GTE: exp.GTE,
    exp.NullSafeEQ: exp.NullSafeEQ,
    exp.NullSafeNEQ: exp.NullSafeNEQ,
}
_STRICT: dict[type[exp.Expr], type[exp.Expr]] = {exp.LTE: exp.LT, exp.GTE: exp.GT}
_ROW = "row"


def common_type(node: exp.Expr, values: Sequence[Value], t: Translating) -> SqlType:
    """The one type that values of several have in PostgreSQL, as those of CASE; texts when none has any.

    A decimal keeps the digits behind the point that it has, so their number is known only where it is the same for all.
    """
    common = _common(node, values, t, _chosen_number)
    if common.kind is not Kind.NUMERIC or common.is_double:
        return common
    scales = {scale_of(t.as_type(value, common)) for value in values if value.kind is not Kind.NULL}
    return common if scales == {common.scale} else SqlType(Kind.NUMERIC)


def _compared_type(node: exp.Expr, values: Sequence[Value], t: Translating) -> SqlType:
    """The type in which PostgreSQL compares values."""
    return _common(node, values, t, wider)


def _common(
    node: exp.Expr, values: Sequence[Value], t: Translating, number_of_both: Callable[[SqlType, SqlType], SqlType]
) -> SqlType:
    common: SqlType | None = None
    for value in values:
        if value.kind in UNTYPED:
            continue
        if common is not None and {common.kind, value.kind} <= NUMBERS:
            common = number_of_both(common, value.type)
        else:
            common = value.type if common is None else _both(node, common, value.type, t)
    return common if common is not None else TEXT


def _chosen_number(left: SqlType, right: SqlType) -> SqlType:
    """Beside single precision, exact numbers become single precision, though a sum of both is in double precision."""
    kinds = {left.kind, right.kind}
    return SqlType(Kind.REAL) if Kind.REAL in kinds and Kind.DOUBLE not in kinds else wider(left, right)


def _both(node: exp.Expr, left: SqlType, right: SqlType, t: Translating) -> SqlType:
    if left == right or right.kind is Kind.OTHER:
        return left
    if left.kind is Kind.OTHER:
        return right
    if left.kind in TEXTS and right.kind in TEXTS:
        return TEXT
    if left.kind in DAYS and right.kind in DAYS:
        is_instant = Kind.TIMESTAMPTZ in {left.kind, right.kind}
        return SqlType(Kind.TIMESTAMPTZ if is_instant else Kind.TIMESTAMP)
    if left.kind is right.kind:
        return left
    return t.refuse(
        node,
        f"PostgreSQL does not take {left.kind.value} and {right.kind.value} together",
        "CAST one of them to the type that is meant.",
    )


def as_common(value: Value, to: SqlType, t: Translating) -> exp.Expr:
    """A value among others of one type."""
    if value.kind in UNTYPED:
        return value.sql if value.kind is Kind.NULL else t.as_type(value, to).sql
    if value.kind is Kind.CHAR and to.kind is not Kind.CHAR:
        return call("RTRIM", value.sql, " ")
    if to.kind in FLOATS and value.kind is not to.kind:
        double = cast(value.sql, "double")
        return double if to.kind is Kind.DOUBLE else cast(double, "real")
    if to.kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ} and value.kind is not to.kind:
        return cast(value.sql, "timestamp" if to.kind is Kind.TIMESTAMP else "timestamptz")
    return value.sql


def _compare(node: exp.Expr, t: Translating) -> Value:
    left, right = node.this, node.expression
    lefts, rights = _row_of(left), _row_of(right)
    if lefts is not None and rights is not None:
        return _rows(node, lefts, rights, t)
    quantifier = _find_quantifier(right)
    if quantifier is not None:
        is_any, array = quantifier
        return _any_or_all(node, array, t, is_any=is_any)
    first, second = t.value(left), t.value(right)
    comparison = type(node)(**_sides(node, first, second, t))
    return Value(comparison, BOOLEAN)


def _sides(node: exp.Expr, first: Value, second: Value, t: Translating) -> dict[str, exp.Expr]:
    common = _compared_type(node, [first, second], t)
    return {
        "this": parenthesize(_side(first, second, common, t)),
        "expression": parenthesize(_side(second, first, common, t)),
    }


def _side(value: Value, other: Value, common: SqlType, t: Translating) -> exp.Expr:
    if value.kind is Kind.LITERAL:
        if common.kind in {Kind.OTHER, Kind.INTERVAL, Kind.TIME, Kind.TIMESTAMPTZ}:
            return value.sql
        typed = t.as_type(value, common).sql
        # A column is compared with a plain text as it was written; planning looks at literals.
        return typed.this if isinstance(typed, exp.Cast) and isinstance(other.sql, _LEAVES) else typed
    if {value.kind, other.kind} == {Kind.CHAR, Kind.TEXT}:
        t.refuse(value.sql, "blanks at the end count or not, as CHARACTER meets another type", "CAST it to TEXT.")
    if value.type.is_double and not isinstance(value.sql, (*_LEAVES, exp.Literal)):
        return round_decimal(value).sql
    if {value.kind, other.kind} <= NUMBERS and value.kind is not other.kind and common.kind is Kind.DOUBLE:
        return cast(value.sql, "double") if value.kind is Kind.NUMERIC else value.sql
    if value.kind is Kind.CHAR:
        return call("RTRIM", value.sql, " ")
    return value.sql


def parenthesize(node: exp.Expr) -> exp.Expr:
    """In parentheses where its neighbours could tear it apart."""
    return exp.Paren(this=node) if isinstance(node, (exp.Binary, exp.Not, exp.Between, exp.In, exp.Is)) else node


def _row_of(node: exp.Expr) -> list[exp.Expr] | None:
    if isinstance(node, exp.Tuple):
        return list(node.expressions)
    if isinstance(node, exp.Anonymous) and node.name.casefold() == _ROW:
        return list(node.expressions)
    return None


def _rows(node: exp.Expr, lefts: list[exp.Expr], rights: list[exp.Expr], t: Translating) -> Value:
    """Rows are compared part by part: NULL where a NULL decides, unlike a struct of the warehouse."""
    if len(lefts) != len(rights):
        t.refuse(node, "the rows have different lengths")
    pairs = list(zip(lefts, rights, strict=True))
    if isinstance(node, exp.EQ | exp.NEQ):
        equal = [exp.Paren(this=_compare(exp.EQ(this=a.copy(), expression=b.copy()), t).sql) for a, b in pairs]
        whole = exp.Paren(this=exp.and_(*equal, copy=False)) if len(equal) > 1 else equal[0]
        return Value(whole if isinstance(node, exp.EQ) else exp.Not(this=whole), BOOLEAN)
    if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ):
        same = [exp.Paren(this=_compare(exp.NullSafeEQ(this=a.copy(), expression=b.copy()), t).sql) for a, b in pairs]
        whole = exp.Paren(this=exp.and_(*same, copy=False)) if len(same) > 1 else same[0]
        return Value(whole if isinstance(node, exp.NullSafeEQ) else exp.Not(this=whole), BOOLEAN)
    strict = _STRICT.get(type(node), type(node))
    a, b = pairs[-1]
    comparison = _compare(type(node)(this=a.copy(), expression=b.copy()), t).sql
    for a, b in reversed(pairs[:-1]):
        equal_here = _compare(exp.EQ(this=a.copy(), expression=b.copy()), t).sql
        less_here = _compare(strict(this=a.copy(), expression=b.copy()), t).sql
        comparison = choose((equal_here, comparison), default=less_here)
    return Value(comparison, BOOLEAN)


def _find_quantifier(node: exp.Expr) -> tuple[bool, exp.Expr] | None:
    """Whether it is ANY, and the array."""
    if isinstance(node, exp.Any):
        return True, node.this.unnest()
    if isinstance(node, exp.All):
        return False, node.this.unnest()
    if (
        isinstance(node, exp.Anonymous)
        and node.name.casefold() in {"all", "any", "some"}
        and len(node.expressions) == 1
    ):
        return node.name.casefold() != "all", node.expressions[0]
    return None


def elements(node: exp.Expr, t: Translating) -> list[exp.Expr]:
    """The elements of an array that stands in the query, also of ``'{a,b}'``."""
    inner = node.unnest()
    if isinstance(inner, exp.Cast):
        inner = inner.this
    if isinstance(inner, exp.Array):
        return list(inner.expressions)
    if isinstance(inner, exp.Literal) and inner.is_string:
        written = str(inner.this).strip()
        plain = written[1:-1] if written[:1] == "{" and written[-1:] == "}" else None
        if plain is not None and not set(plain) & set('"\\{}'):
            parts = [part.strip() for part in plain.split(",")] if plain.strip() else []
            return [exp.Null() if part.casefold() == "null" else exp.Literal.string(part) for part in parts]
    return t.refuse(node, "only arrays that stand in the query are compared with", "Write ARRAY[…] or IN (…).")


def _any_or_all(node: exp.Expr, array: exp.Expr, t: Translating, *, is_any: bool) -> Value:
    if isinstance(array, exp.Query):
        return t.refuse(node, "a comparison with all rows of a query is not translated", "Use IN or EXISTS.")
    parts = [
        exp.Paren(this=t.value(type(node)(this=node.this.copy(), expression=element.copy())).sql)
        for element in elements(array, t)
    ]
    if not parts:
        return Value(exp.Boolean(this=not is_any), BOOLEAN)
    combination = (exp.or_ if is_any else exp.and_)(*parts, copy=False)
    return Value(exp.Paren(this=combination), BOOLEAN)


def truth(node: exp.Expr, t: Translating) -> exp.Expr:
    """A condition."""
    value = t.value(node)
    if value.kind in UNTYPED:
        return t.as_type(value, BOOLEAN).sql
    if value.kind not in {Kind.BOOLEAN, Kind.OTHER}:
        t.refuse(node, f"a condition has to be boolean in PostgreSQL, and this is {value.kind.value}")
    return value.sql


def _connect(node: exp.Expr, t: Translating) -> Value:
    # Thousands of alternatives stand in a chain, which must not be walked by recursion.
    kind = type(node)
    parts: list[exp.Expr] = []
    rest = node
    while type(rest) is kind:
        parts.append(rest.expression)
        rest = rest.this
    connection = truth(rest, t)
    for part in reversed(parts):
        connection = kind(
            this=_parenthesize_other_connector(connection, kind),
            expression=_parenthesize_other_connector(truth(part, t), kind),
        )
    return Value(connection, BOOLEAN)


def _parenthesize_other_connector(node: exp.Expr, kind: type[exp.Expr]) -> exp.Expr:
    return exp.Paren(this=node) if isinstance(node, exp.Connector) and type(node) is not kind else node


def _not(node: exp.Expr, t: Translating) -> Value:
    return Value(exp.Not(this=parenthesize(truth(node.this, t))), BOOLEAN)


def _is(node: exp.Expr, t: Translating) -> Value:
    row = _row_of(node.this)
    negated = bool(node.args.get("negate"))
    if row is not None:
        if not isinstance(node.expression, exp.Null):
            t.refuse(node, "only IS NULL is said of a row")
        tests = [
            exp.Is(this=parenthesize(t.value(part).sql), expression=exp.Null(), negate=negated or None) for part in row
        ]
        return Value(exp.Paren(this=exp.and_(*tests, copy=False)), BOOLEAN)
    value = t.value(node.this)
    inner = truth(node.this, t) if isinstance(node.expression, exp.Boolean) else value.sql
    test = exp.Is(this=parenthesize(inner), expression=node.expression.copy())
    if negated:
        test.set("negate", True)
    return Value(test, BOOLEAN)


def _in(node: exp.Expr, t: Translating) -> Value:
    if node.args.get("query") is not None:
        row = _row_of(node.this)
        if row is not None:
            return _row_in(row, node.args["query"], t)
        return Value(exp.In(this=parenthesize(t.value(node.this).sql), query=node.args["query"].copy()), BOOLEAN)
    if node.args.get("unnest") is not None or node.args.get("field") is not None:
        t.refuse(node, "this form of IN is not translated", "List the values.")
    if not node.expressions:
        t.refuse(node, "IN is followed by no value", "List at least one value.")
    row = _row_of(node.this)
    if row is not None or any(_row_of(alternative) is not None for alternative in node.expressions):
        parts = [
            exp.Paren(this=_compare(exp.EQ(this=node.this.copy(), expression=alternative.copy()), t).sql)
            for alternative in node.expressions
        ]
        return Value(exp.Paren(this=exp.or_(*parts, copy=False)), BOOLEAN)
    value = t.value(node.this)
    others = [t.value(alternative) for alternative in node.expressions]
    common = _compared_type(node, [value, *others], t)
    first = _side(value, others[0], common, t)
    membership = exp.In(
        this=parenthesize(first), expressions=[_side(alternative, value, common, t) for alternative in others]
    )
    return Value(membership, BOOLEAN)


def _row_in(row: list[exp.Expr], query: exp.Expr, t: Translating) -> Value:
    """A row among those of a query, compared part by part: NULL where a NULL decides."""
    names = [f"part {place}" for place, _ in enumerate(row, 1)]
    alias = exp.TableAlias(
        this=exp.to_identifier("row", quoted=True), columns=[exp.to_identifier(name, quoted=True) for name in names]
    )
    rows = exp.Subquery(this=query.unnest().copy(), alias=alias)
    parts = [
        exp.EQ(this=parenthesize(t.value(part).sql), expression=exp.column(name, "row", quoted=True))
        for part, name in zip(row, names, strict=True)
    ]
    equal = exp.Paren(this=exp.and_(*parts, copy=False)) if len(parts) > 1 else exp.Paren(this=parts[0])
    is_open = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Count(this=equal.copy()))
    answer = choose((call("BOOL_OR", equal), exp.true()), (is_open, exp.Null()), default=exp.false())
    return Value(exp.Paren(this=exp.Subquery(this=exp.select(answer).from_(rows, copy=False))), BOOLEAN)


def _between(node: exp.Expr, t: Translating) -> Value:
    value, low, high = (t.value(node.args[part]) for part in ("this", "low", "high"))
    common = _compared_type(node, [value, low, high], t)
    ends = [_side(bound, value, common, t) for bound in (low, high)]
    first = parenthesize(_side(value, low if low.kind not in UNTYPED else high, common, t))
    test: exp.Expr = exp.Between(this=first, low=parenthesize(ends[0]), high=parenthesize(ends[1]))
    if node.args.get("symmetric"):
        turned = exp.Between(this=first.copy(), low=parenthesize(ends[1]).copy(), high=parenthesize(ends[0]).copy())
        test = exp.Paren(this=exp.Or(this=test, expression=turned))
    return Value(test, BOOLEAN)


def _case(node: exp.Expr, t: Translating) -> Value:
    conditions: list[exp.Expr] = []
    for branch in node.args["ifs"]:
        if node.this is None:
            conditions.append(truth(branch.this, t))
        else:
            conditions.append(_compare(exp.EQ(this=node.this.copy(), expression=branch.this.copy()), t).sql)
    values = [t.value(branch.args["true"]) for branch in node.args["ifs"]]
    default = node.args.get("default")
    others = [*values, t.value(default)] if default is not None else values
    common = common_type(node, others, t)
    branch_values = [as_common(value, common, t) for value in others]
    ifs = [exp.If(this=condition, true=value) for condition, value in zip(conditions, branch_values, strict=False)]
    return Value(exp.Case(ifs=ifs, default=branch_values[-1] if default is not None else None), common)


def _if(node: exp.Expr, t: Translating) -> Value:
    """IF(…), which PostgreSQL does not have; its readers take it for CASE."""
    branch = exp.If(this=node.this.copy(), true=node.args["true"].copy())
    default = node.args.get("false")
    return _case(exp.Case(ifs=[branch], default=default.copy() if default is not None else None), t)


def _coalesce(node: exp.Expr, t: Translating) -> Value:
    return _first_of("COALESCE", node, [node.this, *node.expressions], t)


def _greatest(node: exp.Expr, t: Translating) -> Value:
    return _first_of(type(node).__name__.upper(), node, [node.this, *node.expressions], t)


def _first_of(name: str, node: exp.Expr, parts: list[exp.Expr], t: Translating) -> Value:
    values = [t.value(part) for part in parts]
    common = common_type(node, values, t)
    arguments = [as_common(value, common, t) for value in values]
    if name == "COALESCE":
        return Value(exp.Coalesce(this=arguments[0], expressions=arguments[1:]), common)
    return Value(call(name, *arguments), common)


def _nullif(node: exp.Expr, t: Translating) -> Value:
    first, second = t.value(node.this), t.value(node.expression)
    sides = _sides(node, first, second, t)
    common = _compared_type(node, [first, second], t)
    if first.kind is Kind.CHAR:
        equal = exp.EQ(this=sides["this"], expression=sides["expression"])
        return Value(choose((equal, exp.Null()), default=first.sql), first.type)
    if first.kind in UNTYPED:
        typed = t.as_type(first, common)
        return Value(exp.Nullif(this=typed.sql, expression=sides["expression"]), typed.type)
    kind = _type_beside(first.type, common)
    if kind.kind is Kind.DOUBLE and first.kind is not Kind.DOUBLE:
        sides["this"] = cast(first.sql, "double")
    return Value(exp.Nullif(**sides), kind)


def _type_beside(first: SqlType, common: SqlType) -> SqlType:
    """The type of NULLIF: the first value as `=` takes it, which knows whole numbers of all sizes and both floats."""
    is_wider = first.kind in NUMBERS and common.kind is not first.kind
    if not is_wider or {first.kind, common.kind} <= WHOLE or {first.kind, common.kind} <= FLOATS:
        return first
    return WHOLE_NUMERIC if common.kind is Kind.NUMERIC else common


def _exists(node: exp.Expr, t: Translating) -> Value:  # noqa: ARG001 - as all handlers
    return Value(node.copy(), BOOLEAN)


def _paren(node: exp.Expr, t: Translating) -> Value:
    value = t.value(node.this)
    return Value(exp.Paren(this=value.sql), value.type) if value.kind is not Kind.LITERAL else value


def _literal(node: exp.Expr, t: Translating) -> Value:
    if node.is_string:
        return Value(node.copy(), SqlType(Kind.LITERAL))
    written = str(node.this)
    if node.is_int:
        size = abs(int(written))
        kind = Kind.INTEGER if size < 2**31 else Kind.BIGINT if size < 2**63 else Kind.NUMERIC
        return Value(node.copy(), SqlType(kind, scale=0 if kind is Kind.NUMERIC else None))
    return _decimal(node, written, t)


def _decimal(node: exp.Expr, written: str, t: Translating) -> Value:
    try:
        value = Decimal(written)
    except InvalidOperation:
        t.refuse(node, "it is no number")
    plain = f"{value:f}"
    if len(plain.replace(".", "")) > _MOST_DIGITS:
        return Value(exp.Literal.number(f"{value:e}"), FLOATING_NUMERIC)
    places = len(plain.partition(".")[2])
    return Value(exp.Literal.number(plain), SqlType(Kind.NUMERIC, scale=places))


_MOST_DIGITS = 38


def _null(node: exp.Expr, t: Translating) -> Value:  # noqa: ARG001 - as all handlers
    return Value(node.copy(), SqlType(Kind.NULL))


def _boolean(node: exp.Expr, t: Translating) -> Value:  # noqa: ARG001 - as all handlers
    return Value(node.copy(), BOOLEAN)


def _collate(node: exp.Expr, t: Translating) -> Value:
    if str(node.expression.name) not in {"C", "POSIX", "default", "ucs_basic"}:
        t.refuse(node, "texts are in the order of their bytes here", 'Leave it out, or write COLLATE "C".')
    return t.value(node.this)


_LEAVES = (exp.Column, exp.Placeholder)

HANDLERS: Handlers = {
    **dict.fromkeys(_ORDERED, _compare),
    exp.And: _connect,
    exp.Or: _connect,
    exp.Not: _not,
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Greatest: _greatest,
    exp.Least: _greatest,
    exp.Nullif: _nullif,
    exp.Paren: _paren,
    exp.Exists: _exists,
    exp.Literal: _literal,
    exp.Null: _null,
    exp.Boolean: _boolean,
    exp.Collate: _collate,
}
