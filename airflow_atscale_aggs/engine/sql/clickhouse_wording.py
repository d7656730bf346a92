"""Our SQL in ClickHouse's words, where the same words mean something else there.

ClickHouse cuts quotients of decimals, makes garbage NULL and large numbers small in casts, lets products leave their
range, passes over NULL in NOT IN and FIRST_VALUE, and changes the case of ASCII's letters alone. Each of these is said
in other words here, or is refused.

Source: ClickHouse's reference, "Decimal", "Type Conversion Functions", "IN Operators", "Window Functions"; chDB 4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from sqlglot import UnsupportedError, exp

_DIALECT = "clickhouse"
_Type = exp.DataType.Type

_TYPES: Mapping[object, tuple[object, tuple[int, ...]]] = {
    _Type.TIMESTAMP: (_Type.DATETIME64, (6,)),
    _Type.TIMESTAMPTZ: (_Type.DATETIME64, (6,)),
    _Type.TIMESTAMPNTZ: (_Type.DATETIME64, (6,)),
    # Date begins in 1970.
    _Type.DATE: (_Type.DATE32, ()),
}
"""Ours to ClickHouse's, with their digits."""

_RENAMED: Mapping[type[exp.Expr], str] = {
    exp.Lower: "lowerUTF8",
    exp.Upper: "upperUTF8",
    exp.LogicalAnd: "min",
    exp.LogicalOr: "max",
    # The others lose small differences between large numbers.
    exp.Stddev: "stddevSampStable",
    exp.StddevSamp: "stddevSampStable",
    exp.StddevPop: "stddevPopStable",
    exp.Variance: "varSampStable",
    exp.VariancePop: "varPopStable",
}

_OF_SAMPLES = (exp.Stddev, exp.StddevSamp, exp.Variance)

_COUNTS = (exp.Count, exp.ApproxDistinct, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile)
"""What gives UInt64, which has no common type with Int64."""

_HASH, _MICROSECONDS = "siphash64", "tounixtimestamp64micro"
_FLOAT, _WHOLE, _WIDE = "toFloat64", "toInt64", "toDecimal256"


def reword(statement: exp.Expr) -> exp.Expr:
    """The statement in ClickHouse's words. What is given is changed, and of no use afterwards.

    Raises:
        sqlglot.UnsupportedError: it cannot be said.
    """
    root = exp.Paren(this=statement)
    # What is inside comes before what is around it.
    for node in reversed(list(statement.walk(bfs=False))):
        change = _CHANGES.get(type(node))
        if change is not None:
            change(node)
    changed: exp.Expr = root.this
    changed.pop()
    return changed


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _put(node: exp.Expr, wrap: Callable[[exp.Expr], exp.Expr]) -> None:
    """Put something around a node, where it stands."""
    place = exp.Null()
    node.replace(place)
    place.replace(wrap(node))


def _divide(node: exp.Expr) -> None:
    """Quotients are floating numbers, as those of whole numbers are anyway."""
    for side in ("this", "expression"):
        if not _is_call(node.args[side], _FLOAT):
            value = node.args[side]
            # A query keeps its own parentheses.
            node.set(side, _call(_FLOAT, value.this if isinstance(value, exp.Paren) else value))


def _multiply(node: exp.Expr) -> None:
    """Products have decimals of 76 digits: those of BIGINT and of wide decimals would leave their range silently."""
    zero = node.expression
    if isinstance(node.this, exp.Nullif) and isinstance(zero, exp.Literal) and zero.name == "0":
        # NULL, or the one zero that has a common type with every number.
        test = exp.Not(this=exp.Is(this=node.this, expression=exp.Null()))
        node.replace(exp.Case(ifs=[exp.If(this=test, true=zero)]))
        return
    is_wide = _is_call(node.expression, _WIDE) or any(
        _is_call(part, _WIDE) for part in node.this.unnest().iter_expressions()
    )
    if not (is_wide or any(isinstance(node.args[side].unnest(), exp.Interval) for side in ("this", "expression"))):
        wide = _call(_WIDE, exp.Literal.number(1), exp.Literal.number(0))
        node.set("this", exp.Mul(this=node.this, expression=wide))


def _cast(node: exp.Expr) -> None:
    """A cast refuses what it cannot read or keep, and gives a column that may hold NULL."""
    kind, value = node.args["to"], node.this
    is_plain = kind.args.get("nullable") is None and not isinstance(value.unnest(), exp.Null)
    if not is_plain or kind.this in exp.DataType.TEXT_TYPES:
        return
    if kind.this is _Type.DECIMAL:
        value = _rounded(value, kind)
    elif kind.this is _Type.DATE32:
        _check_day(value)
    kind.set("nullable", False)
    name = exp.Literal.string(kind.sql(dialect=_DIALECT))
    function = "accurateCast" if kind.this in exp.DataType.INTEGER_TYPES else "CAST"
    node.replace(_call("toNullable", _call(function, value, name)))


def _rounded(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """The value with as many digits behind the point as the type has, since a cast cuts the others off."""
    sizes = [int(size.name) for size in kind.expressions] or [10, 0]
    digits = sizes[1] if len(sizes) > 1 else 0
    kind.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(size)) for size in (sizes[0], digits)])
    if not (isinstance(value, exp.Literal) and value.is_string):
        return _call("round", value, exp.Literal.number(digits))
    try:
        number = Decimal(value.name).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    except InvalidOperation:
        # More digits than Python's decimals have: it is refused, or kept, by the warehouse.
        return value
    return exp.Literal.string(f"{number:f}")


