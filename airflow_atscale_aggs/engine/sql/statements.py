"""Whole statements around a SELECT: create, drop, count, stable views. ASTs; rendered by `render`."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from uuid import uuid4

from sqlglot import ErrorLevel, Parser, Tokenizer, exp, parse, parse_one
from sqlglot.dialects.dialect import Dialect as SqlDialect
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql import clickhouse_wording
from airflow_atscale_aggs.engine.sql.capabilities import CreateTableStyle, Dialect, ReplaceViewStyle, Wording
from airflow_atscale_aggs.engine.sql.functions.surface import PostgresSurface, check_intervals, keep_functions
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns

PARSER_ERRORS = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What the parser raises about a text that it cannot read: its own errors, and errors of its code."""

_PLAIN_NAME = re.compile(r"\w+")
"""A name without quotes, which stands in quotes as it is."""

_ANY_RELATION = f"relation_{uuid4().hex}"
"""Stands for a name in a statement that is rendered once."""


def all_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """Conditions that hold together. They are not copied; a subquery may be one of them.

    >>> all_of([exp.column("a"), exp.select("b").subquery()]).sql()
    'a AND ((SELECT b))'
    """
    return exp.and_(*map(_as_condition, conditions), copy=False)


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """Conditions of which one holds at least. They are not copied; a subquery may be one of them."""
    return exp.or_(*map(_as_condition, conditions), copy=False)


def _as_condition(expression: exp.Expr) -> exp.Expr:
    """The expression as one that sqlglot accepts in AND and OR. SQL accepts a subquery there, sqlglot does not."""
    return expression if isinstance(expression, exp.Condition) else exp.Paren(this=expression)


def render(expression: exp.Expr, dialect: Dialect, *, pretty: bool = False) -> str:
    """SQL text, every identifier quoted; ``pretty``: on several lines, for statements that people read in logs.

    Raises:
        sqlglot.UnsupportedError: something in it cannot be said in the dialect; never translated by guess (law 7).
    """
    if dialect.wording is Wording.CLICKHOUSE:
        expression = clickhouse_wording.reword(expression.copy())
    return expression.sql(
        dialect=dialect.sqlglot_name, identify=True, unsupported_level=ErrorLevel.RAISE, pretty=pretty
    )


def render_last(expression: exp.Expr, dialect: Dialect, *, pretty: bool = False) -> str:
    """Render an expression that nobody uses afterwards. Rendering may change it. Otherwise as `render`."""
    if dialect.wording is Wording.CLICKHOUSE:
        expression = clickhouse_wording.reword(expression)
    return sqlglot_dialect(dialect.sqlglot_name).generate(
        expression, copy=False, identify=True, unsupported_level=ErrorLevel.RAISE, pretty=pretty
    )


class RenderedOnce:
    """Statements about a relation, each rendered once for all relations of a schema, since only their names differ."""

    def __init__(self, schema: str, dialect: Dialect) -> None:
        self._schema, self._dialect = schema, dialect
        self._rendered: dict[Hashable, str] = {}

    def say(self, key: Hashable, name: str, compose: Callable[[exp.Table], exp.Expr]) -> str:
        """The statement about a relation. Raises as `render`.

        Args:
            key: equal for statements that differ in the name of the relation and in nothing else.
            name: of the relation.
            compose: makes the statement, which nobody uses afterwards.
        """
        if _PLAIN_NAME.fullmatch(name) is None:
            # The dialect knows how to quote it.
            return render_last(compose(table(name, self._schema)), self._dialect)
        if key not in self._rendered:
            self._rendered[key] = render_last(compose(table(_ANY_RELATION, self._schema)), self._dialect)
        return self._rendered[key].replace(_ANY_RELATION, name)


def format_sql(sql: str, dialect: str) -> str:
    """A statement on several lines, for logs; as it is where it cannot be read.

    Args:
        dialect: by sqlglot's name.

    >>> print(format_sql("SELECT a FROM t", "duckdb"))
    SELECT
      a
    FROM t
    """
    try:
        with _without_log():
            return ";\n".join(
                statement.sql(dialect=dialect, pretty=True) for statement in parse(sql, read=dialect) if statement
            )
    except (*PARSER_ERRORS, RecursionError):
        return sql


