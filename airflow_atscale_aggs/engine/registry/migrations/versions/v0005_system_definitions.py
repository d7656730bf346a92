"""Why a definition exists, why it stands where it stands, and the figures that spoke for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add three columns to the definitions."""
    table = "atscale_aggs_definitions"
    op.add_column(table, sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column(table, sa.Column("status_reason", sa.Text, nullable=False, server_default=""))
    op.add_column(table, sa.Column("evidence", sa.LargeBinary))