def _check_day(value: exp.Expr) -> None:
    """Refuse days that are in no calendar: ClickHouse goes on counting in the next month."""
    if isinstance(value, exp.Literal) and value.is_string:
        try:
            date.fromisoformat(value.name.strip()[:10])
        except ValueError as error:
            message = f"'{value.name}' is no day"
            raise UnsupportedError(message) from error


def _rename_type(node: exp.Expr) -> None:
    if node.this in _TYPES:
        kind, sizes = _TYPES[node.this]
        node.set("this", kind)
        node.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(size)) for size in sizes])


def _rename(node: exp.Expr) -> None:
    node.replace(_call(_RENAMED[type(node)], node.this))


def _sample(node: exp.Expr) -> None:
    """Of a single value there is no deviation of a sample; ClickHouse has infinity for it."""
    whole, box = _with_window(node), exp.Paren()
    whole.replace(box)
    box.set("this", whole)
    # What is counted has the same condition and window.
    number, measured = exp.Count(this=node.this.copy(), big_int=True), _call(_RENAMED[type(node)], node.this)
    node.replace(number)
    counted = box.this.copy()
    number.replace(measured)
    test = exp.GT(this=counted, expression=exp.Literal.number(1))
    box.replace(exp.Case(ifs=[exp.If(this=test, true=box.this)]))
    _count(next(counted.find_all(exp.Count)))


def _with_window(function: exp.Expr) -> exp.Expr:
    """A function with what stands behind it: FILTER and OVER."""
    whole = function
    while isinstance(whole.parent, (exp.Filter, exp.Window)) and whole.arg_key == "this":
        whole = whole.parent
    return whole


def _count(node: exp.Expr) -> None:
    """Counts have a sign, as all whole numbers of ours have."""
    whole = _with_window(node)
    if not _is_call(whole.parent, _WHOLE):
        _put(whole, lambda counted: _call(_WHOLE, counted))


def _keep_nulls(node: exp.Expr) -> None:
    """FIRST_VALUE and LAST_VALUE pass over NULL, unless they are told not to."""
    if not isinstance(node.parent, (exp.IgnoreNulls, exp.RespectNulls)):
        _put(node, lambda value: exp.RespectNulls(this=value))


def _member(node: exp.Expr) -> None:
    """NULL among the members is passed over by IN, so that NOT IN is true where it should be NULL."""
    if node.args.get("query") is not None:
        above = node.parent
        while above is not None and not isinstance(above, exp.Query):
            if isinstance(above, exp.Not):
                message = "NOT IN with a query passes over NULL on ClickHouse; write NOT EXISTS"
                raise UnsupportedError(message)
            above = above.parent
    elif any(isinstance(member.unnest(), exp.Null) for member in node.expressions):
        tests = [exp.EQ(this=node.this.copy(), expression=member) for member in node.expressions]
        node.replace(exp.Paren(this=exp.or_(*tests, copy=False)))


def _part(node: exp.Expr) -> None:
    if node.name.casefold() == "second":
        message = "EXTRACT(SECOND …) has no digits behind the point on ClickHouse"
        raise UnsupportedError(message)


def _quantile(node: exp.Expr) -> None:
    if isinstance(node.this, exp.PercentileCont):
        value = node.expression.expressions[0].this
        node.replace(exp.ParameterizedAgg(this="quantileExactInclusive", expressions=[node.this.this], params=[value]))


def _select(node: exp.Expr) -> None:
    """Results bear the names that they have elsewhere, and are ordered by what those names mean there.

    A column of a join bears its table's name where another one has the same name. A name in ORDER BY is a column's
    before it is a result's, since that is so everywhere else in a query (the setting `prefer_column_name_to_alias`).
    """
    for column in node.expressions:
        if isinstance(column, exp.Column) and column.table and not isinstance(column.this, exp.Star):
            _put(column, lambda value: exp.Alias(this=value, alias=value.this.copy()))
    order = node.args.get("order")
    if order is None or any(result.is_star for result in node.expressions):
        return
    places = {result.alias_or_name: place for place, result in enumerate(node.expressions, 1)}
    for ordered in order.expressions:
        name = ordered.this
        if isinstance(name, exp.Column) and not name.table and name.name in places:
            name.replace(exp.Literal.number(places[name.name]))


def _drop(node: exp.Expr) -> None:
    if node.args.get("kind") == "SCHEMA":
        node.set("kind", "DATABASE")


def _function(node: exp.Expr) -> None:
    name = node.name.casefold()
    if name == _HASH and not isinstance(node.expressions[0], (exp.Struct, exp.Tuple)):
        # Of a NULL it is NULL, and of a tuple with a NULL it is not.
        node.set("expressions", [_call("tuple", *node.expressions)])
    elif name == _MICROSECONDS and not _is_call(node.expressions[0], "toDateTime64"):
        # It takes no DateTime, which has no digits of a second.
        node.set("expressions", [_call("toDateTime64", *node.expressions, exp.Literal.number(6))])


def _is_call(value: exp.Expr | None, name: str) -> bool:
    """Whether it is said in these words already: what was printed may be read and printed again."""
    return isinstance(value, exp.Anonymous) and value.name == name


_CHANGES: Mapping[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.Div: _divide,
    exp.Mul: _multiply,
    exp.Cast: _cast,
    exp.DataType: _rename_type,
    exp.In: _member,
    exp.Extract: _part,
    exp.WithinGroup: _quantile,
    exp.Drop: _drop,
    exp.Select: _select,
    exp.Anonymous: _function,
    exp.FirstValue: _keep_nulls,
    exp.LastValue: _keep_nulls,
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(_RENAMED, _rename),
    **dict.fromkeys(_OF_SAMPLES, _sample),
}
