"""Where tables are, when there are none where somebody looked."""

from __future__ import annotations

import shlex

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.errors import WarehouseError, did_you_mean, near_names
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table, is_view_name
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_MOST_ASKED, _MOST_TOLD = 30, 8


def told_elsewhere(session: WarehouseSession, schema: str) -> str:
    """Which other schemas have tables, and what to try, as the end of a sentence.

    A catalog that does not tell costs the hint and nothing else: what went wrong first is what people must see.
    """
    try:
        filled = _filled_schemas(session, schema)
    except WarehouseError:
        return "name another one with --from-schema"
    if not filled:
        return "no other schema has any either; load the tables first, or ask for the right to see them"
    most = max(filled, key=lambda name: (filled[name], name))
    near = near_names(schema, filled)[:1]
    listed = [f"`{name}` ({counted(filled[name], 'table')})" for name in sorted(filled, key=lambda name: -filled[name])]
    more = [f"{len(listed) - _MOST_TOLD} more"] if len(listed) > _MOST_TOLD else []
    told = ", ".join([*listed[:_MOST_TOLD], *more])
    return f"there are tables in {told}.{did_you_mean(near)} Try --from-schema {shlex.quote((near or (most,))[0])}"


def of_others(names: frozenset[str]) -> list[str]:
    """The names without aggregates that we have made, where they share the schema with their facts."""
    if not any(name.casefold() == MARK_TABLE for name in names):
        return sorted(names)
    return sorted(
        name for name in names if not (is_instance_table(name) or is_view_name(name) or name.casefold() == MARK_TABLE)
    )


def _filled_schemas(session: WarehouseSession, but: str) -> dict[str, int]:
    """How many tables and views each other schema has, without our aggregates; those with most first."""
    rows = session.fetch_all(session.dialect.schemas)
    # SHOW SCHEMAS tells of other things than numbers behind the name, if of anything.
    rows.sort(key=lambda row: (-row[1] if isinstance(row[1:2] and row[1], int) else 0, str(row[0])))
    names = [str(row[0]).strip("`") for row in rows[:_MOST_ASKED]]
    numbers = {name: len(of_others(session.tables(name))) for name in names if name.casefold() != but.casefold()}
    return {name: number for name, number in numbers.items() if number}
