"""PostgreSQL's SQL as it is read: formats of TO_CHAR and its like stay as they were written.

sqlglot's own dialect turns a format into Python's codes, which have no word for `FM`, `Q` or `"quoted text"`.
"""

from __future__ import annotations

from typing import ClassVar

from sqlglot.dialects.postgres import Postgres


class PostgresSurface(Postgres):
    """PostgreSQL's dialect without a mapping of formats."""

    TIME_MAPPING: ClassVar[dict[str, str]] = {}
