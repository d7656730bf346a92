"""Many rows at once, on both kinds of registry: what arrives, and errors in SQLAlchemy's words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Float,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.registry.bulk import PreparedStatement, insert_many

_TABLE = Table(
    'some "table"',
    MetaData(),
    Column("id", String(40), primary_key=True),
    Column("text", String),
    Column("data", LargeBinary),
    Column("figure", Float),
    Column("at", DateTime(timezone=True)),
)
_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with the empty table."""
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'r.sqlite'}" if is_file else request.getfixturevalue("postgres_url")
    engine = create_engine(url)
    _TABLE.create(engine)
    yield engine
    engine.dispose()


def test_what_is_inserted_is_read_again(engine: Engine) -> None:
    """Whatever is in it: quotes, tabs, backslashes, line ends, bytes, nothing."""
    rows: list[dict[str, Any]] = [
        {"id": "1", "text": "a\tb\\N\n'\"é", "data": b"\x00\xff\\.", "figure": 1.5},
        {"id": "2", "text": "", "data": b"", "figure": None},
        {"id": "\\.", "text": None, "data": None, "figure": -0.0},
    ]
    with engine.begin() as connection:
        insert_many(connection, _TABLE, {"at": _AT}, rows)
    with engine.connect() as connection:
        stored = {row.id: row._asdict() for row in connection.execute(select(_TABLE))}

    moments = {row.pop("at").replace(tzinfo=UTC) for row in stored.values()}
    assert (stored, moments) == ({row["id"]: row for row in rows}, {_AT})


def test_a_broken_constraint_is_sqlalchemys_error_and_nothing_stays(engine: Engine) -> None:
    """So that callers treat both databases alike."""
    rows = [{"id": key, "text": key, "data": b"", "figure": 0.0} for key in ("1", "2", "1")]
    with pytest.raises(IntegrityError), engine.begin() as connection:
        insert_many(connection, _TABLE, {"at": _AT}, rows)

    with engine.connect() as connection:
        assert connection.execute(select(_TABLE)).all() == []


def test_one_column_is_enough(engine: Engine) -> None:
    """Given with the rows, or the same in all."""
    with engine.begin() as connection:
        insert_many(connection, _TABLE, {}, [{"id": "1"}, {"id": "2"}])
        insert_many(connection, _TABLE, {"at": _AT}, [{"id": "3"}])

        assert connection.execute(select(_TABLE.c.id).order_by(_TABLE.c.id)).all() == [("1",), ("2",), ("3",)]


def test_no_rows_are_no_statement(engine: Engine) -> None:
    """Not even one that would fail."""
    with engine.begin() as connection:
        insert_many(connection, _TABLE, {"id": None}, [])

        assert connection.execute(select(_TABLE)).all() == []


def test_a_driver_that_takes_values_by_name_gets_them_by_name() -> None:
    engine = create_engine("sqlite://", paramstyle="named")
    _TABLE.create(engine)
    with engine.begin() as connection:
        insert_many(connection, _TABLE, {"text": "same"}, [{"id": "1", "figure": 1.5}, {"id": "2", "figure": None}])

        rows = connection.execute(select(_TABLE.c.id, _TABLE.c.text, _TABLE.c.figure).order_by(_TABLE.c.id)).all()
    assert rows == [("1", "same", 1.5), ("2", "same", None)]


def test_rows_that_are_the_first_thing_in_a_transaction_are_committed(engine: Engine) -> None:
    """Nothing was asked on the connection before."""
    with engine.connect() as connection:
        insert_many(connection, _TABLE, {}, [{"id": "1", "text": "a"}])
        connection.commit()
    with engine.connect() as connection:
        assert connection.scalars(select(_TABLE.c.id)).all() == ["1"]


def test_a_prepared_statement_runs_with_its_constants_and_what_is_given(engine: Engine) -> None:
    """Also a word of an enumeration, of which a driver might take the name."""
    constants = {"text": DefinitionStatus.DEFINED, "data": b"%s", "figure": 1.5, "at": None}
    statement = insert(_TABLE).values(id=bindparam("key"), **constants)
    with engine.begin() as connection:
        prepared = PreparedStatement(statement, connection.dialect)
        for key in ("50 %", "?"):
            prepared.execute(connection, {"key": key})
    with engine.connect() as connection:
        stored = {row.id: row for row in connection.execute(select(_TABLE))}

    assert {key: (row.text, row.data, row.figure, row.at) for key, row in stored.items()} == dict.fromkeys(
        ("50 %", "?"), ("defined", b"%s", 1.5, None)
    )
