"""Attempts remember how their tables were compared with the facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Two columns; attempts of before were not compared."""
    op.add_column("atscale_aggs_attempts", sa.Column("facts_key", sa.String(64)))
    op.add_column("atscale_aggs_attempts", sa.Column("verified", sa.LargeBinary))
