"""ClickHouse's row: sums are right or an error, and what it does otherwise is known."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.dialect_rows.clickhouse_row import CLICKHOUSE
from airflow_atscale_aggs.engine.sql.join_types import are_incomparable
from airflow_atscale_aggs.engine.sql.queries import as_double, sum_argument, sum_of, type_of_sum
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.first_contact import find_differences, statements_for
from tests.support.stars.small_star import described_sources

_MOST_BIGINT = "9223372036854775807"
_MOST_DECIMAL = "9" * 38


def test_it_means_what_is_relied_on_but_for_sums_beyond_their_range(clickhouse: DbApiSession) -> None:
    assert set(find_differences(clickhouse, statements_for(CLICKHOUSE))) == set(CLICKHOUSE.differences)


@pytest.mark.parametrize(
    ("kind", "values", "total"),
    [
        ("bigint", (_MOST_BIGINT, "-1"), int(_MOST_BIGINT) - 1),
        ("ubigint", ("5", "6"), 11),
        ("decimal(38,0)", (_MOST_DECIMAL, "-1"), Decimal("9" * 37 + "8")),
        ("decimal(20,2)", ("0.10", "0.20"), Decimal("0.30")),
        ("decimal(9,2)", ("0.10", "0.20"), Decimal("0.30")),
        ("double", ("0.5", "0.25"), 0.75),
    ],
)
def test_sums_are_exact(clickhouse: DbApiSession, kind: str, values: tuple[str, ...], total: object) -> None:
    source = described_sources(CLICKHOUSE, sales=f"amount {kind}")["sales"]
    clickhouse.execute(_table(kind, values))

    assert clickhouse.fetch_all(_asked(sum_of(column_of("amount"), source, "amount"))) == [(total,)]
    kind_of_sum = type_of_sum(source, "amount")
    assert (kind_of_sum is None) == (kind in {"decimal(9,2)", "double"})
    if kind_of_sum is not None:
        again = exp.Sum(this=sum_argument(column_of("amount"), kind_of_sum, CLICKHOUSE))
        assert clickhouse.fetch_all(_asked(exp.Cast(this=again, to=kind_of_sum))) == [(total,)]


@pytest.mark.parametrize(
    ("kind", "most"),
    [("bigint", _MOST_BIGINT), ("decimal(38,0)", _MOST_DECIMAL), ("decimal(38,10)", f"{'9' * 28}.{'9' * 10}")],
)
def test_a_sum_beyond_its_range_is_an_error(clickhouse: DbApiSession, kind: str, most: str) -> None:
    """And not the other end of the range, which ClickHouse's own SUM gives."""
    source = described_sources(CLICKHOUSE, sales=f"amount {kind}")["sales"]
    clickhouse.execute(_table(kind, (most, most)))

    ((own,),) = clickhouse.fetch_all("SELECT SUM(amount) FROM sales")
    assert own < 0
    with pytest.raises(PermanentWarehouseError, match="overflow"):
        clickhouse.fetch_all(_asked(sum_of(column_of("amount"), source, "amount")))


def test_a_mean_whose_sum_does_not_fit_is_an_error(clickhouse: DbApiSession) -> None:
    """ClickHouse's own AVG adds up in the numbers' type, and gives another one."""
    clickhouse.execute(_table("bigint", (_MOST_BIGINT, _MOST_BIGINT)))
    total = sum_of(column_of("amount"), described_sources(CLICKHOUSE, sales="amount bigint")["sales"], "amount")

    assert clickhouse.fetch_all("SELECT AVG(amount) FROM sales") == [(-1.0,)]
    with pytest.raises(PermanentWarehouseError, match="overflow"):
        clickhouse.fetch_all(_asked(exp.Div(this=as_double(total), expression=exp.Literal.number(2))))


@pytest.mark.parametrize(
    ("left", "right", "refused"),
    [("date", "bigint", True), ("varchar", "date", False), ("ubigint", "decimal(9, 2)", False), ("uuid", "date", True)],
)
def test_which_types_cannot_be_compared(left: str, right: str, refused: bool) -> None:
    assert are_incomparable(left, right, CLICKHOUSE) is refused


def _asked(value: exp.Expr) -> str:
    return render(exp.select(value).from_("sales"), CLICKHOUSE)


def _table(kind: str, values: tuple[str, ...]) -> str:
    type_ = exp.DataType.build("uint64", dialect="clickhouse") if kind == "ubigint" else kind
    rows = [exp.select(exp.alias_(exp.cast(exp.Literal.string(value), type_), "amount")) for value in values]
    union = exp.union(*rows, distinct=False)
    return render(exp.Create(this=exp.to_table("sales"), kind="TABLE", expression=union), CLICKHOUSE)
