"""Proofs: the data is asked which claims hold and which columns can be read, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.proofs import (
    Proofs,
    check_alive,
    prove,
    prove_claims,
    refusal_of,
    unreadable_columns,
)
from airflow_atscale_aggs.engine.model.datasets import Dataset, SqlVariant
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.probes import Claim, UniqueKey
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars.small_star import SmallStar, attribute, join, measures, part, small_star

SHOP = join("unique_key", "sales", "shop_id", "shop", "shop_id")
CITY = attribute("city", "shop", "city", "city", SHOP, determines="land")
LAND = attribute("land", "shop", "land", "land", SHOP)
STREET = attribute("street", "shop", "street", "street", SHOP, determines="city")

_SHOP_KEY = UniqueKey("shop", ("shop_id",))
_CITY_KEY = UniqueKey("shop", ("city",))
_CITY_TO_LAND = Dependency("shop", ("city",), (), ("land",), is_join_key=False)
_STREET_TO_CITY = Dependency("shop", ("street",), (), ("city",), is_join_key=False)


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """Shops whose city determines their land, and whose street stands in two cities."""
    with small_star() as opened:
        opened.add("sales", "shop_id amount", "1, 5", "2, 6", "NULL, 7", "9, 8")
        opened.add(
            "shop",
            "shop_id street:varchar city:varchar land:varchar",
            "1, 'High', 'York', 'England'",
            "2, 'Low', 'York', 'England'",
            "3, 'Main', 'Cork', 'Ireland'",
            "4, 'Main', 'Kerry', 'Ireland'",
            "NULL, 'Main', 'Cork', 'Ireland'",
        )
        yield opened


@pytest.fixture
def lost_session() -> Iterator[WarehouseSession]:
    """A session that answers nothing, since its file cannot be opened."""
    with open_warehouse("duckdb:////no/such/folder/w.duckdb").session() as session:
        yield session


def _keys(proven: ProvenConstraints) -> set[UniqueKey]:
    return {UniqueKey(dataset, columns) for dataset, columns in proven.unique_keys}


def test_what_parts_rely_on_is_proven_by_the_data(star: SmallStar) -> None:
    """A street stands in two cities, so that it determines none."""
    proven = prove(star.session, [part(CITY), part(LAND), part(STREET)], star.sources())

    assert _keys(proven) == {_SHOP_KEY}
    assert _CITY_TO_LAND in proven.functional
    assert _STREET_TO_CITY not in proven.functional


def test_a_key_with_two_rows_is_not_unique(star: SmallStar) -> None:
    star.run("INSERT INTO shop VALUES (1, 'High', 'Leeds', 'England')")

    proven = prove(star.session, [part(CITY), part(LAND)], star.sources())

    assert _keys(proven) == set()
    assert _CITY_TO_LAND in proven.functional


def test_data_is_asked_about_each_claim_once(star: SmallStar) -> None:
    """What was told stays told, whatever the data says later."""
    proofs = Proofs(star.sources())
    proofs.add(star.session, [part(CITY)])
    star.run("DELETE FROM shop", "INSERT INTO shop VALUES (1, 'a', 'b', 'c'), (1, 'a', 'b', 'd')")

    proofs.add(star.session, [part(CITY)])
    proofs.add_keys(star.session, [SHOP])
    proofs.add_claims(star.session, [_SHOP_KEY])

    assert _keys(proofs.proven) == {_SHOP_KEY}
    assert _keys(prove(star.session, [part(CITY)], star.sources())) == set()


def test_claims_are_asked_about_by_themselves(star: SmallStar) -> None:
    proofs = Proofs(star.sources(), is_hurried=True)
    proofs.add_claims(star.session, [_STREET_TO_CITY, _CITY_TO_LAND, _CITY_KEY])
    assert proofs.proven.functional == {_CITY_TO_LAND}
    assert _keys(proofs.proven) == set()

    proofs.add_keys(star.session, [SHOP, SHOP])
    assert _keys(proofs.proven) == {_SHOP_KEY}
    assert proofs.asked == {_STREET_TO_CITY, _CITY_TO_LAND, _CITY_KEY, _SHOP_KEY}


def test_what_was_proven_before_counts_while_a_table_is_away(star: SmallStar) -> None:
    """Only claims that were proven when aggregates were built, and only where nobody can ask."""
    tables = star.sources()
    shop = tables["shop"].table
    assert shop is not None
    shop.is_away = True
    star.run("DROP TABLE shop")
    proofs = Proofs(tables, seen=frozenset({_SHOP_KEY, _CITY_TO_LAND}))

    proofs.add_claims(star.session, [_SHOP_KEY, _CITY_KEY, _CITY_TO_LAND, _STREET_TO_CITY])

    assert _keys(proofs.proven) == {_SHOP_KEY}
    assert proofs.proven.functional == {_CITY_TO_LAND}


def test_what_the_data_contradicts_does_not_count_although_it_was_proven_before(star: SmallStar) -> None:
    proofs = Proofs(star.sources(), seen=frozenset({_CITY_KEY}))

    proofs.add_claims(star.session, [_CITY_KEY])

    assert _keys(proofs.proven) == set()


def test_a_claim_that_the_warehouse_refuses_does_not_stop_the_others(star: SmallStar) -> None:
    """Its dataset cannot be read, for the warehouse's own reason."""
    star.add("day", "day_id:varchar", "'x'", calculated={"day_number": "CAST(day_id AS INTEGER)"})
    refused = UniqueKey("day", ("day_number",))

    proven = prove_claims(star.session, ProvenConstraints(), [refused, _SHOP_KEY, _CITY_KEY], star.sources())

    assert _keys(proven) == {_SHOP_KEY}
    assert proven.unanswered == {refused}
    assert proven.unreadable.keys() == {"day"}
    assert "Could not convert string 'x' to INT32" in proven.unreadable["day"]


