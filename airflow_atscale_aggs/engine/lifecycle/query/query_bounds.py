"""What somebody's queries may read, and how much of an answer is fetched for him."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import OutOfReachError, UnreadableQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.rewriting.parse.harmless_queries import check_harmless, check_names
from airflow_atscale_aggs.engine.warehouse.base import RowBounds


def _every_model(_: ModelRecord) -> bool:
    return True


def _no_check(_: ModelRecord) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBounds:
    """What somebody's queries may read, and how much of it.

    Attributes:
        sees: whether a model is there for him. One that is not is as one that was never deployed.
        check_model: raises when he may not ask a model that he sees. It is called before the warehouse is asked
            anything.
        reads_tables: whether his queries may name tables and views of the warehouse, its catalog included.
        tables: schemas and names of the only tables that they may name where they may not name all; an empty schema:
            none is written.
        is_guarded: whether only queries are taken that read and compute (`harmless_queries`). What runs is then
            rendered from what was looked at: never a text as it was sent.
        keeps_plans: whether the plan of a guarded query serves others of the same shape. Their values are then put into
            what was rendered: plain texts and numbers, without a backslash. Only where `check_model` checks nothing.
        rows: how much is fetched; None: all.
        role: the role of the warehouse whose rights count when the query runs; empty: that of the connection. What is
            looked up to plan it is looked up by the connection's own.
        reader: who it is, as somebody has made sure, for models with row security; None: that is not known, and they
            are not answered.
    """

    sees: Callable[[ModelRecord], bool] = _every_model
    check_model: Callable[[ModelRecord], None] = _no_check
    reads_tables: bool = True
    tables: frozenset[tuple[str, str]] = frozenset()
    is_guarded: bool = False
    keeps_plans: bool = False
    rows: RowBounds | None = None
    role: str = ""
    reader: Reader | None = None

    def check(self, sql: str, root: exp.Query, dialect: str) -> None:
        """Refuse what may do more than read; see `is_guarded`. Raises QueryError."""
        if not self.is_guarded:
            return
        if "\x00" in sql:
            raise UnreadableQueryError(sql.replace("\x00", "\ufffd"), "it holds a character without a meaning")
        check_harmless(root, dialect, with_catalog=self.reads_tables)

    def check_names(self, tables: Iterable[exp.Table], dialect: str) -> None:
        """Refuse names in FROM that may be files, before anybody looks for them; see `is_guarded`.

        Raises QueryError.
        """
        if self.is_guarded:
            check_names(tables, dialect)

    def check_tables(self, tables: Iterable[str]) -> None:
        """Refuse tables of the warehouse to those who may not read them.

        Raises:
            OutOfReachError: names the first one, whether there is such a table or not.
        """
        if not self.reads_tables:
            for name in tables:
                reason = "it is no model that you may ask, and tables of the warehouse are out of your reach"
                raise OutOfReachError(name, reason, "Select FROM catalog.model.")

    def may_read(self, table: exp.Table) -> bool:
        """Whether a name in FROM is one of the few tables that they may name."""
        if table.args.get("catalog") is not None or not self.tables:
            return False
        return (_folded(table.args.get("db")), _folded(table.this)) in self.tables

    def names_table(self, sql: str) -> bool:
        """Whether the name of one of the few tables stands in a text."""
        words = sql.casefold()
        return any(name.casefold() in words for _, name in self.tables)

    def require_model(self, tables: Sequence[exp.Table], sql: str) -> None:
        """Refuse what names neither a model nor a table to those who may ask models only. Raises OutOfReachError."""
        if not self.reads_tables and not tables:
            raise OutOfReachError(sql, "it names no model, and you may ask models only", "Select FROM catalog.model.")


def _folded(part: object) -> str:
    """A name as PostgreSQL takes it: what stands in no quotes is folded."""
    if not isinstance(part, exp.Identifier):
        return ""
    return part.name if part.args.get("quoted") else part.name.lower()


UNBOUND = QueryBounds()
"""Of somebody who may do in the warehouse what he likes, such as the command line."""


def bounds_of(user: str | None, groups: Sequence[str] | None = None) -> QueryBounds:
    """Of somebody who may do in the warehouse what he likes, and asks secured models as a user.

    Args:
        user: None: nobody is named, and secured models are not answered.
        groups: all that the user belongs to; None, or none: they are not known.
    """
    return UNBOUND if user is None else QueryBounds(reader=Reader(user, tuple(groups) if groups else None))
