"""How the values of a session's settings are read by SQL, and how long they are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.session_settings import SessionSettings
from airflow_atscale_aggs.engine.sql.text_literals import text_literal
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession


@dataclass(slots=True)
class SharedSettings:
    """What all sessions of a warehouse know of their settings.

    Attributes:
        names: of those that the warehouse has; empty until a session has found all of them.
        changes: how often a session has set one. Some hold for all sessions, whichever sets them.
    """

    names: list[str] = field(default_factory=list)
    changes: int = 0


@dataclass(slots=True)
class KnownSettings:
    """The values that a session has read, which hold until some session sets one."""

    _values: dict[str, str] = field(default_factory=dict)
    _changes: int = 0

    def find(self, names: Collection[str], changes: int) -> Mapping[str, str] | None:
        """Values of settings, by name; None where one of them is not known.

        Args:
            changes: `SharedSettings.changes` as it is now.
        """
        return self._values if self._changes == changes and set(names) <= self._values.keys() else None

    def add(self, values: Mapping[str, str], changes: int) -> None:
        """Keep values that were read.

        Args:
            changes: `SharedSettings.changes` as it was before they were read.
        """
        self._values = {**self._values, **values} if self._changes == changes else dict(values)
        self._changes = changes


def read_settings(
    session: WarehouseSession, session_settings: SessionSettings, shared: SharedSettings, names: Collection[str]
) -> dict[str, str]:
    """The settings that decide what a value is, by name. See `base.WarehouseSession.settings`.

    Args:
        names: the only ones that are needed; empty: all.
    """
    there = list(shared.names)
    if asked := list(names) if names and set(names) <= set(there) else there:
        values = ", ".join(session_settings.value.replace("{name}", text_literal(name)) for name in asked)
        rows: Sequence[Row] = list(zip(asked, session.fetch_all(f"SELECT {values}")[0], strict=True))
    else:
        literals = ", ".join(text_literal(name) for name in session_settings.reach)
        found = session.fetch_all(session_settings.read.replace("{names}", literals))
        rows = [row for row in found if row[0] in session_settings.reach]
        # What is missing now stays so, but for settings of an extension, which may be loaded later.
        of_extensions = session_settings.of_extensions & session_settings.reach.keys()
        if session_settings.value and of_extensions <= {row[0] for row in rows}:
            shared.names = [str(row[0]) for row in rows]
    return {str(row[0]): "" if row[1] is None else str(row[1]) for row in rows}