def test_a_refused_hierarchy_says_nothing_of_its_dataset(star: SmallStar) -> None:
    star.add("day", "day_id:varchar", "'x'", calculated={"day_number": "CAST(day_id AS INTEGER)"})
    refused = Dependency("day", ("day_number",), (), ("day_id",), is_join_key=False)

    proven = prove_claims(star.session, ProvenConstraints(), [refused], star.sources())

    assert proven.unanswered == {refused}
    assert (proven.unreadable, proven.functional) == ({}, frozenset())


@pytest.mark.parametrize("claims", [[], [UniqueKey("nowhere", ("a",))], [UniqueKey("shop", ("nothing",))]])
def test_claims_about_what_is_not_there_are_not_asked(
    star: SmallStar, lost_session: WarehouseSession, claims: list[UniqueKey]
) -> None:
    """No connection is needed for that."""
    constraints = ProvenConstraints(unique_keys=frozenset({("a", ("b",))}))

    assert prove_claims(lost_session, constraints, claims, star.sources()) == constraints


def test_a_lost_connection_proves_and_disproves_nothing(star: SmallStar, lost_session: WarehouseSession) -> None:
    with pytest.raises(WarehouseError, match="/no/such/folder"):
        prove_claims(lost_session, ProvenConstraints(), [_SHOP_KEY, _CITY_KEY], star.sources())


def test_an_error_is_raised_again_where_no_other_query_is_answered(
    star: SmallStar, lost_session: WarehouseSession
) -> None:
    error = WarehouseError("duckdb", "SELECT x", "refused")
    check_alive(star.session, error)

    with pytest.raises(WarehouseError, match="refused"):
        check_alive(lost_session, error)


NOTE = attribute("note", "shop", "note", "note", SHOP)
LENGTH = attribute("length", "shop", "length", "length", SHOP)


def _part_of(*names: str, column: str = "amount") -> FactPart:
    chosen = [item for item in (CITY, NOTE, LENGTH) if item.attribute.name in names]
    return part(*chosen, measures=measures("sum", column))


@pytest.fixture
def doubtful_star(star: SmallStar) -> SmallStar:
    """Shops with a calculated column that breaks, one that is always computed, and one that cannot be said."""
    calculated = {
        "note": "CAST(street AS INTEGER)",
        "length": "CAST(LENGTH(street) AS INTEGER)",
        "unsaid": "MY_FUNCTION(((",
    }
    star.run('DROP TABLE "shop"')
    star.add("shop", "shop_id street:varchar city:varchar", "1, 'High', 'York'", calculated=calculated)
    return star


def test_columns_that_the_warehouse_cannot_compute_are_told_with_its_reason(doubtful_star: SmallStar) -> None:
    """Only those that are used: a part without them is asked nothing."""
    parts = [_part_of("city", "note", "length")]

    reasons = unreadable_columns(doubtful_star.session, parts, doubtful_star.sources())

    assert reasons.keys() == {("shop", "note")}
    assert "Could not convert string 'High' to INT32" in reasons["shop", "note"]
    assert unreadable_columns(doubtful_star.session, [_part_of("city", "length")], doubtful_star.sources()) == {}


