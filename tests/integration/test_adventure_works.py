"""Queries on the Adventure Works sample model equal SELECTs written by hand, on data made up here.

Not compared, because the sample's own text cannot be run or proven on our warehouses:

- Sales quotas by date: the relationship compares a quarter (a number) with a year (a timestamp), which both warehouses
  refuse; deployment tells, and it is refused by name.
- The description of a product's class and what shows it: its SQL does not parse.
- Sales by reason: the reasons of an order line are not declared many-to-many, so a line with two reasons is refused by
name.
- Tuples with members by key, where queries see names, and the two calculations that deploy leaves untranslated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.semantic_model import DimensionRelationship, Relationship
from tests.support.oracles.query_cases import QueryCase
from tests.support.stars.deployed import deploy_for_queries
from tests.support.stars.model_data import ModelData, Row, Value, days

DATABASE = "atscale_tutorial_data"
SCHEMA = "adventureworks2012"

SIZES = {"Internet Sales": 400, "Reseller Sales": 400, "Finance Facts": 150, "InternetSalesReason": 60}
CHOICES: dict[str, Sequence[Value]] = {
    "gender": ("M", "F", None),
    "maritalstatus": ("S", "M", None),
    "houseownerflag": (0, 1, None),
    "productline": ("M ", "R ", "S ", "T ", None),
    "style": ("U ", "U", "M", "W", None),
    "orderfrequency": ("A", "S", "Q", None),
    "color": ("Black", "Red", "Silver", None),
    "englishcountryregionname": ("Canada", "France", "France", "Germany", None),
    "englishproductcategoryname": ("Bikes", "Clothing", "Accessories", None),
    "salesorderlinenumber": (1, 2, 3),
    "salesordernumber": tuple(f"SO{number}" for number in range(1, 25)),
}

WorkspaceAndRouter = tuple[Workspace, QueryRouter]


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def adventure(
    request: pytest.FixtureRequest, sample_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkspaceAndRouter]:
    """The sample on made-up rows; it has no aggregates."""
    folder = tmp_path_factory.mktemp("adventure")
    model = sample_models / "adventureworks2012"
    if request.param == "duckdb":
        yield from _open_sample(f"duckdb:///{folder / f'{DATABASE}.duckdb'}", model, folder)
    else:
        with request.getfixturevalue("postgres_database")(DATABASE) as url:
            yield from _open_sample(url, model, folder)


def _open_sample(warehouse: str, folder: Path, scratch: Path) -> Iterator[WorkspaceAndRouter]:
    with deploy_for_queries(warehouse, folder, scratch) as sample:
        data = ModelData(sample.model, SCHEMA, SIZES, CHOICES, {"DateCustom": list(_calendar())})
        with sample.workspace.warehouse.session() as session:
            for statement in data.statements():
                session.execute(statement)
        yield sample.workspace, sample.router


def _calendar() -> Iterator[Row]:
    """Days of two years; the reporting year starts two months later."""
    for day in days(date(2006, 10, 1), date(2008, 9, 30), 5):
        row: Row = {"datekey": int(day.strftime("%Y%m%d")), "pk_date": day, "day_of_week": day.isoweekday()}
        row |= {"day_of_week_name": day.strftime("%A"), "reporting_day": day, "month_of_year": day.month}
        for prefix, moved in (("", day), ("reporting_", day - timedelta(days=60))):
            quarter = (moved.month + 2) // 3
            half = (quarter + 1) // 2
            row |= {
                f"{prefix}year": datetime(moved.year, 1, 1),
                f"{prefix}year_name": f"{prefix[:1]}Y {moved.year}",
                f"{prefix}half_year": datetime(moved.year, half * 6 - 5, 1),
                f"{prefix}half_year_of_year": half,
                f"{prefix}half_year_of_year_name": f"{prefix[:1]}H{half}",
                f"{prefix}half_year_name": f"{prefix[:1]}H{half} {moved.year}",
                f"{prefix}quarter": datetime(moved.year, quarter * 3 - 2, 1),
                f"{prefix}quarter_name": f"{prefix[:1]}Q{quarter} {moved.year}",
                f"{prefix}quarter_of_year": quarter,
                f"{prefix}quarter_of_year_name": f"{prefix[:1]}Q{quarter}",
                f"{prefix}month": datetime(moved.year, moved.month, 1),
                f"{prefix}month_name": moved.strftime("%B %Y"),
            }
        yield row


@pytest.mark.parametrize("case", QueryCase.read("adventure_works_sample"), ids=lambda case: case.name)
def test_a_query_equals_the_select_written_by_hand(adventure: WorkspaceAndRouter, case: QueryCase) -> None:
    """From the facts and routed, and no case is about nothing."""
    workspace, router = adventure

    assert router.answer(case.query, use_aggregates=False).rows
    case.check(router, workspace, SCHEMA)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('"Sales Reason", "Internet Sales Amount Local"', r"`InternetSalesReason` .* differ in \(salesreasonkey\)"),
        ('"Class", "Reseller Order Count"', r"calculated column `classdesc` .* cannot be read"),
        ('"Internet Order Count for Bikes"', r"`Category` .* by a key that queries do not see"),
        ('"Month", "Internet Order Count Year to Date"', r"YTD.* is not translated"),
        (
            '"Reporting Quarter", "Sales Amount Quota"',
            r"`calendarquarter` \(BIGINT\) is joined to .* refuses to compare",
        ),
        ('"Color", "Internet Sales Reason Count"', r"no relationship leads from .* `InternetSalesReason` to `Color`"),
    ],
)
def test_what_cannot_be_proven_is_refused_by_name(adventure: WorkspaceAndRouter, columns: str, message: str) -> None:
    """A refusal takes the place of a number that the sample does not define."""
    with pytest.raises(UnsupportedQueryError, match=message):
        adventure[1].answer(f"SELECT {columns} FROM AdventureWorks2012", use_aggregates=False)


def test_deploy_tells_the_joins_that_the_warehouse_refuses_and_no_others(
    adventure: WorkspaceAndRouter, sample_models: Path, tmp_path: Path
) -> None:
    """Each relationship between columns of tables is tried."""
    workspace, folder = adventure[0], sample_models / "adventureworks2012"
    report = deploy(workspace, folder, now=utc_now())
    (record,) = workspace.read.models.current()
    model = read_deployed_model(workspace.read, record)
    tried, refused = 0, []
    edges: list[Relationship | DimensionRelationship] = [
        *model.relationships,
        *(edge for dimension in model.dimensions.values() for edge in dimension.relationships),
    ]
    with workspace.warehouse.session() as session:
        session.execute(f"SET search_path = '{SCHEMA}'")
        for edge in edges:
            target = model.dimensions[edge.dimension].attributes[edge.level]
            sides = [(edge.from_dataset, edge.from_columns), (target.dataset, target.key_columns)]
            names = [[_physical(model.datasets[name], column) for column in columns] for name, columns in sides]
            tables = [model.datasets[name].table for name, _ in sides]
            if None in (*tables, *names[0], *names[1]):
                continue
            tried += 1
            on = " AND ".join(
                f'a."{from_column}" = b."{to_column}"' for from_column, to_column in zip(*names, strict=True)
            )
            try:
                session.fetch_all(f'SELECT COUNT(*) FROM "{tables[0]}" AS a JOIN "{tables[1]}" AS b ON {on}')
            except PermanentWarehouseError:
                refused.append(edge.where)

    refused_joins = [issue for issue in report.issues if issue.code == "refused-join"]
    assert [f"{issue.file}:{issue.line}" for issue in refused_joins] == refused
    assert ["`Sales_Quota_Facts_Date_Custom`" in issue.message for issue in refused_joins] == [True]
    assert tried > 10


def _physical(dataset: Dataset, name: str) -> str | None:
    return None if dataset.columns[name].variants else name


def test_the_data_has_every_kind_of_key(adventure: WorkspaceAndRouter) -> None:
    """There are facts that match, that lead nowhere and that have no key, and names that several keys share."""
    with adventure[0].warehouse.session() as session:
        session.execute(f"SET search_path = '{SCHEMA}'")
        for fact, key, dimension in (
            ("factinternetsales", "customerkey", "dimcustomer"),
            ("factinternetsales", "orderdatekey", "datecustom"),
            ("factresellersales", "productkey", "dimproduct"),
            ("factfinance", "accountkey", "dimaccount"),
        ):
            own = "datekey" if dimension == "datecustom" else key
            ((matched, unmatched, without),) = session.fetch_all(
                f"SELECT COUNT({own}), COUNT(fact_key) - COUNT({own}), COUNT(*) - COUNT(fact_key)"
                f" FROM (SELECT {key} AS fact_key FROM {fact}) AS f LEFT JOIN {dimension} AS d ON fact_key = d.{own}"
            )
            assert min(matched, unmatched, without) > 0, (fact, key)
        ((products, names),) = session.fetch_all(
            "SELECT COUNT(DISTINCT productkey), COUNT(DISTINCT englishproductname) FROM dimproduct"
        )
    assert 0 < names < products
