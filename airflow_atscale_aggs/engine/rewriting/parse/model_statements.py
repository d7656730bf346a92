"""Reads a whole statement: the SELECTs on models that stand in it, and what stands around them.

BI tools put queries around their queries: ``SELECT … FROM (SELECT … FROM catalog.model …) t``. Each SELECT whose FROM
is only a model is a `ModelQuery` with its own grain. Everything around it works on its rows and is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property

from sqlglot import TokenType, exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.errors import UnreadableQueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.rewriting.parse.deep_nesting import with_room
from airflow_atscale_aggs.engine.rewriting.parse.flattening import MODEL, IsKept, flatten, shows_all
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import put_first
from airflow_atscale_aggs.engine.rewriting.parse.name_scopes import foreign_tables
from airflow_atscale_aggs.engine.rewriting.parse.qualifying import put_conditions_around
from airflow_atscale_aggs.engine.sql.spelling import render_for_people
from airflow_atscale_aggs.engine.sql.statements import PARSER_ERRORS, parse_text, sqlglot_dialect

_IGNORES_CASE = frozenset({NormalizationStrategy.CASE_INSENSITIVE, NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE})
_ONLY_QUERIES = "only queries are answered"
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Command, exp.Into)


@dataclass(frozen=True)
class Statement:
    """A parsed statement.

    Attributes:
        sql: as it was sent.
        root: the whole, which must not be changed.
        selects: the SELECTs on models, parts of the root, in the order of the text.
        models: which model each is on: the numbers that `model_statement` was given.
    """

    sql: str
    dialect: str
    root: exp.Query
    selects: tuple[exp.Select, ...]
    models: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """True when nothing stands around the only SELECT, and nothing before it."""
        return len(self.selects) == 1 and self.selects[0] is self.root and self.root.args.get("with_") is None

    @cached_property
    def shape(self) -> str:
        """The statement in one spelling, without its values. Statements that differ only in values have one shape."""
        return with_room(self._normalize, self.sql)

    def _normalize(self) -> str:
        plain = self.root.copy()
        lists: dict[tuple[int, str], exp.Expr] = {}
        for literal in list(plain.find_all(exp.Literal)):
            holder, key = literal.parent, literal.arg_key or ""
            if holder is None or isinstance(holder, (exp.Limit, exp.Offset, exp.Group, exp.Ordered)):
                continue
            if isinstance(holder.args.get(key), list):
                lists[id(holder), key] = holder
            else:
                literal.replace(exp.Placeholder())
        # Replacing the items one by one would renumber a long list each time.
        for (_, key), holder in lists.items():
            items = holder.args[key]
            holder.set(key, [exp.Placeholder() if isinstance(item, exp.Literal) else item for item in items])
        return render_for_people(plain, self.dialect)

    def replace_selects(self, compose_select: Callable[[int, exp.Select], exp.Query]) -> exp.Query:
        """The statement with each SELECT on a model replaced by SQL on tables, those that stand inside another first.

        Args:
            compose_select: gives the replacement of the SELECT with a number, inside which every SELECT on a model has
                been replaced already.
        """
        if self.is_plain:
            return compose_select(0, self.selects[0])
        numbers = {id(select): number for number, select in enumerate(self.selects)}
        places = [
            (place, numbers[id(select)])
            for place, select in enumerate(self.root.find_all(exp.Select))
            if id(select) in numbers
        ]
        copy = self.root.copy()
        copies = list(copy.find_all(exp.Select))
        # The walk meets a SELECT before those that stand inside it.
        for place, number in reversed(places):
            select = copies[place]
            ctes = select.args.get("with_")
            if ctes is not None:
                ctes.pop()
            replacement = compose_select(number, select)
            if ctes is not None:
                own = replacement.args.get("with_")
                replacement.set("with_", ctes)
                for cte in own.expressions if own is not None else ():
                    ctes.append("expressions", cte)
            if select is copy:
                copy = replacement
            else:
                select.replace(replacement)
        return copy


def parse_query(sql: str, *, dialect: str, keeps_aliases: bool = False) -> exp.Query:
    """`parse_with_tables` without the tables."""
    return parse_with_tables(sql, dialect=dialect, keeps_aliases=keeps_aliases)[0]


def parse_with_tables(sql: str, *, dialect: str, keeps_aliases: bool = False) -> tuple[exp.Query, list[exp.Table]]:
    """One query, its names folded as the dialect folds them, and its `foreign_tables`.

    Args:
        dialect: a name that sqlglot knows.
        keeps_aliases: names of columns stay as they are written: dialects that compare without case show them so.

    Raises:
        UnreadableQueryError: it cannot be parsed, is several statements, or is no query.
        UnsupportedQueryError: it has parameters without values.
    """
    root = _parse(sql, dialect)
    tables, has_ctes = _folded_tables(sql, root, dialect, keeps_aliases=keeps_aliases)
    if not isinstance(root, exp.Query):
        raise UnreadableQueryError(sql, f"`{first_word(sql)}` is not a query, and {_ONLY_QUERIES}")
    return root, foreign_tables(root) if has_ctes else tables


def _folded_tables(sql: str, root: exp.Expr, dialect: str, *, keeps_aliases: bool) -> tuple[list[exp.Table], bool]:
    """Fold all names; the relations that are named, and whether the statement has CTEs. One walk for all of it."""
    folds = sqlglot_dialect(dialect)
    folds_quoted = folds.normalization_strategy in _IGNORES_CASE
    tables: list[exp.Expr] = []
    ctes: list[exp.Expr] = []
    parens: list[exp.Expr] = []
    parameters: list[exp.Expr] = []
    texts: list[exp.Expr] = []
    kinds: dict[type[exp.Expr], list[exp.Expr]] = {
        exp.Table: tables,
        exp.CTE: ctes,
        exp.Paren: parens,
        exp.Placeholder: parameters,
        exp.Parameter: parameters,
        exp.National: texts,
        exp.RawString: texts,
    }
    for node in root.walk(bfs=False):
        if isinstance(node, exp.Identifier):
            is_folded = folds_quoted or not node.quoted
            if is_folded and not (keeps_aliases and isinstance(node.parent, exp.Alias)):
                folds.normalize_identifier(node)
        elif isinstance(node, _WRITES):
            verb = first_word(sql) if node is root else node.key.upper()
            raise UnreadableQueryError(sql, f"`{verb}` is not a query, and {_ONLY_QUERIES}")
        elif type(node) in kinds:
            kinds[type(node)].append(node)
    if parameters and isinstance(root, exp.Query):
        text, remedy = parameters[0].sql(dialect=dialect), "Put the value in, or give it as a parameter."
        raise UnsupportedQueryError(text, "the query has a parameter without a value", remedy)
    for text_node in texts:
        # N'…' and $$…$$ are texts like others.
        text_node.replace(exp.Literal.string(text_node.name))
    for paren in parens:
        # Warehouses bound how deeply conditions may be nested, not how long they may be.
        if isinstance(paren.this, exp.Connector) and type(paren.this) is type(paren.parent):
            paren.replace(paren.this)
    relations = [table for table in tables if isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier)]
    return relations, bool(ctes)


def model_statement(
    sql: str,
    root: exp.Query,
    *,
    dialect: str,
    models: Sequence[tuple[exp.Table, int]],
    is_kept: IsKept = lambda _number, _name, _around: None,
) -> Statement:
    """A parsed query as a statement on models; the query is used up.

    Args:
        models: the tables of it that are models, with the number of each model.
        is_kept: tells metrics, and whether a function leaves them as they are defined.

    Raises:
        UnsupportedQueryError: a model stands where none can be asked.
    """
    for table, number in models:
        table.meta[MODEL] = number
    if len(models) != 1 or _is_within_subquery(models[0][0], root):
        _put_models_first(root)
        flatten(root, is_kept)
        _put_models_first(root)
    for table, _ in models:
        select = table.parent.parent if isinstance(table.parent, exp.From) else None
        if isinstance(select, exp.Select):
            root = put_conditions_around(root, select)
    tables = [table for table in root.find_all(exp.Table, bfs=False) if MODEL in table.meta]
    selects = tuple(_select_of(table, dialect) for table in tables)
    return Statement(sql, dialect, root, selects, tuple(table.meta[MODEL] for table in tables))


def read_statement(sql: str, *, dialect: str, model: str = "") -> Statement:
    """A statement on one model: what has its name is that, or everything that is named where nothing has.

    Raises as `parse_query` and `model_statement` do.
    """
    root, tables = parse_with_tables(sql, dialect=dialect)
    if not tables:
        raise UnreadableQueryError(sql, "it names no model; select FROM catalog.model")
    models = [table for table in tables if table.name.casefold() == model.casefold()] or tables
    return model_statement(sql, root, dialect=dialect, models=[(table, 0) for table in models])


def first_word(sql: str) -> str:
    """The word that says what a statement does, in capitals; comments before it say nothing."""
    text = re.sub(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", "", sql, flags=re.DOTALL)
    return "".join(re.findall(r"\A\w+", text)).upper()


def only_reads(sql: str, dialect: str) -> bool:
    """Whether a text that need not be known to the parser is one statement that shows something and changes nothing."""
    try:
        tokens = sqlglot_dialect(dialect).tokenize(sql)
    except (SqlglotError, ValueError):
        return False
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    words: list[str] = []
    for number, token in enumerate(tokens):
        # What follows EXPLAIN or SHOW is one token, and a text.
        is_rest = number > 0 and tokens[number - 1].token_type in _COMMANDS
        if number > 0 and tokens[number - 1].token_type in _BEFORE_NAME and token.text.isidentifier():
            # A name: `… AS update`.
            continue
        if is_rest or token.token_type not in {TokenType.STRING, TokenType.IDENTIFIER}:
            words += re.findall(r"\w+|;", token.text.upper())
    first = words[0] if words else ""
    changes = _CHANGES - {"INTO"} if first == "UNPIVOT" else _CHANGES
    return first in _SHOWS and not changes.intersection(words) and ";" not in words


_BEFORE_NAME = frozenset({TokenType.ALIAS, TokenType.DOT})
_COMMANDS = frozenset({TokenType.COMMAND, TokenType.SHOW, TokenType.DESCRIBE})
_SHOWS = frozenset(
    {
        "SELECT",
        "WITH",
        "FROM",
        "VALUES",
        "TABLE",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "SUMMARIZE",
        "PIVOT",
        "UNPIVOT",
        "EXPLAIN",
    }
)
_CHANGES = frozenset(
    {"INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "COPY", "INTO", "GRANT", "REVOKE"}
    | {"ATTACH", "DETACH", "INSTALL", "LOAD", "EXPORT", "IMPORT", "SET", "CALL", "DO", "EXECUTE", "VACUUM", "LOCK"}
)


def _is_within_subquery(table: exp.Table, root: exp.Query) -> bool:
    """Whether a table stands deeper than in the FROM of the whole query."""
    return table.parent is None or table.parent.parent is not root or bool(root.args.get("joins"))


def _parse(sql: str, dialect: str) -> exp.Expr:
    try:
        # What follows the last semicolon may be a comment.
        statements = [
            statement
            for statement in parse_text(sql, dialect)
            if statement is not None and not isinstance(statement, exp.Semicolon)
        ]
    except (SqlglotError, ValueError) as error:
        raise UnreadableQueryError(sql, " ".join(_plain(str(error)).split())) from error
    except PARSER_ERRORS as error:
        # On some texts the parser fails with errors of Python.
        raise UnreadableQueryError(sql, "the parser finds no sense in it") from error
    if len(statements) != 1:
        raise UnreadableQueryError(sql, f"it is {len(statements)} statements, not one")
    return statements[0]


def _plain(message: str) -> str:
    """Without the escape codes that underline the place on terminals."""
    return message.replace("\x1b[4m", "").replace("\x1b[0m", "")


def _put_models_first(root: exp.Query) -> None:
    """Let a model that is joined to something stand first, where the order means nothing."""
    for select in root.find_all(exp.Select):
        source = select.args.get("from_")
        if source is None or (isinstance(source.this, exp.Table) and MODEL in source.this.meta):
            continue
        for join in select.args.get("joins") or ():
            relation = join.this
            is_model = isinstance(relation, exp.Table) and MODEL in relation.meta
            if is_model or (isinstance(relation, exp.Subquery) and shows_all(relation.this)):
                put_first(select, relation)
                break


def _select_of(table: exp.Table, dialect: str) -> exp.Select:
    """The SELECT whose FROM is this table."""
    source = table.parent
    select = source.parent if isinstance(source, exp.From) else None
    if not isinstance(select, exp.Select) or select.args.get("laterals"):
        reason = "a model is asked by a SELECT whose FROM begins with it, and that joins no other model"
        remedy = "Put `SELECT … FROM model` into a subquery and join that."
        raise UnsupportedQueryError(render_for_people(table, dialect), reason, remedy)
    alias = table.args.get("alias")
    renames = alias is not None and bool(alias.args.get("columns"))
    if renames or {name for name, value in table.args.items() if value} - _NAMES:
        reason = "of a model all rows are asked, under its own names of columns"
        raise UnsupportedQueryError(
            render_for_people(table, dialect), reason, "Name the model alone, with an alias if need be."
        )
    if len(select.expressions) == 1 and not select.args.get("joins"):
        _unqualify_star(select, table)
    return select


_NAMES = frozenset({"this", "db", "catalog", "alias"})


def _unqualify_star(select: exp.Select, table: exp.Table) -> None:
    """``model.*`` is ``*`` where the model stands alone."""
    (shown,) = select.expressions
    is_star = isinstance(shown, exp.Column) and isinstance(shown.this, exp.Star)
    if is_star and shown.table in {table.alias_or_name, table.name} and not any(shown.this.args.values()):
        shown.replace(exp.Star())
