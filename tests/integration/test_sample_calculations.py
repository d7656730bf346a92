"""Every calculated metric of the TPC-DS and internet sales sample models is answered, alone and beside what it moves
along.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from tests.support.stars.deployed import Deployed, deploy_for_queries
from tests.support.stars.internet_sales import SCHEMA, literal, tables
from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres
from tests.support.stars.tpcds_model import DATABASE, TABLES

TPCDS_GROUPINGS = {
    "alone": ("", ""),
    "by class": ('"Product Class Name", ', ""),
    "by item": ('"Product Item ID", "Product Class Name", ', """ WHERE "Product Category" = 'Books'"""),
    "by month": ('"Sold Calendar Year", "Sold Calendar Month", ', ' WHERE "Sold Calendar Year" = 2000'),
    "by week": ('"Sold Calendar Week", ', ' WHERE "Sold Calendar Year in the Week Hierarchy" = 2000'),
    "by quarter": (
        '"Product Manufacturer ID", "Sold Reporting Quarter Number", ',
        ' WHERE "Sold Month Sequence" < 1212',
    ),
}
RETAIL_LEVELS = ("Year", "Half Year", "Quarter", "Month", "Week", "Day")


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one database with the tables of both samples: the SQL of both wants it to have the same name."""
    folder = tmp_path_factory.mktemp("samples")
    parquet = generate("tpcds", os.environ.get("TPCDS_SCALE", "0.01"), folder)
    if request.param == "duckdb":
        load_duckdb(parquet, folder / f"{DATABASE}.duckdb", "tpcds", _sales())
        yield f"duckdb:///{folder / f'{DATABASE}.duckdb'}"
        return
    with request.getfixturevalue("postgres_database")(DATABASE) as url:
        load_postgres(parquet, url, "tpcds", TABLES, folder, _sales())
        yield url


@pytest.fixture(scope="module")
def tpcds(database: str, sample_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The sample on generated data, nothing built."""
    with deploy_for_queries(database, sample_models / "tpcds", tmp_path_factory.mktemp("tpcds")) as sample:
        yield sample


@pytest.fixture(scope="module")
def internet_sales(database: str, sample_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The sample on data made here, with a retail calendar of three years."""
    folder = tmp_path_factory.mktemp("internet_sales")
    with deploy_for_queries(database, sample_models / "internet-sales", folder) as sample:
        yield sample


def test_no_join_of_a_sound_model_is_said_to_be_refused(tpcds: Deployed, internet_sales: Deployed) -> None:
    """Their tables are there."""
    codes = {issue.code for sample in (tpcds, internet_sales) for issue in sample.report.issues}

    assert not {"refused-join", "columns-not-checked"} & codes


def _names(sample: Deployed, folder: Path) -> list[str]:
    """Calculated metrics of a folder, as they are deployed."""
    calculations = sample.model.calculations
    assert len(calculations) == len(list((folder / "calculations").glob("*.yml")))
    return sorted(calculations)


def _sales() -> list[str]:
    """The tables that other tests have, with orders over three years."""
    star_tables = tables()
    days, columns = _calendar()
    draw = random.Random(3)
    kinds, rows = star_tables["factinternetsales"]
    place = [part.split()[0] for part in kinds.split(", ")].index("orderdatekey")
    moved = [(*row[:place], draw.choice(days)[0], *row[place + 1 :], draw.randint(1, 9)) for row in rows]
    kinds_of_products, products = star_tables["dimproduct"]
    named = [(*row, f"product {row[0]}") for row in products]
    # What only these queries need of the tables.
    star_tables["dimproduct"] = (f"{kinds_of_products}, englishproductname varchar(20)", named)
    star_tables |= {"factinternetsales": (f"{kinds}, unitprice integer", moved), "datecustom": (columns, days)}
    statements = [f"CREATE SCHEMA {SCHEMA}"]
    for table, (spelled, values) in star_tables.items():
        statements.append(f"CREATE TABLE {SCHEMA}.{table} ({spelled})")
        values_text = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in values)
        statements.append(f"INSERT INTO {SCHEMA}.{table} VALUES {values_text}")
    return statements


