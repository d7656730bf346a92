"""Says how the mark of a schema's owner is read. No SQL library is imported for it: most who read it need none."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.capabilities import Dialect

MARK_TABLE = "atscale_aggs_owner"
"""The name of the mark's table. No table and no view of an aggregate has a name that begins like this."""

COLUMNS = ("registry_id", "registry", "stamp", "marked_at")


def read_mark(schema: str, dialect: Dialect) -> str:
    """The row, with `COLUMNS`.

    Args:
        schema: where the mark is; empty: the schema of the session.
    """
    begin, end, inside = dialect.quotes

    def quoted(name: str) -> str:
        return f"{begin}{name.replace(end, inside)}{end}"

    place = ".".join(quoted(name) for name in (schema, MARK_TABLE) if name)
    return f"SELECT {', '.join(map(quoted, COLUMNS))} FROM {place}"
