"""Tables about models that any client can read: their definitions as data, and how they are made."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.model_shells import Connection

SCHEMA = "atscale_aggs"

MOST_DEFINITIONS = 5000
MOST_INSTANCES = 1000
MOST_QUERIES = 1000
"""Rows of the tables that would grow for ever."""

VERSION = 4
"""Of the tables below; with another one all are made anew."""


@dataclass(frozen=True, slots=True)
class OverviewTable:
    """A table about models.

    Attributes:
        key: columns of its primary key.
        columns: type and comment, by name.
    """

    comment: str
    key: tuple[str, ...]
    columns: Mapping[str, tuple[str, str]]


_MODEL = ("text", "The model, as in the other tables.")
_LABEL = ("text", "The name that people are shown.")
_FOLDER = ("text", "The folder in which tools show it; empty: none.")
_DESCRIPTION = ("text", "Its description in the model; empty: none.")
_TYPE = ("text", "Its type.")
_DEFINITION_ID = ("text", "The aggregate's definition, as in the table definitions.")
_AGGREGATE = ("text", "The name of the aggregate.")

TABLES: Mapping[str, OverviewTable] = {
    "models": OverviewTable(
        "The models that you see.",
        ("model",),
        {
            "model": ("text", "The name of the model, which is its table."),
            "schema_name": ("text", "The schema of its table: the folder of its file."),
            "label": _LABEL,
            "description": _DESCRIPTION,
            "perspectives": ("text[]", "Tables that show a part of it."),
            "version": ("integer", "How often it was deployed with other contents."),
            "deployed_at": ("timestamptz", "When it was deployed last."),
            "definitions": ("bigint", "Aggregates that are defined."),
            "active_instances": ("bigint", "Aggregate tables that answer queries."),
            "aggregate_rows": ("bigint", "Rows of these tables together; NULL: the model has row security."),
            "last_activated_at": ("timestamptz", "When an aggregate table went live last."),
            "open_batch_id": ("text", "The batch that is being built; NULL: none."),
        },
    ),
    "attributes": OverviewTable(
        "The columns of models by which queries group and filter.",
        ("model", "attribute"),
        {
            "model": _MODEL,
            "attribute": ("text", "The column of the model's table."),
            "kind": ("text", "level, secondary or alias."),
            "dimension": ("text", "Its dimension."),
            "hierarchies": ("text[]", "The hierarchies that have its level."),
            "level": ("text", "The level that it belongs to; its own name where it is one."),
            "label": _LABEL,
            "folder": _FOLDER,
            "description": _DESCRIPTION,
            "type": _TYPE,
        },
    ),
    "hierarchies": OverviewTable(
        "The levels of hierarchies, from coarse to fine.",
        ("model", "dimension", "hierarchy", "position"),
        {
            "model": _MODEL,
            "dimension": ("text", "The dimension of the hierarchy."),
            "hierarchy": ("text", "The name of the hierarchy."),
            "position": ("integer", "1 is the coarsest level."),
            "attribute": ("text", "The level, as in the table attributes."),
            "label": _LABEL,
            "folder": _FOLDER,
            "description": _DESCRIPTION,
        },
    ),
    "metrics": OverviewTable(
        "The columns of models that are measured.",
        ("model", "metric"),
        {
            "model": _MODEL,
            "metric": ("text", "The column of the model's table."),
            "kind": ("text", "metric, or calculation: computed from other metrics."),
            "aggregation": ("text", "How values are brought together, such as sum; empty: it is calculated."),
            "semi_additive": ("text", "first or last, where it is taken from one member of a dimension; else empty."),
            "dataset": ("text", "The dataset whose rows it measures; empty: it is calculated."),
            "expression": ("text", "The MDX of a calculation; else empty."),
            "label": _LABEL,
            "folder": _FOLDER,
            "description": _DESCRIPTION,
            "type": _TYPE,
        },
    ),
    "definitions": OverviewTable(
        f"Aggregates that are or were defined: the newest {MOST_DEFINITIONS:,}.",
        ("definition_id",),
        {
            "definition_id": ("text", "Its id, as in the table instances."),
            "model": _MODEL,
            "aggregate": _AGGREGATE,
            "label": _LABEL,
            "origin": ("text", "user_defined, demand_defined or prediction_defined."),
            "standing": ("text", "defined, blocked or retired."),
            "status": ("text", "active, building, queued, staged, failed, pending, inactive or unavailable."),
            "facts": ("text[]", "The fact datasets that it aggregates."),
            "attributes": ("text[]", "What it groups by."),
            "metrics": ("text[]", "What it measures."),
            "rows": ("bigint", "Rows of its active tables, else of its newest ones."),
            "size_bytes": ("bigint", "Of its tables when it was judged last; NULL: not known."),
            "build_seconds": ("double precision", "How long its build took."),
            "built_at": ("timestamptz", "When its build ended."),
            "uses": ("bigint", "Queries that it answered, ever."),
            "last_used_at": ("timestamptz", "When it answered a query last."),
            "seconds_saved": ("double precision", "By all uses together, when it was judged last; NULL: not known."),
            "score": ("double precision", "How good it is, from 0 to 100; NULL: not judged yet."),
            "reason": ("text", "Why it exists; empty: a user has defined it."),
            "standing_reason": ("text", "Why it is blocked or retired."),
            "created_at": ("timestamptz", "When it was defined first."),
        },
    ),
    "instances": OverviewTable(
        f"Aggregate tables that were built or are being built: the newest {MOST_INSTANCES:,}.",
        ("instance_id",),
        {
            "instance_id": ("text", "Its id."),
            "definition_id": _DEFINITION_ID,
            "model": _MODEL,
            "aggregate": _AGGREGATE,
            "fact": ("text", "The fact dataset that it aggregates."),
            "batch_id": ("text", "The batch that built it."),
            "batch_began_at": ("timestamptz", "When the batch began."),
            "status": ("text", "queued, building, staged, active, failed, inactive, canceled or deleted."),
            "attempts": ("integer", "How often its build was begun."),
            "schema_name": ("text", "The schema of its table in the warehouse."),
            "table_name": ("text", "Its table in the warehouse; NULL: none yet."),
            "rows": ("bigint", "Rows of its table."),
            "seconds": ("double precision", "How long its build took."),
            "built_from": ("text", "The aggregate or the fact that it was built from."),
            "error": ("text", "Why its build failed; NULL: it did not."),
            "started_at": ("timestamptz", "When its build began."),
            "finished_at": ("timestamptz", "When its build ended."),
            "activated_at": ("timestamptz", "Since when it answers queries."),
            "superseded_at": ("timestamptz", "Since when it answers none any more."),
        },
    ),
    "queries": OverviewTable(
        f"Queries on models: the newest {MOST_QUERIES:,}. Those of other processes arrive some seconds later.",
        ("query_id",),
        {
            "query_id": ("bigint", "Its number in the log."),
            "asked_at": ("timestamptz", "When it was asked."),
            "user_name": ("text", "Who asked; empty: not known."),
            "model": _MODEL,
            "outcome": (
                "text",
                "hit: from aggregates; partial: also from facts; miss: from facts; fallback: it could not be read.",
            ),
            "aggregates": ("text[]", "The aggregates that answered."),
            "facts": ("text[]", "The facts that answered, where no aggregate did."),
            "reason": ("text", "Why no aggregate answered; empty: one did."),
            "seconds": ("double precision", "How long the warehouse took."),
            "rows": ("bigint", "Rows of the answer."),
            "rows_read": ("bigint", "Rows of what answered, about; NULL: not known."),
            "seconds_saved": ("double precision", "An estimate; NULL: nothing is known."),
            "stands_for": ("integer", "How many queries it stands for: under load not each is noted."),
            "attributes": ("text[]", "What it grouped by."),
            "filters": ("text[]", "What it filtered by."),
            "metrics": ("text[]", "What it measured."),
            "query": ("text", "Its text, without values."),
        },
    ),
    "refreshed": OverviewTable(
        "When these tables were brought up to date.", ("at",), {"at": ("timestamptz", "The time of the last refresh.")}
    ),
}

_SCHEMA_COMMENT = f"Models, their columns, aggregates and queries, as tables to read. Version {VERSION}."


def make_overview_tables(own: Connection, *, role: str) -> None:
    """Make the tables where they are not there yet, in the transaction that is open. ``role``: of the clients."""
    row = own.execute("SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", [SCHEMA]).fetchone()
    if row is not None and row[0] == _SCHEMA_COMMENT:
        return
    schema, reader = sql.Identifier(SCHEMA), sql.Identifier(role)
    own.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE; CREATE SCHEMA {}").format(schema, schema))
    own.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, _SCHEMA_COMMENT))
    own.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, reader))
    for name, table in TABLES.items():
        place = sql.Identifier(SCHEMA, name)
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
            for column, (kind, _) in table.columns.items()
        ]
        columns.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, table.key))))
        own.execute(sql.SQL("CREATE TABLE {} ({})").format(place, sql.SQL(", ").join(columns)))
        own.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(place, table.comment))
        for column, (_, comment) in table.columns.items():
            own.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(sql.Identifier(SCHEMA, name, column), comment))
        own.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(place, reader))
    own.execute(sql.SQL("INSERT INTO {} VALUES ('-infinity')").format(sql.Identifier(SCHEMA, "refreshed")))
