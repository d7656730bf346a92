"""Where each definition stands, and what lists sort by; build steps in a table of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_CHUNK = 2000
_LONGEST_KEY, _LONGEST_MODEL_KEY = 400, 100
_PREFIX = "atscale_aggs_"
_INDICES = {
    "batches_created": ("batches", ["created_at", "id"]),
    "batches_model": ("batches", ["model_id", "created_at", "id"]),
    "instances_batch": ("instances", ["batch_id", "status"]),
    "instances_created": ("instances", ["model_id", "batch_created_at", "id"]),
    "instances_started": ("instances", ["model_id", "started_at", "id"]),
    "instances_rows": ("instances", ["model_id", "rows", "id"]),
    "instances_seconds": ("instances", ["model_id", "seconds", "id"]),
    "instances_name": ("instances", ["model_id", "name_key", "id"]),
}
_FILL_STANDINGS = """
INSERT INTO atscale_aggs_standings (
    definition_id, model_id, name_key, model_key, origin, status, created_at, shown_status, newest_status,
    newest_batch_id, "rows", seconds, built_at, uses, last_used_at, score)
WITH placed AS (
    SELECT i.definition_id, i.batch_id, i.status, i."rows", i.seconds, i.finished_at,
        dense_rank() OVER (PARTITION BY i.definition_id ORDER BY b.created_at DESC, b.id DESC) AS place
    FROM atscale_aggs_instances AS i JOIN atscale_aggs_batches AS b ON b.id = i.batch_id
), built AS (
    SELECT definition_id,
        count(*) FILTER (WHERE status = 'active') AS active,
        min(CASE status WHEN 'failed' THEN 0 WHEN 'in_progress' THEN 1 WHEN 'new' THEN 2 WHEN 'done' THEN 3
            WHEN 'cancelled' THEN 4 WHEN 'active' THEN 5 WHEN 'superseded' THEN 6 WHEN 'deleted' THEN 7 END)
            FILTER (WHERE place = 1) AS urgency,
        max(batch_id) FILTER (WHERE place = 1) AS newest_batch_id,
        sum("rows") FILTER (WHERE status = 'active') AS active_rows,
        sum(seconds) FILTER (WHERE status = 'active') AS active_seconds,
        min(finished_at) FILTER (WHERE status = 'active') AS active_built_at,
        sum("rows") FILTER (WHERE place = 1 AND "rows" IS NOT NULL) AS newest_rows,
        sum(seconds) FILTER (WHERE place = 1 AND "rows" IS NOT NULL) AS newest_seconds,
        min(finished_at) FILTER (WHERE place = 1 AND "rows" IS NOT NULL) AS newest_built_at
    FROM placed WHERE status = 'active' OR place = 1 GROUP BY definition_id
), shown AS (
    SELECT built.*, CASE urgency WHEN 0 THEN 'failed' WHEN 1 THEN 'building' WHEN 2 THEN 'queued' WHEN 3 THEN 'staged'
        WHEN 4 THEN 'canceled' WHEN 5 THEN 'active' WHEN 6 THEN 'inactive' WHEN 7 THEN 'deleted' END AS word
    FROM built
), used AS (
    SELECT definition_id, sum(uses) AS uses, max(last_used_at) AS last_used_at
    FROM atscale_aggs_usages GROUP BY definition_id
), judged AS (
    SELECT definition_id, max(evaluated_at) AS evaluated_at FROM atscale_aggs_evaluations GROUP BY definition_id
)
SELECT d.id, d.model_id, d.name_key, m.name_key || CAST(:line_end AS TEXT) || d.name_key, d.origin, d.status,
    d.created_at,
    CASE WHEN d.status = 'blocked' THEN 'unavailable' WHEN s.active > 0 THEN 'active'
        WHEN s.word IS NOT NULL THEN s.word WHEN d.status = 'defined' THEN 'pending' ELSE 'inactive' END,
    s.word, s.newest_batch_id,
    CASE WHEN s.active > 0 THEN s.active_rows ELSE s.newest_rows END,
    CASE WHEN s.active > 0 THEN s.active_seconds ELSE s.newest_seconds END,
    CASE WHEN s.active > 0 THEN s.active_built_at ELSE s.newest_built_at END,
    coalesce(u.uses, 0), u.last_used_at, e.score
