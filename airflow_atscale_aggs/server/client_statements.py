"""What a statement of a client is: a query, or something about a cursor."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

from sqlglot import TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.transfer_statements import TransferStatement, read_transfer

_NAME = r'(?P<name>"(?:[^"]|"")+"|[A-Za-z_]\w*)'
_FLAGS = re.IGNORECASE | re.DOTALL
_COMMENT = re.compile(r"\s*(?:/\*.*?\*/|--[^\n]*(?:\n|$))", re.DOTALL)
_QUERY = re.compile(r"[\s(]*(?:SELECT|WITH|VALUES|TABLE)\b", _FLAGS)
_EXPLAIN = re.compile(
    r"\s*EXPLAIN\s*(?P<options>\([^)]*\)|(?:\s(?:ANALYZE|VERBOSE)\b\s*)*)\s*(?P<query>[(]*\s*(?:SELECT|WITH)\b.+)",
    _FLAGS,
)
_DECLARE = re.compile(
    rf"\s*DECLARE\s+{_NAME}\s+(?P<options>(?:(?:BINARY|ASENSITIVE|INSENSITIVE|NO|SCROLL)\s+)*)CURSOR\s+"
    r"(?:(?P<hold>WITH|WITHOUT)\s+HOLD\s+)?FOR\s+(?P<query>.+)",
    _FLAGS,
)
_FETCH = re.compile(
    rf"\s*(?P<verb>FETCH|MOVE)\s+(?:(?P<direction>NEXT|FORWARD|ALL|\d+)\s*)?(?P<count>ALL|\d+)?\s*(?:(?:FROM|IN)\s+)?"
    rf"{_NAME}\s*;?\s*",
    _FLAGS,
)
_TEMPORARY = re.compile(r"\bTEMP(?:ORARY)?\b", re.IGNORECASE)
_CLOSE = re.compile(rf"\s*CLOSE\s+{_NAME}\s*;?\s*", _FLAGS)
_DEALLOCATE = re.compile(rf"\s*DEALLOCATE\s+(?:PREPARE\s+)?{_NAME}\s*;?\s*", _FLAGS)

_BEFORE_STAR = frozenset({TokenType.SELECT, TokenType.DISTINCT, TokenType.ALL, TokenType.COMMA, TokenType.DOT})


@dataclass(frozen=True, slots=True)
class Query:
    """A query, perhaps on models."""

    sql: str


@dataclass(frozen=True, slots=True)
class Declare:
    """A cursor is declared. ``scrolls``: it is to go backwards as well."""

    name: str
    sql: str
    is_binary: bool
    scrolls: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """Rows of a cursor are wanted, or passed over. ``most``: 0: all."""

    name: str
    most: int
    is_move: bool


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """A cursor is closed."""

    name: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """A prepared statement is dropped."""

    name: str


@dataclass(frozen=True, slots=True)
class Explain:
    """How a query would be answered is asked. ``runs``: it is to be run as well."""

    sql: str
    runs: bool


Statement = Query | Explain | Declare | Fetch | CloseCursor | Deallocate | TransferStatement


def read_statement(sql: str) -> Statement | None:
    """What a statement is; None: nothing that concerns models.

    >>> read_statement('DECLARE "a b" NO SCROLL CURSOR WITH HOLD FOR SELECT 1')
    Declare(name='a b', sql='SELECT 1', is_binary=False, scrolls=False, holds=True)
    >>> read_statement("EXPLAIN (VERBOSE, ANALYZE) SELECT 1"), read_statement("explain select 1")
    (Explain(sql='SELECT 1', runs=True), Explain(sql='select 1', runs=False))
    >>> read_statement("FETCH FORWARD 10 FROM c"), read_statement("MOVE ALL IN C")
    (Fetch(name='c', most=10, is_move=False), Fetch(name='c', most=0, is_move=True))
    >>> read_statement("DEALLOCATE PREPARE A"), read_statement('deallocate "A";')
    (Deallocate(name='a'), Deallocate(name='A'))
    >>> read_statement("/* who */ (SELECT 1)"), read_statement("SET a = 1")
    (Query(sql='/* who */ (SELECT 1)'), None)
    """
    start = 0
    while (comment := _COMMENT.match(sql, start)) is not None:
        start = comment.end()
    transfer = read_transfer(sql, start)
    if transfer is not None or _QUERY.match(sql, start):
        return transfer or Query(sql)
    if (found := _EXPLAIN.match(sql, start)) is not None:
        return Explain(found["query"], "ANALYZE" in found["options"].upper())
    if (found := _DECLARE.match(sql, start)) is not None:
        options = found["options"].upper().split()
        scrolls = "SCROLL" in options and "NO" not in options
        holds = (found["hold"] or "").upper() == "WITH"
        return Declare(_name(found["name"]), found["query"], "BINARY" in options, scrolls, holds)
    if (found := _FETCH.fullmatch(sql, start)) is not None:
        words = [(found[group] or "").upper() for group in ("direction", "count")]
        count = next((int(word) for word in words if word.isdigit()), 0 if "ALL" in words else 1)
        return Fetch(_name(found["name"]), count, found["verb"].upper() == "MOVE")
    for pattern, kind in ((_CLOSE, CloseCursor), (_DEALLOCATE, Deallocate)):
        if (found := pattern.fullmatch(sql, start)) is not None:
            return kind(_name(found["name"]))
    return None


def split_statements(sql: str) -> list[str]:
    """The statements of a text, as they are written. One that cannot be read is one statement.

    >>> split_statements("BEGIN; SELECT ';'; COMMIT;")
    ['BEGIN', " SELECT ';'", ' COMMIT']
    """
    try:
        tokens = Postgres().tokenize(sql)
    except SqlglotError:
        return [sql]
    ends = [token.start for token in tokens if token.token_type is TokenType.SEMICOLON]
    starts = [0, *(end + 1 for end in ends)]
    parts = [sql[start:end] for start, end in zip(starts, [*ends, len(sql)], strict=True)]
    return [part for part in parts if part.strip()] or [sql]


def may_make_temporary(sql: str) -> bool:
    """Whether a text may make a temporary table or view."""
    return _TEMPORARY.search(sql) is not None


def reads_one_of(sql: str, names: Collection[str]) -> bool:
    """Whether a query reads a table of one of some names, without a schema or from that of temporary tables.

    >>> reads_one_of("SELECT a.b FROM A", ["a"]), reads_one_of("SELECT a FROM x.a AS a", ["a"])
    (True, False)
    """
    folded = sql.casefold()
    if not any(name.casefold() in folded for name in names):
        return False
    try:
        root = Postgres().parse(sql)[0]
    except SqlglotError:
        return True
    tables = [] if root is None else root.find_all(exp.Table)
    return any(
        table.db.casefold() in {"", "pg_temp"}
        and (table.name if table.this.args.get("quoted") else table.name.casefold()) in names
        for table in tables
    )


def selects_all(sql: str) -> bool:
    """Whether columns are asked for by a star, somewhere in a statement.

    >>> selects_all("SELECT * FROM a"), selects_all("SELECT x, t.* FROM a AS t"), selects_all("TABLE a")
    (True, True, True)
    >>> selects_all("SELECT COUNT(*), a * b, '*' FROM a /* * */")
    False
    """
    if "*" not in sql and "TABLE" not in sql.upper():
        return False
    try:
        tokens = Postgres().tokenize(sql)
    except SqlglotError:
        return False
    return any(
        (token.token_type is TokenType.STAR and before.token_type in _BEFORE_STAR)
        or before.token_type is TokenType.TABLE
        for before, token in pairwise(tokens)
    )


def without_catalog(sql: str, catalog: str) -> str:
    """The statement without a catalog's name before the names of tables.

    >>> without_catalog("SELECT tiny.a, 'tiny.b' FROM Tiny.sales AS t", "tiny")
    "SELECT a, 'tiny.b' FROM sales AS t"
    """
    try:
        tokens = Postgres().tokenize(sql)
    except SqlglotError:
        return sql
    parts, end = [], 0
    for token, dot in pairwise(tokens):
        is_name = token.token_type in {TokenType.VAR, TokenType.IDENTIFIER}
        if is_name and dot.token_type is TokenType.DOT and token.text.casefold() == catalog.casefold():
            parts.append(sql[end : token.start])
            end = dot.end + 1
    return "".join([*parts, sql[end:]])


def _name(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.casefold()
