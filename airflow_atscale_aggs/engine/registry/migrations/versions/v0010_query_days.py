"""What lists of queries filter by, and what was asked by day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_CHUNK = 5000
_PREFIX = "atscale_aggs_"
_QUERIES = f"{_PREFIX}queries"
_COUNTED_AS = {"hit": "hits", "partial": "hits", "miss": "misses", "fallback": "fallbacks"}
_COUNTS = ("queries", "hits", "misses", "fallbacks", "rows_read", "fact_rows", "savings_known")
_SECONDS = ("seconds", "seconds_saved")
_NO_HIT, _FROM_FACTS = sa.text("outcome <> 'hit'"), sa.text("source = fact")
_ONE_DEFINITION = sa.text("definition_id IS NOT NULL")

_Days = dict[tuple[str, date], dict[str, Any]]
_Builds = dict[tuple[str, str], float]


def upgrade() -> None:
    """Add columns and two tables; fill them from the log."""
    for column in (
        sa.Column("outcome", sa.String(8), nullable=False, server_default=""),
        sa.Column("definition_id", sa.String(36)),
        sa.Column("user", sa.Text, nullable=False, server_default=""),
        sa.Column("shape", sa.Text, nullable=False, server_default=""),
    ):
        op.add_column(_QUERIES, column)
    op.add_column(f"{_PREFIX}instances", sa.Column("usual_seconds", sa.Float))
    sources = op.create_table(
        f"{_PREFIX}query_sources",
        sa.Column("definition_id", sa.String(36), nullable=False),
        sa.Column("asked_at", sa.DateTime, nullable=False),
        sa.Column("query_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("definition_id", "asked_at", "query_id"),
    )
    days = op.create_table(
        f"{_PREFIX}query_days",
        sa.Column("model_id", sa.String(36), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        *(sa.Column(name, sa.Float if name in _SECONDS else sa.BigInteger, nullable=False) for name in _ordered()),
        sa.PrimaryKeyConstraint("model_id", "day"),
    )
    op.create_index(
        f"ix_{_PREFIX}instances_from_facts",
        f"{_PREFIX}instances",
        ["model_id", "fact", "seconds"],
        sqlite_where=_FROM_FACTS,
        postgresql_where=_FROM_FACTS,
    )
    op.create_index(f"ix_{_PREFIX}instances_table", f"{_PREFIX}instances", ["model_id", "table", "id"])
    _fill(sources, days)
    op.drop_index(f"ix_{_PREFIX}queries_asked", _QUERIES)
    op.create_index(f"ix_{_PREFIX}queries_model", _QUERIES, ["model_id", "asked_at", "id"])
    _create_index("queries_outcome", ["model_id", "outcome", "asked_at", "id"], _NO_HIT)
    _create_index("queries_definition", ["definition_id", "asked_at", "id"], _ONE_DEFINITION)


def _ordered() -> tuple[str, ...]:
    """The figures of a day, in the order of their columns."""
    return (*_COUNTS[:4], "seconds", "rows_read", "fact_rows", "seconds_saved", "savings_known")


def _create_index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(f"ix_{_PREFIX}{name}", _QUERIES, columns, sqlite_where=where, postgresql_where=where)


def _fill(sources: Any, days: Any) -> None:
    """Read the log once, in chunks."""
    connection = op.get_bind()
    builds = _shortest_builds()
    counted: _Days = {}
    table = sa.table(_QUERIES, *map(sa.column, ("id", "outcome", "definition_id", "user", "shape")))
    update = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("one_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in ("outcome", "definition_id", "user", "shape")})
    )
    for chunk in _chunks():
        changed, several = [], []
        for identity, model, asked_at, document in chunk:
            query = json.loads(document)
            outcome, answering = _outcome(query)
            _count(counted.setdefault((model, asked_at.date()), _nothing()), query, outcome, (model, builds))
            only = answering[0] if len(answering) == 1 else None
            new = {"new_outcome": outcome, "new_definition_id": only}
            # PostgreSQL has no NUL in texts.
            texts = {f"new_{name}": query.get(name, "").replace("\0", "\ufffd") for name in ("user", "shape")}
            changed.append({"one_id": identity, **new, **texts})
            if len(answering) > 1:
                several += [{"definition_id": one, "asked_at": asked_at, "query_id": identity} for one in answering]
        connection.execute(update, changed)
        if several:
            connection.execute(sa.insert(sources), several)
    rows = [{"model_id": model, "day": day, **counts} for (model, day), counts in counted.items()]
    if rows:
        connection.execute(sa.insert(days), rows)


def _shortest_builds() -> _Builds:
    """Seconds of the shortest build from the fact itself, by model and fact."""
    query = f"SELECT model_id, fact, min(seconds) FROM {_PREFIX}instances WHERE source = fact GROUP BY model_id, fact"
    return {(row[0], row[1]): row[2] for row in op.get_bind().execute(sa.text(query)) if row[2] is not None}


def _chunks() -> Iterator[list[tuple[int, str, datetime, bytes]]]:
    names = {"id": sa.BigInteger, "model_id": sa.Text, "asked_at": sa.DateTime, "document": sa.LargeBinary}
    table, last = sa.table(_QUERIES, *(sa.column(name, of_type) for name, of_type in names.items())), None
    while True:
        query = sa.select(*table.c).order_by(table.c.id).limit(_CHUNK)
        chunk = op.get_bind().execute(query if last is None else query.where(table.c.id > last)).all()
        if not chunk:
            return
        yield [(row[0], row[1], row[2], row[3]) for row in chunk]
        last = chunk[-1][0]


def _nothing() -> dict[str, Any]:
    return {**dict.fromkeys(_COUNTS, 0), **dict.fromkeys(_SECONDS, 0.0)}


def _outcome(query: dict[str, Any]) -> tuple[str, list[str]]:
    """Where the answer came from, and the ids of the definitions that it came from."""
    found = [source.get("definition_id", "") for source in query["actual"]]
    answering = sorted({one for one in found if one})
    if query.get("fallback_reason"):
        return "fallback", answering
    if not answering:
        return "miss", answering
    return ("hit" if all(found) else "partial"), answering


def _count(counts: dict[str, Any], query: dict[str, Any], outcome: str, known: tuple[str, _Builds]) -> None:
    """Add a query to the figures of its day."""
    weight = query.get("weight", 1)
    counts["queries"] += weight
    counts[_COUNTED_AS[outcome]] += weight
    counts["seconds"] += weight * query["seconds"]
    model, builds = known
    on_facts: float | None = 0.0
    for source in query["actual"]:
        rows, cost = source.get("fact_rows"), source.get("fact_cost")
        of_facts = (rows if cost is None else cost) or 0
        counts["fact_rows"] += weight * of_facts
        counts["rows_read"] += weight * ((source.get("rows") or 0) if source.get("definition_id") else of_facts)
        whole = builds.get((model, source["fact"]))
        if whole is None or on_facts is None:
            on_facts = None
        else:
            on_facts += whole * cost / rows if cost is not None and rows else whole
    if _COUNTED_AS[outcome] == "hits" and on_facts is not None:
        counts["seconds_saved"] += weight * (on_facts - query["seconds"])
        counts["savings_known"] += weight
