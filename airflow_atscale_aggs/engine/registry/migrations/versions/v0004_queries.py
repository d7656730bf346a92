"""The log of queries, and how often aggregates answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "atscale_aggs_queries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("model_id", sa.String(36), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("asked_at", sa.DateTime, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("rows", sa.BigInteger),
        sa.Column("seconds", sa.Float),
        sa.Column("weight", sa.Integer, nullable=False),
    )
    op.create_index("ix_atscale_aggs_queries_asked", "atscale_aggs_queries", ["model_id", "asked_at"])
    op.create_table(
        "atscale_aggs_usages",
        sa.Column("definition_id", sa.String(36), sa.ForeignKey("atscale_aggs_definitions.id"), nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("last_used_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("definition_id", "fact"),
    )
