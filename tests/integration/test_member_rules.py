"""What a model says of members: empty members, all members, default members, members that are not added up.

Each on the facts and on aggregates, on DuckDB and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import tiny_star

Rows = list[tuple[Any, ...]]
RowsOf = Callable[[str], Rows]

_BY_SHOP = "  - unique_name: Shop\n    label: Shop\n    dataset: shop\n"
_BY_CITY = "  - unique_name: City\n    label: City\n    dataset: shop\n"
_RULE = "    filter_empty: 'yes'\n"


def _sales() -> list[tuple[int, str | None, str | None, Decimal]]:
    """(day, shop, city, amount) of each row of the tiny star; no shop where the key leads nowhere."""
    shops = {"1": "North 1", "2": "North 2", "3": "South", "4": "Closed"}
    cities = {"1": "North", "2": "North", "3": "South"}
    keys = [("1", "2", "3", "4", "NULL", "99")[row % 6] for row in range(tiny_star.FACT_ROWS)]
    return [(row % 20, shops.get(key), cities.get(key), Decimal(f"{row}.25")) for row, key in enumerate(keys)]


def _sums(rows: list[tuple[Any, Decimal]]) -> Rows:
    totals: dict[Any, Decimal] = {}
    for key, amount in rows:
        totals[key] = totals.get(key, Decimal(0)) + amount
    return sorted(((key, total) for key, total in totals.items()), key=str)


@pytest.fixture
def changed_model(empty_workspace: Workspace, tmp_path: Path) -> Callable[..., RowsOf]:
    """A function that deploys the tiny model with other texts; what it gives asks the facts and the aggregates alike.

    Aggregates are built from the plain model before, so that they are older than what the model says of members.
    """
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    folder = tiny_star.write_model(tmp_path / "model")
    deploy(empty_workspace, folder, now=utc_now())
    run_batch(empty_workspace, "tiny_sales", owner="test")

    def with_changes(file: str, *changes: tuple[str, str]) -> RowsOf:
        path = folder / f"{file}.yml"
        for old, new in changes:
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new, 1))
        deploy(empty_workspace, folder, now=utc_now())
        router = QueryRouter(empty_workspace)

        def rows_of(sql: str) -> Rows:
            both = [router.answer(sql, use_aggregates=routed) for routed in (False, True)]
            rows = [sorted(map(tuple, result.rows), key=str) for result in both]
            assert rows[0] == rows[1]
            assert [source.aggregate for source in both[1].plan.sources] != [None]
            return rows[0]

        return rows_of

    return with_changes


def _empty(name: str, key: str = "nobody", sort: str = "zzz") -> str:
    return f"    custom_empty_member: {{key: ['{key}'], name: '{name}', sort_name: '{sort}'}}\n"


@pytest.mark.parametrize("rule", ["yes", "no", "always"])
def test_facts_without_a_member_go_to_the_named_one(changed_model: Callable[..., RowsOf], rule: str) -> None:
    """Such facts have keys that are NULL or lead nowhere, or a member whose own key is NULL, under each join rule."""
    rows_of = changed_model("shops", (_BY_CITY, _BY_CITY + _empty("No city")), (_RULE, _RULE.replace("yes", rule)))

    expected = _sums([(city or "No city", amount) for _, _, city, amount in _sales()])
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales') == expected
    there = [row for row in expected if row[0] == "No city"]
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales WHERE "City" = \'No city\'') == there
    assert rows_of('SELECT "Amount" FROM tiny_sales WHERE "City" <> \'North\'') == [
        (sum(amount for city, amount in expected if city != "North"),)
    ]
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales WHERE "City" IS NULL') == []
    average = rows_of('SELECT "City", "Average Amount", COUNT(*) FROM tiny_sales')
    assert {city: count for city, _, count in average} == {"North": 20, "South": 10, "No city": 30}


def test_rows_of_an_empty_member_stay_in_totals_and_below(changed_model: Callable[..., RowsOf]) -> None:
    """A filter on the attribute, or a finer attribute without an empty member beside it, keeps them."""
    rows_of = changed_model("shops", (_BY_CITY, _BY_CITY + _empty("No city")))

    total = sum(amount for *_, amount in _sales())
    assert rows_of('SELECT "Amount" FROM tiny_sales') == [(total,)]
    assert rows_of('SELECT "Amount" FROM tiny_sales WHERE "City" LIKE \'%\'') == [(total,)]
    below = _sums([((city or "No city", shop), amount) for _, shop, city, amount in _sales()])
    assert rows_of('SELECT "City", "Shop", "Amount" FROM tiny_sales') == sorted(
        ((*key, amount) for key, amount in below), key=str
    )
    with_members = _sums([(shop, amount) for _, shop, _, amount in _sales() if shop])
    assert rows_of('SELECT "Shop", "Amount" FROM tiny_sales') == with_members


def test_an_empty_member_joins_the_real_one_of_its_name(changed_model: Callable[..., RowsOf]) -> None:
    """On the SQL surface an attribute's value is its name, so both are one group; exact distinct counts stay exact."""
    rows_of = changed_model("shops", (_BY_SHOP, _BY_SHOP + _empty("Closed", key="-1")))

    assert rows_of('SELECT "Shop", "Amount" FROM tiny_sales') == _sums(
        [(shop or "Closed", amount) for _, shop, _, amount in _sales()]
    )


