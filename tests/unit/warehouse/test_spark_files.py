"""Lists of files of Spark's tables, on a real server (Sail)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.errors import TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse import spark_files
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.spark_client import PySparkException

_T, _U, _ABSENT = (None, None, "t"), (None, "default", "u"), (None, None, "absent")


@pytest.fixture
def session(sail_address: str) -> Iterator[DbApiSession]:
    """A session with two tables in files, an empty one and a view."""
    warehouse = open_warehouse(shared_session(sail_address))
    with warehouse.session() as opened:
        opened.execute("CREATE TABLE t USING parquet AS SELECT 1 AS a")
        opened.execute("CREATE TABLE u USING parquet AS SELECT 2 AS a")
        opened.execute("CREATE TABLE empty (a INT) USING parquet")
        yield opened
    warehouse.close()


def test_what_has_files_is_listed_and_nothing_else(session: DbApiSession) -> None:
    listed = session.list_files([_T, _U, _ABSENT, (None, None, "empty")])

    assert listed.keys() == {_T, _U}
    assert listed[_T] != listed[_U]
    assert listed == {**session.list_files([_T]), **session.list_files([_U])}


@pytest.mark.parametrize(
    "statement", ["INSERT INTO t VALUES (1)", "INSERT OVERWRITE t VALUES (1)"], ids=["more", "the same rows anew"]
)
def test_a_table_that_was_written_has_another_list(session: DbApiSession, statement: str) -> None:
    before = session.list_files([_T, _U])

    session.execute(statement)

    after = session.list_files([_T, _U])
    assert after[_T] != before[_T]
    assert after[_U] == before[_U]


def test_a_file_that_is_written_over_under_its_name_is_another_one(session: DbApiSession, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    session.execute(f"CREATE TABLE outside USING parquet LOCATION '{tmp_path}' AS SELECT 1 AS a")
    (written,) = tmp_path.glob("**/*.parquet")
    before = session.list_files([(None, None, "outside")])
    content = written.read_bytes()
    written.rename(file)
    file.rename(written)
    assert session.list_files([(None, None, "outside")]) == before

    written.write_bytes(content)

    assert session.list_files([(None, None, "outside")]) not in ({}, before)


def test_large_files_that_are_read_in_parts_are_listed(session: DbApiSession, tmp_path: Path) -> None:
    session.execute(
        f"CREATE TABLE large USING parquet LOCATION '{tmp_path}' AS SELECT id, UUID() AS text FROM RANGE(500000)"
    )

    listed = session.list_files([(None, None, "large")])

    assert listed[None, None, "large"].startswith(f"{len(list(tmp_path.glob('**/*.parquet')))}/")


def test_paths_that_may_not_be_read_are_not_listed(session: DbApiSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> dict[str, tuple[int, int]]:
        raise PySparkException("[INSUFFICIENT_PERMISSIONS] User lacks READ FILES")

    monkeypatch.setattr(spark_files, "_states", refuse)

    assert session.list_files([_T]) == {}


def test_a_server_that_does_not_answer_is_no_table_without_files(
    session: DbApiSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> dict[str, tuple[int, int]]:
        raise PySparkException("StatusCode.UNAVAILABLE failed to connect")

    monkeypatch.setattr(spark_files, "_states", lose)

    with pytest.raises(TransientWarehouseError):
        session.list_files([_T])


def test_files_of_which_two_look_like_one_are_not_listed(
    session: DbApiSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_files, "_same", lambda _: "a.parquet")

    assert session.list_files([_T, _U]) == {}
