"""Relationships that are found without declared keys: nine in ten of those that there are, and no other one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.discovery.proposal import Proposal
from airflow_atscale_aggs.engine.lifecycle.discover.discover import DiscoverRequest, discover
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import DimensionRelationship, Relationship, SemanticModel
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars.model_data import ModelData, Row, days
from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres
from tests.support.stars.unmodelled_stars import SSB, SSB_TRUTH, TPCH_CALENDAR, TPCH_TRUTH, Truth, tpcds_truth

_RETAIL = Path(__file__).parents[2] / "dags" / "models" / "retail"


def _discover(url: str, schema: str) -> Proposal:
    warehouse = open_warehouse(url)
    try:
        return discover(warehouse, DiscoverRequest(schema=schema, model="m"))
    finally:
        warehouse.close()


def _found(proposal: Proposal) -> Truth:
    return frozenset(
        (found.table.casefold(), ", ".join(found.columns).casefold(), found.to_table.casefold())
        for found in proposal.references
    )


def _compare(star: str, proposal: Proposal, truth: Truth) -> None:
    found = _found(proposal)
    print(f"{star}: {len(found & truth)} of {len(truth)} found, {len(found - truth)} wrong")
    assert found - truth == set()
    assert len(found & truth) >= 0.9 * len(truth), sorted(truth - found)


def _relationships(folder: Path) -> Truth:
    """Relationships of the models of a folder between columns of tables."""
    read = read_model_folder(folder)
    resolver = ModelResolver(read)
    return frozenset(edge for name in model_names(read) for edge in _edges(resolver.resolve(name)))


def _edges(model: SemanticModel) -> Iterator[tuple[str, str, str]]:
    edges: list[Relationship | DimensionRelationship] = [*model.relationships]
    for dimension in model.dimensions.values():
        edges += dimension.relationships
    for edge in edges:
        dimension_to = model.dimensions.get(edge.dimension)
        target = dimension_to.attributes.get(edge.level) if dimension_to else None
        ours = model.datasets.get(edge.from_dataset)
        theirs = model.datasets.get(target.dataset) if target else None
        if ours is None or theirs is None or ours.table is None or theirs.table is None or len(edge.from_columns) > 1:
            continue
        if ours.table != theirs.table:
            yield ours.table.casefold(), edge.from_columns[0].casefold(), theirs.table.casefold()


@pytest.fixture(scope="module")
def tpcds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Proposal, Truth]:
    """What is found in TPC-DS, and the foreign keys that have values."""
    folder = tmp_path_factory.mktemp("tpcds")
    load_duckdb(generate("tpcds", "0.01", folder), folder / "w.duckdb", "tpcds")
    proposal = _discover(f"duckdb:///{folder / 'w.duckdb'}", "tpcds")
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'tpcds'")
        columns = [
            (table, column)
            for table, column in rows.fetchall()
            if column.endswith("_sk")
            and connection.execute(f"SELECT COUNT({column}) FROM tpcds.{table}").fetchone() != (0,)
        ]
    return proposal, tpcds_truth(columns)


def test_tpcds(tpcds: tuple[Proposal, Truth]) -> None:
    """All of its foreign keys, roles included."""
    _compare("TPC-DS", *tpcds)

    compound = {entry.what for entry in tpcds[0].left_out if "compound key" in entry.reason}
    assert "store_returns (sr_item_sk, sr_ticket_number) to store_sales (ss_item_sk, ss_ticket_number)" in compound


def test_the_retail_model_of_this_project_is_found_again(tpcds: tuple[Proposal, Truth]) -> None:
    wanted = _relationships(_RETAIL)

    assert len(wanted) > 20
    assert wanted - _found(tpcds[0]) == set()


def test_the_hand_made_model_of_tpcds_is_found_again(tpcds: tuple[Proposal, Truth], sample_models: Path) -> None:
    """Its relationship from a customer's key to household demographics, where 92 % of the rows are orphans, is none."""
    wanted = _relationships(sample_models / "tpcds")

    lost = wanted - _found(tpcds[0])
    print(f"TPC-DS by hand: {len(wanted - lost)} of {len(wanted)} found")
    assert lost <= {("catalog_sales", "cs_ship_customer_sk", "household_demographics")}