def test_an_empty_member_of_another_type_is_refused_by_name(
    changed_model: Callable[..., RowsOf], empty_workspace: Workspace
) -> None:
    """A number column has no `Unknown`; `0` it has."""
    column = _BY_CITY.replace("City", "Id") + "    key_columns: [shop_id]\n    name_column: shop_id\n"
    level = ("levels:\n", "levels:\n      - unique_name: Id\n")
    rows_of = changed_model(
        "shops", level, ("level_attributes:\n", "level_attributes:\n" + column + _empty("Unknown", "0"))
    )

    with pytest.raises(QueryError, match=r"custom empty member of `Id` is `Unknown`.*integer"):
        QueryRouter(empty_workspace).answer('SELECT "Id", "Amount" FROM tiny_sales')
    assert rows_of('SELECT "Month", "Amount" FROM tiny_sales')

    changed_model("shops", ("name: 'Unknown'", "name: '-1'"))
    rows = QueryRouter(empty_workspace).answer('SELECT "Id", "Amount" FROM tiny_sales ORDER BY 1').rows
    assert rows[0][0] == -1


def test_members_without_facts_are_there(changed_model: Callable[..., RowsOf], empty_workspace: Workspace) -> None:
    """They are also there when conditions on other dimensions leave them no facts; their own conditions choose."""
    tiny_star.run_sql(empty_workspace, "INSERT INTO shop VALUES (5, 'East', 'East'), (6, 'West', 'West')")
    rows_of = changed_model("shops", (_RULE, _RULE.replace("yes", "no")))

    cities = _sums([(city, amount) for _, _, city, amount in _sales()])
    empty: Rows = [("East", None), ("West", None)]
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales') == sorted([*cities, *empty], key=str)
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales WHERE "City" IN (\'East\', \'North\')') == sorted(
        [("East", None), *(row for row in cities if row[0] == "North")], key=str
    )
    first = _sums([(city, amount) for day, _, city, amount in _sales() if day == 0])
    missing = {"North", "South", None, "East", "West"} - {city for city, _ in first}
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales WHERE "Day" = \'day 0\'') == sorted(
        [*first, *((city, None) for city in missing)], key=str
    )
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales HAVING "Amount" IS NOT NULL') == cities
    assert rows_of('SELECT "Amount" FROM tiny_sales') == [(sum(amount for *_, amount in _sales()),)]
    assert rows_of('SELECT "Month", "Amount" FROM tiny_sales') == _sums(
        [(f"month {day // 5}", amount) for day, _, _, amount in _sales()]
    )


def test_members_without_facts_stand_beside_every_other_key(
    changed_model: Callable[..., RowsOf], empty_workspace: Workspace
) -> None:
    """Every month that has facts shows every city."""
    tiny_star.run_sql(empty_workspace, "INSERT INTO shop VALUES (5, 'East', 'East')")
    rows_of = changed_model("shops", (_RULE, _RULE.replace("yes", "no")))

    rows = rows_of('SELECT "City", "Month", "Amount" FROM tiny_sales WHERE "Day" IN (\'day 0\', \'day 7\')')

    expected = {(city, f"month {day // 5}"): Decimal(0) for day, _, city, _ in _sales() if day in {0, 7}}
    months = {month for _, month in expected}
    assert {(city, month) for city, month, _ in rows} == {
        (city, month) for city in ("North", "South", "East", None) for month in months
    }
    assert len(rows) == 4 * len(months)
    assert {row[2] for row in rows if row[0] == "East"} == {None}


def test_a_condition_that_binds_shown_members_to_others_is_refused(changed_model: Callable[..., RowsOf]) -> None:
    """It cannot be said whether a member without facts meets it."""
    rows_of = changed_model("shops", (_RULE, _RULE.replace("yes", "no")))

    with pytest.raises(QueryError, match="filter_empty"):
        rows_of('SELECT "City", "Amount" FROM tiny_sales WHERE "City" = \'North\' OR "Month" = \'month 1\'')


def _default(expression: str, *, only: bool = False) -> tuple[str, str]:
    text = f"    default_member: {{expression: '{expression}', apply_only_when_in_query: {str(only).lower()}}}\n"
    return _RULE, _RULE + text


