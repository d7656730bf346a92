"""Statements that put the rows of a query somewhere else than into an answer: a table of the session, or a COPY."""

from __future__ import annotations

import re

from sqlglot import Token, TokenType
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_FLAGS = re.IGNORECASE | re.DOTALL
_PART = r'(?:"(?:[^"]|"")+"|[A-Za-z_]\w*)'
_TARGET = rf"(?P<target>{_PART}(?:\s*\.\s*{_PART})?)"
_COLUMNS = r"(?P<columns>\([^()]*\))?"
_QUERY = r"(?P<query>[\s(]*(?:SELECT|WITH|VALUES|TABLE)\b.+?)"
_KIND = r"(?P<kind>(?:(?:GLOBAL|LOCAL)\s+)?(?:TEMP|TEMPORARY|UNLOGGED)\s+)?"
_CREATE = re.compile(
    rf"\s*CREATE\s+{_KIND}TABLE\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?{_TARGET}\s*{_COLUMNS}\s*"
    r"(?P<options>(?:WITH\s*\([^()]*\)|WITHOUT\s+OIDS|ON\s+COMMIT\s+(?:DROP|(?:DELETE|PRESERVE)\s+ROWS))?)\s*"
    rf"\bAS\b{_QUERY}(?:\bWITH\s+(?P<no>NO\s+)?DATA)?[\s;]*",
    _FLAGS,
)
_INSERT = re.compile(rf"\s*INSERT\s+INTO\s+{_TARGET}\s*{_COLUMNS}\s*{_QUERY}[\s;]*", _FLAGS)
_COPY = re.compile(r"\s*COPY\s*\((?P<query>.+)\)\s*TO\s+STDOUT\b(?P<options>(?:[^;']|'[^']*')*?)[\s;]*", _FLAGS)
_INTO = re.compile(rf"\s+(?P<kind>(?:TEMP|TEMPORARY|UNLOGGED)\s+)?(?:TABLE\s+)?{_TARGET}", _FLAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTableAs:
    """A table is made of a query.

    Attributes:
        head: what stands before the name, such as ``CREATE TEMP TABLE``.
        columns: names in brackets; empty: those of the query.
        options: what stands behind them.
        may_exist: IF NOT EXISTS.
        has_data: False: WITH NO DATA.
    """

    sql: str
    head: str
    target: str
    columns: str = ""
    options: str = ""
    may_exist: bool = False
    has_data: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertRows:
    """Rows of a query are put into a table. ``tail``: what stands behind the query, such as ``ON CONFLICT …``."""

    sql: str
    target: str
    columns: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRows:
    """Rows of a query are sent in one of COPY's formats, as the options say."""

    sql: str
    options: str = ""


TransferStatement = CreateTableAs | InsertRows | CopyRows


def read_transfer(sql: str, start: int = 0) -> TransferStatement | None:
    """What a statement is, from a place in its text; None: none of these.

    >>> read_transfer("CREATE TEMP TABLE a ON COMMIT DROP AS SELECT 1 WITH NO DATA;")
    ... # doctest: +NORMALIZE_WHITESPACE
    CreateTableAs(sql='SELECT 1', head='CREATE TEMP TABLE', target='a', columns='', options='ON COMMIT DROP',
                  may_exist=False, has_data=False)
    >>> read_transfer("SELECT a, 'INTO' INTO TEMP b FROM c").sql
    "SELECT a, 'INTO' FROM c"
    >>> read_transfer("INSERT INTO a (b) SELECT 1 ON CONFLICT DO NOTHING")
    InsertRows(sql='SELECT 1', target='a', columns='(b)', tail='ON CONFLICT DO NOTHING')
    >>> read_transfer("COPY (SELECT 1) TO STDOUT (FORMAT csv)")
    CopyRows(sql='SELECT 1', options='(FORMAT csv)')
    """
    if (found := _CREATE.fullmatch(sql, start)) is not None:
        head = f"CREATE {' '.join((found['kind'] or '').split())} TABLE".replace("  ", " ")
        return CreateTableAs(
            sql=found["query"].strip(),
            head=head,
            target=found["target"],
            columns=found["columns"] or "",
            options=found["options"],
            may_exist=bool(found["exists"]),
            has_data=found["no"] is None,
        )
    if (found := _INSERT.fullmatch(sql, start)) is not None:
        query, tail = _without_tail(found["query"])
        return InsertRows(sql=query, target=found["target"], columns=found["columns"] or "", tail=tail)
    if (found := _COPY.fullmatch(sql, start)) is not None:
        return CopyRows(sql=found["query"].strip(), options=found["options"].strip())
    return _read_into(sql) if "INTO" in sql[start:].upper() else None


def _read_into(sql: str) -> CreateTableAs | None:
    """SELECT … INTO."""
    tokens = _outer_tokens(sql)
    into = next((token for token in tokens if token.token_type is TokenType.INTO), None)
    if into is None or not tokens or tokens[0].token_type not in {TokenType.SELECT, TokenType.WITH}:
        return None
    found = _INTO.match(sql, into.end + 1)
    if found is None:
        return None
    head = f"CREATE {(found['kind'] or '').strip()} TABLE".replace("  ", " ")
    query = f"{sql[: into.start].rstrip()} {sql[found.end() :].strip()}".strip().rstrip(";")
    return CreateTableAs(sql=query, head=head, target=found["target"])


def _without_tail(query: str) -> tuple[str, str]:
    """A query of INSERT, and what stands behind it."""
    tokens = _outer_tokens(query)
    for number, token in enumerate(tokens):
        is_conflict = token.text.upper() == "ON" and tokens[number + 1 : number + 2] != []
        if token.token_type is TokenType.RETURNING or (is_conflict and tokens[number + 1].text.upper() == "CONFLICT"):
            return query[: token.start].strip(), query[token.start :].strip()
    return query.strip(), ""


def _outer_tokens(sql: str) -> list[Token]:
    """The tokens that stand in no brackets."""
    try:
        tokens = Postgres().tokenize(sql)
    except SqlglotError:
        return []
    depth, outer = 0, []
    for token in tokens:
        depth -= token.token_type is TokenType.R_PAREN
        if depth == 0:
            outer.append(token)
        depth += token.token_type is TokenType.L_PAREN
    return outer
