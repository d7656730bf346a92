"""A whole statement: the SELECTs on models that stand in it, and what stands around them.

BI tools wrap what they ask: ``SELECT … FROM (SELECT … FROM catalog.model …) t``. Each SELECT whose FROM is a model alone is
a `ModelQuery` with its own grain; everything around it works on its rows and is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.errors import UnreadableQueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.statements import parse_text, sqlglot_dialect

_IGNORES_CASE = frozenset({NormalizationStrategy.CASE_INSENSITIVE, NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE})
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Command, exp.Into)


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A model as FROM names it; the catalog may be left out."""

    catalog: str
    name: str


@dataclass(frozen=True)
class Statement:
    """A parsed statement.

    Attributes:
        sql: as it was sent.
        root: the whole, which must not be changed.
        selects: the SELECTs on models, parts of the root, in the order of the text.
        tables: the model of each.
    """

    sql: str
    dialect: str
    root: exp.Query
    selects: tuple[exp.Select, ...]
    tables: tuple[ModelTable, ...]

    @property
    def is_plain(self) -> bool:
        """True when nothing stands around the only SELECT."""
        return len(self.selects) == 1 and self.selects[0] is self.root

    @cached_property
    def shape(self) -> str:
        """The statement in one spelling, without its values: queries that differ in those alone have one."""
        plain = self.root.copy()
        for literal in list(plain.find_all(exp.Literal)):
            if not isinstance(literal.parent, (exp.Limit, exp.Offset, exp.Group, exp.Ordered)):
                literal.replace(exp.Placeholder())
        return plain.sql(dialect=self.dialect)

    def answered_by(self, composed: Callable[[int, exp.Select], exp.Query]) -> exp.Query:
        """The statement with each SELECT on a model replaced by SQL on tables, those that stand inside another first.

        Args:
            composed: what takes the place of the SELECT of a number; every SELECT inside it has been replaced already.
        """
        if self.is_plain:
            return composed(0, self.selects[0])
        numbers = {id(select): number for number, select in enumerate(self.selects)}
        places = [(place, numbers[id(node)]) for place, node in enumerate(self.root.walk()) if id(node) in numbers]
        copy = self.root.copy()
        nodes = list(copy.walk())
        for place, number in sorted(places, key=lambda one: -one[1]):
            select = nodes[place]
            made = composed(number, select)
            if select is copy:
                copy = made
            else:
                select.replace(made)
        return copy


def parse_query(sql: str, *, dialect: str, keeps_aliases: bool = False) -> exp.Query:
    """`parse_with_tables` without the tables."""
    return parse_with_tables(sql, dialect=dialect, keeps_aliases=keeps_aliases)[0]


def parse_with_tables(sql: str, *, dialect: str, keeps_aliases: bool = False) -> tuple[exp.Query, list[exp.Table]]:
    """One query, its names folded as the dialect folds them, and its `tables_of`.

    Args:
        dialect: a name that sqlglot knows.
        keeps_aliases: names of columns stay as they are written: dialects that compare without case show them so.

    Raises:
        UnreadableQueryError: it cannot be parsed, is several statements, or writes.
        UnsupportedQueryError: it has parameters without values.
    """
    root = _parsed(sql, dialect)
    folds = sqlglot_dialect(dialect)
    folds_quoted = folds.normalization_strategy in _IGNORES_CASE
    strange: exp.Expression | None = None
    found: list[exp.Expression] = []
    for node in root.walk(bfs=False):
        if isinstance(node, exp.Identifier):
            is_folded = folds_quoted or not node.quoted
            if is_folded and not (keeps_aliases and isinstance(node.parent, exp.Alias)):
                folds.normalize_identifier(node)
        elif isinstance(node, (exp.CTE, exp.Table)):
            found.append(node)
        elif isinstance(node, _WRITES):
            raise UnreadableQueryError(sql, "only queries are answered")
        elif strange is None and isinstance(node, (exp.Placeholder, exp.Parameter)):
            strange = node
    if not isinstance(root, exp.Query):
        raise UnreadableQueryError(sql, "only queries are answered")
    if strange is not None:
        text = strange.sql(dialect=dialect)
        raise UnsupportedQueryError(text, "the query has a parameter without a value", "Put the value in.")
    return root, _without_ctes(found)


