"""Texts in addresses and filters that the registry or Airflow is asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no text with this character, and refuses to look for one."""

Identity = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_NO_NUL)]
"""An id or a name."""

SearchText = Annotated[str, StringConstraints(max_length=500, pattern=_NO_NUL)]
"""A part of a text."""
