"""Empty tables, one for each model, in a schema for each folder of models, with comments that tell what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelColumn, ModelTable
from airflow_atscale_aggs.engine.lifecycle.query.star_tables import StarTable
from airflow_atscale_aggs.engine.model.model_folders import NO_FOLDER
from airflow_atscale_aggs.server.comments import column_comment, table_comment

INSIDE = "atscale_aggs_inside"
"""The schema of what clients need not look at."""

Connection = psycopg.Connection[tuple[object, ...]]

_REFUSAL = """
CREATE SCHEMA IF NOT EXISTS atscale_aggs_inside;
CREATE OR REPLACE FUNCTION atscale_aggs_inside.refuse(model text) RETURNS boolean LANGUAGE plpgsql VOLATILE
COST 0.0001 AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = '0A000',
        MESSAGE = format('model "%s" can be asked by SELECT only, and not together with tables of this session', model),
        HINT = 'Ask the model by a SELECT of its own, and keep its rows on your side.';
END $$;
COMMENT ON SCHEMA atscale_aggs_inside IS 'What keeps the tables of models empty.';
"""
"""Each table has one row, which no client can read: what PostgreSQL would answer from it is an error.

Thus a statement that is not handed to the engine has no answer rather than a wrong one. PostgreSQL asks the cheapest
condition first: with a usual cost of the function, a condition of the client, which the row does not meet, would come
before it, and nothing would be refused.
"""

_MOST_COLUMNS = 1600
"""Of a table in PostgreSQL."""

_LONGEST = 63
"""Bytes of a name in PostgreSQL."""

_SCHEMAS_OF_MODELS = r"""
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', %s, %s)
"""


def schemas_of(tables: Sequence[ModelTable]) -> list[str]:
    """The schemas that hold models, that of models without a folder first."""
    return [NO_FOLDER, *sorted({table.schema for table in tables} - {NO_FOLDER})]


def make_model_tables(own: Connection, tables: Sequence[ModelTable], *, role: str, kept: str) -> None:
    """Replace all schemas and tables of models, in the transaction that is open.

    Args:
        role: of the clients, who may see them.
        kept: a schema beside that of this module that is left alone.

    Raises:
        psycopg.errors.LockNotAvailable: a client holds a lock on a table.
    """
    reader = sql.Identifier(role)
    for (name,) in own.execute(_SCHEMAS_OF_MODELS, [INSIDE, kept]).fetchall():
        own.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(str(name))))
    own.execute(_REFUSAL)
    own.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(INSIDE), reader))
    for schema in schemas_of(tables):
        own.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        comment = "Models." if schema == NO_FOLDER else f"Models of the folder {schema}."
        own.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), comment))
        own.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), reader))
    taken: set[tuple[str, bytes]] = set()
    # Whole models first: a perspective may have the name of another model.
    for table in sorted(tables, key=lambda each: bool(each.perspective_of)):
        place = (table.schema, _cut(table.name))
        if place not in taken:
            taken.add(place)
            _make_table(own, table, reader)


def _make_table(own: Connection, table: ModelTable, reader: sql.Identifier) -> None:
    place = sql.Identifier(table.schema, table.name)
    columns = list(_columns_of(table))
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type_name)) for column in columns
    )
    own.execute(sql.SQL("CREATE TABLE {} ({})").format(place, definitions))
    _refuse_reading(own, table.schema, table.name, reader)
    comments = [
        sql.SQL("COMMENT ON TABLE {} IS {}").format(place, table_comment(table, len(table.columns) - len(columns)))
    ]
    comments += [
        sql.SQL("COMMENT ON COLUMN {} IS {}").format(
            sql.Identifier(table.schema, table.name, column.name), column_comment(column)
        )
        for column in columns
    ]
    own.execute(sql.SQL("; ").join(comments))


def make_star_tables(own: Connection, tables: Sequence[StarTable], *, role: str) -> None:
    """Make tables of the warehouse beside those of models, in their own schemas. A model's table comes first."""
    reader = sql.Identifier(role)
    for schema in sorted({table.schema for table in tables}):
        if own.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is None:
            own.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            own.execute(sql.SQL("COMMENT ON SCHEMA {} IS 'Tables of the warehouse.'").format(sql.Identifier(schema)))
            own.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), reader))
    for table in tables:
        place = sql.Identifier(table.schema, table.name)
        if own.execute("SELECT to_regclass(%s)", [place.as_string(own)]).fetchone() != (None,):
            continue
        definitions = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in table.columns
        )
        own.execute(sql.SQL("CREATE TABLE {} ({})").format(place, definitions))
        _refuse_reading(own, table.schema, table.name, reader)
        comment = f"A table of the warehouse, read by {', '.join(table.models)}."
        own.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(place, comment))


def _refuse_reading(own: Connection, schema: str, name: str, reader: sql.Identifier) -> None:
    """One row that is an error for whoever reads it."""
    place = sql.Identifier(schema, name)
    own.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(place))
    own.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(place))
    own.execute(
        sql.SQL("CREATE POLICY refusal ON {} USING ({}.refuse({}))").format(
            place, sql.Identifier(INSIDE), sql.Literal(name)
        )
    )
    own.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(place, reader))


def _columns_of(table: ModelTable) -> Iterator[ModelColumn]:
    """The columns for which PostgreSQL has room; of names that it would cut to the same one, the first."""
    taken: set[bytes] = set()
    for column in table.columns:
        name = _cut(column.name)
        if name not in taken and len(taken) < _MOST_COLUMNS:
            taken.add(name)
            yield column


def _cut(name: str) -> bytes:
    return name.encode()[:_LONGEST].decode(errors="ignore").encode()