def tables_of(root: exp.Expression) -> list[exp.Table]:
    """The tables and models that a query names, its own CTEs left out, in the order of the text."""
    return _without_ctes(list(root.find_all(exp.CTE, exp.Table, bfs=False)))


def _without_ctes(found: Sequence[exp.Expression]) -> list[exp.Table]:
    known = {one.alias for one in found if isinstance(one, exp.CTE)}
    return [one for one in found if isinstance(one, exp.Table) and (one.db or one.name not in known)]


def model_statement(sql: str, root: exp.Query, *, dialect: str, named: list[exp.Table] | None = None) -> Statement:
    """A parsed query as a statement on models; the query is used up.

    Args:
        named: its tables, from `tables_of`, where they are known.

    Raises:
        UnreadableQueryError: it names no table at all.
        UnsupportedQueryError: it mixes models with other tables.
    """
    tables = named
    if tables is None or len(tables) != 1 or _is_within_subquery(tables[0], root):
        _flatten_stars(root)
        tables = tables_of(root)
    if not tables:
        raise UnreadableQueryError(sql, "it names no model; select FROM catalog.model")
    selects = tuple(_select_of(table, dialect) for table in tables)
    return Statement(sql, dialect, root, selects, tuple(ModelTable(one.db, one.name) for one in tables))


def read_statement(sql: str, *, dialect: str) -> Statement:
    """`parse_query` and `model_statement`; raises as they do."""
    return model_statement(sql, parse_query(sql, dialect=dialect), dialect=dialect)


def _is_within_subquery(table: exp.Table, root: exp.Query) -> bool:
    """Whether a table stands deeper than in the FROM of the whole query."""
    return table.parent is None or table.parent.parent is not root


def _flatten_stars(root: exp.Expression) -> None:
    """``FROM (SELECT * FROM model WHERE …) t`` asks the model itself, under another name."""
    for subquery in list(root.find_all(exp.Subquery)):
        inner, source = subquery.this, subquery.parent
        is_all = isinstance(inner, exp.Select) and len(inner.expressions) == 1 and inner.expressions[0].is_star
        rest = {name for name, value in inner.args.items() if value} - {"expressions", "from_", "where", "kind"}
        if not is_all or rest or not isinstance(source, exp.From) or not isinstance(source.parent, exp.Select):
            continue
        table, outer = inner.args["from_"].this, source.parent
        if not isinstance(table, exp.Table) or outer.args.get("joins"):
            continue
        where = inner.args.get("where")
        if where is not None:
            for column in where.find_all(exp.Column):
                column.set("table", None)
            outer.where(where.this, copy=False)
        table.set("alias", subquery.args.get("alias"))
        subquery.replace(table)


def _parsed(sql: str, dialect: str) -> exp.Expression:
    try:
        found = [one for one in parse_text(sql, dialect) if one is not None]
    except (SqlglotError, ValueError) as error:
        raise UnreadableQueryError(sql, " ".join(_plain(str(error)).split())) from error
    if len(found) != 1:
        raise UnreadableQueryError(sql, f"it is {len(found)} statements, not one")
    return found[0]


def _plain(message: str) -> str:
    """Without the escape codes that underline the place on terminals."""
    return message.replace("\x1b[4m", "").replace("\x1b[0m", "")


def _select_of(table: exp.Table, dialect: str) -> exp.Select:
    """The SELECT whose FROM is this table alone."""
    source = table.parent
    select = source.parent if isinstance(source, exp.From) else None
    if not isinstance(select, exp.Select) or select.args.get("joins") or select.args.get("laterals"):
        reason = "a model is asked by a SELECT of its own, without joins"
        remedy = "Put `SELECT … FROM model` into a subquery and join that."
        raise UnsupportedQueryError(table.sql(dialect=dialect), reason, remedy)
    return select
