"""What is in a schema: relations and their columns, who reads them, and what belongs to them beside their rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import field
from uuid import uuid4

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.text_literals import text_literal
from airflow_atscale_aggs.engine.sql.view_catalog import CatalogQueries
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession

_TARGET, _KIND = f"<relation {uuid4().hex}>", f"<kind {uuid4().hex}>"
"""Places in statements, which nobody's comment has by chance."""

_PLAIN_NAME = re.compile(r"\w+")
"""A name that stands in a text as it is, quoted or not."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, a view, or anything else that bears a name among them.

    Attributes:
        kind: in words, such as ``materialized view``.
        owner: empty where the warehouse has no roles.
        may_replace: the session may act for the owner.
        is_own: the session's role is the owner.
    """

    name: str
    kind: str
    owner: str
    may_replace: bool
    is_own: bool


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something that needs a relation, as people write it: ``view public.report``.

    Attributes:
        name: qualified; ``kind``: in words.
        columns: names of the columns that it reads; empty where that is not known.
    """

    name: str
    kind: str
    columns: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def last_name(self) -> str:
        """Its own name, without schema and quotes.

        >>> Dependent('aggs."Agg_x"', "view").last_name, Dependent("aggs.agg_x", "view").last_name
        ('Agg_x', 'agg_x')
        """
        return self.name.rpartition(".")[2].strip('"')


@dataclass(frozen=True, slots=True)
class Belonging:
    """A grant, comment, owner, option or label of a relation.

    Attributes:
        column: what it is about; empty: the whole relation.
        template: the statement that gives it to a relation, with places for the relation and its kind.
    """

    kind: str
    column: str
    template: str

    def statement(self, target: str, kind: str) -> str:
        """The statement that gives it to a relation.

        Args:
            target: the relation as SQL writes it; ``kind``: ``VIEW`` or ``TABLE``.
        """
        return self.template.replace(_TARGET, target).replace(_KIND, kind)


@dataclass(frozen=True, slots=True)
class Rights:
    """What the session's role may do in the schema. Without roles, everything."""

    role: str = ""
    may_create: bool = True
    has_schema: bool = True


@dataclass(frozen=True, slots=True)
class _ViewText:
    """A view with its text, as it is and in lower case."""

    schema: str
    name: str
    sql: str
    folded: str


@dataclass(frozen=True, slots=True)
class _ReadView:
    """A view whose text was read; ``reads``: (schema or empty, relation); all but its own name in lower case."""

    schema: str
    name: str
    reads: frozenset[tuple[str, str]]
    columns: frozenset[str]


