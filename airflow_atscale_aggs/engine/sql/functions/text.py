"""Functions of texts."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.casts import as_text
from airflow_atscale_aggs.engine.sql.functions.handling import (
    Handler,
    Handlers,
    NamedHandlers,
    Translating,
    literal_number,
    literal_text,
    number_of,
    text_of,
    whole_of,
)
from airflow_atscale_aggs.engine.sql.functions.regexes import extract_match
from airflow_atscale_aggs.engine.sql.functions.types import BOOLEAN, INTEGER, TEXT, TEXTS, UNTYPED, WHOLE, Kind, Value
from airflow_atscale_aggs.engine.sql.functions.writing import (
    binary,
    call,
    cast,
    choose,
    join_texts,
    number,
    raise_error,
    text,
)

_LONGEST = 1_000_000
"""Letters that a text may be filled up to: more is a mistake, and a warehouse out of memory."""


def _of_text(name: str, result: object = TEXT) -> Handler:
    def translate_text(node: exp.Expr, t: Translating) -> Value:
        argument = node.this if not isinstance(node, exp.Anonymous) else _only(node, t)
        translation = call(name, text_of(argument, t))
        return Value(translation, INTEGER if result is INTEGER else TEXT)

    return translate_text


def _only(node: exp.Expr, t: Translating) -> exp.Expr:
    if len(node.expressions) != 1:
        t.refuse(node, "it takes one value")
    only: exp.Expr = node.expressions[0]
    return only


def _length(node: exp.Expr, t: Translating) -> Value:
    if node.args.get("encoding") is not None:
        t.refuse(node, "it takes one text")
    return Value(call("LENGTH", text_of(node.this, t)), INTEGER)


def _bit_length(node: exp.Expr, t: Translating) -> Value:
    return Value(binary(exp.Mul, call("STRLEN", text_of(node.this, t)), number(8)), INTEGER)


def _initcap(node: exp.Expr, t: Translating) -> Value:
    """Every word of letters and digits with a great first letter: what stands between words is kept."""
    value = text_of(node.this, t)
    words = call("REGEXP_EXTRACT_ALL", value, r"[\p{L}\p{M}\p{Nd}]+|[^\p{L}\p{M}\p{Nd}]+")
    word = exp.column("w")
    changed = join_texts(call("UPPER", call("LEFT", word, 1)), call("LOWER", call("SUBSTR", word.copy(), 2)))
    each = exp.Lambda(this=changed, expressions=[exp.Identifier(this="w", quoted=False)])
    joined_words = call("ARRAY_TO_STRING", call("LIST_TRANSFORM", words, each), "")
    return Value(joined_words, TEXT)


def _substring(node: exp.Expr, t: Translating) -> Value:
    start, length = node.args.get("start"), node.args.get("length")
    if start is None:
        t.refuse(node, "it takes a place")
    if isinstance(start, exp.Literal) and start.is_string:
        if length is not None:
            t.refuse(node, "SUBSTRING with SIMILAR's pattern is not translated", "Use a regular expression: FROM '…'.")
        return extract_match(node, t)
    value, first = text_of(node.this, t), whole_of(start, t)
    begin = literal_number(start)
    if length is None:
        if begin is not None:
            return Value(call("SUBSTR", value, max(begin, 1)), TEXT)
        part = call("SUBSTR", value, call("GREATEST", first, number(1)))
        return Value(_keep_null(part, first, None), TEXT)
    size = whole_of(length, t)
    count = literal_number(length)
    if count is not None and count < 0:
        t.refuse(node, "its length is negative")
    if begin is not None and count is not None:
        # What lies before the text counts into the length.
        return Value(call("SUBSTR", value, max(begin, 1), max(count + min(begin - 1, 0), 0)), TEXT)
    end = binary(exp.Add, cast(first, "bigint"), size)
    begun = call("GREATEST", first.copy(), number(1))
    length_kept = call("GREATEST", binary(exp.Sub, end, begun.copy()), number(0))
    places = [cast(place.copy(), "varchar") for place in (first, size)]
    missing = exp.Is(this=join_texts(value.copy(), *places), expression=exp.Null())
    negative = exp.LT(this=size.copy(), expression=number(0))
    problem = raise_error("negative substring length not allowed")
    part = choose((missing, exp.Null()), (negative, problem), default=call("SUBSTR", value, begun, length_kept))
    return Value(part, TEXT)


def _side(name: str) -> Handler:
    def translate_side(node: exp.Expr, t: Translating) -> Value:
        value, count = text_of(node.this, t), whole_of(node.expression, t)
        return Value(call(name, value, count), TEXT)

    return translate_side


def _position(node: exp.Expr, t: Translating) -> Value:
    extra = {"position", "occurrence"} & {name for name, argument in node.args.items() if argument is not None}
    if extra:
        t.refuse(node, "PostgreSQL looks from the first letter on")
    return Value(call("STRPOS", text_of(node.this, t), text_of(node.args["substr"], t)), INTEGER)


def _split(node: exp.Expr, t: Translating) -> Value:
    value, delimiter = text_of(node.this, t), text_of(node.args["delimiter"], t)
    place = whole_of(node.args["part_index"], t)
    fixed = literal_number(node.args["part_index"])
    if fixed == 0:
        t.refuse(node, "its place is 0; the first part is 1, the last one -1")
    whole = call("SPLIT_PART", value, delimiter, place)
    at_ends = exp.In(this=place.copy(), expressions=[number(1), number(-1)])
    undivided = choose((at_ends, value.copy()), default=text(""))
    empty = exp.EQ(this=delimiter.copy(), expression=text(""))
    blank = exp.EQ(this=value.copy(), expression=text(""))
    branches = [(exp.EQ(this=place.copy(), expression=number(0)), raise_error("field position must not be zero"))]
    if fixed is not None:
        branches = []
    missing = exp.Is(
        this=join_texts(value.copy(), delimiter.copy(), cast(place.copy(), "varchar")), expression=exp.Null()
    )
    part = choose((missing, exp.Null()), *branches, (blank, text("")), (empty, undivided), default=whole)
    return Value(part, TEXT)


def _pad(node: exp.Expr, t: Translating) -> Value:
    value, size = text_of(node.this, t), whole_of(node.expression, t)
    fill = node.args.get("fill_pattern")
    fixed = literal_number(node.expression)
    if fixed is not None and fixed > _LONGEST:
        t.refuse(node, f"texts are filled up to {_LONGEST} letters at the most")
    name = "LPAD" if node.args.get("is_left") else "RPAD"
    length = number(max(fixed, 0)) if fixed is not None else call("GREATEST", size, number(0))
    if fill is None:
        return Value(_keep_null(call(name, value, length, " "), size, fixed), TEXT)
    filling = text_of(fill, t)
    if isinstance(filling, exp.Literal):
        padded = call(name, value, length, filling) if filling.name else call("LEFT", value, length)
        return Value(_keep_null(padded, size, fixed), TEXT)
    none = exp.EQ(this=filling.copy(), expression=text(""))
    padded = choose((none, call("LEFT", value, length)), default=call(name, value.copy(), length.copy(), filling))
    return Value(_keep_null(padded, size, fixed), TEXT)


def _keep_null(value: exp.Expr, size: exp.Expr, fixed: int | None) -> exp.Expr:
    """The value, or NULL where its size is NULL. GREATEST, which bounds the size, would ignore the NULL."""
    if fixed is not None:
        return value
    return choose((exp.Is(this=size.copy(), expression=exp.Null()), exp.Null()), default=value)


def _trim(node: exp.Expr, t: Translating) -> Value:
    position = str(node.args.get("position") or "BOTH").upper()
    name = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(position, "TRIM")
    letters = node.args.get("expression")
    value = text_of(node.this, t)
    removed = text_of(letters, t) if letters is not None else text(" ")
    return Value(call(name, value, removed), TEXT)


def _replace(node: exp.Expr, t: Translating) -> Value:
    replacement = node.args.get("replacement")
    parts = [text_of(argument, t) for argument in (node.this, node.expression) if argument is not None]
    parts.append(text_of(replacement, t) if replacement is not None else text(""))
    return Value(call("REPLACE", *parts), TEXT)


def _repeat(node: exp.Expr, t: Translating) -> Value:
    times = node.args["times"]
    fixed = literal_number(times)
    if fixed is not None and fixed > _LONGEST:
        t.refuse(node, f"texts are repeated {_LONGEST} times at the most")
    count = number(max(fixed, 0)) if fixed is not None else whole_of(times, t)
    return Value(call("REPEAT", text_of(node.this, t), count), TEXT)


def _translate(node: exp.Expr, t: Translating) -> Value:
    parts = [text_of(node.args[name], t) for name in ("this", "from_", "to")]
    return Value(call("TRANSLATE", *parts), TEXT)


def _text_in_concat(node: exp.Expr, t: Translating) -> exp.Expr:
    """What CONCAT makes of a value: booleans are t and f."""
    value = t.value(node)
    if value.kind is Kind.BOOLEAN:
        return choose(
            (value.sql, text("t")), (exp.Not(this=exp.Paren(this=value.sql.copy())), text("f")), default=exp.Null()
        )
    if value.kind is Kind.CHAR:
        return value.sql
    return as_text(node, value, t)


def _concat(node: exp.Expr, t: Translating) -> Value:
    return Value(call("CONCAT", *(_text_in_concat(argument, t) for argument in node.expressions)), TEXT)


def _concat_ws(node: exp.Expr, t: Translating) -> Value:
    first, *rest = node.expressions
    if not rest:
        t.refuse(node, "it takes a separator and at least one value")
    return Value(call("CONCAT_WS", text_of(first, t), *(_text_in_concat(argument, t) for argument in rest)), TEXT)


def _pipes(node: exp.Expr, t: Translating) -> Value:
    parts: list[exp.Expr] = []
    rest = node
    while isinstance(rest, exp.DPipe):
        parts.append(rest.expression)
        rest = rest.this
    nodes = [rest, *reversed(parts)]
    values = [t.value(operand) for operand in nodes]
    if not {values[0].kind, values[1].kind} & {*TEXTS, *UNTYPED}:
        t.refuse(node, "one side of || has to be a text in PostgreSQL", "CAST one of them to TEXT.")
    return Value(join_texts(*(as_text(operand, value, t) for operand, value in zip(nodes, values, strict=True))), TEXT)


def _ascii(node: exp.Expr, t: Translating) -> Value:
    value = text_of(node.this, t)
    empty = exp.EQ(this=value, expression=text(""))
    return Value(choose((empty, number(0)), default=call("UNICODE", value.copy())), INTEGER)


def _chr(node: exp.Expr, t: Translating) -> Value:
    if len(node.expressions) != 1:
        t.refuse(node, "it takes one number")
    code = number_of(node.expressions[0], t, WHOLE)
    outside = exp.LT(this=code.sql, expression=number(1))
    problem = raise_error("null character not permitted")
    return Value(choose((outside, problem), default=call("CHR", cast(code.sql.copy(), "integer"))), TEXT)


def _starts(node: exp.Expr, t: Translating) -> Value:
    return Value(call("STARTS_WITH", text_of(node.this, t), text_of(node.expression, t)), BOOLEAN)


def _overlay(node: exp.Expr, t: Translating) -> Value:
    start = literal_number(node.args.get("from_"))
    length = node.args.get("for_")
    count = literal_number(length) if length is not None else None
    if start is None or start < 1 or (length is not None and (count is None or count < 0)):
        t.refuse(node, "its places have to stand in the query, 1 or more")
    value, new = text_of(node.this, t), text_of(node.expression, t)
    skipped = number(count) if count is not None else call("LENGTH", new.copy())
    rest = binary(exp.Add, number(start), skipped)
    return Value(join_texts(call("LEFT", value, start - 1), new, call("SUBSTR", value.copy(), rest)), TEXT)


def _hex(node: exp.Expr, t: Translating) -> Value:
    value = number_of(_only(node, t), t, WHOLE)
    if value.kind is Kind.SMALLINT:
        t.refuse(node, "PostgreSQL takes an integer or a bigint")
    negative = exp.LT(this=value.sql, expression=number(0))
    size = 2**32 if value.kind is Kind.INTEGER else 2**64
    turned = binary(exp.Add, cast(value.sql.copy(), "hugeint"), exp.Literal.number(size))
    return Value(
        call("LOWER", call("TO_HEX", choose((negative, turned), default=cast(value.sql.copy(), "hugeint")))), TEXT
    )


def _byte_string(node: exp.Expr, t: Translating) -> Value:
    """E'…', whose escapes the parser has read; only those that it reads as PostgreSQL does."""
    written = str(node.this)
    if "\\" in written:
        t.refuse(node, "its escapes are not read here", "Write the letters themselves.")
    return t.value(exp.Literal.string(written))


def _md5(node: exp.Expr, t: Translating) -> Value:
    return Value(call("MD5", text_of(node.this, t)), TEXT)


def _format(node: exp.Expr, t: Translating) -> Value:
    """FORMAT with %s alone is a concatenation that leaves NULLs out."""
    pattern = literal_text(node.this, t, "a format")
    arguments = list(node.expressions)
    parts: list[exp.Expr] = []
    pieces = pattern.replace("%%", "\x00").split("%s")
    if any("%" in piece for piece in pieces) or len(pieces) - 1 > len(arguments):
        t.refuse(node, "only %s is filled in here, once for each value")
    for number_, piece in enumerate(pieces):
        if piece:
            parts.append(text(piece.replace("\x00", "%")))
        if number_ < len(pieces) - 1:
            parts.append(_text_in_concat(arguments[number_], t))
    return Value(call("CONCAT", *parts) if parts else text(""), TEXT)


HANDLERS: Handlers = {
    exp.Lower: _of_text("LOWER"),
    exp.Upper: _of_text("UPPER"),
    exp.Reverse: _of_text("REVERSE"),
    exp.Length: _length,
    exp.BitLength: _bit_length,
    exp.Initcap: _initcap,
    exp.Substring: _substring,
    exp.Left: _side("LEFT"),
    exp.Right: _side("RIGHT"),
    exp.StrPosition: _position,
    exp.SplitPart: _split,
    exp.Pad: _pad,
    exp.Trim: _trim,
    exp.Replace: _replace,
    exp.Repeat: _repeat,
    exp.Translate: _translate,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.DPipe: _pipes,
    exp.Ascii: _ascii,
    exp.Chr: _chr,
    exp.StartsWith: _starts,
    exp.Overlay: _overlay,
    exp.MD5: _md5,
    exp.ByteString: _byte_string,
    exp.Format: _format,
}

NAMED: NamedHandlers = {"octet_length": _of_text("STRLEN", INTEGER), "to_hex": _hex}