@pytest.mark.parametrize("kind", ["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_tpch_with_a_calendar(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Snowflaked, with an order that is a fact and a dimension, and a compound key."""
    parquet = generate("tpch", "0.01", tmp_path)
    duckdb.sql(f"COPY ({TPCH_CALENDAR.partition(' AS ')[2]}) TO '{parquet / 'calendar.parquet'}'")
    if kind == "duckdb":
        load_duckdb(parquet, tmp_path / "w.duckdb", "star")
        proposal = _discover(f"duckdb:///{tmp_path / 'w.duckdb'}", "star")
    else:
        url = str(request.getfixturevalue("postgres_url"))
        load_postgres(parquet, url, "star", sorted(file.stem for file in parquet.glob("*.parquet")), tmp_path)
        proposal = _discover(url, "star")

    _compare(f"TPC-H on {kind}", proposal, TPCH_TRUTH)
    assert sorted(proposal.facts) == ["lineitem", "orders", "partsupp"]
    assert {entry.what for entry in proposal.left_out} == {
        "partsupp.ps_partkey to part, as a part of the dimension",
        "partsupp.ps_suppkey to supplier, as a part of the dimension",
    }
    roles = {edge.role_play for edge in proposal.relationships if edge.reference.to_table == "calendar"}
    assert roles == {"Ship {0}", "Commit {0}", "Receipt {0}", "Order {0}"}


def test_the_adventure_works_sample_on_made_up_rows(sample_models: Path, tmp_path: Path) -> None:
    """One in ten keys leads nowhere, and one in ten is NULL. A quota's quarter has no key, a reason's order has two."""
    folder = sample_models / "adventureworks2012"
    read = read_model_folder(folder)
    (name,) = model_names(read)
    calendar: list[Row] = [
        {"datekey": int(day.strftime("%Y%m%d")), "pk_date": day}
        for day in days(date(2006, 10, 1), date(2008, 9, 30), 5)
    ]
    sizes = {"Internet Sales": 400, "Reseller Sales": 400, "Finance Facts": 150, "InternetSalesReason": 60}
    data = ModelData(
        ModelResolver(read).resolve(name),
        "adventureworks2012",
        sizes,
        {"salesorderlinenumber": (1, 2, 3)},
        {"DateCustom": calendar},
    )
    with duckdb.connect(str(tmp_path / "atscale_tutorial_data.duckdb")) as connection:
        for statement in data.statements():
            connection.execute(statement)
    proposal = _discover(f"duckdb:///{tmp_path / 'atscale_tutorial_data.duckdb'}", "adventureworks2012")

    truth = {edge for edge in _relationships(folder) if edge[0] != "factsalesquota"}
    _compare(
        "Adventure Works",
        proposal,
        frozenset(truth | {("factinternetsalesreason", "salesreasonkey", "dimsalesreason")}),
    )
    assert "dimaccount.parentaccountkey" in {entry.what for entry in proposal.left_out}


def test_ssb(tmp_path: Path) -> None:
    """Days are numbers, names are short, and hierarchies are in the dimensions."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        for statement in SSB:
            connection.execute(statement)
    proposal = _discover(f"duckdb:///{tmp_path / 'w.duckdb'}", "main")

    _compare("SSB", proposal, SSB_TRUTH)
    ways = {dimension.name: dimension.hierarchies[0].levels for dimension in proposal.dimensions}
    assert ways == {
        "Date": ("Year", "Month", "Date"),
        "Customer": ("Customer Region", "Customer Nation", "Customer City", "Customer"),
        "Supplier": ("Supplier Region", "Supplier Nation", "Supplier City", "Supplier"),
        "Part": ("Part Mfgr", "Part Category", "Part Brand1", "Part"),
    }
