"""All handlers of DuckDB."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.functions import (
    aggregates,
    casts,
    dates,
    formatting,
    logic,
    moments,
    numbers,
    patterns,
    regexes,
    text,
)
from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, NamedHandlers

HANDLERS: Handlers = {
    **aggregates.HANDLERS,
    **casts.HANDLERS,
    **dates.HANDLERS,
    **formatting.HANDLERS,
    **logic.HANDLERS,
    **moments.HANDLERS,
    **numbers.HANDLERS,
    **patterns.HANDLERS,
    **regexes.HANDLERS,
    **text.HANDLERS,
}

NAMED: NamedHandlers = {**dates.NAMED, **numbers.NAMED, **text.NAMED}