def test_columns_that_cannot_be_said_are_not_tried(doubtful_star: SmallStar) -> None:
    """Whatever needs them says so itself; so do datasets that are not there."""
    unsaid = attribute("unsaid", "shop", "unsaid", "unsaid", SHOP)
    nowhere = attribute("x", "nowhere", "x", "x", join("unique_key", "sales", "x", "nowhere", "x"))

    assert unreadable_columns(doubtful_star.session, [part(unsaid, nowhere)], doubtful_star.sources()) == {}


@pytest.mark.parametrize(("name", "columns"), [("shop", {("shop", "city")}), ("sales", set())])
def test_columns_of_a_dimension_that_is_a_view_are_tried_and_those_of_a_fact_are_not(
    star: SmallStar, name: str, columns: set[tuple[str, str]]
) -> None:
    """A fact would have to be scanned before each batch."""
    bodies = {
        "shop": "SELECT shop_id, CAST(street AS INTEGER) AS city FROM old",
        "sales": "SELECT shop_id, CAST('x' || amount AS INTEGER) AS amount FROM old",
    }
    star.run(f"ALTER TABLE {name} RENAME TO old", f"CREATE VIEW {name} AS {bodies[name]}")

    assert unreadable_columns(star.session, [part(CITY)], star.sources()).keys() == columns


def test_a_query_in_place_of_a_table_is_tried(star: SmallStar) -> None:
    """It is not known what stands behind it."""
    query = SqlVariant(dialect=None, sql="SELECT shop_id, CAST(street AS INTEGER) AS city FROM shop")
    star.datasets["shop"] = Dataset(name="shop", columns={}, variants=(query,))

    assert unreadable_columns(star.session, [part(CITY)], star.sources()).keys() == {("shop", "city")}


def test_a_lost_connection_is_no_reason_of_a_column(doubtful_star: SmallStar, lost_session: WarehouseSession) -> None:
    with pytest.raises(WarehouseError, match="/no/such/folder"):
        unreadable_columns(lost_session, [_part_of("note")], doubtful_star.sources())


@pytest.mark.parametrize(
    ("unreadable", "sentence"),
    [
        ({("shop", "city"): "no right"}, "column `city` of dataset `shop` cannot be read: no right"),
        ({("sales", "amount"): "overflow"}, "column `amount` of dataset `sales` cannot be read: overflow"),
        ({("shop", "shop_id"): "broken"}, "column `shop_id` of dataset `shop` cannot be read: broken"),
        ({("sales", "shop_id"): "broken"}, "column `shop_id` of dataset `sales` cannot be read: broken"),
        ({("shop", "street"): "not used", ("day", "city"): "not used"}, ""),
        ({}, ""),
    ],
    ids=["an attribute", "a measure", "a key", "a foreign key", "other columns", "nothing"],
)
def test_a_part_is_refused_for_what_it_uses(unreadable: dict[tuple[str, str], str], sentence: str) -> None:
    assert refusal_of(part(CITY), unreadable) == sentence


_SLOW_UNIONS = replace(find_dialect("duckdb"), plans_unions_slowly=True)


@pytest.mark.parametrize("change", ["SELECT 1", "INSERT INTO shop VALUES (1, 'High', 'Leeds', 'England')"])
def test_the_same_is_proven_by_one_statement_and_by_several(star: SmallStar, change: str) -> None:
    star.add("day", "day_id", "1", "2", "2")
    star.run(change)
    keys = [_SHOP_KEY, UniqueKey("day", ("day_id",)), UniqueKey("sales", ("shop_id",)), _CITY_KEY]
    claims: list[Claim] = [*keys, _CITY_TO_LAND, UniqueKey("shop", ("gone",)), _STREET_TO_CITY]

    together = prove_claims(star.session, ProvenConstraints(), claims, star.sources())
    apart = prove_claims(star.session, ProvenConstraints(), claims, star.sources(_SLOW_UNIONS))

    assert apart == together
    assert (_SHOP_KEY in _keys(apart)) is (change == "SELECT 1")


def test_a_key_that_cannot_be_asked_about_does_not_stop_those_beside_it(star: SmallStar) -> None:
    star.add("day", "day_id", "1", "2")
    sources = star.sources(_SLOW_UNIONS)
    star.run("DROP TABLE day")
    refused = UniqueKey("day", ("day_id",))

    proven = prove_claims(star.session, ProvenConstraints(), [refused, _SHOP_KEY, _CITY_TO_LAND], sources)

    assert _keys(proven) == {_SHOP_KEY}
    assert proven.functional == {_CITY_TO_LAND}
    assert set(proven.unanswered) == {refused}
    assert set(proven.unreadable) == {"day"}
