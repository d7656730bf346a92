"""A fact behind several members of a many-to-many attribute counts once in each group and in each total."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import bounds_of
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, process_owner, utc_now
from tests.support.stars import tiny_star

_SETUP = (
    "CREATE TABLE holder (holder_id INTEGER, holder_name VARCHAR(9), town VARCHAR(9))",
    (
        "INSERT INTO holder VALUES (1, 'Ann', 'Ulm'), (2, 'Ann', 'Ulm'), (3, 'Bob', 'Ulm'), (4, 'Eve', 'Bonn'), (5, "
        "'Zoe', NULL)"
    ),
    "CREATE TABLE account_holder (account_id INTEGER, holder_id INTEGER)",
    "INSERT INTO account_holder VALUES (1, 1), (1, 2), (1, 3), (2, 3), (2, 4), (3, 5), (4, 99)",
    "CREATE TABLE branch (branch_id INTEGER, branch_name VARCHAR(9))",
    "INSERT INTO branch VALUES (1, 'west'), (2, 'east')",
    "CREATE TABLE balance (account_id INTEGER, branch_id INTEGER, amount INTEGER, client INTEGER)",
    (
        "INSERT INTO balance VALUES (1, 1, 10, 7), (1, 2, 5, 8), (2, 1, 20, 7), (3, 1, 40, 9), (4, 1, 80, 9), (NULL, "
        "2, 160, 9)"
    ),
)
"""Account 1 is held by two Anns and a Bob of one town, account 2 by people of two; holder 99 is not there."""

_LEVEL = """\
  - unique_name: {name}
    label: {name}
    dataset: {dataset}
    key_columns: [{key}]
    name_column: {column}
    is_unique_key: {unique}
"""
_DIMENSION = """\
unique_name: {name}
object_type: dimension
label: {name}
type: standard
hierarchies:
- unique_name: {name} levels
  label: {name} levels
  filter_empty: 'yes'
  levels:
{levels}level_attributes:
{attributes}"""
_BRIDGE = """\
relationships:
- unique_name: to_holders
  type: embedded
  from: {dataset: account_holder, join_columns: [holder_id], hierarchy: Accounts levels, level: Account}
  to: {dimension: Holders, level: Holder}
  m2m: true
"""
_MODEL = """\
unique_name: balances
object_type: model
label: Balances
relationships:
- unique_name: held
  from: {dataset: balance, join_columns: [account_id]}
  to: {dimension: Accounts, level: Account}
- unique_name: kept
  from: {dataset: balance, join_columns: [branch_id]}
  to: {dimension: Branches, level: Branch}
metrics:
- unique_name: Amount
- unique_name: Mean
- unique_name: Clients
aggregates:
- unique_name: by_town
  label: by_town
  attributes:
  - {name: Town, dimension: Holders}
  metrics: [Amount, Mean, Clients]