FROM atscale_aggs_definitions AS d
JOIN atscale_aggs_models AS m ON m.id = d.model_id
LEFT JOIN shown AS s ON s.definition_id = d.id
LEFT JOIN used AS u ON u.definition_id = d.id
LEFT JOIN judged AS j ON j.definition_id = d.id
LEFT JOIN atscale_aggs_evaluations AS e ON e.definition_id = j.definition_id AND e.evaluated_at = j.evaluated_at
"""


def upgrade() -> None:
    """Add two tables, names, and indices; move the steps; fill all of it from what the registry knows."""
    op.create_table(
        f"{_PREFIX}standings",
        sa.Column("definition_id", sa.String(36), sa.ForeignKey(f"{_PREFIX}definitions.id"), primary_key=True),
        sa.Column("model_id", sa.String(36), nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("model_key", sa.Text, nullable=False),
        sa.Column("origin", sa.String(24), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("shown_status", sa.String(16), nullable=False),
        sa.Column("newest_status", sa.String(16)),
        sa.Column("newest_batch_id", sa.String(36)),
        sa.Column("rows", sa.BigInteger),
        sa.Column("seconds", sa.Float),
        sa.Column("built_at", sa.DateTime),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.DateTime),
        sa.Column("score", sa.Float),
    )
    for table in ("models", "definitions", "instances"):
        op.add_column(f"{_PREFIX}{table}", sa.Column("name_key", sa.Text, nullable=False, server_default=""))
    op.add_column(f"{_PREFIX}instances", sa.Column("aggregate", sa.Text, nullable=False, server_default=""))
    op.add_column(f"{_PREFIX}instances", sa.Column("batch_created_at", sa.DateTime))
    _fill("models", ("name", "catalog"), _model_names)
    _fill("definitions", ("name", "document"), _definition_names)
    _fill("instances", ("step",), _instance_names)
    _move_steps()
    op.execute(
        f"UPDATE {_PREFIX}instances SET batch_created_at = "
        f"(SELECT created_at FROM {_PREFIX}batches AS b WHERE b.id = batch_id)"
    )
    op.drop_index(f"ix_{_PREFIX}batches_model_id", f"{_PREFIX}batches")
    op.drop_index(f"ix_{_PREFIX}instances_batch_id", f"{_PREFIX}instances")
    for name, (table, columns) in _INDICES.items():
        op.create_index(f"ix_{_PREFIX}{name}", f"{_PREFIX}{table}", columns)
    op.get_bind().execute(sa.text(_FILL_STANDINGS), {"line_end": "\n"})


def _move_steps() -> None:
    op.create_table(
        f"{_PREFIX}steps",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey(f"{_PREFIX}instances.id"), primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.execute(f"INSERT INTO {_PREFIX}steps (instance_id, document) SELECT id, step FROM {_PREFIX}instances")
    op.drop_column(f"{_PREFIX}instances", "step")
    if op.get_bind().dialect.name == "postgresql":
        # PostgreSQL leaves what was in the column where it was, until a table is written again.
        op.execute(f"ALTER TABLE {_PREFIX}instances ALTER COLUMN attempt TYPE integer USING attempt + 0")


def _fill(name: str, read: tuple[str, ...], compute: Callable[..., dict[str, str]]) -> None:
    """Set columns of every row of a table to what is computed from others of it."""
    columns: list[sa.ColumnClause[Any]] = [sa.column(column) for column in ("id", *read, "name_key", "aggregate")]
    table = sa.table(f"{_PREFIX}{name}", *columns)
    for chunk in _chunks(table, read):
        values = [
            {"one_id": row[0], **{f"new_{key}": text for key, text in compute(*row[1:]).items()}} for row in chunk
        ]
        names = [key for key in values[0] if key != "one_id"]
        new: dict[str, Any] = {key.removeprefix("new_"): sa.bindparam(key) for key in names}
        op.get_bind().execute(sa.update(table).where(table.c.id == sa.bindparam("one_id")).values(new), values)


def _chunks(table: Any, read: tuple[str, ...]) -> Iterator[list[Any]]:
    last = ""
    while True:
        query = sa.select(table.c.id, *(table.c[column] for column in read)).where(table.c.id > last)
        chunk = op.get_bind().execute(query.order_by(table.c.id).limit(_CHUNK)).all()
        if not chunk:
            return
        yield list(chunk)
        last = chunk[-1][0]


def _name_key(name: str, more: str) -> str:
    return (name if more in {"", name} else f"{name}\n{more}").casefold()[:_LONGEST_KEY]


def _model_names(name: str, catalog: str) -> dict[str, str]:
    return {"name_key": _name_key(name, catalog)[:_LONGEST_MODEL_KEY]}


def _definition_names(name: str, document: bytes) -> dict[str, str]:
    return {"name_key": _name_key(name, json.loads(document).get("label", ""))}


def _instance_names(step: bytes) -> dict[str, str]:
    aggregate = json.loads(step)["aggregate"]
    return {"name_key": _name_key(aggregate, ""), "aggregate": aggregate}
