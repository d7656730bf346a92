"""Checks of joins: columns that the warehouse refuses to compare are told, and the rest of the model is usable."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_joins import check_joins
from tests.support.deploy_checks import TABLES, check_input, lines_of, star_with_areas
from tests.support.stars.documents import Documents, star

_REMEDY = "Give both columns one type, or join on a calculated column that casts one of them."


def _lines(shop_id: str, documents: Documents | None = None, *, dialect: str = "duckdb") -> list[str]:
    """What is said when the shop of returns has a type; the key of the shop is an integer."""
    tables = {**TABLES, "returns": TABLES["returns"].replace("shop_id integer", f"shop_id {shop_id}")}
    return lines_of(check_joins(check_input(documents or star(), tables, dialect=dialect)))


@pytest.mark.parametrize("shop_id", ["integer", "BIGINT", "decimal(9,2)", "double", "varchar", "my_own_type"])
def test_types_that_can_be_compared_or_are_not_known_are_passed(shop_id: str) -> None:
    assert _lines(shop_id) == []


@pytest.mark.parametrize("shop_id", ["timestamp", "uuid", "blob", "interval"])
def test_types_that_are_refused_are_a_warning(shop_id: str) -> None:
    (line,) = _lines(shop_id)

    assert line == (
        f"warning in model.yml, refused-join: relationship `returns_shop`: `returns`.`shop_id` ({shop_id.upper()}) is "
        f"joined to `shop`.`shop_id` (INTEGER), which duckdb refuses to compare; queries and aggregates that need it "
        f"are refused. {_REMEDY}"
    )


@pytest.mark.parametrize(("dialect", "is_refused"), [("postgres", True), ("duckdb", False), ("snowflake", False)])
def test_each_warehouse_has_its_own_rules(dialect: str, is_refused: bool) -> None:
    """Of a warehouse that was never tried nothing is said."""
    assert bool(_lines("text", dialect=dialect)) is is_refused


@pytest.mark.parametrize(
    ("name", "who"), [("in_area", "relationship `in_area`"), ("", "a relationship without a name")]
)
def test_joins_inside_dimensions_are_checked(name: str, who: str) -> None:
    tables = {**TABLES, "shop": "shop_id integer, city boolean, area varchar", "area": "area_id timestamp"}

    (line,) = lines_of(check_joins(check_input(star_with_areas("city", name), tables)))

    assert line.startswith(f"warning in Shop.yml, refused-join: {who}: `shop`.`city` (BOOLEAN) is joined to ")


@pytest.mark.parametrize("is_calculated", [True, False])
def test_the_type_of_a_calculated_column_is_not_known(is_calculated: bool) -> None:
    documents = star()
    if is_calculated:
        column = next(column for column in documents["returns"]["columns"] if column["name"] == "shop_id")
        column["sql"] = "CAST(other AS TIMESTAMP)"

    assert bool(_lines("timestamp", documents)) is not is_calculated


def test_of_tables_that_are_not_there_nothing_is_said() -> None:
    assert check_joins(check_input(star(), {})) == ()
