"""Tests for what is made sure of before a warehouse is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.errors import (
    RegistryError,
    RegistryUnavailableError,
    TransientWarehouseError,
    UnsupportedOnDialectError,
)
from airflow_atscale_aggs.engine.sql.capabilities import Dialect, Proven
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.self_test_texts import NEEDS
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.first_contact import (
    FirstContact,
    find_differences,
    is_yes,
    place_of,
    split_acceptance,
    statements_for,
)
from airflow_atscale_aggs.engine.warehouse.sqlalchemy_urls import open_url
from tests.support.tcp_proxy import tcp_proxy

_SQLITE = Dialect(
    name="sqlite",
    sqlglot_name="sqlite",
    schemes=("sqlite",),
    proven=Proven.BY_AUTHORS,
    version="SELECT SQLITE_VERSION()",
)


_ALONE = "sum_of_widest_decimal"
_KNOWN = {
    "nans_are_one_group": "NaN is 0",
    "timestamp_keeps_microseconds": "timestamps have seconds",
    "instant_keeps_zone_and_microseconds": "timestamps have no zone",
    _ALONE: "decimals are floating numbers",
}
"""What SQLite does otherwise."""


class _Memory:
    """A memory in a mapping, which may fail as a registry does."""

    def __init__(self, error: RegistryError | None = None) -> None:
        self.proofs: dict[str, str] = {}
        self._error = error

    def recall(self, place: str) -> str:
        if self._error is not None:
            raise self._error
        return self.proofs.get(place, "")

    def remember(self, place: str, proof: str) -> None:
        if self._error is not None:
            raise self._error
        self.proofs[place] = proof


OpenSqlite = Callable[..., DbApiWarehouse]


@pytest.fixture
def open_sqlite(tmp_path: Path) -> OpenSqlite:
    """Opens an SQLite file as a warehouse with some differences that its row knows of."""

    def opened(differences: Mapping[str, str], **contact: object) -> DbApiWarehouse:
        row = replace(_SQLITE, differences=differences)
        warehouse = open_url(f"sqlite:///{tmp_path / 'w.sqlite'}", row, aggregate_schema="")
        warehouse.first_contact = FirstContact("here", **contact)  # type: ignore[arg-type]
        return warehouse

    return opened


def test_what_sqlite_does_otherwise_is_found_and_it_is_refused_by_name(open_sqlite: OpenSqlite) -> None:
    warehouse = open_sqlite({})
    with warehouse.session() as session:
        with pytest.raises(UnsupportedOnDialectError) as refused:
            session.fetch_all("SELECT 1")
        warehouse.first_contact = None
        assert find_differences(session, statements_for(_SQLITE)) == dict.fromkeys(_KNOWN, "")

    assert "sqlite: this warehouse is not used" in str(refused.value)
    assert all(f"It is not so that {NEEDS[name]}." in str(refused.value) for name in _KNOWN)
    assert not refused.value.is_transient


def test_what_a_row_knows_of_is_no_reason_to_refuse(open_sqlite: OpenSqlite) -> None:
    with open_sqlite(_KNOWN).session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]


def test_each_session_is_refused_until_it_is_proven(open_sqlite: OpenSqlite) -> None:
    warehouse = open_sqlite({})
    for _ in range(2):
        with warehouse.session() as session, pytest.raises(UnsupportedOnDialectError):
            session.execute("CREATE TABLE t (a INTEGER)")


def test_what_was_proven_is_remembered_for_the_version(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = _Memory()
    with open_sqlite(_KNOWN, memory=memory).session() as session:
        session.fetch_all("SELECT 1")
        ((version,),) = session.fetch_all("SELECT SQLITE_VERSION()")
    digest = statements_for(_SQLITE).digest
    assert memory.proofs == {"here": f"{digest} {version}"}

    # A row that knows of nothing would refuse it, if it asked.
    with open_sqlite({}, memory=memory).session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]
    memory.proofs["here"] = f"{digest} another version"
    with open_sqlite({}, memory=memory).session() as session, pytest.raises(UnsupportedOnDialectError):
        session.fetch_all("SELECT 1")


@pytest.mark.parametrize("version", ["", "SELECT NO_SUCH_FUNCTION()"])
def test_without_a_version_nothing_is_remembered(open_sqlite: OpenSqlite, version: str) -> None:
    memory = _Memory()
    warehouse = open_sqlite(_KNOWN, memory=memory)
    warehouse.dialect = replace(warehouse.dialect, version=version)
    with warehouse.session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]
    assert memory.proofs == {}


def test_a_registry_that_is_away_stops_nobody(open_sqlite: OpenSqlite) -> None:
    memory = _Memory(RegistryUnavailableError("r", "it is locked"))
    with open_sqlite(_KNOWN, memory=memory).session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]


def test_a_dialect_that_was_never_run_must_be_asked_for(open_sqlite: OpenSqlite) -> None:
    for is_accepted in (False, True):
        warehouse = open_sqlite(_KNOWN, is_unproven_accepted=is_accepted)
        warehouse.dialect = replace(warehouse.dialect, proven=Proven.RENDERED)
        with warehouse.session() as session:
            if is_accepted:
                assert session.fetch_all("SELECT 1") == [(1,)]
                continue
            with pytest.raises(UnsupportedOnDialectError, match=r"nobody has run the engine on sqlite.*accept_"):
                session.fetch_all("SELECT 1")


def test_sail_adds_up_without_a_check_and_its_row_knows(sail_address: str) -> None:
    warehouse = open_warehouse(shared_session(sail_address))
    with warehouse.session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]
        found = find_differences(session, statements_for(warehouse.dialect))
    assert found == {"sum_of_bigint": "", "sum_of_widest_decimal": ""}
    assert set(DIALECTS["spark"].differences) == set(found)
    warehouse.close()


@pytest.mark.postgres
def test_where_nobody_answers_any_more_nothing_more_is_asked(postgres_url: str) -> None:
    """Each question would wait as long as the first one, which is half a minute on Apache Spark."""
    parts = urlsplit(postgres_url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    target: int | str = f"{folder}/.s.PGSQL.{parts.port or 5432}" if folder else parts.port or 5432
    with tcp_proxy(target) as line:
        through = parts._replace(netloc=f"{parts.username or 'postgres'}@127.0.0.1:{line.port}", query="")
        warehouse = open_warehouse(through.geturl())
        warehouse.first_contact = None
        asked: list[str] = []
        with warehouse.session() as session:
            fetch_all = session.fetch_all

            def fetch_and_count(sql: str) -> list[tuple[object, ...]]:
                asked.append(sql)
                return fetch_all(sql)

            session.fetch_all = fetch_and_count  # type: ignore[method-assign]
            assert find_differences(session, statements_for(warehouse.dialect)) == {}
            asked.clear()
            line.cut()
            with pytest.raises(TransientWarehouseError):
                find_differences(session, statements_for(warehouse.dialect))
        warehouse.close()

    assert len(asked) == 1


@pytest.mark.postgres
def test_postgres_differs_in_nothing(postgres_url: str) -> None:
    warehouse = open_warehouse(postgres_url)
    with warehouse.session() as session:
        assert find_differences(session, statements_for(warehouse.dialect)) == {}


def test_a_question_that_is_refused_is_asked_by_itself_and_does_not_hide_the_others(open_sqlite: OpenSqlite) -> None:
    """SQLite refuses a sum of whole numbers that is too large, which is as good as a right one."""
    warehouse = open_sqlite({})
    warehouse.first_contact = None
    statements = statements_for(_SQLITE)
    broken = replace(
        statements, together="SELECT NO_SUCH_FUNCTION()", alone={"distinct_ignores_null": "SELECT 1 FROM gone"}
    )
    with warehouse.session() as session:
        differences = find_differences(session, broken)

    assert set(differences) == {*_KNOWN, "distinct_ignores_null"} - {_ALONE}
    assert "no such table: gone" in differences["distinct_ignores_null"]


def test_the_place_of_a_warehouse_holds_no_secret() -> None:
    one, other = "sc://host:1/;token=secret;session_id=1", "sc://host:1/;token=other"

    assert place_of(one) == place_of(other) != place_of("sc://host:2/")
    assert "secret" not in place_of(one)


@pytest.mark.parametrize(
    ("url", "split"),
    [
        ("trino://h/d", ("trino://h/d", False)),
        ("trino://h/d?accept_unproven=true", ("trino://h/d", True)),
        ("sc://h/;a=b?spark.x=y&accept_unproven=1", ("sc://h/;a=b?spark.x=y", True)),
        ("trino://h/d?accept_unproven=false&a=b", ("trino://h/d?a=b", False)),
    ],
)
def test_the_acceptance_is_no_option_of_a_driver(url: str, split: tuple[str, bool]) -> None:
    assert split_acceptance(url) == split


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("Yes", True), ("", False), ("no", False), (0, False)])
def test_yes_is_said_in_many_ways(value: object, expected: bool) -> None:
    assert is_yes(value) is expected


@pytest.mark.parametrize("option", ["integer_division=true", "default_collation=nocase"])
def test_what_a_setting_of_duckdb_changes_is_known(option: str) -> None:
    """Batches note these settings, and answers under others are told."""
    warehouse = open_warehouse(f"duckdb://?{option}")
    with warehouse.session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]
        found = find_differences(session, statements_for(warehouse.dialect))

    assert set(found) & set(warehouse.dialect.differences) == set(found) != set()
