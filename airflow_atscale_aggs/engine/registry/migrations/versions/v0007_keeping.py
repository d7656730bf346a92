"""When definitions were defined and instances superseded, who takes whose place, and the quality of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_DEFINITIONS, _MODELS = "atscale_aggs_definitions", "atscale_aggs_models"


def upgrade() -> None:
    """Add three columns and three tables."""
    op.add_column(_DEFINITIONS, sa.Column("defined_at", sa.DateTime))
    op.add_column("atscale_aggs_instances", sa.Column("superseded_at", sa.DateTime))
    op.add_column("atscale_aggs_usages", sa.Column("inherited", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "atscale_aggs_attributes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "atscale_aggs_successions",
        sa.Column("old_id", sa.String(36), sa.ForeignKey(f"{_DEFINITIONS}.id"), nullable=False),
        sa.Column("new_id", sa.String(36), sa.ForeignKey(f"{_DEFINITIONS}.id"), nullable=False),
        sa.Column("model_id", sa.String(36), sa.ForeignKey(f"{_MODELS}.id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("proposed_at", sa.DateTime, nullable=False),
        sa.Column("done_at", sa.DateTime),
        sa.PrimaryKeyConstraint("old_id", "new_id"),
    )
    op.create_index("ix_atscale_aggs_successions_model", "atscale_aggs_successions", ["model_id", "done_at"])
    op.create_table(
        "atscale_aggs_evaluations",
        sa.Column("definition_id", sa.String(36), sa.ForeignKey(f"{_DEFINITIONS}.id"), nullable=False),
        sa.Column("evaluated_at", sa.DateTime, nullable=False),
        sa.Column("model_id", sa.String(36), sa.ForeignKey(f"{_MODELS}.id"), nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("definition_id", "evaluated_at"),
    )
    op.create_index("ix_atscale_aggs_evaluations_model", "atscale_aggs_evaluations", ["model_id", "evaluated_at"])
