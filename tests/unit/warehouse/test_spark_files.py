"""Lists of files of Spark's tables, on a real server (Sail): by names, and with what its reader of files tells."""

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


@pytest.fixture(params=["by names", "by the reader"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How files are listed: by their names, as on Sail, or by its reader, which Spark is asked."""
    if request.param == "by the reader":
        monkeypatch.setattr(spark_files, "_READS_FILES", "in no plan")


@pytest.mark.usefixtures("way")
def test_what_has_files_is_listed_and_nothing_else(session: DbApiSession) -> None:
    listed = session.list_files([_T, _U, _ABSENT, (None, None, "empty")])

    assert listed.keys() == {_T, _U}
    assert listed[_T] != listed[_U]
    assert listed == {**session.list_files([_T]), **session.list_files([_U])}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "statement", ["INSERT INTO t VALUES (1)", "INSERT OVERWRITE t VALUES (1)"], ids=["more", "the same rows anew"]
)
def test_a_table_that_was_written_has_another_list(session: DbApiSession, statement: str) -> None:
    before = session.list_files([_T, _U])

    session.execute(statement)

    after = session.list_files([_T, _U])
    assert after[_T] != before[_T]
    assert after[_U] == before[_U]


def test_a_file_that_is_written_over_under_its_name_is_another_one(
    session: DbApiSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_files, "_READS_FILES", "in no plan")
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


def test_where_names_tell_a_name_that_may_be_used_again_tells_nothing(session: DbApiSession, tmp_path: Path) -> None:
    session.execute(f"CREATE TABLE outside USING parquet LOCATION '{tmp_path}' AS SELECT 1 AS a")
    (written,) = tmp_path.glob("**/*.parquet")

    written.rename(tmp_path / "rows.parquet")

    assert session.list_files([(None, None, "outside")]) == {}


def test_all_files_of_a_large_table_are_listed(session: DbApiSession, tmp_path: Path) -> None:
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
    monkeypatch.setattr(spark_files, "_READS_FILES", "in no plan")
    monkeypatch.setattr(spark_files, "_same", lambda _: "a.parquet")

    assert session.list_files([_T, _U]) == {}


@pytest.mark.parametrize(
    ("name", "is_named_once"),
    [
        ("part-00003-7684059b-f81a-465a-9410-1ddb82acfb24.c000.snappy.parquet", True),
        ("YZjDfyKN9751ABXE_12.zst.parquet", True),
        ("U6FcmL2mAH91Q7E8.zst.parquet", True),
        ("U6FcmL2mAH91Q7E8.parquet", False),
        ("000000_0", False),
        ("store_sales.parquet", False),
        ("SalesFacts202601.zst.parquet", False),
        ("averylongtablename.zst.parquet", False),
    ],
)
def test_only_names_that_were_drawn_stand_for_what_is_in_a_file(name: str, is_named_once: bool) -> None:
    folder = "file:///w/t-7684059b-f81a-465a-9410-1ddb82acfb24/k=1/"

    assert spark_files._is_named_once(folder + name) == is_named_once
