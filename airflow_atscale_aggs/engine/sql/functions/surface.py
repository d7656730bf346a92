"""PostgreSQL's SQL as it is read: formats of TO_CHAR and its like stay as they were written.

sqlglot's own dialect turns a format into Python's codes, which have no word for `FM`, `Q` or `"quoted text"`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from sqlglot import ParseError, TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.tokenizer_core import Token

_LOST = re.compile(r"\s*[+-]?[\d.]+\s*[A-Za-z]+\s+(?:[+-]?\d*:|ago\b)|.*\d\s*[A-Za-z]+\s+[+-]?\d+:", re.IGNORECASE)
"""Intervals of which sqlglot 30 reads the first unit only."""

_CODE = re.compile(r"%[-A-Za-z]|^(?:None)?$")
"""Formats that the printer changes; an empty one is `None` to the parser."""


class PostgresSurface(Postgres):
    """PostgreSQL's dialect without a mapping of formats; for reading only."""

    TIME_MAPPING: dict[str, str] = {}  # noqa: RUF012 - sqlglot declares it without ClassVar


def check_intervals(tokens: Sequence[Token]) -> None:
    """Refuse intervals that the parser would read in part: ``INTERVAL '1 day 02:03:04'`` would be one day.

    Raises:
        ParseError: there is one.
    """
    for first, second in pairwise(tokens):
        is_written = first.token_type is TokenType.INTERVAL and second.token_type is TokenType.STRING
        if is_written and _LOST.match(second.text):
            message = f"INTERVAL '{second.text}' is not read here; write CAST('{second.text}' AS INTERVAL)"
            raise ParseError(message)


def keep_functions(statements: Sequence[exp.Expr | None]) -> None:
    """What the printer of PostgreSQL's SQL would write as something else: TO_HEX, and formats with Python's codes.

    Raises:
        ParseError: a format cannot be kept as it is written.
    """
    for statement in statements:
        for node in list(statement.walk()) if statement is not None else ():
            if isinstance(node, (exp.Hex, exp.LowerHex)):
                node.replace(exp.Anonymous(this="TO_HEX", expressions=[node.this]))
            elif isinstance(node, (exp.TimeToStr, exp.StrToDate, exp.StrToTime)):
                form = node.args.get("format")
                if isinstance(form, exp.Literal) and (form.this is None or _CODE.search(str(form.this))):
                    written = "" if str(form.this) == "None" else form.this
                    message = f"the format '{written}' is empty or has a code behind a percent sign"
                    raise ParseError(message)
