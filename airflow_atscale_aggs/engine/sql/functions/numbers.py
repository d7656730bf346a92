"""Arithmetic and functions of numbers: PostgreSQL's types decide, not the warehouse's."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import (
    Handler,
    Handlers,
    NamedHandlers,
    Translating,
    as_number,
    error_if_zero,
    exact_decimal,
    literal_number,
    number_of,
    refuse_type,
    round_decimal,
)
from airflow_atscale_aggs.engine.sql.functions.moments import add_moments, multiply_interval
from airflow_atscale_aggs.engine.sql.functions.types import (
    DAYS,
    DOUBLE,
    EXACT,
    FLOATING_NUMERIC,
    FLOATS,
    INTEGER,
    NUMBERS,
    UNTYPED,
    WHOLE,
    WHOLE_NUMERIC,
    Kind,
    SqlType,
    Value,
    scale_of,
    wider,
)
from airflow_atscale_aggs.engine.sql.functions.writing import binary, call, cast, choose, number, raise_error


def _sum(node: exp.Expr, t: Translating) -> Value:
    left, right = t.value(node.this), t.value(node.expression)
    if {left.kind, right.kind} & {*DAYS, Kind.INTERVAL, Kind.TIME}:
        return add_moments(node, left, right, t)
    return _arithmetic(node, left, right, t)


def _product(node: exp.Expr, t: Translating) -> Value:
    left, right = t.value(node.this), t.value(node.expression)
    if Kind.INTERVAL in {left.kind, right.kind}:
        return multiply_interval(node, left, right, t)
    return _arithmetic(node, left, right, t)


def _both(node: exp.Expr, left: Value, right: Value, t: Translating) -> tuple[Value, Value, SqlType]:
    """Two numbers and the type that PostgreSQL computes in."""
    if left.kind in UNTYPED and right.kind in UNTYPED:
        t.refuse(node, "neither side says what type is meant", "CAST one of them.")
    left = t.as_type(left, right.type)
    right = t.as_type(right, left.type)
    for part, value in ((node.this, left), (node.expression, right)):
        if value.kind not in NUMBERS:
            refuse_type(part, value, "numbers", t)
    common = wider(left.type, right.type)
    return _widen(left, common), _widen(right, common), common


def _widen(value: Value, common: SqlType) -> Value:
    if common.kind is Kind.DOUBLE and value.kind is not Kind.DOUBLE:
        return Value(cast(value.sql, "double"), value.type)
    if common.kind in {Kind.INTEGER, Kind.BIGINT} and value.kind is not common.kind:
        name = "integer" if common.kind is Kind.INTEGER else "bigint"
        return value if isinstance(value.sql, exp.Literal) else Value(cast(value.sql, name), value.type)
    return value


def _arithmetic(node: exp.Expr, left: Value, right: Value, t: Translating) -> Value:
    left, right, common = _both(node, left, right, t)
    operation = binary(type(node), left.sql, right.sql)
    if isinstance(node, exp.Mul) and common.kind is Kind.NUMERIC:
        scales = [scale_of(side) for side in (left, right)]
        scale = None if None in scales else sum(scale_of_side for scale_of_side in scales if scale_of_side is not None)
        return Value(operation, SqlType(Kind.NUMERIC, scale=scale, is_double=common.is_double))
    if common.kind is Kind.NUMERIC and common.scale is None and not common.is_double:
        common = SqlType(Kind.NUMERIC)
    elif common.kind is Kind.NUMERIC:
        scales = [scale_of(side) for side in (left, right)]
        scale = None if None in scales else max(scale_of_side for scale_of_side in scales if scale_of_side is not None)
        common = SqlType(Kind.NUMERIC, scale=scale, is_double=common.is_double)
    return Value(operation, common)


def _quotient(node: exp.Expr, t: Translating) -> Value:
    left, right = t.value(node.this), t.value(node.expression)
    if not node.args.get("typed"):
        # Of a calculated metric, which never leaves a remainder out.
        return Value(exp.Div(this=left.sql, expression=right.sql), FLOATING_NUMERIC)
    if left.kind is Kind.INTERVAL:
        return multiply_interval(node, left, right, t)
    left, right, common = _both(node, left, right, t)
    if common.kind in WHOLE:
        return Value(
            exp.Paren(this=error_if_zero(left.sql, right.sql, exp.IntDiv(this=left.sql, expression=right.sql))), common
        )
    quotient: exp.Expr = exp.Div(this=cast(left.sql, "double"), expression=right.sql, typed=True)
    if common.kind is Kind.NUMERIC:
        return Value(exp.Paren(this=error_if_zero(left.sql, right.sql, quotient)), FLOATING_NUMERIC)
    if common.kind is Kind.REAL:
        quotient = cast(quotient, "real")
    return Value(exp.Paren(this=error_if_zero(left.sql, right.sql, quotient)), common)


def _remainder(node: exp.Expr, t: Translating) -> Value:
    left, right, common = _both(node, t.value(node.this), t.value(node.expression), t)
    if common.kind in FLOATS:
        t.refuse(node, "PostgreSQL has no remainder of double precision", "CAST both sides to NUMERIC.")
    left, right = round_decimal(left), round_decimal(right)
    remainder = error_if_zero(left.sql, right.sql, binary(exp.Mod, left.sql, right.sql))
    return Value(exp.Paren(this=remainder), SqlType(common.kind, scale=None if common.is_double else common.scale))


def integer_division(node: exp.Expr, t: Translating) -> Value:
    """DIV(a, b), as the parser has it: the quotient of two decimals without its remainder."""
    first, second = number_of(node.this, t, EXACT), number_of(node.expression, t, EXACT)
    if first.kind in WHOLE and second.kind in WHOLE:
        whole = exp.IntDiv(this=first.sql, expression=second.sql)
        return Value(exp.Paren(this=error_if_zero(first.sql, second.sql, whole)), WHOLE_NUMERIC)
    quotient = exp.Div(this=cast(first.sql, "double"), expression=second.sql, typed=True)
    return Value(error_if_zero(first.sql, second.sql, call("TRUNC", exact_decimal(quotient))), WHOLE_NUMERIC)


def _negative(node: exp.Expr, t: Translating) -> Value:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        value = t.value(node.this)
        return Value(exp.Paren(this=exp.Neg(this=value.sql)), value.type)
    value = t.value(node.this)
    if value.kind not in {*NUMBERS, Kind.INTERVAL}:
        refuse_type(node.this, value, "a number", t)
    return Value(exp.Paren(this=exp.Neg(this=exp.Paren(this=value.sql))), value.type)


def _bits(name: str) -> Handler:
    def translate_bits(node: exp.Expr, t: Translating) -> Value:
        left, right = number_of(node.this, t, WHOLE), number_of(node.expression, t, WHOLE)
        common = wider(left.type, right.type)
        if name == "XOR":
            return Value(call("XOR", left.sql, right.sql), common)
        return Value(binary(type(node), left.sql, right.sql), common)

    return translate_bits


def _shift_bits(node: exp.Expr, t: Translating) -> Value:
    places = literal_number(node.expression)
    value = number_of(node.this, t, WHOLE)
    bits = {Kind.SMALLINT: 16, Kind.INTEGER: 32, Kind.BIGINT: 64}[value.kind]
    if places is None or not 0 <= places < bits:
        t.refuse(node, "bits are shifted by a number that stands in the query, smaller than the number of bits")
    # What is shifted out is lost in PostgreSQL and an error on the warehouse: multiplied it is an error as well.
    if isinstance(node, exp.BitwiseLeftShift):
        return Value(binary(exp.Mul, value.sql, number(1 << places)), value.type)
    return Value(binary(exp.BitwiseRightShift, value.sql, number(places)), value.type)


def _invert_bits(node: exp.Expr, t: Translating) -> Value:
    value = number_of(node.this, t, WHOLE)
    return Value(exp.BitwiseNot(this=exp.Paren(this=value.sql)), value.type)


def _round(node: exp.Expr, t: Translating) -> Value:
    name = "ROUND" if isinstance(node, exp.Round) else "TRUNC"
    decimals = node.args.get("decimals")
    value = number_of(node.this, t)
    if decimals is None:
        if value.kind is Kind.NUMERIC:
            return Value(call(name, round_decimal(value).sql, 0), WHOLE_NUMERIC)
        # Halves of double precision go to the even neighbour.
        double = cast(value.sql, "double")
        return Value(call("ROUND_EVEN", double, 0) if name == "ROUND" else call("TRUNC", double), DOUBLE)
    places = literal_number(decimals)
    if places is None:
        t.refuse(node, "the number of places has to stand in the query")
    if value.kind in FLOATS:
        remedy = f"Write {name}(CAST(… AS NUMERIC), {places})."
        t.refuse(node, f"PostgreSQL has no {name} of double precision to a number of places", remedy)
    if value.kind in WHOLE and places >= 0:
        return Value(value.sql, SqlType(Kind.NUMERIC))
    if value.type.scale is not None and places >= value.type.scale:
        return Value(value.sql, SqlType(Kind.NUMERIC, scale=value.type.scale if places == value.type.scale else None))
    if value.kind in WHOLE:
        value = Value(cast(value.sql, "decimal(38, 0)"), WHOLE_NUMERIC)
    rounded = _to_places(name, round_decimal(value).sql, places)
    return Value(rounded, SqlType(Kind.NUMERIC, scale=max(places, 0)))


def _to_places(name: str, value: exp.Expr, places: int) -> exp.Expr:
    if places >= 0:
        return call(name, value, number(places))
    size = number(10**-places)
    whole = call(name, binary(exp.Div, cast(value, "double"), size), number(0))
    if name == "ROUND":
        whole = call("ROUND", exact_decimal(binary(exp.Div, cast(value.copy(), "double"), size.copy())), number(0))
    return binary(exp.Mul, cast(whole, "decimal(38, 0)"), size.copy())


def _ceiling(node: exp.Expr, t: Translating) -> Value:
    if node.args.get("decimals") is not None or node.args.get("to") is not None:
        t.refuse(node, "PostgreSQL takes one number")
    name = "CEIL" if isinstance(node, exp.Ceil) else "FLOOR"
    value = number_of(node.this, t)
    if value.kind is Kind.NUMERIC:
        return Value(call(name, round_decimal(value).sql), WHOLE_NUMERIC)
    return Value(call(name, cast(value.sql, "double")), DOUBLE)


def _absolute(node: exp.Expr, t: Translating) -> Value:
    value = number_of(node.this, t)
    return Value(call("ABS", value.sql), value.type)


def _sign(node: exp.Expr, t: Translating) -> Value:
    value = number_of(node.this, t)
    kind = WHOLE_NUMERIC if value.kind is Kind.NUMERIC else DOUBLE
    sign = call("SIGN", value.sql)
    return Value(sign if value.kind is Kind.NUMERIC else cast(sign, "double"), kind)


def _double(value: Value) -> exp.Expr:
    return value.sql if value.kind is Kind.DOUBLE else cast(value.sql, "double")


def _result(value: Value) -> SqlType:
    return FLOATING_NUMERIC if value.kind is Kind.NUMERIC else DOUBLE


def _numbers_of(nodes: Sequence[exp.Expr], t: Translating) -> list[Value]:
    """Numbers of which each is translated once; a text without a type beside a decimal is a decimal as well."""
    values = [t.value(node) for node in nodes]
    if Kind.NUMERIC in {value.kind for value in values}:
        values = [t.as_type(value, SqlType(Kind.NUMERIC)) for value in values]
    return [as_number(node, value, t) for node, value in zip(nodes, values, strict=True)]


def _power(node: exp.Expr, t: Translating) -> Value:
    base, exponent = _numbers_of((node.this, node.expression), t)
    power = call("POW", _double(base), _double(exponent))
    is_numeric = Kind.NUMERIC in {base.kind, exponent.kind} and not {base.kind, exponent.kind} & FLOATS
    kind = FLOATING_NUMERIC if is_numeric else DOUBLE
    places = literal_number(node.expression)
    if places is not None and places >= 0:
        return Value(power, kind)
    zero, other = exp.EQ(this=base.sql.copy(), expression=number(0)), exponent.sql
    negative = exp.LT(this=base.sql.copy(), expression=number(0))
    broken = exp.NEQ(this=_double(exponent).copy(), expression=call("TRUNC", _double(exponent).copy()))
    checks = [
        (
            exp.and_(zero, exp.LT(this=other.copy(), expression=number(0)), copy=False),
            raise_error("zero raised to a negative power is undefined"),
        ),
        (
            exp.and_(negative, broken, copy=False),
            raise_error("a negative number raised to a non-integer power yields a complex result"),
        ),
    ]
    return Value(choose(*checks, default=power), kind)


def _root(node: exp.Expr, t: Translating) -> Value:
    value = number_of(node.this, t)
    problem = raise_error("cannot take square root of a negative number")
    negative = exp.LT(this=value.sql, expression=number(0))
    return Value(choose((negative, problem), default=call("SQRT", _double(value).copy())), _result(value))


def _cube_root(node: exp.Expr, t: Translating) -> Value:
    value = _double(number_of(node.this, t))
    root = call("CBRT", value)
    near = call("ROUND", root.copy(), 0)
    cube = binary(exp.Mul, binary(exp.Mul, near, near.copy()), near.copy())
    return Value(choose((exp.EQ(this=cube, expression=value.copy()), near.copy()), default=root), DOUBLE)


def _logarithm(node: exp.Expr, t: Translating) -> Value:
    base, arguments = None, [node.this]
    if isinstance(node, exp.Log) and node.expression is not None:
        base, arguments = number_of(node.this, t), [node.expression]
    value = number_of(arguments[0], t)
    name = "LN" if isinstance(node, exp.Ln) else "LOG10"
    logarithm = call(name, _double(value))
    kind = _result(value)
    if base is not None and not _is_ten(node.this):
        if {base.kind, value.kind} & FLOATS:
            t.refuse(node, "PostgreSQL's LOG with a base takes decimals", "CAST both to NUMERIC.")
        logarithm = binary(exp.Div, call("LN", _double(value)), call("LN", _double(base)))
        kind = FLOATING_NUMERIC
    problem = raise_error("cannot take logarithm of zero or a negative number")
    return Value(choose((exp.LTE(this=value.sql.copy(), expression=number(0)), problem), default=logarithm), kind)


def _is_ten(node: exp.Expr) -> bool:
    return literal_number(node) == 10  # noqa: PLR2004 - the decimal logarithm


def _exponential(node: exp.Expr, t: Translating) -> Value:
    value = number_of(node.this, t)
    exponential = call("EXP", _double(value))
    overflow = exp.GT(this=_double(value).copy(), expression=exp.Literal.number("709.78"))
    return Value(choose((overflow, raise_error("value out of range: overflow")), default=exponential), _result(value))


def _of_double(name: str) -> Handler:
    def translate_double(node: exp.Expr, t: Translating) -> Value:
        arguments = [node.this, *([node.expression] if node.args.get("expression") is not None else [])]
        return Value(call(name, *(_double(number_of(argument, t)) for argument in arguments)), DOUBLE)

    return translate_double


def _within_one(name: str) -> Handler:
    def translate_within_one(node: exp.Expr, t: Translating) -> Value:
        value = _double(number_of(node.this, t))
        outside = exp.GT(this=call("ABS", value), expression=number(1))
        return Value(choose((outside, raise_error("input is out of range")), default=call(name, value.copy())), DOUBLE)

    return translate_within_one


def _pi(node: exp.Expr, t: Translating) -> Value:  # noqa: ARG001 - as all handlers
    return Value(call("PI"), DOUBLE)


def _of_whole(name: str) -> Handler:
    def translate_whole(node: exp.Expr, t: Translating) -> Value:
        values = [number_of(argument, t, WHOLE) for argument in node.expressions]
        if len(values) != 2:  # noqa: PLR2004 - both functions are of two numbers
            t.refuse(node, "it takes two integers")
        return Value(call(name, *(value.sql for value in values)), wider(values[0].type, values[1].type))

    return translate_whole


def _factorial(node: exp.Expr, t: Translating) -> Value:
    value = number_of(node.this, t, WHOLE)
    problem = raise_error("factorial of a negative number is undefined")
    negative = exp.LT(this=value.sql, expression=number(0))
    factorial = choose((negative, problem), default=call("FACTORIAL", cast(value.sql.copy(), "integer")))
    return Value(factorial, WHOLE_NUMERIC)


def _bucket(node: exp.Expr, t: Translating) -> Value:
    parts = [node.args.get(name) for name in ("this", "min_value", "max_value", "num_buckets")]
    low, high, buckets = (None if bound is None else _plain_number(bound) for bound in parts[1:])
    if parts[0] is None or low is None or high is None or buckets is None or not low < high or buckets < 1:
        t.refuse(node, "its bounds and the number of buckets have to stand in the query, the lower bound first")
    operand = number_of(parts[0], t)
    value = _double(operand)
    steps = binary(exp.Div, binary(exp.Mul, binary(exp.Sub, value, _plain(low)), _plain(buckets)), _plain(high - low))
    inside = binary(exp.Add, cast(call("FLOOR", exact_decimal(steps)), "integer"), number(1))
    below = exp.LT(this=value.copy(), expression=_plain(low))
    above = exp.GTE(this=value.copy(), expression=_plain(high))
    no_number = (call("ISNAN", value.copy()), raise_error("operand cannot be NaN"))
    bucket = choose(
        *([no_number] if operand.kind in FLOATS else []),
        (below, number(0)),
        (above, number(int(buckets) + 1)),
        default=inside,
    )
    return Value(bucket, INTEGER)


def _plain_number(node: exp.Expr) -> float | None:
    inner = node.this if isinstance(node, exp.Neg) else node
    if not isinstance(inner, exp.Literal) or inner.is_string:
        return None
    return -float(inner.this) if isinstance(node, exp.Neg) else float(inner.this)


def _plain(value: float) -> exp.Expr:
    literal = exp.Literal.number(repr(abs(value)))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


HANDLERS: Handlers = {
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.Mul: _product,
    exp.Div: _quotient,
    exp.Mod: _remainder,
    exp.IntDiv: integer_division,
    exp.Neg: _negative,
    exp.BitwiseAnd: _bits("AND"),
    exp.BitwiseOr: _bits("OR"),
    exp.BitwiseXor: _bits("XOR"),
    exp.BitwiseNot: _invert_bits,
    exp.BitwiseLeftShift: _shift_bits,
    exp.BitwiseRightShift: _shift_bits,
    exp.Round: _round,
    exp.Trunc: _round,
    exp.Ceil: _ceiling,
    exp.Floor: _ceiling,
    exp.Abs: _absolute,
    exp.Sign: _sign,
    exp.Pow: _power,
    exp.Sqrt: _root,
    exp.Cbrt: _cube_root,
    exp.Ln: _logarithm,
    exp.Log: _logarithm,
    exp.Exp: _exponential,
    exp.Sin: _of_double("SIN"),
    exp.Cos: _of_double("COS"),
    exp.Tan: _of_double("TAN"),
    exp.Atan: _of_double("ATAN"),
    exp.Atan2: _of_double("ATAN2"),
    exp.Asin: _within_one("ASIN"),
    exp.Acos: _within_one("ACOS"),
    exp.Degrees: _of_double("DEGREES"),
    exp.Radians: _of_double("RADIANS"),
    exp.Pi: _pi,
    exp.Factorial: _factorial,
    exp.WidthBucket: _bucket,
}

NAMED: NamedHandlers = {"gcd": _of_whole("GCD"), "lcm": _of_whole("LCM")}
