"""Owners of schemas, models let go, tables taken over, and what segments and batches were made from."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Give the registry a name of its own; add columns and a table."""
    identity = op.create_table(
        "atscale_aggs_identity",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("stamp", sa.String(36), nullable=False, server_default=""),
    )
    op.bulk_insert(identity, [{"id": str(uuid.uuid4()), "stamp": ""}])
    op.add_column("atscale_aggs_batches", sa.Column("surroundings", sa.LargeBinary))
    op.create_table(
        "atscale_aggs_adopted",
        sa.Column("schema", sa.Text, nullable=False),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("adopted_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("schema", "table"),
    )
    op.add_column("atscale_aggs_models", sa.Column("retired_at", sa.DateTime))
    op.add_column("atscale_aggs_segments", sa.Column("mark", sa.Text))
    op.add_column("atscale_aggs_segments", sa.Column("checksum", sa.LargeBinary))
    op.add_column("atscale_aggs_models", sa.Column("perspectives", sa.Text))
    op.add_column("atscale_aggs_batches", sa.Column("grace_periods", sa.LargeBinary))
    op.add_column("atscale_aggs_batches", sa.Column("sources", sa.LargeBinary))
