"""Ranges of indicators that were named as changed, and up to which of them a batch goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "atscale_aggs_named_slices",
        sa.Column("model_id", sa.String(36), sa.ForeignKey("atscale_aggs_models.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("first", sa.Text, nullable=False),
        sa.Column("last", sa.Text, nullable=False),
        sa.Column("named_by", sa.Text, nullable=False),
        sa.Column("named_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "number"),
    )
    with op.batch_alter_table("atscale_aggs_batches") as table:
        table.add_column(sa.Column("slices_through", sa.Integer, nullable=False, server_default="0"))