def parse_text(sql: str, dialect: str) -> list[exp.Expr | None]:
    """The statements of a text. Raises as sqlglot does.

    Args:
        dialect: by sqlglot's name.
    """
    tools = _tools.by_dialect.get(dialect)
    if tools is None:
        # This dialect of PostgreSQL keeps the formats of TO_CHAR as they are written.
        surface = PostgresSurface() if dialect == "postgres" else sqlglot_dialect(dialect)
        tools = _tools.by_dialect[dialect] = (surface.tokenizer(), surface.parser())
    tokenizer, parser = tools
    tokens = tokenizer.tokenize(sql)
    if dialect != "postgres":
        with _without_log():
            return parser.parse(tokens, sql)
    check_intervals(tokens)
    with _without_log():
        statements = parser.parse(tokens, sql)
    if "%" in sql or "''" in sql or "hex" in sql.casefold():
        keep_functions(statements)
    return statements


class _Tools(threading.local):
    """Tokenizer and parser by dialect. Both can be used for one text after the other, so a thread needs one of each."""

    def __init__(self) -> None:
        self.by_dialect: dict[str, tuple[Tokenizer, Parser]] = {}


_tools = _Tools()


_parsing = threading.local()


def _is_heard(_record: logging.LogRecord) -> bool:
    """False for what the parser logs in a thread that parses for us at this moment.

    The parser warns about statements that it does not know. We run such a statement as it stands, or refuse it with a
    message of our own. What the parser logs for other programs is still logged.
    """
    return not getattr(_parsing, "is_ours", False)


logging.getLogger("sqlglot").addFilter(_is_heard)


@contextmanager
def _without_log() -> Iterator[None]:
    _parsing.is_ours = True
    try:
        yield
    finally:
        _parsing.is_ours = False


@cache
def sqlglot_dialect(name: str) -> SqlDialect:
    """The parser's dialect of a name. It is cached, because each look-up by name would make a new object."""
    return SqlDialect.get_or_raise(name)


def table(name: str, schema: str = "") -> exp.Table:
    """A table or view by name, in a schema unless that is empty."""
    relation = exp.Table(this=exp.Identifier(this=name, quoted=True))
    if schema:
        relation.set("db", exp.Identifier(this=schema, quoted=True))
    return relation


def create_table_as(target: exp.Table, select: exp.Expr, dialect: Dialect) -> exp.Expr:
    """CREATE TABLE target AS select, or SELECT … INTO target where the dialect says it so."""
    if dialect.create_table is CreateTableStyle.SELECT_INTO:
        statement = select.copy()
        statement.set("into", exp.Into(this=target.copy()))
        return statement
    properties = _table_properties(dialect.table_options, dialect)
    return exp.Create(this=target.copy(), kind="TABLE", expression=select, properties=properties)


def _table_properties(options: str, dialect: Dialect) -> exp.Expr | None:
    """What a connection says of new tables, as a part of CREATE TABLE.

    Raises:
        PermanentWarehouseError: it cannot be read, or it names one place for all tables.
    """
    if not options:
        return None
    remedy = "write it as between CREATE TABLE and AS, such as `USING delta`"
    try:
        with _without_log():
            statement = parse_one(f"CREATE TABLE t {options} AS SELECT 1", read=dialect.sqlglot_name)
    except PARSER_ERRORS as error:
        reason = f"`table_options={options}` of the connection cannot be read; {remedy}"
        raise PermanentWarehouseError(dialect.name, "", reason) from error
    properties = statement.args.get("properties")
    is_table = isinstance(statement, exp.Create) and isinstance(statement.expression, exp.Select)
    if not isinstance(properties, exp.Properties) or not is_table:
        raise PermanentWarehouseError(
            dialect.name, "", f"`table_options={options}` of the connection says nothing of a table; {remedy}"
        )
    if properties.find(exp.LocationProperty):
        reason = (
            f"`table_options={options}` of the connection puts all tables into one place, and tables that are placed "
            "by hand keep their files when they are dropped; make the aggregate schema with a LOCATION instead"
        )
        raise PermanentWarehouseError(dialect.name, "", reason)
    return properties.pop()