"""


def _dimension(name: str, *levels: tuple[str, str, str, str]) -> str:
    shown = "".join(f"  - unique_name: {level}\n" for level, *_ in levels)
    attributes = "".join(
        _LEVEL.format(
            name=level,
            dataset=dataset,
            key=key,
            column=column,
            unique=str(key.endswith("_id") and dataset != "account_holder").lower(),
        )
        for level, dataset, key, column in levels
    )
    return _DIMENSION.format(name=name, levels=shown, attributes=attributes)


def _write_model(folder: Path) -> Path:
    folder.mkdir()
    files = {
        "catalog": "unique_name: bank\nobject_type: catalog\nlabel: Bank\nversion: 1.6\n"
        "aggressive_agg_promotion: false\nbuild_speculative_aggs: false\n",
        "connection": "unique_name: warehouse\nobject_type: connection\nlabel: Warehouse\nas_connection: bank\n",
        "model": _MODEL,
        "balance": tiny_star.dataset("balance", ("account_id int", "branch_id int", "amount int", "client int")),
        "bridge": tiny_star.dataset("account_holder", ("account_id int", "holder_id int")),
        "holder": tiny_star.dataset("holder", ("holder_id int", "holder_name string", "town string")),
        "branch": tiny_star.dataset("branch", ("branch_id int", "branch_name string")),
        "accounts": _dimension("Accounts", ("Account", "account_holder", "account_id", "account_id")) + _BRIDGE,
        "holders": _dimension(
            "Holders", ("Town", "holder", "town", "town"), ("Holder", "holder", "holder_id", "holder_name")
        ),
        "branches": _dimension("Branches", ("Branch", "branch", "branch_id", "branch_name")),
    }
    for name, method, column in (
        ("Amount", "sum", "amount"),
        ("Mean", "average", "amount"),
        ("Clients", "count distinct", "client"),
    ):
        text = tiny_star.METRIC.format(name=name, method=method, column=column)
        files[name] = text.replace("dataset: sales", "dataset: balance")
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def router(empty_workspace: Workspace, tmp_path: Path) -> Iterator[QueryRouter]:
    """A router on the built model."""
    tiny_star.run_sql(empty_workspace, *_SETUP)
    deploy(empty_workspace, _write_model(tmp_path / "model"), now=utc_now())
    run_batch(empty_workspace, "balances", owner=process_owner())
    with QueryRouter(empty_workspace) as router:
        yield router


_QUERIES: dict[str, tuple[list[tuple[Any, ...]], str]] = {
    'SELECT "Town", "Amount" FROM balances': ([("Bonn", 20), ("Ulm", 35), (None, 40)], "by_town"),
    """SELECT "Amount", "Clients" FROM balances WHERE "Town" = 'Ulm'""": ([(35, 2)], "by_town"),
    """SELECT "Amount" FROM balances WHERE "Town" IN ('Ulm', 'Bonn')""": ([(35,)], "facts"),
    """SELECT "Amount" FROM balances WHERE "Town" >= 'Bonn' OR "Town" IS NULL""": ([(75,)], "facts"),
    """SELECT "Amount", COUNT(*), "Mean", "Clients" FROM balances WHERE "Holder" IN ('Ann', 'Bob')""": (
        [(35, 3, Decimal(35) / 3, 2)],
        "facts",
    ),
    'SELECT "Holder", "Amount" FROM balances': ([("Ann", 15), ("Bob", 35), ("Eve", 20), ("Zoe", 40)], "facts"),
    """SELECT "Town", "Amount" FROM balances WHERE "Holder" <> 'Zoe'""": ([("Bonn", 20), ("Ulm", 35)], "facts"),
    """SELECT CASE WHEN "Holder" IN ('Ann', 'Bob') THEN 'both' ELSE 'others' END AS who, "Amount" FROM balances""": (
        [("both", 35), ("others", 60)],
        "facts",
    ),
    'SELECT "Town", "Amount" FROM balances GROUP BY ROLLUP ("Town")': (
        [("Bonn", 20), ("Ulm", 35), (None, 40), (None, 75)],
        "by_town, facts",
    ),
    """SELECT "Branch", "Amount", SUM("Amount") FILTER (WHERE "Holder" IN ('Ann', 'Bob')) AS s FROM balances
    WHERE "Town" IS NOT NULL""": ([("east", 5, 5), ("west", 30, 30)], "facts"),
    """SELECT "Branch", "Amount", SUM(CASE WHEN "Town" = 'Bonn' THEN "Amount" END) AS s FROM balances""": (
        [("east", 165, None), ("west", 150, 20)],
        "facts",
    ),
    'SELECT "Amount", MAX("Holder"), COUNT(DISTINCT "Town") FROM balances WHERE "Town" IS NOT NULL': (
        [(35, "Eve", 2)],
        "facts",
    ),
    'SELECT "Amount" FROM balances WHERE "Town" IS NOT NULL': ([(35,)], "facts"),
    'SELECT "Branch", "Amount" FROM balances WHERE NOT "Town" IS NULL': ([("east", 5), ("west", 30)], "facts"),
    'SELECT "Amount" FROM balances': ([(315,)], "facts"),
}


@pytest.mark.parametrize("sql", _QUERIES)
def test_a_fact_counts_once(router: QueryRouter, sql: str) -> None:
    """The rows are the same with and without aggregates; an aggregate that cannot tell does not answer."""
    rows, expected_sources = _QUERIES[sql]

    base, routed = router.answer(sql, use_aggregates=False), router.answer(sql)

    assert _sorted(base.rows) == _sorted(rows), base.plan.sql
    assert _sorted(routed.rows) == _sorted(rows), routed.plan.sql
    assert ", ".join(source.aggregate or "facts" for source in routed.plan.sources) == expected_sources


def test_why_an_aggregate_does_not_answer_is_said(router: QueryRouter) -> None:
    """The attribute is named of which a row may have several members."""
    plan = router.explain("""SELECT "Amount" FROM balances WHERE "Town" IN ('Ulm', 'Bonn')""", estimate=False)

    ((candidate,),) = plan.candidates
    assert (candidate.aggregate, candidate.missing) == ("by_town", ("Town",))
    assert candidate.miss == "a row may have several of the members that are asked for, which only the facts tell apart"


def test_deviations_are_of_rows(router: QueryRouter) -> None:
    """They are not of rows by members."""
    result = router.answer("""SELECT STDDEV("Amount") FROM balances WHERE "Holder" IN ('Ann', 'Bob')""")

    assert float(result.rows[0][0]) == pytest.approx(7.6376, abs=1e-3)


def test_sums_of_members_are_refused(router: QueryRouter) -> None:
    """The refusal names the sum."""
    with pytest.raises(UnsupportedQueryError, match="it is no aggregate of the model"):
        router.answer('SELECT SUM("Holder") FROM balances')


def _sorted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    plain = [
        tuple(round(float(value), 6) if isinstance(value, Decimal | float) else value for value in row) for row in rows
    ]
    return sorted(plain, key=repr)


_OWN_TOWNS = """\
unique_name: own_towns
object_type: row_security
label: Own towns
dataset: rights
filter_key_column: town
ids_column: person
id_type: user
scope: all
"""
_SECURED = """\
relationships:
- unique_name: secured
  type: embedded
  from: {dataset: holder, join_columns: [town], hierarchy: Holders levels, level: Town}
  to: {row_security: own_towns}
