"""Which table of the catalog a name means, and why none is."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.warehouse.table_lookup import best_table, group_by_name, why_absent


def _row(
    schema: str,
    table: str,
    column: str = "a",
    *,
    place: int | None = None,
    database: str = "db",
    is_own: bool = True,
    closed: str = "",
    has_row_security: bool = False,
) -> tuple[Any, ...]:
    """A row of the catalog's answer; ``place`` is that of the schema on the search path."""
    return (database, schema, table, column, "INTEGER", place, is_own, "table", closed, has_row_security)


_ROWS = [
    _row("sales", "Shop", place=2),
    _row("public", "shop", place=1),
    _row("archive", "shop"),
    _row("public", "shop", database="other", is_own=False),
    _row("archive", "only"),
]


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ((None, None, "shop"), ("db", "public", "shop")),
        ((None, None, "Shop"), ("db", "sales", "Shop")),
        ((None, None, "SHOP"), ("db", "public", "shop")),
        ((None, "archive", "shop"), ("db", "archive", "shop")),
        ((None, "ARCHIVE", "SHOP"), ("db", "archive", "shop")),
        (("other", "public", "shop"), ("other", "public", "shop")),
        (("DB", "public", "shop"), ("db", "public", "shop")),
        ((None, None, "only"), None),
        ((None, "public", "only"), None),
        (("third", "public", "shop"), None),
        ((None, None, "gone"), None),
    ],
)
def test_a_name_is_looked_up_exactly_then_without_case_then_as_the_search_path_goes(
    key: TableKey, spelled: tuple[str, str, str] | None
) -> None:
    """Without a schema, only schemas of the search path count; without a database, only the session's own."""
    table = best_table(key, _ROWS)

    assert (table.spelled if table is not None else None) == spelled


def test_columns_come_with_their_types_in_the_order_of_the_catalog() -> None:
    table = best_table((None, "s", "t"), [_row("s", "t", "b"), _row("s", "t", "a"), _row("s", "u", "c")])

    assert table is not None
    assert list(table.items()) == [("b", "INTEGER"), ("a", "INTEGER")]
    assert (table.kind, table.is_only) == ("table", True)


def test_a_table_is_the_only_one_of_its_name_or_not() -> None:
    table = best_table((None, "archive", "shop"), _ROWS)

    assert table is not None
    assert not table.is_only


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        (("", ""), ("", set())),
        (("", "column"), ("", {"b"})),
        (("table", "table"), ("table", set())),
        (("schema", "schema"), ("schema", set())),
    ],
    ids=["all", "some columns", "no table", "no schema"],
)
def test_what_may_not_be_read_is_noted(closed: tuple[str, str], expected: tuple[str, set[str]]) -> None:
    rows = [_row("s", "t", "a", closed=closed[0]), _row("s", "t", "b", closed=closed[1])]
    table = best_table((None, "s", "t"), rows)

    assert table is not None
    assert (table.closed, set(table.closed_columns)) == expected


def test_row_security_is_noted() -> None:
    table = best_table((None, "s", "t"), [_row("s", "t", has_row_security=True)])

    assert table is not None
    assert table.has_row_security


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ((None, None, "gone"), ""),
        ((None, None, "only"), "is not in the schemas that this session looks in, but there is one in `archive`"),
        ((None, "public", "only"), "is not in schema `public`, but there is one in `archive`"),
        ((None, "x", "SHOP"), "is not in schema `x`, but there is one in `archive`, `public`, `sales`"),
        (("other", None, "x"), "is in another database: the connection is to `db`, the model names `other`"),
        (("DB", "x", "only"), "is not in schema `x`, but there is one in `archive`"),
    ],
)
def test_why_a_table_is_absent(key: TableKey, reason: str) -> None:
    """Nothing is said where nothing of that name is anywhere."""
    assert why_absent(key, _ROWS, "db") == reason


def test_nothing_is_said_of_the_database_where_the_warehouse_does_not_tell_its_own() -> None:
    assert why_absent(("other", "public", "only"), _ROWS, "") == (
        "is not in schema `public`, but there is one in `archive`"
    )


def test_rows_are_found_by_the_name_of_their_table_without_case() -> None:
    rows = [_row("s", "Shop", "a"), _row("s", "other", "b"), _row("t", "SHOP", "c")]

    by_name = group_by_name(rows)

    assert {name: len(found) for name, found in by_name.items()} == {"shop": 2, "other": 1}
    assert best_table((None, "t", "shop"), by_name["shop"]) == best_table((None, "t", "shop"), rows)