def find_source_tables(sql: str, dialect: str) -> list[str]:
    """Names of the tables that CREATE statements read and do not make themselves, ``schema.name`` or ``name``, sorted.

    >>> sql = 'CREATE TABLE "t" AS SELECT 1 FROM "s"."f" LEFT JOIN (SELECT 1 FROM d) AS x ON TRUE'
    >>> find_source_tables(sql, "duckdb")
    ['d', 's.f']
    """
    names: set[str] = set()
    created: set[str] = set()
    for statement in parse(sql, read=dialect):
        if statement is None:
            continue
        target = statement.this.find(exp.Table) if isinstance(statement, exp.Create) else None
        into = statement.args.get("into")
        targets = {id(target)} | ({id(relation) for relation in into.find_all(exp.Table)} if into else set())
        for relation in statement.find_all(exp.Table):
            name = ".".join(part for part in (relation.db, relation.name) if part)
            (created if id(relation) in targets else names).add(name)
    return sorted(names - created)


def find_source_names(create_view_sql: str, dialect: str) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """What a CREATE VIEW statement reads: (schema or empty, relation), and names of columns, all in lower case.

    Of a text that cannot be read, each word is both: then too much is taken to be read, never too little.

    >>> find_source_names("CREATE VIEW v AS SELECT A, b FROM s.T JOIN u ON TRUE", "duckdb") == (
    ...     frozenset({("s", "t"), ("", "u")}), frozenset({"a", "b"}))
    True
    """
    try:
        statement = parse_one(create_view_sql, read=dialect)
    except PARSER_ERRORS:
        words = frozenset(re.findall(r"\w+", create_view_sql.casefold()))
        return frozenset(("", word) for word in words), words
    target = statement.find(exp.Table) if isinstance(statement, exp.Create) else None
    relations = {
        (relation.db.casefold(), relation.name.casefold())
        for relation in statement.find_all(exp.Table)
        if relation is not target
    }
    return frozenset(relations), frozenset(column.name.casefold() for column in statement.find_all(exp.Column))


def drop_table(target: exp.Table) -> exp.Expr:
    """DROP TABLE that does nothing when the table is not there."""
    return exp.Drop(tables=[target.copy()], kind="TABLE", exists=True)


def analyze_table(target: exp.Table) -> exp.Expr:
    """ANALYZE: let the warehouse's planner know what a new table holds."""
    return exp.Analyze(tables=[target.copy()])


def count_rows(target: exp.Table) -> exp.Expr:
    """SELECT COUNT(*) of a table."""
    return exp.select(exp.Count(this=exp.Star(), big_int=True)).from_(target.copy())


def drop_view(view: exp.Table) -> exp.Expr:
    """DROP VIEW that does nothing when the view is not there."""
    return exp.Drop(tables=[view.copy()], kind="VIEW", exists=True)


def create_view(view: exp.Table, query: exp.Expr) -> exp.Expr:
    """CREATE VIEW of a name that is new."""
    return exp.Create(this=view.copy(), kind="VIEW", expression=query)


def view_statements(
    view: exp.Table, target: exp.Table, part: FactPart, dialect: Dialect, query: exp.Expr | None = None
) -> list[exp.Expr]:
    """Statements that make a stable view show a table, its columns named one by one, or a query."""
    columns = [exp.Column(this=exp.Identifier(this=name, quoted=True)) for name in stored_columns(part).names]
    select = exp.select(*columns).from_(target.copy()) if query is None else query
    if dialect.replace_view is ReplaceViewStyle.ALTER:
        create = exp.Create(this=view.copy(), kind="VIEW", expression=select, exists=True)
        return [create, exp.Alter(this=view.copy(), kind="VIEW", actions=[select.copy()])]
    is_replace = dialect.replace_view is ReplaceViewStyle.REPLACE
    kept = exp.Properties(expressions=[exp.CopyGrantsProperty()]) if dialect.copies_grants else None
    create = exp.Create(this=view.copy(), kind="VIEW", expression=select, replace=is_replace, properties=kept)
    return [create] if is_replace else [drop_view(view), create]
