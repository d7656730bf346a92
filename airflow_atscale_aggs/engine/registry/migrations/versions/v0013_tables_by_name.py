"""Indexes by the names of tables, so that a sweep need not read the names of all tables that there ever were."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0011"

_PREFIX = "atscale_aggs_"


def upgrade() -> None:
    """Add two indexes."""
    for name in ("attempts", "segments"):
        op.create_index(f"ix_{_PREFIX}{name}_table", f"{_PREFIX}{name}", ["table"])
