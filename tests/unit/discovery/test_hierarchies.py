"""Levels are borne out by the data."""

from __future__ import annotations

from airflow_atscale_aggs.engine.discovery.hierarchies import find_hierarchies, prove_units
from airflow_atscale_aggs.engine.discovery.references import Names
from tests.support.stars.table_rows import Columns, profiles_of, violations_in


def _levels(columns: Columns) -> list[tuple[tuple[str, ...], str]]:
    tables = {"shops": columns}
    names = Names(profiles_of(tables))
    found = find_hierarchies(names.tables["shops"], names, ["id"], violations_in(tables))
    return [(level.keys, level.name_column) for hierarchy in found for level in hierarchy.levels]


def test_levels_that_determine_each_other_are_a_hierarchy() -> None:
    columns: Columns = {
        "id": [1, 2, 3, 4],
        "city": ["a", "a", "b", "c"],
        "state": ["x", "x", "x", "y"],
        "country": ["u"] * 4,
    }

    assert _levels(columns) == [(("state",), "state"), (("city",), "city")]


def test_a_city_in_two_states_has_its_state_in_the_key() -> None:
    cities = ["a", "b", "c", "d", "e", "a"]
    columns: Columns = {"id": [*range(6)], "city": cities, "state": ["x", "x", "x", "y", "y", "y"]}

    assert _levels(columns) == [(("state",), "state"), (("state", "city"), "city")]


def test_what_does_not_nest_is_no_level() -> None:
    columns: Columns = {"id": [*range(4)], "city": ["a", "a", "b", "b"], "state": ["x", "y", "x", "y"]}

    assert _levels(columns) == [(("city",), "city")]


def test_a_number_is_the_key_of_the_text_that_names_it() -> None:
    columns: Columns = {"id": [*range(4)], "brand_id": [1, 1, 2, 2], "brand": ["a", "a", "b", "b"]}
    mixed: Columns = {"id": [*range(4)], "brand_id": [1, 1, 2, 2], "brand": ["a", "b", "b", "a"]}

    assert _levels(columns) == [(("brand_id",), "brand")]
    assert _levels(mixed) == [(("brand",), "brand")]


def test_units_of_a_calendar_are_proven() -> None:
    tables: dict[str, Columns] = {"d": {"y": [1, 1, 2, 2], "moy": [1, 2, 1, 2], "m": [1, 2, 3, 4], "w": [1, 2, 2, 3]}}
    units = {"year": ("y",), "month": ("moy", "m"), "week": ("w",)}

    assert prove_units("d", units, violations_in(tables)) == {"year": "y", "month": "m", "week": "w"}
