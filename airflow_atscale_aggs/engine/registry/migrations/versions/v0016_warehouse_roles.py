"""Roles of the warehouse that users take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("atscale_aggs_users") as table:
        table.add_column(sa.Column("warehouse_role", sa.String(63), nullable=False, server_default=""))
