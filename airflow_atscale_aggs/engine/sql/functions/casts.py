"""CAST: PostgreSQL's spellings, rounding, cutting and padding."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, Translating, exact_decimal, literal_number
from airflow_atscale_aggs.engine.sql.functions.moments import as_interval
from airflow_atscale_aggs.engine.sql.functions.numbers import integer_division
from airflow_atscale_aggs.engine.sql.functions.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    FLOATING_NUMERIC,
    FLOATS,
    NUMBERS,
    REAL,
    TEXT,
    TEXTS,
    TIMESTAMP,
    UNTYPED,
    WHOLE,
    Kind,
    SqlType,
    Value,
)
from airflow_atscale_aggs.engine.sql.functions.writing import call, cast, choose, join_texts, number, raise_error, text

_D = exp.DataType.Type
_KINDS = {
    _D.BOOLEAN: Kind.BOOLEAN,
    _D.TINYINT: Kind.SMALLINT,
    _D.SMALLINT: Kind.SMALLINT,
    _D.INT: Kind.INTEGER,
    _D.BIGINT: Kind.BIGINT,
    _D.DECIMAL: Kind.NUMERIC,
    _D.FLOAT: Kind.REAL,
    _D.DOUBLE: Kind.DOUBLE,
    _D.VARCHAR: Kind.TEXT,
    _D.TEXT: Kind.TEXT,
    _D.NVARCHAR: Kind.TEXT,
    _D.CHAR: Kind.CHAR,
    _D.BPCHAR: Kind.CHAR,
    _D.NCHAR: Kind.CHAR,
    _D.DATE: Kind.DATE,
    _D.TIMESTAMP: Kind.TIMESTAMP,
    _D.TIMESTAMPNTZ: Kind.TIMESTAMP,
    _D.TIMESTAMPTZ: Kind.TIMESTAMPTZ,
    _D.TIME: Kind.TIME,
    _D.INTERVAL: Kind.INTERVAL,
}
_INTEGER_TEXT = r"\s*[+-]?[0-9]+\s*"
_NUMBER_TEXT = r"\s*[+-]?([0-9]{1,22}(\.[0-9]{0,15})?|\.[0-9]{1,15})\s*"
_FLOAT_TEXT = r"(?i)\s*([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?inf(inity)?|nan)\s*"
_DATE_TEXT = r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(( |T)[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?\s*"
_INTEGER_NAMES = {Kind.SMALLINT: "smallint", Kind.INTEGER: "integer", Kind.BIGINT: "bigint"}
_MOST_DIGITS = 38


def _cast(node: exp.Expr, t: Translating) -> Value:
    if not isinstance(node, exp.Cast):
        t.refuse(node, "it is no CAST")
    to = node.to
    kind = _KINDS.get(to.this)
    if kind is None or (to.args.get("nested") and to.this is not _D.DECIMAL):
        t.refuse(node, f"CAST to {to.sql(dialect='postgres')} is not translated")
    if isinstance(node.this, exp.IntDiv) and kind is Kind.NUMERIC:
        # The parser's form of DIV(a, b).
        return integer_division(node.this, t)
    value = t.value(node.this)
    if value.kind is Kind.OTHER:
        t.refuse(node, "the type of what is cast is not known here")
    return _TO[kind](node, value, t)


def _sizes(node: exp.Cast) -> list[int]:
    sizes = [literal_number(size.this) for size in node.to.expressions]
    return [size for size in sizes if size is not None]


def _to_integer(node: exp.Cast, value: Value, t: Translating) -> Value:  # noqa: PLR0911 - one a kind of value
    kind = _KINDS[node.to.this]
    to = SqlType(kind)
    name = _INTEGER_NAMES[kind]
    if value.kind in UNTYPED:
        return _typed_literal(value, to, t)
    if value.kind in TEXTS:
        return Value(_cast_if_readable(value.sql, _INTEGER_TEXT, name, name), to)
    if value.kind is Kind.BOOLEAN and kind is Kind.INTEGER:
        return Value(cast(value.sql, "integer"), to)
    if value.kind is Kind.NUMERIC and value.type.is_double:
        return Value(cast(call("ROUND", exact_decimal(value.sql), 0), name), to)
    if value.kind in FLOATS:
        return Value(cast(call("ROUND_EVEN", cast(value.sql, "double"), 0), name), to)
    if value.kind in NUMBERS:
        return Value(cast(value.sql, name), to)
    return _no_cast(node, value, t)


def _to_numeric(node: exp.Cast, value: Value, t: Translating) -> Value:
    sizes = _sizes(node)
    if len(sizes) != len(node.to.expressions) or (sizes and not (0 < sizes[0] <= _MOST_DIGITS)):
        t.refuse(node, f"decimals have 1 to {_MOST_DIGITS} digits here")
    if value.kind in UNTYPED:
        value = _literal_number(value, t)
    elif value.kind in TEXTS:
        name = "decimal(38, 15)"
        value = Value(_cast_if_readable(value.sql, _NUMBER_TEXT, "numeric", name), SqlType(Kind.NUMERIC))
    elif value.kind in FLOATS:
        digits = cast(call("PRINTF", "%.15g", cast(value.sql, "double")), "double")
        value = Value(digits, FLOATING_NUMERIC)
    elif value.kind not in NUMBERS:
        return _no_cast(node, value, t)
    if not sizes:
        return value if value.kind is Kind.NUMERIC else Value(value.sql, SqlType(Kind.NUMERIC, scale=0))
    precision, scale = sizes[0], sizes[1] if len(sizes) > 1 else 0
    if not 0 <= scale <= precision:
        t.refuse(node, "its scale is not between 0 and its precision")
    inner = exact_decimal(value.sql) if value.type.is_double else value.sql
    return Value(cast(inner, f"decimal({precision}, {scale})"), SqlType(Kind.NUMERIC, scale=scale))


def _literal_number(value: Value, t: Translating) -> Value:
    if value.kind is Kind.NULL:
        return Value(cast(value.sql, "decimal(38, 0)"), SqlType(Kind.NUMERIC, scale=0))
    typed = t.as_type(value, SqlType(Kind.NUMERIC)).sql
    return t.value(typed) if not isinstance(typed, exp.Paren) else Value(typed, SqlType(Kind.NUMERIC))


def _to_float(node: exp.Cast, value: Value, t: Translating) -> Value:
    to, name = (REAL, "real") if _KINDS[node.to.this] is Kind.REAL else (DOUBLE, "double")
    if value.kind is Kind.LITERAL:
        word = value.sql.name.strip().casefold()
        if word in {"nan", "infinity", "-infinity", "inf", "-inf"}:
            return Value(cast(text(word), name), to)
        return Value(cast(t.as_type(value, to).sql, name), to)
    if value.kind is Kind.NULL or value.kind in NUMBERS:
        return Value(cast(value.sql, name), to)
    if value.kind in TEXTS:
        return Value(_cast_if_readable(value.sql, _FLOAT_TEXT, "double precision", name), to)
    return _no_cast(node, value, t)


def _to_boolean(node: exp.Cast, value: Value, t: Translating) -> Value:
    if value.kind in UNTYPED:
        return t.as_type(value, BOOLEAN)
    if value.kind is Kind.BOOLEAN:
        return value
    if value.kind is Kind.INTEGER:
        return Value(exp.Paren(this=exp.NEQ(this=exp.Paren(this=value.sql), expression=number(0))), BOOLEAN)
    if value.kind in TEXTS:
        word = call("LOWER", call("TRIM", value.sql, " \t\n\r\f\v"))
        branches = [
            (
                exp.In(this=word.copy(), expressions=[text(spelling) for spelling in spellings]),
                exp.Boolean(this=is_true),
            )
            for spellings, is_true in (
                (("t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"), True),
                (("f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"), False),
            )
        ]
        problem = raise_error("invalid input syntax for type boolean", value.sql)
        missing = (exp.Is(this=value.sql.copy(), expression=exp.Null()), exp.Null())
        return Value(choose(missing, *branches, default=problem), BOOLEAN)
    return _no_cast(node, value, t)


def _to_text(node: exp.Cast, value: Value, t: Translating) -> Value:
    text_value = as_text(node, value, t)
    sizes = _sizes(node)
    return Value(call("LEFT", text_value, sizes[0]) if sizes else text_value, TEXT)


def _to_char(node: exp.Cast, value: Value, t: Translating) -> Value:
    sizes = _sizes(node) or ([1] if node.to.this is not _D.BPCHAR else [])
    text_value = as_text(node, value, t)
    if not sizes:
        return Value(text_value, SqlType(Kind.CHAR))
    padded = call("RPAD", call("LEFT", text_value, sizes[0]), sizes[0], " ")
    return Value(padded, SqlType(Kind.CHAR))


def as_text(node: exp.Expr, value: Value, t: Translating) -> exp.Expr:  # noqa: PLR0911 - the same
    """What a value is as a text in PostgreSQL."""
    if value.kind in UNTYPED:
        return t.as_type(value, TEXT).sql
    if value.kind is Kind.CHAR:
        return call("RTRIM", value.sql, " ")
    if value.kind is Kind.TEXT:
        return value.sql
    if value.kind in {*WHOLE, Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP, Kind.TIME}:
        return cast(value.sql, "varchar")
    if value.kind is Kind.NUMERIC and value.type.scale is not None and not value.type.is_double:
        return cast(cast(value.sql, f"decimal(38, {value.type.scale})"), "varchar")
    if value.kind is Kind.DOUBLE:
        return _double_text(value.sql)
    reason = f"how many digits or which words {value.kind.value} has as a text is not the same here"
    return t.refuse(node, reason, "CAST it to NUMERIC(…, …) first, or use TO_CHAR.")


def _double_text(value: exp.Expr) -> exp.Expr:
    plain = call("REGEXP_REPLACE", cast(value, "varchar"), r"\.0$", "")
    size = call("ABS", value.copy())
    digits = call("RTRIM", call("REPLACE", call("REPLACE", plain.copy(), ".", ""), "-", ""), "0")
    sign = choose((exp.LT(this=value.copy(), expression=number(0)), text("-")), default=text(""))
    rest = call("SUBSTR", digits.copy(), 2)
    point = choose((exp.EQ(this=rest, expression=text("")), text("")), default=join_texts(text("."), rest.copy()))
    long = join_texts(sign, call("LEFT", digits, 1), point, text("e+15"))
    between = exp.and_(
        exp.GTE(this=size, expression=exp.Literal.number("1e15")),
        exp.LT(this=size.copy(), expression=exp.Literal.number("1e16")),
        copy=False,
    )
    return choose(
        (call("ISNAN", value.copy()), text("NaN")),
        (exp.EQ(this=value.copy(), expression=cast(text("inf"), "double")), text("Infinity")),
        (exp.EQ(this=value.copy(), expression=cast(text("-inf"), "double")), text("-Infinity")),
        (between, long),
        default=plain,
    )


def _to_date(node: exp.Cast, value: Value, t: Translating) -> Value:
    kind = _KINDS[node.to.this]
    to, name = (DATE, "date") if kind is Kind.DATE else (TIMESTAMP, "timestamp")
    if value.kind in UNTYPED:
        return t.as_type(value, to)
    if value.kind in TEXTS:
        checked = _cast_if_readable(value.sql, _DATE_TEXT, name, "timestamp")
        return Value(cast(checked, "date") if kind is Kind.DATE else checked, to)
    if value.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        return Value(cast(value.sql, name), to)
    return _no_cast(node, value, t)


def _to_instant(node: exp.Cast, value: Value, t: Translating) -> Value:
    if value.kind is Kind.TIMESTAMPTZ:
        return value
    if value.kind in {Kind.DATE, Kind.TIMESTAMP}:
        return Value(cast(value.sql, "timestamptz"), SqlType(Kind.TIMESTAMPTZ))
    return t.refuse(node, "the instant of a text depends on the session's time zone", "CAST to TIMESTAMP.")


def _to_time(node: exp.Cast, value: Value, t: Translating) -> Value:
    if value.kind is Kind.TIMESTAMP:
        return Value(cast(value.sql, "time"), SqlType(Kind.TIME))
    if value.kind is Kind.TIME:
        return value
    return _no_cast(node, value, t)


def _to_interval(node: exp.Cast, value: Value, t: Translating) -> Value:
    if value.kind is Kind.LITERAL:
        return as_interval(value, t)
    if value.kind is Kind.INTERVAL:
        return value
    return t.refuse(node, "only intervals that stand in the query are read", "Write INTERVAL '1 day'.")


def _typed_literal(value: Value, to: SqlType, t: Translating) -> Value:
    typed = t.as_type(value, to)
    return typed if value.kind is Kind.NULL else Value(cast(typed.sql, _INTEGER_NAMES[to.kind]), to)


def _cast_if_readable(value: exp.Expr, pattern: str, type_name: str, name: str) -> exp.Expr:
    """A text as a number or a day where PostgreSQL reads one in it; NULL stays NULL."""
    fits = call("REGEXP_FULL_MATCH", value, pattern)
    problem = raise_error(f"invalid input syntax for type {type_name}", value)
    value_cast = cast(call("TRIM", value.copy(), " \t\n\r\f\v"), name)
    return choose((exp.Not(this=fits), problem), default=value_cast)


def _no_cast(node: exp.Cast, value: Value, t: Translating) -> Value:
    return t.refuse(node, f"PostgreSQL casts no {value.kind.value} to {node.to.sql(dialect='postgres')}")


_TO: dict[Kind, Callable[[exp.Cast, Value, Translating], Value]] = {
    Kind.SMALLINT: _to_integer,
    Kind.INTEGER: _to_integer,
    Kind.BIGINT: _to_integer,
    Kind.NUMERIC: _to_numeric,
    Kind.REAL: _to_float,
    Kind.DOUBLE: _to_float,
    Kind.BOOLEAN: _to_boolean,
    Kind.TEXT: _to_text,
    Kind.CHAR: _to_char,
    Kind.DATE: _to_date,
    Kind.TIMESTAMP: _to_date,
    Kind.TIMESTAMPTZ: _to_instant,
    Kind.TIME: _to_time,
    Kind.INTERVAL: _to_interval,
}

HANDLERS: Handlers = {exp.Cast: _cast}