@pytest.mark.parametrize(
    ("expression", "city"),
    [
        ("[Shops].[Shops levels].[City].&[North]", "North"),
        ("[Shops].[Shops levels].[City].[South]", "South"),
        ("[Shops].[Shops levels].&[South]", "South"),
    ],
)
def test_a_query_that_names_no_level_is_about_the_default_member(
    changed_model: Callable[..., RowsOf], expression: str, city: str
) -> None:
    """Totals and other dimensions are; a query that names a level, or only members, is not."""
    rows_of = changed_model("shops", _default(expression))

    own = [(day, amount) for day, _, at, amount in _sales() if at == city]
    assert rows_of('SELECT "Amount" FROM tiny_sales') == [(sum(amount for _, amount in own),)]
    assert rows_of('SELECT "Month", "Amount" FROM tiny_sales') == _sums(
        [(f"month {day // 5}", amount) for day, amount in own]
    )
    assert rows_of("SELECT COUNT(*) FROM tiny_sales") == [(len(own),)]
    cities = {at for _, _, at, _ in _sales()}
    shown = {row[0] for row in rows_of('SELECT "City", "Amount" FROM tiny_sales')}
    assert shown == cities
    shop = rows_of('SELECT "Amount" FROM tiny_sales WHERE "Shop" = \'North 1\'')
    assert shop == [(sum(amount for _, shop, _, amount in _sales() if shop == "North 1"),)]


def test_a_default_member_by_a_key_that_is_not_its_name(changed_model: Callable[..., RowsOf]) -> None:
    """The key column is compared."""
    rows_of = changed_model("shops", _default("[Shops].[Shops levels].[Shop].&[3]"))

    assert rows_of('SELECT "Amount" FROM tiny_sales') == [
        (sum(amount for _, shop, _, amount in _sales() if shop == "South"),)
    ]


def test_a_default_member_only_when_the_dimension_is_used(changed_model: Callable[..., RowsOf]) -> None:
    """Otherwise the query is about all members; the All member is no filter either."""
    total = [(sum(amount for *_, amount in _sales()),)]

    assert (
        changed_model("shops", _default("[Shops].[Shops levels].[City].&[North]", only=True))(
            'SELECT "Amount" FROM tiny_sales'
        )
        == total
    )
    assert (
        changed_model("shops", ("[City].&[North]", "[All]"), ("true", "false"))('SELECT "Amount" FROM tiny_sales')
        == total
    )


def test_a_default_member_that_is_not_read_is_refused_by_name(changed_model: Callable[..., RowsOf]) -> None:
    """No number ignores it; a query that names a level is answered."""
    rows_of = changed_model("shops", _default("Tail([Shops].[Shops levels].[City].Members, 1).Item(0)"))

    with pytest.raises(QueryError, match="default member of hierarchy `Shops levels`"):
        rows_of('SELECT "Amount" FROM tiny_sales')
    assert rows_of('SELECT "City", "Amount" FROM tiny_sales')


def test_members_that_are_not_added_up(changed_model: Callable[..., RowsOf]) -> None:
    """The query groups by them or by what determines them, holds them to one value, or is refused by name."""
    rows_of = changed_model("shops", (_BY_CITY, _BY_CITY + "    is_aggregatable: false\n"))

    for refused in (
        'SELECT "Amount" FROM tiny_sales',
        'SELECT "Month", "Amount" FROM tiny_sales',
        "SELECT \"Amount\" FROM tiny_sales WHERE \"City\" IN ('North', 'South')",
        "SELECT COUNT(*) FROM tiny_sales",
    ):
        with pytest.raises(QueryError, match=r"members of `City` are not added up"):
            rows_of(refused)
    north = sum(amount for _, _, city, amount in _sales() if city == "North")
    assert rows_of('SELECT "Amount" FROM tiny_sales WHERE "City" = \'North\'') == [(north,)]
    assert ("North", north) in rows_of('SELECT "City", "Amount" FROM tiny_sales')
    assert len(rows_of('SELECT "Shop", "Amount" FROM tiny_sales')) == 4
    with_default = changed_model("shops", _default("[Shops].[Shops levels].[City].&[North]"))
    assert with_default('SELECT "Amount" FROM tiny_sales') == [(north,)]


def test_members_of_another_type_than_their_column_are_told(empty_workspace: Workspace, tmp_path: Path) -> None:
    """Deployment names file and line for a default member's key, an empty member's name, and a nameless one."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    folder = tiny_star.write_model(tmp_path / "model")
    shops, calendar = folder / "shops.yml", folder / "calendar.yml"
    text = shops.read_text().replace(_RULE, f"{_RULE}    default_member: {{expression: '[Shops].[Shop].&[first]'}}\n")
    shops.write_text(text.replace(_BY_CITY, f"{_BY_CITY}    custom_empty_member: {{key: ['-1']}}\n"))
    calendar.write_text(calendar.read_text().replace("name_column: day_name", "name_column: day_id"))
    calendar.write_text(calendar.read_text().replace("    label: Day\n", f"    label: Day\n{_empty('no day', '-1')}"))

    issues = deploy(empty_workspace, folder, now=utc_now()).issues

    places = {(issue.code, issue.file, issue.line > 0) for issue in issues}
    assert places == {
        ("default-member", "shops.yml", True),
        ("missing-key", "shops.yml", True),
        ("empty-member-type", "calendar.yml", True),
    }