@dataclass(slots=True)
class Catalog:
    """Asks about one schema; empty: the session's default schema.

    Names are looked up without case where the warehouse does so.
    """

    session: WarehouseSession
    schema: str
    queries: CatalogQueries
    _texts: list[_ViewText] | None = field(default=None, init=False)
    _read: dict[tuple[str, str], _ReadView] = field(default_factory=dict, init=False)
    _current_schema: str = field(default="", init=False)

    def relations(self, names: Collection[str]) -> dict[str, Relation]:
        """What bears the names, by name in lower case."""
        rows = self._ask(self.queries.relations, names)
        return {str(row[0]).casefold(): Relation(*row) for row in rows}

    def columns(self, names: Collection[str]) -> dict[str, tuple[tuple[str, str], ...]]:
        """(column, type) in order, by relation in lower case."""
        columns_by_relation: dict[str, list[tuple[str, str]]] = {}
        for relation, column, kind in self._ask(self.queries.columns, names):
            columns_by_relation.setdefault(str(relation).casefold(), []).append((column, kind))
        return {name: tuple(columns) for name, columns in columns_by_relation.items()}

    def reads(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """Relations that the views read, by view in lower case."""
        if self.queries.reads is None:
            wanted, schema = {name.casefold() for name in names}, self._own_schema().casefold()
            return {
                text.name.casefold(): frozenset(name for _, name in self._read_view(text).reads)
                for text in self._view_texts()
                if text.schema.casefold() == schema and text.name.casefold() in wanted
            }
        relations_by_view: dict[str, set[str]] = {}
        for view, relation in self._ask(self.queries.reads, names):
            relations_by_view.setdefault(str(view).casefold(), set()).add(relation)
        return {view: frozenset(relation) for view, relation in relations_by_view.items()}

    def dependents(self, names: Collection[str]) -> dict[str, tuple[Dependent, ...]]:
        """What needs the relations, by relation in lower case."""
        dependents: dict[str, list[Dependent]] = {}
        if self.queries.dependents is None:
            for name in {name.casefold() for name in names}:
                dependents[name] = [
                    Dependent(f"{view.schema}.{view.name}", "view", view.columns) for view in self._readers(name)
                ]
        else:
            for relation, name, kind, columns in self._ask(self.queries.dependents, names):
                dependents.setdefault(str(relation).casefold(), []).append(
                    Dependent(name, kind, frozenset(columns or ()))
                )
        return {
            name: tuple(dependents_of_relation)
            for name, dependents_of_relation in dependents.items()
            if dependents_of_relation
        }

    def belongings(self, names: Collection[str]) -> dict[str, tuple[Belonging, ...]]:
        """What belongs to the relations, in the order in which it is given back; by relation in lower case."""
        # The statements are made by the warehouse, for a relation that is named later.
        places = {"target": text_literal(_TARGET), "kind": text_literal(_KIND)}
        belongings: dict[str, list[Belonging]] = {}
        for relation, kind, column, statement in self._ask(self.queries.belongings, names, **places):
            belongings.setdefault(str(relation).casefold(), []).append(Belonging(kind, column or "", statement))
        return {name: tuple(belongings_of_relation) for name, belongings_of_relation in belongings.items()}

    def revocations(self, name: str, *, target: str) -> tuple[str, ...]:
        """Statements that take away what a new relation got by default."""
        if self.queries.revocations is None:
            return ()
        return tuple(row[0] for row in self._about(self.queries.revocations, name, target))

    def grants_to_owner(self, name: str, *, target: str) -> tuple[str, ...]:
        """Statements that let the owner of a view read what it is to show, where that is somebody else."""
        if self.queries.grant_select is None:
            return ()
        return tuple(row[0] for row in self._about(self.queries.grant_select, name, target))

    def rights(self) -> Rights:
        """What the session may do here."""
        if self.queries.rights is None:
            return Rights()
        ((role, may_create, has_schema),) = self.session.fetch_all(
            self.queries.rights.format(schema=self._schema_literal())
        )
        return Rights(role, bool(may_create), bool(has_schema))

    def _ask(self, text: str, names: Collection[str], **places: str) -> Sequence[Row]:
        if not names:
            return ()
        is_folding = self.queries.dependents is None
        literals = ", ".join(text_literal(name.lower() if is_folding else name) for name in sorted(set(names)))
        return self.session.fetch_all(text.format(schema=self._schema_literal(), names=literals, **places))

    def _about(self, text: str, name: str, target: str) -> Sequence[Row]:
        is_folding = self.queries.dependents is None
        return self.session.fetch_all(
            text.format(
                schema=self._schema_literal(),
                name=text_literal(name.lower() if is_folding else name),
                target=text_literal(target),
            )
        )

    def _schema_literal(self) -> str:
        return text_literal(self.schema) if self.schema else "current_schema()"

    def _own_schema(self) -> str:
        if not self.schema and not self._current_schema:
            _, self._current_schema = self.session.own_place()
        return self.schema or self._current_schema

    def _readers(self, name: str) -> list[_ReadView]:
        """Views that read a relation of this schema, and views that read those."""
        waiting, readers = [(self._own_schema().casefold(), name)], dict[tuple[str, str], _ReadView]()
        while waiting:
            schema, relation = waiting.pop()
            for view in self._views_that_name(relation):
                key = (view.schema.casefold(), view.name.casefold())
                # Where a text names no schema, any may be meant.
                if key not in readers and not view.reads.isdisjoint({(schema, relation), ("", relation)}):
                    readers[key] = view
                    waiting.append(key)
        return list(readers.values())

    def _views_that_name(self, relation: str) -> list[_ReadView]:
        """The views with a relation's name somewhere in their texts; of a name that is quoted with care, all.

        Most views are over many segments and name few others, and it takes long to read them.
        """
        is_plain = _PLAIN_NAME.fullmatch(relation) is not None
        return [self._read_view(text) for text in self._view_texts() if not is_plain or relation in text.folded]

    def _read_view(self, text: _ViewText) -> _ReadView:
        key = (text.schema, text.name)
        if key not in self._read:
            # An SQL library, which others need not wait for.
            from airflow_atscale_aggs.engine.sql.statements import find_source_names  # noqa: PLC0415

            reads, columns = find_source_names(text.sql, self.session.dialect.sqlglot_name)
            self._read[key] = _ReadView(text.schema, text.name, reads, columns)
        return self._read[key]

    def _view_texts(self) -> list[_ViewText]:
        """The texts of all views, where nothing else tells what they read."""
        if self._texts is None:
            rows = self.session.fetch_all(self.queries.views or "")
            self._texts = [_ViewText(schema, view, sql, sql.casefold()) for schema, view, sql in rows]
        return self._texts


def catalog_of(session: WarehouseSession, schema: str) -> Catalog | None:
    """The catalog of a schema; None where the dialect's row does not know how to ask."""
    queries = session.dialect.catalog
    return None if queries is None else Catalog(session, schema, queries)
