"""What a batch was asked to build, which completion signals it answers, settings that came with a model's SML."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Widen the scope of settings, add the scope of batches, create the table of signals."""
    with op.batch_alter_table("atscale_aggs_settings") as settings:
        settings.alter_column("scope", existing_type=sa.String(36), type_=sa.String(64), existing_nullable=False)
    op.add_column("atscale_aggs_batches", sa.Column("aggregates", sa.LargeBinary))
    op.create_table(
        "atscale_aggs_signals",
        sa.Column("model_id", sa.String(36), sa.ForeignKey("atscale_aggs_models.id"), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("batch_id", sa.String(36), sa.ForeignKey("atscale_aggs_batches.id"), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "identity"),
    )
