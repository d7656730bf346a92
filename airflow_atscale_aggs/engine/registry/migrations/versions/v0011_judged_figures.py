"""Sizes and savings of judgements in columns, so that lists sort by them."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_CHUNK = 5000
_EVALUATIONS, _STANDINGS = "atscale_aggs_evaluations", "atscale_aggs_standings"
_NEWEST = (
    f"SELECT {{name}} FROM {_EVALUATIONS} AS e WHERE e.definition_id = {_STANDINGS}.definition_id "
    "ORDER BY e.evaluated_at DESC LIMIT 1"
)


def upgrade() -> None:
    """Add two columns to two tables; fill them from the documents."""
    for table in (_EVALUATIONS, _STANDINGS):
        op.add_column(table, sa.Column("size_bytes", sa.BigInteger))
        op.add_column(table, sa.Column("seconds_saved", sa.Float))
    _fill_evaluations()
    size, saved = _NEWEST.format(name="size_bytes"), _NEWEST.format(name="seconds_saved")
    op.execute(f"UPDATE {_STANDINGS} SET size_bytes = ({size}), seconds_saved = ({saved})")


def _fill_evaluations() -> None:
    names = {"definition_id": sa.String, "evaluated_at": sa.DateTime, "document": sa.LargeBinary}
    columns: list[sa.ColumnClause[Any]] = [sa.column(name, of_type) for name, of_type in names.items()]
    table = sa.table(_EVALUATIONS, *columns, sa.column("size_bytes"), sa.column("seconds_saved"))
    update = (
        sa.update(table)
        .where(table.c.definition_id == sa.bindparam("one"), table.c.evaluated_at == sa.bindparam("at"))
        .values(size_bytes=sa.bindparam("size"), seconds_saved=sa.bindparam("saved"))
    )
    key = (table.c.definition_id, table.c.evaluated_at)
    query, last = sa.select(*key, table.c.document).order_by(*key).limit(_CHUNK), None
    while True:
        chunk = op.get_bind().execute(query if last is None else query.where(sa.tuple_(*key) > last)).all()
        if not chunk:
            return
        values = [
            {"one": one, "at": at, "size": read.get("size_bytes"), "saved": read.get("seconds_saved")}
            for one, at, document in chunk
            for read in (json.loads(document),)
        ]
        op.get_bind().execute(update, values)
        last = sa.tuple_(sa.literal(chunk[-1][0], sa.String), sa.literal(chunk[-1][1], sa.DateTime))
