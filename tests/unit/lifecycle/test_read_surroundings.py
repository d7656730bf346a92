"""The surroundings of a plan: its session's settings, the tables that names mean, and what was proven of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.aggregates.surroundings import SeenTable, Surroundings
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import (
    NOT_RECORDED,
    claims_seen,
    datasets_of,
    has_rivals,
    is_away,
    needed_by,
    surroundings_of,
    tables_of,
    what_differs,
    with_away,
    with_seen,
)
from airflow_atscale_aggs.engine.model.datasets import Dataset, ExistingTables, TableColumns, TableKey
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.probes import Claim, UniqueKey
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.stars.small_star import (
    CITY,
    DUCKDB,
    attribute,
    join,
    part,
    small_star,
    table_dataset,
)

SHOP = join("unique_key", "sales", "shop_id", "shop", "shop_id")
AREA = join("unique_key", "shop", "area_id", "area", "area_id")
LAND = attribute("land", "area", "land", "land", SHOP, AREA)

_SHOP_KEY = UniqueKey("shop", ("shop_id",))
_CITY_TO_LAND = Dependency("shop", ("city",), (AREA,), ("land",), is_join_key=False)
_PLACE = ("db", "main", "shop")


def _table(name: str, *columns: str, schema: str = "main", kind: str = "table", is_only: bool = True) -> TableColumns:
    table = TableColumns(dict.fromkeys(columns, "integer"), ("db", schema, name), kind)
    table.is_only = is_only
    return table


def _sources(*tables: TableColumns, **datasets: Dataset) -> Sources:
    """Datasets on tables of their names, of which only some exist."""
    keys: dict[TableKey, TableColumns] = {(None, None, table.spelled[2]): table for table in tables}
    return Sources({name: table_dataset(name, ()) for name in ("sales", "shop", "area")} | datasets, keys, DUCKDB)


def _seen(**places: tuple[str, str, str]) -> Surroundings:
    return Surroundings(tables={name: SeenTable(place=place, columns={"a": "int"}) for name, place in places.items()})


def test_parts_read_their_facts_and_everything_that_their_attributes_are_reached_through() -> None:
    assert datasets_of([part(CITY)]) == ("sales", "shop")
    assert datasets_of([part(), part(LAND)]) == ("area", "sales", "shop")
    assert datasets_of([]) == ()


def test_the_surroundings_of_a_plan_are_what_its_session_sees() -> None:
    """Of the datasets that parts read, those that the model has; with what the data has proven."""
    with small_star() as star:
        star.add("sales", "shop_id amount")
        star.add("shop", "shop_id city:varchar")
        star.add("unused", "a")
        proven = ProvenConstraints(
            unique_keys=frozenset({("shop", ("shop_id",)), ("area", ("area_id",))}),
            functional=frozenset({_CITY_TO_LAND}),
        )

        surroundings = surroundings_of(star.session, star.datasets, [part(CITY, LAND)], star.sources(), proven)

        assert surroundings.settings == star.session.settings()
        assert surroundings.settings["TimeZone"]
    assert surroundings.tables == {
        "sales": SeenTable(place=("memory", "main", "sales"), columns={"shop_id": "INTEGER", "amount": "INTEGER"}),
        "shop": SeenTable(place=("memory", "main", "shop"), columns={"shop_id": "INTEGER", "city": "VARCHAR"}),
    }
    assert surroundings.unique_keys == (("area", ("area_id",)), ("shop", ("shop_id",)))
    assert surroundings.functional == (_CITY_TO_LAND,)


def test_tables_that_exist_are_seen() -> None:
    """Not those that are away or that nobody knows."""
    away = _table("area", "land")
    away.is_away = True
    sources = _sources(_table("shop", "city", kind="view"), away)

    assert tables_of(["sales", "shop", "area", "nowhere"], sources) == {
        "shop": SeenTable(place=("db", "main", "shop"), columns={"city": "integer"}, kind="view")
    }


@pytest.mark.parametrize(
    ("seen", "there", "columns"),
    [
        ([_seen(shop=_PLACE)], (), {"a": "int"}),
        ([None, _seen(sales=_PLACE), _seen(shop=_PLACE)], (), {"a": "int"}),
        ([_seen(shop=("db", "x", "shop")), _seen(shop=_PLACE)], (_PLACE,), {"a": "int"}),
        ([_seen(shop=_PLACE)], (_PLACE,), None),
        ([None], (), None),
        ([], (), None),
    ],
    ids=["seen", "seen by an older batch", "seen last elsewhere", "there, and not meant", "not noted", "never seen"],
)
def test_a_table_that_is_away_is_taken_as_it_was_last_seen(
    seen: Sequence[Surroundings | None], there: tuple[tuple[str, str, str], ...], columns: dict[str, str] | None
) -> None:
    """The newest batch that has seen it counts. A table of its place that is there is another case."""
    sales = _table("sales", "amount")
    physical = ExistingTables({(None, None, "sales"): sales}, {}, frozenset({*there, sales.spelled}))
    datasets = {name: table_dataset(name, ()) for name in ("sales", "shop")}

    existing = with_away(physical, datasets, seen)

    shop = existing.get((None, None, "shop"))
    assert (None if shop is None else dict(shop)) == columns
    assert shop is None or shop.is_away
    assert existing[None, None, "sales"] is sales
    assert existing.places == physical.places


def test_a_query_in_place_of_a_table_is_never_away() -> None:
    query = Dataset(name="shop", columns={})
    physical = ExistingTables({}, {})

    assert with_away(physical, {"shop": query}, [_seen(shop=_PLACE)]) is physical


def test_all_claims_that_were_proven_once_are_known() -> None:
    first = Surroundings(unique_keys=(("shop", ("shop_id",)),))
    second = Surroundings(unique_keys=(("shop", ("shop_id",)),), functional=(_CITY_TO_LAND,))

    assert claims_seen([first, None, second]) == {_SHOP_KEY, _CITY_TO_LAND}
    assert claims_seen([None]) == frozenset()


@pytest.mark.parametrize(
    ("claim", "away", "expected"),
    [
        (_SHOP_KEY, "shop", True),
        (_SHOP_KEY, "area", False),
        (_CITY_TO_LAND, "area", True),
        (_CITY_TO_LAND, "shop", True),
        (UniqueKey("nowhere", ("a",)), "shop", False),
    ],
    ids=["its table", "another table", "a joined table", "the table of its key", "a table that nobody knows"],
)
def test_a_claim_cannot_be_asked_about_while_a_table_of_it_is_away(claim: Claim, away: str, expected: bool) -> None:
    tables = [_table("shop", "city"), _table("area", "land")]
    for table in tables:
        table.is_away = table.spelled[2] == away

    assert is_away(claim, _sources(*tables)) is expected


def test_claims_of_before_are_added_to_what_is_proven() -> None:
    """A dataset whose key was proven before is no longer told to be unreadable."""
    proven = ProvenConstraints(
        unique_keys=frozenset({("area", ("area_id",))}), unreadable={"shop": "locked", "sales": "locked"}
    )

    assert with_seen(proven, {_SHOP_KEY, _CITY_TO_LAND}) == ProvenConstraints(
        unique_keys=frozenset({("area", ("area_id",)), ("shop", ("shop_id",))}),
        functional=frozenset({_CITY_TO_LAND}),
        unreadable={"sales": "locked"},
    )
    assert with_seen(proven, frozenset()) is proven


_ALL_SETTINGS = () if DUCKDB.session_settings is None else tuple(DUCKDB.session_settings.reach)


@pytest.mark.parametrize(
    ("in_step", "tables", "needed"),
    [
        (("TimeZone",), ("sales", "shop"), ("TimeZone",)),
        ((), (), ()),
        (None, ("sales", "shop"), ()),
        (None, ("sales",), _ALL_SETTINGS),
    ],
    ids=["noted", "noted that none is", "plain columns of tables", "a table that is not there"],
)
def test_settings_that_matter_are_noted_in_the_step_or_found_out_now(
    in_step: tuple[str, ...] | None, tables: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    """Where that fails, every setting counts."""
    sources = _sources(*(_table(name, "shop_id", "city", "amount") for name in tables))
    assert needed_by(in_step, part(CITY), sources) == needed
    assert "TimeZone" in _ALL_SETTINGS


def test_a_warehouse_whose_settings_nobody_knows_needs_none() -> None:
    dialect = replace(DUCKDB, session_settings=None)

    assert needed_by(None, part(CITY), Sources({}, {}, dialect)) == ()


@pytest.mark.parametrize(
    ("is_only", "schema", "expected"),
    [(False, None, True), (True, None, False), (False, "main", False)],
    ids=["another schema has one of that name", "it is the only one", "the model names the schema"],
)
def test_a_name_without_a_schema_may_have_rivals(is_only: bool, schema: str | None, expected: bool) -> None:
    shop = replace(table_dataset("shop", ()), schema=schema)
    table = _table("shop", "city", is_only=is_only)
    sources = Sources({"shop": shop}, {(None, schema, "shop"): table}, DUCKDB)

    assert has_rivals(["nowhere", "shop"], sources) is expected
    assert not has_rivals([], sources)


_BERLIN, _UTC = {"TimeZone": "Europe/Berlin", "Other": "1"}, {"TimeZone": "UTC", "Other": "2"}


@pytest.mark.parametrize(
    ("then", "now", "needed", "difference"),
    [
        (Surroundings(settings=_UTC), Surroundings(settings=_UTC), ["TimeZone"], ""),
        (
            Surroundings(settings=_BERLIN),
            Surroundings(settings=_UTC),
            ["TimeZone"],
            "TimeZone of its session was `Europe/Berlin` and is now `UTC`",
        ),
        (Surroundings(settings=_BERLIN), Surroundings(settings=_UTC), [], ""),
        (Surroundings(), Surroundings(settings=_UTC), ["TimeZone"], "TimeZone of its session was `` and is now `UTC`"),
        (None, Surroundings(settings=_UTC), ["TimeZone"], NOT_RECORDED),
        (None, Surroundings(settings=_UTC), [], ""),
        (
            _seen(shop=_PLACE),
            _seen(shop=("db", "other", "shop")),
            [],
            "dataset `shop` was table `db.main.shop` and is now `db.other.shop`",
        ),
        (_seen(area=_PLACE), _seen(area=("db", "other", "area")), [], ""),
        (_seen(shop=_PLACE), _seen(), [], ""),
        (_seen(), _seen(shop=_PLACE), [], ""),
    ],
    ids=[
        "the same",
        "a setting that matters",
        "settings that do not matter",
        "a setting that was not there",
        "not noted",
        "not noted, and nothing matters",
        "another table",
        "another table that is not read",
        "a table that is away",
        "a table that was away",
    ],
)
def test_what_would_be_built_otherwise_now_is_told_in_a_sentence(
    then: Surroundings | None, now: Surroundings, needed: Sequence[str], difference: str
) -> None:
    assert what_differs(then, now, needed, ["sales", "shop"]) == difference
