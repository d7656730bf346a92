"""Relationships by several columns: found, said in SML, and equal to SQL by hand, also from aggregates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.discovery.proposal import Proposal
from airflow_atscale_aggs.engine.lifecycle.discover.discover import DiscoverRequest, discover
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

_TABLES = (
    "CREATE TABLE chain.companies (company_id INT, company_name VARCHAR(20))",
    "CREATE TABLE chain.products (product_id INT, product_name VARCHAR(20))",
    "CREATE TABLE chain.suppliers (supplier_id INT, supplier_name VARCHAR(20))",
    "CREATE TABLE chain.stores (company_id INT, store_no VARCHAR(9), city VARCHAR(20))",
    "CREATE TABLE chain.offers (product_id INT, supplier_id INT, grade VARCHAR(9), supply_cost DECIMAL(9, 2))",
    "CREATE TABLE chain.shifts (country VARCHAR(9), part INT, tariff VARCHAR(9), PRIMARY KEY (country, part))",
    """CREATE TABLE chain.sales (sale_id INT, company_id INT, store_no VARCHAR(9), product_id INT, supplier_id INT,
       land VARCHAR(9), rota INT, amount INT, FOREIGN KEY (land, rota) REFERENCES chain.shifts)""",
)
_STORES = [(1, "1/2"), (1, "1"), (2, "1/2"), (2, "2/1"), (3, "1")]
_OFFERS = [(p, s) for p in range(1, 21) for s in range(1, 8) if (p + s) % 3]


def _rows() -> dict[str, list[Row]]:
    """No column of a compound key leads anywhere by itself; some shifts are NULL in a column."""
    return {
        "companies": [(n, f"Company {n}") for n in range(1, 4)],
        "products": [(n, f"Product {n}") for n in range(1, 21)],
        "suppliers": [(n, f"Supplier {n}") for n in range(1, 8)],
        "stores": [(*key, ("Ulm", "Graz")[n % 2]) for n, key in enumerate(_STORES)],
        "offers": [(*key, "AB"[n % 2], 1 + n % 9) for n, key in enumerate(_OFFERS)],
        "shifts": [(land, part, f"T{part % 2}") for land in ("at", "de") for part in (1, 2, 3)],
        "sales": [
            (
                n,
                *_STORES[n % 5],
                *_OFFERS[n * 7 % len(_OFFERS)],
                "de" if n % 2 else "at",
                None if n % 11 == 0 else 1 + n % 3,
                1 + n % 10,
            )
            for n in range(500)
        ],
    }


def _literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value) + "'"


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a warehouse whose stores, offers and shifts have keys of two columns."""
    if request.param == "postgres":
        url = str(request.getfixturevalue("chain_postgres"))
    else:
        url = f"duckdb:///{tmp_path_factory.mktemp('chain') / 'w.duckdb'}"
    warehouse = open_warehouse(url)
    with warehouse.session() as session:
        for statement in ("CREATE SCHEMA chain", *_TABLES):
            session.execute(statement)
        for table, rows in _rows().items():
            values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
            session.execute(f"INSERT INTO chain.{table} VALUES {values}")
    warehouse.close()
    return url


@pytest.fixture(scope="module")
def chain_postgres(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """A database that lives as long as the module."""
    with request.getfixturevalue("postgres_database")("init_chain") as url:
        yield url


@pytest.fixture(scope="module")
def proposal(chain: str) -> Proposal:
    """What is found in it."""
    warehouse = open_warehouse(chain)
    try:
        return discover(warehouse, DiscoverRequest(schema="chain", model="chain"))
    finally:
        warehouse.close()


def test_declared_and_likely_compound_keys_are_found(proposal: Proposal) -> None:
    """A store by its company and number, an offer by what it offers; a shift because it is declared."""
    found = {(each.table, each.columns, each.to_table, each.to_columns): each for each in proposal.references}
    compound = {key: each for key, each in found.items() if len(key[1]) > 1}

    assert compound.keys() == {
        ("sales", ("company_id", "store_no"), "stores", ("company_id", "store_no")),
        ("sales", ("product_id", "supplier_id"), "offers", ("product_id", "supplier_id")),
        ("sales", ("land", "rota"), "shifts", ("country", "part")),
    }
    assert {key[0::2] for key in found if len(key[1]) == 1} == {
        ("stores", "companies"),
        ("sales", "companies"),
        ("sales", "products"),
        ("sales", "suppliers"),
        ("offers", "products"),
        ("offers", "suppliers"),
    }
    declared = compound["sales", ("land", "rota"), "shifts", ("country", "part")]
    assert declared.reason.startswith("a compound key: declared as a foreign key; 6 of 6 combinations found")


def test_an_offer_is_a_fact_too_and_brings_no_product_a_second_time(proposal: Proposal) -> None:
    assert {"sales", "offers"} <= set(proposal.facts)
    assert "stores" not in proposal.facts
    assert not proposal.embedded.get("offers")
    assert "offers.product_id to products, as a part of the dimension" in {entry.what for entry in proposal.left_out}


def test_answers_equal_sql_by_hand(chain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With and without aggregates. Stores that share a number, or differ by where a slash stands, stay apart."""
    options = ["--warehouse", chain, "--registry", f"sqlite:///{tmp_path / 'r.sqlite'}", "--schema", "chain_aggs"]
    folder = str(tmp_path / "chain")
    for command in (["init", folder, "--from-schema", "chain", "--yes"], ["deploy", folder], ["build", "chain"]):
        assert run([*command, *options]) == 0, capsys.readouterr().err
        assert "warning" not in capsys.readouterr().err
    for asked, by_hand in _QUESTIONS.items():
        expected = _ask(chain, by_hand)
        for extra in ([], ["--no-aggregates"]):
            assert run(["query", asked, "--format", "json", *extra, *options]) == 0
            rows = json.loads(capsys.readouterr().out)["rows"]
            assert sorted(map(str, rows)) == sorted(str([*row]) for row in expected), asked
    assert len(_ask(chain, _QUESTIONS[_STORE_NAMES])) == len(_STORES)


_STORE_NAMES = 'SELECT "Stores", "Sales Amount" FROM chain'
_QUESTIONS = {
    _STORE_NAMES: """SELECT CAST(s.company_id AS VARCHAR) || ' / ' || REPLACE(s.store_no, '/', '//'), SUM(amount)
        FROM chain.sales f JOIN chain.stores s USING (company_id, store_no) GROUP BY s.store_no, s.company_id""",
    'SELECT "Stores City", "Sales Amount" FROM chain': """SELECT city, SUM(amount)
        FROM chain.sales f JOIN chain.stores s USING (company_id, store_no) GROUP BY 1""",
    'SELECT "Offers Grade", "Sales Amount" FROM chain': """SELECT grade, SUM(amount)
        FROM chain.sales f JOIN chain.offers o USING (product_id, supplier_id) GROUP BY 1""",
    'SELECT "Shifts Tariff", "Sales Amount" FROM chain': """SELECT tariff, SUM(amount)
        FROM chain.sales f JOIN chain.shifts h ON h.country = f.land AND h.part = f.rota GROUP BY 1""",
}


def _ask(url: str, sql: str) -> list[Row]:
    warehouse = open_warehouse(url)
    try:
        with warehouse.session() as session:
            return [(row[0], int(row[1])) for row in session.fetch_all(sql)]
    finally:
        warehouse.close()
