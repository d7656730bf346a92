"""Who may connect by the PostgreSQL protocol, and to which models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the tables of users."""
    op.create_table(
        "atscale_aggs_users",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("sees_all", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "atscale_aggs_user_models",
        sa.Column("name", sa.String(63), sa.ForeignKey("atscale_aggs_users.name"), nullable=False),
        sa.Column("model_id", sa.String(36), sa.ForeignKey("atscale_aggs_models.id"), nullable=False),
        sa.PrimaryKeyConstraint("name", "model_id"),
    )
