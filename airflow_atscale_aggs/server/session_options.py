"""Settings of a client's session that change how queries are answered, such as ``atscale_aggs.use_aggregates``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.query.query_planner import QueryOptions
from airflow_atscale_aggs.engine.lifecycle.query.staleness import read_age

PREFIX = "atscale_aggs."
NAMES = ("use_aggregates", "max_staleness", "notices")
READ_SQL = "SELECT " + ", ".join(f"current_setting('{PREFIX}{name}', true)" for name in NAMES)
"""PostgreSQL keeps them, so that SET LOCAL, RESET and ROLLBACK mean what they mean for every setting."""

_YES = frozenset({"on", "true", "yes", "1"})
_NO = frozenset({"off", "false", "no", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What is in force.

    Attributes:
        use_aggregates: False: queries are answered from the facts.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.
        notices: whether the client is told where an answer came from.
    """

    use_aggregates: bool = True
    max_staleness: timedelta | None = None
    notices: bool = False

    @classmethod
    def read(cls, values: Sequence[str | None]) -> SessionOptions:
        """From the values of `NAMES`; None and empty: not set.

        Raises UnsupportedQueryError: a value means nothing.

        >>> SessionOptions.read(["off", "12h", None])
        SessionOptions(use_aggregates=False, max_staleness=datetime.timedelta(seconds=43200), notices=False)
        """
        use_aggregates, max_staleness, notices = values
        return cls(
            use_aggregates=_switch("use_aggregates", use_aggregates, default=True),
            max_staleness=read_age(max_staleness) if max_staleness else None,
            notices=_switch("notices", notices, default=False),
        )

    def of_query(self) -> QueryOptions:
        """For the router."""
        options = QueryOptions(use_aggregates=self.use_aggregates)
        if self.max_staleness is not None:
            options["max_staleness"] = self.max_staleness
        return options


def _switch(name: str, value: str | None, *, default: bool) -> bool:
    if not value:
        return default
    if value.casefold() not in _YES | _NO:
        raise UnsupportedQueryError(f"{PREFIX}{name} = {value}", "it is neither on nor off", "SET it to on or off.")
    return value.casefold() in _YES
