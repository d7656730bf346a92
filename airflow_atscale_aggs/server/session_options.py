"""Settings of a client's session that change how queries are answered, such as ``atscale_aggs.use_aggregates``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.query_planner import QueryOptions
from airflow_atscale_aggs.engine.lifecycle.query.staleness import read_age

PREFIX = "atscale_aggs."
NAMES = ("use_aggregates", "max_staleness", "notices")
_OWN = ", ".join(f"current_setting('{PREFIX}{name}', true)" for name in NAMES)
READ_SQL = f"SELECT {_OWN}, extract(epoch FROM current_setting('statement_timeout')::interval)"
"""PostgreSQL keeps them, so that SET LOCAL, RESET and ROLLBACK mean what they mean for every setting."""

_TIMEOUT = "statement_timeout"
_YES = frozenset({"on", "true", "yes", "1"})
_NO = frozenset({"off", "false", "no", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What is in force.

    Attributes:
        use_aggregates: False: queries are answered from the facts.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.
        notices: whether the client is told where an answer came from.
        statement_seconds: how long a statement may take; 0: as long as it likes.
    """

    use_aggregates: bool = True
    max_staleness: timedelta | None = None
    notices: bool = False
    statement_seconds: float = 0.0

    @classmethod
    def read(cls, values: Sequence[str | None]) -> SessionOptions:
        """From the values that `READ_SQL` gives; None and empty: not set.

        Raises UnsupportedQueryError: a value means nothing.

        >>> SessionOptions.read(["off", "12h", None, "0.5"]).max_staleness
        datetime.timedelta(seconds=43200)
        """
        use_aggregates, max_staleness, notices, statement_seconds = values
        return cls(
            use_aggregates=_switch("use_aggregates", use_aggregates, default=True),
            max_staleness=read_age(max_staleness) if max_staleness else None,
            notices=_switch("notices", notices, default=False),
            statement_seconds=float(statement_seconds or 0),
        )

    def of_query(self) -> QueryOptions:
        """For the router."""
        options = QueryOptions(use_aggregates=self.use_aggregates)
        if self.max_staleness is not None:
            options["max_staleness"] = self.max_staleness
        return options


def may_set_options(sql: str) -> bool:
    """Whether a text may set one: also by set_config, in a list of statements, or within a function's text."""
    folded = sql.casefold()
    return PREFIX in folded or _TIMEOUT in folded


def startup_parameters(given: Mapping[str, str], statement_seconds: float) -> tuple[dict[str, str], bool]:
    """Parameters of a startup packet with a bound of time, and whether the client's own set options."""
    sets_options = any(may_set_options(f"{name} {value}") for name, value in given.items())
    has_timeout = any(_TIMEOUT in f"{name} {value}".casefold() for name, value in given.items())
    bound = {} if has_timeout or not statement_seconds else {_TIMEOUT: str(round(statement_seconds * 1000))}
    return {**bound, **given}, sets_options


def _switch(name: str, value: str | None, *, default: bool) -> bool:
    if not value:
        return default
    if value.casefold() not in _YES | _NO:
        raise UnsupportedQueryError(f"{PREFIX}{name} = {value}", "it is neither on nor off", "SET it to on or off.")
    return value.casefold() in _YES
