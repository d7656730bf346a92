"""The registry's tables (SQLAlchemy Core). Alembic migrations in `migrations/` make the same; a test compares them.

Times are stored as UTC without a zone, so that SQLite and PostgreSQL keep the same values.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

SCHEMA_VERSION = "0018"
"""The newest migration; a registry with another version is refused at start."""

VERSION_TABLE = "atscale_aggs_alembic_version"
"""Where Alembic notes the version; a name of its own, since registries may share a database with others."""

_PREFIX = "atscale_aggs_"

ONLY = "only"
"""Which rows are in an index that has not all. Migrations and `first_schema.py` make it so.

It is a note, since SQLAlchemy imports the dialect of PostgreSQL for a condition of its own, at the start of every verb.
"""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in, an aware UTC datetime out."""

    impl = DateTime
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What values are in Python."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """UTC without its zone; a naive value is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "The registry keeps aware datetimes only."
            raise AssertionError(message)
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The stored time as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

models = Table(
    f"{_PREFIX}models",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("catalog", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("connection", Text),
    Column("deployment_id", String(36), nullable=False),
    Column("version", Integer, nullable=False),
    Column("deployed_at", UtcDateTime, nullable=False),
    Column("change_counter", Integer, nullable=False, server_default="0"),
    Column("retired_at", UtcDateTime),
    Column("perspectives", Text),
    Column("folder", Text, nullable=False, server_default=""),
    Column("name_key", Text, nullable=False, server_default=""),
)

identity = Table(
    f"{_PREFIX}identity",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("stamp", String(36), nullable=False, server_default=""),
)
"""One row: the registry's own id, made with it, and what it wrote into a schema when it took that over."""

adopted = Table(
    f"{_PREFIX}adopted",
    metadata,
    Column("schema", Text, nullable=False),
    Column("table", Text, nullable=False),
    Column("adopted_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("schema", "table"),
)
"""Tables and views of another registry that this one took over: no sweep offers them again."""

deployments = Table(
    f"{_PREFIX}deployments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("datasets", LargeBinary, nullable=False),
    Column("deployed_at", UtcDateTime, nullable=False),
)

definitions = Table(
    f"{_PREFIX}definitions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False, index=True),
    Column("fingerprint", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("origin", String(24), nullable=False),
    Column("status", String(16), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
    Column("reason", Text, nullable=False, server_default=""),
    Column("status_reason", Text, nullable=False, server_default=""),
    Column("evidence", LargeBinary),
    Column("defined_at", UtcDateTime),
    Column("name_key", Text, nullable=False, server_default=""),
)

attributes = Table(
    f"{_PREFIX}attributes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("document", LargeBinary, nullable=False),
)
"""Attributes with their join paths, by the hash of their document: definitions that no person made refer to them."""

batches = Table(
    f"{_PREFIX}batches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False),
    Column("deployment_id", String(36), nullable=False),
    Column("build_type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("views_pending", Boolean, nullable=False),
    Column("schema", Text, nullable=False),
    Column("notes", LargeBinary, nullable=False),
    Column("aggregates", LargeBinary),
    Column("surroundings", LargeBinary),
    Column("grace_periods", LargeBinary),
    Column("sources", LargeBinary),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("slices_through", Integer, nullable=False, server_default="0"),
    Index(f"ix_{_PREFIX}batches_created", "created_at", "id"),
    Index(f"ix_{_PREFIX}batches_model", "model_id", "created_at", "id"),
)

one_open_batch = Index(
    f"uq_{_PREFIX}one_open_batch",
    batches.c.model_id,
    unique=True,
    info={ONLY: text("status = 'in_progress'")},
)
"""One batch of a model at a time, kept by the database itself."""

IS_FROM_FACT = text("source = fact")
"""The condition that an instance was built from its fact and not from another aggregate."""

instances = Table(
    f"{_PREFIX}instances",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("batch_id", String(36), ForeignKey(batches.c.id), nullable=False),
    Column("model_id", String(36), nullable=False),
    Column("definition_id", String(36), ForeignKey(definitions.c.id), nullable=False),
    Column("fact", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("allowance", Text, nullable=False, server_default=""),
    Column("table", Text),
    Column("rows", BigInteger),
    Column("seconds", Float),
    Column("source", Text),
    Column("error", Text),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("activated_at", UtcDateTime),
    Column("drop_after", UtcDateTime),
    Column("superseded_at", UtcDateTime),
    Column("aggregate", Text, nullable=False, server_default=""),
    Column("name_key", Text, nullable=False, server_default=""),
    Column("batch_created_at", UtcDateTime),
    Column("usual_seconds", Float),
    Column("settings_needed", LargeBinary),
    Index(f"ix_{_PREFIX}instances_batch", "batch_id", "status"),
    Index(f"ix_{_PREFIX}instances_definition", "definition_id", "fact", "status"),
    Index(f"ix_{_PREFIX}instances_model", "model_id", "status"),
    Index(f"ix_{_PREFIX}instances_created", "model_id", "batch_created_at", "id"),
    Index(f"ix_{_PREFIX}instances_started", "model_id", "started_at", "id"),
    Index(f"ix_{_PREFIX}instances_rows", "model_id", "rows", "id"),
    Index(f"ix_{_PREFIX}instances_seconds", "model_id", "seconds", "id"),
    Index(f"ix_{_PREFIX}instances_name", "model_id", "name_key", "id"),
    Index(f"ix_{_PREFIX}instances_table", "model_id", "table", "id"),
    Index(
        f"ix_{_PREFIX}instances_from_facts",
        "model_id",
        "fact",
        "seconds",
        info={ONLY: IS_FROM_FACT},
    ),
)
"""Without their steps, so that a row is short and lists of them are quick."""

steps = Table(
    f"{_PREFIX}steps",
    metadata,
    Column("instance_id", String(36), ForeignKey(instances.c.id), primary_key=True),
    Column("document", LargeBinary, nullable=False),
)
"""How each instance is built. Written once, with the instance."""

standings = Table(
    f"{_PREFIX}standings",
    metadata,
    Column("definition_id", String(36), ForeignKey(definitions.c.id), primary_key=True),
    Column("model_id", String(36), nullable=False),
    Column("name_key", Text, nullable=False),
    Column("model_key", Text, nullable=False),
    Column("origin", String(24), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("shown_status", String(16), nullable=False),
    Column("newest_status", String(16)),
    Column("newest_batch_id", String(36)),
    Column("rows", BigInteger),
    Column("seconds", Float),
    Column("built_at", UtcDateTime),
    Column("uses", BigInteger, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("score", Float),
    Column("size_bytes", BigInteger),
    Column("seconds_saved", Float),
)
"""Where each definition stands, for lists: all of it is said elsewhere, and written in the same transactions. See
`standings.select_standings`.
"""

attempts = Table(
    f"{_PREFIX}attempts",
    metadata,
    Column("instance_id", String(36), ForeignKey(instances.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("table", Text, nullable=False),
    Column("drop_sql", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("dropped_at", UtcDateTime),
    Column("facts_key", String(64)),
    Column("verified", LargeBinary),
    PrimaryKeyConstraint("instance_id", "number"),
    Index(f"ix_{_PREFIX}attempts_undropped", "dropped_at"),
    Index(f"ix_{_PREFIX}attempts_table", "table"),
)

segments = Table(
    f"{_PREFIX}segments",
    metadata,
    Column("instance_id", String(36), ForeignKey(instances.c.id), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("table", Text, nullable=False),
    Column("drop_sql", Text, nullable=False),
    Column("after", Text),
    Column("through", Text, nullable=False),
    Column("is_settled", Boolean, nullable=False),
    Column("rows", BigInteger),
    Column("fact_rows", BigInteger),
    Column("dropped_at", UtcDateTime),
    Column("mark", Text),
    Column("checksum", LargeBinary),
    PrimaryKeyConstraint("instance_id", "attempt", "number"),
    Index(f"ix_{_PREFIX}segments_undropped", "dropped_at"),
    Index(f"ix_{_PREFIX}segments_table", "table"),
)
"""Tables of incremental aggregates, by the attempt that makes them; written down before they exist. Bounds are whole
numbers as text, since they may be longer than 64 bits.
"""

segment_uses = Table(
    f"{_PREFIX}segment_uses",
    metadata,
    Column("instance_id", String(36), ForeignKey(instances.c.id), nullable=False),
    Column("position", Integer, nullable=False),
    Column("made_by", String(36), nullable=False),
    Column("made_attempt", Integer, nullable=False),
    Column("made_number", Integer, nullable=False),
    PrimaryKeyConstraint("instance_id", "position"),
    Index(f"ix_{_PREFIX}segment_uses_segment", "made_by", "made_attempt", "made_number"),
)
"""Which segments an instance consists of, in order of their ranges; older ones are shared with older instances."""

signals = Table(
    f"{_PREFIX}signals",
    metadata,
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False),
    Column("identity", String(64), nullable=False),
    Column("batch_id", String(36), ForeignKey(batches.c.id), nullable=False),
    PrimaryKeyConstraint("model_id", "identity"),
)
"""Completion signals by the hash of their identity, and the batch that answers each: a signal has one effect."""

named_slices = Table(
    f"{_PREFIX}named_slices",
    metadata,
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False),
    Column("named_by", Text, nullable=False),
    Column("named_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("model_id", "number"),
)
"""Ranges of indicators that were named as changed, until all that serves was built with them."""

queries = Table(
    f"{_PREFIX}queries",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("model_id", String(36), nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("rows", BigInteger),
    Column("seconds", Float),
    Column("weight", Integer, nullable=False),
    Column("outcome", String(8), nullable=False, server_default=""),
    Column("definition_id", String(36)),
    Column("user", Text, nullable=False, server_default=""),
    Column("shape", Text, nullable=False, server_default=""),
)
"""The log of queries: kept for a while. ``definition_id``: what answered, where it was one aggregate and no other."""

IS_NO_HIT = text("outcome <> 'hit'")
"""Most queries are hits. As literal text, without which SQLite would not use the index."""

Index(f"ix_{_PREFIX}queries_model", queries.c.model_id, queries.c.asked_at, queries.c.id)
Index(
    f"ix_{_PREFIX}queries_outcome",
    queries.c.model_id,
    queries.c.outcome,
    queries.c.asked_at,
    queries.c.id,
    info={ONLY: IS_NO_HIT},
)
Index(
    f"ix_{_PREFIX}queries_definition",
    queries.c.definition_id,
    queries.c.asked_at,
    queries.c.id,
    info={ONLY: queries.c.definition_id.is_not(None)},
)

query_sources = Table(
    f"{_PREFIX}query_sources",
    metadata,
    Column("definition_id", String(36), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("query_id", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    PrimaryKeyConstraint("definition_id", "asked_at", "query_id"),
)
"""The aggregates of queries that were answered from several."""

query_days = Table(
    f"{_PREFIX}query_days",
    metadata,
    Column("model_id", String(36), nullable=False),
    Column("day", Date, nullable=False),
    Column("queries", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("misses", BigInteger, nullable=False),
    Column("fallbacks", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("rows_read", BigInteger, nullable=False),
    Column("fact_rows", BigInteger, nullable=False),
    Column("seconds_saved", Float, nullable=False),
    Column("savings_known", BigInteger, nullable=False),
    PrimaryKeyConstraint("model_id", "day"),
)
"""What was asked by day (UTC): kept for ever."""

usages = Table(
    f"{_PREFIX}usages",
    metadata,
    Column("definition_id", String(36), ForeignKey(definitions.c.id), nullable=False),
    Column("fact", Text, nullable=False),
    Column("uses", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False),
    Column("inherited", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("definition_id", "fact"),
)
"""How often aggregates answered: kept for ever. ``inherited``: uses that were of the ones it replaced."""

successions = Table(
    f"{_PREFIX}successions",
    metadata,
    Column("old_id", String(36), ForeignKey(definitions.c.id), nullable=False),
    Column("new_id", String(36), ForeignKey(definitions.c.id), nullable=False),
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False),
    Column("reason", Text, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    PrimaryKeyConstraint("old_id", "new_id"),
    Index(f"ix_{_PREFIX}successions_model", "model_id", "done_at"),
)
"""Which definition is to take the place of which, and when it did."""

evaluations = Table(
    f"{_PREFIX}evaluations",
    metadata,
    Column("definition_id", String(36), ForeignKey(definitions.c.id), nullable=False),
    Column("evaluated_at", UtcDateTime, nullable=False),
    Column("model_id", String(36), ForeignKey(models.c.id), nullable=False),
    Column("score", Float, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger),
    Column("seconds_saved", Float),
    PrimaryKeyConstraint("definition_id", "evaluated_at"),
    Index(f"ix_{_PREFIX}evaluations_model", "model_id", "evaluated_at"),
)
"""The quality of definitions, each time it was judged."""

settings = Table(
    f"{_PREFIX}settings",
    metadata,
    Column("scope", String(64), nullable=False),
    Column("key", String(200), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("scope", "key"),
)
"""Settings by scope: a model's id, ``sml:`` and a model's id, or empty for all models."""

users = Table(
    f"{_PREFIX}users",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("verifier", Text, nullable=False),
    Column("sees_all", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("warehouse_role", String(63), nullable=False, server_default=""),
)
"""Who may connect by the PostgreSQL protocol. A verifier proves a password, and is none."""

user_models = Table(
    f"{_PREFIX}user_models",
    metadata,
    Column("name", String(63), ForeignKey(f"{_PREFIX}users.name"), nullable=False),
    Column("model_id", String(36), ForeignKey(f"{_PREFIX}models.id"), nullable=False),
    PrimaryKeyConstraint("name", "model_id"),
)
"""The models of users who do not see all."""
