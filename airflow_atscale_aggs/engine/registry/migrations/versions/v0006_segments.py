"""Segments of incremental aggregates, and which instance consists of which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "atscale_aggs_segments",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("atscale_aggs_instances.id"), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("drop_sql", sa.Text, nullable=False),
        sa.Column("after", sa.Text),
        sa.Column("through", sa.Text, nullable=False),
        sa.Column("is_settled", sa.Boolean, nullable=False),
        sa.Column("rows", sa.BigInteger),
        sa.Column("fact_rows", sa.BigInteger),
        sa.Column("dropped_at", sa.DateTime),
        sa.PrimaryKeyConstraint("instance_id", "attempt", "number"),
    )
    op.create_index("ix_atscale_aggs_segments_undropped", "atscale_aggs_segments", ["dropped_at"])
    op.create_table(
        "atscale_aggs_segment_uses",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("atscale_aggs_instances.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("made_by", sa.String(36), nullable=False),
        sa.Column("made_attempt", sa.Integer, nullable=False),
        sa.Column("made_number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "position"),
    )
    op.create_index(
        "ix_atscale_aggs_segment_uses_segment",
        "atscale_aggs_segment_uses",
        ["made_by", "made_attempt", "made_number"],
    )
