"""The folder in which a model stands among others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; a model has its folder when it is deployed again."""
    op.add_column("atscale_aggs_models", sa.Column("folder", sa.Text, nullable=False, server_default=""))
