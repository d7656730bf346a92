"""Facts grouped by codes of members: the same rows as by names, on rows with NULLs, repetitions and orphans."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.member_codes import codable, select_by_codes
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import CITY, SHOP, SmallStar, attribute, join, measures, part

_SHOP_ID = attribute("shop", "shop", "shop_id", "city", SHOP)
_REGION = join("unique_key", "shop", "region_id", "region", "region_id")
_COUNTRY = attribute("country", "region", "country", "country", SHOP, _REGION)
_ALL = measures("sum count minimum maximum count_distinct sum_distinct")


def _by_codes(star: SmallStar, of: FactPart, *only: RowRange) -> exp.Select:
    sources, proven = star.sources(), star.constraints(of)
    steps = [coded.step for coded in codable(of, sources, proven)]
    assert steps
    return select_by_codes(of, sources, proven, steps, only)


def _assert_same(star: SmallStar, of: FactPart) -> None:
    select = _by_codes(star, of)
    assert star.rows(select) == star.from_facts(of)
    assert star.types(select) == star.types(select_from_fact(of, star.sources(), star.constraints(of)))


@pytest.fixture(name="shops")
def _shops(star: SmallStar) -> SmallStar:
    """Two shops of one city, two cities without a name, a region that is not there, a NULL key and orphans."""
    star.add(
        "sales",
        "number shop_id amount kind:varchar",
        *("1, 1, 1, 'a'", "2, 2, 2, 'a'", "3, 3, 4, NULL", "4, 4, 8, 'b'", "5, 99, 16, 'b'", "6, NULL, 32, 'a'"),
        *("7, 1, 1, 'a'", "8, 98, NULL, 'b'", "9, 5, 64, 'a'", "10, 6, 65, 'a'"),
    )
    star.add(
        "shop",
        "shop_id city:varchar region_id big:varchar",
        *("1, 'N', 1, 'x'", "2, 'N', 1, 'y'", "3, NULL, 9, 'x'", "4, NULL, NULL, NULL", "5, 'S', 2, 'x'"),
        *("6, 'N', 2, 'x'", "NULL, 'never met', 1, 'x'", "NULL, 'N', 1, 'x'"),
        calculated={"size": "CASE WHEN big = 'x' THEN 'big' ELSE 'other' END", "all": "'all'"},
    )
    star.add("region", "region_id country:varchar", "1, 'A'", "2, NULL", "NULL, 'B'")
    return star


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param((CITY,), id="shops of one city are one group"),
        pytest.param((_SHOP_ID,), id="the key is the code"),
        pytest.param((_SHOP_ID, CITY), id="key and name"),
        pytest.param((_COUNTRY,), id="behind the dimension: met with NULL, not met, no shop"),
        pytest.param((CITY, _COUNTRY), id="two levels of a snowflake"),
        pytest.param((attribute("size", "shop", "size", "size", SHOP),), id="calculated: NULL without a shop"),
        pytest.param((attribute("all", "shop", "all", "all", SHOP),), id="a constant: all shops are one"),
        pytest.param((CITY, attribute("kind", "sales", "kind", "kind")), id="beside a column of the fact"),
    ],
)
def test_the_rows_are_those_by_names(shops: SmallStar, attributes: tuple[BoundAttribute, ...]) -> None:
    """Columns, their order and their types are the same too, and every measure, also those that do not roll up."""
    _assert_same(shops, part(*attributes, measures=_ALL))


def test_two_roles_of_one_dimension_stay_apart(star: SmallStar) -> None:
    star.add("sales", "from_shop to_shop amount", "1, 2, 1", "2, 1, 2", "1, 1, 4", "NULL, 3, 8", "3, 9, 16")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'S'", "3, 'N'")
    roles = [join("unique_key", "sales", f"{way}_shop", "shop", "shop_id") for way in ("from", "to")]

    _assert_same(star, part(*(attribute(f"city{n}", "shop", "city", "city", step) for n, step in enumerate(roles))))


def test_keys_of_several_columns_and_of_texts(star: SmallStar) -> None:
    star.add("sales", "a b:varchar amount", "1, 'x', 1", "1, 'y', 2", "2, 'x', 4", "1, NULL, 8", "NULL, 'x', 16")
    star.add("shop", "a b:varchar city:varchar", "1, 'x', 'N'", "1, 'y', 'N'", "2, 'x', NULL", "NULL, 'x', 'N'")
    step = join("unique_key", "sales", "a b", "shop", "a b")

    _assert_same(star, part(attribute("city", "shop", "city", "city", step)))
    _assert_same(star, part(attribute("shop", "shop", "a b", "city", step)))


@pytest.mark.parametrize("collation", ["nocase", "noaccent"])
def test_texts_that_the_warehouse_takes_for_equal_are_one_group(star: SmallStar, collation: str) -> None:
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "4, 8")
    star.add("shop", "shop_id city:varchar", "1, 'a'", "2, 'A'", "3, 'á'", "4, 'b'")
    star.run(f"SET default_collation = '{collation}'")

    sums = [row[1:] for row in star.rows(_by_codes(star, part(CITY)))]

    assert sorted(sums) == sorted(row[1:] for row in star.from_facts(part(CITY)))
    assert len(sums) == 3


def test_numbers_that_are_written_in_two_ways_are_one_group(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "4, 8")
    star.add("shop", "shop_id city:double", "1, 0.0", "2, -0.0", "3, 'NaN'", "4, 'NaN'")

    assert sorted(row[2:] for row in star.rows(_by_codes(star, part(CITY)))) == [(2, 3), (2, 12)]


def test_no_facts_make_no_groups(star: SmallStar) -> None:
    star.add("sales", "shop_id amount")
    star.add("shop", "shop_id city:varchar", "1, 'N'")

    assert star.rows(_by_codes(star, part(CITY))) == []


def test_a_range_stands_on_the_facts_own_column_beside_its_scan(shops: SmallStar) -> None:
    rows = RowRange(column="number", kind=IndicatorKind.INTEGER, after=2, through=6)

    select = _by_codes(shops, part(CITY), rows)

    scan = next(scope for scope in select.find_all(exp.Select) if scope.args.get("where") and scope.args.get("group"))
    assert render(scan.args["where"].this, shops.sources().dialect) == '"sales"."number" > 2 AND "sales"."number" <= 6'
    assert shops.rows(select) == shops.rows(
        select_from_fact(part(CITY), shops.sources(), shops.constraints(part(CITY)), (rows,))
    )


def test_a_key_that_got_a_second_row_multiplies_as_it_does_by_names(shops: SmallStar) -> None:
    """So verification finds it; a code that picked one of the two would hide it."""
    for bound in (CITY, _SHOP_ID):
        select = _by_codes(shops, part(bound))
        before = sum(int(str(row[-2])) for row in shops.rows(select))
        shops.run("INSERT INTO shop VALUES (1, 'other', 1, 'x')")

        assert sum(int(str(row[-2])) for row in shops.rows(select)) > before

        shops.run("DELETE FROM shop WHERE city = 'other'")


@pytest.mark.parametrize(
    ("rows", "calculated", "why"),
    [
        (["1, 'N'", "1, 'N'"], {}, "the key is not unique"),
        (["1, 'N'"], {"city2": "random()"}, "a calculation is another one each time"),
        (["1, 'N'"], {"city2": "(SELECT MAX(city) FROM shop)"}, "a calculation is a query"),
    ],
)
def test_what_may_not_be_read_twice_is_not_coded(
    star: SmallStar, rows: list[str], calculated: dict[str, str], why: str
) -> None:
    star.add("sales", "shop_id amount", "1, 1")
    star.add("shop", "shop_id city:varchar", *rows, calculated=calculated)
    shown = "city2" if calculated else "city"
    of = part(attribute("city", "shop", shown, shown, SHOP))

    assert codable(of, star.sources(), star.constraints(of)) == (), why


def test_bridges_are_not_coded(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1")
    star.add("shop", "shop_id city:varchar", "1, 'N'")
    bridge = join("bridge", "sales", "shop_id", "shop", "shop_id")
    proven = ProvenConstraints(unique_keys=frozenset({("shop", ("shop_id",))}))

    assert codable(part(attribute("city", "shop", "city", "city", bridge)), star.sources(), proven) == ()


def test_without_codes_it_is_the_select_by_names(shops: SmallStar) -> None:
    sources, proven = shops.sources(), shops.constraints(part(CITY))

    assert select_by_codes(part(CITY), sources, proven, ()) == select_from_fact(part(CITY), sources, proven)