def _calendar() -> tuple[list[tuple[Any, ...]], str]:
    """Three years of 52 weeks in quarters of 4, 4 and 5 weeks; half a year before the first."""
    rows: list[tuple[Any, ...]] = []
    for number in range(26 * 7, 4 * 364):
        day = date(2018, 1, 1) + timedelta(days=number)
        year, week = divmod(number // 7, 52)
        quarter, week_of_quarter = divmod(week, 13)
        month = quarter * 3 + min(week_of_quarter // 4, 2)
        keys = [int(day.strftime("%Y%m%d")), 2018 + year]
        keys += [keys[1] * 10 + week // 26, keys[1] * 10 + quarter, keys[1] * 100 + month, keys[1] * 100 + week]
        names = [f"{kind} {key}" for kind, key in zip(("FY", "H", "Q", "M", "W"), keys[1:], strict=True)]
        before = [keys[1] - 1, keys[2] - 10, keys[3] - 10, keys[4] - 100, keys[5] - 100]
        earlier = int((day - timedelta(days=364)).strftime("%Y%m%d"))
        rows.append((*keys, *names, day.isoformat(), *before[1:], earlier))
    columns = ["datekey", *(f"reporting_{kind}" for kind in ("year", "half_year", "quarter", "month", "week"))]
    texts = [
        f"reporting_{kind}"
        for kind in ("year_name", "half_year_name", "quarter_name", "month_name2", "week_name", "day")
    ]
    lags = [f"reporting_{kind}_lykey" for kind in ("half_year", "quarter", "month", "week", "day")]
    return rows, ", ".join(
        [
            *(f"{column} integer" for column in columns),
            *(f"{text} varchar(20)" for text in texts),
            *(f"{lag} integer" for lag in lags),
        ]
    )


def test_every_calculation_of_tpcds_is_answered(tpcds: Deployed, sample_models: Path) -> None:
    """Each is asked beside what it moves along; the one that stands on a missing metric is refused by name."""
    router = tpcds.router
    names = _names(tpcds, sample_models / "tpcds")
    answered: dict[str, set[str]] = {name: set() for name in names}
    for name in names:
        for grouping, (keys, where) in TPCDS_GROUPINGS.items():
            try:
                result = router.answer(f'SELECT {keys}"{name}" FROM tpcds_benchmark_model{where}')
            except UnsupportedQueryError:
                continue
            assert result.rows, (name, grouping)
            answered[name].add(grouping)

    broken = [name for name, groupings in answered.items() if not groupings]
    assert len(names) == 50
    assert broken == ["Catalog and Web Sales per Warehouse SqFt"]
    with pytest.raises(UnsupportedQueryError, match=r"metric `m_warehouse_square_feet`, which does not exist"):
        router.answer(f'SELECT "{broken[0]}" FROM tpcds_benchmark_model')
    assert all(
        {"alone", "by class", "by item"} <= groupings for name, groupings in answered.items() if name not in broken
    )
    assert {"by month"} <= answered["Store Sales Increase"] & answered["Web Sales Increase"]
    growths = (
        "Catalog Purchased Amount Growth",
        "Store and Web Purchase Amount Growth",
        "Web and Catalog Sales Price Growth",
    )
    assert all("by week" in answered[name] for name in growths)
    assert answered["Windowed Avg Quarter Sales Ratio"] == answered["Avg Quarter Sales Ratio"] | {"by quarter"}


def test_every_calculation_of_internet_sales_is_answered(internet_sales: Deployed, sample_models: Path) -> None:
    """Each is asked alone and by every level of the retail calendar, and one of them by those of the other calendar."""
    router = internet_sales.router
    names = _names(internet_sales, sample_models / "internet-sales")
    of_custom = "Sales Amount Prior Year"

    for name in names:
        for level in RETAIL_LEVELS:
            kind = "Custom" if name == of_custom else "Reporting"
            if kind == "Custom" and level == "Half Year":
                continue
            result = router.answer(f'SELECT "Order {kind} {level}", "{name}" FROM internet_sales')
            assert result.rows, name
        assert len(router.answer(f'SELECT "{name}" FROM internet_sales').rows) == 1
    assert len(names) == 21


def test_nothing_of_the_samples_is_told_to_be_untranslated(tpcds: Deployed, internet_sales: Deployed) -> None:
    """Deployment says something of the broken calculation only."""
    issues = [issue for sample in (tpcds, internet_sales) for issue in sample.report.issues]

    assert [issue.code for issue in issues if issue.code == "untranslated-calculation"] == []
    assert len([issue for issue in issues if "m_warehouse_square_feet" in str(issue)]) == 1


def test_internet_sales_move_along_the_retail_calendar(internet_sales: Deployed) -> None:
    """They equal plain Python: the periods before and after, the year before, to date, and an average over days."""
    workspace, router = internet_sales.workspace, internet_sales.router
    days, _ = _calendar()
    with workspace.warehouse.session() as session:
        sales = session.fetch_all(f"SELECT orderdatekey, salesamount, customerkey FROM {SCHEMA}.factinternetsales")
    order = sorted(row[0] for row in days)
    months = sorted({row[4] for row in days})
    month_of = {row[0]: row[4] for row in days}
    name_of = {row[4]: row[9] for row in days}
    day_names = {row[0]: row[11] for row in days}

    def total(keys: Sequence[object], by: dict[object, object] | None = None) -> float | None:
        amounts = [sale[1] for sale in sales if (by[sale[0]] if by else sale[0]) in keys and sale[1] is not None]
        return math.fsum(amounts) if amounts else None

    query = (
        'SELECT "Order Reporting Month", "Sales Amount Prior Period", "Sales Amount Next Period", "Sales Amount '
        "Year "
        'to Date", '
    )
    query += '"Customer Count Prior Year" FROM internet_sales WHERE "Order Reporting Year" = \'FY 2020\''
    values_of = {row[0]: row[1:] for row in router.answer(query).rows}
    for place, month in enumerate(months):
        if month // 100 == 2020 and total([month], month_of) is not None:
            to_date = [earlier for earlier in months[: place + 1] if earlier // 100 == 2020]
            customers = {sale[2] for sale in sales if month_of[sale[0]] == month - 100} - {None}
            wanted = (
                total([months[place - 1]], month_of),
                total([months[place + 1]], month_of),
                total(to_date, month_of),
            )
            assert values_of[name_of[month]][:3] == pytest.approx(wanted)
            assert (values_of[name_of[month]][3] or 0) == len(customers)

    moving = 'SELECT "Order Reporting Day", "Sales Amount 30 Period Moving Average" FROM internet_sales'
    by_day = {day: total([day]) for day in order}
    averages = dict(router.answer(moving).rows)
    assert averages
    for place, day in enumerate(order):
        if day_names[day] in averages:
            days_of_window = order[max(place - 29, 0) : place + 1]
            window = [amount for near_day in days_of_window if (amount := by_day[near_day]) is not None]
            wanted_average = math.fsum(window) / len(window) if window else None
            assert averages[day_names[day]] == pytest.approx(wanted_average)
