"""The first schema: models, deployments, definitions, batches, instances, attempts, settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "atscale_aggs_models",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("catalog", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("connection", sa.Text),
        sa.Column("deployment_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("deployed_at", sa.DateTime, nullable=False),
        sa.Column("change_counter", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "atscale_aggs_deployments",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model_id", sa.String(36), sa.ForeignKey("atscale_aggs_models.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("datasets", sa.LargeBinary, nullable=False),
        sa.Column("deployed_at", sa.DateTime, nullable=False),
    )
    op.create_index("ix_atscale_aggs_deployments_model_id", "atscale_aggs_deployments", ["model_id"])
    op.create_table(
        "atscale_aggs_definitions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model_id", sa.String(36), sa.ForeignKey("atscale_aggs_models.id"), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("origin", sa.String(24), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("retired_at", sa.DateTime),
    )
    op.create_index("ix_atscale_aggs_definitions_model_id", "atscale_aggs_definitions", ["model_id"])
    op.create_table(
        "atscale_aggs_batches",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model_id", sa.String(36), sa.ForeignKey("atscale_aggs_models.id"), nullable=False),
        sa.Column("deployment_id", sa.String(36), nullable=False),
        sa.Column("build_type", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease_until", sa.DateTime, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("views_pending", sa.Boolean, nullable=False),
        sa.Column("schema", sa.Text, nullable=False),
        sa.Column("notes", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime),
    )
    op.create_index("ix_atscale_aggs_batches_model_id", "atscale_aggs_batches", ["model_id"])
    op.create_index(
        "uq_atscale_aggs_one_open_batch",
        "atscale_aggs_batches",
        ["model_id"],
        unique=True,
        sqlite_where=sa.text("status = 'in_progress'"),
        postgresql_where=sa.text("status = 'in_progress'"),
    )
    op.create_table(
        "atscale_aggs_instances",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("batch_id", sa.String(36), sa.ForeignKey("atscale_aggs_batches.id"), nullable=False),
        sa.Column("model_id", sa.String(36), nullable=False),
        sa.Column("definition_id", sa.String(36), sa.ForeignKey("atscale_aggs_definitions.id"), nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("step", sa.LargeBinary, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("allowance", sa.Text, nullable=False, server_default=""),
        sa.Column("table", sa.Text),
        sa.Column("rows", sa.BigInteger),
        sa.Column("seconds", sa.Float),
        sa.Column("source", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("started_at", sa.DateTime),
        sa.Column("finished_at", sa.DateTime),
        sa.Column("activated_at", sa.DateTime),
        sa.Column("drop_after", sa.DateTime),
    )
    op.create_index("ix_atscale_aggs_instances_batch_id", "atscale_aggs_instances", ["batch_id"])
    op.create_index(
        "ix_atscale_aggs_instances_definition", "atscale_aggs_instances", ["definition_id", "fact", "status"]
    )
    op.create_index("ix_atscale_aggs_instances_model", "atscale_aggs_instances", ["model_id", "status"])
    op.create_table(
        "atscale_aggs_attempts",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("atscale_aggs_instances.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("drop_sql", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime),
        sa.Column("dropped_at", sa.DateTime),
        sa.PrimaryKeyConstraint("instance_id", "number"),
    )
    op.create_index("ix_atscale_aggs_attempts_undropped", "atscale_aggs_attempts", ["dropped_at"])
    op.create_table(
        "atscale_aggs_settings",
        sa.Column("scope", sa.String(36), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
