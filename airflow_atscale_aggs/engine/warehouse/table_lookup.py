"""Which table of the catalog is meant by a name, and why none is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airflow_atscale_aggs.engine.model.datasets import TableColumns, TableKey
from airflow_atscale_aggs.engine.warehouse.base import Row

_NOWHERE = 10**6
"""Place of a schema in which names without schema are not looked for."""


def group_by_name(rows: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    """Rows of the dialect's ``columns`` query by the name of their table without case.

    Whoever looks for many tables would go through all rows for each of them.
    """
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row[2].casefold(), []).append(row)
    return by_name


def best_table(key: TableKey, rows: Sequence[Row]) -> TableColumns | None:
    """The columns of the table that is meant: the exact name first, then without case; then as the search path goes.

    Args:
        rows: of the dialect's ``columns`` query, see `sql/table_catalog.py`.
    """
    database, schema, name = key
    by_table: dict[tuple[str, str, str], TableColumns] = {}
    places: dict[tuple[str, str, str], int] = {}
    others: set[tuple[str, str, str]] = set()
    for catalog, in_schema, table, column, kind, place, is_own, what, closed, has_row_security in rows:
        if table.casefold() != name.casefold():
            continue
        spelled = (catalog, in_schema, table)
        others.add(spelled)
        same_schema = place is not None if schema is None else in_schema.casefold() == schema.casefold()
        same_database = is_own if database is None else catalog.casefold() == database.casefold()
        if not (same_schema and same_database):
            continue
        places[spelled] = _NOWHERE if place is None else int(place)
        columns = by_table.setdefault(spelled, TableColumns({}, spelled, what or ""))
        columns[column] = kind
        columns.has_row_security = bool(has_row_security)
        if closed == "column":
            columns.closed_columns |= {column}
        else:
            columns.closed = closed or ""
    wanted = (database or "", schema or "", name)
    best = min(by_table, key=lambda spelled: (not _agrees(spelled, wanted), places[spelled]), default=None)
    if best is None:
        return None
    by_table[best].is_only = len(others) == 1
    return by_table[best]


def why_absent(key: TableKey, rows: Sequence[Row], own_database: str) -> str:
    """Half a sentence about a table that was not found; empty when nothing of that name is anywhere."""
    database, schema, name = key
    if database is not None and own_database and database.casefold() != own_database.casefold():
        return f"is in another database: the connection is to `{own_database}`, the model names `{database}`"
    schemas = sorted({row[1] for row in rows if row[2].casefold() == name.casefold()})
    if not schemas:
        return ""
    names = ", ".join(f"`{schema_name}`" for schema_name in schemas)
    if schema is None:
        return f"is not in the schemas that this session looks in, but there is one in {names}"
    return f"is not in schema `{schema}`, but there is one in {names}"


def _agrees(spelled: tuple[str, str, str], wanted: tuple[str, str, str]) -> bool:
    return all(not part or part == other for part, other in zip(wanted, spelled, strict=True))
