"""What errors of ClickHouse mean, by texts as they were said."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.warehouse.clickhouse_errors import (
    ClickHouseError,
    clickhouse_failure,
    describe_clickhouse,
    is_transient,
)
from airflow_atscale_aggs.engine.warehouse.drivers import Failure

_NO_TABLE = "Code: 60. DB::Exception: Unknown table expression identifier 's.t'. Maybe you meant s.v? (UNKNOWN_TABLE)"
_NOT_A_TABLE = "Code: 60. DB::Exception: Table s.t does not exist. (UNKNOWN_TABLE)"


@pytest.mark.parametrize(
    ("message", "name", "failure"),
    [
        (_NO_TABLE, "t", Failure.ABSENT),
        (_NO_TABLE, "T", Failure.ABSENT),
        (_NO_TABLE, "", Failure.ABSENT),
        (_NO_TABLE, "v", Failure.OTHER),
        (_NOT_A_TABLE, "t", Failure.ABSENT),
        ("Code: 81. DB::Exception: Database no does not exist. (UNKNOWN_DATABASE)", "t", Failure.ABSENT),
        ("Code: 497. DB::Exception: me: Not enough privileges. (ACCESS_DENIED)", "t", Failure.NO_RIGHT),
        ("Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)", "t", Failure.NO_RIGHT),
        ("Code: 210. DB::Exception: Connection refused (NETWORK_ERROR)", "t", Failure.NO_CONNECTION),
        ("Code: 47. DB::Exception: Unknown expression identifier `t`. (UNKNOWN_IDENTIFIER)", "t", Failure.OTHER),
        ("something else", "t", Failure.OTHER),
    ],
)
def test_no_table_no_right_no_connection_and_the_rest_are_told_apart(message: str, name: str, failure: Failure) -> None:
    assert clickhouse_failure(ClickHouseError(message), name) is failure


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (ClickHouseError("Code: 241. DB::Exception: Memory limit exceeded"), True),
        (ClickHouseError("Code: 394. DB::Exception: Query was cancelled."), True),
        (ClickHouseError("Code: 62. DB::Exception: Syntax error"), False),
        (ClickHouseError("another process holds the folder", is_held=True), True),
        (ValueError("no error of ClickHouse"), False),
    ],
)
def test_what_may_pass(error: Exception, may_pass: bool) -> None:
    assert is_transient(error) is may_pass


def test_it_is_told_on_one_line_with_what_it_means() -> None:
    told = describe_clickhouse(ClickHouseError("Code: 497. DB::Exception: me:\n Not enough privileges."))

    assert told.startswith("Code: 497. DB::Exception: me: Not enough privileges. (the connection's user lacks a right")
