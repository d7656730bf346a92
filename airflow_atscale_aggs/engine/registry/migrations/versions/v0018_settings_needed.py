"""The settings that an instance relies on, so that a router need not read the steps of all that serve."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the column. The steps of older instances tell, as they did."""
    op.add_column("atscale_aggs_instances", sa.Column("settings_needed", sa.LargeBinary))