"""


def test_an_account_is_seen_when_all_its_holders_are(empty_workspace: Workspace, tmp_path: Path) -> None:
    """Who sees Ulm sees account 1; Bob of Ulm holds account 2 with Eve of Bonn, holder 99 is nobody."""
    tiny_star.run_sql(
        empty_workspace,
        *_SETUP,
        "CREATE TABLE rights (person VARCHAR(9), town VARCHAR(9))",
        "INSERT INTO rights VALUES ('ann', 'Ulm'), ('bob', 'Ulm'), ('bob', 'Bonn')",
    )
    folder = _write_model(tmp_path / "model")
    holders = folder / "holders.yml"
    holders.write_text(holders.read_text(encoding="utf-8") + _SECURED, encoding="utf-8")
    (folder / "own_towns.yml").write_text(_OWN_TOWNS, encoding="utf-8")
    (folder / "rights.yml").write_text(tiny_star.dataset("rights", ("person string", "town string")), encoding="utf-8")
    deploy(empty_workspace, folder, now=utc_now())
    run_batch(empty_workspace, "balances", owner=process_owner())
    by_holder = 'SELECT "Holder", "Amount", COUNT(*) FROM balances ORDER BY 1'
    in_ulm = """SELECT "Amount", "Clients" FROM balances WHERE "Town" = 'Ulm'"""

    ann, bob = (QueryRouter(empty_workspace, bounds=bounds_of(user)) for user in ("ann", "bob"))
    assert ann.answer(by_holder).rows == [("Ann", 15, 2), ("Bob", 15, 2)]
    assert bob.answer(by_holder).rows == [("Ann", 15, 2), ("Bob", 35, 3), ("Eve", 20, 1)]
    assert (ann.answer(in_ulm).rows, bob.answer(in_ulm).rows) == ([(15, 2)], [(35, 2)])
    assert [router.answer('SELECT "Amount" FROM balances').rows for router in (ann, bob)] == [[(15,)], [(35,)]]
    assert ann.answer('SELECT "Holder" FROM balances ORDER BY 1').rows == [("Ann",), ("Bob",)]
