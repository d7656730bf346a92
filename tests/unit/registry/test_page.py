"""Pages visit each row once, whatever is sorted by; a cursor that is none is refused with a sentence."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)

from airflow_atscale_aggs.engine.errors import CursorError
from airflow_atscale_aggs.engine.registry.page import (
    MOST_ROWS,
    Order,
    Position,
    _digest,
    is_storable,
    position_of,
    read_after,
    read_cursor,
    rows_asked,
    with_position,
    write_cursor,
)
from airflow_atscale_aggs.engine.registry.tables import UtcDateTime

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_things = Table(
    "things",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("text", String),
    Column("number", BigInteger),
    Column("share", Float),
    Column("at", UtcDateTime),
)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["", "a", "B", "é", "a\nb", "%_\\"]),
    "number": st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]),
    "share": st.sampled_from([-0.5, 0.0, 0.1, 1 / 3, 1e300]),
    "at": st.sampled_from([_NOON + timedelta(microseconds=number) for number in range(3)]),
}


def _order(key: str, *, descending: bool = False, may_be_missing: bool = True) -> Order:
    return Order(
        subject="things",
        name=key,
        key=_things.c[key],
        identity=_things.c.id,
        descending=descending,
        may_be_missing=may_be_missing,
    )


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A database with an empty table of things."""
    if request.param == "sqlite":
        engine = create_engine("sqlite://")
        with engine.connect() as opened:
            _things.create(opened)
            yield opened
        return
    with request.getfixturevalue("postgres_database")("pages") as url:
        engine = create_engine(url)
        with engine.connect() as opened:
            _things.create(opened)
            yield opened
        engine.dispose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_paging_visits_each_row_once_in_the_order_of_the_whole_list(
    connection: Connection, data: st.DataObject
) -> None:
    """Even with ties, and rows without a key, which come last in both directions."""
    key = data.draw(st.sampled_from(sorted(_VALUES)))
    keys = data.draw(st.lists(st.none() | _VALUES[key], max_size=12))
    order = _order(key, descending=data.draw(st.booleans()))
    size = data.draw(st.integers(1, 4))
    with connection.begin_nested() as transaction:
        if keys:
            connection.execute(insert(_things), [{"id": str(number), key: value} for number, value in enumerate(keys)])
        query = with_position(select(_things), order)
        whole = [row.id for row in read_after(connection, query, order, None, 100)]

        visited: list[str] = []
        cursor: str | None = None
        while rows := read_after(
            connection, query, order, None if cursor is None else read_cursor(order, cursor), size
        ):
            visited += [row.id for row in rows]
            cursor = write_cursor(order, position_of(rows[-1]))
        transaction.rollback()

    assert visited == whole
    assert sorted(whole) == sorted(str(number) for number in range(len(keys)))
    found = [keys[int(identity)] for identity in whole]
    assert [value is None for value in found] == sorted(value is None for value in found)
    if key != "text":
        present = [value for value in found if value is not None]
        assert present == sorted(present, reverse=order.descending)


@pytest.mark.parametrize("most", [3, 20_000], ids=["by an index", "sorted"])
def test_any_number_of_parts_are_one_list(connection: Connection, most: int) -> None:
    """As many as models: 250 of them are read by three statements, where that is shorter than sorting all rows."""
    order = _order("number", descending=True)
    with connection.begin_nested() as transaction:
        connection.execute(insert(_things), [{"id": str(number), "number": number} for number in range(500)])
        splits = [_things.c.number % 250 == part for part in range(250)]
        run: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *given: run.append(given[2]))
        rows = read_after(
            connection, with_position(select(_things), order), order, Position(400, "400"), most, splits=splits
        )
        transaction.rollback()

    assert [row.number for row in rows] == list(range(399, -1, -1))[:most]
    assert sum("UNION ALL" in statement for statement in run) == (3 if most == 3 else 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("text", "é\n%"), ("number", -(2**63)), ("share", 1 / 3), ("at", _NOON), ("text", None)],
)
def test_a_cursor_is_read_as_it_was_written_and_fits_into_urls(key: str, value: Any) -> None:
    cursor = write_cursor(_order(key), Position(value, "an id"))

    assert read_cursor(_order(key), cursor) == Position(value, "an id")
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()


def _forge(tag: str, key: object, identity: object) -> str:
    """A cursor that somebody wrote who knows how."""
    body = json.dumps([tag, key, identity]).encode()
    return base64.urlsafe_b64encode(_digest(body) + body).decode().rstrip("=")


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "%%%", "A" * 10_000, _forge("t", 1, 2)[:-3] + "abc"])
def test_a_damaged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError, match=r"does not continue this list of things: .* Read the list from its start"):
        read_cursor(_order("text"), cursor)


@pytest.mark.parametrize(
    "order",
    [
        _order("text", descending=True),
        _order("number"),
        Order(subject="others", name="text", key=_things.c.text, identity=_things.c.id),
    ],
    ids=["direction", "key", "subject"],
)
def test_a_cursor_of_another_list_is_refused(order: Order) -> None:
    with pytest.raises(CursorError, match="another list or another order"):
        read_cursor(order, write_cursor(_order("text"), Position("a", "b")))


@pytest.mark.parametrize(
    ("key", "value", "identity"),
    [
        ("text", 1, "x"),
        ("text", "a\0b", "x"),
        ("text", "a", "\0"),
        ("text", "a", 1),
        ("text", "a", None),
        ("text", ["a"], "x"),
        ("number", 2**63, "x"),
        ("number", True, "x"),
        ("number", 1.5, "x"),
        ("share", "1", "x"),
        ("share", 10**400, "x"),
        ("share", float("nan"), "x"),
        ("share", float("inf"), "x"),
        ("at", "yesterday", "x"),
        ("at", "2026-01-01T12:00:00", "x"),
        ("at", 5, "x"),
    ],
)
def test_a_cursor_with_values_that_no_row_can_have_is_refused(key: str, value: object, identity: object) -> None:
    """Its digest is right: whoever knows how cursors are made still sends no nonsense to the database."""
    with pytest.raises(CursorError, match="damaged"):
        read_cursor(_order(key), _forge(_order(key).tag, value, identity))


def test_a_position_without_a_key_is_none_where_every_row_has_one() -> None:
    with pytest.raises(CursorError, match="damaged"):
        read_cursor(_order("text", may_be_missing=False), _forge(_order("text").tag, None, "x"))


@pytest.mark.parametrize(("limit", "rows"), [(0, 1), (-5, 1), (7, 7), (10**9, MOST_ROWS)])
def test_a_page_has_a_bound(limit: int, rows: int) -> None:
    assert rows_asked(limit) == rows


@pytest.mark.parametrize(("text", "can"), [("é", True), ("", True), ("a\0", False), ("\ud800", False)])
def test_what_no_database_can_hold_is_known(text: str, can: bool) -> None:
    assert is_storable(text) is can
